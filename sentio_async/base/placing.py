"""Orders that take several requests: what a failure on the way says of the order itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.models.trading import Order, OrderRequest
from sentio_async.models.words import OrderStatus

__all__ = ["before_order", "placed_order"]

_TAKEN_OVER = frozenset(OrderRequest.model_fields) & frozenset(Order.model_fields) - {"legs"}


@contextmanager
def before_order() -> Iterator[None]:
    """Around what is asked before an order is sent, such as a preview or the id of an account.

    Whatever fails there, no order was sent: a lost answer leaves no doubt about it.
    """
    try:
        yield
    except errors.ConnectorError as exc:
        if exc.outcome is not Outcome.REFUSED:
            exc.outcome = Outcome.NOT_SENT
        raise
    except Exception as exc:
        text = f"before the order was sent: {type(exc).__name__}: {exc}"
        raise errors.ConnectorError(text, outcome=Outcome.NOT_SENT) from exc


def placed_order(
    order: OrderRequest,
    id: str,
    *,
    status: OrderStatus = OrderStatus.PENDING,
    venue_status: str = "",
    submitted_at: datetime | None = None,
    raw: Mapping[str, Any] | None = None,
) -> Order:
    """The order that was asked for, under the id that the venue answered with.

    For venues that answer with no more than that: asking for the rest at once could fail, and an
    order that lives would look like one that was refused.
    """
    fields = {name: getattr(order, name) for name in _TAKEN_OVER}
    return Order.model_validate(
        {
            **fields,
            "id": id,
            "client_order_id": order.client_order_id or "",
            "status": status,
            "venue_status": venue_status,
            "filled_qty": 0,
            "submitted_at": submitted_at,
            "raw": raw or {},
        }
    )
