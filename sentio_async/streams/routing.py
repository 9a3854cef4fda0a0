"""Which rows go to whom.  No I/O.

A ``Route`` is one topic: a row of it is given to ``deliver``, which is the consumer's own function
where there is but one.  While a gap is being filled it is a list that holds what arrives;
afterwards everything is released in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sentio_async.streams.book import EVERYTHING, Topic
from sentio_async.streams.consumers import FAULTS, Consumer
from sentio_async.streams.gaps import Plan, key_of, known_by

__all__ = ["Channel", "Failed", "Route", "Router"]

_BEHIND_NS = 1_000_000_000
"""How far behind its history a stream may be."""
_NEWEST = 16
"""Rows that are enough to know where a gap begins."""
_MOST_ROUTES = 20_000
"""Symbols that nobody asked for by name and that are found at once."""

Target = Callable[[Any], object]
Failed = Callable[[Target, BaseException], None]
"""Hears that a target raised."""


class Route:
    """One topic and who hears of it."""

    def __init__(self, topic: Topic, plan: Plan, hold_limit: int, failed: Failed) -> None:
        self.topic = topic
        self.consumers: list[Consumer[Any]] = []
        self.last: Any = None
        """The last row that came; whoever calls ``deliver`` sets it."""
        self.held: deque[Any] | None = None
        """What arrives while a gap is being filled."""
        self.gap_from_ns: int | None = None
        """Where the gap begins, from the loss of the connection until it is dealt with."""
        self.lost_at: tuple[int, float] = (0, 0.0)
        """What the venue's clock showed then, as far as is known, and ours that never steps."""
        self.confirmed_ns: int | None = None
        """When the venue last said that it sends this."""
        self.has_lost = False
        """Some of what was held had no room."""
        self._listening = self._to_all(())
        self.deliver: Target = self._listening
        """Takes a row; what it raises is for ``failed``."""
        self._seen: dict[Any, float | None] = {}
        self._told: frozenset[Any] = frozenset()
        self._told_until = 0
        self._plan = plan
        # Nothing that is essential is lost for want of room.
        self._hold_limit = None if plan.is_essential else hold_limit
        self._failed = failed
        self._keeps = False
        # Of rows that are told once the keys are kept, which is as good and much less.
        rows = min(plan.memory, _NEWEST) if plan.is_unique else plan.memory
        self._memory: deque[Any] = deque(maxlen=max(1, rows))

    @property
    def recent(self) -> Sequence[Any]:
        """The last rows that were handed on, by which a gap knows where it begins."""
        if self._keeps:
            return self._memory
        # Nothing is ever held here: what came was handed on.
        return (self.last,) if self.last is not None else ()

    @property
    def known(self) -> dict[Any, float | None]:
        """By what the rows that were handed on last are known again; they are no news."""
        return self._seen | known_by(self.recent)

    def hear(self, targets: Iterable[Target], *, is_remembered: bool) -> None:
        """Let these have the rows."""
        self._keeps = is_remembered and self._plan.backfill is not None
        listening = self._to_all(tuple(targets))
        if self._keeps:
            listening = self._remembered(listening)
        self._listening = self._once(listening) if self._plan.is_unique else listening
        if self.held is None:
            self._open()

    def _to_all(self, targets: tuple[Target, ...]) -> Target:
        if len(targets) == 1:
            return targets[0]

        def give(row: Any) -> None:
            for target in targets:
                try:
                    target(row)
                except FAULTS as exc:
                    self._failed(target, exc)

        return give

    def _remembered(self, target: Target) -> Target:
        remember, failed = self._memory.append, self._failed

        def remember_and_give(row: Any) -> None:
            remember(row)
            try:
                target(row)
            except FAULTS as exc:
                failed(target, exc)

        return remember_and_give

    def _open(self) -> None:
        self.deliver = self._unless_told if self._told else self._listening

    def _unless_told(self, row: Any) -> None:
        """History may be ahead of the stream: what it has told comes once more."""
        if key_of(row) in self._told:
            return
        if row.time_ns > self._told_until:
            self._told = frozenset()
            self.deliver = self._listening
        self._give(row, self._listening)

    def _once(self, target: Target) -> Target:
        seen, most = self._seen, self._plan.memory

        def hand_on_once(row: Any) -> None:
            key = key_of(row)
            if key in seen:
                return
            seen[key] = None
            if len(seen) > most:
                del seen[next(iter(seen))]
            self._give(row, target)

        return hand_on_once

    def _give(self, row: Any, target: Target) -> None:
        try:
            target(row)
        except FAULTS as exc:
            self._failed(target, exc)

    def hold(self) -> None:
        """Keep what arrives instead of handing it on."""
        if self.held is None:
            self.held, self.has_lost = deque(maxlen=self._hold_limit), False
        self.deliver = self.held.append

    def hand_on(self, row: Any) -> None:
        """Give a row to everybody, although others are held."""
        self._give(row, self._listening)

    def tell_no_more(self, rows: Sequence[Any]) -> None:
        """These were told from history, and the stream may still bring them.

        Only what has an id: a bar that comes again is news.
        """
        same = [row for row in rows if getattr(row, "id", "") or getattr(row, "execution_id", "")]
        self._told_until = max((row.time_ns for row in same), default=0) + _BEHIND_NS
        self._told = frozenset(map(key_of, same))

    def release(self) -> list[Any]:
        """Hand on from now on; gives what was held."""
        held, self.held = self.take_held(), None
        self._open()
        return held

    def take_held(self) -> list[Any]:
        """What was held, without what history has told."""
        return [row for row in self.take_all_held() if key_of(row) not in self._told]

    def take_all_held(self) -> list[Any]:
        """What was held; ``has_lost`` if there was more."""
        if self.held is None:
            return []
        held = list(self.held)
        self.has_lost = self.has_lost or len(held) == self._hold_limit
        self.held.clear()
        return held


