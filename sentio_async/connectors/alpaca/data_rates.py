"""Alpaca's currencies, indices, bonds and perpetual futures."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from sentio_async.base import DataProviderConnector
from sentio_async.connectors.alpaca.batches import ask_about
from sentio_async.connectors.alpaca.data_values import (
    BondPrice,
    BondQuote,
    CurrencyRate,
    IndexValue,
    OrderBook,
    PerpetualPricing,
)
from sentio_async.connectors.alpaca.walks import Walks
from sentio_async.connectors.alpaca.wire import data_perpetuals, data_rates
from sentio_async.connectors.alpaca.wire.data_api import Moment, Span
from sentio_async.connectors.alpaca.wire.data_pages import SpanPages
from sentio_async.http.endpoint import Call
from sentio_async.http.session import Session
from sentio_async.models import Bar, Batch, Quote, Trade

__all__ = ["AlpacaRates"]

T = TypeVar("T")


class AlpacaRates(DataProviderConnector):
    """What one number says: rates, index values, bond prices; and perpetual futures."""

    _session: Session
    _walks: Walks

    async def _ask_about(
        self,
        symbols: Iterable[str],
        ask: Callable[[Sequence[str]], Call[Batch[T]]],
        *,
        most: int | None = None,
    ) -> Batch[T]:
        def fetch(names: Sequence[str]) -> Awaitable[Batch[T]]:
            return self._session.send(ask(names))

        return await ask_about(symbols, fetch, most=most)

    async def get_currency_rates(self, pairs: Iterable[str]) -> Batch[CurrencyRate]:
        """The latest rates of currency pairs, written ``USDJPY``."""
        return await self._ask_about(pairs, data_rates.latest_currency_rates)

    def iter_currency_rates(
        self,
        pair: str,
        timeframe: str = "1Min",
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CurrencyRate]:
        """A pair's rates, every ``5Sec``, ``1Min`` or ``1Day``, oldest first."""
        pages = SpanPages(Span(start=start, end=end), limit=limit)
        ask = partial(data_rates.currency_rates, [pair], timeframe)
        return self._walks.history(ask, pages, pair)

    async def get_index_values(self, indices: Iterable[str]) -> Batch[IndexValue]:
        """The latest values of indices, such as ``SPX``."""
        return await self._ask_about(indices, data_rates.latest_index_values)

    def iter_index_values(
        self,
        index: str,
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[IndexValue]:
        """Where an index stood, oldest first."""
        pages = SpanPages(Span(start=start, end=end), limit=limit)
        ask = partial(data_rates.index_values, [index])
        return self._walks.history(ask, pages, index)

    async def get_bond_prices(self, isins: Iterable[str]) -> Batch[BondPrice]:
        """The latest prices of US treasuries and corporate bonds."""
        return await self._ask_about(isins, data_rates.bond_prices)

    async def get_bond_quotes(
        self, isins: Iterable[str], *, trade_size: int | None = None
    ) -> Batch[BondQuote]:
        """The best quotes of bonds that deal in ``trade_size`` of par value."""
        ask = partial(data_rates.bond_quotes, trade_size=trade_size)
        return await self._ask_about(isins, ask, most=data_rates.MOST_QUOTED_BONDS)

    async def get_perpetual_quotes(self, symbols: Iterable[str]) -> Batch[Quote]:
        """The latest quotes of perpetual futures, written ``BTCUSDT.P``."""
        return await self._ask_about(symbols, data_perpetuals.perpetual_quotes)

    async def get_perpetual_trades(self, symbols: Iterable[str]) -> Batch[Trade]:
        """The latest trades of perpetual futures."""
        return await self._ask_about(symbols, data_perpetuals.perpetual_trades)

    async def get_perpetual_bars(self, symbols: Iterable[str]) -> Batch[Bar]:
        """The latest minute bars of perpetual futures."""
        return await self._ask_about(symbols, data_perpetuals.perpetual_bars)

    async def get_perpetual_order_books(self, symbols: Iterable[str]) -> Batch[OrderBook]:
        """The order books of perpetual futures."""
        return await self._ask_about(symbols, data_perpetuals.perpetual_books)

    async def get_perpetual_pricing(self, symbols: Iterable[str]) -> Batch[PerpetualPricing]:
        """Mark price, index price, open interest and funding of perpetual futures."""
        return await self._ask_about(symbols, data_perpetuals.perpetual_pricing)
