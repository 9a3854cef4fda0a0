"""Runs every intent to its verdict in a task of its own, and tells those who wait."""

from __future__ import annotations

import asyncio
import logging
from contextvars import ContextVar
from typing import Any

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.models.trading import Order
from sentio_async.orders import happenings
from sentio_async.orders.changes import Cancellation, Replacement, unheard
from sentio_async.orders.deadlines import Deadlines
from sentio_async.orders.desk import Desk
from sentio_async.orders.entry import Entry, Verdict
from sentio_async.orders.handle import OrderHandle
from sentio_async.orders.intent import Kind
from sentio_async.orders.journal import Row, Step
from sentio_async.orders.placement import Placement, never_sent
from sentio_async.orders.policy import Late
from sentio_async.orders.stopping import Stopper
from sentio_async.resilience.deadline import replace_deadline

__all__ = ["Carrier"]

log = logging.getLogger("sentio_async")

_HOW: dict[Kind, type[Placement]] = {
    Kind.PLACE: Placement,
    Kind.REPLACE: Replacement,
    Kind.CANCEL: Cancellation,
}
_CARRIED: ContextVar[Entry | None] = ContextVar("sentio_async_carried", default=None)
DRAIN = 5.0
"""How long orders that are being sent may take when the gateway is stopped, in seconds."""


