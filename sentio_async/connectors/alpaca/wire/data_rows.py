"""Alpaca's market-data rows as everybody's: quotes, trades, bars, snapshots, by symbol.

Rows are read all at once: a call for each, and keywords in it, would double what a row costs.
A condition is a list of words for stocks and one letter for options; a blank one says nothing.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, TypeVar

from sentio_async import errors
from sentio_async.connectors.alpaca.wire.data_raw import (
    ANY_FEED,
    PROVIDER,
    Feed,
    History,
    Latest,
    RawBar,
    RawOptionSnapshot,
    RawPastBar,
    RawQuote,
    RawSnapshot,
    RawTrade,
)
from sentio_async.http.reading import ns_from_text, read_rows
from sentio_async.http.times import ns_from_starts, ns_from_texts, ns_from_times
from sentio_async.models import (
    Bar,
    Bars,
    Batch,
    Greeks,
    OptionSnapshot,
    Page,
    Quote,
    Rows,
    Snapshot,
    Trade,
)

__all__ = [
    "ANY_FEED",
    "PROVIDER",
    "Feed",
    "History",
    "Latest",
    "RawBar",
    "RawOptionSnapshot",
    "RawPastBar",
    "RawQuote",
    "RawSnapshot",
    "RawTrade",
    "as_snapshots",
    "bars_page",
    "each",
    "latest_bar",
    "latest_bars",
    "latest_quote",
    "latest_quotes",
    "latest_trade",
    "latest_trades",
    "one_by_one",
    "option_snapshots",
    "page_of",
    "quotes_page",
    "read_bars",
    "read_quotes",
    "read_trades",
    "snapshots",
    "trades_page",
]

R = TypeVar("R")
T = TypeVar("T")

Read = Callable[[Iterable[str], Sequence[Any], Feed], list[Any]]
"""Rows of these symbols, one each; raises DecodeError if any of them cannot be read."""

_BLANK = frozenset({"", " "})
"""Codes that say nothing."""
_TAKER = {"B": "buy", "S": "sell"}
_AT_ONCE = 1000
"""Rows of which all columns are taken before the next rows: so many stay in a processor's cache."""


def one_by_one(read: Callable[[str, R, Feed], T]) -> Read:
    """A reader of all rows, from one of a single row."""
    return lambda symbols, rows, feed: [
        read(symbol, row, feed) for symbol, row in zip(symbols, rows, strict=False)
    ]


def _conditions(raw: str | tuple[str, ...] | None) -> tuple[str, ...]:
    if isinstance(raw, tuple):
        return raw
    return (raw,) if raw and raw.strip() else ()


def read_quotes(symbols: Iterable[str], rows: Sequence[RawQuote], feed: Feed) -> list[Quote]:
    """A quote of each row."""
    name, is_delayed, blank = feed.name, feed.is_delayed, _BLANK
    times = ns_from_texts([row.t for row in rows])
    return [
        Quote(
            symbol,
            time_ns,
            PROVIDER,
            row.bp,
            row.ap,
            row.bs,
            row.size_asked,
            None if row.bx in blank else row.bx,
            None if row.ax in blank else row.ax,
            row.c if row.c.__class__ is tuple else _conditions(row.c),
            row.z or None,
            feed=name,
            is_delayed=is_delayed,
        )
        for symbol, time_ns, row in zip(symbols, times, rows, strict=False)
    ]


def read_trades(symbols: Iterable[str], rows: Sequence[RawTrade], feed: Feed) -> list[Trade]:
    """A trade of each row."""
    name, is_delayed, blank = feed.name, feed.is_delayed, _BLANK
    times = ns_from_texts([row.t for row in rows])
    return [
        Trade(
            symbol,
            time_ns,
            PROVIDER,
            row.p,
            row.s,
            "" if row.i is None else str(row.i),
            None if row.x in blank else row.x,
            row.c if row.c.__class__ is tuple else _conditions(row.c),
            row.z or None,
            _TAKER.get(row.tks, row.tks) if row.tks else None,
            row.u or None,
            feed=name,
            is_delayed=is_delayed,
        )
        for symbol, time_ns, row in zip(symbols, times, rows, strict=False)
    ]


def read_bars(symbols: Iterable[str], rows: Sequence[RawBar], feed: Feed) -> list[Bar]:
    """A bar of each row."""
    times = ns_from_starts([row.t for row in rows])
    return [
        Bar(
            symbol,
            time_ns,
            PROVIDER,
            row.o,
            row.h,
            row.l,
            row.c,
            row.v,
            None if row.n == -1 else row.n,
            None if row.vw != row.vw else row.vw,
            feed=feed.name,
            is_delayed=feed.is_delayed,
        )
        for symbol, time_ns, row in zip(symbols, times, rows, strict=False)
    ]


