"""From the body of an order request to an order, refused where its own words disagree.

https://docs.alpaca.markets/docs/orders-at-alpaca
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sentio_async.sim.instruments import Instrument
from sentio_async.sim.matching import changed
from sentio_async.sim.orders import Order
from sentio_async.sim.venues.alpaca.trading_asking import (
    Asked,
    malformed,
    number,
    positive,
    text_of,
    unprocessable,
)

TYPES = ("market", "limit", "stop", "stop_limit", "trailing_stop")
TIMES = ("day", "gtc", "opg", "cls", "ioc", "fok")
CLASSES = ("", "simple", "bracket", "oco", "oto", "mleg")
INTENTS = ("buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close")
MOST_LEGS = 4
LONGEST_ID = 128
# What each type may say of its prices, and how it is refused when it says otherwise.
PRICES: Mapping[str, tuple[frozenset[str], str]] = {
    "market": (frozenset(), "market orders require no stop or limit price"),
    "limit": (frozenset({"limit_price"}), "limit orders require only limit price"),
    "stop": (frozenset({"stop_price"}), "stop orders require only stop price"),
    "stop_limit": (
        frozenset({"limit_price", "stop_price"}),
        "stop limit orders require both stop and limit price",
    ),
    "trailing_stop": (frozenset(), "trailing stop orders require no stop or limit price"),
}


@dataclass(frozen=True, slots=True)
class Exits:
    """The prices at which a bracket, OCO or OTO order leaves again."""

    take_profit: Decimal | None
    stop: Decimal | None
    stop_limit: Decimal | None


def draft(asked: Asked) -> Order:
    """The order a request describes, with its legs, not yet allowed."""
    body = asked.body
    order_class = text_of(body, "order_class")
    if order_class not in CLASSES:
        raise malformed(f"invalid order_class: {order_class}")
    order_class = "" if order_class == "simple" else order_class
    if order_class == "mleg":
        return _multi_leg(asked)
    order = _plain(asked, order_class)
    check_prices(order, is_exit=order_class == "oco")
    if order_class:
        _add_exits(asked, order)
    return order


def _plain(asked: Asked, order_class: str) -> Order:
    body = asked.body
    instrument = instrument_of(asked, text_of(body, "symbol"))
    side, kind, time = text_of(body, "side"), text_of(body, "type"), text_of(body, "time_in_force")
    for name, value, allowed in (
        ("side", side, ("buy", "sell")),
        ("type", kind, TYPES),
        ("time_in_force", time, TIMES),
    ):
        if not value:
            raise malformed(f"{name} is required")
        if value not in allowed:
            raise malformed(f"invalid {name}: {value}")
    qty, notional = amounts(body)
    order = new_order(asked, instrument, side, kind, time)
    order.order_class = order_class
    order.client_order_id = _client_order_id(asked, order.id)
    order.qty, order.notional = qty, notional
    order.limit_price = positive(body, "limit_price")
    order.stop_price = positive(body, "stop_price")
    order.trail_price = positive(body, "trail_price")
    order.trail_percent = positive(body, "trail_percent")
    order.extended_hours = _is_extended(body)
    order.position_intent = _intent(asked, body, side, instrument.symbol)
    return order


def new_order(
    asked: Asked, instrument: Instrument | None, side: str, kind: str, time: str
) -> Order:
    """An order with an id of its own and nothing else."""
    id = asked.engine.new_id()
    return Order(
        id=id,
        client_order_id=id,
        account=asked.account.number,
        number=asked.engine.new_number(),
        instrument=instrument,
        side=side,
        type=kind,
        time_in_force=time,
        created_ns=asked.clock.now_ns(),
    )


def instrument_of(asked: Asked, symbol: str) -> Instrument:
    """What an order is for."""
    if not symbol:
        raise malformed("symbol is required")
    if not symbol.replace("/", "").replace(".", "").replace("-", "").isalnum():
        raise unprocessable("invalid symbol")
    instrument = asked.instruments.get(symbol)
    if instrument is None:
        raise unprocessable(f'asset "{symbol}" not found')
    if not instrument.tradable:
        raise unprocessable(f'asset "{instrument.symbol}" is not tradable')
    return instrument


def amounts(body: Mapping[str, Any]) -> tuple[Decimal | None, Decimal | None]:
    """Quantity or amount of money: one of them, never both."""
    qty, notional = positive(body, "qty"), positive(body, "notional")
    if qty is None and notional is None:
        raise malformed("qty or notional is required")
    if qty is not None and notional is not None:
        raise malformed("only one of qty or notional is accepted")
    return qty, notional


def check_prices(order: Order, *, is_exit: bool = False) -> None:
    """The prices a type needs, and no other."""
    given = {name for name in ("limit_price", "stop_price") if getattr(order, name) is not None}
    wanted, refusal = PRICES[order.type]
    trails = [order.trail_price, order.trail_percent]
    is_trailing = order.type == "trailing_stop"
    if is_trailing and trails.count(None) != 1:
        raise malformed("trailing stop orders must specify one of trail_price or trail_percent")
    if not is_trailing and trails.count(None) != 2:
        raise malformed("trail_price and trail_percent are only for trailing stop orders")
    if is_exit and not given:
        return
    if given != wanted:
        raise malformed(refusal)


def _client_order_id(asked: Asked, otherwise: str) -> str:
    given = text_of(asked.body, "client_order_id")
    if len(given) > LONGEST_ID:
        raise malformed(f"client_order_id must be no more than {LONGEST_ID} characters")
    if given in asked.account.by_client_id:
        raise malformed("client_order_id must be unique")
    return given or otherwise


def _is_extended(body: Mapping[str, Any]) -> bool:
    value = body.get("extended_hours")
    if value is not None and not isinstance(value, bool):
        raise malformed("invalid extended_hours")
    return bool(value)


def _intent(asked: Asked, body: Mapping[str, Any], side: str, symbol: str) -> str:
    given = text_of(body, "position_intent")
    if not given:
        position = asked.account.position(symbol)
        is_closing = position is not None and (position.qty > 0) == (side == "sell")
        return f"{side}_to_{'close' if is_closing else 'open'}"
    if given not in INTENTS or not given.startswith(side):
        raise malformed(f"invalid position_intent: {given}")
    return given


def _add_exits(asked: Asked, order: Order) -> None:
    exits = _exits(asked.body)
    kind = order.order_class
    if kind in {"bracket", "oco"}:
        for name, price in (
            ("take_profit.limit_price", exits.take_profit),
            ("stop_loss.stop_price", exits.stop),
        ):
            if price is None and not (kind == "oco" and order.limit_price and "take" in name):
                raise malformed(f"{kind} orders require {name}")
    elif (exits.take_profit is None) == (exits.stop is None):
        raise malformed("oto orders require one of take_profit or stop_loss")
    if kind == "oco":
        if order.type != "limit":
            raise unprocessable("oco orders must be exit orders of type limit")
        order.limit_price = exits.take_profit or order.limit_price
        _check_sides(order.side, order.limit_price, exits.stop)
        order.legs = [_stop_leg(asked, order, order.side, exits)]
        return
    side = "sell" if order.side == "buy" else "buy"
    _check_sides(side, exits.take_profit, exits.stop)
    if exits.take_profit is not None:
        order.legs.append(_leg(asked, order, side, "limit", limit_price=exits.take_profit))
    if exits.stop is not None:
        order.legs.append(_stop_leg(asked, order, side, exits))


def _check_sides(side: str, take_profit: Decimal | None, stop: Decimal | None) -> None:
    """A sell takes its profit above its stop, a buy below it."""
    if take_profit is None or stop is None:
        return
    if side == "sell" and take_profit <= stop:
        raise unprocessable("take_profit.limit_price must be greater than stop_loss.stop_price")
    if side == "buy" and take_profit >= stop:
        raise unprocessable("take_profit.limit_price must be less than stop_loss.stop_price")


def _exits(body: Mapping[str, Any]) -> Exits:
    parts = {}
    for name in ("take_profit", "stop_loss"):
        part = body.get(name)
        if part is not None and not isinstance(part, Mapping):
            raise malformed(f"invalid {name}")
        parts[name] = part or {}
    return Exits(
        positive(parts["take_profit"], "limit_price"),
        positive(parts["stop_loss"], "stop_price"),
        positive(parts["stop_loss"], "limit_price"),
    )


def _stop_leg(asked: Asked, order: Order, side: str, exits: Exits) -> Order:
    kind = "stop" if exits.stop_limit is None else "stop_limit"
    return _leg(asked, order, side, kind, stop_price=exits.stop, limit_price=exits.stop_limit)


def _leg(
    asked: Asked,
    order: Order,
    side: str,
    kind: str,
    *,
    limit_price: Decimal | None = None,
    stop_price: Decimal | None = None,
) -> Order:
    leg = new_order(asked, order.instrument, side, kind, order.time_in_force)
    return changed(
        leg,
        order_class=order.order_class,
        qty=order.qty,
        limit_price=limit_price,
        stop_price=stop_price,
        position_intent=f"{side}_to_close",
        parent=order,
    )


def _multi_leg(asked: Asked) -> Order:
    body = asked.body
    rows = body.get("legs")
    if not isinstance(rows, list) or not 2 <= len(rows) <= MOST_LEGS:
        raise malformed(f"mleg orders require 2 to {MOST_LEGS} legs")
    kind, time = text_of(body, "type"), text_of(body, "time_in_force")
    if kind not in {"market", "limit"}:
        raise unprocessable("mleg orders must be market or limit orders")
    if time not in {"day", "gtc"}:
        raise unprocessable("invalid time_in_force for mleg order")
    qty = positive(body, "qty")
    if qty is None:
        raise malformed("qty is required")
    order = new_order(asked, None, "", kind, time)
    order.order_class, order.qty = "mleg", qty
    order.client_order_id = _client_order_id(asked, order.id)
    # A debit is positive, a credit negative.
    order.limit_price = number(body, "limit_price")
    if (order.limit_price is None) != (kind == "market"):
        raise malformed(PRICES[kind][1])
    order.legs = [_ratio_leg(asked, order, qty, row) for row in rows]
    return order


def _ratio_leg(asked: Asked, order: Order, qty: Decimal, row: Any) -> Order:
    if not isinstance(row, Mapping):
        raise malformed("invalid legs")
    ratio = positive(row, "ratio_qty")
    side = text_of(row, "side") or text_of(row, "position_intent").partition("_")[0]
    if ratio is None or ratio != ratio.to_integral_value():
        raise malformed("ratio_qty must be integer")
    if side not in {"buy", "sell"}:
        raise malformed("side is required")
    instrument = instrument_of(asked, text_of(row, "symbol"))
    leg = new_order(asked, instrument, side, order.type, order.time_in_force)
    return changed(
        leg,
        order_class="mleg",
        qty=qty * ratio,
        ratio_qty=ratio,
        position_intent=_intent(asked, row, side, instrument.symbol),
        parent=order,
    )
