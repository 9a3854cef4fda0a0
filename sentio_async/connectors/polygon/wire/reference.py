"""Reference: tickers, kinds, exchanges, condition codes, option contracts.

https://massive.com/docs/rest/stocks/tickers/all-tickers
"""

from __future__ import annotations

from datetime import date

from sentio_async.connectors.polygon.values import (
    Condition,
    Exchange,
    ListedOption,
    RelatedCompany,
    Ticker,
    TickerDetails,
    TickerEvents,
    TickerType,
)
from sentio_async.connectors.polygon.wire.envelope import api, list_of, page_of, result
from sentio_async.connectors.polygon.wire.filters import ORDERED, at_most, page_query, ranges
from sentio_async.connectors.polygon.wire.tickers import check_about, checked, of_market
from sentio_async.http.endpoint import Call, Parts, QueryValue
from sentio_async.http.reading import read_rows
from sentio_async.http.wire_json import Json
from sentio_async.models import Page, Rows
from sentio_async.resilience.limiter import Priority

__all__ = [
    "conditions",
    "crypto_exchanges",
    "exchanges",
    "forex_exchanges",
    "option_contract",
    "option_contracts",
    "option_exchanges",
    "related_companies",
    "stock_exchanges",
    "ticker_details",
    "ticker_events",
    "ticker_types",
    "tickers",
]

_TICKERS = (
    ranges("ticker")
    | {"type", "market", "exchange", "cusip", "cik", "date", "search", "active"}
    | ORDERED
)
_CONTRACTS = (
    ranges("underlying_ticker", "expiration_date", "strike_price")
    | {"ticker", "contract_type", "as_of", "expired"}
    | ORDERED
)
_CONDITIONS = ORDERED | {"asset_class", "data_type", "id", "sip"}


@api.get("/v3/reference/tickers", returns=page_of(Ticker), priority=Priority.HISTORY)
def tickers(*, limit: int | None = None, **filters: QueryValue) -> Parts:
    """Every instrument of every market."""
    return Parts(query=page_query(_TICKERS, filters, limit=limit, most=1000))


def read_details(raw: Json, *, symbol: str) -> TickerDetails:
    """What is known about the one that was asked for."""
    found = TickerDetails.read(result(raw))
    check_about(symbol, found.ticker)
    return found


@api.get("/v3/reference/tickers/{ticker}", returns=read_details)
def ticker_details(ticker: str, *, on: date | None = None) -> Parts:
    """One instrument and its company, today or as of ``on``."""
    return Parts(path={"ticker": checked(ticker)}, query={"date": on}, context={"symbol": ticker})


@api.get("/v3/reference/tickers/types", returns=list_of(TickerType))
def ticker_types(*, asset_class: str | None = None, locale: str | None = None) -> Parts:
    """The kinds of instruments."""
    return Parts(query={"asset_class": asset_class, "locale": locale})


@api.get("/v3/reference/exchanges", returns=list_of(Exchange))
def exchanges(*, asset_class: str | None = None, locale: str | None = None) -> Parts:
    """The exchanges of every market."""
    return Parts(query={"asset_class": asset_class, "locale": locale})


@api.get("/stocks/v1/exchanges", returns=page_of(Exchange))
def stock_exchanges(*, limit: int | None = None) -> Parts:
    """Where stocks are traded."""
    return Parts(query={"limit": at_most(1000, limit)})


@api.get("/options/v1/exchanges", returns=page_of(Exchange))
def option_exchanges(*, limit: int | None = None) -> Parts:
    """Where options are traded."""
    return Parts(query={"limit": at_most(1000, limit)})


@api.get("/crypto/v1/exchanges", returns=page_of(Exchange))
def crypto_exchanges(*, limit: int | None = None) -> Parts:
    """Where crypto pairs are traded."""
    return Parts(query={"limit": at_most(1000, limit)})


@api.get("/forex/v1/exchanges", returns=page_of(Exchange))
def forex_exchanges(*, limit: int | None = None) -> Parts:
    """Who quotes currencies."""
    return Parts(query={"limit": at_most(1000, limit)})


def exchanges_of(market: str) -> Call[Page[Rows[Exchange]]]:
    """The exchanges of one market, by the newer lists."""
    builds = {
        "stocks": stock_exchanges,
        "options": option_exchanges,
        "crypto": crypto_exchanges,
        "forex": forex_exchanges,
    }
    return of_market(builds, market)()


@api.get("/v3/reference/conditions", returns=page_of(Condition))
def conditions(*, limit: int | None = None, **filters: QueryValue) -> Parts:
    """What condition codes mean; the same number means another thing in another market."""
    return Parts(query=page_query(_CONDITIONS, filters, limit=limit, most=1000))


@api.get(
    "/v3/reference/options/contracts", returns=page_of(ListedOption), priority=Priority.HISTORY
)
def option_contracts(*, limit: int | None = None, **filters: QueryValue) -> Parts:
    """Listed option contracts, expired ones with ``expired=True``."""
    return Parts(query=page_query(_CONTRACTS, filters, limit=limit, most=1000))


def read_listed_option(raw: Json, *, symbol: str) -> ListedOption:
    """The contract that was asked for."""
    found = ListedOption.read(result(raw))
    check_about(symbol, found.ticker)
    return found


@api.get("/v3/reference/options/contracts/{ticker}", returns=read_listed_option)
def option_contract(ticker: str, *, as_of: date | None = None) -> Parts:
    """One option contract."""
    return Parts(
        path={"ticker": checked(ticker)}, query={"as_of": as_of}, context={"symbol": ticker}
    )


def read_related(raw: Json) -> Rows[str]:
    """The tickers alone."""
    rows = list_of(RelatedCompany)(raw)
    return Rows((row.ticker for row in rows), rows.skipped)


@api.get("/v1/related-companies/{ticker}", returns=read_related)
def related_companies(ticker: str) -> Parts:
    """The tickers that are in the news together with this one."""
    return Parts(path={"ticker": checked(ticker)})


def read_events(raw: Json) -> Rows[TickerEvents]:
    """One company's events; seen as an object and as a list of one."""
    if isinstance(raw.get("results"), list):
        return list_of(TickerEvents)(raw)
    return read_rows([result(raw)], TickerEvents.read, what="results")


@api.get("/vX/reference/tickers/{id}/events", returns=read_events)
def ticker_events(id: str, *, types: str | None = None) -> Parts:
    """The renames of a company, by its ticker, CUSIP or composite FIGI."""
    return Parts(path={"id": checked(id)}, query={"types": types})
