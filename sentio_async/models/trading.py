"""Orders and what becomes of them: requests, orders, fills, positions, accounts.

Money and quantities are ``Decimal``; times are aware and in UTC.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from pydantic import Field, model_validator

from sentio_async.models.value import Amount, Nanoseconds, Raw, Value
from sentio_async.models.words import (
    AssetClass,
    OrderClass,
    OrderSide,
    OrderStatus,
    OrderType,
    PositionIntent,
    PositionSide,
    TimeInForce,
)

__all__ = [
    "Account",
    "CancelResult",
    "CloseResult",
    "Fill",
    "Leg",
    "Order",
    "OrderChange",
    "OrderRequest",
    "OrderUpdate",
    "Position",
    "StopLoss",
    "TakeProfit",
]

_ZERO = Decimal(0)


class TakeProfit(Value):
    """Where a profit is taken."""

    limit_price: Amount


class StopLoss(Value):
    """Where a loss is cut; with ``limit_price`` the stop becomes a limit order."""

    stop_price: Amount
    limit_price: Amount | None = None


class Leg(Value):
    """One leg of a multi-leg option order; ``ratio_qty`` contracts per unit of the order."""

    symbol: str
    ratio_qty: Amount
    side: OrderSide | None = None
    position_intent: PositionIntent | None = None


class OrderRequest(Value):
    """An order to be placed.

    Exactly one of ``qty`` (shares, contracts, coins) and ``notional`` (money).  Only rules that
    hold at every venue are checked here; everything else is the venue's to refuse, in its words.
    """

    symbol: str = ""
    side: OrderSide | None = None
    qty: Amount | None = None
    notional: Amount | None = None
    type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.DAY
    limit_price: Amount | None = None
    stop_price: Amount | None = None
    trail_price: Amount | None = None
    """How far the stop stays behind the best price since then, in money."""
    trail_percent: Amount | None = None
    """How far it stays behind in per cent of that price: 1 is one per cent."""
    extended_hours: bool = False
    client_order_id: str | None = Field(default=None, min_length=1, max_length=128)
    order_class: OrderClass = OrderClass.SIMPLE
    take_profit: TakeProfit | None = None
    stop_loss: StopLoss | None = None
    legs: tuple[Leg, ...] = ()
    position_intent: PositionIntent | None = None
    instructions: dict[str, Any] | None = None
    """Venue-specific instructions, sent as they are (Alpaca: ``advanced_instructions``)."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        problem = _what_is_wrong(self)
        if problem:
            raise ValueError(problem)
        return self


def _what_is_wrong(order: OrderRequest) -> str | None:
    """The first certain mistake in words, or None."""
    # A field looked up here costs half of what it costs on a pydantic model.
    said = vars(order)
    return _wrong_size(said) or _wrong_legs(said) or _wrong_price(said)


def _wrong_size(said: dict[str, Any]) -> str | None:
    if said["qty"] is not None and said["notional"] is not None:
        return "give qty or notional, not both"
    if said["qty"] is None and said["notional"] is None:
        return "qty or notional is needed"
    for name in ("qty", "notional", "stop_price", "trail_price", "trail_percent"):
        amount: Decimal | None = said[name]
        if amount is not None and amount <= _ZERO:
            return f"{name} must be more than zero, not {amount}"
    return None


def _wrong_legs(said: dict[str, Any]) -> str | None:
    if said["order_class"] is OrderClass.MLEG:
        return None if said["legs"] else "a multi-leg order needs legs"
    if said["legs"]:
        return "legs are for order_class 'mleg' only"
    if not said["symbol"].strip():
        return "symbol is needed"
    if said["side"] is None:
        return "side is needed: 'buy' or 'sell'"
    return None


def _wrong_price(said: dict[str, Any]) -> str | None:
    kind = said["type"]
    if said["limit_price"] is None:
        # An OCO may carry its limit in take_profit instead.
        if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT) and said["take_profit"] is None:
            return f"a {kind.value} order needs limit_price"
    elif kind is OrderType.MARKET:
        return "a market order takes no limit_price; did you mean type='limit'?"
    if said["stop_price"] is None and kind in (OrderType.STOP, OrderType.STOP_LIMIT):
        return f"a {kind.value} order needs stop_price"
    trails = (said["trail_price"] is not None) + (said["trail_percent"] is not None)
    if kind is OrderType.TRAILING_STOP and trails != 1:
        return "a trailing stop needs either trail_price or trail_percent"
    if kind is not OrderType.TRAILING_STOP and trails:
        return "trail_price and trail_percent are for type 'trailing_stop' only"
    return None


