"""What did not come while a connection was down, found and filled from history.  No I/O.

Live rows are held while history is asked for; then what was missed and what was held are put into
one order without repetition.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sentio_async import errors
from sentio_async.streams.book import EVERYTHING, Topic

__all__ = [
    "MOST_MISSED",
    "Backfill",
    "Gap",
    "Plan",
    "ahead_of",
    "all_of",
    "is_fillable",
    "key_of",
    "known_by",
    "merged",
    "start_of",
]

_DAY_NS = 86_400_000_000_000
MOST_MISSED = 100_000
"""Rows of one gap that are fetched; of four gaps at once they take some hundred megabytes."""


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
    behind_ns: int = 0
    """By how much the time of a row is before its coming: a bar's is that of its beginning."""
    begins_whole: bool = False
    """The first row tells all and the others what changed: whoever comes later needs it as well."""
    has_many_symbols: bool = False
    """A row may be about several symbols, and has ``symbols``."""


def key_of(row: Any) -> Any:
    """By what a row is known again."""
    execution = getattr(row, "execution_id", None)
    if execution:
        return row.key
    trade = getattr(row, "id", None)
    if trade:
        # Trade ids are unique at one exchange on one day; a correction is another row.
        on = row.time_ns // _DAY_NS
        return (trade, row.exchange, getattr(row, "correction", None), on)
    return getattr(row, "key", None) or (row.time_ns, getattr(row, "price", None))


def start_of(recent: Iterable[Any], lost_ns: int) -> int:
    """Where a gap begins: with the last row there was, else with the loss of the connection."""
    return max((row.time_ns for row in recent), default=lost_ns)


def ahead_of(rows: Iterable[Any]) -> int:
    """By how many nanoseconds the venue's clock is ahead of ours, as far as rows show it."""
    received = ((row, getattr(row, "received_ns", 0)) for row in rows)
    return max((row.time_ns - at_ns for row, at_ns in received if at_ns), default=0)


def known_by(rows: Iterable[Any]) -> dict[Any, float | None]:
    """By what rows are known again, and how much was in those that may come again with more."""
    return {key_of(row): getattr(row, "volume", None) for row in rows}


def merged(
    known: Mapping[Any, float | None], history: Iterable[Any], held: Iterable[Any], from_ns: int
) -> list[Any]:
    """History from ``from_ns`` and then what was held, nothing twice, nothing that is known.

    A bar that comes again with more in it is news.
    """
    told = dict(known)

    def is_news(row: Any) -> bool:
        key, volume = key_of(row), getattr(row, "volume", None)
        if key in told and (volume is None or volume <= (told[key] or 0.0)):
            return False
        told[key] = volume
        return True

    old = sorted(history, key=lambda row: row.time_ns)
    rows = [row for row in old if row.time_ns >= from_ns and is_news(row)]
    seen = dict(told)
    live = [row for row in held if key_of(row) not in seen or is_news(row)]
    return rows + live


async def all_of(rows: AsyncIterator[Any]) -> list[Any]:
    """The rows of a gap, asked for up to ``MOST_MISSED``; as many raise NotSupportedError."""
    found = [row async for row in rows]
    if len(found) >= MOST_MISSED:
        raise errors.NotSupportedError(f"{MOST_MISSED} rows or more were missed")
    return found


def is_fillable(topic: Topic, plan: Plan) -> bool:
    """History can be asked for this topic; that of all symbols at once seldom can."""
    if plan.backfill is None:
        return False
    return plan.of_everything or topic.symbol != EVERYTHING
