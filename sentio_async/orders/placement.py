"""From an intent to a verdict: when an order is sent, when it is looked for, and when it ends.

What may have arrived is never given up as failed.  At a broker that refuses a repeated id it is
sent again under the same id, which is a fence: either it arrives now and is the only one, or the
broker refuses it and so proves that the first is there.  At any other broker it is only looked for.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.models.trading import Order, OrderRequest
from sentio_async.orders.desk import Desk
from sentio_async.orders.entry import Entry, Verdict
from sentio_async.orders.intent import entered_at, is_instrument_id, is_same, looks_like
from sentio_async.orders.journal import Row, Step
from sentio_async.orders.venue import BrokerClass

__all__ = ["Placement", "may_have_arrived", "never_sent", "was_not_taken"]


def may_have_arrived(error: errors.ConnectorError) -> bool:
    """Nobody can say whether the venue did what was asked; also when nobody has thought of it."""
    return error.outcome not in (Outcome.NOT_SENT, Outcome.REFUSED)


def was_not_taken(error: errors.ConnectorError) -> bool:
    """It certainly was not done, and may be asked for again: never sent, or throttled."""
    if error.is_permanent or isinstance(error, errors.CircuitOpenError):
        return False
    return error.outcome is Outcome.NOT_SENT or isinstance(error, errors.RateLimitError)


class Placement:
    """Carries one intent to its verdict; subclasses say how it is sent and looked for."""

    may_repeat = True
    """What may have arrived can be sent again, where the broker refuses repeats."""

    def __init__(self, desk: Desk, entry: Entry) -> None:
        self.desk = desk
        self.entry = entry
        self._asked_wait = 0.0

    async def run(self) -> Verdict:
        """The verdict; takes as long as it takes."""
        number = 0
        while True:
            is_first = not self.entry.needs_look
            verdict = None if is_first else await self.look()
            if verdict is None and (is_first or self._may_send_again()):
                verdict = await self.send()
            if verdict is not None:
                return verdict
            await self._pause(number)
            number += 1

    async def _pause(self, number: int) -> None:
        policy, entry = self.desk.policy, self.entry
        delay = policy.pause(number)
        if not entry.needs_look or self._may_send_again():
            # Two processes that failed together must not come back together.
            left = entry.deadline - self.desk.now()
            delay = max(min(self._asked_wait, left), delay * random.uniform(0.5, 1.0))  # noqa: S311
            self._asked_wait = 0.0
        await self.desk.clock.sleep(delay)

    def _may_send_again(self) -> bool:
        """What may have arrived is sent again only where a second one would be refused."""
        entry, desk = self.entry, self.desk
        return (
            self.may_repeat
            and desk.venue.broker_class.refuses_repeats
            and not entry.is_proved
            and entry.refusal is None
            and not entry.is_told_unknown
            and desk.now() < entry.deadline
            and not self._is_stale()
            and desk.journal.halted() is None
        )

    # Sending

    async def send(self) -> Verdict | None:
        """Send it once; None when that has not brought the end."""
        entry, desk = self.entry, self.desk
        problem = self._why_not(entry.is_unwanted) or await self._write_sent()
        # Writing takes time: its caller may have gone, or trading have been halted meanwhile.
        is_unwanted = entry.is_unwanted or entry.is_told_unknown or self._is_stale()
        problem = problem or self._why_not(is_unwanted)
        if problem is not None:
            return None if entry.needs_look else Verdict(Step.NOT_PLACED, error=problem)
        started = desk.now()
        entry.is_sending = True
        try:
            order = await desk.call(self.ask(), entry.deadline)
        except errors.ConnectorError as exc:
            self._record(exc, desk.now() - started)
            return await self._failed(exc)
        finally:
            entry.is_sending = False
            entry.left_at = desk.now()
        return self._answered(order)

    async def ask(self) -> Order:
        """One try at the venue."""
        assert self.entry.intent.order is not None
        return await self.desk.venue.place(self.entry.intent.order)

    def _why_not(self, is_unwanted: bool) -> errors.ConnectorError | None:
        halted = self.desk.journal.halted()
        if halted is not None:
            return errors.TradingHaltedError(f"trading is halted: {halted}")
        return never_sent() if is_unwanted else None

    def _is_stale(self) -> bool:
        """Its time is over by the clock on the wall: a machine that sleeps stops the loop's."""
        return self.desk.wall() > self.entry.intent.until

    async def _write_sent(self) -> errors.ConnectorError | None:
        """Make durable that it is about to be sent; gives the reason why it cannot be."""
        entry, desk = self.entry, self.desk
        at = desk.wall()
        sent = Row(entry.id, Step.SENT, at, entry.attempts + 1)
        try:
            if entry.attempts:
                await desk.write(sent)
            else:
                entry.entered_after = at
                intent = Row(entry.id, Step.INTENT, at, intent=entry.intent)
                await desk.write(intent, sent)
        except errors.ConnectorError as exc:
            return exc
        entry.attempts += 1
        if entry.step is Step.INTENT:
            entry.step = Step.SENT
        return None

    def _answered(self, order: Order) -> Verdict | None:
        entry, desk = self.entry, self.desk
        if self.is_ours(order):
            return Verdict(Step.ACKED, order=order)
        # A broken proxy or client can hand out somebody else's answer.
        entry.is_ambiguous = True
        entry.cause = errors.DecodeError(
            f"answer is about order {order.id} ({order.client_order_id!r}), not {entry.id!r}",
            connector=desk.name or None,
        )
        return None

    def is_ours(self, order: Order) -> bool:
        """The answer is about this intent's order."""
        if self.desk.venue.broker_class.shows_ids:
            return order.client_order_id == self.entry.id
        assert self.entry.intent.order is not None
        return self._is_unclaimed(order) and is_same(self.entry.intent.order, order)

    def _is_unclaimed(self, order: Order) -> bool:
        return self.desk.by_order.get(order.id) in (None, self.entry)

    async def _failed(self, exc: errors.ConnectorError) -> Verdict | None:
        entry = self.entry
        if may_have_arrived(exc):
            entry.is_ambiguous = True
            entry.cause = exc
            return None
        if was_not_taken(exc):
            return self._not_taken(exc)
        if isinstance(exc, errors.ConflictError) and self.desk.venue.broker_class.refuses_repeats:
            return await self._repeated(exc)
        if entry.needs_look:
            entry.refusal = exc if exc.outcome is Outcome.REFUSED else entry.refusal
            return None
        step = Step.REJECTED if exc.outcome is Outcome.REFUSED else Step.NOT_PLACED
        return Verdict(step, error=exc)

    def _not_taken(self, exc: errors.ConnectorError) -> Verdict | None:
        """It goes again, unless there is no time left or it has been tried often enough."""
        entry, desk = self.entry, self.desk
        self._asked_wait = getattr(exc, "retry_after", None) or 0.0
        if entry.needs_look:
            return None
        has_time = desk.now() + max(self._asked_wait, desk.policy.first_delay) < entry.deadline
        if has_time and entry.attempts < desk.policy.attempts:
            return None
        return Verdict(Step.NOT_PLACED, error=exc)

    async def _repeated(self, exc: errors.ConnectorError) -> Verdict | None:
        """The venue has seen the id: from an earlier try, an earlier life, or somebody else.

        Or from this very try: a proxy may send a request twice and pass on the second answer.
        """
        entry = self.entry
        entry.is_proved = True
        entry.cause = entry.cause or exc
        return await self.look()

    def _record(self, exc: errors.ConnectorError, elapsed: float) -> None:
        entry = self.entry
        record = errors.AttemptRecord(entry.attempts, type(exc).__name__, exc.outcome, elapsed, 0.0)
        entry.records = (*entry.records, record)

    # Looking

    async def look(self) -> Verdict | None:
        """Look for it once; None when that has not brought the end."""
        entry, desk = self.entry, self.desk
        started = desk.now()
        until = started + desk.policy.call_timeout
        try:
            found = await desk.call(self.candidates(), until)
        except errors.ConnectorError as exc:
            entry.cause = entry.cause or exc
            entry.reason = f"looking for it failed: {exc}"
            return None
        if entry.step.is_final:
            return None
        if len(found) == 1:
            return self.found(found[0])
        if found:
            entry.reason = f"{len(found)} orders look like it"
            return None
        entry.reason = "the venue does not show it"
        return self._not_found(started)

    async def candidates(self) -> Sequence[Order]:
        """The orders at the venue that can be this one."""
        entry, desk = self.entry, self.desk
        if desk.venue.broker_class is BrokerClass.UNIQUE:
            order = await desk.find(entry.id)
            return () if order is None else (order,)
        assert entry.intent.order is not None
        listed = await self.listed(entry.intent.order.symbol or None)
        if desk.venue.broker_class is BrokerClass.ECHO:
            return [order for order in listed if order.client_order_id == entry.id]
        return [order for order in listed if self._can_be(order)]

    async def listed(self, symbol: str | None) -> Sequence[Order]:
        """What the venue has taken since this could have been sent."""
        since = self.entry.entered_after - self.desk.policy.clock_skew
        return await self.desk.venue.recent(datetime.fromtimestamp(since, UTC), symbol)

    def _can_be(self, order: Order) -> bool:
        entry = self.entry
        assert entry.intent.order is not None
        # What takes the place of another order was not placed as such.
        is_free = order.replaces is None and self._is_unclaimed(order)
        return self._is_new(order) and is_free and looks_like(entry.intent.order, order)

    def _is_new(self, order: Order) -> bool:
        at = entered_at(order)
        earliest = self.entry.entered_after - self.desk.policy.clock_skew
        return at is None or at.timestamp() >= earliest

    def found(self, order: Order) -> Verdict:
        """The verdict on the only candidate."""
        entry = self.entry
        if self._is_of_before(order):
            return Verdict(Step.REJECTED, error=self.entry.cause)
        if entry.has_new_id or is_same(self._as_named(order), order):
            return Verdict(Step.ACKED, order=order, is_found=True)
        error = errors.ConflictError(
            f"order {order.id} of another kind has the id {self.entry.id!r}",
            connector=self.desk.name or None,
        )
        return Verdict(Step.REJECTED, error=error)

    def _as_named(self, order: Order) -> OrderRequest:
        """What was asked for, by the name that the venue has for an instrument asked for by id."""
        asked = self.entry.intent.order
        assert asked is not None
        if not is_instrument_id(asked.symbol):
            return asked
        return asked.model_copy(update={"symbol": order.symbol})

    def _is_of_before(self, order: Order) -> bool:
        """The id was used for another order, before this intent was first sent."""
        entry = self.entry
        is_certain = entry.is_ambiguous or entry.has_new_id
        may_be_ours = is_certain or entry.intent.intent_key is not None
        return entry.is_proved and not may_be_ours and not self._is_new(order)

    def _not_found(self, started: float) -> Verdict | None:
        """Not seen is not refused, before nothing can be on its way any more."""
        entry, policy = self.entry, self.desk.policy
        if entry.is_sending or started < entry.left_at + policy.horizon:
            return None
        entry.clean_looks += 1
        if entry.clean_looks < policy.clean_looks:
            return None
        if entry.is_proved:
            # Said to be there and not shown: for a person to settle, unless it never was ours.
            return None if entry.is_ambiguous else Verdict(Step.REJECTED, error=entry.cause)
        if entry.refusal is not None:
            return Verdict(Step.REJECTED, error=entry.refusal)
        error = errors.ConnectorError(
            f"order {entry.id}: it never arrived", outcome=Outcome.NOT_SENT, attempts=entry.records
        )
        error.__cause__ = entry.cause
        return Verdict(Step.NOT_PLACED, error=error)


def never_sent() -> errors.DeadlineExceededError:
    """Its time is over, or nobody waits for it, before anything of it has left."""
    return errors.DeadlineExceededError("no time left to send it", outcome=Outcome.NOT_SENT)
