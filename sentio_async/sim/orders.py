"""Orders as the exchange keeps them, and what it tells about them."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from sentio_async.sim.instruments import Instrument

ZERO = Decimal(0)
# What a quantity is cut to.
QTY_STEP = Decimal("0.000000001")

WORKING: Final = frozenset(
    {"new", "accepted", "pending_new", "partially_filled", "pending_cancel", "pending_replace"}
)
OPEN: Final = WORKING | {"held"}


@dataclass(slots=True)
class Order:
    """One order; `side` and `instrument` are empty on the parent of a multi-leg order.

    A `held` leg that is `is_armed` watches the market without standing in it: the stop beside a
    working take-profit.
    """

    id: str
    client_order_id: str
    account: str
    number: int
    instrument: Instrument | None
    side: str
    type: str
    time_in_force: str
    created_ns: int
    order_class: str = ""
    qty: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    hwm: Decimal | None = None
    extended_hours: bool = False
    position_intent: str | None = None
    ratio_qty: Decimal | None = None
    status: str = "pending_new"
    filled_qty: Decimal = ZERO
    filled_value: Decimal = ZERO
    submitted_ns: int = 0
    updated_ns: int = 0
    live_ns: int | None = None
    release_ns: int | None = None
    expires_ns: int | None = None
    filled_ns: int | None = None
    expired_ns: int | None = None
    canceled_ns: int | None = None
    failed_ns: int | None = None
    replaced_ns: int | None = None
    replaced_by: str | None = None
    replaces: str | None = None
    is_triggered: bool = False
    is_armed: bool = False
    parent: "Order | None" = field(default=None, repr=False)
    legs: "list[Order]" = field(default_factory=list, repr=False)

    @property
    def symbol(self) -> str:
        """The instrument's symbol; empty on the parent of a multi-leg order."""
        return self.instrument.symbol if self.instrument else ""

    @property
    def is_open(self) -> bool:
        """Whether anything can still happen to it."""
        return self.status in OPEN

    @property
    def is_working(self) -> bool:
        """Whether it stands in the market, or is on its way there."""
        return self.status in WORKING

    @property
    def is_multi_leg(self) -> bool:
        """Whether it is the parent of several orders that fill together."""
        return self.order_class == "mleg" and self.parent is None

    @property
    def multiplier(self) -> int:
        """Shares per unit: 100 for an option contract."""
        return 100 if self.instrument and self.instrument.contract else 1

    @property
    def average(self) -> Decimal | None:
        """The average price of what was filled."""
        return self.filled_value / self.filled_qty if self.filled_qty else None

    def left(self, price: Decimal) -> Decimal:
        """How much is still to be filled, at that price when the order is for an amount."""
        if self.qty is not None:
            return self.qty - self.filled_qty
        assert self.notional is not None
        wanted = (self.notional - self.filled_value) / price
        return wanted.quantize(QTY_STEP, rounding="ROUND_DOWN")


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution, as it was when it happened."""

    id: str
    order_id: str
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    multiplier: int
    cum_qty: Decimal
    leaves_qty: Decimal
    order_status: str
    position_qty: Decimal
    time_ns: int

    @property
    def cash(self) -> Decimal:
        """What it adds to the account's cash."""
        value = self.qty * self.price * self.multiplier
        return -value if self.side == "buy" else value


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One step of an order: `new`, `fill`, `partial_fill`, `canceled`, `replaced` and so on.

    `order` goes on changing; what a fill must remember is in `fill`.
    """

    kind: str
    order: Order
    time_ns: int
    id: str
    fill: Fill | None = None
