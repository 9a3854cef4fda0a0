"""What every part of the gateway shares: the venue, the journal, the time, what is known."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from sentio_async import errors
from sentio_async.clock import Clock
from sentio_async.events import Event, Listener, tell
from sentio_async.models.trading import Order
from sentio_async.orders.entry import Entry
from sentio_async.orders.happenings import JournalFailed
from sentio_async.orders.intent import Kind, twin_of
from sentio_async.orders.journal import Journal, Row, Step
from sentio_async.orders.policy import GatewayPolicy
from sentio_async.orders.rails import Guard
from sentio_async.orders.venue import Venue
from sentio_async.resilience.deadline import replace_deadline

__all__ = ["Desk"]

T = TypeVar("T")

log = logging.getLogger("sentio_async")


class Desk:
    """The state of one gateway, and the few things that all its parts do."""

    def __init__(  # noqa: PLR0913
        self,
        venue: Venue,
        journal: Journal,
        account: str,
        policy: GatewayPolicy,
        guard: Guard,
        clock: Clock,
        listeners: Sequence[Listener],
        name: str,
    ) -> None:
        self.venue = venue
        self.journal = journal
        self.account = account
        self.policy = policy
        self.guard = guard
        self.clock = clock
        self.now = clock.time
        """Gives the loop time."""
        self.name = name
        self.listeners = listeners
        self.entries: dict[str, Entry] = {}
        self.by_key: dict[str, Entry] = {}
        self.by_order: dict[str, Entry] = {}
        """Every order of ours by the venue's id: those that no other intent may claim."""
        self.tasks: set[asyncio.Task[Any]] = set()
        self.has_ended = False
        """Nothing is begun any more; what is open is for the next start."""
        self._twins: dict[Any, tuple[asyncio.Lock, int]] = {}

    # Time

    def wall(self) -> float:
        """Epoch seconds."""
        return self.clock.utcnow().timestamp()

    async def call(self, asked: Awaitable[T], until: float) -> T:
        """The answer of the venue; the call is told when it must have ended.

        Anything but a ConnectorError is a mistake in the connector, which says nothing of what the
        venue did.
        """
        before = replace_deadline(until)
        try:
            return await asked
        except errors.ConnectorError:
            raise
        except Exception as exc:
            log.exception("%s: a call failed in an unexpected way", self.name)
            raise errors.OutcomeUnknownError(f"{type(exc).__name__}: {exc}") from exc
        finally:
            replace_deadline(before)

    async def find(self, own: str) -> Order | None:
        """The order under an id of ours; raises DecodeError when told of another one.

        A broken proxy can hand out somebody else's answer.
        """
        order = await self.venue.find(own)
        if order is not None and order.client_order_id.strip() != own.strip():
            raise errors.DecodeError(
                f"asked for order {own!r}, told of order {order.client_order_id!r}",
                connector=self.name or None,
            )
        return order

    # What is known

    def add(self, entry: Entry) -> None:
        """Know of an intent from now on."""
        self.entries[entry.id] = entry
        if entry.intent.intent_key is not None:
            self.by_key[entry.intent.intent_key] = entry
        if entry.order is not None:
            self.claim(entry, entry.order)
        if len(self.entries) > self.policy.remember:
            self._forget_oldest()

    def claim(self, entry: Entry, order: Order) -> None:
        """The order is this intent's and no other's."""
        self.by_order[order.id] = entry

    def remove(self, entry: Entry) -> None:
        """Know of an intent no longer; another may take its id."""
        self.entries.pop(entry.id, None)
        if entry.intent.intent_key is not None:
            self.by_key.pop(entry.intent.intent_key, None)

    def _forget_oldest(self) -> None:
        oldest = next(iter(self.entries.values()))
        if oldest.is_open:
            # Stays in memory until its end is known; it counts as the youngest.
            self.entries[oldest.id] = self.entries.pop(oldest.id)
            return
        self.remove(oldest)
        if oldest.order is not None:
            self.by_order.pop(oldest.order.id, None)

    @property
    def open(self) -> list[Entry]:
        """The intents of which the end is not known."""
        return [entry for entry in self.entries.values() if entry.is_open]

    @property
    def waited_for(self) -> list[Entry]:
        """The open ones, and those of which somebody is still to be told."""
        known = self.entries.values()
        return [each for each in known if each.is_open or each.callers or each.watchers]

    @property
    def unknown_count(self) -> int:
        """How many callers were told that nobody knows, and still nobody does."""
        return sum(
            entry.is_told_unknown and entry.is_open and entry.intent.kind is not Kind.CANCEL
            for entry in self.entries.values()
        )

    def twin_lock(self, entry: Entry) -> AbstractAsyncContextManager[None] | None:
        """Held by one of the intents whose orders could be taken for one another."""
        order = entry.intent.order
        if order is None or self.venue.broker_class.shows_ids:
            return None
        return _TwinLock(self._twins, twin_of(order))

    # What is written and told

    async def write(self, *rows: Row) -> None:
        """Make rows durable; raises ConnectorError, and tells of it, when that fails."""
        try:
            await self.journal.write(*rows)
        except Exception as exc:
            log.exception("%s: the journal cannot be written", self.name)
            row = rows[-1]
            self.tell(JournalFailed, row.id, f"{type(exc).__name__}: {exc}")
            raise errors.ConnectorError(
                f"journal: {exc}", outcome=errors.Outcome.NOT_SENT, connector=self.name or None
            ) from exc

    def row(self, entry: Entry, step: Step, reason: str = "") -> Row:
        """A row about an entry."""
        order = entry.order if step is Step.ACKED else None
        return Row(entry.id, step, self.wall(), entry.attempts, order=order, reason=reason)

    def tell(self, kind: Callable[..., Event], *known: Any) -> None:
        """Tell the listeners, if there are any."""
        if self.listeners:
            tell(self.listeners, kind(self.now(), self.name, "orders", *known))

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run work in a task of the gateway's own, which no caller can cancel.

        Nor is it bound by the deadline of the caller that is its cause.
        """
        before = replace_deadline(None)
        task = asyncio.get_running_loop().create_task(work)
        replace_deadline(before)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task


class _TwinLock:
    """A lock by name that is gone when nobody holds it or waits for it."""

    __slots__ = ("_locks", "_name")

    def __init__(self, locks: dict[Any, tuple[asyncio.Lock, int]], name: Any) -> None:
        self._locks = locks
        self._name = name

    async def __aenter__(self) -> None:
        lock, users = self._locks.get(self._name) or (asyncio.Lock(), 0)
        self._locks[self._name] = (lock, users + 1)
        try:
            await lock.acquire()
        except BaseException:
            self._leave()
            raise

    async def __aexit__(self, *_error: object) -> None:
        self._locks[self._name][0].release()
        self._leave()

    def _leave(self) -> None:
        lock, users = self._locks[self._name]
        if users == 1:
            del self._locks[self._name]
        else:
            self._locks[self._name] = (lock, users - 1)
