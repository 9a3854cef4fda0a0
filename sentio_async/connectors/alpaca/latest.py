"""The latest of symbols: of many in one request, and of single ones asked for at the same time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

from sentio_async import errors
from sentio_async.base import check_symbol
from sentio_async.connectors.alpaca.batches import ask_about, not_found, raise_about
from sentio_async.connectors.alpaca.data_extras import AlpacaDataExtras
from sentio_async.connectors.alpaca.wire.data_answers import check_about
from sentio_async.connectors.alpaca.wire.data_routes import Kind, Sources, kind_of
from sentio_async.connectors.alpaca.wire.data_rows import as_snapshots
from sentio_async.http.endpoint import Call
from sentio_async.models import Bar, Batch, Quote, Snapshot, Trade
from sentio_async.resilience.coalescing import Coalescer

__all__ = ["AlpacaLatest"]

T = TypeVar("T")
R = TypeVar("R", bound=Quote | Trade | Bar | Snapshot)

_CALLS_KEPT, _LISTS_KEPT = 1_000, 32


def _keeping(
    ask: Callable[[Sequence[str]], Call[Batch[T]]],
) -> Callable[[Sequence[str]], Call[Batch[T]]]:
    """The same for tuples of symbols, which are often asked about again."""
    return lru_cache(maxsize=_LISTS_KEPT)(ask)


class AlpacaLatest(AlpacaDataExtras):
    """Quotes, trades, minute bars and snapshots: the latest of each."""

    _sources: Sources

    def _ask_together(self, *, is_on: bool) -> None:
        """Whether single symbols that are asked for in one turn of the loop share a request."""

        def asking(
            alone: Callable[[str], Awaitable[T]],
            many: Callable[[Iterable[str]], Awaitable[Batch[T]]],
        ) -> Callable[[str], Awaitable[T]]:
            async def together(
                symbols: Sequence[str],
            ) -> Mapping[str, T | errors.ConnectorError]:
                return dict((await many(symbols)).items())

            if not is_on:
                return alone
            is_busy = self._session.has_shared_reads
            return Coalescer(alone, together, is_busy=is_busy, clock=self._clock).get

        # The same prices are asked for over and over: a call is made once for each symbol.
        keep = lru_cache(maxsize=_CALLS_KEPT)
        self._quote_call, self._trade_call = keep(self._sources.quote), keep(self._sources.trade)
        self._bar_call = keep(self._sources.bar)
        self._quotes_call = _keeping(self._sources.quotes)
        self._trades_call = _keeping(self._sources.trades)
        self._bars_call = _keeping(self._sources.bars)
        self._quote = asking(self._quote_alone, self.get_quotes)
        self._trade = asking(self._trade_alone, self.get_trades)
        self._bar = asking(self._bar_alone, self.get_latest_bars)
        self._snapshot = asking(self._snapshot_alone, self.get_snapshots)

    async def get_quotes(self, symbols: Iterable[str]) -> Batch[Quote]:
        """Quotes of many symbols in as few requests as Alpaca allows.

        Each has its quote or its own error.  A symbol that Alpaca calls invalid is dropped and
        the rest is asked for again, up to 25 times a request.
        """
        return await self._ask_about(symbols, self._quotes_call)

    async def get_trades(self, symbols: Iterable[str]) -> Batch[Trade]:
        """The last trades of many symbols, as ``get_quotes``."""
        return await self._ask_about(symbols, self._trades_call)

    async def get_latest_bars(self, symbols: Iterable[str]) -> Batch[Bar]:
        """The latest minute bars of many stocks or pairs, as ``get_quotes``."""
        return await self._ask_about(symbols, self._bars_call)

    async def get_snapshots(self, symbols: Iterable[str]) -> Batch[Snapshot]:
        """Everything that is latest about many symbols, as ``get_quotes``.

        ``get_option_snapshots`` has greeks and volatilities besides.
        """
        return await ask_about(symbols, self._snapshots)

    async def _snapshots(self, symbols: Sequence[str]) -> Batch[Snapshot]:
        if kind_of(symbols[0]) is not Kind.OPTION:
            return await self._session.send(self._sources.snapshots(symbols))
        return as_snapshots(await self._option_snapshots(symbols))

    def _get_quote(self, symbol: str) -> Awaitable[Quote]:
        return self._quote(symbol)

    def _get_trade(self, symbol: str) -> Awaitable[Trade]:
        return self._trade(symbol)

    async def get_snapshot(self, symbol: str) -> Snapshot:
        """Everything that is latest about one symbol."""
        return await self._snapshot(check_symbol(symbol))

    async def get_latest_bar(self, symbol: str) -> Bar:
        """The latest minute bar of a stock or a pair."""
        return await self._bar(check_symbol(symbol))

    def _quote_alone(self, symbol: str) -> Awaitable[Quote]:
        return self._one(symbol, self._quote_call(symbol))

    def _trade_alone(self, symbol: str) -> Awaitable[Trade]:
        return self._one(symbol, self._trade_call(symbol))

    def _bar_alone(self, symbol: str) -> Awaitable[Bar]:
        return self._one(symbol, self._bar_call(symbol))

    async def _snapshot_alone(self, symbol: str) -> Snapshot:
        if kind_of(symbol) is Kind.OPTION:
            return (await self.get_snapshots([symbol]))[symbol]
        return await self._one(symbol, self._sources.snapshot(symbol))

    async def _one(self, symbol: str, call: Call[R | Batch[R] | None]) -> R:
        try:
            found = await self._session.send(call)
        except errors.APIError as exc:
            raise_about(symbol, exc)
            raise
        if isinstance(found, Batch):
            found = next((found[name] for name in found), None)
        if found is None:
            raise not_found(symbol)
        check_about(symbol, found.symbol)
        return found
