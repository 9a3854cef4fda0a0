"""One stock at a time: the same as ``data_stocks``, with the symbol in the path.

https://docs.alpaca.markets/reference/stockbarsingle
"""

from __future__ import annotations

from datetime import date

from msgspec.structs import replace

from sentio_async.connectors.alpaca.wire import data_rows as rows
from sentio_async.connectors.alpaca.wire.data_answers import (
    check_about,
    decode_as,
    history_of_one,
    latest_of_one,
)
from sentio_async.connectors.alpaca.wire.data_api import (
    ANY_TIME,
    Span,
    api,
    stock_feed,
    stock_history_feed,
    write_timeframe,
)
from sentio_async.connectors.alpaca.wire.data_stocks import RawAuctions, past, read_auctions
from sentio_async.http.endpoint import Parts
from sentio_async.models import Batch, Snapshot
from sentio_async.resilience.limiter import Priority

__all__ = [
    "auctions_of",
    "bars_of",
    "latest_bar_of",
    "latest_quote_of",
    "latest_trade_of",
    "quotes_of",
    "snapshot_of",
    "trades_of",
]


class RawNamedSnapshot(rows.RawSnapshot, rename="camel"):
    """A snapshot that says whose it is."""

    symbol: str = ""


_decode_snapshot = decode_as(RawNamedSnapshot)


def decode_snapshot(body: bytes) -> rows.Latest:
    """The snapshot of the one symbol that the answer names."""
    raw = _decode_snapshot(body)
    return rows.Latest({raw.symbol: raw})


def read_snapshot(
    raw: rows.Latest, *, symbol: str, feed: rows.Feed = rows.ANY_FEED
) -> Batch[Snapshot]:
    """The snapshot under the symbol asked for, which the answer may leave out."""
    ((named, snapshot),) = raw.rows.items()
    check_about(symbol, named or symbol)
    return rows.snapshots(rows.Latest({symbol: snapshot}), feed=feed)


@api.get(
    "/v2/stocks/{symbol}/bars",
    returns=rows.bars_page,
    decode=history_of_one("bars", rows.RawPastBar),
    priority=Priority.HISTORY,
)
def bars_of(
    symbol: str,
    timeframe: str,
    span: Span = ANY_TIME,
    *,
    adjustment: str | None = None,
    asof: date | str | None = None,
    feed: str | None = None,
    currency: str | None = None,
) -> Parts:
    """Bars of one stock."""
    source, step = stock_history_feed(feed), write_timeframe(timeframe)
    query = past(span, source, asof, currency, timeframe=step, adjustment=adjustment)
    return Parts(path={"symbol": symbol}, query=query, context={"step": step, "feed": source})


@api.get(
    "/v2/stocks/{symbol}/trades",
    returns=rows.trades_page,
    decode=history_of_one("trades", rows.RawTrade),
    priority=Priority.HISTORY,
)
def trades_of(
    symbol: str,
    span: Span = ANY_TIME,
    *,
    asof: date | str | None = None,
    feed: str | None = None,
    currency: str | None = None,
) -> Parts:
    """Trades of one stock."""
    source = stock_history_feed(feed)
    query = past(span, source, asof, currency)
    return Parts(path={"symbol": symbol}, query=query, context={"feed": source})


@api.get(
    "/v2/stocks/{symbol}/quotes",
    returns=rows.quotes_page,
    decode=history_of_one("quotes", rows.RawQuote),
    priority=Priority.HISTORY,
)
def quotes_of(
    symbol: str,
    span: Span = ANY_TIME,
    *,
    asof: date | str | None = None,
    feed: str | None = None,
    currency: str | None = None,
) -> Parts:
    """Quotes of one stock."""
    source = stock_history_feed(feed)
    query = past(span, source, asof, currency)
    return Parts(path={"symbol": symbol}, query=query, context={"feed": source})


@api.get(
    "/v2/stocks/{symbol}/auctions",
    returns=read_auctions,
    decode=history_of_one("auctions", RawAuctions),
    priority=Priority.HISTORY,
)
def auctions_of(
    symbol: str,
    span: Span = ANY_TIME,
    *,
    asof: date | str | None = None,
    currency: str | None = None,
) -> Parts:
    """Opening and closing auctions of one stock; only the SIP tape has them."""
    source = rows.Feed("sip")
    query = past(span, source, asof, currency)
    return Parts(path={"symbol": symbol}, query=query, context={"feed": source})


def _now(symbol: str, feed: str | None, currency: str | None) -> Parts:
    return Parts(
        path={"symbol": symbol},
        query={"feed": feed, "currency": currency},
        context={"feed": stock_feed(feed)},
    )


@api.get(
    "/v2/stocks/{symbol}/bars/latest",
    returns=rows.latest_bar,
    decode=latest_of_one("bar", rows.RawBar),
)
def latest_bar_of(symbol: str, *, feed: str | None = None, currency: str | None = None) -> Parts:
    """The latest minute bar of one stock."""
    return _now(symbol, feed, currency)


@api.get(
    "/v2/stocks/{symbol}/trades/latest",
    returns=rows.latest_trade,
    decode=latest_of_one("trade", rows.RawTrade),
)
def latest_trade_of(symbol: str, *, feed: str | None = None, currency: str | None = None) -> Parts:
    """The latest trade of one stock."""
    return _now(symbol, feed, currency)


@api.get(
    "/v2/stocks/{symbol}/quotes/latest",
    returns=rows.latest_quote,
    decode=latest_of_one("quote", rows.RawQuote),
)
def latest_quote_of(symbol: str, *, feed: str | None = None, currency: str | None = None) -> Parts:
    """The latest quote of one stock."""
    return _now(symbol, feed, currency)


@api.get(
    "/v2/stocks/{symbol}/snapshot",
    returns=read_snapshot,
    decode=decode_snapshot,
)
def snapshot_of(symbol: str, *, feed: str | None = None, currency: str | None = None) -> Parts:
    """The latest of everything about one stock."""
    parts = _now(symbol, feed, currency)
    return replace(parts, context={**parts.context, "symbol": symbol})
