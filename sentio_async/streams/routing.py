"""Which rows go to whom.  No I/O.

A ``Route`` is one topic: its targets are plain callables, and a row goes to all of them.  While a
gap is being filled the only target is a list that holds what arrives; afterwards everything is
released in order.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from sentio_async.streams.book import EVERYTHING, Topic
from sentio_async.streams.consumers import Consumer
from sentio_async.streams.gaps import Healing

__all__ = ["Channel", "Route", "Router"]

log = logging.getLogger("sentio_async.streams")

Target = Callable[[Any], object]


class Route:
    """One topic and who hears of it."""

    def __init__(self, topic: Topic, memory: int, hold_limit: int) -> None:
        self.topic = topic
        self.consumers: list[Consumer[Any]] = []
        self.recent: deque[Any] = deque(maxlen=max(1, memory))
        """The last rows, by which a gap knows where it begins and what is no news."""
        self.held: deque[Any] | None = None
        """What arrives while a gap is being filled."""
        self.gap_from_ns: int | None = None
        """Where the gap begins, from the loss of the connection until it is dealt with."""
        self.targets: tuple[Target, ...] = ()
        self._hold_limit = hold_limit
        self._listening: tuple[Target, ...] = ()

    def hear(self, consumers: Iterable[Consumer[Any]], *, is_remembered: bool) -> None:
        """Let these consumers have the rows."""
        unique = dict.fromkeys(consumers)
        memory: tuple[Target, ...] = (self.recent.append,) if is_remembered else ()
        self._listening = (*memory, *(consumer.deliver for consumer in unique))
        if self.held is None:
            self.targets = self._listening

    def hold(self) -> None:
        """Keep what arrives instead of handing it on."""
        if self.held is None:
            self.held = deque(maxlen=self._hold_limit)
        self.targets = (self.held.append,)

    @property
    def is_overfull(self) -> bool:
        """As much is held as there is room for, so that some of it is lost."""
        return self.held is not None and len(self.held) == self._hold_limit

    def hand_on(self, row: Any) -> None:
        """Give a row to everybody, though others are held; one's failure is nobody else's."""
        for target in self._listening:
            try:
                target(row)
            except Exception:
                log.exception("a consumer of %s failed", self.topic)

    def release(self) -> list[Any]:
        """Hand on from now on; gives what was held."""
        held, self.held = list(self.held or ()), None
        self.targets = self._listening
        return held


class Channel:
    """All topics of one kind of news."""

    def __init__(self, name: str, healing: Healing, *, hold_limit: int) -> None:
        self.name = name
        self.healing = healing
        self.routes: dict[str, Route] = {}
        self.last: Any = None
        """The last row, whatever its symbol."""
        self._hold_limit = hold_limit
        self.others = self._route(EVERYTHING)
        """For symbols that nobody asked for by name."""

    def _route(self, symbol: str) -> Route:
        return Route(Topic(self.name, symbol), self.healing.memory, self._hold_limit)

    def add(self, symbol: str, consumer: Consumer[Any]) -> None:
        """One more consumer of a symbol, or of everything."""
        if symbol == EVERYTHING:
            self.others.consumers.append(consumer)
        else:
            self.routes.setdefault(symbol, self._route(symbol)).consumers.append(consumer)
        self._connect()

    def remove(self, symbol: str, consumer: Consumer[Any]) -> None:
        """One consumer less."""
        route = self.others if symbol == EVERYTHING else self.routes.get(symbol)
        if route is None or consumer not in route.consumers:
            return
        route.consumers.remove(consumer)
        if not route.consumers and route is not self.others:
            del self.routes[symbol]
        self._connect()

    def _connect(self) -> None:
        everything = self.others.consumers
        self.others.hear(everything, is_remembered=self.healing.of_everything)
        for route in self.routes.values():
            route.hear((*route.consumers, *everything), is_remembered=True)


class Router:
    """The channels of one feed."""

    def __init__(self, healings: Mapping[str, Healing], *, hold_limit: int) -> None:
        self.channels = {
            name: Channel(name, healing, hold_limit=hold_limit)
            for name, healing in healings.items()
        }

    def add(self, topics: Iterable[Topic], consumer: Consumer[Any]) -> None:
        """Let a consumer have the rows of topics."""
        for topic in topics:
            self.channels[topic.channel].add(topic.symbol, consumer)

    def remove(self, topics: Iterable[Topic], consumer: Consumer[Any]) -> None:
        """A consumer wants them no more."""
        for topic in topics:
            self.channels[topic.channel].remove(topic.symbol, consumer)

    def route(self, topic: Topic) -> Route | None:
        """The route of a topic that somebody wants."""
        channel = self.channels[topic.channel]
        return channel.others if topic.symbol == EVERYTHING else channel.routes.get(topic.symbol)

    def consumers(self) -> Iterator[Consumer[Any]]:
        """Everybody, once."""
        found: dict[Consumer[Any], None] = {}
        for channel in self.channels.values():
            for route in (channel.others, *channel.routes.values()):
                found.update(dict.fromkeys(route.consumers))
        return iter(found)

    def owner(self, target: Target) -> Consumer[Any] | None:
        """Whose callable a target is."""
        return next((each for each in self.consumers() if each.deliver == target), None)
