"""How long a vendor asks us to wait, whichever way it says so.

Dates are compared with the answer's own ``Date``, because our clock and theirs differ.  What is
not plainly a time (``nan``, ``1e400``, other scripts' digits, a year 99999) says nothing: None.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

__all__ = ["as_seconds", "http_date", "retry_after_from", "seconds_until_reset", "until_midnight"]

_NUMBER = re.compile(r"[0-9]{1,13}(?:\.[0-9]{1,9})?")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY, _MONTH = r"(?P<day>[0-9]{2})", r"(?P<month>[a-z]{3})"
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_ZONE = r" (?:GMT|UTC|\+0000)"
# RFC 9110, 5.6.7: IMF-fixdate, RFC 850, asctime.
_DATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"[a-z]{{3}}, {_DAY} {_MONTH} (?P<year>[0-9]{{4}}) {_TIME}{_ZONE}",
        rf"[a-z]{{6,9}}, {_DAY}-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME}{_ZONE}",
        rf"[a-z]{{3}} {_MONTH} (?P<day>[ 0-9][0-9]) {_TIME} (?P<year>[0-9]{{4}})",
    )
)
_LEAP_SECOND = 60
# A reset below this cannot be a time since 2001, so it counts from now; above, milliseconds.
_FIRST_EPOCH = 1_000_000_000
_FIRST_MILLISECONDS = 100_000_000_000
_MOST_SECONDS = 9_999_999_999
_MOST_NUMBER = 10.0**14


def http_date(text: str, now: datetime) -> datetime | None:
    """An HTTP date in any of its three forms, aware; None when it is not one.

    ``now`` decides the century of two-digit years.
    """
    return _date(text, now.year)


@functools.lru_cache(maxsize=64)
def _date(text: str, this_year: int) -> datetime | None:
    # Remembered: every answer of a second has the same.
    found = next((match for form in _DATES if (match := form.fullmatch(text.strip(" \t")))), None)
    if found is None or found["month"].lower() not in _MONTHS:
        return None
    year = int(found["year"])
    if len(found["year"]) == len("94"):
        # RFC 9110: what seems more than 50 years ahead lies in the past.
        year += this_year // 100 * 100
        year -= 100 if year > this_year + 50 else 0
    second = int(found["second"])
    try:
        return datetime(
            year,
            _MONTHS.index(found["month"].lower()) + 1,
            int(found["day"]),
            int(found["hour"]),
            int(found["minute"]),
            second - 1 if second == _LEAP_SECOND else second,
            tzinfo=UTC,
        )
    except ValueError:
        return None


def _number(value: Any) -> float | None:
    """A finite number that is not negative, from text or JSON."""
    if isinstance(value, str):
        text = value.strip(" \t")
        return float(text) if _NUMBER.fullmatch(text) else None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    # Asked first, because a Decimal NaN cannot be compared and a large int is no float.
    if value != value or value < 0:
        return None
    return float(min(value, _MOST_NUMBER))


def as_seconds(value: Any) -> float | None:
    """A wait given as a number; what is too long to be waited for stays too long."""
    return None if isinstance(value, str) else _number(value)


def _seconds(value: Any, _now: datetime) -> float | None:
    number = _number(value)
    return number if number is not None and number <= _MOST_SECONDS else None


def _milliseconds(value: Any, _now: datetime) -> float | None:
    number = _number(value)
    return None if number is None else number / 1000


def _seconds_or_date(value: Any, now: datetime) -> float | None:
    seconds = _seconds(value, now)
    if seconds is not None or not isinstance(value, str):
        return seconds
    when = http_date(value, now)
    return None if when is None else max(0.0, (when - now).total_seconds())


def _epoch(value: Any, now: datetime) -> float | None:
    number = _number(value)
    if number is None or number < _FIRST_EPOCH:
        return number
    if number >= _FIRST_MILLISECONDS:
        number /= 1000
    return max(0.0, number - now.timestamp())


_Reader = Callable[[Any, datetime], float | None]
_HEADERS: tuple[tuple[str, _Reader], ...] = (
    ("retry-after-ms", _milliseconds),
    ("retry-after", _seconds_or_date),
    ("x-ratelimit-reset-after", _seconds),  # Discord
    ("x-ratelimit-reset", _epoch),  # Alpaca, Discord: unix seconds
    ("ratelimit-reset", _seconds),  # IETF draft
)
_RESETS = _HEADERS[2:]


def retry_after_from(
    headers: Mapping[str, str], body: Any = None, *, now: datetime
) -> float | None:
    """Seconds to wait before asking again; None when the answer does not say.

    ``body`` is decoded JSON: Discord has ``retry_after`` in it, Telegram
    ``parameters.retry_after``.  ``now`` is used when the answer has no readable ``Date``.
    """
    found = _from_headers(headers, _HEADERS, now)
    if found is not None or not isinstance(body, Mapping):
        return found
    parameters = body.get("parameters")
    for where in (body, parameters):
        if isinstance(where, Mapping):
            found = _seconds(where.get("retry_after"), now)
            if found is not None:
                return found
    return None


def seconds_until_reset(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Seconds until the quota told of in the headers is whole again; None when not told."""
    return _from_headers(headers, _RESETS, now)


def until_midnight(zone: tzinfo) -> Callable[[datetime], float]:
    """How long it is from a time to the end of its day there, for quotas that end with it."""

    def seconds(now: datetime) -> float:
        tomorrow = now.astimezone(zone).date() + timedelta(days=1)
        midnight = datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=zone)
        return (midnight.astimezone(UTC) - now).total_seconds()

    return seconds


def _from_headers(
    headers: Mapping[str, str], readers: tuple[tuple[str, _Reader], ...], now: datetime
) -> float | None:
    lower = {name.lower(): value for name, value in headers.items()}
    theirs = http_date(lower.get("date", ""), now) or now
    for name, read in readers:
        if name in lower:
            found = read(lower[name], theirs)
            if found is not None:
                return found
    return None