class Carrier:
    """Starts, ends and tells of intents."""

    def __init__(self, desk: Desk, stopper: Stopper, max_unknown: int) -> None:
        self._desk = desk
        self._stopper = stopper
        self._max_unknown = max_unknown
        self.deadlines = Deadlines(desk.now, self._time_is_over)

    # Beginning

    def carry(self, entry: Entry) -> None:
        """Begin, and give up waiting when the time is over."""
        self.deadlines.add(entry)
        self.resume(entry)

    def resume(self, entry: Entry) -> asyncio.Task[None]:
        """Go on with what an earlier life left open; nobody waits for it."""
        # What comes after the order, such as its cancel, is not bound by its caller's deadline.
        before = replace_deadline(None)
        # Not the loop's own way: where tasks are eager (Python 3.12), it might be done already.
        task = asyncio.Task(self._run(entry), loop=asyncio.get_running_loop())
        replace_deadline(before)
        entry.task = task
        self._desk.tasks.add(task)
        return task

    async def _run(self, entry: Entry) -> None:
        task = entry.task
        _CARRIED.set(entry)
        placement = _HOW[entry.intent.kind](self._desk, entry)
        try:
            twins = self._desk.twin_lock(entry)
            if twins is None:
                await self.end(entry, await placement.run())
                return
            async with twins:
                await self.end(entry, await placement.run())
        except asyncio.CancelledError:
            # Not only by us: a program may cancel every task that there is.
            self._left_off(entry)
            raise
        except Exception as exc:
            log.exception("%s: order %s is left to the next start", self._desk.name, entry.id)
            entry.is_ambiguous = True
            self._tell_unknown(entry, str(exc))
        finally:
            # A callback would do it too, and take a turn of the loop for each order.
            self._desk.tasks.discard(task)

    # Ending

    async def end(self, entry: Entry, verdict: Verdict) -> None:
        """Write the verdict down and tell it; the first one counts."""
        if not entry.is_open:
            return
        desk, order, error = self._desk, verdict.order, verdict.error
        entry.step = verdict.step
        entry.order = order
        entry.error = error
        entry.reason = "" if error is None else error.message
        if order is not None:
            desk.claim(entry, order)
        if entry.attempts:
            try:
                await desk.write(desk.row(entry, entry.step, entry.reason))
            except errors.ConnectorError as exc:
                # The row before it stays, so that the next start finds out once more.
                self._stopper.halt_soon(f"the journal cannot be written: {exc.message}")
        else:
            # The journal has never heard of it.
            desk.remove(entry)
        if error is None:
            self._tell_placed(entry, verdict)
        else:
            self._tell_failed(entry, error)
        if order is not None:
            self._look_after(entry, order)

    def _tell_failed(self, entry: Entry, error: errors.ConnectorError) -> None:
        error.attempts = error.attempts or entry.records
        is_refused = entry.step is Step.REJECTED
        kind = happenings.OrderRejected if is_refused else happenings.OrderNotPlaced
        self._desk.tell(kind, entry.id, entry.reason)
        entry.tell_error(error)
        entry.wake()

    def _tell_placed(self, entry: Entry, verdict: Verdict) -> None:
        order, desk = verdict.order, self._desk
        if order is not None:
            if verdict.is_found:
                late = entry.is_told_unknown
                action = "cancelled" if late and desk.policy.late is Late.CANCEL else "adopted"
                known = (entry.id, order.id, entry.attempts, late, action)
                desk.tell(happenings.OrderFound, *known)
            else:
                desk.tell(happenings.OrderPlaced, entry.id, order.id, entry.attempts)
        entry.tell(order)
        entry.wake()

    def _look_after(self, entry: Entry, order: Order) -> None:
        is_late = entry.is_told_unknown and self._desk.policy.late is Late.CANCEL
        if (is_late or self._desk.journal.halted() is not None) and not order.is_final:
            self._stopper.cancel_soon(order.id)
        self._stopper.observe(order)

    # Waiting

    async def outcome_of(self, entry: Entry) -> Any:
        """What became of it, as its caller is to hear it."""
        if not entry.is_open:
            return self._verdict_of(entry)
        if entry.is_told_unknown:
            raise self.unknown(entry)
        if entry.is_told:
            return self._verdict_of(entry)
        entry.is_given_up = False
        caller = asyncio.get_running_loop().create_future()
        entry.callers = [*entry.callers, caller]
        try:
            return await caller
        except asyncio.CancelledError:
            if not entry.needs_look and all(each.done() for each in entry.callers):
                # Nobody wants it any more; that it is on its way already, we may hear yet.
                entry.is_given_up = True
            raise

    def check_wanted(self) -> None:
        """Raise DeadlineExceededError in the task of an order whose callers have gone."""
        entry = _CARRIED.get()
        if entry is not None and entry.is_unwanted:
            raise never_sent()

    def _verdict_of(self, entry: Entry) -> Any:
        if entry.step is Step.ACKED:
            return entry.order
        if entry.error is None:
            # Known from the journal, which keeps the words only.
            entry.error = errors.OrderRejectedError(entry.reason, connector=self._desk.name or None)
        raise entry.error.with_traceback(None)

    def _time_is_over(self, entry: Entry) -> None:
        # Its end may be known and still being written down.
        if entry.is_told or not entry.is_open:
            return
        if entry.needs_look or entry.is_sending:
            self._tell_unknown(entry, entry.reason)
            return
        entry.is_given_up = True
        why = "another order just like it is not resolved yet, or the journal is slow"
        entry.error = errors.DeadlineExceededError(
            f"order {entry.id}: never sent; {why}",
            outcome=Outcome.NOT_SENT,
            connector=self._desk.name or None,
        )
        entry.tell_error(entry.error)

    def _tell_unknown(self, entry: Entry, reason: str) -> None:
        entry.is_told_unknown = True
        entry.step = Step.UNKNOWN
        entry.tell_error(self.unknown(entry))
        self._desk.tell(happenings.OrderUnknown, entry.id, reason)
        self._desk.start(self._write_unknown(entry, reason))
        if self._desk.unknown_count >= self._max_unknown:
            self._stopper.halt_soon(f"of {self._desk.unknown_count} orders nobody knows")

    async def _write_unknown(self, entry: Entry, reason: str) -> None:
        row = Row(entry.id, Step.UNKNOWN, self._desk.wall(), entry.attempts, reason=reason)
        if entry.is_open:
            try:
                await self._desk.write(row)
            except errors.ConnectorError:
                log.warning("%s: order %s stays open as sent", self._desk.name, entry.id)

    def unknown(self, entry: Entry) -> errors.OutcomeUnknownError:
        """The error that says so, with a handle that finds out."""
        cause = entry.cause
        where: dict[str, Any] = {
            "connector": self._desk.name or None,
            "operation": cause.operation if cause is not None else None,
            "attempts": entry.records,
        }
        intent = entry.intent
        error: errors.OutcomeUnknownError
        if intent.kind is Kind.CANCEL:
            error = errors.OutcomeUnknownError(unheard(intent), **where)
        else:
            error = errors.OrderOutcomeUnknownError(
                f"order {entry.id}: it may have been placed and is being looked for; ask "
                "`await error.handle.resolve()`, and do not send it under a new id",
                handle=self.handle(entry),
                **where,
            )
        error.__cause__ = cause
        return error

    def handle(self, entry: Entry) -> OrderHandle:
        """What finds out about it."""
        return OrderHandle(entry.id, entry.intent.order, lambda t: self.resolve(entry, t))

    async def resolve(self, entry: Entry, timeout: float | None) -> Order | None:
        """The order once found, None once certain that there is none."""
        if entry.is_open and self._may_go_on(entry):
            # In a task of our own: who asks may leave half way.
            await asyncio.wait((self._desk.start(self._look_now(entry)),))
        if entry.is_open and self._may_go_on(entry):
            if entry.task is not None and entry.task.done():
                # Something has ended the task that carries it; it is not sent again.
                self.resume(entry)
            watcher = entry.watch()
            try:
                await asyncio.wait((watcher,), timeout=timeout)
            finally:
                entry.unwatch(watcher)
        if entry.is_open:
            raise self.unknown(entry)
        return entry.order

    def _may_go_on(self, entry: Entry) -> bool:
        """The gateway has not ended, which would leave it to the next start."""
        return entry.task is not None and not self._desk.has_ended

    async def _look_now(self, entry: Entry) -> None:
        verdict = await _HOW[entry.intent.kind](self._desk, entry).look()
        if verdict is not None:
            await self._end_from_outside(entry, verdict)

    async def _end_from_outside(self, entry: Entry, verdict: Verdict) -> None:
        """End it and the task that carries it, which would look on and keep its twins waiting."""
        carrier = entry.task
        assert carrier is not None
        await self.end(entry, verdict)
        carrier.cancel()

    # Stopping

    async def drain(self) -> None:
        """Let orders that are being sent come to their end."""
        busy = [e.task for e in self._desk.waited_for if e.task and not e.is_told_unknown]
        if busy:
            await asyncio.wait(busy, timeout=DRAIN)

    def dismiss(self) -> None:
        """Tell those who still wait that the next start will find out."""
        for entry in self._desk.waited_for:
            if entry.is_open:
                entry.tell_error(self.unknown(entry))
            self._left_off(entry)
            entry.wake()

    def _left_off(self, entry: Entry) -> None:
        """Its task has ended early: what is known is told, what is not is not denied."""
        if entry.is_open:
            entry.is_ambiguous = entry.is_ambiguous or entry.attempts > 0
        elif entry.error is not None:
            entry.tell_error(entry.error)
        else:
            entry.tell(entry.order)

    async def settle_by_hand(self, entry: Entry, order: Order | None) -> None:
        """End it by a person's word."""
        if order is not None:
            verdict = Verdict(Step.ACKED, order=order, is_found=True)
        else:
            error = errors.ConnectorError("settled by hand", outcome=Outcome.NOT_SENT)
            verdict = Verdict(Step.NOT_PLACED, error=error)
        await self._end_from_outside(entry, verdict)
