"""Numbers and times as Alpaca writes them: numbers as text, session times in New York."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sentio_async import errors
from sentio_async.http.reading import decimal, ns_from_text, utc_from_ns

__all__ = ["NEW_YORK", "amount", "from_new_york", "numbers", "plain", "plain_or_none", "times"]

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


def numbers(raw: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Decimal]:
    """Those numbers that are there, by our names for Alpaca's."""
    return {
        ours: decimal(value)
        for ours, theirs in names.items()
        if (value := raw.get(theirs)) is not None and value != ""
    }


def times(
    raw: Mapping[str, Any], names: Iterable[str]
) -> tuple[dict[str, int], dict[str, datetime]]:
    """Those times that are there, by name: as epoch nanoseconds, and in UTC cut to microseconds."""
    exact: dict[str, int] = {}
    cut: dict[str, datetime] = {}
    for name in names:
        text = raw.get(name)
        if text:
            ns = exact[name] = ns_from_text(text)
            # Twice as fast as making it from the number, and the same.
            cut[name] = datetime.fromisoformat(text) if text[-1] == "Z" else utc_from_ns(ns)
    return exact, cut


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
