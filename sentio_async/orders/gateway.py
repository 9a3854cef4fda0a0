"""The gateway: every order once, whatever the network does.

An intent is written down, then sent, and carried to its verdict by a task of the gateway's own.
A caller can leave, run out of time or be killed: the order is found out about all the same.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.events import Listener
from sentio_async.models.trading import Order, OrderChange, OrderRequest
from sentio_async.models.value import built
from sentio_async.orders.carrying import Carrier
from sentio_async.orders.desk import Desk
from sentio_async.orders.entry import Entry
from sentio_async.orders.intent import Intent, Kind, check_key, client_order_id, is_same_payload
from sentio_async.orders.journal import Journal, Step
from sentio_async.orders.policy import GatewayPolicy
from sentio_async.orders.rails import Guard, Rails
from sentio_async.orders.recovery import RecoveryReport, recover
from sentio_async.orders.stopping import Stopper
from sentio_async.orders.venue import Venue
from sentio_async.resilience.deadline import current_deadline

__all__ = ["OpenIntent", "OrderGateway", "RecoveryReport"]


@dataclass(frozen=True, slots=True)
class OpenIntent:
    """An intent of which the end is not known yet.  ``since`` is in epoch seconds."""

    id: str
    kind: Kind
    step: Step
    attempts: int
    since: float
    reason: str


class OrderGateway:
    """Places, cancels and replaces orders at one venue for one account.

    ``start`` it before the first order and ``stop`` it after the last.  ``name`` is for errors and
    events.
    """

    def __init__(  # noqa: PLR0913
        self,
        venue: Venue,
        *,
        journal: Journal,
        account: str,
        policy: GatewayPolicy | None = None,
        rails: Rails | None = None,
        clock: Clock = SYSTEM_CLOCK,
        listeners: Sequence[Listener] = (),
        name: str = "",
    ) -> None:
        self.policy = policy or GatewayPolicy()
        self.rails = rails or Rails()
        guard = Guard(self.rails)
        desk = Desk(venue, journal, account, self.policy, guard, clock, listeners, name)
        self._desk = desk
        self._stopper = Stopper(desk, self._cancel)
        self._carrier = Carrier(desk, self._stopper, self.rails.max_unknown)
        self._is_started = False

    # Life

    async def start(self) -> RecoveryReport:
        """Find out what became of every open intent; only then are orders accepted.

        Raises OrderOutcomeUnknownError when that cannot be found out: see ``settle``.
        """
        if self._is_started:
            return RecoveryReport()
        self._desk.has_ended = False
        try:
            report = await recover(self._desk, self._carrier)
        except BaseException:
            await self._let_go()
            raise
        self._is_started = True
        self._stopper.start()
        for order in report.changed:
            # More may have been filled meanwhile than was wanted.
            self._stopper.observe(order)
        return report

    @property
    def is_started(self) -> bool:
        """Orders are accepted, unless trading is halted."""
        return self._is_started

    async def stop(self) -> None:
        """End the gateway; orders that are being sent get a moment, others stay in the journal."""
        if not self._is_started:
            return
        self._is_started = False
        try:
            await self._carrier.drain()
        finally:
            await self._let_go()

    async def _let_go(self) -> None:
        self.abandon()
        try:
            await asyncio.gather(*self._desk.tasks, return_exceptions=True)
        finally:
            self._carrier.dismiss()
            await self._desk.journal.close()

    def abandon(self) -> None:
        """End at once, as a killed process does: nothing more is written or sent."""
        self._is_started = False
        self._desk.has_ended = True
        for task in tuple(self._desk.tasks):
            task.cancel()
        self._carrier.deadlines.stop()

    # Orders

    async def submit(
        self,
        order: OrderRequest,
        *,
        intent_key: str | None = None,
        check: Callable[[], None] | None = None,
    ) -> Order:
        """Place an order, once; ``check`` may raise before a new one is written down.

        The same ``intent_key`` gives the same order, now and after a restart; with another order
        it is an InvalidRequestError.  Without one, each call is an order of its own.

        Raises OrderRejectedError and its like when the venue says no, OrderOutcomeUnknownError
        (with a ``handle``) when nobody can say yet, and errors with ``outcome`` NOT_SENT when it
        was not placed and never will be.
        """
        self._check_started()
        if intent_key is not None:
            check_key(intent_key)
        is_new = order.client_order_id is None and intent_key is None
        order = self._with_id(order, intent_key)
        known = None if is_new else self._known(order, intent_key)
        if known is None:
            self._stopper.check()
            if check is not None:
                check()
            now = self._desk.now()
            self._desk.guard.check(order, now)
            own = order.client_order_id or ""
            known = self._begin(now, id=own, kind=Kind.PLACE, order=order, intent_key=intent_key)
            # A look in the journal has no need of it: what was sent then may be ours in any case.
            known.has_new_id = is_new
        return await self._placed(known)

    def _placed(self, entry: Entry) -> Coroutine[Any, Any, Order]:
        return self._carrier.outcome_of(entry)

    def _with_id(self, order: OrderRequest, intent_key: str | None) -> OrderRequest:
        if order.client_order_id is not None:
            return order
        own = self._new_id() if intent_key is None else self._id_of(intent_key)
        return _under(order, own)

    def _id_of(self, intent_key: str) -> str:
        return client_order_id(self.policy, self._desk.account, intent_key)

    def _new_id(self) -> str:
        """An id that nothing else has."""
        letters = os.urandom(16).hex()
        policy = self.policy
        if not policy.id_is_uuid and len(policy.id_prefix) + len(letters) <= policy.id_length:
            return policy.id_prefix + letters
        return self._id_of(letters)

    def _known(self, order: OrderRequest, intent_key: str | None) -> Entry | None:
        """What was asked for before, if this is the same; None when it is to be placed."""
        desk = self._desk
        known = desk.by_key.get(intent_key) if intent_key is not None else None
        known = known or desk.entries.get(order.client_order_id or "")
        if known is None:
            return None
        if intent_key is None and known.step is Step.REJECTED:
            # An id that the venue has refused is free.
            desk.remove(known)
            return None
        there, key = known.intent.order, known.intent.intent_key
        if intent_key is not None and key not in (None, intent_key):
            raise errors.InvalidRequestError(
                f"id {order.client_order_id!r} was given to intent_key {key!r}"
            )
        if there is None or not is_same_payload(there, order):
            name = f"intent_key {intent_key!r}" if intent_key else f"id {order.client_order_id!r}"
            raise errors.InvalidRequestError(f"{name} was given to another order")
        if known.step is Step.NOT_PLACED:
            desk.remove(known)
            return None
        if intent_key is None and known.order is not None:
            raise errors.ConflictError(
                f"id {order.client_order_id!r} was used for order {known.order.id}; "
                "to ask for the same order again, give an intent_key",
                connector=desk.name or None,
            )
        return known

    def _begin(self, now: float, **wanted: Any) -> Entry:
        """Know of an intent and start to carry it; it is not written down yet.

        ``wanted`` is what an ``Intent`` has besides its times.
        """
        desk = self._desk
        at = desk.wall()
        deadline = now + self.policy.timeout
        around = current_deadline()
        if around is not None and around < deadline:
            deadline = around
        entry = Entry(Intent(at=at, until=at + deadline - now, **wanted), deadline)
        desk.add(entry)
        self._carrier.carry(entry)
        return entry

    async def cancel(self, order_id: str) -> None:
        """Ask for an order to be cancelled, until the venue has heard it.

        Halted or not; a fill may still come first.
        """
        self._check_started()
        await self._cancel(order_id)

    async def _cancel(self, order_id: str) -> None:
        id = f"cancel {order_id}"
        known = self._desk.entries.get(id)
        if known is None or not known.is_open:
            if known is not None:
                self._desk.remove(known)
            known = self._begin(self._desk.now(), id=id, kind=Kind.CANCEL, order_id=order_id)
        await self._carrier.outcome_of(known)

    async def replace(self, order_id: str, change: OrderChange) -> Order:
        """Change a working order, once; the answer is the order that takes its place.

        Raises what ``submit`` raises.  While one change is unresolved, another one is refused.
        """
        self._check_started()
        for entry in self._desk.open:
            if entry.intent.kind is Kind.REPLACE and entry.intent.order_id == order_id:
                return await self._join(entry, change)
        self._stopper.check()
        desk, now = self._desk, self._desk.now()
        replaced = desk.by_order.get(order_id)
        base = None if replaced is None else replaced.intent.order
        wanted = desk.guard.check_change(base, change, now)
        if change.client_order_id is None:
            change = change.model_copy(update={"client_order_id": self._new_id()})
        own = change.client_order_id or ""
        if own in desk.entries:
            raise errors.ConflictError(f"id {own!r} was used before", connector=desk.name or None)
        entry = self._begin(
            now, id=own, kind=Kind.REPLACE, order=wanted, change=change, order_id=order_id
        )
        return await self._placed(entry)

    async def _join(self, entry: Entry, change: OrderChange) -> Order:
        there = entry.intent.change
        assert there is not None
        if there.model_copy(update={"client_order_id": change.client_order_id}) == change:
            return await self._placed(entry)
        raise errors.ConflictError(
            f"another change of order {entry.intent.order_id} is not resolved yet",
            outcome=errors.Outcome.NOT_SENT,
            connector=self._desk.name or None,
        )

    # What is known

    @property
    def open(self) -> list[OpenIntent]:
        """The intents of which the end is not known, oldest first."""
        return [
            OpenIntent(
                entry.id,
                entry.intent.kind,
                entry.step,
                entry.attempts,
                entry.intent.at,
                entry.reason,
            )
            for entry in self._desk.open
        ]

    def observe(self, order: Order) -> None:
        """Take note of what the venue says of an order now; halts when more fills than wanted."""
        self._stopper.observe(order)

    async def settle(self, client_order_id: str, order: Order | None) -> None:
        """End an open intent by a person's word: it is ``order``, or was never placed (None)."""
        entry = self._desk.entries.get(client_order_id)
        if entry is None or not entry.is_open:
            raise errors.InvalidRequestError(f"{client_order_id!r} is not open")
        await self._carrier.settle_by_hand(entry, order)

    # Halting

    @property
    def halted(self) -> str | None:
        """Why trading is halted; None when it is not."""
        return self._desk.journal.halted()

    def check_turn(self) -> None:
        """Raise an error when what is being sent must not leave now; for the task that sends it.

        TradingHaltedError when trading is halted, DeadlineExceededError when nobody wants it.
        """
        self._stopper.check()
        self._carrier.check_wanted()

    async def halt(self, reason: str) -> None:
        """Refuse new orders, also after a restart, and cancel what is open."""
        await self._stopper.halt(reason)

    def resume(self) -> None:
        """Accept new orders again."""
        self._stopper.resume()

    def _check_started(self) -> None:
        if not self._is_started:
            raise errors.InvalidRequestError(
                "orders: the gateway is not started", connector=self._desk.name or None
            )
        self._stopper.keep_watching()


def _under(order: OrderRequest, own: str) -> OrderRequest:
    """The same order under an id of ours, which is known to be a good one."""
    fields = {**vars(order), "client_order_id": own}
    return built(OrderRequest, fields, {*order.model_fields_set, "client_order_id"})
