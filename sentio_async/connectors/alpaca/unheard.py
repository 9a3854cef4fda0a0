"""Notices a stream of order updates that has gone silent although its socket answers pings."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from sentio_async import errors
from sentio_async.clock import Clock
from sentio_async.connectors.alpaca.heard import Heard
from sentio_async.models import Fill, Order

__all__ = ["Lookout", "OrderBooks", "Owner"]

log = logging.getLogger("sentio_async.streams")

_ON_ITS_WAY = 2.0
"""Seconds that the stream may be later than the answer to a request."""
_SKEW = timedelta(seconds=10)
"""By how much the venue's clock may differ from ours."""
_AT_ONCE = 25
"""Orders in no list that are asked for one by one each time."""


class OrderBooks(Protocol):
    """Where orders and executions are asked for."""

    async def get_order(self, order_id: str, *, nested: bool = False) -> Order:
        """One order."""
        ...

    def iter_orders(self, *, status: str = "all", **filters: Any) -> AsyncIterator[Order]:
        """Many orders."""
        ...

    def iter_fills(self, **filters: Any) -> AsyncIterator[Fill]:
        """Executions."""
        ...


class Owner(Protocol):
    """Whose stream it is."""

    @property
    def is_wanted(self) -> bool:
        """Somebody listens."""
        ...

    @property
    def is_current(self) -> bool:
        """Updates come, as far as anybody can tell."""
        ...

    def was_silent(self, orders: int, /) -> None:
        """Of so many orders something happened that the stream has not told."""
        ...


class Lookout:
    """Asks how open orders are, every so many seconds; not at all while none is open."""

    def __init__(
        self, heard: Heard, books: OrderBooks, owner: Owner, *, every: float, clock: Clock
    ) -> None:
        self._heard = heard
        self._books = books
        self._owner = owner
        self._every = every
        self._clock = clock
        self._turn = 0
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Look from now on, for as long as somebody listens."""
        if self._task is None or self._task.done():
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._run(), name="order updates: look out")

    def end(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        begun = looked = self._clock.utcnow()
        while self._owner.is_wanted:
            await self._clock.sleep(self._every)
            if not self._owner.is_current or not self._heard.open:
                continue
            since, now = max(begun, looked - _SKEW), self._clock.utcnow()
            try:
                untold = await self._look(since)
            except Exception as exc:  # noqa: BLE001 (whatever it is, the next look may do better)
                log.warning("open orders could not be asked for: %s", exc)
                continue
            looked = now
            if untold and self._owner.is_current:
                self._owner.was_silent(untold)

    async def _look(self, since: datetime) -> int:
        """How many orders are not as they were told, and stay so for a moment."""
        suspects: dict[str, tuple[str, Decimal, Decimal] | None] = {}
        async for order in self._listed(since):
            if self._heard.is_untold(order):
                suspects[order.id] = self._told_of(order.id)
        if suspects:
            await self._clock.sleep(_ON_ITS_WAY)
        return sum(self._told_of(order_id) == told for order_id, told in suspects.items())

    async def _listed(self, since: datetime) -> AsyncIterator[Order]:
        tracked, listed = set(self._heard.open), set[str]()
        async for order in self._books.iter_orders(status="open"):
            listed.add(order.id)
            yield order
        # Somebody else's may have begun and ended since the last look.
        async for order in self._books.iter_orders(status="all", after=since):
            if order.is_final and order.id not in listed:
                listed.add(order.id)
                yield order
        # They have ended, or are the held exits of a bracket, which are in no list of open orders.
        absent = sorted(tracked - listed)
        self._turn %= max(1, len(absent))
        for order_id in (absent[self._turn :] + absent[: self._turn])[:_AT_ONCE]:
            self._turn += 1
            try:
                yield await self._books.get_order(order_id)
            except errors.NotFoundError:
                self._heard.forget(order_id)

    def _told_of(self, order_id: str) -> tuple[str, Decimal, Decimal] | None:
        known = self._heard.get(order_id)
        return None if known is None else (*known.state, known.told)
