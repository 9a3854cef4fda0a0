"""The journal: what was intended and sent, written down before it happens.

A row is durable when ``write`` returns.  What has no final row is open, and is found out about at
the next start.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from sentio_async import errors
from sentio_async.models.trading import Order
from sentio_async.orders.intent import Intent

__all__ = ["Journal", "MemoryJournal", "Row", "Step"]


class Step(StrEnum):
    """How far an intent has come."""

    INTENT = "intent"
    """Written down; nothing was sent."""
    SENT = "sent"
    """About to be sent, or sent; nobody has said what became of it.

    With a reason: a change was refused, and is still looked for in case it was done before that.
    """
    UNKNOWN = "unknown"
    """The caller was told that nobody knows; it is still being looked for."""
    ACKED = "acked"
    """The venue has it."""
    REJECTED = "rejected"
    """The venue refused it."""
    NOT_PLACED = "not_placed"
    """It never arrived, and never will."""

    is_final: bool
    """Nothing more is to be found out."""

    def __init__(self, word: str) -> None:
        # Asked many times for each order, so it is found out once.
        self.is_final = word in ("acked", "rejected", "not_placed")


_NEEDED = 2


class Row(msgspec.Struct, frozen=True, gc=False):
    """One step of one intent.  ``at`` is in epoch seconds."""

    # Nothing in it leads back to it, and many are kept: the collector need not look at them.

    id: str
    step: Step
    at: float
    attempt: int = 0
    intent: Intent | None = None
    """With INTENT."""
    order: Order | None = None
    """With ACKED, as the venue told it; a later row has a later state."""
    reason: str = ""
    """With REJECTED, NOT_PLACED, UNKNOWN, and SENT when it was refused."""


class Journal(Protocol):
    """Keeps rows, in order."""

    halt_poll: float | None
    """How often, in seconds, to look whether another process has halted trading; None: never."""

    async def open(self, account: str) -> Sequence[Row]:
        """Take the journal for this account; every row that still matters, oldest first."""
        ...

    async def write(self, *rows: Row) -> None:
        """Keep the rows, all or none; they are durable when it returns."""
        ...

    def halted(self) -> str | None:
        """Why trading is halted; None when it is not."""
        ...

    def set_halted(self, reason: str | None) -> None:
        """Remember, over restarts too, that trading is halted, or is not."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...


class MemoryJournal:
    """A journal that ends with the process: nothing is known after a restart.

    ``rows`` are those of an earlier life, as a test has them.
    """

    halt_poll: float | None = None

    def __init__(self, rows: Iterable[Row] = (), *, remember: int = 100_000) -> None:
        self._rows: dict[str, list[Row]] = {}
        self._remember = remember
        self._halted: str | None = None
        self._account: str | None = None
        self._keep(rows)

    @property
    def rows(self) -> list[Row]:
        """Every row kept, intent by intent."""
        return [row for rows in self._rows.values() for row in rows]

    async def open(self, account: str) -> Sequence[Row]:
        """Every row kept; one journal is for one account."""
        if self._account not in (None, account):
            raise errors.ConfigurationError(
                f"journal is that of account {self._account!r}, not of {account!r}"
            )
        self._account = account
        return self.rows

    async def write(self, *rows: Row) -> None:
        """Keep the rows."""
        self._keep(rows)

    def _keep(self, rows: Iterable[Row]) -> None:
        for row in rows:
            known = self._rows.setdefault(row.id, [])
            if row.intent is not None:
                known.clear()
            known.append(row)
            if row.step.is_final and len(known) > _NEEDED:
                # How it came there is history; the first row and the last say what is needed.
                del known[1:-1]
        while len(self._rows) > self._remember and self._forget():
            pass

    def _forget(self) -> bool:
        """Drop the oldest intent if it is settled."""
        oldest = next(iter(self._rows))
        if not self._rows[oldest][-1].step.is_final:
            return False
        del self._rows[oldest]
        return True

    def halted(self) -> str | None:
        """Why trading is halted; None when it is not."""
        return self._halted

    def set_halted(self, reason: str | None) -> None:
        """Halted until the process ends, or until resumed."""
        self._halted = reason

    async def close(self) -> None:
        """Nothing to let go of."""
