"""An order's life, change by change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.models.trading import Order
from sentio_async.models.words import OrderStatus

__all__ = ["OrderChanged", "OrderTracker"]

Read = Callable[[str], Awaitable[Order]]
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """One step in an order's life."""

    order: Order
    """As it is now."""
    previous: Order | None
    """As it was; None when it is seen for the first time."""
    parent_id: str | None = None
    """Of a leg: the order that it belongs to."""

    @property
    def filled(self) -> Decimal:
        """How much more of it is filled than before."""
        before = _NOTHING if self.previous is None else self.previous.filled_qty
        return self.order.filled_qty - before

    @property
    def is_final(self) -> bool:
        """Nothing more can happen to this order; one that was replaced goes on as another."""
        return self.order.is_final


class OrderTracker:
    """Follows an order by asking, and by what a stream tells if there is one (``tell``).

    ``read`` gets an order by the venue's id, with its legs inside.
    """

    def __init__(
        self,
        read: Read,
        *,
        poll: float = 1.0,
        timeout: float | None = None,
        clock: Clock = SYSTEM_CLOCK,
        seen: Callable[[Order], None] | None = None,
    ) -> None:
        self._read = read
        self._poll = poll
        self._timeout = timeout
        self._clock = clock
        self._seen = seen
        self._known: dict[str, Order] = {}
        self._told: list[Order] = []
        self._has_news = asyncio.Event()
        self._order_id = ""

    def tell(self, order: Order) -> None:
        """Take what a stream says of an order that is followed; it counts like an answer."""
        if order.id in self._known or order.id == self._order_id:
            self._told.append(order)
            self._has_news.set()

    async def follow(self, order: Order | str) -> AsyncGenerator[OrderChanged, None]:
        """Every change until the order, what replaced it, and every leg have ended."""
        until = None if self._timeout is None else self._clock.time() + self._timeout
        order_id = self._order_id = order if isinstance(order, str) else order.id
        now = await self._read(order_id) if isinstance(order, str) else order
        while True:
            for change in self._changes(now, None):
                yield change
            if now.status is OrderStatus.REPLACED and now.replaced_by is not None:
                order_id = now.replaced_by
                now = await self._read(order_id)
                continue
            if self._has_ended(now):
                return
            self._check_time(order_id, until)
            is_due = False
            asks_at = self._clock.time() + self._poll
            while not is_due:
                for each in await self._listen(asks_at - self._clock.time()):
                    is_due = is_due or each.is_final
                    for change in self._changes(each, None):
                        yield change
                is_due = is_due or self._clock.time() >= asks_at
            now = await self._ask(order_id) or now

    async def _listen(self, seconds: float) -> list[Order]:
        """What a stream says next; nothing if it is silent for so long."""
        news = asyncio.ensure_future(self._has_news.wait())
        rest = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait((news, rest), return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
            rest.cancel()
        self._has_news.clear()
        told, self._told = self._told, []
        return told

    async def _ask(self, order_id: str) -> Order | None:
        """The order now; None when that cannot be known just now."""
        try:
            return await self._read(order_id)
        except errors.ConnectorError as exc:
            if exc.is_permanent or (
                exc.outcome is errors.Outcome.REFUSED and not _is_throttled(exc)
            ):
                raise
            return None

    def _check_time(self, order_id: str, until: float | None) -> None:
        if until is not None and self._clock.time() + self._poll > until:
            raise errors.DeadlineExceededError(f"order {order_id}: has not ended in time")

    def _has_ended(self, order: Order) -> bool:
        # The exits of a bracket are made when its entry fills; until then they are held.
        return order.is_final and all(self._has_ended(leg) for leg in order.legs)

    def _changes(self, order: Order, parent_id: str | None) -> Iterator[OrderChanged]:
        before = self._known.get(order.id)
        if before is None or _differs(before, order):
            if before is not None and _is_older(order, before):
                return
            self._known[order.id] = order
            if self._seen is not None:
                self._seen(order)
            yield OrderChanged(order, before, parent_id)
        for leg in order.legs:
            yield from self._changes(leg, order.id)


def _is_throttled(exc: errors.ConnectorError) -> bool:
    return isinstance(exc, errors.RateLimitError)


def _differs(before: Order, now: Order) -> bool:
    names = ("status", "venue_status", "filled_qty", "qty", "limit_price", "stop_price")
    return any(getattr(before, name) != getattr(now, name) for name in names)


def _is_older(order: Order, known: Order) -> bool:
    """What comes late: an end is not undone, and fills only grow."""
    return known.is_final or order.filled_qty < known.filled_qty
