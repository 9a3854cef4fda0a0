"""When markets are open: clocks and calendars.

https://docs.alpaca.markets/reference/legacyclock
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from sentio_async import errors
from sentio_async.connectors.alpaca.wire.api import api, names
from sentio_async.connectors.alpaca.wire.numbers import from_new_york
from sentio_async.http.endpoint import Parts
from sentio_async.http.reading import (
    date_from_text,
    ns_from_text,
    read_rows,
    time_from_text,
    utc_from_ns,
)
from sentio_async.http.wire_json import Json
from sentio_async.models import MarketClock, Rows, TradingDay

__all__ = [
    "calendar",
    "clock",
    "market_calendar",
    "market_clocks",
    "read_calendar",
    "read_clock",
    "read_day",
    "read_market_calendar",
    "read_market_clock",
]


def read_clock(raw: Json) -> MarketClock:
    """The clock of the US stock market."""
    return MarketClock(
        at=utc_from_ns(ns_from_text(raw["timestamp"])),
        is_open=raw["is_open"],
        next_open=time_from_text(raw.get("next_open")),
        next_close=time_from_text(raw.get("next_close")),
        raw=raw,
    )


def read_market_clock(raw: Json) -> MarketClock:
    """The clock of any market; open means its core session."""
    return MarketClock(
        at=utc_from_ns(ns_from_text(raw["timestamp"])),
        is_open=raw["phase"] == "core",
        next_open=time_from_text(raw.get("next_market_open")),
        next_close=time_from_text(raw.get("next_market_close")),
        market=raw["market"]["acronym"],
        raw=raw,
    )


def read_market_clocks(raw: Json) -> Rows[MarketClock]:
    """The clocks of several markets."""
    return read_rows(raw["clocks"], read_market_clock, what="clocks")


def read_day(raw: Json) -> TradingDay:
    """A session of the US stock market, told in New York time."""
    on = _day(raw["date"])
    return TradingDay(
        on=on,
        opens_at=_known(from_new_york(on, raw["open"]), "open"),
        closes_at=_known(from_new_york(on, raw["close"]), "close"),
        session_opens_at=from_new_york(on, raw.get("session_open")),
        session_closes_at=from_new_york(on, raw.get("session_close")),
        settles_on=date_from_text(raw.get("settlement_date")),
        raw=raw,
    )


def read_calendar(raw: Json) -> Rows[TradingDay]:
    """Sessions, beside the reasons for those that could not be read."""
    return read_rows(raw, read_day, what="calendar")


def read_market_day(raw: Json) -> TradingDay:
    """A session of any market, told with its offset."""
    return TradingDay(
        on=_day(raw["date"]),
        opens_at=_known(time_from_text(raw["core_start"]), "core_start"),
        closes_at=_known(time_from_text(raw["core_end"]), "core_end"),
        session_opens_at=time_from_text(raw.get("pre_start")),
        session_closes_at=time_from_text(raw.get("post_end")),
        settles_on=date_from_text(raw.get("settlement_date")),
        raw=raw,
    )


def read_market_calendar(raw: Json) -> Rows[TradingDay]:
    """Sessions of any market."""
    return read_rows(raw["calendar"], read_market_day, what="calendar")


def _day(text: str) -> date:
    day = date_from_text(text)
    if day is None:
        raise errors.DecodeError("calendar: a day without a date")
    return day


def _known(at: datetime | None, name: str) -> datetime:
    if at is None:
        raise errors.DecodeError(f"calendar: {name} is empty")
    return at


@api.get("/v2/clock", returns=read_clock)
def clock() -> Parts:
    """Whether the US stock market is open, and when that changes."""
    return Parts()


@api.get("/v2/calendar", returns=read_calendar)
def calendar(
    *, start: date | None = None, end: date | None = None, date_type: str | None = None
) -> Parts:
    """Sessions of the US stock market; both ends belong to the range."""
    return Parts(query={"start": start, "end": end, "date_type": date_type})


@api.get("/v3/clock", returns=read_market_clocks)
def market_clocks(*, markets: Iterable[str] | None = None, at: datetime | None = None) -> Parts:
    """Whether markets are open, now or at another time."""
    return Parts(query={"markets": names(markets), "time": at})


@api.get("/v3/calendar/{market}", returns=read_market_calendar)
def market_calendar(market: str, *, start: date | None = None, end: date | None = None) -> Parts:
    """Sessions of one market."""
    return Parts(path={"market": market}, query={"start": start, "end": end, "timezone": "UTC"})
