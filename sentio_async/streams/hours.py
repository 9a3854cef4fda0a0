"""When a market is in session, for those who must tell silence from closing time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from sentio_async.models.reference import TradingDay

__all__ = ["ALWAYS", "AlwaysOpen", "Hours", "Session", "SessionHours", "new_york_session"]

NEW_YORK = ZoneInfo("America/New_York")
Session = tuple[datetime, datetime]
"""Opening and closing of one day's session."""


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


class SessionHours:
    """Sessions from a vendor's calendar, holidays and half days included.

    Until the calendar has been read, and for days beyond it, every weekday counts as a regular
    one: taking a holiday for silence costs a reconnect, taking silence for a holiday costs data.
    """

    def __init__(
        self,
        read: Callable[[date, date], Awaitable[Iterable[TradingDay]]],
        *,
        days: int = 14,
        every: timedelta = timedelta(hours=12),
    ) -> None:
        self._read = read
        self._days = days
        self._every = every
        self._sessions: dict[date, Session] = {}
        self._known: tuple[date, date] | None = None
        self._read_at: datetime | None = None
        self.last_error: Exception | None = None
        """Why the calendar could not be read the last time."""

    def is_open(self, at: datetime) -> bool:
        """Whether the regular session is on."""
        on = at.astimezone(NEW_YORK).date()
        session = self._session(on)
        return session is not None and session[0] <= at < session[1]

    def _session(self, on: date) -> Session | None:
        if self._known is not None and self._known[0] <= on <= self._known[1]:
            return self._sessions.get(on)
        return new_york_session(on) if on.weekday() < 5 else None

    async def refresh(self, now: datetime) -> None:
        """Read the coming days, twice a day; after a failure the old ones stay."""
        if self._read_at is not None and now - self._read_at < self._every:
            return
        self._read_at = now
        start = now.astimezone(NEW_YORK).date()
        end = start + timedelta(days=self._days)
        try:
            days = await self._read(start, end)
        except Exception as exc:  # noqa: BLE001 (the old calendar is better than none)
            self.last_error = exc
            return
        self.set_days(days, start, end)

    def set_days(self, days: Iterable[TradingDay], start: date, end: date) -> None:
        """These are all sessions from ``start`` to ``end``."""
        self._sessions = {day.on: (day.opens_at, day.closes_at) for day in days}
        self._known = (start, end)


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
