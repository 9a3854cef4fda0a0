"""Small readers that every vendor's wire needs: times, numbers, lists of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from sentio_async import errors
from sentio_async.models.page import Rows, SkippedRow
from sentio_async.models.rows import utc_from_ns

__all__ = [
    "date_from_text",
    "decimal",
    "decimal_or_none",
    "ns_from_text",
    "read_rows",
    "time_from_text",
    "utc_from_ns",
    "word",
]

T = TypeVar("T")
W = TypeVar("W")

_DIGITS = 9
_UNREADABLE = (
    errors.DecodeError,
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
)
_MOST_KEPT = 4096
_ENOUGH = 1000
"""So many bad rows before the first good one, and the others are no better: millions take long."""


def decimal(value: Any) -> Decimal:
    """Money from the vendor's string or number."""
    # Nearly all are texts, which is the cheapest to ask.
    if value.__class__ is not str and (
        isinstance(value, bool) or not isinstance(value, (str, int, Decimal))
    ):
        raise errors.DecodeError(f"a number is needed, not {type(value).__name__}")
    try:
        number = Decimal(value)
    except InvalidOperation as exc:
        raise errors.DecodeError(f"a number is needed, not {value!r}") from exc
    if not number.is_finite():
        raise errors.DecodeError(f"a number is needed, not {value!r}")
    return number


def decimal_or_none(value: Any) -> Decimal | None:
    """Money, or None where the vendor sends null or an empty text."""
    return None if value is None or value == "" else decimal(value)


class _Seconds(dict[str, int]):
    """Epoch nanoseconds of ``YYYY-MM-DDTHH:MM:SS`` in UTC; rows of one answer share seconds."""

    def __missing__(self, text: str) -> int:
        ns = int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000
        if len(self) >= _MOST_KEPT:
            self.clear()  # time goes on, and what was read long ago does not come again
        self[text] = ns
        return ns


_seconds = _Seconds()


def ns_from_text(text: str) -> int:
    """Epoch nanoseconds of RFC 3339 text with 0 to 9 fraction digits, none of them lost."""
    try:
        if text[-1:] == "Z":
            fraction = text[20:-1]
            if len(fraction) != _DIGITS:
                fraction = fraction.ljust(_DIGITS, "0")[:_DIGITS]
            return _seconds[text[:19]] + int(fraction)
        return _ns_with_offset(text)
    except (ValueError, TypeError) as exc:
        raise errors.DecodeError(f"a time is needed, not {text!r}") from exc


def _ns_with_offset(text: str) -> int:
    whole = datetime.fromisoformat(text)
    if whole.tzinfo is None:
        raise ValueError("no zone")
    seconds = int(whole.replace(microsecond=0).timestamp())
    fraction = text[20:] if text[19:20] == "." else ""
    digits = fraction.split("+")[0].split("-")[0]
    return seconds * 1_000_000_000 + (int(digits.ljust(9, "0")[:9]) if digits else 0)


def time_from_text(text: str | None) -> datetime | None:
    """An aware UTC time from RFC 3339 text, cut to microseconds; None stays None."""
    return None if not text else utc_from_ns(ns_from_text(text))


def date_from_text(text: str | None) -> date | None:
    """A date from ``YYYY-MM-DD``; None and the empty text are None."""
    if not text:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError as exc:
        raise errors.DecodeError(f"a date is needed, not {text!r}") from exc


def word(words: Mapping[str, W], field: str, value: Any) -> W:
    """What a vendor's word means here; raises UnknownWordError for one that is not listed."""
    try:
        return words[value]
    except (KeyError, TypeError) as exc:
        raise errors.UnknownWordError(field, value) from exc


def read_rows(rows: Any, read: Callable[[Any], T], *, what: str) -> Rows[T]:
    """Every row that can be read; ``.skipped`` says what was wrong with the others.

    Raises DecodeError when ``rows`` is not a list, or when not one of its rows can be read: a
    failure is never an empty list.
    """
    if not isinstance(rows, Iterable) or isinstance(rows, str | bytes | Mapping):
        raise errors.DecodeError(f"{what}: a list is needed, not {type(rows).__name__}")
    good: list[T] = []
    skipped: list[SkippedRow] = []
    for index, raw in enumerate(rows):
        try:
            good.append(read(raw))
        except _UNREADABLE as exc:
            skipped.append(SkippedRow(index, f"{type(exc).__name__}: {exc}"[:200]))
            if not good and len(skipped) >= _ENOUGH:
                break
    if skipped and not good:
        raise errors.DecodeError(f"{what}: no row can be read; the first: {skipped[0].reason}")
    return Rows(good, skipped)
