"""One feed of Alpaca's order updates, and what became of orders while nothing was heard."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sentio_async import errors
from sentio_async.connectors.alpaca.config import AlpacaConfig
from sentio_async.connectors.alpaca.heard import Heard
from sentio_async.connectors.alpaca.stream import keys_of
from sentio_async.connectors.alpaca.unheard import Lookout, OrderBooks
from sentio_async.connectors.alpaca.wire.stream_orders import (
    ORDERS,
    AlpacaOrderDialect,
    read_update,
    update_from_fill,
    update_from_order,
)
from sentio_async.events import tell
from sentio_async.http.client import Resources
from sentio_async.http.reading import utc_from_ns
from sentio_async.http.redaction import redactor
from sentio_async.models import Order, OrderUpdate
from sentio_async.streams import Feed, Gap, Plan, World, reports
from sentio_async.streams.dialect import Lane

__all__ = ["OrderFeed"]

log = logging.getLogger("sentio_async.streams")

_MARGIN = timedelta(minutes=5)
"""How far before the loss is looked: clocks differ, and the venue may have been late."""
_SKEW = timedelta(seconds=10)
"""By how much the venue's clock may differ from ours where nothing older is to be told."""


class OrderFeed:
    """Order updates of one account; after every connection, orders and executions are asked for.

    ``listeners`` hear how orders are, whoever reads the updates.
    """

    def __init__(self, config: AlpacaConfig, resources: Resources, books: OrderBooks) -> None:
        self.listeners: list[Callable[[Order], None]] = []
        self._books = books
        self._heard = Heard()
        self._config = config
        self._resources = resources
        self._begun_at = resources.clock.utcnow() - _SKEW
        """Nothing that happened earlier is news."""
        self._lookout: Lookout | None = None
        if (every := config.check_orders_every) is not None:
            self._lookout = Lookout(self._heard, books, self, every=every, clock=resources.clock)
        self.feed = self._make()

    @property
    def is_current(self) -> bool:
        """Updates come, and nothing that was missed is still being found out."""
        return self.feed.is_current((ORDERS,))

    @property
    def is_wanted(self) -> bool:
        """Somebody listens."""
        return self.feed.status().wanted > 0

    def expect(self, order: Order) -> None:
        """An order was placed here: the stream is to tell what becomes of it."""
        if self.is_wanted:
            self._heard.expect(order)

    def was_silent(self, orders: int) -> None:
        """The socket lives and the stream does not: make it anew, and find out what happened."""
        at, name = self._resources.clock.time(), self.feed.name
        event = reports.UpdatesMissed(at=at, connector=name, operation="stream", orders=orders)
        tell(self._resources.listeners, event)
        self.feed.start_over(f"nothing was told of {orders} orders")

    async def aclose(self) -> None:
        """End the connection."""
        if self._lookout is not None:
            self._lookout.end()
        await self.feed.aclose()

    def _tell(self, order: Order) -> None:
        for listener in list(self.listeners):
            try:
                listener(order)
            except Exception:
                # The update is handed on all the same.
                log.exception("%s: a listener failed", self._config.label)

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
            world=World(
                clock=self._resources.clock,
                listeners=self._resources.listeners,
                scrub=redactor.scrub,
            ),
        )

    def _read(self, raw: Any, _received_ns: int) -> OrderUpdate:
        update = read_update(raw.data)
        self._heard.hear(update)
        self._tell(update.order)
        return update

    async def reconcile(self, gap: Gap) -> list[OrderUpdate]:
        """What happened to orders in a gap; with none before it, what is open now."""
        if self._lookout is not None:
            self._lookout.begin()
        is_first = gap.from_ns == gap.to_ns
        before = set(self._heard.open)
        now = await self._changed(gap, before)
        if is_first and not before:
            return self._news(now, gap)
        filled = {order.id: order.filled_qty for order in now.values()}
        fills = await self._missed_fills(gap, now, before if is_first else None)
        for order_id, qty in filled.items():
            self._heard.has_looked_for(order_id, qty)
        return [*fills, *self._news(now, gap)]

    async def _changed(self, gap: Gap, before: set[str]) -> dict[str, Order]:
        """Orders that are not as they were told; ``before`` are those that were open."""
        listed: set[str] = set()
        now: dict[str, Order] = {}
        async for order in self._books.iter_orders(status="open"):
            self._take(order, now, listed)
        if gap.from_ns == gap.to_ns:
            for order_id in now.keys() - before:
                self._heard.begin_with(now[order_id])
        else:
            async for order in self._books.iter_orders(status="all", after=self._since(gap)):
                self._take(order, now, listed)
        for order_id in before - listed:
            try:
                now[order_id] = await self._books.get_order(order_id)
            except errors.NotFoundError:
                # Paper accounts can be begun anew.
                self._heard.forget(order_id)
        return now

    def _since(self, gap: Gap) -> datetime:
        if gap.from_ns == gap.to_ns:
            return self._begun_at
        return max(utc_from_ns(gap.from_ns) - _MARGIN, self._begun_at)

    def _take(self, order: Order, news: dict[str, Order], listed: set[str]) -> None:
        # There may be thousands of the last minutes; only what is not known is kept.
        if order.id not in listed and self._heard.is_news(order):
            news[order.id] = order
        listed.add(order.id)

    def _news(self, now: dict[str, Order], gap: Gap) -> list[OrderUpdate]:
        # The stream may have told more of an order since it was asked for.
        fresh = [
            order
            for order in now.values()
            if not self._heard.is_known(order) and not self._heard.is_older(order)
        ]
        for order in fresh:
            self._heard.note(order)
            self._tell(order)
        return [update_from_order(order, gap.to_ns) for order in fresh]

    async def _missed_fills(
        self, gap: Gap, orders: dict[str, Order], only: set[str] | None
    ) -> list[OrderUpdate]:
        """Executions that nobody told of; those of which the total was told are no news."""
        found: list[OrderUpdate] = []
        listed = [
            fill
            async for fill in self._books.iter_fills(after=self._since(gap))
            if (only is None or fill.order_id in only) and not self._heard.has_told(fill)
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
