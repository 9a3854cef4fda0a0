"""Market data: quotes, trades, bars, snapshots, news, market status.

Prices are ``float``, exactly the number the vendor sent; ``exact(price)`` gives it as ``Decimal``.
Sizes are in shares, contracts or coins.  ``time_ns`` is epoch nanoseconds as the vendor sent
them, ``time`` the same as an aware UTC ``datetime``.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sentio_async.models.rows import Row, utc_from_ns

__all__ = [
    "Bar",
    "ExchangeStatus",
    "Greeks",
    "Imbalance",
    "LevelValue",
    "MarketStatus",
    "NewsArticle",
    "OptionSnapshot",
    "PriceBand",
    "Quote",
    "Snapshot",
    "Trade",
    "TradingStatus",
    "exact",
]


def exact(price: float) -> Decimal:
    """The decimal number that the vendor wrote, by the float's shortest text."""
    return Decimal(repr(price))


# Quotes, trades, bars and snapshots are made by the million, so their fields have an order too:
# matching thirteen names costs a third of making a row.
class _Moment(Row, frozen=True, gc=False):
    symbol: str
    time_ns: int
    """When it happened at the venue."""
    provider: str


class _Timed(_Moment, frozen=True, gc=False, kw_only=True):
    feed: str | None = None
    """Which tape it comes from; never mix feeds in one series."""
    is_delayed: bool = False
    received_ns: int = 0
    """When it arrived here, epoch nanoseconds; 0 if not recorded."""

    @property
    def time(self) -> datetime:
        """``time_ns`` as an aware UTC time, cut to microseconds."""
        return utc_from_ns(self.time_ns)

    def age(self, now: datetime) -> float:
        """Seconds between the venue's time and ``now``."""
        return (now - self.time).total_seconds()


class Quote(_Timed, frozen=True, gc=False):
    """The best bid and offer.  A side without an order has price 0.0."""

    bid: float
    ask: float
    bid_size: float
    ask_size: float
    bid_exchange: str | None = None
    ask_exchange: str | None = None
    conditions: tuple[str, ...] = ()
    tape: str | None = None

    @property
    def mid(self) -> float:
        """Halfway between bid and ask; NaN when a side is missing."""
        return (self.bid + self.ask) / 2 if self.bid and self.ask else float("nan")

    @property
    def spread(self) -> float:
        """Ask less bid; NaN when a side is missing."""
        return self.ask - self.bid if self.bid and self.ask else float("nan")


class Trade(_Timed, frozen=True, gc=False):
    """One execution on the tape."""

    price: float
    size: float
    id: str = ""
    exchange: str | None = None
    conditions: tuple[str, ...] = ()
    tape: str | None = None
    taker_side: str | None = None
    """Who crossed the spread, ``buy`` or ``sell``, where the venue tells (crypto)."""
    correction: str | None = None
    """Set when the tape changed this trade later, in the vendor's own word."""
    corrects: str | None = None
    """The id of the trade that this one takes the place of, where the vendor tells."""


class Bar(_Timed, frozen=True, gc=False):
    """Prices over one interval that starts at ``time``."""

    open: float
    high: float
    low: float
    close: float
    volume: float
    trade_count: int | None = None
    vwap: float | None = None


class TradingStatus(_Timed, frozen=True, gc=False, kw_only=True):
    """Whether a stock may be traded, in the exchange's own codes: halts and resumptions."""

    status: str
    status_text: str = ""
    reason: str = ""
    reason_text: str = ""
    tape: str | None = None


class PriceBand(_Timed, frozen=True, gc=False, kw_only=True):
    """Between which prices a stock may trade (limit up, limit down)."""

    upper: float
    lower: float
    indicators: tuple[str, ...] = ()
    tape: str | None = None


class Imbalance(_Timed, frozen=True, gc=False, kw_only=True):
    """How lopsided an auction is; ``size`` is what finds no other side, where it is told."""

    price: float | None = None
    size: float | None = None
    paired_size: float | None = None
    auction: str | None = None
    tape: str | None = None


class LevelValue(_Timed, frozen=True, gc=False, kw_only=True):
    """Where an index stands, or what a vendor thinks a fair price is."""

    value: float


class Snapshot(Row, frozen=True, gc=False):
    """Everything that is latest about one symbol; each part may be missing."""

    symbol: str
    provider: str
    quote: Quote | None = None
    trade: Trade | None = None
    minute_bar: Bar | None = None
    day_bar: Bar | None = None
    previous_day_bar: Bar | None = None
    change: float | None = None
    """Price change since the previous close."""
    change_percent: float | None = None
    """In per cent: 1.0 is one per cent."""
    feed: str | None = None
    is_delayed: bool = False
    updated_ns: int | None = None


class Greeks(Row, frozen=True, gc=False, kw_only=True):
    """Sensitivities of an option's price, as the vendor reckons them.

    Massive gives theta per day, and vega per one per cent of volatility.
    """

    delta: float | None = None
    gamma: float | None = None
    theta: float | None = None
    vega: float | None = None
    rho: float | None = None


class OptionSnapshot(Row, frozen=True, gc=False):
    """Everything that is latest about one option contract; each part may be missing."""

    symbol: str
    provider: str
    underlying: str | None = None
    quote: Quote | None = None
    trade: Trade | None = None
    day_bar: Bar | None = None
    greeks: Greeks | None = None
    implied_volatility: float | None = None
    """A fraction: 0.25 is 25 per cent a year."""
    open_interest: float | None = None
    """Contracts."""
    break_even_price: float | None = None
    feed: str | None = None
    is_delayed: bool = False


class NewsArticle(Row, frozen=True, gc=False, kw_only=True):
    """One article.  ``content`` is HTML where the vendor gives it."""

    id: str
    headline: str
    url: str | None
    published_ns: int
    provider: str
    symbols: tuple[str, ...] = ()
    author: str | None = None
    source: str | None = None
    summary: str = ""
    content: str = ""
    images: tuple[str, ...] = ()
    insights: tuple[dict[str, Any], ...] = ()

    @property
    def symbol(self) -> str:
        """The first of the symbols, or nothing; an article may be about many."""
        return self.symbols[0] if self.symbols else ""

    @property
    def time_ns(self) -> int:
        """When it was published, epoch nanoseconds."""
        return self.published_ns

    @property
    def published_at(self) -> datetime:
        """When it was published, aware, in UTC."""
        return utc_from_ns(self.published_ns)


class ExchangeStatus(Row, frozen=True, gc=False, kw_only=True):
    """One exchange's state, in the vendor's own word."""

    name: str
    status: str
    is_open: bool


class MarketStatus(Row, frozen=True, gc=False, kw_only=True):
    """Whether markets are open now."""

    is_open: bool
    """The regular session of the main market."""
    is_extended_hours: bool
    at_ns: int
    provider: str
    exchanges: tuple[ExchangeStatus, ...] = ()
    next_open: datetime | None = None
    next_close: datetime | None = None

    @property
    def at(self) -> datetime:
        """When the vendor said so, aware, in UTC."""
        return utc_from_ns(self.at_ns)
