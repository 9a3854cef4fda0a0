"""Alpaca's market-data API: what all its declarations share.

https://docs.alpaca.markets/reference/market-data-api
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sentio_async import errors
from sentio_async.connectors.alpaca.wire.data_problems import read_data_problem
from sentio_async.connectors.alpaca.wire.data_rows import Feed
from sentio_async.http.endpoint import Api, QueryValue
from sentio_async.http.reading import ns_from_text, utc_from_ns
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
_UNITS = {
    "Min": ("Min", range(1, 60)),
    "T": ("Min", range(1, 60)),
    "m": ("Min", range(1, 60)),
    "Hour": ("Hour", range(1, 24)),
    "H": ("Hour", range(1, 24)),
    "h": ("Hour", range(1, 24)),
    "Day": ("Day", range(1, 2)),
    "D": ("Day", range(1, 2)),
    "d": ("Day", range(1, 2)),
    "Week": ("Week", range(1, 2)),
    "W": ("Week", range(1, 2)),
    "w": ("Week", range(1, 2)),
    "Month": ("Month", (1, 2, 3, 4, 6, 12)),
    "M": ("Month", (1, 2, 3, 4, 6, 12)),
}
_SECONDS = {"Min": 60, "Hour": 3600, "Day": 86_400, "Week": 604_800, "Month": 2_678_400}
# Alpaca has nothing older than 2016.
_EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
_WORDS = {"minute": "Min", "min": "Min", "hour": "Hour", "day": "Day", "week": "Week"}
_WORDS |= {f"{word}s": unit for word, unit in _WORDS.items()}
_WORDS |= {"month": "Month", "months": "Month", "mo": "Month"}
_TIMEFRAME = re.compile(r"(\d{0,3})\s*([A-Za-z]+)")


def write_timeframe(text: str) -> str:
    """Alpaca's word for a bar's length, from ``5Min``, ``5m``, ``1h``, ``day``, ``1Week``, ``3M``.

    ``m`` is a minute and ``M`` a month.
    """
    found = _TIMEFRAME.fullmatch(str(text).strip())
    if found:
        count, unit = int(found.group(1) or 1), found.group(2)
        name, counts = _UNITS.get(_WORDS.get(unit.lower(), unit), ("", ()))
        if count in counts:
            return f"{count}{name}"
    raise errors.InvalidRequestError(
        f"timeframe: {text!r} is not one of 1-59Min, 1-23Hour, 1Day, 1Week, 1/2/3/4/6/12Month"
    )


def back_from(end: Moment, timeframe: str, count: int) -> datetime:
    """A time before ``end`` after which there should be ``count`` bars, nights and all."""
    found = _TIMEFRAME.fullmatch(write_timeframe(timeframe))
    assert found is not None
    # A session is 6.5 of 24 hours on 5 of 7 days, less holidays.
    seconds = _SECONDS[found.group(2)] * int(found.group(1)) * count * 6
    try:
        return max(_EARLIEST, _as_time(end) - timedelta(seconds=seconds, days=5))
    except OverflowError:
        return _EARLIEST


def _as_time(moment: Moment) -> datetime:
    if isinstance(moment, datetime):
        return moment
    if isinstance(moment, str) and len(moment) > len("YYYY-MM-DD"):
        return utc_from_ns(ns_from_text(moment))
    day = moment if isinstance(moment, date) else date.fromisoformat(moment)
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
