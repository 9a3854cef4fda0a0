"""Market data from Polygon.io, now Massive."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from functools import lru_cache
from typing import Any, ClassVar

from sentio_async import errors
from sentio_async.base import Capability, sorted_out
from sentio_async.connectors.polygon import wire
from sentio_async.connectors.polygon.markets import PolygonMarkets
from sentio_async.connectors.polygon.moments import Moment
from sentio_async.connectors.polygon.reference import PolygonReference
from sentio_async.connectors.polygon.stream import PolygonStreams
from sentio_async.connectors.polygon.values import MarketHoliday
from sentio_async.http.endpoint import Call
from sentio_async.models import (
    Bar,
    Bars,
    Batch,
    Imbalance,
    LevelValue,
    MarketStatus,
    Page,
    PriceBand,
    Quote,
    Rows,
    Snapshot,
    Trade,
)
from sentio_async.resilience.coalescing import Coalescer
from sentio_async.streams import FeedStatus, Policy, Subscription
from sentio_async.streams.subscription import Part

__all__ = ["PolygonData"]

# The same prices are asked for over and over: a call is made once for each symbol.
_stock_snapshot_of = lru_cache(maxsize=1_000)(wire.snapshots.stock_snapshot)

_LATEST = 100
"""Bars that are given when neither a start nor a number is asked for."""
_MOST_KEPT = 1_000
"""Longer lists are looked at anew each time."""

_Question = tuple[
    Mapping[str, errors.InvalidRequestError | None], list[str], list[tuple[Call[Any], list[str]]]
]
"""Each ticker with what speaks against it, the others, and the calls that ask about them."""


def _packed(tickers: Iterable[str], size: int) -> _Question:
    asked = sorted_out(tickers)
    wanted = [ticker for ticker, refusal in asked.items() if refusal is None]
    return asked, wanted, wire.latest.packed(wanted, size=size)


@lru_cache(maxsize=16)
def _known(tickers: Iterable[str], size: int) -> _Question | None:
    """The same for tickers with which nothing is wrong: often they are asked about again."""
    question = _packed(tickers, size)
    return None if any(question[0].values()) else question


class PolygonData(PolygonMarkets, PolygonReference):
    """Quotes, trades, bars, snapshots and reference data of five markets.

    Tickers are case-sensitive and carry their market: ``AAPL``, ``O:AAPL230616C00150000``,
    ``X:BTCUSD``, ``C:EURUSD``, ``I:SPX``.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.QUOTES,
            Capability.BATCH_QUOTES,
            Capability.TRADES,
            Capability.SNAPSHOTS,
            Capability.BARS,
            Capability.TICK_HISTORY,
            Capability.MARKET_STATUS,
            Capability.NEWS,
            Capability.OPTION_CHAINS,
            Capability.CORPORATE_ACTIONS,
            Capability.REFERENCE,
            Capability.INDICATORS,
            Capability.CRYPTO,
            Capability.FOREX,
            Capability.QUOTE_STREAM,
        }
    )

    def _set_up(self) -> None:
        super()._set_up()
        self._size = self._config.batch_size
        alone, together = self._one_stock, self._snapshots_by_ticker
        # Of stocks only: other kinds have other answers when they are asked about together.
        is_busy = self._session.has_shared_reads
        coalescer = Coalescer(alone, together, is_busy=is_busy, clock=self._clock)
        self._stock_snapshot = coalescer.get if self._config.coalesce else alone
        self._streams = PolygonStreams(self._config, self._resources, self, self._holidays)

    async def _holidays(self) -> Rows[MarketHoliday]:
        return await self._session.send(wire.status.market_holidays())

    def _parts(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Part]:
        return self._streams.parts(channels, symbols)

    def get_stream_status(self) -> tuple[FeedStatus, ...]:
        """How the connections of streams are; costs nothing."""
        return self._streams.status()

    async def _close(self) -> None:
        await self._streams.aclose()

    def stream_second_bars(self, *symbols: str, buffer: int | None = None) -> Subscription[Bar]:
        """Bars of one second as they end."""
        return self._stream(("second_bars",), symbols, Policy.BLOCK, buffer=buffer)

    def stream_values(self, *symbols: str, buffer: int | None = None) -> Subscription[LevelValue]:
        """Where indices stand: ``I:SPX``."""
        return self._stream(("values",), symbols, Policy.CONFLATE, buffer=buffer)

    def stream_fair_values(self, *symbols: str) -> Subscription[LevelValue]:
        """What the vendor thinks fair prices are, on business plans."""
        return self._stream(("fair_values",), symbols, Policy.CONFLATE)

    def stream_price_bands(self, *symbols: str) -> Subscription[PriceBand]:
        """Limit up, limit down: between which prices stocks may trade."""
        return self._stream(("bands",), symbols, Policy.CONFLATE)

    def stream_imbalances(self, *symbols: str) -> Subscription[Imbalance]:
        """Imbalances of auctions."""
        return self._stream(("imbalances",), symbols, Policy.CONFLATE)

    async def _get_quote(self, symbol: str) -> Quote:
        call = wire.latest.one_quote(symbol)
        if call is None:
            return (await self.get_quotes([symbol]))[symbol]
        return await self._about(symbol, call)

    async def _get_trade(self, symbol: str) -> Trade:
        call = wire.latest.one_trade(symbol)
        if call is not None:
            return await self._about(symbol, call)
        return wire.latest.trade_in(await self.get_snapshot(symbol))

    async def get_snapshot(self, symbol: str) -> Snapshot:
        """Everything that is latest about one ticker."""
        if wire.latest.is_stock(symbol):
            return await self._stock_snapshot(symbol)
        return await self._one_snapshot(symbol)

    def _one_stock(self, symbol: str) -> Awaitable[Snapshot]:
        return self._about(symbol, _stock_snapshot_of(symbol))

    async def _one_snapshot(self, symbol: str) -> Snapshot:
        call = wire.latest.one_snapshot(symbol)
        if call is None:
            return (await self.get_snapshots([symbol]))[symbol]
        return await self._about(symbol, call)

    async def _snapshots_by_ticker(
        self, symbols: Sequence[str]
    ) -> dict[str, Snapshot | errors.ConnectorError]:
        return dict((await self.get_snapshots(symbols)).items())

    async def get_quotes(self, symbols: Iterable[str]) -> Batch[Quote]:
        """Quotes of many tickers: 250 a request, requests side by side.

        A ticker that the vendor leaves out, or has no quote of, has SymbolNotFoundError.
        """
        return wire.latest.quotes_of(await self.get_snapshots(symbols))

    async def get_snapshots(self, symbols: Iterable[str]) -> Batch[Snapshot]:
        """Snapshots of many tickers: 250 a request, requests side by side.

        Raises only when not one request was answered.
        """
        names, size = symbols if isinstance(symbols, str) else tuple(symbols), self._size
        known = _known(names, size) if len(names) <= _MOST_KEPT else None
        asked, wanted, packed = known or _packed(names, size)
        answers = await self._answers(packed)
        chunks = [chunk for _, chunk in packed]
        found = wire.latest.gathered(wanted, chunks, answers)
        return wire.latest.with_refused(asked, found)

    async def get_bars(
        self,
        symbol: str,
        timeframe: str = "1Day",
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        limit: int | None = None,
        **options: Any,
    ) -> Bars:
        """Bars from ``start`` to ``end``, both included, oldest first, all pages of them.

        Without ``start``: the latest ``limit`` (100 if None) until ``end``.  Options:
        ``adjusted=False`` for prices as they were before splits, ``order="desc"``.
        """
        if start is None:
            return await self._latest_bars(symbol, timeframe, end, limit, options)
        call = self._bars_call(symbol, timeframe, start, end, limit=limit, **options)
        return await self._all_bars(call, symbol, timeframe, limit)

    async def _all_bars(
        self, call: Call[Page[Bars]], symbol: str, timeframe: str, limit: int | None
    ) -> Bars:
        bars = wire.aggregates.no_bars(symbol, timeframe)
        async with aclosing(self._pages(call, limit)) as pages:
            async for page in pages:
                bars.extend(page)
        return bars if limit is None or len(bars) <= limit else bars[:limit]

    async def _latest_bars(
        self,
        symbol: str,
        timeframe: str,
        end: Moment | None,
        limit: int | None,
        options: dict[str, Any],
    ) -> Bars:
        limit = _LATEST if limit is None else limit
        until = self._clock.utcnow() if end is None else end
        start = wire.aggregates.back_from(until, timeframe, max(0, limit))
        call = self._bars_call(
            symbol, timeframe, start, until, limit=limit, **{**options, "order": "desc"}
        )
        bars = await self._all_bars(call, symbol, timeframe, limit)
        return bars if options.get("order") == "desc" else bars[::-1]

    def _bars_call(
        self,
        symbol: str,
        timeframe: str,
        start: Moment,
        end: Moment | None,
        *,
        limit: int | None,
        **options: Any,
    ) -> Call[Page[Bars]]:
        until = self._clock.utcnow() if end is None else end
        size = wire.aggregates.page_size(timeframe, limit)
        return wire.aggregates.aggregates(symbol, timeframe, start, until, limit=size, **options)

    def iter_bars(
        self,
        symbol: str,
        timeframe: str = "1Day",
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        limit: int | None = None,
        **options: Any,
    ) -> AsyncIterator[Bar]:
        """The bars from ``start`` (a year ago if None) one by one, at most ``limit``.

        An option: ``order="desc"`` for newest first.
        """
        call = self._history_call(symbol, timeframe, start, end, limit, options)
        return self._rows(call, limit)

    def iter_bar_pages(
        self,
        symbol: str,
        timeframe: str = "1Day",
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        limit: int | None = None,
        **options: Any,
    ) -> AsyncGenerator[Bars, None]:
        """The bars of ``iter_bars`` page after page, as columns; ``limit`` ends with a page."""
        call = self._history_call(symbol, timeframe, start, end, limit, options)
        return self._bar_pages(call, limit)

    def _history_call(
        self,
        symbol: str,
        timeframe: str,
        start: Moment | None,
        end: Moment | None,
        limit: int | None,
        options: dict[str, Any],
    ) -> Call[Page[Bars]]:
        first = self._clock.utcnow() - timedelta(days=365) if start is None else start
        return self._bars_call(symbol, timeframe, first, end, limit=limit, **options)

    async def _bar_pages(
        self, call: Call[Page[Bars]], limit: int | None
    ) -> AsyncGenerator[Bars, None]:
        async with aclosing(self._pages(call, limit)) as pages:
            async for bars in pages:
                yield bars[:]  # others may have been given the same page

    def iter_trades(
        self, symbol: str, *, limit: int | None = None, **options: Any
    ) -> AsyncIterator[Trade]:
        """Trades from ``start`` until before ``end``, at most ``limit`` of them.

        Both may be a time, a day, or whole nanoseconds.  ``order="desc"``: newest first.
        """
        return self._rows(wire.ticks.trades(symbol, limit=limit, **options), limit)

    def iter_quotes(
        self, symbol: str, *, limit: int | None = None, **options: Any
    ) -> AsyncIterator[Quote]:
        """Quotes from ``start`` until before ``end``; options as ``iter_trades``."""
        return self._rows(wire.ticks.quotes(symbol, limit=limit, **options), limit)

    async def get_market_status(self) -> MarketStatus:
        """Whether markets are open now."""
        return await self._session.send(wire.status.market_status())
