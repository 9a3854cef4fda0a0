"""Options: history, latest, snapshots with greeks, the chain of an underlying.

https://docs.alpaca.markets/reference/optionbars

Contracts are named the OCC way, ``AAPL240126P00050000``; one request takes at most 100 of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from sentio_async.connectors.alpaca.wire import data_rows as rows
from sentio_async.connectors.alpaca.wire.data_answers import history, latest
from sentio_async.connectors.alpaca.wire.data_api import (
    ANY_TIME,
    Moment,
    Span,
    api,
    listed,
    option_feed,
    write_timeframe,
)
from sentio_async.http.endpoint import Parts, QueryValue
from sentio_async.models import OptionRight
from sentio_async.resilience.limiter import Priority

__all__ = [
    "MOST_CONTRACTS",
    "MOST_SNAPSHOTS",
    "latest_option_quotes",
    "latest_option_trades",
    "option_bars",
    "option_chain",
    "option_snapshots",
    "option_trades",
]

MOST_CONTRACTS = 100
"""Contracts that one request may name."""

MOST_SNAPSHOTS = 1000
"""Snapshots of one page."""

_CONTRACTS = Span(limit=MOST_CONTRACTS)
_SNAPSHOTS = Span(limit=MOST_SNAPSHOTS)


@api.get(
    "/v1beta1/options/bars",
    returns=rows.bars_page,
    decode=history("bars", rows.RawPastBar),
    priority=Priority.HISTORY,
)
def option_bars(symbols: Iterable[str], timeframe: str, span: Span = ANY_TIME) -> Parts:
    """Bars of many contracts, one contract after the other."""
    step = write_timeframe(timeframe)
    query: dict[str, QueryValue] = {"symbols": listed(symbols), "timeframe": step, **span.query()}
    return Parts(query=query, context={"step": step})


@api.get(
    "/v1beta1/options/trades",
    returns=rows.trades_page,
    decode=history("trades", rows.RawTrade),
    priority=Priority.HISTORY,
)
def option_trades(symbols: Iterable[str], span: Span = ANY_TIME) -> Parts:
    """Trades of many contracts, one contract after the other."""
    return Parts(query={"symbols": listed(symbols), **span.query()})


def _now(symbols: Iterable[str], feed: str | None) -> Parts:
    query: dict[str, QueryValue] = {"symbols": listed(symbols), "feed": feed}
    return Parts(query=query, context={"feed": option_feed(feed)})


@api.get(
    "/v1beta1/options/quotes/latest",
    returns=rows.latest_quotes,
    decode=latest("quotes", rows.RawQuote),
)
def latest_option_quotes(symbols: Iterable[str], *, feed: str | None = None) -> Parts:
    """The latest quote of many contracts."""
    return _now(symbols, feed)


@api.get(
    "/v1beta1/options/trades/latest",
    returns=rows.latest_trades,
    decode=latest("trades", rows.RawTrade),
)
def latest_option_trades(symbols: Iterable[str], *, feed: str | None = None) -> Parts:
    """The latest trade of many contracts."""
    return _now(symbols, feed)


@api.get(
    "/v1beta1/options/snapshots",
    returns=rows.option_snapshots,
    decode=latest("snapshots", rows.RawOptionSnapshot),
)
def option_snapshots(
    symbols: Iterable[str],
    span: Span = _CONTRACTS,
    *,
    feed: str | None = None,
    updated_since: Moment | None = None,
) -> Parts:
    """The latest of everything about many contracts, with greeks where Alpaca has them."""
    query: dict[str, QueryValue] = {
        "symbols": listed(symbols),
        "feed": feed,
        "updated_since": updated_since,
        **span.query(),
    }
    return Parts(query=query, context={"feed": option_feed(feed)})


@api.get(
    "/v1beta1/options/snapshots/{underlying_symbol}",
    returns=rows.option_snapshots,
    decode=latest("snapshots", rows.RawOptionSnapshot),
)
def option_chain(
    underlying: str,
    span: Span = _SNAPSHOTS,
    *,
    feed: str | None = None,
    right: OptionRight | str | None = None,
    strike_from: Decimal | int | str | None = None,
    strike_to: Decimal | int | str | None = None,
    expires_on: date | None = None,
    expires_from: date | None = None,
    expires_to: date | None = None,
    root: str | None = None,
    updated_since: Moment | None = None,
) -> Parts:
    """The latest of everything about the contracts of one underlying."""
    query: dict[str, QueryValue] = {
        "feed": feed,
        "type": right,
        "strike_price_gte": strike_from,
        "strike_price_lte": strike_to,
        "expiration_date": expires_on,
        "expiration_date_gte": expires_from,
        "expiration_date_lte": expires_to,
        "root_symbol": root,
        "updated_since": updated_since,
        **span.query(),
    }
    return Parts(
        path={"underlying_symbol": underlying},
        query=query,
        context={"feed": option_feed(feed)},
    )
