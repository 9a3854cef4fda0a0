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
    prices = sight.prices
    if order.type in {"stop", "stop_limit", "trailing_stop"} and not order.is_triggered:
        place = _where_stopped(order, prices)
        if place is None:
            return None
        order.is_triggered = True
        # What traded before the stop was hit is no price for its limit.
        prices = prices[place:]
    if order.type in {"market", "stop", "trailing_stop"}:
        return sight.price(order.side)
    return _within_limit(order, sight, prices)


def _within_limit(order: Order, sight: Sight, prices: Sequence[Decimal]) -> Decimal | None:
    limit = order.limit_price
    assert limit is not None
    if order.side == "buy":
        if sight.ask <= limit:
            return sight.ask
        return limit if any(price <= limit for price in prices) else None
    if sight.bid >= limit:
        return sight.bid
    return limit if any(price >= limit for price in prices) else None


def _where_stopped(order: Order, prices: Sequence[Decimal]) -> int | None:
    for place, price in enumerate(prices):
        if order.type == "trailing_stop":
            trail(order, price)
        stop = order.stop_price
        if stop is not None and (price >= stop if order.side == "buy" else price <= stop):
            return place
    return None


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
