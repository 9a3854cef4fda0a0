"""The feeds of one connector, made when they are first wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from sentio_async.streams.feed import Feed, FeedStatus

__all__ = ["Feeds"]

K = TypeVar("K")


class Feeds(Generic[K]):
    """Feeds by what tells them apart; ``make`` makes one."""

    def __init__(self, make: Callable[[K], Feed]) -> None:
        self._make = make
        self._feeds: dict[K, Feed] = {}

    def __getitem__(self, key: K) -> Feed:
        if key not in self._feeds:
            self._feeds[key] = self._make(key)
        return self._feeds[key]

    def status(self) -> tuple[FeedStatus, ...]:
        """How each of them is."""
        return tuple(feed.status() for feed in self._feeds.values())

    async def aclose(self) -> None:
        """End all of them at the same time."""
        closing: Iterable[Feed] = list(self._feeds.values())
        await asyncio.gather(*(feed.aclose() for feed in closing))
        self._feeds.clear()
