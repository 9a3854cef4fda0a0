"""Market rows as the exchange keeps them, before a venue words them for its wire."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Quote:
    """The best bid and ask from one moment on; stock sizes are whole shares."""

    symbol: str
    time_ns: int
    bid: Decimal
    ask: Decimal
    bid_size: int | Decimal
    ask_size: int | Decimal
    bid_exchange: str
    ask_exchange: str


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade on the tape; `id` is unique within its symbol."""

    time_ns: int
    price: Decimal
    size: int | Decimal
    id: int
    exchange: str
    conditions: tuple[str, ...]
    tape: str


@dataclass(frozen=True, slots=True)
class Bar:
    """The trades of one stretch of time, which begins at `time_ns`."""

    time_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int | Decimal
    trade_count: int
    vwap: Decimal
