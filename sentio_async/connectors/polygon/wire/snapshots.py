"""Snapshots v2: everything latest about one, many or all tickers of a market; movers; book.

A part can be missing or zero before the open (the vendor clears snapshots at night), and then it
is None.  Times are ns for stocks and ms for crypto and forex.
https://massive.com/docs/rest/stocks/snapshots/full-market-snapshot
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from sentio_async import errors
from sentio_async.connectors.polygon.moments import NEW_YORK, day_start_ns, ns_by_size
from sentio_async.connectors.polygon.values import BookLevel, OrderBook
from sentio_async.connectors.polygon.wire.bulk import Bulk, bulk_decoder, read_good_rows
from sentio_async.connectors.polygon.wire.envelope import PROVIDER, api, member, number
from sentio_async.connectors.polygon.wire.tickers import asset_class, check_about, checked
from sentio_async.connectors.polygon.wire.ticks import Time, word_or_none, words
from sentio_async.http.endpoint import Call, Parts
from sentio_async.http.wire_json import Json
from sentio_async.models import AssetClass, Bar, Quote, Rows, Snapshot, Trade

__all__ = [
    "crypto_book",
    "crypto_movers",
    "crypto_snapshot",
    "crypto_snapshots",
    "forex_movers",
    "forex_snapshot",
    "forex_snapshots",
    "stock_movers",
    "stock_snapshot",
    "stock_snapshots",
]

UTC = ZoneInfo("UTC")


class BarPart(msgspec.Struct, gc=False):
    """``day``, ``min`` or ``prevDay``."""

    o: float = 0.0
    h: float = 0.0
    l: float = 0.0  # noqa: E741 (the vendor's own name)
    c: float = 0.0
    v: float = 0.0
    vw: float | None = None
    n: int | None = None
    t: Time | None = None


class TradePart(msgspec.Struct, gc=False):
    """``lastTrade``."""

    p: float = 0.0
    s: float = 0.0
    ds: str | None = None
    t: Time | None = None
    c: list[int] | None = None
    i: str | int | None = None
    x: int | None = None


class QuotePart(msgspec.Struct, gc=False):
    """``lastQuote``: ``P p S s`` for stocks, ``a b`` for currencies."""

    P: float = 0.0
    p: float = 0.0
    S: float = 0.0
    s: float = 0.0
    a: float = 0.0
    b: float = 0.0
    t: Time | None = None
    x: int | None = None


class SnapshotRow(msgspec.Struct, gc=False, rename="camel"):
    """One ticker."""

    ticker: str
    day: BarPart | None = None
    min: BarPart | None = None
    prev_day: BarPart | None = None
    last_trade: TradePart | None = None
    last_quote: QuotePart | None = None
    todays_change: float | None = None
    todays_change_perc: float | None = None
    updated: Time | None = None


def read_row(row: SnapshotRow, *, late: bool) -> Snapshot:
    """One ticker's snapshot."""
    updated = ns_by_size(row.updated)
    is_global = asset_class(row.ticker) is not AssetClass.STOCK
    day_ns = day_start_ns(updated, zone=UTC if is_global else NEW_YORK)
    return Snapshot(
        symbol=row.ticker,
        provider=PROVIDER,
        quote=_quote(row, updated, late),
        trade=_trade(row, updated, late),
        minute_bar=_bar(row.ticker, row.min, 0, late),
        day_bar=_bar(row.ticker, row.day, day_ns, late),
        previous_day_bar=_bar(row.ticker, row.prev_day, 0, late),
        change=row.todays_change,
        change_percent=row.todays_change_perc,
        is_delayed=late,
        updated_ns=updated,
    )


def _bar(symbol: str, part: BarPart | None, time_ns: int, late: bool) -> Bar | None:
    if part is None or not part.c:
        return None
    return Bar(
        symbol=symbol,
        time_ns=ns_by_size(part.t) or time_ns,
        provider=PROVIDER,
        is_delayed=late,
        open=part.o,
        high=part.h,
        low=part.l,
        close=part.c,
        volume=part.v,
        trade_count=part.n,
        vwap=part.vw or None,
    )


def _trade(row: SnapshotRow, updated: int | None, late: bool) -> Trade | None:
    part = row.last_trade
    if part is None or not part.p:
        return None
    return Trade(
        symbol=row.ticker,
        time_ns=ns_by_size(part.t) or updated or 0,
        provider=PROVIDER,
        is_delayed=late,
        price=part.p,
        size=part.s if part.ds is None else number(part.ds),
        id="" if part.i is None else str(part.i),
        exchange=word_or_none(part.x),
        conditions=words(part.c),
    )


def _quote(row: SnapshotRow, updated: int | None, late: bool) -> Quote | None:
    part = row.last_quote
    if part is None or not (part.p or part.P or part.a or part.b):
        return None
    exchange = word_or_none(part.x)
    return Quote(
        symbol=row.ticker,
        time_ns=ns_by_size(part.t) or updated or 0,
        provider=PROVIDER,
        is_delayed=late,
        bid=part.p or part.b,
        ask=part.P or part.a,
        bid_size=part.s,
        ask_size=part.S,
        bid_exchange=exchange,
        ask_exchange=exchange,
    )


_decode_many = bulk_decoder(SnapshotRow, "tickers")


def read_many(answer: Bulk[SnapshotRow]) -> Rows[Snapshot]:
    """The snapshots of every ticker in the answer."""
    late = answer.envelope.is_delayed
    return read_good_rows(answer, lambda row: read_row(row, late=late))


