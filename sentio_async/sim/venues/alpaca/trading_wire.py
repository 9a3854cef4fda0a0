"""How the trading API words orders, positions and assets.

https://docs.alpaca.markets/reference/trading-api
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sentio_async.sim.calendar import new_york
from sentio_async.sim.clock import SECOND
from sentio_async.sim.instruments import Instrument
from sentio_async.sim.ledger import Position
from sentio_async.sim.market import Market
from sentio_async.sim.orders import ZERO, Fill, Order

MICRO = Decimal("0.000001")
NANO = Decimal("0.000000001")


def plain(value: Decimal) -> str:
    """A number as Alpaca writes it: no exponent, no zeros at the end."""
    return f"{value.normalize():f}" if value else "0"


def plain_or_none(value: Decimal | None) -> str | None:
    """The same, and null for nothing."""
    return None if value is None else plain(value)


def rounded(value: Decimal, step: Decimal = MICRO) -> str:
    """A computed number, cut to six decimals."""
    return plain(value.quantize(step))


def cents(value: Decimal) -> str:
    """An amount of money."""
    return plain(value.quantize(Decimal("0.01")))


def stamp(ns: int) -> str:
    """A time with as many of its nanoseconds as it has, UTC."""
    seconds, rest = divmod(ns, SECOND)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"


def stamp_or_none(ns: int | None) -> str | None:
    """The same, and null for never."""
    return None if ns is None else stamp(ns)


def local_stamp(ns: int) -> str:
    """A time with New York's offset."""
    moment = new_york(ns)
    fraction = f".{ns % SECOND:09d}" if ns % SECOND else ""
    zone = f"{moment:%z}"
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}{zone[:3]}:{zone[3:]}"


def order_row(order: Order, *, nested: bool = False) -> dict[str, Any]:
    """One order; its legs only when asked for."""
    instrument = order.instrument
    is_leg = order.ratio_qty is not None
    average = order.average
    legs = [order_row(leg) for leg in order.legs] if nested and order.legs else None
    row = {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "created_at": stamp(order.created_ns),
        "updated_at": stamp(order.updated_ns),
        "submitted_at": stamp(order.submitted_ns),
        "filled_at": stamp_or_none(order.filled_ns if order.status == "filled" else None),
        "expired_at": stamp_or_none(order.expired_ns),
        "expires_at": stamp_or_none(order.expires_ns),
        "canceled_at": stamp_or_none(order.canceled_ns),
        "failed_at": stamp_or_none(order.failed_ns),
        "replaced_at": stamp_or_none(order.replaced_ns),
        "replaced_by": order.replaced_by if order.status == "replaced" else None,
        "replaces": order.replaces,
        "asset_id": instrument.id if instrument else "",
        "symbol": order.symbol,
        "asset_class": instrument.asset_class if instrument else "",
        "notional": plain_or_none(order.notional),
        "qty": plain_or_none(order.qty),
        "filled_qty": plain(order.filled_qty),
        "filled_avg_price": None if average is None else rounded(average, NANO),
        "order_class": order.order_class,
        "order_type": "" if is_leg else order.type,
        "type": "" if is_leg else order.type,
        "side": order.side,
        "position_intent": order.position_intent,
        "time_in_force": order.time_in_force,
        "limit_price": plain_or_none(order.limit_price),
        "stop_price": plain_or_none(order.stop_price),
        "status": order.status,
        "extended_hours": order.extended_hours,
        "legs": legs,
        "trail_percent": plain_or_none(order.trail_percent),
        "trail_price": plain_or_none(order.trail_price),
        "hwm": plain_or_none(order.hwm),
        "subtag": None,
        "source": None,
    }
    if order.ratio_qty is not None:
        row["ratio_qty"] = plain(order.ratio_qty)
    if row["expires_at"] is None:
        # A crypto order that never expires has no such member.
        del row["expires_at"]
    if row["position_intent"] is None:
        del row["position_intent"]
    return row


