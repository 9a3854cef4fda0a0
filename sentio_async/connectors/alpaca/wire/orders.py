"""Orders: placed, replaced, cancelled, listed.

https://docs.alpaca.markets/reference/postorder
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any

from sentio_async import errors
from sentio_async.connectors.alpaca.wire.api import api, names, no_body, nothing
from sentio_async.connectors.alpaca.wire.numbers import numbers, plain, plain_or_none, times
from sentio_async.connectors.alpaca.wire.words import (
    INTENT,
    ORDER_CLASS,
    ORDER_TYPE,
    SIDE,
    STATUS,
    TIME_IN_FORCE,
    asset_class,
    asset_class_word,
)
from sentio_async.http.endpoint import Parts
from sentio_async.http.reading import decimal, read_rows
from sentio_async.http.wire_json import Json, decode_without_duplicates
from sentio_async.models import (
    AssetClass,
    CancelResult,
    Leg,
    Order,
    OrderChange,
    OrderClass,
    OrderRequest,
    OrderSide,
    Rows,
)
from sentio_async.models.value import built
from sentio_async.resilience.limiter import Priority

__all__ = [
    "MAX_PAGE",
    "cancel_all_orders",
    "cancel_order",
    "order",
    "order_by_client_id",
    "orders",
    "place_order",
    "read_cancel_result",
    "read_order",
    "read_orders",
    "replace_order",
    "write_change",
    "write_order",
]

MAX_PAGE = 500
MAX_LEGS = 4

_NUMBERS = {
    "qty": "qty",
    "notional": "notional",
    "filled_avg_price": "filled_avg_price",
    "limit_price": "limit_price",
    "stop_price": "stop_price",
    "trail_price": "trail_price",
    "trail_percent": "trail_percent",
    "high_water_mark": "hwm",
    "ratio_qty": "ratio_qty",
}
"""Our names and Alpaca's of the numbers that an order may have."""
_TIMES = (
    "created_at",
    "updated_at",
    "submitted_at",
    "filled_at",
    "expired_at",
    "canceled_at",
    "failed_at",
    "replaced_at",
)
_UNSAID: dict[str, Any] = dict.fromkeys(Order.model_fields)
_texts = itemgetter("client_order_id", "id", "symbol", "replaces", "replaced_by")


class _Given(dict[tuple[str, ...], set[str]]):
    """The fields that an order with these times was given, remembered: there are few ways to end.

    Every order says of itself what is no time; a time that has not come yet is left out.
    """

    def __missing__(self, names: tuple[str, ...]) -> set[str]:
        given = self[names] = {*(Order.model_fields.keys() - _TIMES), *names}
        return given


_given = _Given()


def read_order(raw: Json) -> Order:
    """An order; the legs, where they were asked for, are orders too."""
    fields = _order_fields(raw)
    own, theirs, symbol, replaces, replaced_by = _texts(fields)
    if (
        own.__class__ is theirs.__class__ is symbol.__class__ is str
        and (replaces is None or replaces.__class__ is str)
        and (replaced_by is None or replaced_by.__class__ is str)
    ):
        return built(Order, fields, _given[tuple(fields["nanoseconds"])])
    return Order.model_validate(fields)


def _order_fields(raw: Json) -> dict[str, Any]:
    """All fields of an order in their order, each of its type but for the texts."""
    get = raw.get
    kind = ORDER_CLASS[get("order_class") or ""]
    is_mleg = kind is OrderClass.MLEG
    side, order_type, status = get("side"), get("type", get("order_type")), raw["status"]
    legs = get("legs")
    exact, at = times(raw, _TIMES)
    return {
        **_UNSAID,
        "id": raw["id"],
        "client_order_id": raw["client_order_id"],
        "symbol": get("symbol") or "",
        # The parent of a multi-leg order has no side, and its legs have no type.
        "side": None if is_mleg and side is None else SIDE[side],
        "type": None if is_mleg and order_type is None else ORDER_TYPE[order_type],
        "status": STATUS[status],
        "venue_status": status,
        "filled_qty": decimal(raw["filled_qty"]),
        "time_in_force": TIME_IN_FORCE[raw["time_in_force"]],
        "extended_hours": bool(get("extended_hours")),
        "order_class": kind,
        "asset_class": asset_class(get("asset_class")),
        "position_intent": INTENT[get("position_intent") or ""],
        "legs": tuple(map(read_order, legs)) if legs else (),
        "replaces": get("replaces"),
        "replaced_by": get("replaced_by"),
        "nanoseconds": exact,
        "raw": raw,
        **numbers(raw, _NUMBERS),
        **at,
    }


