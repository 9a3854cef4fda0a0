"""The order updates of one broker, from the feed that all brokers with its login share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sentio_async.connectors.alpaca.config import AlpacaConfig
from sentio_async.connectors.alpaca.order_feed import OrderFeed
from sentio_async.connectors.alpaca.stream import secrets_of
from sentio_async.connectors.alpaca.unheard import OrderBooks
from sentio_async.connectors.alpaca.wire.stream_orders import ORDERS
from sentio_async.http.client import Resources
from sentio_async.models import Order
from sentio_async.streams.feeds import Tap, give_back, take
from sentio_async.streams.subscription import Part

__all__ = ["AlpacaOrderStream"]


class AlpacaOrderStream:
    """Takes the feed when it is first wanted; ``heard`` is told how orders are."""

    def __init__(
        self,
        config: AlpacaConfig,
        resources: Resources,
        books: OrderBooks,
        *,
        heard: Callable[[Order], None] = lambda _: None,
    ) -> None:
        self._config = config
        self._resources = resources
        self._books = books
        self._heard = heard
        self._key = ("orders", config.order_stream, *secrets_of(config))
        self._source: OrderFeed | None = None
        self._tap: Tap | None = None

    @property
    def part(self) -> Part:
        """The feed and its only topic."""
        if self._source is None or self._tap is None:
            self._source = take(self._resources, self._key, self._make)
            self._source.listeners.append(self._heard)
            self._tap = Tap(self._source.feed)
        return self._tap, (ORDERS,)

    def _make(self) -> OrderFeed:
        return OrderFeed(self._config, self._resources, self._books)

    @property
    def is_current(self) -> bool:
        """Updates come, and nothing that was missed is still being found out."""
        return self._source is not None and self._source.is_current

    def expect(self, order: Order) -> None:
        """An order was placed here: the stream is to tell what becomes of it."""
        if self._source is not None:
            self._source.expect(order)

    async def aclose(self) -> None:
        """End what came from here, and the connection if nobody else has it."""
        source, tap = self._source, self._tap
        self._source = self._tap = None
        if source is None or tap is None:
            return
        source.listeners.remove(self._heard)
        ends = [tap.aclose()]
        if give_back(self._resources, self._key):
            ends.append(source.aclose())
        await asyncio.gather(*ends)
