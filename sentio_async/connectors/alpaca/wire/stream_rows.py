"""The rows of Alpaca's market-data streams, from their messages.

Times keep their nanoseconds, as text and as the Timestamp extension.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.msgpack import Ext

from sentio_async import errors
from sentio_async.connectors.alpaca.data_values import BookLevel, BookUpdate
from sentio_async.connectors.alpaca.wire.data_rows import PROVIDER, Feed
from sentio_async.connectors.alpaca.wire.stream_messages import (
    RawBand,
    RawBar,
    RawBook,
    RawCancel,
    RawCorrection,
    RawDailyBar,
    RawImbalance,
    RawNews,
    RawQuote,
    RawStatus,
    RawTrade,
    RawUpdatedBar,
    Time,
)
from sentio_async.http.reading import ns_from_text
from sentio_async.models import (
    Bar,
    Imbalance,
    NewsArticle,
    PriceBand,
    Quote,
    Trade,
    TradingStatus,
)
from sentio_async.streams.dialect import Lane

__all__ = ["lanes"]

_TIMESTAMP = -1
_SECONDS = (1 << 34) - 1
_BILLION = 1_000_000_000
_TAKER = {"B": "buy", "S": "sell"}
# "C" takes a trade back; "E" says that it was a mistake.
_CANCELLED = {"C": "canceled", "E": "incorrect"}


def _ns(time: Time) -> int:
    """Epoch nanoseconds; the extension has three lengths."""
    if isinstance(time, str):
        return ns_from_text(time)
    data: bytes = time.data  # type: ignore[assignment]
    if len(data) == 8:
        whole = int.from_bytes(data, "big")
        return (whole & _SECONDS) * _BILLION + (whole >> 34)
    return _ns_of_other_lengths(time)


def _ns_of_other_lengths(time: Ext) -> int:
    data = bytes(time.data)
    if time.code == _TIMESTAMP and len(data) == 4:
        return int.from_bytes(data, "big") * _BILLION
    if time.code == _TIMESTAMP and len(data) == 12:
        seconds = int.from_bytes(data[4:], "big", signed=True)
        return seconds * _BILLION + int.from_bytes(data[:4], "big")
    raise errors.DecodeError(f"a time is needed, not an extension of {len(data)} bytes")


def _words(raw: tuple[str, ...] | str | None) -> tuple[str, ...]:
    if isinstance(raw, tuple):
        return raw
    return (raw,) if raw and raw.strip() else ()


def _code(raw: str | None) -> str | None:
    return raw if raw and raw != " " else None


Reader = Callable[[Any, int], Any]


def _trade_reader(feed: Feed) -> Reader:
    name, is_delayed = feed.name, feed.is_delayed

    def read(raw: RawTrade, received_ns: int) -> Trade:
        return Trade(
            symbol=raw.S,
            time_ns=_ns(raw.t),
            provider=PROVIDER,
            feed=name,
            is_delayed=is_delayed,
            received_ns=received_ns,
            price=raw.p,
            size=raw.s,
            id="" if raw.i is None else str(raw.i),
            exchange=raw.x or None,
            conditions=_words(raw.c),
            tape=raw.z or None,
            taker_side=_TAKER.get(raw.tks, raw.tks) if raw.tks else None,
        )

    return read


def _quote_reader(feed: Feed) -> Reader:
    name, is_delayed = feed.name, feed.is_delayed

    def read(raw: RawQuote, received_ns: int) -> Quote:
        return Quote(
            symbol=raw.S,
            time_ns=_ns(raw.t),
            provider=PROVIDER,
            feed=name,
            is_delayed=is_delayed,
            received_ns=received_ns,
            bid=raw.bp,
            ask=raw.ap,
            bid_size=raw.bs,
            ask_size=raw.size_asked,
            bid_exchange=_code(raw.bx),
            ask_exchange=_code(raw.ax),
            conditions=_words(raw.c),
            tape=raw.z or None,
        )

    return read


def _bar_reader(feed: Feed) -> Reader:
    name, is_delayed = feed.name, feed.is_delayed

    def read(raw: RawBar, received_ns: int) -> Bar:
        return Bar(
            symbol=raw.S,
            time_ns=_ns(raw.t),
            provider=PROVIDER,
            feed=name,
            is_delayed=is_delayed,
            received_ns=received_ns,
            open=raw.o,
            high=raw.h,
            low=raw.l,
            close=raw.c,
            volume=raw.v,
            trade_count=raw.n,
            vwap=raw.vw,
        )

    return read


def _common(raw: Any, received_ns: int, feed: Feed) -> dict[str, Any]:
    return {
        "symbol": raw.S,
        "time_ns": _ns(raw.t),
        "provider": PROVIDER,
        "feed": feed.name,
        "is_delayed": feed.is_delayed,
        "received_ns": received_ns,
    }


def _correction(raw: RawCorrection, common: Mapping[str, Any]) -> Trade:
    return Trade(
        **common,
        price=raw.cp,
        size=raw.cs,
        id=str(raw.ci),
        exchange=raw.x or None,
        conditions=_words(raw.cc),
        tape=raw.z or None,
        correction="corrected",
        corrects=None if raw.oi is None else str(raw.oi),
    )


def _cancel(raw: RawCancel, common: Mapping[str, Any]) -> Trade:
    return Trade(
        **common,
        price=raw.p,
        size=raw.s,
        id=str(raw.i),
        exchange=raw.x or None,
        tape=raw.z or None,
        correction=_CANCELLED.get(raw.a, raw.a or "canceled"),
        corrects=str(raw.i),
    )


def _status(raw: RawStatus, common: Mapping[str, Any]) -> TradingStatus:
    return TradingStatus(
        **common,
        status=raw.sc,
        status_text=raw.sm,
        reason=raw.rc,
        reason_text=raw.rm,
        tape=raw.z or None,
    )


def _band(raw: RawBand, common: Mapping[str, Any]) -> PriceBand:
    indicators = (raw.i,) if raw.i.strip() else ()
    return PriceBand(**common, upper=raw.u, lower=raw.d, indicators=indicators, tape=raw.z or None)


def _imbalance(raw: RawImbalance, common: Mapping[str, Any]) -> Imbalance:
    return Imbalance(**common, price=raw.p, tape=raw.z or None)


def _book(raw: RawBook, received_ns: int) -> BookUpdate:
    return BookUpdate(
        symbol=raw.S,
        time_ns=_ns(raw.t),
        bids=tuple(BookLevel(price=level.p, size=level.s) for level in raw.b),
        asks=tuple(BookLevel(price=level.p, size=level.s) for level in raw.a),
        is_whole=raw.r,
    )


def _article(raw: RawNews, received_ns: int) -> NewsArticle:
    return NewsArticle(
        id=str(raw.id),
        headline=raw.headline,
        url=raw.url or None,
        published_ns=_ns(raw.created_at),
        provider=PROVIDER,
        symbols=raw.symbols,
        author=raw.author or None,
        source=raw.source or None,
        summary=raw.summary,
        content=raw.content,
    )


def lanes(feed: Feed) -> Mapping[type, Lane]:
    """The data messages by kind, for a feed that goes by this name."""

    def usual(read: Callable[[Any, Mapping[str, Any]], Any]) -> Reader:
        return lambda raw, received_ns: read(raw, _common(raw, received_ns, feed))

    return {
        RawTrade: Lane("trades", _trade_reader(feed)),
        RawCorrection: Lane("trades", usual(_correction)),
        RawCancel: Lane("trades", usual(_cancel)),
        RawQuote: Lane("quotes", _quote_reader(feed)),
        RawBar: Lane("bars", _bar_reader(feed)),
        RawUpdatedBar: Lane("updated_bars", _bar_reader(feed)),
        RawDailyBar: Lane("daily_bars", _bar_reader(feed)),
        RawStatus: Lane("statuses", usual(_status)),
        RawBand: Lane("bands", usual(_band)),
        RawImbalance: Lane("imbalances", usual(_imbalance)),
        RawBook: Lane("books", _book),
        RawNews: Lane("news", _article),
    }
