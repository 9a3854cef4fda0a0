"""Long answers, decoded straight into typed rows.

A row that does not fit costs itself only: the answer is then read again, row by row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from sentio_async import errors
from sentio_async.http.wire_json import decode_json
from sentio_async.models.page import Rows, SkippedRow

__all__ = [
    "Bulk",
    "Envelope",
    "bulk_decoder",
    "check_none_counted",
    "check_whole",
    "read_good_rows",
]

R = TypeVar("R")
T = TypeVar("T")


class Envelope(msgspec.Struct, gc=False):
    """What surrounds the rows of an answer."""

    status: Any = None
    request_id: Any = None
    error: Any = None
    message: Any = None
    next_url: str | None = None
    ticker: Any = None
    count: Any = None
    resultsCount: Any = None  # noqa: N815 (the vendor's own name)
    queryCount: Any = None  # noqa: N815 (the vendor's own name)

    def members(self) -> dict[str, Any]:
        """The members that say how the answer went."""
        names = ("status", "request_id", "error", "message")
        return {n: getattr(self, n) for n in names if getattr(self, n) is not None}

    @property
    def is_delayed(self) -> bool:
        """The plan or the hour gives late data."""
        return bool(self.status == "DELAYED")

    @property
    def is_empty(self) -> bool:
        """The answer itself says that there are no rows."""
        return 0 in (self.resultsCount, self.count)

    @property
    def counts(self) -> tuple[Any, Any]:
        """How many rows there are, as the answer says itself."""
        return self.resultsCount, self.count


class _Results(Envelope, Generic[R]):
    results: list[R] | UnsetType | None = UNSET


class _Tickers(Envelope, Generic[R]):
    tickers: list[R] | UnsetType | None = UNSET


@dataclass(frozen=True, slots=True)
class Bulk(Generic[R]):
    """A decoded answer: its rows, and those that could not be read."""

    envelope: Envelope
    found: list[R] | None
    skipped: tuple[SkippedRow, ...] = ()

    @property
    def rows(self) -> list[R]:
        """The rows; raises DecodeError where the answer has none and does not say so."""
        if self.found:
            return self.found
        check_none_counted(*self.envelope.counts)
        if self.found is not None or self.envelope.is_empty:
            return []
        raise errors.DecodeError(
            f"the answer has no rows and does not say that there are none "
            f"(status {self.envelope.status!r})"
        )


def check_none_counted(*counts: Any) -> None:
    """Raise DecodeError for an answer without rows that says how many there are."""
    if any(isinstance(count, int) and count > 0 for count in counts):
        raise errors.DecodeError("the answer counts rows and has none")


def check_whole(next_url: object) -> None:
    """Raise DecodeError for a list that goes on where none is known to."""
    if next_url:
        raise errors.DecodeError("the list has more than one page, which it never had")


def bulk_decoder(row: type[R], member: str = "results") -> Callable[[bytes], Bulk[R]]:
    """Decodes answers whose rows are ``row``."""
    shape: Any = _Tickers if member == "tickers" else _Results
    fast = msgspec.json.Decoder(shape[row])
    slow = msgspec.json.Decoder(shape[msgspec.Raw])
    one = msgspec.json.Decoder(row)

    def decode(body: bytes) -> Bulk[R]:
        try:
            envelope = fast.decode(body)
        except msgspec.ValidationError:
            return _row_by_row(slow, one, member, body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            decode_json(body)
            raise
        return Bulk(envelope, _or_none(getattr(envelope, member)))

    return decode


def _row_by_row(slow: Any, one: Any, member: str, body: bytes) -> Bulk[Any]:
    try:
        envelope = slow.decode(body)
    except msgspec.ValidationError as exc:
        decode_json(body)
        raise errors.DecodeError(f"the answer is not what it should be: {exc}") from exc
    good: list[Any] = []
    skipped: list[SkippedRow] = []
    for index, raw in enumerate(_or_none(getattr(envelope, member)) or ()):
        try:
            good.append(one.decode(raw))
        except msgspec.ValidationError as exc:
            skipped.append(SkippedRow(index, str(exc)[:200]))
    if skipped and not good:
        raise errors.DecodeError(f"no row can be read; the first: {skipped[0].reason}")
    return Bulk(envelope, good, tuple(skipped))


def _or_none(rows: Any) -> Any:
    return None if rows is UNSET else rows


def read_good_rows(bulk: Bulk[R], read: Callable[[list[R]], list[T]]) -> Rows[T]:
    """The rows as values; when not all can be read at once, each is read alone."""
    try:
        return Rows(read(bulk.rows), bulk.skipped)
    except (errors.DecodeError, TypeError, ValueError):
        pass
    values: list[T] = []
    skipped = list(bulk.skipped)
    for index, row in enumerate(bulk.rows):
        try:
            values += read([row])
        except (errors.DecodeError, TypeError, ValueError) as exc:
            skipped.append(SkippedRow(index, str(exc)[:200]))
    if not values:
        raise errors.DecodeError(f"no row can be read; the first: {skipped[0].reason}")
    return Rows(values, skipped)
