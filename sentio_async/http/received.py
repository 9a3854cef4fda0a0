"""What is done with a value once it was read: when it came, and what of it could not be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from sentio_async.models.bars import Bars
from sentio_async.models.batch import Batch
from sentio_async.models.market import OptionSnapshot, Quote, Snapshot, Trade
from sentio_async.models.page import Page, Rows, SkippedRow

__all__ = ["note_arrival", "skipped_rows"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def skipped_rows(value: Any) -> Iterator[SkippedRow]:
    """The rows that were left out of a list, a page, bars, or several of them by symbol."""
    if isinstance(value, Page):
        yield from skipped_rows(value.items)
    elif isinstance(value, Rows | Bars):
        yield from value.skipped
    elif isinstance(value, Mapping):
        for part in value.values():
            if isinstance(part, Rows | Bars):
                yield from part.skipped


def note_arrival(value: Any, at: datetime) -> None:
    """Write the time of arrival onto what is latest: quotes, trades, snapshots.

    History keeps none: it is as old as it says.
    """
    if isinstance(value, _LATEST):
        rows = [value]
    elif isinstance(value, Mapping | Batch):
        rows = [row for _, row in value.items() if isinstance(row, _LATEST)]
    else:
        return
    if rows:
        ns = (at - _EPOCH) // _MICROSECOND * 1000
        for row in rows:
            _stamp(row, ns)


_LATEST = (Quote, Trade, Snapshot, OptionSnapshot)
_MICROSECOND = datetime.resolution


def _stamp(row: Any, ns: int) -> None:
    if isinstance(row, Snapshot | OptionSnapshot):
        for part in (row.quote, row.trade):
            if part is not None:
                _stamp(part, ns)
    else:
        # Nobody has seen the row yet, so it is as frozen as before.
        msgspec.structs.force_setattr(row, "received_ns", ns)
