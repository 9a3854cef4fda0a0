"""The calls of a market-data provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import date, datetime
from typing import Any, ClassVar, TypeVar

from sentio_async import errors
from sentio_async.base.connector import BaseConnector, Capability, Role, check_symbol
from sentio_async.models.bars import Bars
from sentio_async.models.batch import Batch
from sentio_async.models.market import Bar, MarketStatus, Quote, Snapshot, Trade

__all__ = ["DataProviderConnector", "Moment"]

Moment = datetime | date
"""A time (aware) or a day."""

R = TypeVar("R", Quote, Trade)


class DataProviderConnector(BaseConnector):
    """Quotes, trades, bars: what the market does and did."""

    role: ClassVar[Role] = Role.DATA

    async def get_quote(self, symbol: str, *, max_age: float | None = None) -> Quote:
        """The best bid and offer now.

        Raises SymbolNotFoundError for a symbol the vendor does not have, and StaleDataError if
        the quote is more than ``max_age`` seconds old.
        """
        check_symbol(symbol)
        quote = await self._get_quote(symbol)
        return self._fresh(quote, max_age)

    async def _get_quote(self, symbol: str) -> Quote:
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

    async def _get_trade(self, symbol: str) -> Trade:
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
        """The same bars one by one, without holding all of them."""
        self._unsupported(Capability.BARS)

    def iter_trades(self, symbol: str, **options: Any) -> AsyncIterator[Trade]:
        """Trades from ``start`` to ``end``, oldest first, page after page."""
        self._unsupported(Capability.TICK_HISTORY)

    def iter_quotes(self, symbol: str, **options: Any) -> AsyncIterator[Quote]:
        """Quotes from ``start`` to ``end``, oldest first, page after page."""
        self._unsupported(Capability.TICK_HISTORY)

    async def get_market_status(self) -> MarketStatus:
        """Whether markets are open now."""
        self._unsupported(Capability.MARKET_STATUS)

    def stream_quotes(self, *symbols: str) -> AsyncIterator[Quote]:
        """Quotes as they change."""
        self._unsupported(Capability.QUOTE_STREAM)

    def stream_trades(self, *symbols: str) -> AsyncIterator[Trade]:
        """Trades as they happen."""
        self._unsupported(Capability.QUOTE_STREAM)

    def stream_bars(self, *symbols: str) -> AsyncIterator[Bar]:
        """Bars as they end."""
        self._unsupported(Capability.QUOTE_STREAM)

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
