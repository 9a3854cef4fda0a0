"""What Massive tells about instruments, companies and sessions, as values.

Names are the vendor's own.  A field is ``None`` where the vendor says nothing; what has no field
here is in ``raw``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Self

from pydantic import ValidationError

from sentio_async import errors
from sentio_async.models.value import Raw, Value

__all__ = [
    "BookLevel",
    "Condition",
    "Conversion",
    "CryptoOpenClose",
    "Dividend",
    "Exchange",
    "FinancialReport",
    "FinancialStatement",
    "Float",
    "IndexValue",
    "IndicatorValue",
    "Ipo",
    "ListedOption",
    "MarketHoliday",
    "OpenClose",
    "OrderBook",
    "PolygonValue",
    "Ratios",
    "RelatedCompany",
    "ShortInterest",
    "ShortVolume",
    "Split",
    "Summary",
    "Ticker",
    "TickerDetails",
    "TickerEvents",
    "TickerType",
]


class PolygonValue(Value):
    """A value that is read from the members of the same names."""

    raw: Raw

    @classmethod
    def read(cls, raw: Any, /) -> Self:
        """The value; raises DecodeError for a row that cannot be one."""
        if not isinstance(raw, Mapping):
            raise errors.DecodeError(f"an object is needed, not {type(raw).__name__}")
        known = {
            name: raw[name]
            for name in cls.model_fields
            if name != "raw" and raw.get(name) not in (None, "")
        }
        try:
            return cls.model_validate({**known, "raw": raw})
        except ValidationError as exc:
            problem = exc.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, problem["loc"]))
            raise errors.DecodeError(f"{cls.__name__}.{where}: {problem['msg']}") from None


class OpenClose(PolygonValue):
    """One day of a stock, an option or an index, with the hours around it."""

    symbol: str
    on: date
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal | None = None
    pre_market: Decimal | None = None
    after_hours: Decimal | None = None
    is_otc: bool = False
    is_delayed: bool = False

    @classmethod
    def read(cls, raw: Any, /) -> Self:
        """The vendor writes these names in camel case."""
        if not isinstance(raw, Mapping):
            raise errors.DecodeError("open-close: an object is needed")
        renamed = {
            **raw,
            "on": raw.get("from"),
            "pre_market": raw.get("preMarket"),
            "after_hours": raw.get("afterHours"),
            "is_otc": bool(raw.get("otc", False)),
            "is_delayed": raw.get("status") == "DELAYED",
        }
        return super().read(renamed)


class CryptoOpenClose(PolygonValue):
    """One day of a crypto pair, with the trades that opened and closed it."""

    symbol: str
    on: date
    open: Decimal
    close: Decimal
    is_utc: bool = True
    opening_trades: tuple[Mapping[str, Any], ...] = ()
    closing_trades: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def read(cls, raw: Any, /) -> Self:
        """The day comes as a time at midnight."""
        if not isinstance(raw, Mapping):
            raise errors.DecodeError("open-close: an object is needed")
        renamed = {
            **raw,
            "on": str(raw.get("day") or "")[:10],
            "is_utc": bool(raw.get("isUTC", True)),
            "opening_trades": raw.get("openTrades") or (),
            "closing_trades": raw.get("closingTrades") or (),
        }
        return super().read(renamed)


class Conversion(PolygonValue):
    """An amount of one currency in another."""

    base: str
    quoted_in: str
    amount: Decimal
    converted: Decimal
    quoted_ns: int | None = None


class Ticker(PolygonValue):
    """An instrument in the list of all."""

    ticker: str
    name: str | None = None
    market: str | None = None
    locale: str | None = None
    primary_exchange: str | None = None
    type: str | None = None
    active: bool | None = None
    currency_name: str | None = None
    currency_symbol: str | None = None
    base_currency_name: str | None = None
    base_currency_symbol: str | None = None
    cik: str | None = None
    composite_figi: str | None = None
    share_class_figi: str | None = None
    delisted_utc: datetime | None = None
    last_updated_utc: datetime | None = None


class TickerDetails(Ticker):
    """An instrument and the company behind it."""

    description: str | None = None
    homepage_url: str | None = None
    phone_number: str | None = None
    list_date: date | None = None
    market_cap: Decimal | None = None
    round_lot: Decimal | None = None
    share_class_shares_outstanding: Decimal | None = None
    weighted_shares_outstanding: Decimal | None = None
    total_employees: int | None = None
    sic_code: str | None = None
    sic_description: str | None = None
    ticker_root: str | None = None
    ticker_suffix: str | None = None
    address: Mapping[str, Any] | None = None
    branding: Mapping[str, Any] | None = None


class TickerType(PolygonValue):
    """A kind of instrument: ``CS`` is common stock."""

    code: str
    description: str | None = None
    asset_class: str | None = None
    locale: str | None = None


class TickerEvents(PolygonValue):
    """What a company was called, newest first."""

    name: str | None = None
    composite_figi: str | None = None
    cik: str | None = None
    events: tuple[Mapping[str, Any], ...]


class RelatedCompany(PolygonValue):
    """A company that is talked about together with another."""

    ticker: str


class Exchange(PolygonValue):
    """A place of trading; ``id`` is what trades and quotes name it by."""

    id: str
    name: str | None = None
    type: str | None = None
    asset_class: str | None = None
    locale: str | None = None
    acronym: str | None = None
    mic: str | None = None
    operating_mic: str | None = None
    participant_id: str | None = None
    url: str | None = None

    @classmethod
    def read(cls, raw: Any, /) -> Self:
        """Ids are numbers in the older list and texts in the newer."""
        known = raw if isinstance(raw, Mapping) else {}
        return super().read({**known, "id": None if "id" not in known else str(known["id"])})


class Condition(PolygonValue):
    """What a condition code means, and whether such trades count in prices and volume."""

    id: int
    name: str
    type: str | None = None
    asset_class: str | None = None
    data_types: tuple[str, ...] = ()
    abbreviation: str | None = None
    description: str | None = None
    exchange: int | None = None
    legacy: bool | None = None
    sip_mapping: Mapping[str, Any] | None = None
    update_rules: Mapping[str, Any] | None = None


class Dividend(PolygonValue):
    """A payment to shareholders; the last four fields come from the newer endpoint only."""

    ticker: str
    cash_amount: Decimal | None = None
    currency: str | None = None
    declaration_date: date | None = None
    ex_dividend_date: date | None = None
    record_date: date | None = None
    pay_date: date | None = None
    frequency: int | None = None
    dividend_type: str | None = None
    id: str | None = None
    distribution_type: str | None = None
    split_adjusted_cash_amount: Decimal | None = None
    historical_adjustment_factor: Decimal | None = None


class Split(PolygonValue):
    """``split_from`` shares became ``split_to``."""

    ticker: str
    execution_date: date
    split_from: Decimal
    split_to: Decimal
    id: str | None = None
    adjustment_type: str | None = None
    historical_adjustment_factor: Decimal | None = None


class ListedOption(PolygonValue):
    """One option contract; ``ticker`` begins with ``O:``."""

    ticker: str
    underlying_ticker: str
    contract_type: str
    strike_price: Decimal
    expiration_date: date
    exercise_style: str | None = None
    shares_per_contract: Decimal | None = None
    primary_exchange: str | None = None
    cfi: str | None = None
    correction: int | None = None
    additional_underlyings: tuple[Mapping[str, Any], ...] = ()


class Ipo(PolygonValue):
    """A company that goes public, or did."""

    ticker: str | None = None
    issuer_name: str | None = None
    ipo_status: str | None = None
    announced_date: date | None = None
    listing_date: date | None = None
    last_updated: date | None = None
    currency_code: str | None = None
    final_issue_price: Decimal | None = None
    lowest_offer_price: Decimal | None = None
    highest_offer_price: Decimal | None = None
    min_shares_offered: Decimal | None = None
    max_shares_offered: Decimal | None = None
    lot_size: Decimal | None = None
    shares_outstanding: Decimal | None = None
    total_offer_size: Decimal | None = None
    primary_exchange: str | None = None
    security_type: str | None = None
    security_description: str | None = None
    isin: str | None = None
    us_code: str | None = None


class ShortInterest(PolygonValue):
    """Shares sold short and not bought back, at a settlement date."""

    ticker: str
    settlement_date: date | None = None
    short_interest: Decimal | None = None
    avg_daily_volume: Decimal | None = None
    days_to_cover: Decimal | None = None


class ShortVolume(PolygonValue):
    """How much of a day's off-exchange volume was sold short; by venue in ``raw``."""

    ticker: str
    date: date
    short_volume: Decimal | None = None
    short_volume_ratio: Decimal | None = None
    total_volume: Decimal | None = None
    exempt_volume: Decimal | None = None
    non_exempt_volume: Decimal | None = None


