"""What ``place_order`` and ``replace_order`` take by name, for editors and type checkers.

``validated`` makes values of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, TypedDict, TypeVar

from pydantic import BaseModel, ValidationError

from sentio_async import errors
from sentio_async.models.trading import Leg, StopLoss, TakeProfit
from sentio_async.models.words import OrderClass, OrderType, PositionIntent, TimeInForce

__all__ = ["ChangeFields", "Number", "OrderFields", "validated"]

V = TypeVar("V", bound=BaseModel)

Number = Decimal | int | str | float


class OrderFields(TypedDict, total=False):
    """The fields of ``OrderRequest`` that ``place_order`` has no parameter for."""

    type: OrderType | str
    notional: Number | None
    limit_price: Number | None
    stop_price: Number | None
    trail_price: Number | None
    trail_percent: Number | None
    extended_hours: bool
    client_order_id: str | None
    order_class: OrderClass | str
    take_profit: TakeProfit | Mapping[str, Number] | None
    stop_loss: StopLoss | Mapping[str, Number] | None
    legs: Iterable[Leg | Mapping[str, Any]]
    position_intent: PositionIntent | str | None
    instructions: Mapping[str, Any] | None


class ChangeFields(TypedDict, total=False):
    """The fields of ``OrderChange``."""

    qty: Number | None
    time_in_force: TimeInForce | str | None
    limit_price: Number | None
    stop_price: Number | None
    trail: Number | None
    client_order_id: str | None
    instructions: Mapping[str, Any] | None


def validated(kind: type[V], fields: Mapping[str, Any]) -> V:
    """The value; raises InvalidRequestError, one line that says which field is wrong and why."""
    try:
        return kind.model_validate(fields)
    except ValidationError as exc:
        problems = []
        for error in exc.errors(include_input=False, include_url=False):
            where = ".".join(str(part) for part in error["loc"])
            text = str(error.get("ctx", {}).get("error", error["msg"]))
            problems.append(f"{where}: {text}" if where else text)
        raise errors.InvalidRequestError("; ".join(problems)) from None