def read_orders(raw: Json) -> Rows[Order]:
    """Orders, beside the reasons for those that could not be read."""
    return read_rows(raw, read_order, what="orders")


def read_cancel_result(raw: Json) -> CancelResult:
    """What became of one order among many; the HTTP status of the whole says nothing of it."""
    status = int(raw["status"])
    body = raw.get("body")
    return CancelResult(
        order_id=raw["id"],
        accepted=200 <= status < 300,
        status_code=status,
        reason=body.get("message") if isinstance(body, Mapping) else None,
    )


def read_cancel_results(raw: Json) -> Rows[CancelResult]:
    """Every order of a request to cancel all, one by one."""
    return read_rows(raw, read_cancel_result, what="cancelled orders")


def write_order(request: OrderRequest) -> dict[str, Json]:
    """An order as Alpaca takes it: numbers as text, nothing that was not said."""
    # A field looked up here costs half of what it costs on a pydantic model.
    said = vars(request)
    order_class, profit, loss = said["order_class"], said["take_profit"], said["stop_loss"]
    is_simple = order_class is OrderClass.SIMPLE
    if profit or loss or not is_simple:
        _check(request)
    members = {
        "symbol": said["symbol"] or None,
        "qty": plain_or_none(said["qty"]),
        "notional": plain_or_none(said["notional"]),
        "side": said["side"],
        "type": said["type"],
        "time_in_force": said["time_in_force"],
        "limit_price": plain_or_none(said["limit_price"]),
        "stop_price": plain_or_none(said["stop_price"]),
        "trail_price": plain_or_none(said["trail_price"]),
        "trail_percent": plain_or_none(said["trail_percent"]),
        "extended_hours": said["extended_hours"] or None,
        "client_order_id": said["client_order_id"],
        "order_class": None if is_simple else order_class,
        "take_profit": profit and _prices(profit.model_dump()),
        "stop_loss": loss and _prices(loss.model_dump()),
        "legs": [_write_leg(leg) for leg in said["legs"]] or None,
        "position_intent": said["position_intent"],
        "advanced_instructions": said["instructions"] and _instructions(said["instructions"]),
    }
    return {name: value for name, value in members.items() if value is not None}


def _check(request: OrderRequest) -> None:
    """The mistakes that Alpaca is certain to refuse, before they cost a request."""
    exits = (request.take_profit is not None) + (request.stop_loss is not None)
    match request.order_class:
        case OrderClass.BRACKET | OrderClass.OCO if exits != 2:
            name = request.order_class.value
            raise errors.InvalidRequestError(f"order: {name} needs take_profit and stop_loss")
        case OrderClass.OTO if exits != 1:
            raise errors.InvalidRequestError("order: oto needs take_profit or stop_loss, not both")
        case OrderClass.SIMPLE if exits:
            # Alpaca takes such an order and drops its exits without a word.
            raise errors.InvalidRequestError(
                "order: take_profit and stop_loss need order_class 'bracket', 'oco' or 'oto'"
            )
        case OrderClass.MLEG if len(request.legs) > MAX_LEGS:
            raise errors.InvalidRequestError(
                f"order: at most {MAX_LEGS} legs, not {len(request.legs)}"
            )


def _prices(prices: Mapping[str, Decimal | None]) -> dict[str, str]:
    return {name: plain(price) for name, price in prices.items() if price is not None}


def _write_leg(leg: Leg) -> dict[str, Json]:
    members = {
        "symbol": leg.symbol,
        "ratio_qty": plain(leg.ratio_qty),
        "side": leg.side,
        "position_intent": leg.position_intent,
    }
    return {name: value for name, value in members.items() if value is not None}


