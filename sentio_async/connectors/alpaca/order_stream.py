"""Alpaca's order updates, and what became of orders while nothing was heard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Protocol

from sentio_async.connectors.alpaca.config import AlpacaConfig
from sentio_async.connectors.alpaca.stream import keys_of
from sentio_async.connectors.alpaca.wire.stream_orders import (
    ORDERS,
    AlpacaOrderDialect,
    read_update,
    update_from_fill,
    update_from_order,
)
from sentio_async.http.client import Resources
from sentio_async.http.reading import utc_from_ns
from sentio_async.models import Fill, Order, OrderUpdate
from sentio_async.streams import Feed, Gap, Plan, World
from sentio_async.streams.dialect import Lane
from sentio_async.streams.subscription import Part

__all__ = ["AlpacaOrderStream", "Heard", "OrderBooks"]

_MARGIN = timedelta(minutes=5)
"""How far before the loss is looked: clocks differ, and the venue may have been late."""
_ENDED = 10_000
"""Ended orders that are remembered."""


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


@dataclass(slots=True)
class _Known:
    """What was told of one order."""

    state: tuple[str, Decimal] = ("", Decimal(0))
    told: Decimal = Decimal(0)
    """How much of it was told in executions, from the first one on."""
    apart: tuple[Decimal, Decimal] | None = None
    """An unbroken run of executions told after others that were not: from how much to how much."""

    def tell(self, start: Decimal, end: Decimal) -> None:
        """An execution took what is filled from ``start`` to ``end``."""
        if start <= self.told:
            self.told = max(self.told, end)
        elif self.apart is not None and self.apart[0] <= start <= self.apart[1]:
            self.apart = (self.apart[0], max(self.apart[1], end))
        else:
            self.apart = (start, end)
        if self.apart is not None and self.apart[0] <= self.told:
            self.told, self.apart = max(self.told, self.apart[1]), None


class Heard:
    """What has been told of each order: its state, and how much of it in executions."""

    def __init__(self) -> None:
        self.open: dict[str, _Known] = {}
        self._ended: dict[str, _Known] = {}

    def hear(self, update: OrderUpdate) -> None:
        """An update came by itself; it may be ahead of executions that were missed."""
        order = update.order
        if update.is_fill and update.qty is not None:
            self._of(order.id).tell(order.filled_qty - update.qty, order.filled_qty)
        self.note(order)

    def learn(self, fill: Fill) -> None:
        """An execution was found in the venue's list."""
        if fill.cumulative_qty is not None:
            self._of(fill.order_id).tell(fill.cumulative_qty - fill.qty, fill.cumulative_qty)

    def begin_with(self, order: Order) -> None:
        """This is how an order is when it is first heard of: what was before is no news."""
        self._of(order.id).tell(Decimal(0), order.filled_qty)

    def _of(self, order_id: str) -> _Known:
        known = self._ended.get(order_id) or self.open.get(order_id)
        if known is None:
            known = self.open[order_id] = _Known()
        return known

    def note(self, order: Order) -> None:
        """An order was told of."""
        known = self._of(order.id)
        if not order.is_final:
            # What is told late does not open again what has ended.
            if order.id in self.open:
                known.state = _state(order)
            return
        known.state = _state(order)
        self.open.pop(order.id, None)
        self._ended[order.id] = known
        if len(self._ended) > _ENDED:
            del self._ended[next(iter(self._ended))]

    def is_known(self, order: Order) -> bool:
        """Exactly this was told already."""
        known = self.open.get(order.id) or self._ended.get(order.id)
        return known is not None and known.state == _state(order)

    def filled(self, order_id: str) -> Decimal:
        """How much of an order was told in executions, without a hole before it."""
        known = self.open.get(order_id) or self._ended.get(order_id)
        return Decimal(0) if known is None else known.told


def _state(order: Order) -> tuple[str, Decimal]:
    return order.venue_status, order.filled_qty


