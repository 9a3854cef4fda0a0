"""Numbers and times as Alpaca writes them: numbers as text, session times in New York."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sentio_async import errors
from sentio_async.http.reading import ns_from_text, utc_from_ns

__all__ = ["NEW_YORK", "amount", "from_new_york", "nanoseconds", "plain", "plain_or_none", "times"]

NEW_YORK = ZoneInfo("America/New_York")


def amount(name: str, value: Decimal | str | float | None) -> Decimal | None:
    """A quantity that a caller gave, exactly; it must be more than zero."""
    if value is None:
        return None
    try:
        number = Decimal(repr(value) if isinstance(value, float) else value)
    except (ArithmeticError, TypeError, ValueError) as exc:
        raise errors.InvalidRequestError(f"{name}: {value!r} is not a number") from exc
    if not number.is_finite() or number <= 0:
        raise errors.InvalidRequestError(f"{name}: must be more than zero, not {value}")
    return number


def plain(number: Decimal) -> str:
    """A number as text, never with an exponent."""
    return format(number, "f")


def plain_or_none(number: Decimal | None) -> str | None:
    """A number as text, or None."""
    return None if number is None else plain(number)


def nanoseconds(raw: Mapping[str, Any], names: Iterable[str]) -> dict[str, int]:
    """The epoch nanoseconds of those times that are there."""
    return {name: ns_from_text(raw[name]) for name in names if raw.get(name)}


def times(exact: Mapping[str, int]) -> dict[str, datetime]:
    """The same times in UTC, cut to microseconds."""
    return {name: utc_from_ns(ns) for name, ns in exact.items()}


def from_new_york(day: date, text: str | None) -> datetime | None:
    """The UTC time of ``09:30``, ``0930`` or ``09:30:00`` in New York on a day."""
    if not text:
        return None
    digits = text.replace(":", "")
    try:
        local = time(int(digits[:2]), int(digits[2:4]))
    except ValueError as exc:
        raise errors.DecodeError(f"a time of day is needed, not {text!r}") from exc
    return datetime.combine(day, local, tzinfo=NEW_YORK).astimezone(UTC)
