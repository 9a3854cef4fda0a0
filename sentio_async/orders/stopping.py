"""The way to stop: refuse what is new, cancel what is open."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from sentio_async import errors
from sentio_async.models.trading import CancelResult, Order
from sentio_async.orders.desk import Desk
from sentio_async.orders.happenings import TradingHalted, TradingResumed
from sentio_async.orders.rails import EXACT, overfill
from sentio_async.orders.venue import CancelsAll

__all__ = ["Stopper"]

log = logging.getLogger("sentio_async")

_LOOK_BACK = 86_400.0
"""How far back, in seconds, open orders are looked for that this process knows nothing of."""


class Stopper:
    """Halts trading, by command or by itself, and lets it go on."""

    def __init__(self, desk: Desk, cancel: Callable[[str], Awaitable[None]]) -> None:
        self._desk = desk
        self._cancel = cancel
        self._announced: str | None = None
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to notice what other processes say."""
        self._announced = self._desk.journal.halted()
        if self._desk.journal.halt_poll is not None:
            self._watching = self._desk.start(self._watch(self._desk.journal.halt_poll))

    def keep_watching(self) -> None:
        """Go on noticing, after the loop in which it began or after somebody's cancel of all."""
        if self._watching is not None and self._watching.done():
            self._watching = self._desk.start(self._watch(self._desk.journal.halt_poll or 0.0))

    async def _watch(self, seconds: float) -> None:
        while True:
            await self._desk.clock.sleep(seconds)
            reason = self._desk.journal.halted()
            if reason == self._announced:
                continue
            if reason is None:
                self._announce_resumed()
            else:
                self._announce(reason)
                await self._cancel_open()

    def check(self) -> None:
        """Raise TradingHaltedError when no new order is to be sent."""
        reason = self._desk.journal.halted()
        if reason is not None:
            raise errors.TradingHaltedError(
                f"trading is halted: {reason}", connector=self._desk.name or None
            )

    async def halt(self, reason: str) -> None:
        """Refuse new orders from now on, and cancel what is open."""
        self._set_halted(reason)
        self._announce(reason)
        await self._cancel_open()

    def halt_soon(self, reason: str) -> None:
        """The same from inside: refuse at once, cancel in the background."""
        if self._desk.journal.halted() is None:
            self._set_halted(reason)
            self._announce(reason)
            self._desk.start(self._cancel_open())

    def _set_halted(self, reason: str) -> None:
        try:
            self._desk.journal.set_halted(reason)
        except OSError:
            log.exception("%s: the halt ends with this process", self._desk.name)

    def resume(self) -> None:
        """Accept new orders again."""
        self._desk.journal.set_halted(None)
        if self._announced is not None:
            self._announce_resumed()

    def _announce(self, reason: str) -> None:
        self._announced = reason
        log.error("%s: trading is halted: %s", self._desk.name, reason)
        self._desk.tell(TradingHalted, reason)

    def _announce_resumed(self) -> None:
        self._announced = None
        log.warning("%s: trading is resumed", self._desk.name)
        self._desk.tell(TradingResumed)

    # Cancelling

    def cancel_soon(self, order_id: str) -> None:
        """Ask for an order to be cancelled, in the background."""
        self._desk.start(self._cancel_quietly(order_id))

    async def _cancel_quietly(self, order_id: str) -> None:
        try:
            await self._cancel(order_id)
        except errors.ConnectorError as exc:
            log.warning("%s: order %s is not cancelled: %s", self._desk.name, order_id, exc)

    async def _cancel_open(self) -> None:
        """Cancel everything that is open, not only what was placed here."""
        desk = self._desk
        if isinstance(desk.venue, CancelsAll):
            try:
                until = desk.now() + desk.policy.call_timeout
                results = await desk.call(desk.venue.cancel_all(), until)
            except errors.ConnectorError as exc:
                log.warning("%s: cancelling one by one, because all: %s", desk.name, exc)
            else:
                if _all_accepted(results or ()):
                    return
                log.warning("%s: cancelling one by one what was not cancelled with all", desk.name)
        ids = await self._open_ids()
        await asyncio.gather(*(self._cancel_quietly(each) for each in ids))

    async def _open_ids(self) -> Iterable[str]:
        desk = self._desk
        placed = [e for e in desk.entries.values() if e.order is not None and not e.order.is_final]
        since = min((e.entered_after for e in placed), default=desk.wall()) - _LOOK_BACK
        asked = desk.venue.recent(datetime.fromtimestamp(since, UTC))
        try:
            listed = await desk.call(asked, desk.now() + desk.policy.call_timeout)
        except errors.ConnectorError as exc:
            log.warning("%s: cancelling what is known only: %s", desk.name, exc)
            return [e.order.id for e in placed if e.order is not None]
        return [order.id for order in listed if not order.is_final]

    # Watching fills

    def observe(self, order: Order) -> None:
        """Take note of what the venue says of an order; more filled than wanted is a halt."""
        entry = self._desk.by_order.get(order.id)
        if entry is None:
            return
        entry.order = order
        if not order.filled_qty:
            return
        entry.filled = {**entry.filled, order.id: order.filled_qty}
        try:
            filled = functools.reduce(EXACT.add, entry.filled.values(), Decimal(0))
            problem = overfill(entry.intent.order, filled)
        except ArithmeticError:
            problem = f"{order.symbol}: what was filled cannot be added up"
        if problem is not None:
            self.halt_soon(problem)


def _all_accepted(results: Sequence[CancelResult]) -> bool:
    """Also of those that could not be read nobody knows."""
    return all(each.accepted for each in results) and not getattr(results, "skipped", ())
