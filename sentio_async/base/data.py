"""The calls of a market-data provider."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from contextlib import aclosing
from datetime import date, datetime
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from sentio_async import errors
from sentio_async.base.connector import BaseConnector, Capability, Role
from sentio_async.base.symbols import check_symbol, sorted_out, symbols_of
from sentio_async.events import Listener
from sentio_async.history import Download, HistoryRequest, StoredBars
from sentio_async.models.bars import Bars
from sentio_async.models.batch import Batch
from sentio_async.models.market import Bar, MarketStatus, Quote, Snapshot, Trade
from sentio_async.streams import FeedStatus, Policy, Subscription
from sentio_async.streams.subscription import Callback, Part

__all__ = ["DataProviderConnector", "Moment"]

Moment = datetime | date
"""A time (aware) or a day."""

R = TypeVar("R", Quote, Trade)

_PIECE = 10_000
"""Bars in a piece of a history that comes one by one."""


class DataProviderConnector(BaseConnector):
    """Quotes, trades, bars: what the market does and did."""

    role: ClassVar[Role] = Role.DATA
    bar_channels: ClassVar[tuple[str, ...]] = ("bars",)
    """The channels of minute bars, and of those that are told again."""
    bar_feed: str | None = None
    """Where bars come from by the settings, if these say so; a folder of bars has one feed."""

    async def get_quote(self, symbol: str, *, max_age: float | None = None) -> Quote:
        """The best bid and offer now.

        Raises SymbolNotFoundError for a symbol the vendor does not have, and StaleDataError if
        the quote is more than ``max_age`` seconds old.
        """
        check_symbol(symbol)
        quote = await self._get_quote(symbol)
        return self._fresh(quote, max_age)

    def _get_quote(self, symbol: str) -> Awaitable[Quote]:
        return self._quote_in_a_batch(symbol)

    async def _quote_in_a_batch(self, symbol: str) -> Quote:
        return (await self.get_quotes([symbol]))[symbol]

    async def get_quotes(self, symbols: Iterable[str]) -> Batch[Quote]:
        """Quotes of many symbols in as few requests as the vendor allows.

        One bad symbol does not cost the others: each has its quote or its own error.
        """
        self._unsupported(Capability.QUOTES)

    async def get_trade(self, symbol: str, *, max_age: float | None = None) -> Trade:
        """The last trade; errors as ``get_quote``."""
        check_symbol(symbol)
        return self._fresh(await self._get_trade(symbol), max_age)

    def _get_trade(self, symbol: str) -> Awaitable[Trade]:
        self._unsupported(Capability.TRADES)

    async def get_snapshot(self, symbol: str) -> Snapshot:
        """Everything that is latest about one symbol."""
        check_symbol(symbol)
        return (await self.get_snapshots([symbol]))[symbol]

    async def get_snapshots(self, symbols: Iterable[str]) -> Batch[Snapshot]:
        """Everything that is latest about many symbols; each has its snapshot or its error."""
        self._unsupported(Capability.SNAPSHOTS)

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

        ``timeframe`` is a number and a unit: ``1Min 5Min 1Hour 1Day 1Week 1Month``.  ``limit`` is
        the most that is wanted.
        """
        self._unsupported(Capability.BARS)

    def iter_bars(self, symbol: str, timeframe: str = "1Day", **options: Any) -> AsyncIterator[Bar]:
        """The same bars one by one, without holding all of them if the vendor has pages."""
        if type(self).get_bars is DataProviderConnector.get_bars:
            self._unsupported(Capability.BARS)
        return self._each_bar(symbol, timeframe, **options)

    async def _each_bar(self, symbol: str, timeframe: str, **options: Any) -> AsyncIterator[Bar]:
        for bar in await self.get_bars(symbol, timeframe, **options):
            yield bar

    async def iter_bar_pages(
        self, symbol: str, timeframe: str = "1Day", **options: Any
    ) -> AsyncGenerator[Bars, None]:
        """The same bars in pieces of many, as columns: the quickest way through long histories."""
        if type(self).iter_bars is DataProviderConnector.iter_bars:
            # As they are: one by one they would lose which rows could not be read.
            bars = await self.get_bars(symbol, timeframe, **options)
            if bars:
                yield bars
            return
        rows: list[Bar] = []
        async for bar in self.iter_bars(symbol, timeframe, **options):
            rows.append(bar)
            if len(rows) == _PIECE:
                yield _as_columns(symbol, timeframe, rows)
                rows = []
        if rows:
            yield _as_columns(symbol, timeframe, rows)

    def bar_groups(self, symbols: Sequence[str], most: int) -> Iterable[Sequence[str]]:
        """The symbols in groups, of at most so many, that one walk can be about: here, of one."""
        return ([symbol] for symbol in symbols)

    async def iter_many_bar_pages(
        self, symbols: Sequence[str], timeframe: str = "1Day", **options: Any
    ) -> AsyncGenerator[Mapping[str, Bars], None]:
        """The bars of a group of symbols: pages, each with bars of one or several of them."""
        for symbol in symbols:
            async with aclosing(self.iter_bar_pages(symbol, timeframe, **options)) as pages:
                async for bars in pages:
                    yield {symbol: bars}

    async def download_bars(
        self,
        symbols: Iterable[str],
        timeframe: str,
        path: str | PathLike[str],
        *,
        start: datetime | date,
        end: datetime | date | None = None,
        pages_at_once: int = 8,
        rows_per_file: int = 1_000_000,
        on_progress: Listener | None = None,
        **options: Any,
    ) -> Batch[StoredBars]:
        """Store the bars of many symbols as Parquet files in the folder ``path``, one it has alone.

        Each symbol has what is stored of it or its error.  The same call again goes on where it
        was broken off, or failed, and ends with the same bars.  ``end`` is the time of the first
        call if None, and never still to come.  ``pages_at_once`` are held or under way in all;
        ``on_progress`` and the listeners are told ``BarsStored``.  Needs the extra ``parquet``.
        """
        asked = sorted_out(symbols)
        a_walk: int = getattr(self._config, "pages_at_once", 1)
        more = () if on_progress is None else (on_progress,)
        download = Download(
            folder=Path(path),
            symbols_at_once=max(1, pages_at_once // a_walk),
            rows_per_file=rows_per_file,
            connector=self.name,
            listeners=(*self._resources.listeners, *more),
            clock=self._clock,
        )
        request = HistoryRequest(
            provider=self.vendor,
            timeframe=timeframe,
            start=start,
            end=end,
            options=options,
            feed=self.bar_feed,
        )
        wanted = [symbol for symbol, refusal in asked.items() if refusal is None]
        stored = dict((await download.run(self, request, wanted)).items())
        return Batch({symbol: refusal or stored[symbol] for symbol, refusal in asked.items()})

    def iter_trades(self, symbol: str, **options: Any) -> AsyncIterator[Trade]:
        """Trades from ``start`` to ``end``, oldest first, page after page."""
        self._unsupported(Capability.TICK_HISTORY)

    def iter_quotes(self, symbol: str, **options: Any) -> AsyncIterator[Quote]:
        """Quotes from ``start`` to ``end``, oldest first, page after page."""
        self._unsupported(Capability.TICK_HISTORY)

    async def get_market_status(self) -> MarketStatus:
        """Whether markets are open now."""
        self._unsupported(Capability.MARKET_STATUS)

    def stream_quotes(self, *symbols: str, buffer: int | None = None) -> Subscription[Quote]:
        """Quotes as they change: ``async for quote in data.stream_quotes("AAPL", "MSFT")``.

        A reader that falls more than ``buffer`` rows behind is given the latest of each symbol.
        ``"*"`` is every symbol, where the vendor offers that.
        """
        return self._stream(("quotes",), symbols, Policy.CONFLATE, buffer=buffer)

    def on_quotes(self, callback: Callback, *symbols: str) -> Subscription[Quote]:
        """Call a function with every quote; it must be quick.  A coroutine function may take time.

        Lives until ``aclose`` of what is returned, or ``disconnect``.
        """
        return self._stream(("quotes",), symbols, Policy.CONFLATE, callback=callback)

    def stream_trades(self, *symbols: str, buffer: int | None = None) -> Subscription[Trade]:
        """Trades as they happen, with corrections (``Trade.correction``) where the vendor tells.

        A reader that falls more than ``buffer`` rows behind loses the oldest; ``dropped`` counts.
        """
        return self._stream(("trades",), symbols, Policy.DROP_OLDEST, buffer=buffer)

    def on_trades(self, callback: Callback, *symbols: str) -> Subscription[Trade]:
        """Call a function with every trade; as ``on_quotes``."""
        return self._stream(("trades",), symbols, Policy.DROP_OLDEST, callback=callback)

    def stream_bars(self, *symbols: str, buffer: int | None = None) -> Subscription[Bar]:
        """Minute bars as they end.

        A bar may come again with trades that were late: the last one for (symbol, time) counts.
        """
        return self._stream(self.bar_channels, symbols, Policy.BLOCK, buffer=buffer)

    def on_bars(self, callback: Callback, *symbols: str) -> Subscription[Bar]:
        """Call a function with every minute bar; as ``on_quotes``."""
        return self._stream(self.bar_channels, symbols, Policy.BLOCK, callback=callback)

    def _stream(
        self,
        channels: Sequence[str],
        symbols: Iterable[Any],
        policy: Policy,
        *,
        callback: Callback | None = None,
        buffer: int | None = None,
    ) -> Subscription[Any]:
        for each in symbols:
            if isinstance(each, list | tuple | set):
                raise errors.InvalidRequestError(
                    f"symbol: {each!r} is not one; they stand side by side here, not in a list"
                )
        names = symbols_of(symbols)
        if not names:
            raise errors.InvalidRequestError("symbols: at least one is needed; '*' is all of them")
        parts = self._parts(channels, names)
        return Subscription(parts, policy, callback=callback, buffer=buffer)

    def _parts(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Part]:
        """Which feeds tell of these, and the topics there."""
        self._unsupported(Capability.QUOTE_STREAM)

    def get_stream_status(self) -> tuple[FeedStatus, ...]:
        """How the connections of streams are; costs nothing."""
        return ()

    def _fresh(self, row: R, max_age: float | None) -> R:
        if max_age is None:
            return row
        age = row.age(self._clock.utcnow())
        if age > max_age:
            raise errors.StaleDataError(
                f"{row.symbol}: {age:.1f} s old, and at most {max_age:g} s is accepted",
                age=age,
                connector=self.name,
            )
        return row


def _as_columns(symbol: str, timeframe: str, rows: Sequence[Bar]) -> Bars:
    return Bars.of(symbol, rows, provider=rows[0].provider, step=timeframe)
