"""Times as Massive writes them: seconds, milliseconds, microseconds or nanoseconds, or a day."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from sentio_async import errors
from sentio_async.models.rows import utc_from_ns

__all__ = [
    "DAYS_IN_NEW_YORK",
    "DAYS_IN_UTC",
    "LEAST_NS",
    "MAX_NS",
    "NEW_YORK",
    "QUARTER_HOUR_NS",
    "Moment",
    "date_by_size",
    "given_ns",
    "milliseconds",
    "nanoseconds",
    "ns_by_size",
    "whole_ns",
]

MAX_NS = 2**63 - 1
LEAST_NS = 100_000_000_000_000_000
"""The 3rd of March 1973: what is smaller is in another unit."""
NEW_YORK = ZoneInfo("America/New_York")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
QUARTER_HOUR_NS = 900_000_000_000
_MOST_KEPT = 1024

Moment = datetime | date | int
"""A time: aware, or a date, or whole nanoseconds since 1970."""


def ns_by_size(value: int | None) -> int | None:
    """Epoch nanoseconds of a time whose unit the vendor mixes: s, ms, us or ns.

    The ranges do not overlap for times after 1973.
    """
    if not value:
        return None
    if value.__class__ is not int or not 0 <= value <= MAX_NS:
        whole_ns(value)
    if value >= LEAST_NS:
        return value
    if value < 100_000_000_000:
        return value * 1_000_000_000
    return value * (1_000_000 if value < 100_000_000_000_000 else 1_000)


def whole_ns(value: object) -> int:
    """A time that is nanoseconds already; raises DecodeError for what cannot be one."""
    if not isinstance(value, int) or not 0 <= value <= MAX_NS:
        raise errors.DecodeError(f"a time is needed, not {str(value)[:40]!r}")
    return value


def date_by_size(value: str | int | None) -> str | date | None:
    """A date that comes as text or as a number of any of these units."""
    if not isinstance(value, int):
        return value or None
    ns = ns_by_size(value)
    return None if ns is None else utc_from_ns(ns).date()


def nanoseconds(moment: Moment | None) -> str | int | None:
    """A time as tick queries want it: a date, or nanoseconds of which none is lost."""
    if isinstance(moment, datetime):
        return _microseconds(moment) * 1_000
    if isinstance(moment, date):
        return moment.isoformat()
    return None if moment is None else given_ns(moment)


def milliseconds(moment: Moment) -> str:
    """A time as aggregate paths want it: a date, or milliseconds."""
    if isinstance(moment, datetime):
        return str(_microseconds(moment) // 1_000)
    return moment.isoformat() if isinstance(moment, date) else str(given_ns(moment) // 1_000_000)


def given_ns(moment: object) -> int:
    """Nanoseconds as a caller gave them; InvalidRequestError for what is no time."""
    if isinstance(moment, bool) or not isinstance(moment, int):
        raise errors.InvalidRequestError(
            f"time: {moment!r} is a {type(moment).__name__}; "
            "use an aware datetime, a date or whole nanoseconds"
        )
    return moment


def _microseconds(moment: datetime) -> int:
    if moment.tzinfo is None:
        text = f"time: {moment.isoformat()} has no zone; use an aware one"
        raise errors.InvalidRequestError(text)
    span = moment - _EPOCH
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


class _DayStarts(dict[int, int]):
    """When the day began in a zone, by the quarter of an hour: most times are of the same one."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone

    def __missing__(self, quarter_hour: int) -> int:
        local = datetime.fromtimestamp(quarter_hour * 900, tz=self._zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        start = int(midnight.timestamp()) * 1_000_000_000
        if len(self) >= _MOST_KEPT:
            self.clear()
        self[quarter_hour] = start
        return start


DAYS_IN_NEW_YORK = _DayStarts(NEW_YORK)
"""When the day began in New York, by ``time_ns // QUARTER_HOUR_NS``."""
DAYS_IN_UTC = _DayStarts(ZoneInfo("UTC"))
"""When the day began in UTC, by ``time_ns // QUARTER_HOUR_NS``."""
