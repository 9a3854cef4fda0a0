"""What a venue tells about itself and its instruments: assets, sessions, activities, history."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sentio_async.models.value import Nanoseconds, Raw, Value
from sentio_async.models.words import AssetClass, OptionRight

__all__ = [
    "Activity",
    "Asset",
    "CorporateAnnouncement",
    "EquityPoint",
    "MarketClock",
    "OptionContract",
    "PortfolioHistory",
    "TradingDay",
    "Watchlist",
]


class Asset(Value):
    """An instrument, and what may be done with it at this venue."""

    id: str
    symbol: str
    name: str | None = None
    asset_class: AssetClass
    exchange: str
    """The venue's own word, also one we have never heard of."""
    is_active: bool
    is_tradable: bool
    is_marginable: bool | None = None
    is_shortable: bool | None = None
    is_easy_to_borrow: bool | None = None
    is_fractionable: bool | None = None
    attributes: frozenset[str] = frozenset()
    min_order_size: Decimal | None = None
    min_trade_increment: Decimal | None = None
    price_increment: Decimal | None = None
    raw: Raw


class OptionContract(Value):
    """One listed option."""

    id: str
    symbol: str
    underlying: str
    right: OptionRight
    strike: Decimal
    expires_on: date
    style: str | None = None
    size: Decimal | None = None
    """Units of the underlying per contract."""
    is_tradable: bool | None = None
    open_interest: Decimal | None = None
    close_price: Decimal | None = None
    raw: Raw


class MarketClock(Value):
    """Whether the market is open, and when that changes.  Times are in UTC."""

    at: datetime
    is_open: bool
    next_open: datetime | None
    next_close: datetime | None
    market: str | None = None
    raw: Raw


class TradingDay(Value):
    """One session.  Times are in UTC; ``None`` where the venue does not say."""

    on: date
    opens_at: datetime
    closes_at: datetime
    session_opens_at: datetime | None = None
    """The start of extended hours."""
    session_closes_at: datetime | None = None
    settles_on: date | None = None
    raw: Raw


class Activity(Value):
    """Something that changed an account: a dividend, a fee, a transfer, a fill."""

    id: str
    type: str
    """The venue's own word; new ones appear without notice."""
    on: date
    at: datetime | None = None
    symbol: str | None = None
    qty: Decimal | None = None
    price: Decimal | None = None
    net_amount: Decimal | None = None
    order_id: str | None = None
    description: str | None = None
    nanoseconds: Nanoseconds
    raw: Raw


class EquityPoint(Value):
    """An account's worth at one time; ``None`` where the venue has no value."""

    at: datetime
    equity: Decimal | None
    profit_loss: Decimal | None
    profit_loss_percent: Decimal | None
    """A fraction: 0.01 is one per cent."""


class PortfolioHistory(Value):
    """An account's worth over time."""

    points: tuple[EquityPoint, ...]
    base_value: Decimal | None
    timeframe: str
    raw: Raw


class Watchlist(Value):
    """A named list of symbols kept at the venue."""

    id: str
    name: str
    symbols: tuple[str, ...]
    raw: Raw


class CorporateAnnouncement(Value):
    """A dividend, split, merger or spin-off that was announced."""

    id: str
    type: str
    subtype: str | None = None
    symbol: str | None = None
    target_symbol: str | None = None
    declared_on: date | None = None
    ex_date: date | None = None
    record_date: date | None = None
    payable_on: date | None = None
    cash: Decimal | None = None
    """Money per share."""
    old_rate: Decimal | None = None
    """So many shares before become ``new_rate`` shares."""
    new_rate: Decimal | None = None
    raw: Raw
