"""What no order may do, whatever a strategy wants: the last check before the wire.

The lessons of Knight (2012) and Everbright (2013): caps on each order, on their rate, on what an
intent may fill, and a halt as soon as too much is unknown.
"""

from __future__ import annotations

import functools
import logging
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation, Overflow
from typing import Any

from pydantic import ValidationError

from sentio_async import errors
from sentio_async.models.trading import OrderChange, OrderRequest
from sentio_async.models.words import OrderSide
from sentio_async.orders.intent import bare_symbol

__all__ = ["EXACT", "Guard", "PriceOf", "Rails", "overfill"]

# Of an option that a split has changed, the root ends in a digit.
_OPTION = re.compile(r"[A-Z.]{1,6}[0-9]?[0-9]{6}[CP][0-9]{8}")
_SHARES_OF_A_CONTRACT = Decimal(100)

EXACT = Context(prec=200, traps=[InvalidOperation, Overflow])
"""To reckon in: a program may have set its own to six digits, and tasks inherit that."""

log = logging.getLogger("sentio_async")

PriceOf = Callable[[str], Decimal | float | None]
"""The price of a symbol as it was last known; None when it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rails:
    """The limits; None is none."""

    max_qty: Decimal | None = None
    """Shares, contracts or coins of one order."""
    max_notional: Decimal | None = None
    """Money of one order: its notional, or quantity times price."""
    price_of: PriceOf | None = None
    """A price for orders that name none; without one ``max_notional`` refuses them."""
    orders_per_second: int | None = None
    """Of one symbol."""
    max_unknown: int = 3
    """So many orders of which nobody knows, and trading is halted."""

    def __post_init__(self) -> None:
        limits = (self.max_qty, self.max_notional, self.orders_per_second, self.max_unknown)
        if any(limit is not None and limit <= 0 for limit in limits):
            raise errors.ConfigurationError(f"rails: every limit must be more than zero: {self}")


class Guard:
    """Checks orders against the rails.  It is told the time and remembers the rate."""

    def __init__(self, rails: Rails) -> None:
        self._rails = rails
        self._sent: dict[str, deque[float]] = {}

    def check(self, order: OrderRequest, now: float) -> None:
        """Raise OrderLimitError or RateLimitError if it must not be sent."""
        rails = self._rails
        if rails.max_qty is not None:
            self._check_qty(order, rails.max_qty)
        if rails.max_notional is not None:
            self._check_notional(order, rails.max_notional)
        if rails.orders_per_second is not None:
            self._check_rate(order.symbol, rails.orders_per_second, now)

    def check_change(
        self, base: OrderRequest | None, change: OrderChange, now: float
    ) -> OrderRequest | None:
        """What the order will be; raises as ``check`` does.

        ``base`` is what was ordered, None if it was ordered elsewhere: then only what the change
        says can be checked.
        """
        names = ("qty", "limit_price", "stop_price", "time_in_force")
        given = {name: getattr(change, name) for name in names}
        fields = {name: value for name, value in given.items() if value is not None}
        if base is not None:
            wanted = _changed(base, fields)
            self.check(wanted, now)
            return wanted
        most = self._rails.max_qty
        if most is not None and change.qty is not None and change.qty > most:
            raise errors.OrderLimitError(f"qty: {change.qty} is above the rail of {most}")
        if change.qty is not None and change.limit_price is not None:
            self._check_worth(_product(change.qty, change.limit_price.copy_abs()))
        return None

    def _check_qty(self, order: OrderRequest, most: Decimal) -> None:
        qty = order.qty
        if qty is None and order.notional is not None:
            qty = self._bought_by(order.notional, order, most)
        if qty is not None and qty > most:
            raise errors.OrderLimitError(f"qty: {qty} is above the rail of {most}")

    def _bought_by(self, notional: Decimal, order: OrderRequest, most: Decimal) -> Decimal | None:
        """The most that so much money buys; None when nobody can say and money is limited."""
        known = self._known_price(order.symbol)
        prices = [price for price in (order.limit_price, known) if price is not None and price > 0]
        if not prices and self._rails.max_notional is not None:
            return None
        if not prices:
            raise errors.OrderLimitError(
                f"{order.symbol}: no price to hold an order by money against the rail of {most} "
                "(max_order_qty); give a qty, or say what it costs by price_of"
            )
        return EXACT.divide(notional, min(prices))

    def _check_notional(self, order: OrderRequest, most: Decimal) -> None:
        worth = self._worth(order)
        if worth is None:
            raise errors.OrderLimitError(
                f"{order.symbol}: no price to hold against the rail of {most} "
                "(max_order_notional); give a limit_price, or say what it costs by price_of"
            )
        self._check_worth(worth)

    def _check_worth(self, worth: Decimal) -> None:
        most = self._rails.max_notional
        if most is not None and worth > most:
            raise errors.OrderLimitError(f"notional: {worth} is above the rail of {most}")

    def _worth(self, order: OrderRequest) -> Decimal | None:
        if order.qty is None:
            return order.notional
        price = self._price(order)
        return None if price is None else _product(price, order.qty, _units(order))

    def _price(self, order: OrderRequest) -> Decimal | None:
        named = order.limit_price or order.stop_price
        if order.limit_price and order.side is OrderSide.BUY:
            return order.limit_price.copy_abs()
        # All others can fill at more than they name: a sale at 0.01 goes at what is bid.
        known = self._known_price(order.symbol)
        prices = [price.copy_abs() for price in (named, known) if price]
        return max(prices, default=None)

    def _known_price(self, symbol: str) -> Decimal | None:
        """What somebody else says; None when that is no price, so that the order is refused."""
        if self._rails.price_of is None or not symbol:
            return None
        try:
            known = self._rails.price_of(symbol)
            price = None if known is None else Decimal(str(known))
        except Exception:
            log.exception("price_of(%r) failed", symbol)
            return None
        return price if price is not None and price.is_finite() and price > 0 else None

    def _check_rate(self, symbol: str, most: int, now: float) -> None:
        sent = self._sent.setdefault(bare_symbol(symbol), deque())
        while sent and sent[0] <= now - 1.0:
            sent.popleft()
        if len(sent) >= most:
            raise errors.RateLimitError(
                f"{symbol}: the rail is {most} orders a second",
                retry_after=sent[0] + 1.0 - now,
                scope=symbol,
                outcome=errors.Outcome.NOT_SENT,
            )
        sent.append(now)


def _changed(base: OrderRequest, fields: dict[str, Any]) -> OrderRequest:
    """The order with the change in it; raises InvalidRequestError when it cannot be one."""
    was = {name: getattr(base, name) for name in base.model_fields_set}
    if "qty" in fields:
        # From now on its quantity counts.
        was.pop("notional", None)
    try:
        return OrderRequest.model_validate({**was, **fields})
    except ValidationError as exc:
        why = "; ".join(str(each.get("ctx", {}).get("error", each["msg"])) for each in exc.errors())
        raise errors.InvalidRequestError(f"change: {why}") from None


def overfill(wanted: OrderRequest | None, filled: Decimal) -> str | None:
    """What is wrong when more was filled than was ever wanted; None when nothing is."""
    if wanted is None or wanted.qty is None or filled <= wanted.qty:
        return None
    return f"{wanted.symbol}: {filled} was filled for an order of {wanted.qty}"


def _product(*numbers: Decimal) -> Decimal:
    try:
        return functools.reduce(EXACT.multiply, numbers)
    except ArithmeticError:
        text = "notional: it is beyond all numbers"
        raise errors.OrderLimitError(text) from None


def _units(order: OrderRequest) -> Decimal:
    """How many times its price one of an order costs: options are quoted by the share."""
    is_option = order.legs or _OPTION.fullmatch(order.symbol.strip().upper())
    return _SHARES_OF_A_CONTRACT if is_option else Decimal(1)
