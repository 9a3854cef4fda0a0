"""Places an order under an id of ours, and finds out what became of it when nobody says.

An order whose fate is unknown is never sent again under another id.  It is looked up by its id;
if the venue does not show it, that proves nothing (it may still be on its way), so the caller
gets an error with a handle that can ask again.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from sentio_async import errors
from sentio_async.models.trading import Order, OrderRequest

__all__ = ["OrderHandle", "place_once", "with_client_order_id"]

Place = Callable[[OrderRequest], Awaitable[Order]]
Find = Callable[[str], Awaitable[Order]]


def with_client_order_id(order: OrderRequest) -> OrderRequest:
    """The order with an id of ours; the caller's own id stays."""
    if order.client_order_id is not None:
        return order
    return order.model_copy(update={"client_order_id": f"sentio-{uuid.uuid4().hex}"})


class OrderHandle:
    """An order that may live at the venue."""

    def __init__(self, order: OrderRequest, find: Find) -> None:
        self.order = order
        self._find = find

    @property
    def client_order_id(self) -> str:
        """The id it was sent under."""
        return self.order.client_order_id or ""

    async def resolve(self) -> Order | None:
        """The order if the venue shows it now.  None is no proof that it never will."""
        try:
            return await self._find(self.client_order_id)
        except errors.NotFoundError:
            return None

    def __reduce__(self) -> tuple[Any, ...]:
        # How to ask belongs to a live connector and does not travel.
        return OrderHandle, (self.order, _cannot_ask)

    def __repr__(self) -> str:
        return f"<OrderHandle {self.client_order_id!r}>"


async def _cannot_ask(client_order_id: str) -> Order:
    raise errors.OutcomeUnknownError(
        f"{client_order_id}: this handle was copied; ask a broker by get_order_by_client_id"
    )


async def place_once(order: OrderRequest, *, place: Place, find: Find) -> Order:
    """The order as the venue took it; raises OrderOutcomeUnknownError when nobody can say.

    ``order`` has its ``client_order_id``.  ``place`` sends it (and may send it again only if it
    was never sent), ``find`` looks it up by that id.
    """
    try:
        placed = await place(order)
    except errors.ConflictError as exc:
        # The id is known there.  That may be an order of another day: hand over only a twin.
        return await _adopt(order, find, exc)
    except errors.ConnectorError as exc:
        if exc.outcome is not errors.Outcome.UNKNOWN:
            raise
        return await _adopt(order, find, exc)
    if placed.client_order_id != order.client_order_id:
        # A broken proxy or client can hand out somebody else's answer.
        error = errors.DecodeError(
            f"answer is about order {placed.client_order_id!r}, not {order.client_order_id!r}"
        )
        return await _adopt(order, find, error)
    return placed


async def _adopt(order: OrderRequest, find: Find, cause: errors.ConnectorError) -> Order:
    """The order under this id if it is this order; otherwise the cause, with all that is known."""
    handle = OrderHandle(order, find)
    try:
        found = await handle.resolve()
    except errors.ConnectorError as exc:
        cause.add_note(f"and looking it up failed: {exc}")
        found = None
    is_ambiguous = cause.outcome is errors.Outcome.UNKNOWN
    if found is not None and _is_same(order, found):
        if is_ambiguous:
            return found
        cause.add_note(f"order {found.id} has this client_order_id; status {found.status.value}")
        raise cause
    if not is_ambiguous:
        raise cause
    raise errors.OrderOutcomeUnknownError(
        f"order {handle.client_order_id}: it may have been placed; "
        "ask `await error.handle.resolve()`, and do not send it under a new id",
        handle=handle,
        connector=cause.connector,
        operation=cause.operation,
        attempts=cause.attempts,
        elapsed=cause.elapsed,
    ) from cause


def _is_same(order: OrderRequest, found: Order) -> bool:
    """The found order is what was asked for, as far as both say."""
    asked = (_bare(order.symbol), order.side, order.qty, order.notional)
    there = (_bare(found.symbol), found.side, found.qty, found.notional)
    return all(
        mine == theirs or mine in (None, "") or theirs in (None, "")
        for mine, theirs in zip(asked, there, strict=True)
    )


def _bare(symbol: str) -> str:
    """Without what venues spell differently: Alpaca takes BTCUSD and answers BTC/USD."""
    return "".join(character for character in symbol.upper() if character.isalnum())