def _parts(read: Read, symbols: Iterable[str], parts: Sequence[Any], feed: Feed) -> list[Any]:
    """A value of each part that is there, and None for one that is not."""
    there = [
        (symbol, part) for symbol, part in zip(symbols, parts, strict=True) if part is not None
    ]
    values = iter(read([symbol for symbol, _ in there], [part for _, part in there], feed))
    return [None if part is None else next(values) for part in parts]


def read_snapshots(
    symbols: Iterable[str], rows: Sequence[RawSnapshot], feed: Feed
) -> list[Snapshot]:
    """A snapshot of each row."""
    names = list(symbols)
    quotes = _parts(read_quotes, names, [row.latest_quote for row in rows], feed)
    trades = _parts(read_trades, names, [row.latest_trade for row in rows], feed)
    minutes = _parts(read_bars, names, [row.minute_bar for row in rows], feed)
    days = _parts(read_bars, names, [row.daily_bar for row in rows], feed)
    previous = _parts(read_bars, names, [row.prev_daily_bar for row in rows], feed)
    return [
        Snapshot(
            symbol=symbol,
            provider=PROVIDER,
            quote=quote,
            trade=trade,
            minute_bar=minute,
            day_bar=day,
            previous_day_bar=before,
            feed=feed.name,
            is_delayed=feed.is_delayed,
        )
        for symbol, quote, trade, minute, day, before in zip(
            names, quotes, trades, minutes, days, previous, strict=True
        )
    ]


def read_option_snapshots(
    symbols: Iterable[str], rows: Sequence[RawOptionSnapshot], feed: Feed
) -> list[OptionSnapshot]:
    """A snapshot of each row, with what Alpaca computes."""
    names = list(symbols)
    quotes = _parts(read_quotes, names, [row.latest_quote for row in rows], feed)
    trades = _parts(read_trades, names, [row.latest_trade for row in rows], feed)
    days = _parts(read_bars, names, [row.daily_bar for row in rows], feed)
    return [
        OptionSnapshot(
            symbol=symbol,
            provider=PROVIDER,
            # An OCC symbol: root, then six digits of date, C or P, eight digits of price.
            underlying=symbol[:-15] or None,
            quote=quote,
            trade=trade,
            day_bar=day,
            greeks=None if not row.greeks else _greeks(row.greeks),
            implied_volatility=row.implied_volatility,
            feed=feed.name,
            is_delayed=feed.is_delayed,
        )
        for symbol, row, quote, trade, day in zip(names, rows, quotes, trades, days, strict=True)
    ]


def _greeks(raw: Mapping[str, float | None]) -> Greeks:
    return Greeks(
        delta=raw.get("delta"),
        gamma=raw.get("gamma"),
        theta=raw.get("theta"),
        vega=raw.get("vega"),
        rho=raw.get("rho"),
    )


def each(raw: Latest, read: Read, feed: Feed) -> Batch[Any]:
    """One value a symbol; a row that cannot be read costs only its own symbol."""
    results: dict[str, Any] = dict(raw.failed)
    try:
        found = read(raw.rows, list(raw.rows.values()), feed)
        results.update(zip(raw.rows, found, strict=True))
    except errors.DecodeError:
        for symbol, row in raw.rows.items():
            try:
                (results[symbol],) = read([symbol], [row], feed)
            except errors.DecodeError as exc:
                results[symbol] = exc
    return Batch(results)


def latest_quotes(raw: Latest, *, feed: Feed = ANY_FEED) -> Batch[Quote]:
    """The latest quote of each symbol; a symbol without one is absent."""
    return each(raw, read_quotes, feed)


def latest_quote(raw: Any, *, feed: Feed = ANY_FEED) -> Quote | None:
    """The latest quote of one symbol; None when there is none."""
    row = raw.rows
    if row is None:
        return None
    # As read_quotes does, without a list of one: no call is made more often than this.
    return Quote(
        raw.symbol,
        ns_from_text(row.t),
        PROVIDER,
        row.bp,
        row.ap,
        row.bs,
        row.size_asked,
        None if row.bx in _BLANK else row.bx,
        None if row.ax in _BLANK else row.ax,
        row.c if row.c.__class__ is tuple else _conditions(row.c),
        row.z or None,
        feed=feed.name,
        is_delayed=feed.is_delayed,
    )


def latest_trade(raw: Any, *, feed: Feed = ANY_FEED) -> Trade | None:
    """The latest trade of one symbol; None when there is none."""
    return None if raw.rows is None else read_trades((raw.symbol,), (raw.rows,), feed)[0]