class OrderChange(Value):
    """What to change in an order that is working; what is None stays as it is."""

    qty: Amount | None = None
    time_in_force: TimeInForce | None = None
    limit_price: Amount | None = None
    stop_price: Amount | None = None
    trail: Amount | None = None
    """The new ``trail_price`` or ``trail_percent``, whichever the order has."""
    client_order_id: str | None = Field(default=None, min_length=1, max_length=128)
    instructions: dict[str, Any] | None = None
    """Venue-specific instructions, sent as they are (Alpaca: ``advanced_instructions``)."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("nothing to change was given")
        if self.qty is not None and self.qty <= _ZERO:
            raise ValueError(f"qty must be more than zero, not {self.qty}")
        return self


class Order(Value):
    """An order as the venue knows it."""

    id: str
    client_order_id: str
    symbol: str
    side: OrderSide | None
    """None for the parent of a multi-leg order."""
    type: OrderType | None
    """None for the legs of a multi-leg order."""
    status: OrderStatus
    venue_status: str
    qty: Decimal | None
    """None for an order by notional, for ever: use ``filled_qty``."""
    notional: Decimal | None = None
    filled_qty: Decimal
    filled_avg_price: Decimal | None = None
    time_in_force: TimeInForce
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    high_water_mark: Decimal | None = None
    """The best price since then, behind which the stop trails."""
    extended_hours: bool = False
    order_class: OrderClass = OrderClass.SIMPLE
    asset_class: AssetClass = AssetClass.UNKNOWN
    position_intent: PositionIntent | None = None
    legs: tuple[Order, ...] = ()
    ratio_qty: Decimal | None = None
    replaces: str | None = None
    replaced_by: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    submitted_at: datetime | None = None
    filled_at: datetime | None = None
    expired_at: datetime | None = None
    canceled_at: datetime | None = None
    failed_at: datetime | None = None
    replaced_at: datetime | None = None
    nanoseconds: Nanoseconds
    raw: Raw

    @property
    def is_final(self) -> bool:
        """Nothing more can happen to the order under this id."""
        return self.status.is_final

    @property
    def remaining_qty(self) -> Decimal | None:
        """What is not filled yet; None for an order by notional."""
        return None if self.qty is None else self.qty - self.filled_qty


class Fill(Value):
    """One execution."""

    id: str
    order_id: str
    symbol: str
    side: OrderSide
    qty: Decimal
    price: Decimal
    at: datetime
    cumulative_qty: Decimal | None = None
    leaves_qty: Decimal | None = None
    is_partial: bool = False
    nanoseconds: Nanoseconds
    raw: Raw


_EXECUTIONS = {"fill", "partial_fill"}


class OrderUpdate(Value):
    """Something that happened to an order, and the order as it is since."""

    event: str
    """The venue's own word, also one we have never heard of; ``reconciled`` for what was found out
    by asking, after a time when nothing was heard."""
    order: Order
    at: datetime
    execution_id: str | None = None
    price: Decimal | None = None
    """Of this execution; None when nothing was traded."""
    qty: Decimal | None = None
    position_qty: Decimal | None = None
    """What is held after this execution; negative for a short."""
    is_reconciled: bool = False
    """Found out by asking: not told when it happened."""
    nanoseconds: Nanoseconds
    raw: Raw

    @property
    def symbol(self) -> str:
        """The order's symbol."""
        return self.order.symbol

    @property
    def time_ns(self) -> int:
        """``at`` in epoch nanoseconds, as exact as the venue sent it."""
        return self.nanoseconds.get("at", 0)

    @property
    def is_fill(self) -> bool:
        """Something was traded."""
        return self.qty is not None and self.price is not None

    @property
    def key(self) -> str:
        """By what it is known again: the execution, or what happened to which order when."""
        if self.execution_id and self.event in _EXECUTIONS:
            return self.execution_id
        if self.execution_id:
            # That an execution is taken back or put right is news.
            return f"{self.execution_id} {self.event}"
        return f"{self.order.id} {self.event} {self.time_ns} {self.order.filled_qty}"


class Position(Value):
    """What is held in one instrument; ``qty`` is negative for a short."""

    symbol: str
    side: PositionSide
    qty: Decimal
    qty_available: Decimal | None = None
    """What no open order holds back."""
    avg_entry_price: Decimal
    asset_class: AssetClass = AssetClass.UNKNOWN
    asset_id: str | None = None
    market_value: Decimal | None = None
    cost_basis: Decimal | None = None
    unrealized_pl: Decimal | None = None
    unrealized_pl_percent: Decimal | None = None
    """A fraction: 0.01 is one per cent."""
    current_price: Decimal | None = None
    raw: Raw


class Account(Value):
    """What an account has and may do.  Amounts are in ``currency``."""

    id: str
    number: str | None = None
    status: str
    currency: str
    cash: Decimal
    equity: Decimal | None = None
    buying_power: Decimal | None = None
    portfolio_value: Decimal | None = None
    last_equity: Decimal | None = None
    long_market_value: Decimal | None = None
    short_market_value: Decimal | None = None
    initial_margin: Decimal | None = None
    maintenance_margin: Decimal | None = None
    multiplier: Decimal | None = None
    """Buying power by the money that is there: 1, 2 or 4 times."""
    is_trading_blocked: bool = False
    is_account_blocked: bool = False
    is_shorting_enabled: bool | None = None
    is_paper: bool
    raw: Raw


class CancelResult(Value):
    """What became of one order in a request to cancel many."""

    order_id: str
    accepted: bool
    """The venue will try; the order is not cancelled before it says ``canceled``."""
    status_code: int
    reason: str | None = None


class CloseResult(Value):
    """What became of one position in a request to close many."""

    symbol: str
    accepted: bool
    status_code: int
    order: Order | None = None
    reason: str | None = None
