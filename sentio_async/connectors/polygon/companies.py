"""What companies do and report, and who bets against them, as values."""

from __future__ import annotations

from collections.abc import Container, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

from sentio_async.connectors.polygon.moments import date_by_size
from sentio_async.connectors.polygon.values import PolygonValue

__all__ = [
    "Dividend",
    "FinancialReport",
    "FinancialStatement",
    "Float",
    "Ipo",
    "Ratios",
    "ShortInterest",
    "ShortVolume",
    "Split",
]


def numbers_in(raw: Mapping[str, Any], apart_from: Container[str] = ()) -> dict[str, Decimal | int]:
    """The members that are numbers."""
    return {
        name: value
        for name, value in raw.items()
        if isinstance(value, int | Decimal) and not isinstance(value, bool)
        if name not in apart_from
    }


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

    @classmethod
    def _derived(cls, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        # The newer endpoint is described with numbers, and its example has texts.
        days = ("announced_date", "listing_date", "last_updated")
        return {name: date_by_size(raw.get(name)) for name in days}


class ShortInterest(PolygonValue):
    """Shares sold short and not bought back, at a settlement date."""

    ticker: str
    settlement_date: date | None = None
    short_interest: Decimal | None = None
    avg_daily_volume: Decimal | None = None
    days_to_cover: Decimal | None = None


class ShortVolume(PolygonValue):
    """How much of a day's off-exchange volume was sold short; by venue in ``raw``."""

    renamed: ClassVar[Mapping[str, str]] = {"on": "date"}

    ticker: str
    on: date
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
    def _derived(cls, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"items": numbers_in(raw, apart_from=("fiscal_year", "fiscal_quarter"))}


class Ratios(PolygonValue):
    """Ratios of price and accounts at one date; ``items`` has every one by name."""

    renamed: ClassVar[Mapping[str, str]] = {"on": "date"}

    ticker: str
    cik: str | None = None
    on: date | None = None
    items: Mapping[str, Decimal]

    @classmethod
    def _derived(cls, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"items": numbers_in(raw)}
