"""Orders: place, find, list, replace, cancel."""

import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import islice
from typing import Any

from starlette.responses import JSONResponse, Response

from sentio_async.sim.matching import changed
from sentio_async.sim.orders import ZERO, Order
from sentio_async.sim.venues.alpaca.trading_asking import (
    Asked,
    malformed,
    not_found,
    positive,
    text_of,
    unprocessable,
)
from sentio_async.sim.venues.alpaca.trading_draft import (
    LONGEST_ID,
    TIMES,
    check_prices,
    draft,
)
from sentio_async.sim.venues.alpaca.trading_rules import check, check_funds, check_increment
from sentio_async.sim.venues.alpaca.trading_wire import order_row

MOST_ORDERS = 500
# What cannot be replaced any more, or not yet.
UNREADY = frozenset({"accepted", "pending_new", "pending_cancel", "pending_replace"})


def place(asked: Asked) -> dict[str, Any]:
    """POST /v2/orders"""
    order = draft(asked)
    check(asked, order)
    asked.engine.submit(order)
    return order_row(order, nested=True)


def listed(asked: Asked) -> list[dict[str, Any]]:
    """GET /v2/orders"""
    status = asked.choice("status", ("open", "closed", "all"), "open")
    direction = asked.choice("direction", ("asc", "desc"), "desc")
    limit = asked.whole("limit", 50, MOST_ORDERS)
    nested = asked.flag("nested")
    own = asked.account
    # Both hold their orders in the sequence in which they came.
    orders = (own.open_orders if status == "open" else own.orders).values()
    tests = [*_spans(asked), *_kinds(asked)]
    found = (
        order
        for order in (reversed(orders) if direction == "desc" else orders)
        # A held leg is not open: it stands in no market.
        if (status == "all" or order.is_working == (status == "open"))
        and not (nested and order.parent is not None)
        and all(test(order) for test in tests)
    )
    return [order_row(order, nested=nested) for order in islice(found, limit)]


Test = Callable[[Order], bool]


def _spans(asked: Asked) -> Iterator[Test]:
    after, until = asked.moment("after"), asked.moment("until")
    before_id, after_id = asked.query.get("before_order_id"), asked.query.get("after_order_id")
    if before_id and after_id:
        raise malformed("only one of before_order_id and after_order_id is accepted")
    if (before_id or after_id) and (after is not None or until is not None):
        raise malformed("before_order_id and after_order_id cannot be used with after or until")
    if before_id:
        before = find(asked, before_id).number
        yield lambda order: order.number < before
    if after_id:
        behind = find(asked, after_id).number
        yield lambda order: order.number > behind
    if after is not None:
        yield lambda order: order.submitted_ns > after
    if until is not None:
        yield lambda order: order.submitted_ns < until


def _kinds(asked: Asked) -> Iterator[Test]:
    side, symbols = (
        asked.query.get("side"),
        {each.replace("/", "") for each in asked.words("symbols")},
    )
    classes = set(asked.words("asset_class"))
    if side:
        yield lambda order: order.side == side
    if symbols:
        yield lambda order: not symbols.isdisjoint(_symbols(order))
    if classes:
        yield lambda order: _class(order) in classes


def _symbols(order: Order) -> set[str]:
    return {each.symbol.replace("/", "") for each in (order, *order.legs)}


def _class(order: Order) -> str:
    # Multi-leg orders are for options alone.
    return order.instrument.asset_class if order.instrument else "us_option"


def found(asked: Asked) -> dict[str, Any]:
    """GET /v2/orders/{order_id}"""
    return order_row(find(asked, asked.path["order_id"]), nested=asked.flag("nested"))


def found_by_client_id(asked: Asked) -> dict[str, Any]:
    """GET /v2/orders:by_client_order_id"""
    order = asked.account.by_client_id.get(asked.query.get("client_order_id", ""))
    if order is None:
        raise not_found("order not found")
    return order_row(order, nested=asked.flag("nested"))


def find(asked: Asked, order_id: str) -> Order:
    """The account's order of that id."""
    try:
        id = str(uuid.UUID(order_id))
    except ValueError:
        raise malformed("order_id is missing or invalid") from None
    order = asked.account.orders.get(id)
    if order is None:
        raise not_found(f"order not found for {id}")
    return order


def replace(asked: Asked) -> dict[str, Any]:
    """PATCH /v2/orders/{order_id}"""
    old = find(asked, asked.path["order_id"])
    _check_replaceable(old)
    new = _replacement(asked, old)
    assert old.instrument is not None
    for name in ("limit_price", "stop_price"):
        price = getattr(new, name)
        if price is not None:
            check_increment(old.instrument, name, price)
    check_prices(new)
    if old.status != "held":
        check_funds(asked, new, freed=_freed(asked, old))
    asked.engine.replace(old, new)
    return order_row(new)


