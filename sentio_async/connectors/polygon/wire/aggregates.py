"""Aggregates: bars of one ticker, of the whole market, of the previous day; open and close.

https://massive.com/docs/rest/stocks/aggregates/custom-bars
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any

import msgspec

from sentio_async import errors
from sentio_async.connectors.polygon.moments import MAX_NS, Moment, given_ns, milliseconds
from sentio_async.connectors.polygon.values import CryptoOpenClose, OpenClose
from sentio_async.connectors.polygon.wire.bulk import (
    Bulk,
    bulk_decoder,
    check_whole,
    read_good_rows,
)
from sentio_async.connectors.polygon.wire.envelope import LONG, PROVIDER, api, next_target
from sentio_async.connectors.polygon.wire.tickers import check_about, checked, of_market
from sentio_async.http.endpoint import Call, Parts
from sentio_async.http.times import ns_from_milliseconds
from sentio_async.models import Bar, Bars, Page, Rows
from sentio_async.models.timeframe import Timeframe
from sentio_async.resilience.limiter import Priority

__all__ = [
    "Aggregate",
    "aggregates",
    "crypto_open_close",
    "grouped_crypto",
    "grouped_forex",
    "grouped_stocks",
    "open_close",
    "previous_day",
    "step_name",
    "timespan",
]

MAX_LIMIT = 50_000
MAX_MS = MAX_NS // 1_000_000
_NAN = float("nan")
_AT_ONCE = 1000
"""Rows of which all columns are taken before the next rows: so many stay in a processor's cache."""
_WORDS = {"Sec": "second", "Min": "minute"}
# The vendor has nothing older.
_EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)


class Aggregate(msgspec.Struct, gc=False, kw_only=True):
    """One bar; an index has neither volume nor trades."""

    # In the vendor's order, which is quicker to decode.
    T: str | None = None
    v: float = 0.0
    # What is left out is as columns of bars have it; null is rare, and seen to there.
    vw: float | None = _NAN
    o: float
    c: float
    h: float
    l: float  # noqa: E741 (the vendor's own name)
    t: Annotated[int, msgspec.Meta(ge=-MAX_MS, le=MAX_MS)]
    n: Annotated[int, msgspec.Meta(ge=0, le=MAX_NS)] | None = -1


def timespan(timeframe: str) -> tuple[int, str]:
    """``"5Min"``, ``"1Day"``, ``"1h"``, ``"1M"`` as multiplier and unit."""
    read = Timeframe.read(timeframe)
    return read.count, _WORDS.get(read.unit, read.unit.lower())


def step_name(timeframe: str) -> str:
    """The same name for every spelling of a timeframe: ``5Min``, ``1Day``."""
    return str(Timeframe.read(timeframe))


def no_bars(symbol: str, timeframe: str) -> Bars:
    """Bars to which pages can be added."""
    return Bars(symbol, provider=PROVIDER, step=step_name(timeframe))


def page_size(timeframe: str, limit: int | None) -> int:
    """How many base bars to ask for, so that few wanted bars do not bring many.

    Only for steps that are base bars themselves: a longer one could be cut in its middle.
    """
    is_base = timespan(timeframe) in ((1, "minute"), (1, "day"))
    return MAX_LIMIT if limit is None or not is_base else max(1, min(limit, MAX_LIMIT))


def back_from(end: Moment, timeframe: str, count: int) -> Moment:
    """A time before ``end`` after which there should be ``count`` bars, nights and all."""
    milliseconds(end)  # raises for what is no time
    span = Timeframe.read(timeframe).reach(count)
    if not isinstance(end, date):
        return max(0, given_ns(end) - int(span.total_seconds()) * 1_000_000_000)
    earliest = _EARLIEST if isinstance(end, datetime) else _EARLIEST.date()
    try:
        return max(earliest, end - span)
    except OverflowError:
        return earliest


def read_bars(answer: Bulk[Aggregate], *, symbol: str, step: str) -> Page[Bars]:
    """One page of bars, by column."""
    check_about(symbol, answer.envelope.ticker)
    bars = Bars(symbol, provider=PROVIDER, step=step, is_delayed=answer.envelope.is_delayed)
    rows = answer.rows
    for begin in range(0, len(rows), _AT_ONCE):
        part = rows[begin : begin + _AT_ONCE]
        columns: dict[str, Sequence[Any]] = {
            "times_ns": ns_from_milliseconds([row.t for row in part]),
            "open": [row.o for row in part],
            "high": [row.h for row in part],
            "low": [row.l for row in part],
            "close": [row.c for row in part],
            "volume": [row.v for row in part],
            "vwap": [row.vw for row in part],
            "trade_count": [row.n for row in part],
        }
        bars.add_columns(columns)
    bars.skipped = answer.skipped
    return Page(bars, next_target(answer.envelope.next_url))


def read_market(answer: Bulk[Aggregate]) -> Rows[Bar]:
    """One bar of each ticker."""
    check_whole(answer.envelope.next_url)
    late = answer.envelope.is_delayed
    return read_good_rows(
        answer, lambda rows: [read_bar(row, row.T or "", is_delayed=late) for row in rows]
    )


