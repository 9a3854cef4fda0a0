"""Market data that only Alpaca offers here: auctions, order books, rates, bonds, movers."""

from __future__ import annotations

from datetime import date, datetime

from sentio_async.models.market import Trade
from sentio_async.models.rows import Row, utc_from_ns

__all__ = [
    "ActiveStock",
    "BondPrice",
    "BondQuote",
    "BookLevel",
    "BookUpdate",
    "CurrencyRate",
    "DayAuctions",
    "IndexValue",
    "Mover",
    "Movers",
    "OrderBook",
    "PerpetualPricing",
]


class _Timed(Row, frozen=True, gc=False, kw_only=True):
    symbol: str
    time_ns: int

    @property
    def time(self) -> datetime:
        """``time_ns`` as an aware UTC time, cut to microseconds."""
        return utc_from_ns(self.time_ns)


class DayAuctions(Row, frozen=True, gc=False, kw_only=True):
    """A day's opening and closing auctions; size 0.0 where Alpaca gives none."""

    symbol: str
    on: date
    opening: tuple[Trade, ...]
    closing: tuple[Trade, ...]


class BookLevel(Row, frozen=True, gc=False, kw_only=True):
    """How much is bid or asked at one price."""

    price: float
    size: float


class OrderBook(_Timed, frozen=True, gc=False, kw_only=True):
    """Bids and asks, each best first."""

    bids: tuple[BookLevel, ...]
    asks: tuple[BookLevel, ...]


class BookUpdate(OrderBook, frozen=True, gc=False, kw_only=True):
    """What changed in an order book; a level of size 0.0 is gone."""

    is_whole: bool = False
    """This is the whole book: what was known before no longer counts."""


class PerpetualPricing(_Timed, frozen=True, gc=False, kw_only=True):
    """How a perpetual future is priced; ``funding_rate`` is a fraction."""

    mark_price: float
    index_price: float
    open_interest: float
    funding_rate: float
    next_funding_ns: int


class CurrencyRate(_Timed, frozen=True, gc=False, kw_only=True):
    """What one unit of a pair's first currency costs in its second."""

    bid: float
    ask: float
    mid: float


class IndexValue(_Timed, frozen=True, gc=False, kw_only=True):
    """Where an index stood."""

    value: float


class BondPrice(_Timed, frozen=True, gc=False, kw_only=True):
    """A bond's latest price, by ISIN; yields are in per cent."""

    price: float
    yield_to_maturity: float | None = None
    yield_to_worst: float | None = None


class BondQuote(_Timed, frozen=True, gc=False, kw_only=True):
    """A bond's best bid and ask, by ISIN; sizes are in par value, yields in per cent."""

    bid: float
    ask: float
    bid_size: float
    ask_size: float
    bid_min_size: float
    ask_min_size: float
    bid_yield_to_maturity: float
    ask_yield_to_maturity: float
    bid_yield_to_worst: float
    ask_yield_to_worst: float


class Mover(Row, frozen=True, gc=False, kw_only=True):
    """What moved most since the last close; ``change_percent`` 1.0 is one per cent."""

    symbol: str
    price: float
    change: float
    change_percent: float


class Movers(Row, frozen=True, gc=False, kw_only=True):
    """The day's largest gains and losses."""

    gainers: tuple[Mover, ...]
    losers: tuple[Mover, ...]
    updated_ns: int


class ActiveStock(Row, frozen=True, gc=False, kw_only=True):
    """What was traded most today."""

    symbol: str
    volume: float
    trade_count: int
