"""What listeners hear of orders."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sentio_async.events import Event

__all__ = [
    "JournalFailed",
    "OrderFound",
    "OrderNotPlaced",
    "OrderPlaced",
    "OrderRejected",
    "OrderUnknown",
    "OrdersRecovered",
    "PositionUnexplained",
    "TradingHalted",
    "TradingResumed",
]


@dataclass(frozen=True, slots=True)
class OrderPlaced(Event):
    """The venue has taken an order."""

    client_order_id: str
    order_id: str
    attempts: int


@dataclass(frozen=True, slots=True)
class OrderFound(OrderPlaced):
    """An order whose answer was lost was found at the venue.

    ``late``: its caller had been told that nobody knows; ``action`` says what was done then.
    """

    late: bool
    action: str


@dataclass(frozen=True, slots=True)
class OrderRejected(Event):
    """The venue has refused an order."""

    client_order_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class OrderNotPlaced(Event):
    """An order never arrived, and never will."""

    client_order_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class OrderUnknown(Event):
    """A caller was told that nobody knows whether the order lives; it is being looked for."""

    client_order_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class OrdersRecovered(Event):
    """What an earlier life left open was found out."""

    placed: int
    not_placed: int
    rejected: int
    changed: int


@dataclass(frozen=True, slots=True)
class PositionUnexplained(Event):
    """At a start, a position is not what the orders of the journal add up to."""

    symbol: str
    held: Decimal
    explained: Decimal


@dataclass(frozen=True, slots=True)
class TradingHalted(Event):
    """New orders are refused, and what is open is being cancelled."""

    reason: str


@dataclass(frozen=True, slots=True)
class TradingResumed(Event):
    """New orders are accepted again."""


@dataclass(frozen=True, slots=True)
class JournalFailed(Event):
    """A row of the journal could not be written."""

    client_order_id: str
    reason: str