def _instructions(given: Mapping[str, Any]) -> dict[str, Json]:
    return {n: plain(v) if isinstance(v, Decimal) else v for n, v in given.items()}


def write_change(change: OrderChange) -> dict[str, Json]:
    """What is to change, and nothing else."""
    members = {
        "qty": plain_or_none(change.qty),
        "time_in_force": change.time_in_force,
        "limit_price": plain_or_none(change.limit_price),
        "stop_price": plain_or_none(change.stop_price),
        "trail": plain_or_none(change.trail),
        "client_order_id": change.client_order_id,
        "advanced_instructions": change.instructions and _instructions(change.instructions),
    }
    return {name: value for name, value in members.items() if value is not None}


@api.post(
    "/v2/orders", returns=read_order, decode=decode_without_duplicates, priority=Priority.ORDERS
)
def place_order(request: OrderRequest) -> Parts:
    """Place an order."""
    return Parts(json=write_order(request), key=request.client_order_id)


@api.get("/v2/orders", returns=read_orders)
def orders(
    *,
    status: str = "open",
    limit: int | None = None,
    after: datetime | None = None,
    until: datetime | None = None,
    direction: str | None = None,
    nested: bool | None = None,
    symbols: Iterable[str] | None = None,
    side: OrderSide | str | None = None,
    asset_class: AssetClass | str | None = None,
    before_order_id: str | None = None,
    after_order_id: str | None = None,
) -> Parts:
    """A page of orders, the newest first unless ``direction`` is ``asc``.

    ``open`` leaves out the held exits of a bracket: to see everything that may still trade, take
    ``status="all"`` with ``nested=True``.
    """
    if before_order_id and after_order_id:
        raise errors.InvalidRequestError("orders: before_order_id or after_order_id, not both")
    if (before_order_id or after_order_id) and (after or until):
        raise errors.InvalidRequestError("orders: after and until do not go with an order id")
    return Parts(
        query={
            "status": status,
            "limit": limit,
            "after": after,
            "until": until,
            "direction": direction,
            "nested": nested,
            "symbols": names(symbols),
            "side": side,
            "asset_class": asset_class_word(asset_class),
            "before_order_id": before_order_id,
            "after_order_id": after_order_id,
        }
    )


@api.get(
    "/v2/orders/{order_id}",
    returns=read_order,
    decode=decode_without_duplicates,
    priority=Priority.ORDERS,
)
def order(order_id: str, *, nested: bool = False) -> Parts:
    """One order, with its legs if ``nested``."""
    return Parts(path={"order_id": order_id}, query={"nested": nested or None})


@api.get(
    "/v2/orders:by_client_order_id",
    returns=read_order,
    decode=decode_without_duplicates,
    priority=Priority.ORDERS,
)
def order_by_client_id(client_order_id: str) -> Parts:
    """The order that was placed under an id of our own."""
    return Parts(query={"client_order_id": client_order_id})


@api.patch(
    "/v2/orders/{order_id}",
    returns=read_order,
    decode=decode_without_duplicates,
    priority=Priority.ORDERS,
)
def replace_order(order_id: str, change: OrderChange) -> Parts:
    """Replace a working order; the answer is a new order, and the old one may still fill first."""
    return Parts(path={"order_id": order_id}, json=write_change(change), key=change.client_order_id)


# Cancelling twice does no more than cancelling once.
@api.delete(
    "/v2/orders/{order_id}",
    returns=nothing,
    decode=no_body,
    priority=Priority.ORDERS,
    repeatable=True,
)
def cancel_order(order_id: str) -> Parts:
    """Ask for an order to be cancelled; it is open until Alpaca says ``canceled``."""
    return Parts(path={"order_id": order_id})


@api.delete(
    "/v2/orders",
    returns=read_cancel_results,
    accepts=(200, 207),
    priority=Priority.ORDERS,
    repeatable=True,
)
def cancel_all_orders() -> Parts:
    """Ask for every open order to be cancelled."""
    return Parts()
