"""Reference data from Massive: instruments, companies, what they do and report.

Lists are walked page after page.  Filters are the vendor's own, with ``_`` for ``.``:
``ex_dividend_date_gte=date(2026, 1, 1)``; one that does not exist is refused.  ``sort`` is one of
them, ``"ex_dividend_date.desc"``; older lists take ``order="desc"`` beside it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import date
from typing import Any, TypeVar

from sentio_async.base import about
from sentio_async.connectors.polygon import wire
from sentio_async.connectors.polygon.companies import (
    Dividend,
    FinancialReport,
    FinancialStatement,
    Float,
    Ipo,
    Ratios,
    ShortInterest,
    ShortVolume,
    Split,
)
from sentio_async.connectors.polygon.values import (
    Condition,
    Exchange,
    ListedOption,
    Ticker,
    TickerDetails,
    TickerEvents,
    TickerType,
)
from sentio_async.connectors.polygon.walking import PolygonSession
from sentio_async.http.endpoint import Call
from sentio_async.models import NewsArticle, Page, Rows

__all__ = ["PolygonReference"]

T = TypeVar("T")


class PolygonReference(PolygonSession):
    """Instruments, exchanges, codes, corporate actions, statements, news."""

    def _all(
        self, build: Callable[..., Call[Page[Rows[T]]]], limit: int | None, filters: dict[str, Any]
    ) -> AsyncIterator[T]:
        return self._rows(build(limit=limit, **filters), limit)

    def iter_tickers(self, *, limit: int | None = None, **filters: Any) -> AsyncIterator[Ticker]:
        """Every instrument; ``market="stocks"``, ``search=``, ``active=``, ``ticker_gte=``..."""
        return self._all(wire.reference.tickers, limit, filters)

    async def get_ticker(self, symbol: str, *, on: date | None = None) -> TickerDetails:
        """One instrument and the company behind it, today or as of ``on``."""
        return await self._about(symbol, wire.reference.ticker_details(symbol, on=on))

    async def get_ticker_types(self, **filters: Any) -> Rows[TickerType]:
        """The kinds of instruments."""
        return await self._list(wire.reference.ticker_types(**filters))

    async def get_ticker_events(self, id: str, *, types: str | None = None) -> Rows[TickerEvents]:
        """The renames of a company, by its ticker, CUSIP or composite FIGI."""
        return await about(id, self._list(wire.reference.ticker_events(id, types=types)))

    async def get_related_companies(self, symbol: str) -> Rows[str]:
        """The tickers that are in the news together with this one."""
        return await about(symbol, self._list(wire.reference.related_companies(symbol)))

    async def get_exchanges(self, **filters: Any) -> Rows[Exchange]:
        """The exchanges of every market, ``asset_class="options"`` of one."""
        return await self._list(wire.reference.exchanges(**filters))

    def iter_exchanges(self, market: str = "stocks") -> AsyncIterator[Exchange]:
        """The exchanges of ``stocks``, ``options``, ``crypto`` or ``forex``, by the newer lists."""
        return self._rows(wire.reference.exchanges_of(market))

    def iter_conditions(
        self, *, limit: int | None = None, **filters: Any
    ) -> AsyncIterator[Condition]:
        """What condition codes mean; ``asset_class="stocks"``, ``data_type="trade"``..."""
        return self._all(wire.reference.conditions, limit, filters)

    def iter_option_contracts(
        self, *, limit: int | None = None, **filters: Any
    ) -> AsyncIterator[ListedOption]:
        """Listed options; ``underlying_ticker=``, ``expiration_date_gte=``, ``expired=True``..."""
        return self._all(wire.reference.option_contracts, limit, filters)

    async def get_option_contract(
        self, contract: str, *, as_of: date | None = None
    ) -> ListedOption:
        """One option, such as ``O:AAPL230616C00150000``."""
        return await self._about(contract, wire.reference.option_contract(contract, as_of=as_of))

    def iter_dividends(
        self, *, limit: int | None = None, **filters: Any
    ) -> AsyncIterator[Dividend]:
        """Dividends; ``ticker=``, ``ex_dividend_date_gte=``..."""
        return self._all(wire.corporate.dividends, limit, filters)

    def iter_dividends_v3(
        self, *, limit: int | None = None, **filters: Any
    ) -> AsyncIterator[Dividend]:
        """Dividends by the older endpoint, which also filters by ``pay_date``, ``record_date``."""
        return self._all(wire.corporate.dividends_v3, limit, filters)

    def iter_splits(self, *, limit: int | None = None, **filters: Any) -> AsyncIterator[Split]:
        """Splits; ``ticker=``, ``execution_date_gte=``..."""
        return self._all(wire.corporate.splits, limit, filters)

    def iter_splits_v3(self, *, limit: int | None = None, **filters: Any) -> AsyncIterator[Split]:
        """Splits by the older endpoint, which also takes ``reverse_split=True``."""
        return self._all(wire.corporate.splits_v3, limit, filters)

    def iter_ipos(self, *, limit: int | None = None, **filters: Any) -> AsyncIterator[Ipo]:
        """Public offerings; ``listing_date_gte=``, ``ipo_status="pending"``..."""
        return self._all(wire.corporate.ipos, limit, filters)

    def iter_ipos_vx(self, *, limit: int | None = None, **filters: Any) -> AsyncIterator[Ipo]:
        """Public offerings by the older endpoint."""
        return self._all(wire.corporate.ipos_vx, limit, filters)

    def iter_balance_sheets(
        self, *, limit: int | None = None, **filters: Any
    ) -> AsyncIterator[FinancialStatement]:
        """Balance sheets; ``tickers="AAPL"``, ``timeframe="quarterly"``, ``period_end_gte=``..."""
        return self._all(wire.fundamentals.balance_sheets, limit, filters)

    def iter_cash_flow_statements(
        self, *, limit: int | None = None, **filters: Any
    ) -> AsyncIterator[FinancialStatement]:
        """Cash flow statements; filters as ``iter_balance_sheets``."""
        return self._all(wire.fundamentals.cash_flow_statements, limit, filters)

    def iter_income_statements(
        self, *, limit: int | None = None, **filters: Any
    ) -> AsyncIterator[FinancialStatement]:
        """Income statements; filters as ``iter_balance_sheets``."""
        return self._all(wire.fundamentals.income_statements, limit, filters)

    def iter_ratios(self, *, limit: int | None = None, **filters: Any) -> AsyncIterator[Ratios]:
        """Ratios of price and accounts; ``ticker=``, ``price_to_earnings_lt=``..."""
        return self._all(wire.fundamentals.ratios, limit, filters)

    def iter_financial_reports(
        self, *, limit: int | None = None, **filters: Any
    ) -> AsyncIterator[FinancialReport]:
        """Filings with all their statements, by the older endpoint."""
        return self._all(wire.fundamentals.financial_reports, limit, filters)

    def iter_short_interest(
        self, *, limit: int | None = None, **filters: Any
    ) -> AsyncIterator[ShortInterest]:
        """Short interest, twice a month; ``ticker=``, ``settlement_date_gte=``..."""
        return self._all(wire.fundamentals.short_interest, limit, filters)

    def iter_short_volume(
        self, *, limit: int | None = None, **filters: Any
    ) -> AsyncIterator[ShortVolume]:
        """Short volume off the exchanges; ``ticker=``, ``date_gte=``..."""
        return self._all(wire.fundamentals.short_volume, limit, filters)

    def iter_floats(self, *, limit: int | None = None, **filters: Any) -> AsyncIterator[Float]:
        """The free float of stocks; ``ticker=``, ``free_float_percent_lt=``..."""
        return self._all(wire.fundamentals.floats, limit, filters)

    def iter_news(
        self, symbol: str | None = None, *, limit: int | None = None, **filters: Any
    ) -> AsyncIterator[NewsArticle]:
        """Articles, newest first; ``published_utc_gte=``, ``order="asc"``..."""
        given = filters if symbol is None else {"ticker": symbol, **filters}
        return self._all(wire.news.news, limit, given)
