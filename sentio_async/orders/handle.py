"""What a caller holds of an order of which nobody knows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sentio_async import errors
from sentio_async.models.trading import Order, OrderRequest

__all__ = ["OrderHandle"]

Ask = Callable[[float | None], Awaitable[Order | None]]


class OrderHandle:
    """An order that may live at the venue; it is being looked for."""

    def __init__(self, client_order_id: str, order: OrderRequest | None, ask: Ask) -> None:
        self.client_order_id = client_order_id
        """The id it was sent under."""
        self.order = order
        """What was wanted; None for the replacement of an order."""
        self._ask = ask

    async def resolve(self, *, timeout: float | None = None) -> Order | None:
        """The order once it is found; None once it is certain that it never will be.

        Looks at once, then waits for as long as it takes, or for ``timeout`` seconds, after which
        OrderOutcomeUnknownError is raised again.
        """
        return await self._ask(timeout)

    def __reduce__(self) -> tuple[Any, ...]:
        # How to ask belongs to a live connector and does not travel.
        return OrderHandle, (self.client_order_id, self.order, _cannot_ask)

    def __repr__(self) -> str:
        return f"<OrderHandle {self.client_order_id!r}>"


async def _cannot_ask(_timeout: float | None) -> Order | None:
    raise errors.OutcomeUnknownError(
        "this handle was copied; ask a broker by get_order_by_client_id"
    )
