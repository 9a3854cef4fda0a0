"""The feeds of one connector, made when they are first wanted.

Vendors allow one connection for each key and feed, so connectors that have these in common, and
the resources of one hub, have one feed: made for the first, ended with the last.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from sentio_async import errors
from sentio_async.streams.book import Topic
from sentio_async.streams.consumers import Consumer, let_finish
from sentio_async.streams.feed import Feed, FeedStatus

__all__ = ["Feeds", "Owner", "Tap", "give_back", "take"]

FINISH_WITHIN = 1.0
"""Seconds that callbacks have for what they were given before the end."""

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Owner(Protocol):
    """Whose connectors share what they can."""

    held: dict[Hashable, tuple[Any, int]]
    """What several hold together, and how many of them there are."""


def take(owner: Owner, key: Hashable, make: Callable[[], T]) -> T:
    """The thing that the holders at one owner share under a key; made for the first of them."""
    thing, holders = owner.held.get(key) or (make(), 0)
    owner.held[key] = (thing, holders + 1)
    found: T = thing
    return found


def give_back(owner: Owner, key: Hashable) -> bool:
    """Hold it no longer; true for the last, who has to end it."""
    thing, holders = owner.held.pop(key)
    if holders > 1:
        owner.held[key] = (thing, holders - 1)
    return holders == 1


class Tap:
    """A feed as one of those who share it has it."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self._consumers: weakref.WeakSet[Consumer[Any]] = weakref.WeakSet()
        self._is_closed = False

    def attach(self, consumer: Consumer[Any], topics: Sequence[Topic]) -> None:
        """Let a consumer have topics; one that comes after the end has come to its own."""
        if self._is_closed:
            consumer.finish()
            return
        self._consumers.add(consumer)
        self.feed.attach(consumer, topics)

    def detach(self, consumer: Consumer[Any]) -> None:
        """A consumer is gone."""
        self._consumers.discard(consumer)
        self.feed.detach(consumer)

    async def ready(self, topics: Sequence[Topic]) -> None:
        """Return when the venue has confirmed these; raises what it said if it refused one."""
        if self._is_closed:
            raise errors.ConnectionError("stream: closed", connector=self.feed.name)
        await self.feed.ready(topics)

    def is_current(self, topics: Sequence[Topic]) -> bool:
        """All of these are confirmed, and nothing that was missed is still being fetched."""
        return self.feed.is_current(topics)

    def status(self) -> FeedStatus:
        """What is known about the feed now."""
        return self.feed.status()

    def hold_up(self, consumer: Consumer[Any]) -> None:
        """Read nothing until this consumer has caught up, at most a second."""
        self.feed.hold_up(consumer)

    def let_go(self, consumer: Consumer[Any]) -> None:
        """Read again, unless another consumer holds it up."""
        self.feed.let_go(consumer)

    def start_over(self, reason: str) -> None:
        """Make the connection anew, and find out what happened meanwhile."""
        self.feed.start_over(reason)

    def close(self) -> list[Consumer[Any]]:
        """End the consumers that came this way; what they have not read yet they still can."""
        self._is_closed = True
        ended = list(self._consumers)
        for consumer in ended:
            consumer.finish()
            self.detach(consumer)
        return ended

    async def aclose(self) -> None:
        """End them, and let callbacks deal with what they were given, for a second at most."""
        await let_finish(self.close(), within=FINISH_WITHIN)


class Feeds(Generic[K]):
    """Feeds by what tells them apart; ``make`` makes one.

    ``identify`` gives what feeds have in common that are one for the connectors of ``owner``.
    """

    def __init__(
        self,
        make: Callable[[K], Feed],
        *,
        owner: Owner,
        identify: Callable[[K], Hashable],
    ) -> None:
        self._make = make
        self._owner = owner
        self._identify = identify
        self._taps: dict[K, Tap] = {}

    def __getitem__(self, key: K) -> Tap:
        if key not in self._taps:
            feed = take(self._owner, self._identify(key), lambda: self._make(key))
            self._taps[key] = Tap(feed)
        return self._taps[key]

    def status(self) -> tuple[FeedStatus, ...]:
        """How each of them is."""
        return tuple(tap.status() for tap in self._taps.values())

    async def aclose(self) -> None:
        """End what came from here, and the feeds that nobody else holds, all at the same time."""
        taps, self._taps = self._taps, {}
        ends = [tap.aclose() for tap in taps.values()]
        last = [
            tap.feed for key, tap in taps.items() if give_back(self._owner, self._identify(key))
        ]
        await asyncio.gather(*ends, *(feed.aclose() for feed in last))