def _check_replaceable(old: Order) -> None:
    if not old.is_open:
        raise unprocessable(f"order is not open: {old.status}")
    if old.status in UNREADY:
        raise unprocessable(f"unable to replace order, order is in {old.status} status")
    if old.is_multi_leg or old.ratio_qty is not None:
        raise unprocessable("mleg orders cannot be replaced one by one")
    if old.notional is not None:
        raise unprocessable("notional orders cannot be replaced")


def _replacement(asked: Asked, old: Order) -> Order:
    body = asked.body
    given = text_of(body, "client_order_id")
    if len(given) > LONGEST_ID:
        raise malformed(f"client_order_id must be no more than {LONGEST_ID} characters")
    if given in asked.account.by_client_id:
        raise malformed("client_order_id must be unique")
    time = text_of(body, "time_in_force") or old.time_in_force
    if time not in TIMES:
        raise malformed(f"invalid time_in_force: {time}")
    if positive(body, "notional") is not None:
        raise unprocessable("notional orders cannot be replaced")
    id = asked.engine.new_id()
    return changed(
        old,
        id=id,
        client_order_id=given or id,
        number=asked.engine.new_number(),
        created_ns=asked.clock.now_ns(),
        status="pending_new",
        filled_qty=ZERO,
        filled_value=ZERO,
        filled_ns=None,
        live_ns=None,
        is_triggered=False,
        replaces=old.id,
        legs=[],
        time_in_force=time,
        qty=_new_qty(asked, old),
        **_new_prices(asked, old),
    )


def _new_qty(asked: Asked, old: Order) -> Decimal | None:
    """What is left to do of the new quantity, which counts from the order's beginning."""
    qty = positive(asked.body, "qty")
    if qty is None:
        return None if old.qty is None else old.qty - old.filled_qty
    is_whole = qty == qty.to_integral_value()
    if not is_whole and (old.instrument is None or old.instrument.asset_class != "crypto"):
        raise malformed("qty must be integer")
    if qty <= old.filled_qty:
        raise unprocessable("qty must be greater than filled_qty")
    return qty - old.filled_qty


def _new_prices(asked: Asked, old: Order) -> dict[str, Decimal | None]:
    body = asked.body
    prices: dict[str, Decimal | None] = {}
    for name, kinds in (
        ("limit_price", {"limit", "stop_limit"}),
        ("stop_price", {"stop", "stop_limit"}),
    ):
        price = positive(body, name)
        if price is not None and old.type not in kinds:
            raise unprocessable(f"{old.type} orders must not have {name}")
        prices[name] = price if price is not None else getattr(old, name)
    if old.type == "trailing_stop":
        # It follows from the trail and the best price seen.
        prices["stop_price"] = None
    trail = positive(body, "trail")
    if trail is None:
        return prices
    if old.type != "trailing_stop":
        raise unprocessable(f"{old.type} orders must not have trail")
    return {**prices, "trail_price" if old.trail_price is not None else "trail_percent": trail}


def _freed(asked: Asked, old: Order) -> Decimal:
    """What the replaced order holds: shares when it closes a position, else money."""
    assert old.qty is not None
    left = old.qty - old.filled_qty
    position = asked.account.position(old.symbol)
    if position is not None and (position.qty > 0) == (old.side == "sell"):
        return left
    price = old.limit_price or old.stop_price or asked.market.price(old.symbol) or ZERO
    return left * price * old.multiplier


def cancel(asked: Asked) -> Response:
    """DELETE /v2/orders/{order_id}"""
    order = find(asked, asked.path["order_id"])
    if not order.is_open or order.status == "pending_replace":
        raise unprocessable(f'order is already in "{order.status}" state')
    if order.ratio_qty is not None:
        raise unprocessable("legs of mleg orders cannot be canceled one by one")
    if order.status != "pending_cancel":
        asked.engine.cancel(order)
    return Response(status_code=204)


def cancel_all(asked: Asked) -> Response:
    """DELETE /v2/orders"""
    return JSONResponse(cancelled(asked), 207)


def cancelled(asked: Asked, symbol: str | None = None) -> list[dict[str, Any]]:
    """Ask for the end of every open order; one row each."""
    rows = []
    for order in list(asked.account.open_orders.values()):
        is_own = order.parent is None or order.parent.status == "filled"
        if not order.is_working or order.ratio_qty is not None or not is_own:
            continue
        if symbol is not None and order.symbol != symbol:
            continue
        if order.status == "pending_replace":
            message = "order is pending_replace"
            body = {"code": 42210000, "message": message}
            rows.append({"id": order.id, "status": 422, "body": body})
            continue
        if order.status != "pending_cancel":
            asked.engine.cancel(order)
        rows.append({"id": order.id, "status": 200})
    return rows
