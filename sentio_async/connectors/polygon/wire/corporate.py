"""What companies do: dividends and splits (old and new endpoints), IPOs.

The older endpoints are still served; the newer ones add adjustment factors.
https://massive.com/docs/rest/stocks/corporate-actions/dividends
"""

from __future__ import annotations

from sentio_async.connectors.polygon.companies import Dividend, Ipo, Split
from sentio_async.connectors.polygon.wire.envelope import api, page_of
from sentio_async.connectors.polygon.wire.filters import ORDERED, choices, lists, page_query, ranges
from sentio_async.http.endpoint import Parts, QueryValue
from sentio_async.resilience.limiter import Priority

__all__ = [
    "dividends",
    "dividends_v3",
    "ipos",
    "ipos_vx",
    "splits",
    "splits_v3",
]

_DIVIDENDS = (
    lists("ticker")
    | ranges("ex_dividend_date", "frequency")
    | choices("distribution_type")
    | {"sort"}
)
_SPLITS = lists("ticker") | ranges("execution_date") | choices("adjustment_type") | {"sort"}
_IPOS = (
    lists("ticker", "us_code", "isin") | ranges("listing_date") | choices("ipo_status") | {"sort"}
)
_OLD_DIVIDENDS = (
    ranges("ticker", "ex_dividend_date", "record_date", "declaration_date", "pay_date")
    | ranges("cash_amount")
    | {"frequency", "dividend_type"}
    | ORDERED
)
_OLD_SPLITS = ranges("ticker", "execution_date") | {"reverse_split"} | ORDERED
_OLD_IPOS = ranges("listing_date") | {"ticker", "us_code", "isin", "ipo_status"} | ORDERED


@api.get("/stocks/v1/dividends", returns=page_of(Dividend), priority=Priority.HISTORY)
def dividends(*, limit: int | None = None, **filters: QueryValue) -> Parts:
    """Dividends, with adjustment factors."""
    return Parts(query=page_query(_DIVIDENDS, filters, limit=limit, most=5000))


@api.get("/stocks/v1/splits", returns=page_of(Split), priority=Priority.HISTORY)
def splits(*, limit: int | None = None, **filters: QueryValue) -> Parts:
    """Splits, with adjustment factors."""
    return Parts(query=page_query(_SPLITS, filters, limit=limit, most=5000))


@api.get("/v1/reference/ipos", returns=page_of(Ipo), priority=Priority.HISTORY)
def ipos(*, limit: int | None = None, **filters: QueryValue) -> Parts:
    """Companies that go public, or did."""
    return Parts(query=page_query(_IPOS, filters, limit=limit, most=1000))


@api.get("/v3/reference/dividends", returns=page_of(Dividend), priority=Priority.HISTORY)
def dividends_v3(*, limit: int | None = None, **filters: QueryValue) -> Parts:
    """Dividends by the older endpoint, which can also filter by pay and record date."""
    return Parts(query=page_query(_OLD_DIVIDENDS, filters, limit=limit, most=1000))


@api.get("/v3/reference/splits", returns=page_of(Split), priority=Priority.HISTORY)
def splits_v3(*, limit: int | None = None, **filters: QueryValue) -> Parts:
    """Splits by the older endpoint, which can also filter reverse splits."""
    return Parts(query=page_query(_OLD_SPLITS, filters, limit=limit, most=1000))


@api.get("/vX/reference/ipos", returns=page_of(Ipo), priority=Priority.HISTORY)
def ipos_vx(*, limit: int | None = None, **filters: QueryValue) -> Parts:
    """Public offerings by the older endpoint."""
    return Parts(query=page_query(_OLD_IPOS, filters, limit=limit, most=1000))
