"""Crypto spot: history, latest, snapshots, order books, by venue.

https://docs.alpaca.markets/reference/cryptobars-1

``location`` is the venue: ``us`` (Alpaca), ``us-1`` and ``eu-1`` (Kraken), ``us-2``, ``bs-1``.  It
is the rows' feed.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from sentio_async.connectors.alpaca.data_values import BookLevel, OrderBook
from sentio_async.connectors.alpaca.wire import data_rows as rows
from sentio_async.connectors.alpaca.wire.data_answers import history, latest
from sentio_async.connectors.alpaca.wire.data_api import (
    ANY_TIME,
    Span,
    api,
    listed,
    write_timeframe,
)
from sentio_async.http.endpoint import Parts, QueryValue
from sentio_async.http.reading import ns_from_text
from sentio_async.models import Batch
from sentio_async.resilience.limiter import Priority

__all__ = [
    "RawBook",
    "at_venue",
    "crypto_bars",
    "crypto_books",
    "crypto_quotes",
    "crypto_snapshots",
    "crypto_trades",
    "latest_crypto_bars",
    "latest_crypto_quotes",
    "latest_crypto_trades",
    "read_books",
]


class RawLevel(msgspec.Struct, gc=False):
    """``p s``."""

    p: float
    s: float


class RawBook(msgspec.Struct):
    """``t``, asks ``a`` and bids ``b``, each best first."""

    t: str
    a: list[RawLevel]
    b: list[RawLevel]


def read_books(raw: rows.Latest, *, feed: rows.Feed = rows.ANY_FEED) -> Batch[OrderBook]:
    """The order book of each pair."""
    return rows.each(raw, rows.one_by_one(_read_book), feed)


def _read_book(symbol: str, raw: RawBook, _feed: rows.Feed) -> OrderBook:
    return OrderBook(
        symbol=symbol,
        time_ns=ns_from_text(raw.t),
        bids=tuple(BookLevel(price=level.p, size=level.s) for level in raw.b),
        asks=tuple(BookLevel(price=level.p, size=level.s) for level in raw.a),
    )


def at_venue(symbols: Iterable[str], location: str, **more: QueryValue) -> Parts:
    """What every question about crypto has in common."""
    return Parts(
        path={"loc": location},
        query={"symbols": listed(symbols), **more},
        context={"feed": rows.Feed(location)},
    )


@api.get(
    "/v1beta3/crypto/{loc}/bars",
    returns=rows.bars_page,
    decode=history("bars", rows.RawPastBar),
    priority=Priority.HISTORY,
)
def crypto_bars(
    symbols: Iterable[str], timeframe: str, span: Span = ANY_TIME, *, location: str = "us"
) -> Parts:
    """Bars of many pairs, one pair after the other."""
    step = write_timeframe(timeframe)
    parts = at_venue(symbols, location, timeframe=step, **span.query())
    return replace(parts, context={**parts.context, "step": step})


@api.get(
    "/v1beta3/crypto/{loc}/trades",
    returns=rows.trades_page,
    decode=history("trades", rows.RawTrade),
    priority=Priority.HISTORY,
)
def crypto_trades(symbols: Iterable[str], span: Span = ANY_TIME, *, location: str = "us") -> Parts:
    """Trades of many pairs, one pair after the other."""
    return at_venue(symbols, location, **span.query())


@api.get(
    "/v1beta3/crypto/{loc}/quotes",
    returns=rows.quotes_page,
    decode=history("quotes", rows.RawQuote),
    priority=Priority.HISTORY,
)
def crypto_quotes(symbols: Iterable[str], span: Span = ANY_TIME, *, location: str = "us") -> Parts:
    """Quotes of many pairs, one pair after the other."""
    return at_venue(symbols, location, **span.query())


@api.get(
    "/v1beta3/crypto/{loc}/latest/bars",
    returns=rows.latest_bars,
    decode=latest("bars", rows.RawBar),
)
def latest_crypto_bars(symbols: Iterable[str], *, location: str = "us") -> Parts:
    """The latest minute bar of many pairs."""
    return at_venue(symbols, location)


@api.get(
    "/v1beta3/crypto/{loc}/latest/trades",
    returns=rows.latest_trades,
    decode=latest("trades", rows.RawTrade),
)
def latest_crypto_trades(symbols: Iterable[str], *, location: str = "us") -> Parts:
    """The latest trade of many pairs."""
    return at_venue(symbols, location)


@api.get(
    "/v1beta3/crypto/{loc}/latest/quotes",
    returns=rows.latest_quotes,
    decode=latest("quotes", rows.RawQuote),
)
def latest_crypto_quotes(symbols: Iterable[str], *, location: str = "us") -> Parts:
    """The latest quote of many pairs."""
    return at_venue(symbols, location)


@api.get(
    "/v1beta3/crypto/{loc}/latest/orderbooks",
    returns=read_books,
    decode=latest("orderbooks", RawBook),
)
def crypto_books(symbols: Iterable[str], *, location: str = "us") -> Parts:
    """The order books of many pairs."""
    return at_venue(symbols, location)


@api.get(
    "/v1beta3/crypto/{loc}/snapshots",
    returns=rows.snapshots,
    decode=latest("snapshots", rows.RawSnapshot),
)
def crypto_snapshots(symbols: Iterable[str], *, location: str = "us") -> Parts:
    """The latest of everything about many pairs."""
    return at_venue(symbols, location)
