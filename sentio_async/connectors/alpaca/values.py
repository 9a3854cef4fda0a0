"""What only Alpaca has: settings of an account, US bonds."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from sentio_async.models.value import Amount, Raw, Value

__all__ = ["AccountSettings", "AccountSettingsChange", "Bond"]


class AccountSettings(Value):
    """How an account is set up; ``None`` where Alpaca does not say."""

    is_trading_suspended: bool
    is_shorting_refused: bool
    is_fractional_trading_allowed: bool | None = None
    is_overnight_trading_refused: bool | None = None
    max_margin_multiplier: Decimal | None = None
    max_options_level: int | None = None
    trade_confirm_email: str | None = None
    ptp_no_exception_entry: bool | None = None
    raw: Raw


class AccountSettingsChange(Value):
    """What to change in an account's settings, by Alpaca's names; None stays as it is."""

    suspend_trade: bool | None = None
    no_shorting: bool | None = None
    fractional_trading: bool | None = None
    disable_overnight_trading: bool | None = None
    max_margin_multiplier: Amount | None = None
    max_options_trading_level: int | None = None
    trade_confirm_email: str | None = None
    ptp_no_exception_entry: bool | None = None


class Bond(Value):
    """A treasury or a corporate bond.  Prices are in per cent of par."""

    cusip: str
    isin: str | None = None
    description: str | None = None
    status: str | None = None
    ticker: str | None = None
    coupon: Decimal | None = None
    """Per cent of par and year."""
    issued_on: date | None = None
    matures_on: date | None = None
    close_price: Decimal | None = None
    close_yield_to_maturity: Decimal | None = None
    is_tradable: bool | None = None
    raw: Raw
