"""Accounts: cash, positions, what orders hold, and what may still be bought."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any

from sentio_async.sim.instruments import Instrument
from sentio_async.sim.orders import ZERO, Fill, Order

MULTIPLIER = 4
# Regulation T asks half of a position at first and 30 % of it afterwards.
INITIAL_MARGIN = Decimal("0.5")
MAINTENANCE_MARGIN = Decimal("0.3")


@dataclass(slots=True)
class Position:
    """What is held of one instrument; `qty` is negative when it is sold short."""

    instrument: Instrument
    qty: Decimal = ZERO
    average: Decimal = ZERO
    opened_ns: int = 0

    @property
    def multiplier(self) -> int:
        """Shares per unit: 100 for an option contract."""
        return 100 if self.instrument.contract else 1

    @property
    def cost(self) -> Decimal:
        """What it cost; negative for a short position."""
        return self.qty * self.average * self.multiplier

    def value(self, price: Decimal) -> Decimal:
        """What it is worth at that price; negative for a short position."""
        return self.qty * price * self.multiplier

    def take(self, side: str, qty: Decimal, price: Decimal, now_ns: int) -> None:
        """Buy or sell so much of it."""
        change = qty if side == "buy" else -qty
        after = self.qty + change
        if self.qty == 0 or (self.qty > 0) != (after > 0):
            self.average, self.opened_ns = price, now_ns
        elif (change > 0) == (self.qty > 0):
            self.average = (self.average * self.qty + price * change) / after
        self.qty = after


@dataclass(frozen=True, slots=True)
class Move:
    """One change of a position, and of the cash with it."""

    time_ns: int
    instrument: Instrument
    side: str
    qty: Decimal
    price: Decimal
    cash: Decimal


@dataclass(frozen=True, slots=True)
class Activity:
    """One entry that is not a trade: an exercise, an expiry, a deposit."""

    id: str
    type: str
    time_ns: int
    net_amount: Decimal
    symbol: str | None = None
    qty: Decimal | None = None
    price: Decimal | None = None
    description: str = ""


@dataclass(slots=True)
class Watchlist:
    """A named list of symbols."""

    id: str
    name: str
    symbols: list[str]
    created_ns: int
    updated_ns: int


def default_configurations() -> dict[str, Any]:
    """What an account may be told to do, as a new one is set."""
    return {
        "disable_overnight_trading": False,
        "fractional_trading": True,
        "max_margin_multiplier": str(MULTIPLIER),
        "max_options_trading_level": 3,
        "no_shorting": False,
        "ptp_no_exception_entry": False,
        "suspend_trade": False,
        "trade_confirm_email": "all",
    }


@dataclass(slots=True)
class Account:
    """One brokerage account."""

    number: str
    id: str
    start_cash: Decimal
    created_ns: int
    cash: Decimal = ZERO
    positions: dict[str, Position] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    open_orders: dict[str, Order] = field(default_factory=dict)
    by_client_id: dict[str, Order] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    activities: list[Activity] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    watchlists: dict[str, Watchlist] = field(default_factory=dict)
    configurations: dict[str, Any] = field(default_factory=default_configurations)
    kept_from_exercise: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.cash = self.start_cash

    def position(self, symbol: str) -> Position | None:
        """What is held of that symbol, if anything."""
        return self.positions.get(symbol)

    def book(self, instrument: Instrument, fill: Fill) -> None:
        """Move cash and position by one execution."""
        self.fills.append(fill)
        self.move(Move(fill.time_ns, instrument, fill.side, fill.qty, fill.price, fill.cash))

    def move(self, move: Move) -> None:
        """Change cash and a position; one that reaches zero is gone."""
        self.moves.append(move)
        self.cash += move.cash
        symbol = move.instrument.symbol
        position = self.positions.setdefault(symbol, Position(move.instrument))
        position.take(move.side, move.qty, move.price, move.time_ns)
        if position.qty == 0:
            del self.positions[symbol]

    def working(self) -> Iterator[Order]:
        """The orders that hold something, multi-leg parents left out."""
        for order in self.open_orders.values():
            if order.is_working and order.instrument is not None:
                yield order

    def held(self, symbol: str) -> Decimal:
        """How much of a position working orders would already close."""
        position = self.positions.get(symbol)
        if position is None:
            return ZERO
        closing = "sell" if position.qty > 0 else "buy"
        return sum(
            (
                order.qty - order.filled_qty
                for order in self.working()
                if order.symbol == symbol and order.side == closing and order.qty is not None
            ),
            ZERO,
        )

    def available(self, symbol: str) -> Decimal:
        """How much of a position may still be closed, without its sign."""
        position = self.positions.get(symbol)
        return abs(position.qty) - self.held(symbol) if position else ZERO


@dataclass(frozen=True, slots=True)
class Balances:
    """What an account is worth at the prices of one moment."""

    cash: Decimal
    long_value: Decimal
    short_value: Decimal
    reserved: Decimal
    reserved_cash: Decimal
    marginless: Decimal
    multiplier: int

    @property
    def equity(self) -> Decimal:
        """Cash and everything held."""
        return self.cash + self.long_value + self.short_value

    @property
    def gross(self) -> Decimal:
        """Everything held, shorts counted as positive."""
        return self.long_value - self.short_value

    @property
    def initial_margin(self) -> Decimal:
        """What holding it took at first."""
        return (self.gross - self.marginless) * INITIAL_MARGIN + self.marginless

    @property
    def maintenance_margin(self) -> Decimal:
        """What holding it takes now."""
        return (self.gross - self.marginless) * MAINTENANCE_MARGIN + self.marginless

    @property
    def buying_power(self) -> Decimal:
        """What stocks may still be bought for, after working orders."""
        own = self.equity - self.marginless
        bought = self.gross - self.marginless
        return max(ZERO, own * self.multiplier - bought - self.reserved)

    @property
    def regt_buying_power(self) -> Decimal:
        """The same under Regulation T."""
        own = self.equity - self.initial_margin
        return max(ZERO, own * min(2, self.multiplier) - self.reserved)

    @property
    def cash_buying_power(self) -> Decimal:
        """What crypto and options may still be bought for: no margin on either."""
        own = self.cash - self.reserved_cash
        return max(ZERO, min(own, self.equity - self.initial_margin))


def balances(account: Account, price: Callable[[str], Decimal | None]) -> Balances:
    """An account's worth at these prices; what has no price counts at its cost."""
    price = cache(price)
    long_value = short_value = marginless = ZERO
    for symbol, position in account.positions.items():
        value = position.value(price(symbol) or position.average)
        if position.qty > 0:
            long_value += value
        else:
            short_value += value
        if not position.instrument.marginable:
            marginless += abs(value)
    reserved = reserved_cash = ZERO
    for order in account.working():
        amount = _reserve(account, order, price)
        reserved += amount
        if order.instrument and order.instrument.asset_class != "us_equity":
            reserved_cash += amount
    multiplier = int(Decimal(account.configurations["max_margin_multiplier"]))
    return Balances(
        account.cash, long_value, short_value, reserved, reserved_cash, marginless, multiplier
    )


def _reserve(account: Account, order: Order, price: Callable[[str], Decimal | None]) -> Decimal:
    position = account.position(order.symbol)
    is_closing = position is not None and (position.qty > 0) == (order.side == "sell")
    if is_closing:
        return ZERO
    if order.notional is not None:
        return order.notional - order.filled_value
    assert order.qty is not None
    each = order.limit_price or order.stop_price or price(order.symbol) or ZERO
    return (order.qty - order.filled_qty) * each * order.multiplier