class Float(PolygonValue):
    """Shares that the public can trade."""

    ticker: str
    effective_date: date | None = None
    free_float: Decimal | None = None
    free_float_percent: Decimal | None = None


class FinancialReport(PolygonValue):
    """One filing's statements, by statement and item, as the vendor nests them."""

    cik: str | None = None
    company_name: str | None = None
    tickers: tuple[str, ...] = ()
    fiscal_year: str | None = None
    fiscal_period: str | None = None
    timeframe: str | None = None
    start_date: date | None = None
    end_date: date | None = None
    filing_date: date | None = None
    source_filing_url: str | None = None
    financials: Mapping[str, Any]


class FinancialStatement(PolygonValue):
    """One statement of one company and period; ``items`` has every line of it by name."""

    cik: str | None = None
    tickers: tuple[str, ...] = ()
    fiscal_year: int | None = None
    fiscal_quarter: int | None = None
    timeframe: str | None = None
    period_end: date | None = None
    filing_date: date | None = None
    items: Mapping[str, Decimal]

    @classmethod
    def read(cls, raw: Any, /) -> Self:
        """Every number that is not a date or a name is an item."""
        known = raw if isinstance(raw, Mapping) else {}
        items = {n: v for n, v in known.items() if _is_number(v) and not n.startswith("fiscal_")}
        return super().read({**known, "items": items})


