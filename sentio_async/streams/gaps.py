"""What did not come while a connection was down, found and filled from history.  No I/O.

Live rows are held while history is asked for; then what was missed and what was held are put into
one order without repetition.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sentio_async.streams.book import EVERYTHING, Topic

__all__ = ["Backfill", "Gap", "Plan", "is_fillable", "key_of", "merged", "start_of"]


class Gap(NamedTuple):
    """One topic brought nothing from one time to another, both epoch nanoseconds, inclusive."""

    topic: Topic
    from_ns: int
    to_ns: int


Backfill = Callable[[Gap], Awaitable[Sequence[Any]]]
"""Gets the rows of a gap from history, oldest first."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a channel is run: what its rows are like, and how its gaps are dealt with."""

    backfill: Backfill | None = None
    """None: gaps are reported and stay."""
    reason: str = "its channel has no history"
    """Why gaps stay, where they do."""
    memory: int = 1
    """How many rows of a topic are known again, so that history does not repeat them."""
    at_first: bool = False
    """Fetch also when there was no earlier connection: state rather than news (orders)."""
    is_essential: bool = False
    """Without history nothing is handed on: the connection is made anew until there is some."""
    of_everything: bool = False
    """History can be asked for all symbols at once."""
    is_unique: bool = False
    """What was heard once is not handed on again."""
    has_many_symbols: bool = False
    """A row may be about several symbols, and has ``symbols``."""


def key_of(row: Any) -> Any:
    """By what a row is known again."""
    execution = getattr(row, "execution_id", None)
    if execution:
        return row.key
    trade = getattr(row, "id", None)
    if trade:
        # Trade ids are unique at one exchange, on one tape; a correction is another row.
        return (trade, row.exchange, getattr(row, "correction", None))
    return getattr(row, "key", None) or (row.time_ns, getattr(row, "price", None))


def start_of(recent: Iterable[Any], lost_ns: int) -> int:
    """Where a gap begins: with the last row there was, else with the loss of the connection."""
    return max((row.time_ns for row in recent), default=lost_ns)


def merged(known: set[Any], history: Iterable[Any], held: Iterable[Any], from_ns: int) -> list[Any]:
    """History from ``from_ns`` and then what was held, nothing twice, nothing that is known.

    ``known`` are keys; those of history join them.
    """
    rows: list[Any] = []
    for row in sorted(history, key=lambda row: row.time_ns):
        key = key_of(row)
        if row.time_ns >= from_ns and key not in known:
            known.add(key)
            rows.append(row)
    live = [row for row in held if key_of(row) not in known]
    return rows + live


def is_fillable(topic: Topic, plan: Plan) -> bool:
    """History can be asked for this topic; that of all symbols at once seldom can."""
    if plan.backfill is None:
        return False
    return plan.of_everything or topic.symbol != EVERYTHING
