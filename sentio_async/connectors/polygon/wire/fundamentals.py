"""What companies report, and who bets against them: statements, ratios, short selling, float.

https://massive.com/docs/rest/stocks/fundamentals/balance-sheets
"""

from __future__ import annotations

from sentio_async.connectors.polygon.companies import (
    FinancialReport,
    FinancialStatement,
    Float,
    Ratios,
    ShortInterest,
    ShortVolume,
)
from sentio_async.connectors.polygon.wire.envelope import api, page_of
from sentio_async.connectors.polygon.wire.filters import ORDERED, choices, lists, page_query, ranges
from sentio_async.http.endpoint import Parts, QueryValue
from sentio_async.resilience.limiter import Priority

__all__ = [
    "balance_sheets",
    "cash_flow_statements",
    "financial_reports",
    "floats",
    "income_statements",
    "ratios",
    "short_interest",
    "short_volume",
]

_STATEMENTS = (
    lists("cik")
    | ranges("period_end", "filing_date", "fiscal_year", "fiscal_quarter")
    | choices("tickers", "timeframe")
    | {"tickers.all_of", "sort"}
)
_RATIOS = (
    lists("ticker", "cik")
    | ranges(
        "price",
        "average_volume",
        "market_cap",
        "earnings_per_share",
        "price_to_earnings",
        "price_to_book",
        "price_to_sales",
        "price_to_cash_flow",
        "price_to_free_cash_flow",
        "dividend_yield",
        "return_on_assets",
        "return_on_equity",
        "debt_to_equity",
        "current",
        "quick",
        "cash",
        "ev_to_sales",
        "ev_to_ebitda",
        "enterprise_value",
        "free_cash_flow",
    )
    | {"sort"}
)
_SHORT_INTEREST = lists("ticker", "days_to_cover", "settlement_date", "avg_daily_volume") | {"sort"}
_SHORT_VOLUME = lists("ticker", "date", "short_volume_ratio") | {"sort"}
_FLOATS = lists("ticker") | ranges("free_float_percent") | {"sort"}
_REPORTS = (
    ranges("filing_date", "period_of_report_date")
    | {"ticker", "cik", "company_name", "company_name.search", "sic"}
    | {"timeframe", "include_sources"}
    | ORDERED
)


@api.get(
    "/stocks/financials/v1/balance-sheets",
    returns=page_of(FinancialStatement),
    priority=Priority.HISTORY,
)
def balance_sheets(*, limit: int | None = None, **filters: QueryValue) -> Parts:
    """Balance sheets, by company and period."""
    return Parts(query=page_query(_STATEMENTS, filters, limit=limit, most=1000))


@api.get(
    "/stocks/financials/v1/cash-flow-statements",
    returns=page_of(FinancialStatement),
    priority=Priority.HISTORY,
)
def cash_flow_statements(*, limit: int | None = None, **filters: QueryValue) -> Parts:
    """Cash flow statements, by company and period."""
    return Parts(query=page_query(_STATEMENTS, filters, limit=limit, most=1000))


@api.get(
    "/stocks/financials/v1/income-statements",
    returns=page_of(FinancialStatement),
    priority=Priority.HISTORY,
)
def income_statements(*, limit: int | None = None, **filters: QueryValue) -> Parts:
    """Income statements, by company and period."""
    return Parts(query=page_query(_STATEMENTS, filters, limit=limit, most=1000))


@api.get("/stocks/financials/v1/ratios", returns=page_of(Ratios), priority=Priority.HISTORY)
def ratios(*, limit: int | None = None, **filters: QueryValue) -> Parts:
    """Ratios of price and accounts, by company."""
    return Parts(query=page_query(_RATIOS, filters, limit=limit, most=1000))


@api.get("/vX/reference/financials", returns=page_of(FinancialReport), priority=Priority.HISTORY)
def financial_reports(*, limit: int | None = None, **filters: QueryValue) -> Parts:
    """Filings with all their statements, by the older endpoint."""
    return Parts(query=page_query(_REPORTS, filters, limit=limit, most=100))


@api.get("/stocks/v1/short-interest", returns=page_of(ShortInterest), priority=Priority.HISTORY)
def short_interest(*, limit: int | None = None, **filters: QueryValue) -> Parts:
    """Short interest, twice a month."""
    return Parts(query=page_query(_SHORT_INTEREST, filters, limit=limit, most=5000))


@api.get("/stocks/v1/short-volume", returns=page_of(ShortVolume), priority=Priority.HISTORY)
def short_volume(*, limit: int | None = None, **filters: QueryValue) -> Parts:
    """Short volume off the exchanges, by day."""
    return Parts(query=page_query(_SHORT_VOLUME, filters, limit=limit, most=5000))


@api.get("/stocks/vX/float", returns=page_of(Float), priority=Priority.HISTORY)
def floats(*, limit: int | None = None, **filters: QueryValue) -> Parts:
    """The free float of stocks."""
    return Parts(query=page_query(_FLOATS, filters, limit=limit, most=1000))