def latest_bar(raw: Any, *, feed: Feed = ANY_FEED) -> Bar | None:
    """The latest minute bar of one symbol; None when there is none."""
    return None if raw.rows is None else read_bars((raw.symbol,), (raw.rows,), feed)[0]


def latest_trades(raw: Latest, *, feed: Feed = ANY_FEED) -> Batch[Trade]:
    """The latest trade of each symbol."""
    return each(raw, read_trades, feed)


def latest_bars(raw: Latest, *, feed: Feed = ANY_FEED) -> Batch[Bar]:
    """The latest minute bar of each symbol."""
    return each(raw, read_bars, feed)


def snapshots(raw: Latest, *, feed: Feed = ANY_FEED) -> Batch[Snapshot]:
    """The snapshot of each symbol."""
    return each(raw, read_snapshots, feed)


def option_snapshots(raw: Latest, *, feed: Feed = ANY_FEED) -> Page[Batch[OptionSnapshot]]:
    """The snapshots of contracts, and where the rest is."""
    return Page(each(raw, read_option_snapshots, feed), raw.next)


def as_snapshots(found: Batch[OptionSnapshot]) -> Batch[Snapshot]:
    """What options' snapshots have in common with those of other markets."""
    return Batch({symbol: _as_snapshot(row) for symbol, row in found.items()})


def _as_snapshot(row: OptionSnapshot | errors.ConnectorError) -> Snapshot | errors.ConnectorError:
    if isinstance(row, errors.ConnectorError):
        return row
    return Snapshot(
        symbol=row.symbol,
        provider=row.provider,
        quote=row.quote,
        trade=row.trade,
        day_bar=row.day_bar,
        feed=row.feed,
        is_delayed=row.is_delayed,
    )


def page_of(raw: History, read: Read, feed: Feed) -> Page[dict[str, Rows[Any]]]:
    """Rows by symbol, as ``read`` gives them; bad ones are reported beside the good."""
    items = {}
    for symbol, rows in raw.rows.items():
        good = _good_rows(symbol, rows, read, feed)
        skipped = raw.skipped.get(symbol)
        items[symbol] = Rows(good, (*skipped, *good.skipped)) if skipped else good
    return Page(items, raw.next)


def _good_rows(symbol: str, rows: Sequence[Any], read: Read, feed: Feed) -> Rows[Any]:
    try:
        return Rows(read(repeat(symbol), rows, feed))
    except errors.DecodeError:
        return read_rows(rows, lambda row: read([symbol], [row], feed)[0], what=symbol)


def quotes_page(raw: History, *, feed: Feed = ANY_FEED) -> Page[dict[str, Rows[Quote]]]:
    """Quotes by symbol, and where the rest is."""
    return page_of(raw, read_quotes, feed)


def trades_page(raw: History, *, feed: Feed = ANY_FEED) -> Page[dict[str, Rows[Trade]]]:
    """Trades by symbol, and where the rest is."""
    return page_of(raw, read_trades, feed)


def bars_page(raw: History, *, step: str = "", feed: Feed = ANY_FEED) -> Page[dict[str, Bars]]:
    """Bars by symbol, and where the rest is."""
    series = {}
    for symbol, found in raw.rows.items():
        rows, skipped = found, raw.skipped.get(symbol, [])
        try:
            times = ns_from_times([row.t for row in rows])
        except OverflowError:
            rows = read_rows(found, _with_near_time, what=symbol)
            times, skipped = ns_from_times([row.t for row in rows]), [*skipped, *rows.skipped]
        bars = Bars(symbol, provider=PROVIDER, step=step, feed=feed.name)
        bars.is_delayed, bars.skipped = feed.is_delayed, tuple(skipped)
        _add(bars, times, rows)
        series[symbol] = bars
    return Page(series, raw.next)


def _with_near_time(row: RawPastBar) -> RawPastBar:
    # "No time" comes as the year 1; 64 bits of nanoseconds reach to 2262.
    if abs(row.t.year - 1970) > 291:
        raise errors.DecodeError(f"a time is needed, not {row.t.isoformat()}")
    return row


def _add(bars: Bars, times: array[int], rows: Sequence[RawPastBar]) -> None:
    for begin in range(0, len(rows), _AT_ONCE):
        part = rows[begin : begin + _AT_ONCE]
        columns: dict[str, Sequence[Any]] = {
            "times_ns": times[begin : begin + _AT_ONCE],
            "open": [row.o for row in part],
            "high": [row.h for row in part],
            "low": [row.l for row in part],
            "close": [row.c for row in part],
            "volume": [row.v for row in part],
            "vwap": [row.vw for row in part],
            "trade_count": [row.n for row in part],
        }
        bars.add_columns(columns)
