"""What companies do: dividends and splits (old and new endpoints), IPOs.

The older endpoints are still served; the newer ones add adjustment factors.
https://massive.com/docs/rest/stocks/corporate-actions/dividends
"""

from __future__ import annotations

from sentio_async.connectors.polygon.companies import Dividend, Ipo, Split
from sentio_async.connectors.polygon.wire.envelope import api, page_of
from sentio_async.connectors.polygon.wire.filters import at_most, chosen, lists, ranges
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

_DIVIDENDS = (lists("ticker") | ranges("ex_dividend_date", "frequency") | {"distribution_type"}) | {
    "distribution_type.any_of"
}
_SPLITS = (
    lists("ticker")
    | ranges("execution_date")
    | {
        "adjustment_type",
        "adjustment_type.any_of",
    }
)
_IPOS = (
    lists("ticker", "us_code", "isin")
    | ranges("listing_date")
    | {
        "ipo_status",
        "ipo_status.any_of",
    }
)
_OLD_DIVIDENDS = ranges(
    "ticker", "ex_dividend_date", "record_date", "declaration_date", "pay_date", "cash_amount"
) | {"frequency", "dividend_type"}
_OLD_SPLITS = ranges("ticker", "execution_date") | {"reverse_split"}
_OLD_IPOS = ranges("listing_date") | {"ticker", "us_code", "isin", "ipo_status"}


@api.get("/stocks/v1/dividends", returns=page_of(Dividend), priority=Priority.HISTORY)
def dividends(*, limit: int | None = None, sort: str | None = None, **filters: QueryValue) -> Parts:
    """Dividends, with adjustment factors."""
    return Parts(query={**chosen(_DIVIDENDS, filters), "sort": sort, "limit": at_most(5000, limit)})


@api.get("/stocks/v1/splits", returns=page_of(Split), priority=Priority.HISTORY)
def splits(*, limit: int | None = None, sort: str | None = None, **filters: QueryValue) -> Parts:
    """Splits, with adjustment factors."""
    return Parts(query={**chosen(_SPLITS, filters), "sort": sort, "limit": at_most(5000, limit)})


@api.get("/v1/reference/ipos", returns=page_of(Ipo), priority=Priority.HISTORY)
def ipos(*, limit: int | None = None, sort: str | None = None, **filters: QueryValue) -> Parts:
    """Companies that go public, or did."""
    return Parts(query={**chosen(_IPOS, filters), "sort": sort, "limit": at_most(1000, limit)})


@api.get("/v3/reference/dividends", returns=page_of(Dividend), priority=Priority.HISTORY)
def dividends_v3(
    *,
    limit: int | None = None,
    order: str | None = None,
    sort: str | None = None,
    **filters: QueryValue,
) -> Parts:
    """Dividends by the older endpoint, which can also filter by pay and record date."""
    query = {
        **chosen(_OLD_DIVIDENDS, filters),
        "order": order,
        "sort": sort,
        "limit": at_most(1000, limit),
    }
    return Parts(query=query)


@api.get("/v3/reference/splits", returns=page_of(Split), priority=Priority.HISTORY)
def splits_v3(
    *,
    limit: int | None = None,
    order: str | None = None,
    sort: str | None = None,
    **filters: QueryValue,
) -> Parts:
    """Splits by the older endpoint, which can also filter reverse splits."""
    query = {
        **chosen(_OLD_SPLITS, filters),
        "order": order,
        "sort": sort,
        "limit": at_most(1000, limit),
    }
    return Parts(query=query)


@api.get("/vX/reference/ipos", returns=page_of(Ipo), priority=Priority.HISTORY)
def ipos_vx(
    *,
    limit: int | None = None,
    order: str | None = None,
    sort: str | None = None,
    **filters: QueryValue,
) -> Parts:
    """Public offerings by the older endpoint."""
    query = {
        **chosen(_OLD_IPOS, filters),
        "order": order,
        "sort": sort,
        "limit": at_most(1000, limit),
    }
    return Parts(query=query)