def position_row(position: Position, market: Market, available: Decimal) -> dict[str, Any]:
    """One position at the present price."""
    instrument = position.instrument
    price = market.price(instrument.symbol) or position.average
    before = market.previous_day_bar(instrument.symbol)
    last = before.close if before else position.average
    value, cost = position.value(price), position.cost
    today = market.day_bar(instrument.symbol)
    began_today = today is not None and position.opened_ns >= today.time_ns
    base = cost if began_today else position.value(last)
    symbol = instrument.symbol
    return {
        "asset_id": instrument.id,
        "symbol": symbol.replace("/", "") if instrument.asset_class == "crypto" else symbol,
        "exchange": "" if instrument.contract else instrument.exchange,
        "asset_class": instrument.asset_class,
        "asset_marginable": instrument.marginable,
        "qty": plain(position.qty),
        "qty_available": plain(available if position.qty > 0 else -available),
        "avg_entry_price": rounded(position.average),
        "side": "long" if position.qty > 0 else "short",
        "market_value": rounded(value),
        "cost_basis": rounded(cost),
        "unrealized_pl": rounded(value - cost),
        "unrealized_plpc": rounded(_share(value - cost, cost)),
        "unrealized_intraday_pl": rounded(value - base),
        "unrealized_intraday_plpc": rounded(_share(value - base, base)),
        "current_price": plain(price),
        "lastday_price": plain(last),
        "change_today": rounded(_share(price - last, last)),
    }


def _share(part: Decimal, whole: Decimal) -> Decimal:
    return part / abs(whole) if whole else ZERO


def asset_row(instrument: Instrument) -> dict[str, Any]:
    """One asset."""
    is_crypto = instrument.asset_class == "crypto"
    margin = "30" if instrument.marginable else "100"
    row: dict[str, Any] = {
        "id": instrument.id,
        "class": instrument.asset_class,
        "exchange": instrument.exchange,
        "symbol": instrument.symbol,
        "name": instrument.name,
        "status": "active" if instrument.tradable else "inactive",
        "tradable": instrument.tradable,
        "marginable": instrument.marginable,
        "maintenance_margin_requirement": int(margin),
        "margin_requirement_long": margin,
        "margin_requirement_short": margin,
        "shortable": instrument.shortable,
        "easy_to_borrow": instrument.shortable,
        "borrow_status": "easy_to_borrow" if instrument.shortable else "hard_to_borrow",
        "fractionable": instrument.fractionable,
        "attributes": attributes(instrument),
    }
    if is_crypto:
        del row["borrow_status"]
        row["min_order_size"] = rounded(1 / instrument.base, NANO)
        row["min_trade_increment"] = "0.000000001"
        row["price_increment"] = plain(Decimal(1).scaleb(-instrument.digits))
    return row


def attributes(instrument: Instrument) -> list[str]:
    """What else can be done with an asset."""
    found = []
    if instrument.asset_class == "us_equity" and instrument.fractionable:
        found.append("fractional_eh_enabled")
    if instrument.has_options:
        found.append("has_options")
    if instrument.asset_class == "us_equity" and instrument.tradable:
        found.append("overnight_tradable")
    return found


def entry_id(ns: int, id: str) -> str:
    """The id of an activity: New York's time to the millisecond, then its own id."""
    return f"{new_york(ns):%Y%m%d%H%M%S}{ns % SECOND // 1_000_000:03d}::{id}"


def fill_row(fill: Fill) -> dict[str, Any]:
    """One execution as an activity; its time is cut to microseconds."""
    return {
        "activity_type": "FILL",
        "id": entry_id(fill.time_ns, fill.id),
        "order_id": fill.order_id,
        "order_status": fill.order_status,
        "symbol": fill.symbol,
        "side": fill.side,
        "qty": plain(fill.qty),
        "cum_qty": plain(fill.cum_qty),
        "leaves_qty": plain(fill.leaves_qty),
        "price": plain(fill.price),
        "transaction_time": stamp(fill.time_ns // 1000 * 1000),
        "type": "fill" if fill.leaves_qty <= 0 else "partial_fill",
    }
