"""The words of trading: what an order can be, and what can become of it."""

from __future__ import annotations

from enum import StrEnum

__all__ = [
    "AssetClass",
    "OptionRight",
    "OrderClass",
    "OrderSide",
    "OrderStatus",
    "OrderType",
    "PositionIntent",
    "PositionSide",
    "TimeInForce",
]


class OrderSide(StrEnum):
    """Which way an order goes."""

    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    """At what price an order may trade."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"


class TimeInForce(StrEnum):
    """How long an order stays."""

    DAY = "day"
    GTC = "gtc"
    """Until it is cancelled."""
    OPG = "opg"
    """In the opening auction only."""
    CLS = "cls"
    """In the closing auction only."""
    IOC = "ioc"
    """At once, as much as there is; the rest is cancelled."""
    FOK = "fok"
    """At once and in full, or not at all."""


class OrderClass(StrEnum):
    """Whether an order comes alone."""

    SIMPLE = "simple"
    BRACKET = "bracket"
    """An entry with a take-profit and a stop-loss."""
    OCO = "oco"
    """Two exits of which one cancels the other."""
    OTO = "oto"
    """An entry that triggers one exit."""
    MLEG = "mleg"
    """Several option legs as one order."""


class PositionIntent(StrEnum):
    """Whether an order opens or closes."""

    BUY_TO_OPEN = "buy_to_open"
    BUY_TO_CLOSE = "buy_to_close"
    SELL_TO_OPEN = "sell_to_open"
    SELL_TO_CLOSE = "sell_to_close"


class OrderStatus(StrEnum):
    """What became of an order; the venue's own word stands in ``Order.venue_status``."""

    PENDING = "pending"
    """Received, not working yet."""
    OPEN = "open"
    """Working.  Also while a cancel or a replacement is pending: a fill can still arrive."""
    PARTIALLY_FILLED = "partially_filled"
    HELD = "held"
    """Waits for another order, as the exits of a bracket do."""
    DONE_FOR_DAY = "done_for_day"
    """Not working until the next session."""
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REPLACED = "replaced"
    """Goes on under another id: ``Order.replaced_by``."""
    REJECTED = "rejected"

    @property
    def is_final(self) -> bool:
        """Nothing more can happen to the order under this id."""
        return self in _FINAL


_FINAL = frozenset(
    {
        OrderStatus.FILLED,
        OrderStatus.CANCELED,
        OrderStatus.EXPIRED,
        OrderStatus.REPLACED,
        OrderStatus.REJECTED,
    }
)


class PositionSide(StrEnum):
    """Which way a position goes."""

    LONG = "long"
    SHORT = "short"


class AssetClass(StrEnum):
    """What is traded."""

    STOCK = "stock"
    OPTION = "option"
    CRYPTO = "crypto"
    FOREX = "forex"
    INDEX = "index"
    FUTURE = "future"
    FIXED_INCOME = "fixed_income"
    UNKNOWN = "unknown"


class OptionRight(StrEnum):
    """What an option gives the right to."""

    CALL = "call"
    PUT = "put"
