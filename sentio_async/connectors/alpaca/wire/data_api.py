"""Alpaca's market-data API: what all its declarations share.

https://docs.alpaca.markets/reference/market-data-api
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sentio_async import errors
from sentio_async.connectors.alpaca.wire.data_problems import read_data_problem
from sentio_async.connectors.alpaca.wire.data_rows import Feed
from sentio_async.http.endpoint import Api, QueryValue
from sentio_async.http.reading import ns_from_text, utc_from_ns
from sentio_async.models.timeframe import Timeframe
from sentio_async.resilience.limiter import Priority

__all__ = [
    "ANY_TIME",
    "LATEST",
    "MOST_ROWS",
    "Moment",
    "Span",
    "api",
    "back_from",
    "listed",
    "option_feed",
    "stock_feed",
    "stock_history_feed",
    "write_timeframe",
]

Moment = date | datetime | str
"""A time that bounds a question: a date, an aware time, or the vendor's own text."""

LATEST = 100
"""Bars that are given when neither a start nor a number is asked for."""

MOST_ROWS = 10_000
"""Rows of one page of history, counted over all its symbols."""

api = Api("alpaca.data", problem=read_data_problem, priority=Priority.QUOTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which part of a history; without ``start`` Alpaca begins with today."""

    start: Moment | None = None
    end: Moment | None = None
    limit: int | None = MOST_ROWS
    """Rows of one page."""
    descending: bool | None = None
    page_token: str | None = None

    def __post_init__(self) -> None:
        given: dict[str, object] = {"start": self.start, "end": self.end}
        for name, moment in given.items():
            # Alpaca takes an empty one for none, and so for today or for now.
            if moment is not None and not (isinstance(moment, date | str) and moment):
                text = f"{name}: {moment!r} is no time; use an aware datetime or a date"
                raise errors.InvalidRequestError(text)

    def query(self) -> dict[str, QueryValue]:
        """The members of a query string."""
        sort = None if self.descending is None else "desc" if self.descending else "asc"
        return {
            "start": self.start,
            "end": self.end,
            "limit": self.limit,
            "sort": sort,
            "page_token": self.page_token,
        }


ANY_TIME = Span()

_LATE = frozenset({"delayed_sip"})
# The history of the delayed tape is the tape itself.
_HISTORY_FEEDS = {
    "iex": "iex",
    "sip": "sip",
    "delayed_sip": "sip",
    "boats": "boats",
    "otc": "otc",
}
_COUNTS: Mapping[str, Container[int]] = {
    "Min": range(1, 60),
    "Hour": range(1, 24),
    "Day": (1,),
    "Week": (1,),
    "Month": (1, 2, 3, 4, 6, 12),
}
# Alpaca has nothing older than 2016.
_EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)


def write_timeframe(text: str) -> str:
    """Alpaca's word for a bar's length, from ``5Min``, ``5m``, ``1h``, ``day``, ``1Week``, ``3M``.

    ``m`` is a minute and ``M`` a month.
    """
    timeframe = Timeframe.read(text)
    if timeframe.count in _COUNTS.get(timeframe.unit, ()):
        return str(timeframe)
    raise errors.InvalidRequestError(
        f"timeframe: {text!r} is not one of 1-59Min, 1-23Hour, 1Day, 1Week, 1/2/3/4/6/12Month"
    )


def back_from(end: Moment, timeframe: str, count: int) -> datetime:
    """A time before ``end`` after which there should be ``count`` bars, nights and all."""
    try:
        return max(_EARLIEST, _as_time(end) - Timeframe.read(timeframe).reach(count))
    except OverflowError:
        return _EARLIEST


def _as_time(moment: Moment) -> datetime:
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            text = f"time: {moment.isoformat()} has no zone; use an aware one"
            raise errors.InvalidRequestError(text)
        return moment
    try:
        if isinstance(moment, str) and len(moment) > len("YYYY-MM-DD"):
            return utc_from_ns(ns_from_text(moment))
        day = moment if isinstance(moment, date) else date.fromisoformat(moment)
    except (TypeError, ValueError, OverflowError, errors.DecodeError) as exc:
        raise errors.InvalidRequestError(f"time: {moment!r} is none; use an aware one") from exc
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def stock_feed(name: str | None) -> Feed:
    """The feed of latest stock prices; None is the best of the plan, and is not named."""
    return Feed(name, name in _LATE)


def stock_history_feed(name: str | None) -> Feed:
    """The feed of stock history that belongs to a feed of latest prices."""
    if name is None:
        return Feed()
    if name not in _HISTORY_FEEDS:
        raise errors.InvalidRequestError(
            f"feed: {name!r} has no history; use one of {', '.join(sorted(set(_HISTORY_FEEDS)))}"
        )
    return Feed(_HISTORY_FEEDS[name])


def option_feed(name: str | None) -> Feed:
    """The feed of option prices; the free one is late and altered."""
    return Feed(name, name == "indicative")


def listed(symbols: Iterable[str]) -> list[str]:
    """Symbols for one request; a single text is refused, it is not a list."""
    if isinstance(symbols, str):
        raise errors.InvalidRequestError(f"symbols: a list is needed, such as [{symbols!r}]")
    names = list(dict.fromkeys(symbols))
    if not names:
        raise errors.InvalidRequestError("symbols: at least one is needed")
    return names
