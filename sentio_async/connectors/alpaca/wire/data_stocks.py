"""Stocks: history, latest, snapshots, auctions, many symbols in one request.

https://docs.alpaca.markets/reference/stockbars
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import msgspec

from sentio_async.connectors.alpaca.data_values import DayAuctions
from sentio_async.connectors.alpaca.wire import data_rows as rows
from sentio_async.connectors.alpaca.wire.data_answers import history, latest, latest_map
from sentio_async.connectors.alpaca.wire.data_api import (
    ANY_TIME,
    Span,
    api,
    listed,
    stock_feed,
    stock_history_feed,
    write_timeframe,
)
from sentio_async.http.endpoint import Parts, QueryValue
from sentio_async.http.reading import ns_from_text
from sentio_async.models import Page, Rows, Trade
from sentio_async.resilience.limiter import Priority

__all__ = [
    "RawAuctions",
    "auctions",
    "bars",
    "latest_bars",
    "latest_quotes",
    "latest_trades",
    "past",
    "quotes",
    "read_auctions",
    "snapshots",
    "trades",
]


class RawAuction(msgspec.Struct, gc=False):
    """``t x p s c``."""

    t: str
    p: float
    s: float | None = None
    x: str | None = None
    c: str | None = None


class RawAuctions(msgspec.Struct):
    """``d`` the day, ``o`` its opening auctions, ``c`` its closing ones."""

    d: date
    o: list[RawAuction] | None = None
    c: list[RawAuction] | None = None


def read_auctions(
    raw: rows.History, *, feed: rows.Feed = rows.ANY_FEED
) -> Page[dict[str, Rows[DayAuctions]]]:
    """Each day's auctions by symbol, and where the rest is."""
    return rows.page_of(raw, rows.one_by_one(_read_day), feed)


def _read_day(symbol: str, raw: RawAuctions, feed: rows.Feed) -> DayAuctions:
    return DayAuctions(
        symbol=symbol,
        on=raw.d,
        opening=tuple(_read_auction(symbol, row, feed) for row in raw.o or ()),
        closing=tuple(_read_auction(symbol, row, feed) for row in raw.c or ()),
    )


def _read_auction(symbol: str, raw: RawAuction, feed: rows.Feed) -> Trade:
    return Trade(
        symbol=symbol,
        time_ns=ns_from_text(raw.t),
        provider=rows.PROVIDER,
        feed=feed.name,
        price=raw.p,
        size=raw.s or 0.0,
        exchange=raw.x or None,
        conditions=(raw.c,) if raw.c else (),
    )


def past(
    span: Span,
    feed: rows.Feed,
    asof: date | str | None,
    currency: str | None,
    **more: QueryValue,
) -> dict[str, QueryValue]:
    """What every question about the past of stocks has in common."""
    return {**more, **span.query(), "asof": asof, "feed": feed.name, "currency": currency}


@api.get(
    "/v2/stocks/bars",
    returns=rows.bars_page,
    decode=history("bars", rows.RawPastBar),
    priority=Priority.HISTORY,
)
def bars(
    symbols: Iterable[str],
    timeframe: str,
    span: Span = ANY_TIME,
    *,
    adjustment: str | Iterable[str] | None = None,
    asof: date | str | None = None,
    feed: str | None = None,
    currency: str | None = None,
) -> Parts:
    """Bars of many stocks, one symbol after the other."""
    source, step = stock_history_feed(feed), write_timeframe(timeframe)
    query = past(span, source, asof, currency, symbols=listed(symbols), timeframe=step)
    return Parts(query={**query, "adjustment": adjustment}, context={"step": step, "feed": source})


@api.get(
    "/v2/stocks/trades",
    returns=rows.trades_page,
    decode=history("trades", rows.RawTrade),
    priority=Priority.HISTORY,
)
def trades(
    symbols: Iterable[str],
    span: Span = ANY_TIME,
    *,
    asof: date | str | None = None,
    feed: str | None = None,
    currency: str | None = None,
) -> Parts:
    """Trades of many stocks, one symbol after the other."""
    source = stock_history_feed(feed)
    query = past(span, source, asof, currency, symbols=listed(symbols))
    return Parts(query=query, context={"feed": source})


@api.get(
    "/v2/stocks/quotes",
    returns=rows.quotes_page,
    decode=history("quotes", rows.RawQuote),
    priority=Priority.HISTORY,
)
def quotes(
    symbols: Iterable[str],
    span: Span = ANY_TIME,
    *,
    asof: date | str | None = None,
    feed: str | None = None,
    currency: str | None = None,
) -> Parts:
    """Quotes of many stocks, one symbol after the other."""
    source = stock_history_feed(feed)
    query = past(span, source, asof, currency, symbols=listed(symbols))
    return Parts(query=query, context={"feed": source})


@api.get(
    "/v2/stocks/auctions",
    returns=read_auctions,
    decode=history("auctions", RawAuctions),
    priority=Priority.HISTORY,
)
def auctions(
    symbols: Iterable[str],
    span: Span = ANY_TIME,
    *,
    asof: date | str | None = None,
    currency: str | None = None,
) -> Parts:
    """Opening and closing auctions of many stocks; only the SIP tape has them."""
    source = rows.Feed("sip")
    query = past(span, source, asof, currency, symbols=listed(symbols))
    return Parts(query=query, context={"feed": source})


def _now(symbols: Iterable[str], feed: str | None, currency: str | None) -> Parts:
    query: dict[str, QueryValue] = {
        "symbols": listed(symbols),
        "feed": feed,
        "currency": currency,
    }
    return Parts(query=query, context={"feed": stock_feed(feed)})


@api.get(
    "/v2/stocks/bars/latest",
    returns=rows.latest_bars,
    decode=latest("bars", rows.RawBar),
)
def latest_bars(
    symbols: Iterable[str], *, feed: str | None = None, currency: str | None = None
) -> Parts:
    """The latest minute bar of many stocks."""
    return _now(symbols, feed, currency)


@api.get(
    "/v2/stocks/trades/latest",
    returns=rows.latest_trades,
    decode=latest("trades", rows.RawTrade),
)
def latest_trades(
    symbols: Iterable[str], *, feed: str | None = None, currency: str | None = None
) -> Parts:
    """The latest trade of many stocks."""
    return _now(symbols, feed, currency)


@api.get(
    "/v2/stocks/quotes/latest",
    returns=rows.latest_quotes,
    decode=latest("quotes", rows.RawQuote),
)
def latest_quotes(
    symbols: Iterable[str], *, feed: str | None = None, currency: str | None = None
) -> Parts:
    """The latest quote of many stocks."""
    return _now(symbols, feed, currency)


@api.get(
    "/v2/stocks/snapshots",
    returns=rows.snapshots,
    decode=latest_map(rows.RawSnapshot),
)
def snapshots(
    symbols: Iterable[str], *, feed: str | None = None, currency: str | None = None
) -> Parts:
    """The latest of everything about many stocks; the answer is the bare map."""
    return _now(symbols, feed, currency)