def read_one(raw: Json, *, symbol: str) -> Snapshot:
    """The snapshot under ``ticker``."""
    row = msgspec.convert(member(raw, "ticker"), SnapshotRow, strict=False)
    check_about(symbol, row.ticker)
    return read_row(row, late=raw.get("status") == "DELAYED")


def read_book(raw: Json, *, symbol: str) -> OrderBook:
    """The book under ``data``, whose levels give sizes by exchange id."""
    data = member(raw, "data")
    check_about(symbol, data.get("ticker"))

    def levels(name: str) -> tuple[BookLevel, ...]:
        rows = data.get(name) or ()
        return tuple(
            BookLevel.read({"price": row["p"], "sizes": row.get("x") or {}}) for row in rows
        )

    return OrderBook.read(
        {
            **data,
            "bids": levels("bids"),
            "asks": levels("asks"),
            "bid_count": data.get("bidCount"),
            "ask_count": data.get("askCount"),
            "updated_ns": ns_by_size(data.get("updated")),
        }
    )


def _wanted(tickers: Iterable[str] | None) -> str | None:
    return None if tickers is None else ",".join(map(checked, tickers))


@api.get("/v2/snapshot/locale/us/markets/stocks/tickers", returns=read_many, decode=_decode_many)
def stock_snapshots(
    tickers: Iterable[str] | None = None, *, include_otc: bool | None = None
) -> Parts:
    """Snapshots of these stocks, or of all; a ticker not known is missing in the answer."""
    return Parts(query={"tickers": _wanted(tickers), "include_otc": include_otc})


@api.get("/v2/snapshot/locale/us/markets/stocks/tickers/{ticker}", returns=read_one)
def stock_snapshot(ticker: str) -> Parts:
    """The snapshot of one stock."""
    return Parts(path={"ticker": checked(ticker)}, context={"symbol": ticker})


@api.get(
    "/v2/snapshot/locale/us/markets/stocks/{direction}", returns=read_many, decode=_decode_many
)
def stock_movers(direction: str, *, include_otc: bool | None = None) -> Parts:
    """The 20 stocks that rose (``gainers``) or fell (``losers``) most today."""
    return Parts(path={"direction": direction}, query={"include_otc": include_otc})


@api.get(
    "/v2/snapshot/locale/global/markets/crypto/tickers", returns=read_many, decode=_decode_many
)
def crypto_snapshots(tickers: Iterable[str] | None = None) -> Parts:
    """Snapshots of these crypto pairs, or of all."""
    return Parts(query={"tickers": _wanted(tickers)})


@api.get("/v2/snapshot/locale/global/markets/crypto/tickers/{ticker}", returns=read_one)
def crypto_snapshot(ticker: str) -> Parts:
    """The snapshot of one crypto pair."""
    return Parts(path={"ticker": checked(ticker)}, context={"symbol": ticker})


@api.get("/v2/snapshot/locale/global/markets/crypto/tickers/{ticker}/book", returns=read_book)
def crypto_book(ticker: str) -> Parts:
    """The order book of one crypto pair."""
    return Parts(path={"ticker": checked(ticker)}, context={"symbol": ticker})


@api.get(
    "/v2/snapshot/locale/global/markets/crypto/{direction}",
    returns=read_many,
    decode=_decode_many,
)
def crypto_movers(direction: str) -> Parts:
    """The 20 crypto pairs that rose (``gainers``) or fell (``losers``) most today."""
    return Parts(path={"direction": direction})


@api.get("/v2/snapshot/locale/global/markets/forex/tickers", returns=read_many, decode=_decode_many)
def forex_snapshots(tickers: Iterable[str] | None = None) -> Parts:
    """Snapshots of these currency pairs, or of all."""
    return Parts(query={"tickers": _wanted(tickers)})


@api.get("/v2/snapshot/locale/global/markets/forex/tickers/{ticker}", returns=read_one)
def forex_snapshot(ticker: str) -> Parts:
    """The snapshot of one currency pair."""
    return Parts(path={"ticker": checked(ticker)}, context={"symbol": ticker})


@api.get(
    "/v2/snapshot/locale/global/markets/forex/{direction}",
    returns=read_many,
    decode=_decode_many,
)
def forex_movers(direction: str) -> Parts:
    """The 20 currency pairs that rose (``gainers``) or fell (``losers``) most today."""
    return Parts(path={"direction": direction})


def whole_market(market: str, **options: Any) -> Call[Rows[Snapshot]]:
    """A snapshot of everything in a market."""
    builds: dict[str, Callable[..., Call[Rows[Snapshot]]]] = {
        "stocks": stock_snapshots,
        "crypto": crypto_snapshots,
        "forex": forex_snapshots,
    }
    return _of(builds, market)(None, **options)


def movers(market: str, direction: str, **options: Any) -> Call[Rows[Snapshot]]:
    """Those that moved most today."""
    builds: dict[str, Callable[..., Call[Rows[Snapshot]]]] = {
        "stocks": stock_movers,
        "crypto": crypto_movers,
        "forex": forex_movers,
    }
    return _of(builds, market)(direction, **options)


def _of(
    builds: dict[str, Callable[..., Call[Rows[Snapshot]]]], market: str
) -> Callable[..., Call[Rows[Snapshot]]]:
    if market not in builds:
        raise errors.InvalidRequestError(f"market: {', '.join(builds)}, not {market!r}")
    return builds[market]