class Ratios(PolygonValue):
    """Ratios of price and accounts at one date; ``items`` has every one by name."""

    ticker: str
    cik: str | None = None
    date: date | None = None
    items: Mapping[str, Decimal]

    @classmethod
    def read(cls, raw: Any, /) -> Self:
        """Every number is an item."""
        known = raw if isinstance(raw, Mapping) else {}
        items = {name: value for name, value in known.items() if _is_number(value)}
        return super().read({**known, "items": items})


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


class MarketHoliday(PolygonValue):
    """A day on which an exchange is closed or closes early.  Times are in UTC."""

    exchange: str
    name: str
    date: date
    status: str
    open: datetime | None = None
    close: datetime | None = None


class IndicatorValue(PolygonValue):
    """A technical indicator at one time; MACD has all three, the others ``value`` only."""

    time_ns: int
    value: Decimal
    signal: Decimal | None = None
    histogram: Decimal | None = None


class IndexValue(PolygonValue):
    """An index now."""

    ticker: str
    name: str | None = None
    value: Decimal | None = None
    last_updated: int | None = None
    market_status: str | None = None
    timeframe: str | None = None
    type: str | None = None
    session: Mapping[str, Any] | None = None


class Summary(PolygonValue):
    """What a display shows of one instrument."""

    ticker: str
    name: str | None = None
    type: str | None = None
    price: Decimal | None = None
    market_status: str | None = None
    last_updated: int | None = None
    session: Mapping[str, Any] | None = None
    branding: Mapping[str, Any] | None = None
    options: Mapping[str, Any] | None = None


class BookLevel(PolygonValue):
    """What is offered at one price, by exchange id."""

    price: Decimal
    sizes: Mapping[str, Decimal]


class OrderBook(PolygonValue):
    """The best levels of a crypto pair, over all exchanges."""

    ticker: str
    bids: tuple[BookLevel, ...]
    asks: tuple[BookLevel, ...]
    bid_count: Decimal | None = None
    ask_count: Decimal | None = None
    spread: Decimal | None = None
    updated_ns: int | None = None