class Channel:
    """All topics of one kind of news."""

    def __init__(self, name: str, plan: Plan, hold_limit: int, failed: Failed) -> None:
        self.name = name
        self.plan = plan
        self.last: Any = None
        """The last row, whatever its symbol."""
        self._hold_limit = hold_limit
        self._failed = failed
        self.others = self._new(EVERYTHING)
        self.routes: dict[str, Route] = {}
        """Where a row goes, by its symbol, as far as ``route_of`` was asked since a change.

        It is a plain dict, for no other is as quick, and stays the same one.
        """
        self._topics: dict[str, Route] = {}

    def _new(self, symbol: str) -> Route:
        return Route(Topic(self.name, symbol), self.plan, self._hold_limit, self._failed)

    def find(self, symbol: str) -> Route | None:
        """The route of a topic that somebody wants."""
        return self.others if symbol == EVERYTHING else self._topics.get(symbol)

    def route_of(self, symbol: str) -> Route:
        """Where a row about this symbol goes."""
        route = self.routes.get(symbol)
        if route is None:
            if len(self.routes) >= _MOST_ROUTES:
                self.routes.clear()
            named = None if self.plan.has_many_symbols else self._topics.get(symbol)
            route = self.routes[symbol] = named or self.others
        return route

    def add(self, symbol: str, consumer: Consumer[Any]) -> None:
        """One more consumer of a symbol, or of everything."""
        route = self.find(symbol)
        if route is None:
            route = self._topics[symbol] = self._new(symbol)
        route.consumers.append(consumer)
        self._connect(route)

    def remove(self, symbol: str, consumer: Consumer[Any]) -> None:
        """One consumer less."""
        route = self.find(symbol)
        if route is None or consumer not in route.consumers:
            return
        route.consumers.remove(consumer)
        if not route.consumers and route is not self.others:
            del self._topics[symbol]
        elif not route.consumers:
            # Whoever wants everything again has missed nothing of what came before.
            route.last = None
            if not self.plan.is_essential:
                route.gap_from_ns = None
        self._connect(route)

    def _connect(self, changed: Route) -> None:
        """Let each of those whom a change concerns hear what it wants from now on."""
        self.routes.pop(changed.topic.symbol, None)
        everything = self.others.consumers
        if self.plan.has_many_symbols:
            self.others.hear((self._spread,), is_remembered=False)
            return
        if changed is self.others:
            remembers = self.plan.of_everything
            self.others.hear(_deliveries(everything), is_remembered=remembers)
        # One that was taken out just now may still be handing on what was missed.
        concerned = self._topics.values() if changed is self.others else (changed,)
        for route in concerned:
            route.hear(_deliveries((*route.consumers, *everything)), is_remembered=True)

    def _spread(self, row: Any) -> None:
        """A row about several symbols goes once to everybody whom one of them concerns."""
        consumers = list(self.others.consumers)
        for symbol in row.symbols:
            route = self._topics.get(symbol)
            consumers += route.consumers if route is not None else ()
        for target in _deliveries(consumers):
            try:
                target(row)
            except FAULTS as exc:
                self._failed(target, exc)


def _deliveries(consumers: Iterable[Consumer[Any]]) -> tuple[Target, ...]:
    return tuple(consumer.deliver for consumer in dict.fromkeys(consumers))


class Router:
    """The channels of one feed."""

    def __init__(self, plans: Mapping[str, Plan], *, hold_limit: int, failed: Failed) -> None:
        self.channels = {
            name: Channel(name, plan, hold_limit, failed) for name, plan in plans.items()
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
        return self.channels[topic.channel].find(topic.symbol)