def read_previous(answer: Bulk[Aggregate], *, symbol: str) -> Bar:
    """The one bar there is."""
    check_about(symbol, answer.envelope.ticker)
    if not answer.rows:
        raise errors.SymbolNotFoundError(f"{symbol}: no previous day", symbol=symbol)
    check_about(symbol, answer.rows[0].T)
    return read_bar(answer.rows[0], symbol, is_delayed=answer.envelope.is_delayed)


def read_bar(row: Aggregate, symbol: str, *, is_delayed: bool = False) -> Bar:
    """One bar as a value."""
    return Bar(
        symbol,
        row.t * 1_000_000,
        PROVIDER,
        row.o,
        row.h,
        row.l,
        row.c,
        row.v,
        None if row.n == -1 else row.n,
        None if row.vw != row.vw else row.vw,
        is_delayed=is_delayed,
    )


_decode = bulk_decoder(Aggregate)


@api.get(
    "/v2/aggs/ticker/{ticker}/range/{multiplier}/{timespan}/{from}/{to}",
    returns=read_bars,
    decode=_decode,
    priority=Priority.HISTORY,
    max_body=LONG,
)
def aggregates(
    ticker: str,
    timeframe: str,
    start: Moment,
    end: Moment,
    *,
    adjusted: bool | None = None,
    order: str | None = "asc",
    limit: int = MAX_LIMIT,
) -> Parts:
    """Bars of one ticker.

    ``limit`` counts the minute or day bars that these are made of, so a page can be far shorter.
    """
    multiplier, unit = timespan(timeframe)
    path = {
        "ticker": checked(ticker),
        "multiplier": str(multiplier),
        "timespan": unit,
        "from": milliseconds(start),
        "to": milliseconds(end),
    }
    return Parts(
        path=path,
        query={"adjusted": adjusted, "sort": order, "limit": limit},
        context={"symbol": ticker, "step": step_name(timeframe)},
    )


@api.get("/v2/aggs/ticker/{ticker}/prev", returns=read_previous, decode=_decode)
def previous_day(ticker: str, *, adjusted: bool | None = None) -> Parts:
    """The bar of the previous trading day."""
    return Parts(
        path={"ticker": checked(ticker)},
        query={"adjusted": adjusted},
        context={"symbol": ticker},
    )


@api.get("/v2/aggs/grouped/locale/us/market/stocks/{date}", returns=read_market, decode=_decode)
def grouped_stocks(
    on: date, *, adjusted: bool | None = None, include_otc: bool | None = None
) -> Parts:
    """The daily bar of every stock."""
    query = {"adjusted": adjusted, "include_otc": include_otc}
    return Parts(path={"date": on.isoformat()}, query=query)


@api.get("/v2/aggs/grouped/locale/global/market/crypto/{date}", returns=read_market, decode=_decode)
def grouped_crypto(on: date, *, adjusted: bool | None = None) -> Parts:
    """The daily bar of every crypto pair."""
    return Parts(path={"date": on.isoformat()}, query={"adjusted": adjusted})


@api.get("/v2/aggs/grouped/locale/global/market/fx/{date}", returns=read_market, decode=_decode)
def grouped_forex(on: date, *, adjusted: bool | None = None) -> Parts:
    """The daily bar of every currency pair."""
    return Parts(path={"date": on.isoformat()}, query={"adjusted": adjusted})


def grouped(market: str, on: date, **options: Any) -> Call[Rows[Bar]]:
    """The daily bar of everything in a market."""
    builds: dict[str, Callable[..., Call[Rows[Bar]]]] = {
        "stocks": grouped_stocks,
        "crypto": grouped_crypto,
        "fx": grouped_forex,
    }
    return of_market(builds, market)(on, **options)


def read_open_close(raw: Any, *, symbol: str) -> OpenClose:
    """Open and close, with what was traded before and after."""
    found = OpenClose.read(raw)
    check_about(symbol, found.symbol)
    return found


@api.get("/v1/open-close/{ticker}/{date}", returns=read_open_close)
def open_close(ticker: str, on: date, *, adjusted: bool | None = None) -> Parts:
    """Open, close and extended-hours prices of one day."""
    return Parts(
        path={"ticker": checked(ticker), "date": on.isoformat()},
        query={"adjusted": adjusted},
        context={"symbol": ticker},
    )


def read_crypto_open_close(raw: Any, *, symbol: str) -> CryptoOpenClose:
    """Open and close, with the trades that made them."""
    found = CryptoOpenClose.read(raw)
    check_about(symbol, found.symbol)
    return found


@api.get("/v1/open-close/crypto/{from}/{to}/{date}", returns=read_crypto_open_close)
def crypto_open_close(
    base: str, quoted_in: str, on: date, *, adjusted: bool | None = None
) -> Parts:
    """Open and close of a crypto pair on one day, in UTC."""
    return Parts(
        path={"from": base, "to": quoted_in, "date": on.isoformat()},
        query={"adjusted": adjusted},
        context={"symbol": f"{base}-{quoted_in}"},
    )
