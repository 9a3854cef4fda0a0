"""When a market is in session, for those who must tell silence from closing time."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol, runtime_checkable
from zoneinfo import ZoneInfo

from sentio_async import errors
from sentio_async.models.reference import TradingDay

__all__ = [
    "ALWAYS",
    "AlwaysOpen",
    "Calendar",
    "ExchangeCalendar",
    "Hours",
    "Session",
    "SessionHours",
    "VendorCalendar",
    "days_without",
    "hours_of",
    "new_york_session",
]

log = logging.getLogger("sentio_async.streams")

NEW_YORK = ZoneInfo("America/New_York")
Session = tuple[datetime, datetime]
"""Opening and closing, aware times."""
ReadDays = Callable[[date, date], Awaitable[Iterable[TradingDay]]]
_DAY = timedelta(days=1)


class Hours(Protocol):
    """Knows when a market is in session."""

    def is_open(self, at: datetime) -> bool:
        """Whether it is at an aware time; never asks anybody."""
        ...

    async def refresh(self, now: datetime) -> None:
        """Read the calendar again if it is time to; failing is no reason to raise."""
        ...


class AlwaysOpen:
    """A market that never closes, such as crypto."""

    def is_open(self, at: datetime) -> bool:
        """It is."""
        return True

    async def refresh(self, now: datetime) -> None:
        """There is nothing to read."""


ALWAYS: Hours = AlwaysOpen()


def new_york_session(on: date, closes: time = time(16)) -> Session:
    """The regular session of the US stock market on a day, 9:30 to 16:00 in New York."""
    opening = datetime.combine(on, time(9, 30), tzinfo=NEW_YORK)
    return opening.astimezone(UTC), datetime.combine(on, closes, tzinfo=NEW_YORK).astimezone(UTC)


@runtime_checkable
class Calendar(Protocol):
    """Knows the sessions of a market; bring your own."""

    async def sessions(self, start: date, end: date, /) -> Iterable[Session]:
        """Opening and closing of all sessions from one date to another, both included.

        A day may have several, as with a break at noon, or none.
        """
        ...


class ExchangeCalendar:
    """The calendar of an exchange, from the package ``exchange_calendars``; ``name`` as there."""

    def __init__(self, name: str) -> None:
        if importlib.util.find_spec("exchange_calendars") is None:
            raise errors.MissingExtraError(f"the calendar {name}", "calendars")
        self._name = name

    async def sessions(self, start: date, end: date) -> Iterable[Session]:
        """Half days, holidays and breaks at noon included."""
        # The first calendar takes a second to make.
        return await asyncio.to_thread(self._read, start, end)

    def _read(self, start: date, end: date) -> list[Session]:
        calendars = importlib.import_module("exchange_calendars")
        calendar = calendars.get_calendar(self._name)
        found: list[Session] = []
        for day in calendar.sessions_in_range(start.isoformat(), end.isoformat()):
            opens, closes = calendar.session_open(day), calendar.session_close(day)
            if calendar.session_has_break(day):
                begins, ends = calendar.session_break_start(day), calendar.session_break_end(day)
                found.append((opens.to_pydatetime(), begins.to_pydatetime()))
                opens = ends
            found.append((opens.to_pydatetime(), closes.to_pydatetime()))
        return found


class VendorCalendar:
    """Sessions as a vendor tells them."""

    def __init__(self, read: ReadDays) -> None:
        self._read = read

    async def sessions(self, start: date, end: date) -> Iterable[Session]:
        """Regular hours only."""
        return [(day.opens_at, day.closes_at) for day in await self._read(start, end)]


class SessionHours:
    """Sessions from a calendar, holidays and half days included.

    Until the calendar has been read, and for days beyond it, every weekday counts as a regular
    one in New York: taking a holiday for silence costs a reconnect, taking silence for a holiday
    costs data.
    """

    def __init__(
        self,
        calendar: Calendar,
        *,
        days: int = 14,
        every: timedelta = timedelta(hours=12),
    ) -> None:
        self._calendar = calendar
        self._days = days
        self._every = every
        self._sessions: list[Session] = []
        self._known: Session | None = None
        self._read_at: datetime | None = None
        self.last_error: Exception | None = None
        """Why the calendar could not be read the last time."""

    def is_open(self, at: datetime) -> bool:
        """Whether a session is on."""
        if self._known is None or not self._known[0] <= at < self._known[1]:
            on = at.astimezone(NEW_YORK).date()
            opens, closes = new_york_session(on)
            return on.weekday() < 5 and opens <= at < closes
        return any(opens <= at < closes for opens, closes in self._sessions)

    async def refresh(self, now: datetime) -> None:
        """Read the coming days, twice a day; after a failure the old ones stay."""
        if self._read_at is not None and now - self._read_at < self._every:
            return
        self._read_at = now
        start = now.astimezone(NEW_YORK).date()
        end = start + timedelta(days=self._days)
        try:
            sessions = [_aware(*each) for each in await self._calendar.sessions(start, end)]
        except Exception as exc:  # noqa: BLE001 (the old calendar is better than none)
            self.last_error = exc
            log.warning("the calendar could not be read: %s", exc)
            return
        midnights = (datetime.combine(on, time(), NEW_YORK) for on in (start, end + _DAY))
        begins, ends = midnights
        self._sessions, self._known, self.last_error = sessions, (begins, ends), None


def _aware(opens: datetime, closes: datetime) -> Session:
    """A session that can be compared with the time that it is."""
    if opens.tzinfo is None or closes.tzinfo is None:
        raise errors.ConfigurationError(f"a session from {opens} to {closes} has no time zone")
    return opens, closes


def hours_of(calendar: Calendar | str | None, read: ReadDays) -> Hours:
    """Sessions by the calendar that was asked for, the vendor's own (``read``) if none was."""
    if isinstance(calendar, str):
        calendar = ExchangeCalendar(calendar)
    return SessionHours(calendar or VendorCalendar(read))


def days_without(
    start: date, end: date, closed: Iterable[date], early: dict[date, time]
) -> Sequence[TradingDay]:
    """The sessions of the US stock market, from its holidays and half days."""
    holidays = set(closed)
    days = []
    for offset in range((end - start).days + 1):
        on = start + timedelta(days=offset)
        if on.weekday() < 5 and on not in holidays:
            opens, closes = new_york_session(on, early.get(on, time(16)))
            days.append(TradingDay(on=on, opens_at=opens, closes_at=closes, raw={}))
    return days
