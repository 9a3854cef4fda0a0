"""Instants as whole nanoseconds since 1970, and the ways vendors write them."""

import re
from datetime import UTC, date, datetime
from functools import lru_cache

from sentio_async.sim.calendar import midnight_ns
from sentio_async.sim.clock import ns_of, time_of

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
MILLISECOND = 1_000_000

# No vendor has data beyond these, and calendars end soon after.
FIRST_DAY, LAST_DAY = date(1970, 1, 2), date(2200, 1, 1)
_EPOCH = date(1970, 1, 1).toordinal()

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?"
    r"([Zz]|[+-]\d\d:?\d\d)"
)


def ns_from_rfc3339(text: str) -> int:
    """Nanoseconds of `2024-01-02T03:04:05.123456789Z`; ValueError for anything else."""
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise ValueError(f"not RFC 3339: {text}")
    *parts, fraction, zone = found.groups()
    year, month, day, hour, minute, second = (int(part or 0) for part in parts)
    whole = ns_of(datetime(year, month, day, hour, minute, second, tzinfo=UTC))
    return whole + int((fraction or "").ljust(9, "0") or 0) - _offset(zone)


def bounded(time_ns: int) -> int:
    """The instant, or the nearest one for which calendars have a day."""
    return min(max(time_ns, utc_midnight(FIRST_DAY)), utc_midnight(LAST_DAY))


def _offset(zone: str) -> int:
    if zone in "Zz":
        return 0
    digits = zone[1:].replace(":", "")
    distance = int(digits[:2]) * HOUR + int(digits[2:]) * MINUTE
    return -distance if zone[0] == "-" else distance


def utc_midnight(day: date) -> int:
    """The first nanosecond of a UTC day."""
    return ns_of(datetime(day.year, day.month, day.day, tzinfo=UTC))


def utc_day(ns: int) -> date:
    """The UTC date of an instant."""
    return time_of(ns).date()


def last_of_day(day: date) -> int:
    """The last nanosecond of a New York day."""
    return midnight_ns(date.fromordinal(day.toordinal() + 1)) - 1


@lru_cache(maxsize=4096)
def _day_text(days: int) -> str:
    return date.fromordinal(_EPOCH + days).isoformat()


def _second_text(seconds: int) -> str:
    days, second = divmod(seconds, 86_400)
    minute, second = divmod(second, 60)
    return f"{_day_text(days)}T{minute // 60:02d}:{minute % 60:02d}:{second:02d}"


def rfc3339(ns: int) -> str:
    """UTC text with as many fraction digits as it needs: `...:05Z`, `...:05.123Z`."""
    seconds, rest = divmod(ns, SECOND)
    if not rest:
        return f"{_second_text(seconds)}Z"
    fraction = f"{rest:09d}".rstrip("0")
    return f"{_second_text(seconds)}.{fraction}Z"


def day_text(ns: int) -> str:
    """The UTC date of an instant as text."""
    return utc_day(ns).isoformat()
