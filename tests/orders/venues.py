"""A venue that answers as it is told to, in virtual time, and remembers what it has taken."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.models.trading import Order, OrderChange, OrderRequest
from sentio_async.models.words import OrderStatus
from sentio_async.orders.gateway import OrderGateway
from sentio_async.orders.journal import MemoryJournal
from sentio_async.orders.venue import BrokerClass

START = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)

REFUSED = "refused"
LOST = "lost"
NO_ANSWER = "no answer"
UNSENT = "unsent"
THROTTLED = "throttled"
HANGS = "hangs"
LATE = "late"
REPEATED = "repeated"


class LoopClock:
    """The loop's time, and a wall clock that goes with it."""

    def __init__(self, behind: float = 0.0) -> None:
        self.behind = behind

    def time(self) -> float:
        return asyncio.get_running_loop().time()

    def utcnow(self) -> datetime:
        return START + timedelta(seconds=self.time() - self.behind)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


CLOCK = LoopClock()


def an_order(symbol: str = "ACME", qty: Any = "10", side: str = "buy", **more: Any) -> OrderRequest:
    if more.get("notional") is not None:
        qty = None
    return OrderRequest.model_validate({"symbol": symbol, "qty": qty, "side": side, **more})


def unknown(message: str = "no answer") -> errors.ConnectorError:
    return errors.ConnectionError(message, outcome=Outcome.UNKNOWN)


def not_sent(message: str = "connection refused") -> errors.ConnectorError:
    return errors.ConnectionError(message, outcome=Outcome.NOT_SENT)


def refused(message: str = "insufficient buying power") -> errors.OrderRejectedError:
    return errors.OrderRejectedError(message, status_code=403)


def throttled(retry_after: float | None = 1.0) -> errors.RateLimitError:
    return errors.RateLimitError("slow down", status_code=429, retry_after=retry_after)


Answer = Callable[[], Any] | BaseException | str


class ScriptedVenue:
    """Takes orders; ``script`` says what goes wrong with one call after the other.

    An exception is raised before anything is done; LOST does it and raises UNKNOWN; REPEATED does
    it and raises the refusal of a second one; LATE does it
    some time after raising UNKNOWN; HANGS never ends; a callable is called for the answer.
    """

    def __init__(self, broker_class: BrokerClass = BrokerClass.UNIQUE, *script: Answer) -> None:
        self.broker_class = broker_class
        self.script: dict[str, deque[Answer]] = {
            "place": deque(script),
            "find": deque(),
            "recent": deque(),
            "cancel": deque(),
            "replace": deque(),
        }
        self.orders: dict[str, Order] = {}
        self.calls: list[tuple[str, Any]] = []
        self.lag = 0.0
        self.late_by = 20.0
        self.ids: set[str] = set()
        self.placing: set[asyncio.Task[Any]] = set()

    def say(self, call: str, *answers: Answer) -> None:
        self.script[call].extend(answers)

    def sent(self, call: str = "place") -> list[Any]:
        return [what for name, what in self.calls if name == call]

    async def _do(self, call: str, what: Any, work: Callable[[], Any]) -> Any:
        self.calls.append((call, what))
        answer = self.script[call].popleft() if self.script[call] else None
        if isinstance(answer, BaseException):
            raise answer
        if answer == HANGS:
            await asyncio.Event().wait()
        if answer == LATE:
            self.placing.add(asyncio.create_task(self._later(work)))
            raise unknown()
        if callable(answer):
            return answer()
        done = work()
        if answer == LOST:
            raise unknown()
        if answer == REPEATED:
            # A proxy asked twice, and passes on the second answer.
            raise refused("order is in pending_replace status")
        return done

    async def _later(self, work: Callable[[], Any]) -> None:
        await asyncio.sleep(self.late_by)
        try:
            work()
        except errors.ConnectorError:
            return

    async def place(self, order: OrderRequest) -> Order:
        return await self._do("place", order, lambda: self.take(order))

    def take(self, order: OrderRequest, **fields: Any) -> Order:
        own = order.client_order_id or ""
        if self.broker_class.refuses_repeats and own in self.ids:
            raise errors.ConflictError("client_order_id must be unique", status_code=422)
        self.ids.add(own)
        shown = own if self.broker_class.shows_ids else ""
        number = f"v{len(self.orders) + 1}"
        taken = an_answer(order, id=number, client_order_id=shown, **fields)
        self.orders[number] = taken
        return taken

    def _visible(self) -> list[Order]:
        now = CLOCK.utcnow() - timedelta(seconds=self.lag)
        return [o for o in self.orders.values() if o.submitted_at and o.submitted_at <= now]

    async def find(self, client_order_id: str) -> Order | None:
        def work() -> Order | None:
            seen = [o for o in self._visible() if o.client_order_id == client_order_id]
            return seen[0] if seen else None

        return await self._do("find", client_order_id, work)

    async def recent(self, since: datetime, symbol: str | None = None) -> Sequence[Order]:
        def work() -> list[Order]:
            return [
                order
                for order in self._visible()
                if order.submitted_at >= since and symbol in (None, order.symbol)
            ]

        return await self._do("recent", since, work)

    async def cancel(self, order_id: str) -> None:
        def work() -> None:
            self.change(order_id, status=OrderStatus.CANCELED)

        await self._do("cancel", order_id, work)

    def change(self, order_id: str, **fields: Any) -> Order:
        order = self.orders[order_id]
        if order.is_final:
            raise errors.BadRequestError("order is not cancelable", status_code=422)
        self.orders[order_id] = order.model_copy(update=fields)
        return self.orders[order_id]

    async def replace(self, order_id: str, change: OrderChange) -> Order:
        def work() -> Order:
            old = self.change(order_id, status=OrderStatus.REPLACED)
            new = f"v{len(self.orders) + 1}"
            shown = change.client_order_id if self.broker_class.shows_ids else ""
            self.orders[new] = old.model_copy(
                update={
                    "id": new,
                    "client_order_id": shown,
                    "status": OrderStatus.OPEN,
                    "qty": change.qty or old.qty,
                    "limit_price": change.limit_price or old.limit_price,
                    "replaces": order_id,
                    "submitted_at": CLOCK.utcnow(),
                }
            )
            return self.orders[new]

        return await self._do("replace", (order_id, change), work)


def an_answer(order: OrderRequest, **fields: Any) -> Order:
    given = {
        "id": "v1",
        "client_order_id": order.client_order_id or "",
        "symbol": order.symbol,
        "side": order.side,
        "type": order.type,
        "status": OrderStatus.OPEN,
        "venue_status": "new",
        "qty": order.qty,
        "notional": order.notional,
        "filled_qty": Decimal(0),
        "time_in_force": order.time_in_force,
        "limit_price": order.limit_price,
        "stop_price": order.stop_price,
        "trail_price": order.trail_price,
        "trail_percent": order.trail_percent,
        "submitted_at": CLOCK.utcnow(),
    }
    return Order.model_validate({**given, **fields})


def a_gateway(venue: Any, journal: Any = None, **more: Any) -> OrderGateway:
    given: dict[str, Any] = {"account": "test", "clock": CLOCK, "name": "venue"}
    return OrderGateway(venue, journal=journal or MemoryJournal(), **{**given, **more})
