"""When a market is in session: by the vendor, by an exchange's calendar, by one of your own."""

import importlib.util
import sys
from datetime import UTC, date, datetime, time, timedelta
from types import ModuleType

import pytest

from sentio_async import errors
from sentio_async.connectors.alpaca.data import AlpacaData
from sentio_async.connectors.polygon.config import PolygonConfig
from sentio_async.models import TradingDay
from sentio_async.streams.hours import (
    ExchangeCalendar,
    SessionHours,
    VendorCalendar,
    days_without,
    hours_of,
    new_york_session,
)

FRIDAY = date(2026, 11, 27)
"""The day after Thanksgiving: the stock market closes at 13:00."""


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=UTC)


async def thanksgiving(start: date, end: date) -> list[TradingDay]:
    return list(days_without(start, end, [date(2026, 11, 26)], {FRIDAY: time(13)}))


class Own:
    """A market that is open twice a day."""

    def __init__(self) -> None:
        self.asked: list[tuple[date, date]] = []

    async def sessions(self, start, end):
        self.asked.append((start, end))
        if len(self.asked) > 1:
            raise OSError("no answer")
        days = [start + timedelta(days=n) for n in range((end - start).days + 1)]
        hours = ((1, 3), (5, 8))
        return [
            (datetime.combine(day, time(a), UTC), datetime.combine(day, time(b), UTC))
            for day in days
            for a, b in hours
        ]


async def test_holidays_and_half_days_are_no_time_for_trading():
    hours = SessionHours(VendorCalendar(thanksgiving))
    assert hours.is_open(at("26T15:00")), "until the calendar is read, any weekday counts"

    await hours.refresh(at("24T15:00"))

    assert hours.is_open(at("25T14:30"))
    assert not hours.is_open(at("25T14:29"))
    assert not hours.is_open(at("26T15:00"))
    assert hours.is_open(at("27T17:59"))
    assert not hours.is_open(at("27T18:00"))
    assert not hours.is_open(at("28T15:00"))
    assert hours.is_open(datetime(2026, 12, 21, 15, tzinfo=UTC)), "beyond what was read"


async def test_a_calendar_of_your_own_is_read_twice_a_day_and_kept_when_it_fails():
    own = Own()
    hours = hours_of(own, thanksgiving)
    for hour in range(14):
        await hours.refresh(at("24T12:00") + timedelta(hours=hour))

    assert len(own.asked) == 2
    assert own.asked[0] == (date(2026, 11, 24), date(2026, 12, 8))
    assert isinstance(hours.last_error, OSError)
    for text, is_open in (("25T02:00", True), ("25T04:00", False), ("25T05:00", True)):
        assert hours.is_open(at(text)) is is_open


async def test_the_calendar_of_an_exchange_needs_its_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(errors.MissingExtraError, match=r"sentio-async\[calendars\]"):
        AlpacaData({"api_key": "PK" + "K" * 18, "api_secret": "s", "calendar": "XNYS"})


class Moment:
    """As pandas has them."""

    def __init__(self, text: str) -> None:
        self.text = text

    def to_pydatetime(self) -> datetime:
        return at(self.text)


class Hongkong:
    """As `exchange_calendars` has them: a break at noon, and a half day."""

    def sessions_in_range(self, start, end):
        assert (start, end) == ("2026-11-24", "2026-12-08")
        return ["24", "25", "26"]

    def session_open(self, day):
        return Moment(f"{day}T01:30")

    def session_close(self, day):
        return Moment({"24": "24T08:00", "25": "25T04:00", "26": "26T08:00"}[day])

    def session_has_break(self, day):
        return day != "25"

    def session_break_start(self, day):
        return Moment(f"{day}T04:00")

    def session_break_end(self, day):
        return Moment(f"{day}T05:00")


async def test_breaks_and_half_days_of_an_exchange_are_known(monkeypatch):
    package = ModuleType("exchange_calendars")
    package.get_calendar = {"XHKG": Hongkong()}.__getitem__
    monkeypatch.setitem(sys.modules, "exchange_calendars", package)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: package)
    hours = SessionHours(ExchangeCalendar("XHKG"))

    await hours.refresh(at("24T12:00"))

    wanted = {"24T05:30": True, "24T08:00": False, "25T03:59": True, "25T04:30": False}
    wanted |= {"26T03:59": True, "26T04:30": False, "26T05:00": True, "27T03:00": False}
    assert {text: hours.is_open(at(text)) for text in wanted} == wanted


def test_what_is_no_calendar_is_refused():
    with pytest.raises(errors.ConfigurationError):
        AlpacaData({"api_key": "PK" + "K" * 18, "api_secret": "s", "calendar": 5})
    assert PolygonConfig(api_key="k", calendar=Own()).calendar.asked == []


def test_a_session_is_as_long_as_new_york_says():
    opens, closes = new_york_session(FRIDAY, time(13))

    assert (opens, closes) == (at("27T14:30"), at("27T18:00"))
