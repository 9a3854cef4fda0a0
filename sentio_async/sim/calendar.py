"""New York's trading days and hours, by the exchange's published rules.

https://www.nyse.com/markets/hours-calendars
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from sentio_async.sim.clock import ns_of

NEW_YORK = ZoneInfo("America/New_York")
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day: regular hours and the extended session around them, New York time."""

    day: date
    open: time
    close: time
    session_open: time = time(4)
    session_close: time = time(20)

    def opens_ns(self) -> int:
        """When regular trading begins."""
        return _ns(self.day, self.open)

    def closes_ns(self) -> int:
        """When regular trading ends."""
        return _ns(self.day, self.close)

    def extended_opens_ns(self) -> int:
        """When early trading begins."""
        return _ns(self.day, self.session_open)

    def extended_closes_ns(self) -> int:
        """When late trading ends."""
        return _ns(self.day, self.session_close)


def _ns(day: date, at: time) -> int:
    return ns_of(datetime.combine(day, at, NEW_YORK).astimezone(UTC))


@lru_cache(maxsize=4096)
def midnight_ns(day: date) -> int:
    """The beginning of a New York day."""
    return _ns(day, time(0))


def new_york(ns: int) -> datetime:
    """That moment on New York's clocks."""
    return datetime.fromtimestamp(ns // 1_000_000_000, NEW_YORK)


def day_of(ns: int) -> date:
    """The New York date of that moment."""
    return new_york(ns).date()


@lru_cache(maxsize=4096)
def session_on(day: date) -> Session | None:
    """The session of that date, or None when the exchange is closed all day."""
    if day.weekday() >= 5 or day in holidays(day.year):
        return None
    return Session(day, time(9, 30), time(13) if _closes_early(day) else time(16))


def next_session(day: date) -> Session:
    """The first session on that date or after it."""
    while (session := session_on(day)) is None:
        day += DAY
    return session


def previous_session(day: date) -> Session:
    """The last session before that date."""
    day -= DAY
    while (session := session_on(day)) is None:
        day -= DAY
    return session


def sessions(start: date, end: date) -> list[Session]:
    """Every session from start to end, both included."""
    days = (start + timedelta(days=n) for n in range((end - start).days + 1))
    return [session for day in days if (session := session_on(day)) is not None]


def settlement_of(day: date) -> date:
    """When a trade of that day settles: the next session, and before 28 May 2024 two later."""
    after = next_session(day + DAY).day
    return after if day >= date(2024, 5, 28) else next_session(after + DAY).day


@lru_cache(maxsize=256)
def holidays(year: int) -> frozenset[date]:
    """The full-day closings the rules give for that year."""
    thursdays = _nth(year, 11, 3, 4)
    found = {
        _nth(year, 1, 0, 3),
        _nth(year, 2, 0, 3),
        easter(year) - 2 * DAY,
        _last_monday(year, 5),
        _observed(date(year, 7, 4)),
        _nth(year, 9, 0, 1),
        thursdays,
        _observed(date(year, 12, 25)),
    }
    if year >= 2022:
        found.add(_observed(date(year, 6, 19)))
    new_year = date(year, 1, 1)
    # A New Year's Day on a Saturday is not moved into the old year.
    if new_year.weekday() != 5:
        found.add(_observed(new_year))
    return frozenset(found)


def _closes_early(day: date) -> bool:
    return day == _nth(day.year, 11, 3, 4) + DAY or (day.month, day.day) in {(7, 3), (12, 24)}


def _observed(day: date) -> date:
    return day + {5: -1, 6: 1}.get(day.weekday(), 0) * DAY


def _nth(year: int, month: int, weekday: int, n: int) -> date:
    first = date(year, month, 1)
    return first + ((weekday - first.weekday()) % 7 + 7 * (n - 1)) * DAY


def _last_monday(year: int, month: int) -> date:
    last = date(year, month + 1, 1) - DAY
    return last - last.weekday() * DAY


def easter(year: int) -> date:
    """Western Easter Sunday, by the anonymous Gregorian computus."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    r = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * r) // 451
    month, day = divmod(h + r - 7 * m + 114, 31)
    return date(year, month, day + 1)
