"""What Massive offers of markets beyond the calls of every data provider."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from sentio_async import errors
from sentio_async.base import sorted_out
from sentio_async.connectors.polygon import wire
from sentio_async.connectors.polygon.values import (
    Conversion,
    CryptoOpenClose,
    IndexValue,
    IndicatorValue,
    MarketHoliday,
    OpenClose,
    OrderBook,
    Summary,
)
from sentio_async.connectors.polygon.walking import PolygonSession
from sentio_async.connectors.polygon.wire.universal import Found
from sentio_async.http.endpoint import Call
from sentio_async.models import Bar, Batch, OptionSnapshot, Page, Quote, Rows, Snapshot, Trade

__all__ = ["PolygonMarkets"]

T = TypeVar("T")


class PolygonMarkets(PolygonSession):
    """Whole markets, single days, option chains, indices, currencies, crypto, indicators."""

    async def get_grouped_daily(
        self, on: date, market: str = "stocks", **options: Any
    ) -> Rows[Bar]:
        """The daily bar of everything in a market: ``stocks``, ``crypto`` or ``fx``.

        Options: ``adjusted``, and for stocks ``include_otc``.
        """
        return await self._list(wire.aggregates.grouped(market, on, **options))

    async def get_previous_day(self, symbol: str, *, adjusted: bool | None = None) -> Bar:
        """The bar of the previous trading day."""
        call = wire.aggregates.previous_day(symbol, adjusted=adjusted)
        return await self._about(symbol, call)

    async def get_open_close(
        self, symbol: str, on: date, *, adjusted: bool | None = None
    ) -> OpenClose:
        """Open, close and extended-hours prices of a stock, an option or an index on one day."""
        return await self._session.send(wire.aggregates.open_close(symbol, on, adjusted=adjusted))

    async def get_crypto_open_close(
        self, base: str, quoted_in: str, on: date, *, adjusted: bool | None = None
    ) -> CryptoOpenClose:
        """Open and close of a crypto pair, such as ``BTC`` in ``USD``, on one UTC day."""
        call = wire.aggregates.crypto_open_close(base, quoted_in, on, adjusted=adjusted)
        return await self._session.send(call)

    async def get_market_snapshots(self, market: str = "stocks", **options: Any) -> Rows[Snapshot]:
        """A snapshot of everything in a market: ``stocks``, ``crypto`` or ``forex``."""
        return await self._list(wire.snapshots.whole_market(market, **options))

    async def get_gainers(self, market: str = "stocks", **options: Any) -> Rows[Snapshot]:
        """The 20 that rose most today in ``stocks``, ``crypto`` or ``forex``."""
        return await self._list(wire.snapshots.movers(market, "gainers", **options))

    async def get_losers(self, market: str = "stocks", **options: Any) -> Rows[Snapshot]:
        """The 20 that fell most today in ``stocks``, ``crypto`` or ``forex``."""
        return await self._list(wire.snapshots.movers(market, "losers", **options))

    async def get_order_book(self, symbol: str) -> OrderBook:
        """The best levels of a crypto pair, over all exchanges."""
        return await self._about(symbol, wire.snapshots.crypto_book(symbol))

    async def get_last_crypto_trade(self, base: str, quoted_in: str = "USD") -> Trade:
        """The last trade of a crypto pair."""
        call = wire.last.last_crypto_trade(base, quoted_in)
        return await self._about(f"X:{base}{quoted_in}", call)

    async def convert(
        self,
        base: str,
        quoted_in: str,
        amount: Decimal | int = 1,
        *,
        precision: int | None = None,
    ) -> Conversion:
        """An amount of one currency in another; ``precision`` is 0 to 4 digits."""
        call = wire.last.conversion(base, quoted_in, amount, precision=precision)
        return await self._session.send(call)

    def iter_option_chain(
        self, underlying: str, *, limit: int | None = None, **filters: Any
    ) -> AsyncIterator[OptionSnapshot]:
        """Every option of an underlying, with greeks, quote and open interest.

        Filters: ``strike_price``, ``expiration_date`` (both also ``_gt _gte _lt _lte``) and
        ``contract_type`` (``call``, ``put``).
        """
        return self._rows(wire.universal.option_chain(underlying, limit=limit, **filters), limit)

    async def get_option_snapshot(self, contract: str) -> OptionSnapshot:
        """One option, such as ``O:AAPL230616C00150000``."""
        return await self._about(contract, wire.universal.contract(contract))

    def iter_option_trades(
        self, contract: str, *, limit: int | None = None, **options: Any
    ) -> AsyncIterator[Trade]:
        """Trades of an option by the vendor's newer path; as ``iter_trades``."""
        return self._rows(wire.ticks.option_trades(contract, limit=limit, **options), limit)

    def iter_option_quotes(
        self, contract: str, *, limit: int | None = None, **options: Any
    ) -> AsyncIterator[Quote]:
        """Quotes of an option by the vendor's newer path; as ``iter_quotes``."""
        return self._rows(wire.ticks.option_quotes(contract, limit=limit, **options), limit)

    async def get_index_values(self, symbols: Iterable[str]) -> Batch[IndexValue]:
        """Indices now: for each its value or its error."""
        return await self._batch(symbols, wire.universal.index_values)

    async def get_summaries(self, symbols: Iterable[str]) -> Batch[Summary]:
        """What a display shows of tickers of any kind: for each its summary or its error."""
        return await self._batch(symbols, wire.universal.summaries)

    async def _batch(
        self, symbols: Iterable[str], build: Callable[[Sequence[str]], Call[Page[Found[T]]]]
    ) -> Batch[T]:
        asked = sorted_out(symbols)
        wanted = [ticker for ticker, refusal in asked.items() if refusal is None]
        chunks = wire.latest.chunks(wanted, self._config.batch_size)
        answers = await self._answers([(build(chunk), chunk) for chunk in chunks])
        return wire.latest.with_refused(asked, wire.latest.gathered(wanted, chunks, answers))

    async def _answers(
        self, packed: Sequence[tuple[Call[Any], list[str]]]
    ) -> list[wire.latest.Answer[Any]]:
        """What each request says by ticker, or its error; raises when all have failed."""
        if len(packed) == 1:
            answers = [await self._ask(*packed[0])]
        else:
            answers = await asyncio.gather(*(self._ask(call, chunk) for call, chunk in packed))
        failures = [answer for answer in answers if isinstance(answer, errors.ConnectorError)]
        if failures and len(failures) == len(answers):
            raise failures[0]
        return answers

    async def _ask(self, call: Call[Any], tickers: Sequence[str]) -> wire.latest.Answer[Any]:
        found: Found[Any] = {}
        try:
            if not wire.latest.has_pages(call):
                return wire.latest.by_ticker(await self._session.send(call), tickers)
            async with aclosing(self._pages(call)) as pages:
                async for page in pages:
                    found.update(page)
        except errors.ConnectorError as exc:
            return exc
        return found

    def iter_sma(
        self, symbol: str, *, limit: int | None = None, **options: Any
    ) -> AsyncIterator[IndicatorValue]:
        """Simple moving average, newest first; ``window``, ``timeframe``, ``start``, ``end``..."""
        return self._rows(wire.indicators.sma(symbol, limit=limit, **options), limit)

    def iter_ema(
        self, symbol: str, *, limit: int | None = None, **options: Any
    ) -> AsyncIterator[IndicatorValue]:
        """Exponential moving average; options as ``iter_sma``."""
        return self._rows(wire.indicators.ema(symbol, limit=limit, **options), limit)

    def iter_rsi(
        self, symbol: str, *, limit: int | None = None, **options: Any
    ) -> AsyncIterator[IndicatorValue]:
        """Relative strength index; options as ``iter_sma``."""
        return self._rows(wire.indicators.rsi(symbol, limit=limit, **options), limit)

    def iter_macd(
        self, symbol: str, *, limit: int | None = None, **options: Any
    ) -> AsyncIterator[IndicatorValue]:
        """Convergence and divergence of averages; ``short_window``, ``long_window``..."""
        return self._rows(wire.indicators.macd(symbol, limit=limit, **options), limit)

    async def get_market_holidays(self) -> Rows[MarketHoliday]:
        """The holidays and short days to come."""
        return await self._list(wire.status.market_holidays())
