"""What Massive tells about instruments, companies and sessions, as values.

Names are the vendor's own.  A field is ``None`` where the vendor says nothing; what has no field
here is in ``raw``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, ValidationError

from sentio_async import errors
from sentio_async.models.value import Raw, Value

__all__ = [
    "BookLevel",
    "Condition",
    "Conversion",
    "CryptoOpenClose",
    "Exchange",
    "IndexValue",
    "IndicatorValue",
    "ListedOption",
    "MarketHoliday",
    "OpenClose",
    "OrderBook",
    "PolygonValue",
    "RelatedCompany",
    "Summary",
    "Ticker",
    "TickerDetails",
    "TickerEvents",
    "TickerType",
]


_NOTHING: tuple[Any, ...] = (None, "")


def _in_utc(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    return time.astimezone(UTC)


_Utc = Annotated[datetime, AfterValidator(_in_utc)]


class PolygonValue(Value):
    """A value that is read from the members of the same names."""

    renamed: ClassVar[Mapping[str, str]] = {}
    """The vendor's names of the fields that have another one here."""

    raw: Raw

    @classmethod
    def read(cls, raw: Any, /) -> Self:
        """The value; raises DecodeError for a row that cannot be one."""
        if not isinstance(raw, Mapping):
            raise errors.DecodeError(f"an object is needed, not {type(raw).__name__}")
        known = {
            field: raw[name]
            for field in cls.model_fields
            if field != "raw" and raw.get(name := cls.renamed.get(field, field)) not in _NOTHING
        }
        try:
            return cls.model_validate({**known, **cls._derived(raw), "raw": raw})
        except ValidationError as exc:
            problem = exc.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, problem["loc"]))
            raise errors.DecodeError(f"{cls.__name__}.{where}: {problem['msg']}") from None

    @classmethod
    def _derived(cls, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        """Fields that are not one member of the row as it stands."""
        return {}


class OpenClose(PolygonValue):
    """One day of a stock, an option or an index, with the hours around it."""

    renamed: ClassVar[Mapping[str, str]] = {
        "on": "from",
        "pre_market": "preMarket",
        "after_hours": "afterHours",
        "is_otc": "otc",
    }

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
    def _derived(cls, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"is_delayed": raw.get("status") == "DELAYED"}


class CryptoOpenClose(PolygonValue):
    """One day of a crypto pair, with the trades that opened and closed it."""

    renamed: ClassVar[Mapping[str, str]] = {
        "is_utc": "isUTC",
        "opening_trades": "openTrades",
        "closing_trades": "closingTrades",
    }

    symbol: str
    on: date
    open: Decimal
    close: Decimal
    is_utc: bool = True
    opening_trades: tuple[Mapping[str, Any], ...] = ()
    closing_trades: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def _derived(cls, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        # The day comes as a time, at midnight.
        return {"on": str(raw.get("day") or "")[:10]}


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
    delisted_utc: _Utc | None = None
    last_updated_utc: _Utc | None = None


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
    def _derived(cls, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        # A number in the older list, a text in the newer.
        return {"id": str(raw["id"])} if "id" in raw else {}


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


class MarketHoliday(PolygonValue):
    """A day on which an exchange is closed or closes early.  Times are in UTC."""

    renamed: ClassVar[Mapping[str, str]] = {"on": "date"}

    exchange: str
    name: str
    on: date
    status: str
    open: _Utc | None = None
    close: _Utc | None = None


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
    """Epoch nanoseconds."""
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
    """Epoch nanoseconds."""
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
