"""Cancels and replacements: written down like orders, and carried to an end like them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime

from sentio_async import errors
from sentio_async.models.trading import Order
from sentio_async.models.words import OrderStatus
from sentio_async.orders.entry import Verdict
from sentio_async.orders.intent import Intent
from sentio_async.orders.journal import Step
from sentio_async.orders.placement import Placement, may_have_arrived, was_not_taken
from sentio_async.orders.venue import BrokerClass

__all__ = ["Cancellation", "Replacement", "unheard"]

_DAY = 86_400.0
_PATIENCE = 0.25
"""How long a cancel waits for the journal, in seconds."""


def unheard(intent: Intent) -> str:
    """What a caller is told of a cancel that may not have been heard."""
    return (
        f"cancel of order {intent.order_id}: nobody knows whether it was heard; "
        "cancelling again does no harm"
    )


class Replacement(Placement):
    """Carries a change: what may have arrived is only looked for, never sent again.

    The order that takes the place of another has an id of its own and names the one it replaces.
    """

    may_repeat = False

    async def ask(self) -> Order:
        """One try at the venue."""
        intent = self.entry.intent
        assert intent.order_id is not None
        assert intent.change is not None
        return await self.desk.venue.replace(intent.order_id, intent.change)

    def is_ours(self, order: Order) -> bool:
        """The answer has the id of the change, or is of the order or what takes its place.

        Only where ids are shown can that be told; every other answer is taken.
        """
        if self.desk.venue.broker_class is not BrokerClass.UNIQUE:
            return True
        old = self.entry.intent.order_id
        return order.client_order_id == self.entry.id or old in (order.id, order.replaces)

    async def candidates(self) -> Sequence[Order]:
        """The order that has taken the place of the other."""
        intent, venue = self.entry.intent, self.desk.venue
        if venue.broker_class is BrokerClass.UNIQUE:
            order = await self.desk.find(self.entry.id)
            return () if order is None else (order,)
        # The old order may be far older than the change, so the new one must name it.
        listed = await self.listed(None)
        return [order for order in listed if order.replaces == intent.order_id]

    def found(self, order: Order) -> Verdict:
        """It was found by its id, or by the order that it names."""
        return Verdict(Step.ACKED, order=order, is_found=True)

    async def run(self) -> Verdict:
        """The verdict; one that an earlier life saw refused was done then, or never will be."""
        refusal = self.entry.refusal
        if refusal is not None:
            verdict = await self._unless_done(Verdict(Step.REJECTED, error=refusal))
            if verdict is not None:
                return verdict
        return await super().run()

    async def _failed(self, exc: errors.ConnectorError) -> Verdict | None:
        """Refused, perhaps because it was done: a proxy may send a change twice.

        Then only the second answer comes back, which says that a replacement is under way.
        """
        verdict = await super()._failed(exc)
        if verdict is None or verdict.step is not Step.REJECTED:
            return verdict
        await self._write_refusal(exc)
        return await self._unless_done(verdict)

    async def _write_refusal(self, exc: errors.ConnectorError) -> None:
        """So that a next life need not wait until nothing can be on its way any more."""
        with contextlib.suppress(errors.ConnectorError):
            row = self.desk.row(self.entry, Step.SENT, exc.message or type(exc).__name__)
            await self.desk.write(row)

    async def _unless_done(self, verdict: Verdict) -> Verdict | None:
        """The verdict when the change is not there; None when nobody can say."""
        for number in range(self.desk.policy.clean_looks + 1):
            if number:
                # A venue may show what it has taken a moment later.
                await self.desk.clock.sleep(self.desk.policy.pause(number - 1))
            try:
                found = await self.desk.call(self.candidates(), self._soon())
            except errors.ConnectorError:
                # So it is looked for as one that may have arrived.
                self.entry.is_ambiguous = True
                self.entry.cause = self.entry.refusal = verdict.error
                return None
            if len(found) == 1:
                return self.found(found[0])
        return verdict

    def _soon(self) -> float:
        return self.desk.now() + self.desk.policy.call_timeout


class Cancellation(Placement):
    """Carries a cancel: it is asked for until the venue has heard it, halted or not."""

    async def run(self) -> Verdict:
        """The verdict; when the time is over, the last failure."""
        desk, entry = self.desk, self.entry
        number = 0
        while True:
            error = await self._ask_once()
            if error is None:
                return Verdict(Step.ACKED)
            if may_have_arrived(error):
                entry.is_ambiguous = True
                entry.cause = error
            elif not (was_not_taken(error) or isinstance(error, errors.CircuitOpenError)):
                return await self._refused(error)
            delay = max(desk.policy.pause(number), _asked_wait(error))
            if desk.now() + delay >= entry.deadline:
                return Verdict(Step.NOT_PLACED, error=self._no_time(error))
            await desk.clock.sleep(delay)
            number += 1

    async def _ask_once(self) -> errors.ConnectorError | None:
        desk, entry = self.desk, self.entry
        # A broken journal is told of, and keeps nobody from cancelling; nor does a slow one.
        writing = desk.start(self._write_sent())
        await asyncio.wait((writing,), timeout=_PATIENCE)
        if not writing.done() or writing.result() is not None:
            entry.attempts += 1
        assert entry.intent.order_id is not None
        started = desk.now()
        entry.is_sending = True
        try:
            await desk.call(desk.venue.cancel(entry.intent.order_id), entry.deadline)
        except errors.ConnectorError as exc:
            self._record(exc, desk.now() - started)
            return exc
        finally:
            entry.is_sending = False
        return None

    async def _refused(self, error: errors.ConnectorError) -> Verdict:
        """Refused because an earlier try has done it, or because it cannot be done."""
        if not self.entry.is_ambiguous:
            return Verdict(Step.REJECTED, error=error)
        status = await self._end_of_order()
        if status is None:
            return Verdict(Step.NOT_PLACED, error=self._no_time(error))
        if status is OrderStatus.CANCELED:
            return Verdict(Step.ACKED)
        return Verdict(Step.REJECTED, error=error)

    async def _end_of_order(self) -> OrderStatus | None:
        """How the order has ended; None when that cannot be read in time."""
        desk, entry = self.desk, self.entry
        number = 0
        while True:
            until = desk.now() + desk.policy.call_timeout
            try:
                order = await desk.call(self._read(), until)
            except errors.ConnectorError as exc:
                entry.cause = exc
            else:
                if order is not None and order.is_final:
                    return order.status
            delay = desk.policy.pause(number)
            if desk.now() + delay >= entry.deadline:
                return None
            await desk.clock.sleep(delay)
            number += 1

    async def _read(self) -> Order | None:
        desk, order_id = self.desk, self.entry.intent.order_id
        assert order_id is not None
        placed = desk.by_order.get(order_id)
        if placed is not None and desk.venue.broker_class is BrokerClass.UNIQUE:
            return await desk.find(placed.id)
        since = self.entry.intent.at - _DAY if placed is None else placed.entered_after
        listed = await desk.venue.recent(datetime.fromtimestamp(since, UTC))
        return next((order for order in listed if order.id == order_id), None)

    def _no_time(self, error: errors.ConnectorError) -> errors.ConnectorError:
        if not self.entry.is_ambiguous:
            return error
        unknown = errors.OutcomeUnknownError(
            unheard(self.entry.intent), connector=error.connector, operation=error.operation
        )
        unknown.__cause__ = self.entry.cause
        return unknown


def _asked_wait(error: errors.ConnectorError) -> float:
    """How long a quota or a breaker is closed; a server that is down is asked all the same."""
    if may_have_arrived(error):
        return 0.0
    asked = getattr(error, "retry_after", None) or getattr(error, "retry_in", None)
    return float(asked or 0.0)