class AlpacaOrderStream:
    """One feed of order updates; after every connection, orders and executions are asked for."""

    def __init__(self, config: AlpacaConfig, resources: Resources, books: OrderBooks) -> None:
        self._books = books
        self._heard = Heard()
        self._feed: Feed | None = None
        self._config = config
        self._resources = resources

    @property
    def part(self) -> Part:
        """The feed and its only topic."""
        if self._feed is None:
            self._feed = self._make()
        return self._feed, (ORDERS,)

    @property
    def feed(self) -> Feed | None:
        """The feed, if anybody has wanted it."""
        return self._feed

    @property
    def is_current(self) -> bool:
        """Updates come, and nothing that was missed is still being found out."""
        return self._feed is not None and self._feed.is_current((ORDERS,))

    async def aclose(self) -> None:
        """End the connection."""
        if self._feed is not None:
            await self._feed.aclose()

    def _make(self) -> Feed:
        dialect = AlpacaOrderDialect(self._config.order_stream, keys_of(self._config))
        dialect.lanes = {
            kind: Lane(lane.channel, self._read) for kind, lane in dialect.lanes.items()
        }
        plan = Plan(
            self.reconcile,
            memory=2_000,
            at_first=True,
            is_essential=True,
            of_everything=True,
            is_unique=True,
        )
        return Feed(
            dialect,
            {"orders": plan},
            name=f"{self._config.label}.orders",
            world=World(clock=self._resources.clock, listeners=self._resources.listeners),
        )

    def _read(self, raw: Any, _received_ns: int) -> OrderUpdate:
        update = read_update(raw.data)
        self._heard.hear(update)
        return update

    async def reconcile(self, gap: Gap) -> list[OrderUpdate]:
        """What happened to orders in a gap; with none before it, what is open now."""
        before, listed = set(self._heard.open), set[str]()
        now: dict[str, Order] = {}
        async for order in self._books.iter_orders(status="open"):
            self._take(order, now, listed)
        if gap.from_ns == gap.to_ns:
            for order in now.values():
                self._heard.begin_with(order)
            return self._news(now, gap)
        since = utc_from_ns(gap.from_ns) - _MARGIN
        async for order in self._books.iter_orders(status="all", after=since):
            self._take(order, now, listed)
        for order_id in before - listed:
            now[order_id] = await self._books.get_order(order_id)
        fills = await self._missed_fills(gap, now)
        return [*fills, *self._news(now, gap)]

    def _take(self, order: Order, news: dict[str, Order], listed: set[str]) -> None:
        # There may be thousands of the last minutes; only what is not known is kept.
        if order.id not in listed and not self._heard.is_known(order):
            news[order.id] = order
        listed.add(order.id)

    def _news(self, now: dict[str, Order], gap: Gap) -> list[OrderUpdate]:
        fresh = [order for order in now.values() if not self._heard.is_known(order)]
        for order in fresh:
            self._heard.note(order)
        return [update_from_order(order, gap.to_ns) for order in fresh]

    async def _missed_fills(self, gap: Gap, orders: dict[str, Order]) -> list[OrderUpdate]:
        """Executions that nobody told of; those of which the total was told are no news."""
        found: list[OrderUpdate] = []
        since = utc_from_ns(gap.from_ns) - _MARGIN
        listed = [
            fill
            async for fill in self._books.iter_fills(after=since)
            if fill.cumulative_qty is None
            or fill.cumulative_qty > self._heard.filled(fill.order_id)
        ]
        for fill in reversed(listed):
            order = orders.get(fill.order_id)
            if order is None or order.filled_qty < (fill.cumulative_qty or 0):
                # It was traded after its order was asked for, and its end may be due to that.
                order = orders[fill.order_id] = await self._books.get_order(fill.order_id)
            update = update_from_fill(fill, order)
            # Not before the gap, or it would count as known: clocks differ by less than that.
            at_ns = max(update.time_ns, gap.from_ns)
            found.append(update.model_copy(update={"nanoseconds": {"at": at_ns}}))
        for fill in reversed(listed):
            self._heard.learn(fill)
        return found
