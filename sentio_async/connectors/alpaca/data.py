"""Alpaca's market data: stocks, options and crypto, by the shape of the symbol."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing
from datetime import date
from functools import partial
from typing import Any, ClassVar, TypeVar

from sentio_async import errors
from sentio_async.base import Capability, check_symbol
from sentio_async.config import ConnectorConfig
from sentio_async.connectors.alpaca.batches import ask_about
from sentio_async.connectors.alpaca.config import AlpacaConfig, credential_of, sign_with
from sentio_async.connectors.alpaca.latest import AlpacaLatest
from sentio_async.connectors.alpaca.stream import AlpacaStreams
from sentio_async.connectors.alpaca.walks import Walks
from sentio_async.connectors.alpaca.wire import data_screener, sessions
from sentio_async.connectors.alpaca.wire.data_api import (
    LATEST,
    Moment,
    Span,
    back_from,
    write_timeframe,
)
from sentio_async.connectors.alpaca.wire.data_pages import SpanPages
from sentio_async.connectors.alpaca.wire.data_routes import Sources, pack
from sentio_async.connectors.alpaca.wire.data_rows import PROVIDER
from sentio_async.connectors.alpaca.wire.data_status import read_market_status
from sentio_async.models import (
    Bar,
    Bars,
    Batch,
    MarketStatus,
    Quote,
    Rows,
    Trade,
    TradingDay,
)
from sentio_async.resilience.limiter import Window
from sentio_async.streams import FeedStatus
from sentio_async.streams.subscription import Part

__all__ = ["AlpacaData"]

T = TypeVar("T")

_SYMBOLS_IN_A_WALK = 100
_TRADING_QUOTA = (Window(200, 60.0),)


class AlpacaData(AlpacaLatest):
    """Quotes, trades, bars and more: ``AAPL``, ``BTC/USD``, ``AAPL240126P00050000``.

    ``feed`` and ``options_feed`` of the settings say where prices come from; without them Alpaca
    takes the best of the plan.  Rows carry the feed that was asked for.
    """

    vendor: ClassVar[str] = "alpaca"
    Config: ClassVar[type[ConnectorConfig]] = AlpacaConfig
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
            Capability.CRYPTO,
            Capability.FOREX,
            Capability.QUOTE_STREAM,
        }
    )
    bar_channels: ClassVar[tuple[str, ...]] = ("bars", "updated_bars")
    _config: AlpacaConfig

    def _set_up(self) -> None:
        settings = self._config
        self.bar_feed = settings.feed
        self._options_feed = settings.options_feed
        self._sources = Sources(stocks=settings.feed, options=settings.options_feed)
        self._location = self._sources.crypto
        quota = (Window(settings.data_requests_per_minute, 60.0),)
        self._session = self._open_session(
            settings.data_url,
            auth=sign_with(settings),
            buckets={"default": quota},
            credential=credential_of(settings),
        )
        self._ask_together(is_on=settings.coalesce)
        self._walks = Walks(self._session, at_once=settings.pages_at_once, clock=self._clock)
        # Market hours are told by the trading host alone; its quota is the broker's.
        self._trading = self._open_session(
            settings.base_url,
            auth=sign_with(settings),
            buckets={"default": _TRADING_QUOTA},
            credential=credential_of(settings),
            has_orders=True,
        )
        self._streams = AlpacaStreams(settings, self._resources, self, self._read_days)

    async def _read_days(self, start: date, end: date) -> Rows[TradingDay]:
        return await self._trading.send(sessions.calendar(start=start, end=end))

    def _parts(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Part]:
        return self._streams.parts(channels, symbols)

    def get_stream_status(self) -> tuple[FeedStatus, ...]:
        """How the connections of streams are; costs nothing."""
        return self._streams.status()

    async def _close(self) -> None:
        await self._streams.aclose()

    async def _check(self) -> str | None:
        await self._session.send(data_screener.stock_exchanges())
        return None

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
        """Bars from ``start`` to ``end``, oldest first, all pages of them.

        Without ``start``: the latest ``limit`` (100 if None) until ``end``.  ``options`` takes
        ``descending`` and, for stocks, ``adjustment asof feed currency``; for crypto ``location``.
        """
        check_symbol(symbol)
        if start is None:
            return await self._latest(symbol, timeframe, end, limit, options)
        bars = _no_bars(symbol, timeframe)
        span = _span(start, end, options)
        async with aclosing(self._bar_pages(symbol, timeframe, span, limit, options)) as pages:
            async for part in pages:
                bars = _joined(bars, part)
        return bars if limit is None or len(bars) <= limit else bars[:limit]

    async def _latest(
        self,
        symbol: str,
        timeframe: str,
        end: Moment | None,
        limit: int | None,
        options: dict[str, Any],
    ) -> Bars:
        """The last bars before ``end``, asked for newest first so that few pages are enough."""
        is_descending = options.pop("descending", False)
        limit = LATEST if limit is None else limit
        start = back_from(self._clock.utcnow() if end is None else end, timeframe, limit)
        bars = await self.get_bars(
            symbol, timeframe, start=start, end=end, limit=limit, descending=True, **options
        )
        return bars if is_descending else bars[::-1]

    async def get_many_bars(
        self,
        symbols: Iterable[str],
        timeframe: str = "1Day",
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        **options: Any,
    ) -> Batch[Bars]:
        """Bars of many symbols in as few requests as possible; options as ``get_bars``.

        Without ``start`` Alpaca begins with today.  A symbol without bars in the time asked for
        has none; one that Alpaca does not know, or whose pages could not all be read, its error.
        """
        first = _span(start, end, options)

        async def fetch(names: Sequence[str]) -> Batch[Bars]:
            found = {name: _no_bars(name, timeframe) for name in names}
            pages = self._many_bar_pages(names, timeframe, first, options)
            async with aclosing(pages) as parts:
                async for page in parts:
                    for name, part in page.items():
                        if name not in found:
                            raise errors.DecodeError(
                                f"{name}: its bars came, and were not asked for"
                            )
                        found[name] = _joined(found[name], part)
            return Batch(found)

        return await ask_about(symbols, fetch)

    def bar_groups(self, symbols: Sequence[str], most: int) -> Iterable[Sequence[str]]:
        """The symbols in groups, of at most so many, of one kind and for one request line."""
        return pack(symbols, min(most, _SYMBOLS_IN_A_WALK))

    def iter_many_bar_pages(
        self,
        symbols: Sequence[str],
        timeframe: str = "1Day",
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        **options: Any,
    ) -> AsyncGenerator[Mapping[str, Bars], None]:
        """Bars of symbols of one kind, symbol after symbol; options as ``get_bars``."""
        return self._many_bar_pages(symbols, timeframe, _span(start, end, options), options)

    async def _many_bar_pages(
        self, symbols: Sequence[str], timeframe: str, span: Span, options: dict[str, Any]
    ) -> AsyncGenerator[Mapping[str, Bars], None]:
        ask = partial(self._sources.past_bars, symbols, timeframe, **options)
        async with aclosing(self._walks.pages(ask, SpanPages(span))) as pages:
            async for page in pages:
                yield page.items

    async def iter_bars(
        self,
        symbol: str,
        timeframe: str = "1Day",
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        limit: int | None = None,
        **options: Any,
    ) -> AsyncIterator[Bar]:
        """The bars of ``get_bars`` one by one, holding ``pages_at_once`` pages of them."""
        asked: dict[str, Any] = {"start": start, "end": end, "limit": limit, **options}
        async with aclosing(self.iter_bar_pages(symbol, timeframe, **asked)) as pages:
            async for bars in pages:
                for bar in bars:
                    yield bar

    async def iter_bar_pages(
        self,
        symbol: str,
        timeframe: str = "1Day",
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        limit: int | None = None,
        **options: Any,
    ) -> AsyncGenerator[Bars, None]:
        """The bars of ``get_bars`` page after page, as columns."""
        check_symbol(symbol)
        if start is None:
            yield await self._latest(symbol, timeframe, end, limit, options)
            return
        span = _span(start, end, options)
        async with aclosing(self._bar_pages(symbol, timeframe, span, limit, options)) as pages:
            async for bars in pages:
                yield bars[:]  # others may have been given the same page

    async def _bar_pages(
        self,
        symbol: str,
        timeframe: str,
        span: Span,
        limit: int | None,
        options: dict[str, Any],
    ) -> AsyncGenerator[Bars, None]:
        ask = partial(self._sources.past_bars, [symbol], timeframe, **options)
        pages = SpanPages(span, limit=limit)
        async with aclosing(self._walks.pages(ask, pages, symbol=symbol)) as found:
            async for page in found:
                for bars in page.items.values():
                    yield bars

    def iter_trades(
        self,
        symbol: str,
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        limit: int | None = None,
        **options: Any,
    ) -> AsyncIterator[Trade]:
        """Trades from ``start`` (today's if None) to ``end``, oldest first."""
        check_symbol(symbol)
        pages = SpanPages(_span(start, end, options), limit=limit)
        ask = partial(self._sources.past_trades, [symbol], **options)
        return self._walks.history(ask, pages, symbol)

    def iter_quotes(
        self,
        symbol: str,
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        limit: int | None = None,
        **options: Any,
    ) -> AsyncIterator[Quote]:
        """Quotes from ``start`` (today's if None) to ``end``; Alpaca has none of options."""
        check_symbol(symbol)
        pages = SpanPages(_span(start, end, options), limit=limit)
        ask = partial(self._sources.past_quotes, [symbol], **options)
        return self._walks.history(ask, pages, symbol)

    async def get_market_status(self) -> MarketStatus:
        """Whether the New York Stock Exchange is open now, by Alpaca's trading host."""
        clocks = await self._trading.send(sessions.market_clocks(markets=["NYSE"]))
        return read_market_status(clocks)


def _span(start: Moment | None, end: Moment | None, options: dict[str, Any]) -> Span:
    """The time asked for; takes ``descending`` out of the options."""
    return Span(start=start, end=end, descending=options.pop("descending", None))


def _no_bars(symbol: str, timeframe: str) -> Bars:
    return Bars(symbol, provider=PROVIDER, step=write_timeframe(timeframe))


def _joined(bars: Bars, more: Bars) -> Bars:
    """Both; ``more`` itself stays as it is, for others may have been given it too."""
    if not bars:
        return more[:]
    bars.extend(more)
    return bars
