"""What is done with a value once it was read: when it came, and what of it could not be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import repeat
from typing import Any

from msgspec.structs import force_setattr

from sentio_async.models.bars import Bars
from sentio_async.models.batch import Batch
from sentio_async.models.market import OptionSnapshot, Quote, Snapshot, Trade
from sentio_async.models.page import Page, Rows, SkippedRow

__all__ = ["note_arrival", "skipped_rows"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Kinds(dict[type, bool]):
    """Whether values of a class are among these, remembered: nearly all calls give the same few."""

    def __init__(self, *bases: type) -> None:
        self._bases = bases

    def __missing__(self, kind: type) -> bool:
        found = self[kind] = issubclass(kind, self._bases)
        return found


_with_skipped = _Kinds(Page, Rows, Bars, Mapping)


def skipped_rows(value: Any) -> Iterable[SkippedRow]:
    """The rows that were left out of a list, a page, bars, or several of them by symbol."""
    if not _with_skipped[value.__class__]:
        return ()
    if isinstance(value, Mapping) and _WITH_SKIPPED.isdisjoint(map(type, value.values())):
        return ()
    return _skipped_in(value)


def _skipped_in(value: Any) -> Iterator[SkippedRow]:
    if isinstance(value, Page):
        yield from skipped_rows(value.items)
    elif isinstance(value, Rows | Bars):
        yield from value.skipped
    else:
        for part in value.values():
            if isinstance(part, Rows | Bars):
                yield from part.skipped


def note_arrival(value: Any, at: datetime) -> None:
    """Write the time of arrival onto what is latest: quotes, trades, snapshots.

    History keeps none: it is as old as it says.
    """
    mark = _marks[value.__class__]
    if mark is not None:
        mark(value, (at - _EPOCH) // _MICROSECOND * 1000)


_LATEST = (Quote, Trade, Snapshot, OptionSnapshot)
_KINDS = frozenset(_LATEST)
_WITH_SKIPPED = frozenset((Rows, Bars))
_MICROSECOND = datetime.resolution


def _mark_one(row: Any, ns: int) -> None:
    # Nobody has seen the row yet, so it is as frozen as before.
    force_setattr(row, "received_ns", ns)


def _mark_parts(row: Any, ns: int) -> None:
    quote, trade = row.quote, row.trade
    if quote is not None:
        force_setattr(quote, "received_ns", ns)
    if trade is not None:
        force_setattr(trade, "received_ns", ns)


def _mark_all(rows: Any, ns: int) -> None:
    if _KINDS.isdisjoint(map(type, rows.values())):
        return
    try:
        # Mostly all are quotes, or all trades; asking each of them for its kind takes longer.
        any(map(force_setattr, rows.values(), repeat("received_ns"), repeat(ns)))
    except (AttributeError, TypeError):
        for row in rows.values():
            if isinstance(row, _LATEST):
                _marks[row.__class__](row, ns)


def _mark_listed(rows: Any, ns: int) -> None:
    # Lists of quotes and trades are history.
    if rows and isinstance(rows[0], Snapshot | OptionSnapshot):
        for row in rows:
            _mark_parts(row, ns)


def _mark_page(page: Any, ns: int) -> None:
    mark = _marks[page.items.__class__]
    if mark is not None:
        mark(page.items, ns)


class _Marks(dict[type, Any]):
    """How values of a class are marked, remembered; None for what is not."""

    def __missing__(self, kind: type) -> Any:
        found: Any = None
        if issubclass(kind, (Quote, Trade)):
            found = _mark_one
        elif issubclass(kind, (Snapshot, OptionSnapshot)):
            found = _mark_parts
        elif issubclass(kind, (Mapping, Batch)):
            found = _mark_all
        elif issubclass(kind, Rows):
            found = _mark_listed
        elif issubclass(kind, Page):
            found = _mark_page
        self[kind] = found
        return found


_marks = _Marks()
