"""Whether an order would trade now, and at what price: told the prices, never asking."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sentio_async.sim.orders import Order

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Sight:
    """What the market has shown since the last look: trade prices in order, and the quote."""

    bid: Decimal
    ask: Decimal
    prices: Sequence[Decimal]

    def price(self, side: str) -> Decimal:
        """What a market order gets."""
        return self.ask if side == "buy" else self.bid


def price_for(order: Order, sight: Sight) -> Decimal | None:
    """The price this order trades at, or None; triggers its stop and moves its trail."""
    if order.type in {"stop", "stop_limit", "trailing_stop"} and not order.is_triggered:
        order.is_triggered = _is_stopped(order, sight)
        if not order.is_triggered:
            return None
    if order.type in {"market", "stop", "trailing_stop"}:
        return sight.price(order.side)
    return _within_limit(order, sight)


def _within_limit(order: Order, sight: Sight) -> Decimal | None:
    limit = order.limit_price
    assert limit is not None
    if order.side == "buy":
        if sight.ask <= limit:
            return sight.ask
        return limit if any(price <= limit for price in sight.prices) else None
    if sight.bid >= limit:
        return sight.bid
    return limit if any(price >= limit for price in sight.prices) else None


def _is_stopped(order: Order, sight: Sight) -> bool:
    for price in sight.prices:
        if order.type == "trailing_stop":
            trail(order, price)
        stop = order.stop_price
        if stop is not None and (price >= stop if order.side == "buy" else price <= stop):
            return True
    return False


def trail(order: Order, price: Decimal) -> None:
    """Move a trailing stop behind the best price seen: the high for a sell, the low for a buy."""
    best = max if order.side == "sell" else min
    hwm = price if order.hwm is None else best(order.hwm, price)
    if hwm == order.hwm and order.stop_price is not None:
        return
    order.hwm = hwm
    if order.trail_price is not None:
        gap = order.trail_price
    else:
        assert order.trail_percent is not None
        gap = hwm * order.trail_percent / 100
    stop = hwm - gap if order.side == "sell" else hwm + gap
    order.stop_price = stop.quantize(CENT if stop >= 1 else CENT / 100)
