"""Snapshots v2: everything latest about one, many or all tickers of a market; movers; book.

A part can be missing or zero before the open (the vendor clears snapshots at night), and then it
is None.  Times are ns for stocks and ms for crypto and forex.
https://massive.com/docs/rest/stocks/snapshots/full-market-snapshot
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from msgspec.structs import astuple

from sentio_async import errors
from sentio_async.connectors.polygon.moments import (
    DAYS_IN_NEW_YORK,
    DAYS_IN_UTC,
    LEAST_NS,
    MAX_NS,
    QUARTER_HOUR_NS,
    ns_by_size,
)
from sentio_async.connectors.polygon.values import BookLevel, OrderBook
from sentio_async.connectors.polygon.wire.bulk import (
    Bulk,
    bulk_decoder,
    check_whole,
    read_good_rows,
)
from sentio_async.connectors.polygon.wire.envelope import LONG, PROVIDER, api, member, number
from sentio_async.connectors.polygon.wire.tickers import (
    all_checked,
    asset_class,
    check_about,
    checked,
    of_market,
)
from sentio_async.connectors.polygon.wire.ticks import WORD_LISTS, WORDS
from sentio_async.http.endpoint import Call, Parts
from sentio_async.http.wire_json import Json, decode_json
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


# Fields stand in the vendor's order, which is quicker to decode.  Times are whole numbers of any
# unit, and seen to be times where they are read.
class BarPart(msgspec.Struct, gc=False):
    """``day``, ``min`` or ``prevDay``."""

    c: float = 0.0
    h: float = 0.0
    l: float = 0.0  # noqa: E741 (the vendor's own name)
    o: float = 0.0
    v: float = 0.0
    vw: float | None = None
    t: int | None = None
    n: int | None = None


class TradePart(msgspec.Struct, gc=False):
    """``lastTrade``."""

    c: tuple[int, ...] | None = None
    ds: str | None = None
    i: str | int | None = None
    p: float = 0.0
    s: float = 0.0
    t: int | None = None
    x: int | None = None


class QuotePart(msgspec.Struct, gc=False):
    """``lastQuote``: ``P p S s`` for stocks, ``a b`` for currencies."""

    P: float = 0.0
    S: float = 0.0
    a: float = 0.0
    b: float = 0.0
    p: float = 0.0
    s: float = 0.0
    t: int | None = None
    x: int | None = None


class SnapshotRow(msgspec.Struct, gc=False, rename="camel", kw_only=True):
    """One ticker."""

    day: BarPart | None = None
    last_quote: QuotePart | None = None
    last_trade: TradePart | None = None
    min: BarPart | None = None
    prev_day: BarPart | None = None
    ticker: str
    todays_change: float | None = None
    todays_change_perc: float | None = None
    updated: int | None = None


def read_snapshots(rows: Sequence[SnapshotRow], *, late: bool) -> list[Snapshot]:
    """The snapshot of each ticker."""
    found = []
    # Row by row: part by part, each pass would find the rows gone from the processor's cache.
    for row in rows:
        ticker, now = row.ticker, row.updated
        if now is None or not LEAST_NS <= now <= MAX_NS:
            now = ns_by_size(now)
        is_stock = ":" not in ticker or asset_class(ticker) is AssetClass.STOCK
        days = DAYS_IN_NEW_YORK if is_stock else DAYS_IN_UTC
        found.append(
            Snapshot(
                ticker,
                PROVIDER,
                _quote(ticker, row.last_quote, now, late),
                _trade(ticker, row.last_trade, now, late),
                _bar(ticker, row.min, 0, late),
                _bar(ticker, row.day, 0 if now is None else days[now // QUARTER_HOUR_NS], late),
                _bar(ticker, row.prev_day, 0, late),
                row.todays_change,
                row.todays_change_perc,
                None,
                late,
                now,
            )
        )
    return found


def _bar(symbol: str, part: BarPart | None, start: int, late: bool) -> Bar | None:
    if part is None or not part.c:
        return None
    return Bar(
        symbol,
        start if part.t is None else ns_by_size(part.t) or start,
        PROVIDER,
        part.o,
        part.h,
        part.l,
        part.c,
        part.v,
        part.n,
        part.vw or None,
        is_delayed=late,
    )


def _trade(symbol: str, part: TradePart | None, updated: int | None, late: bool) -> Trade | None:
    if part is None or not part.p:
        return None
    time_ns = part.t
    if time_ns is None or not LEAST_NS <= time_ns <= MAX_NS:
        time_ns = ns_by_size(time_ns) or updated or 0
    return Trade(
        symbol,
        time_ns,
        PROVIDER,
        part.p,
        part.s if part.ds is None else number(part.ds),
        "" if part.i is None else str(part.i),
        WORDS[part.x],
        WORD_LISTS[part.c],
        is_delayed=late,
    )


def _quote(symbol: str, part: QuotePart | None, updated: int | None, late: bool) -> Quote | None:
    if part is None or not (part.p or part.P or part.a or part.b):
        return None
    exchange, time_ns = WORDS[part.x], part.t
    if time_ns is None or not LEAST_NS <= time_ns <= MAX_NS:
        time_ns = ns_by_size(time_ns) or updated or 0
    return Quote(
        symbol,
        time_ns,
        PROVIDER,
        part.p or part.b,
        part.P or part.a,
        part.s,
        part.S,
        exchange,
        exchange,
        is_delayed=late,
    )


_decode_many = bulk_decoder(SnapshotRow, "tickers")


def read_many(answer: Bulk[SnapshotRow]) -> Rows[Snapshot]:
    """The snapshots of every ticker in the answer."""
    check_whole(answer.envelope.next_url)
    late = answer.envelope.is_delayed
    return read_good_rows(answer, lambda rows: read_snapshots(rows, late=late))


_many: dict[str, Any] = {"decode": _decode_many, "max_body": LONG}


class _One(msgspec.Struct, gc=False):
    """An answer about one ticker."""

    ticker: SnapshotRow
    status: str


_one = msgspec.json.Decoder(_One)


def _decode_one(body: bytes) -> _One | Json:
    """An answer that holds what it should, or whatever else it is."""
    try:
        answer = _one.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return decode_json(body)
    return answer if answer.status in ("OK", "DELAYED") else decode_json(body)


def _read_texts(raw: Any) -> SnapshotRow:
    """A row whose numbers may be texts; "NaN" and "Infinity" are none."""
    row = msgspec.convert(raw, SnapshotRow, strict=False)
    parts = (row, row.day, row.min, row.prev_day, row.last_quote, row.last_trade)
    values = [value for part in parts if part is not None for value in astuple(part)]
    if not all(math.isfinite(value) for value in values if isinstance(value, float)):
        raise errors.DecodeError(f"{row.ticker}: a number is NaN or infinite")
    return row


def read_one(answer: _One | Json, *, symbol: str) -> Snapshot:
    """The snapshot under ``ticker``."""
    if isinstance(answer, _One):
        row, status = answer.ticker, answer.status
    else:
        row = _read_texts(member(answer, "ticker"))
        status = answer.get("status")
    if row.ticker != symbol:
        check_about(symbol, row.ticker)
    return read_snapshots((row,), late=status == "DELAYED")[0]


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


@api.get("/v2/snapshot/locale/us/markets/stocks/tickers", returns=read_many, **_many)
def stock_snapshots(
    tickers: Iterable[str] | None = None, *, include_otc: bool | None = None
) -> Parts:
    """Snapshots of these stocks, or of all; a ticker not known is missing in the answer."""
    return Parts(query={"tickers": all_checked(tickers), "include_otc": include_otc})


@api.get(
    "/v2/snapshot/locale/us/markets/stocks/tickers/{ticker}", returns=read_one, decode=_decode_one
)
def stock_snapshot(ticker: str) -> Parts:
    """The snapshot of one stock."""
    return Parts(path={"ticker": checked(ticker)}, context={"symbol": ticker})


@api.get("/v2/snapshot/locale/us/markets/stocks/{direction}", returns=read_many, **_many)
def stock_movers(direction: str, *, include_otc: bool | None = None) -> Parts:
    """The 20 stocks that rose (``gainers``) or fell (``losers``) most today."""
    return Parts(path={"direction": direction}, query={"include_otc": include_otc})


@api.get("/v2/snapshot/locale/global/markets/crypto/tickers", returns=read_many, **_many)
def crypto_snapshots(tickers: Iterable[str] | None = None) -> Parts:
    """Snapshots of these crypto pairs, or of all."""
    return Parts(query={"tickers": all_checked(tickers)})


@api.get(
    "/v2/snapshot/locale/global/markets/crypto/tickers/{ticker}",
    returns=read_one,
    decode=_decode_one,
)
def crypto_snapshot(ticker: str) -> Parts:
    """The snapshot of one crypto pair."""
    return Parts(path={"ticker": checked(ticker)}, context={"symbol": ticker})


@api.get("/v2/snapshot/locale/global/markets/crypto/tickers/{ticker}/book", returns=read_book)
def crypto_book(ticker: str) -> Parts:
    """The order book of one crypto pair."""
    return Parts(path={"ticker": checked(ticker)}, context={"symbol": ticker})


@api.get("/v2/snapshot/locale/global/markets/crypto/{direction}", returns=read_many, **_many)
def crypto_movers(direction: str) -> Parts:
    """The 20 crypto pairs that rose (``gainers``) or fell (``losers``) most today."""
    return Parts(path={"direction": direction})


@api.get("/v2/snapshot/locale/global/markets/forex/tickers", returns=read_many, **_many)
def forex_snapshots(tickers: Iterable[str] | None = None) -> Parts:
    """Snapshots of these currency pairs, or of all."""
    return Parts(query={"tickers": all_checked(tickers)})


@api.get(
    "/v2/snapshot/locale/global/markets/forex/tickers/{ticker}",
    returns=read_one,
    decode=_decode_one,
)
def forex_snapshot(ticker: str) -> Parts:
    """The snapshot of one currency pair."""
    return Parts(path={"ticker": checked(ticker)}, context={"symbol": ticker})


@api.get("/v2/snapshot/locale/global/markets/forex/{direction}", returns=read_many, **_many)
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
    return of_market(builds, market)(None, **options)


def movers(market: str, direction: str, **options: Any) -> Call[Rows[Snapshot]]:
    """Those that moved most today."""
    builds: dict[str, Callable[..., Call[Rows[Snapshot]]]] = {
        "stocks": stock_movers,
        "crypto": crypto_movers,
        "forex": forex_movers,
    }
    return of_market(builds, market)(direction, **options)
