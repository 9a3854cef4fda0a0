"""What is known of one intent while the process lives."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from sentio_async import errors
from sentio_async.models.trading import Order
from sentio_async.orders.intent import Intent
from sentio_async.orders.journal import Row, Step

__all__ = ["Entry", "Verdict"]


# Most orders have neither, and there are many orders; all are replaced, never changed.
_NOBODY: list[asyncio.Future[Any]] = []
_NOTHING: dict[str, Decimal] = {}
_NOWHERE: dict[Entry, None] = {}


class Verdict(msgspec.Struct):
    """What became of an intent."""

    step: Step
    order: Order | None = None
    error: errors.ConnectorError | None = None
    is_found: bool = False
    """It was found at the venue; nobody had told of it."""


class Entry:
    """One intent, how far it has come, and who waits for it.  Times are loop times."""

    step: Step = Step.INTENT
    attempts: int = 0
    order: Order | None = None
    error: errors.ConnectorError | None = None
    reason: str = ""
    is_sending: bool = False
    is_ambiguous: bool = False
    """A try may have arrived, and nobody has said so."""
    has_new_id: bool = False
    """Its id was made for it, so that nothing else can have it."""
    is_proved: bool = False
    """The venue said that it has seen the id."""
    is_told_unknown: bool = False
    is_given_up: bool = False
    """Nobody waits for it any more who could be told that it was sent."""
    refusal: errors.ConnectorError | None = None
    """A later try was refused, which does not prove that an earlier one was."""
    cause: errors.ConnectorError | None = None
    """Why nobody knows."""
    left_at: float = 0.0
    """The last of its bytes left before."""
    clean_looks: int = 0
    records: tuple[errors.AttemptRecord, ...] = ()
    callers: list[asyncio.Future[Any]] = _NOBODY
    """Those who wait for what their call gives."""
    is_told: bool = False
    """They know, and so will nobody wait any more."""
    watchers: list[asyncio.Future[Any]] = _NOBODY
    """Those who hold a handle and wait for the end."""
    filled: dict[str, Decimal] = _NOTHING
    """By order, how much of it; there should be one."""
    task: asyncio.Task[Any] | None = None
    among: dict[Entry, None] = _NOWHERE
    """Those whose time may run out; it leaves them when it is told."""

    def __init__(self, intent: Intent, deadline: float) -> None:
        self.intent = intent
        self.id = intent.id
        """The id at the venue."""
        self.deadline = deadline
        """Nothing is sent after it."""
        self.entered_after = intent.at
        """Epoch seconds of the first send: the venue cannot have had it before."""
        self.sent_at = intent.at
        """Epoch seconds of the last send that an earlier life tells of."""

    @property
    def is_open(self) -> bool:
        """Its end is not known."""
        return not self.step.is_final

    @property
    def needs_look(self) -> bool:
        """It may live."""
        return self.is_ambiguous or self.is_proved

    @property
    def is_unwanted(self) -> bool:
        """It must not be sent any more; what may live already is another matter."""
        return self.is_given_up and not self.needs_look

    def tell(self, order: Order | None) -> None:
        """Let those go who wait for it."""
        for caller in self._let_go():
            if not caller.done():
                caller.set_result(order)

    def tell_error(self, error: errors.ConnectorError) -> None:
        """Let those go who wait for it, with an error."""
        for caller in self._let_go():
            if not caller.done():
                caller.set_exception(error)

    def _let_go(self) -> list[asyncio.Future[Any]]:
        self.among.pop(self, None)
        self.is_told = True
        callers, self.callers = self.callers, _NOBODY
        return callers

    def watch(self) -> asyncio.Future[Any]:
        """Done when the end is known."""
        watcher = asyncio.get_running_loop().create_future()
        self.watchers = [*self.watchers, watcher]
        return watcher

    def unwatch(self, watcher: asyncio.Future[Any]) -> None:
        """Who holds a handle waits no longer."""
        self.watchers = [each for each in self.watchers if each is not watcher]

    def wake(self) -> None:
        """The end is known: tell those who hold a handle, and keep no more than is needed."""
        watchers, self.watchers = self.watchers, _NOBODY
        for watcher in watchers:
            watcher.set_result(None)
        self.task = None

    @classmethod
    def from_rows(cls, rows: Sequence[Row]) -> Entry | None:
        """The entry that these rows of one id tell of; None if they do not begin with an intent."""
        entry: Entry | None = None
        for row in rows:
            if row.intent is not None:
                entry = cls(row.intent, deadline=0.0)
            if entry is not None:
                entry.take(row)
        return entry

    def take(self, row: Row) -> None:
        """Go the step that a row of an earlier life tells of."""
        if row.step is Step.SENT and row.reason:
            self.is_ambiguous = False
            self.refusal = errors.OrderRejectedError(row.reason)
        elif row.step is Step.SENT:
            if row.attempt == 1:
                self.entered_after = row.at
            self.sent_at = row.at
            self.attempts = row.attempt
            self.is_ambiguous = True
        self.is_told_unknown = self.is_told_unknown or row.step is Step.UNKNOWN
        self.order = row.order or self.order
        self.reason = row.reason
        self.step = row.step
