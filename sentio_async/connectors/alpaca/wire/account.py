"""The account: what it has, how it is set up, what changed it, what it was worth.

https://docs.alpaca.markets/reference/getaccount-1
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypedDict, Unpack

from sentio_async import errors
from sentio_async.connectors.alpaca.values import AccountSettings, AccountSettingsChange
from sentio_async.connectors.alpaca.wire.api import api, names
from sentio_async.connectors.alpaca.wire.numbers import NEW_YORK, plain_or_none
from sentio_async.connectors.alpaca.wire.words import FILL_SIDE
from sentio_async.http.endpoint import Parts, QueryValue
from sentio_async.http.reading import (
    date_from_text,
    decimal,
    decimal_or_none,
    ns_from_text,
    read_rows,
    utc_from_ns,
    word,
)
from sentio_async.http.wire_json import Json
from sentio_async.models import Account, Activity, EquityPoint, Fill, PortfolioHistory, Rows
from sentio_async.resilience.limiter import Priority

__all__ = [
    "MAX_PAGE",
    "account",
    "account_settings",
    "activities",
    "activities_of",
    "change_account_settings",
    "fills",
    "portfolio_history",
    "read_account",
    "read_activity",
    "read_fill",
    "read_portfolio_history",
    "read_settings",
]

MAX_PAGE = 100

_AMOUNTS = (
    "equity",
    "buying_power",
    "portfolio_value",
    "last_equity",
    "long_market_value",
    "short_market_value",
    "initial_margin",
    "maintenance_margin",
    "multiplier",
)
# Samples of old documents have milliseconds; seconds reach this in the year 5138.
_MILLISECONDS_FROM = 100_000_000_000


def read_account(raw: Json, *, is_paper: bool) -> Account:
    """An account.  The members about pattern day trading are gone since July 2026."""
    return Account(
        id=raw["id"],
        number=raw.get("account_number"),
        status=raw["status"],
        currency=raw["currency"],
        cash=decimal(raw["cash"]),
        **{name: decimal_or_none(raw.get(name)) for name in _AMOUNTS},
        is_trading_blocked=_is_blocked(raw, "trading_blocked", "trade_suspended_by_user"),
        is_account_blocked=_is_blocked(raw, "account_blocked"),
        is_shorting_enabled=raw.get("shorting_enabled"),
        is_paper=is_paper,
        raw=raw,
    )


def _is_blocked(raw: Mapping[str, Any], *names: str) -> bool:
    return any(bool(raw.get(name)) for name in names)


def read_settings(raw: Json) -> AccountSettings:
    """How the account is set up."""
    return AccountSettings(
        is_trading_suspended=raw["suspend_trade"],
        is_shorting_refused=raw["no_shorting"],
        is_fractional_trading_allowed=raw.get("fractional_trading"),
        is_overnight_trading_refused=raw.get("disable_overnight_trading"),
        max_margin_multiplier=decimal_or_none(raw.get("max_margin_multiplier")),
        max_options_level=raw.get("max_options_trading_level"),
        trade_confirm_email=raw.get("trade_confirm_email"),
        ptp_no_exception_entry=raw.get("ptp_no_exception_entry"),
        raw=raw,
    )


def write_settings(change: AccountSettingsChange) -> dict[str, Json]:
    """What is to change, by Alpaca's names."""
    members = change.model_dump(exclude_none=True)
    multiplier = plain_or_none(change.max_margin_multiplier)
    return members if multiplier is None else {**members, "max_margin_multiplier": multiplier}


def read_activity(raw: Json) -> Activity:
    """A fill has a time and no date, everything else a date and perhaps a time."""
    text = raw.get("transaction_time") or raw.get("created_at")
    ns = ns_from_text(text) if text else None
    at = None if ns is None else utc_from_ns(ns)
    return Activity(
        id=raw["id"],
        type=raw["activity_type"],
        on=_day(raw, at),
        at=at,
        symbol=raw.get("symbol"),
        qty=decimal_or_none(raw.get("qty")),
        price=decimal_or_none(raw.get("price")),
        net_amount=decimal_or_none(raw.get("net_amount")),
        order_id=raw.get("order_id"),
        description=raw.get("description") or raw.get("activity_sub_type"),
        nanoseconds={} if ns is None else {"at": ns},
        raw=raw,
    )


def _day(raw: Mapping[str, Any], at: datetime | None) -> date:
    on = date_from_text(raw.get("date"))
    if on is not None:
        return on
    if at is None:
        raise errors.DecodeError("activity: neither a date nor a time is there")
    return at.astimezone(NEW_YORK).date()


def read_activities(raw: Json) -> Rows[Activity]:
    """Activities, beside the reasons for those that could not be read."""
    return read_rows(raw, read_activity, what="activities")


def read_fill(raw: Json) -> Fill:
    """One execution, from an activity of type ``FILL``."""
    ns = ns_from_text(raw["transaction_time"])
    return Fill(
        id=raw["id"],
        order_id=raw["order_id"],
        symbol=raw["symbol"],
        side=word(FILL_SIDE, "side", raw["side"]),
        qty=decimal(raw["qty"]),
        price=decimal(raw["price"]),
        at=utc_from_ns(ns),
        cumulative_qty=decimal_or_none(raw.get("cum_qty")),
        leaves_qty=decimal_or_none(raw.get("leaves_qty")),
        is_partial=raw.get("type") == "partial_fill",
        nanoseconds={"at": ns},
        raw=raw,
    )


def read_fills(raw: Json) -> Rows[Fill]:
    """Executions, beside the reasons for those that could not be read."""
    return read_rows(raw, read_fill, what="fills")


def read_portfolio_history(raw: Json) -> PortfolioHistory:
    """What the account was worth, from Alpaca's columns."""
    columns = (raw["timestamp"], raw["equity"], raw["profit_loss"], raw["profit_loss_pct"])
    if len({len(column) for column in columns}) != 1:
        raise errors.DecodeError("portfolio history: the columns differ in length")
    return PortfolioHistory(
        points=tuple(
            EquityPoint(
                at=_time(at),
                equity=decimal_or_none(equity),
                profit_loss=decimal_or_none(gain),
                profit_loss_percent=decimal_or_none(percent),
            )
            for at, equity, gain, percent in zip(*columns, strict=True)
        ),
        base_value=decimal_or_none(raw.get("base_value")),
        timeframe=raw["timeframe"],
        raw=raw,
    )


def _time(epoch: int) -> datetime:
    seconds = Decimal(epoch) / 1000 if epoch >= _MILLISECONDS_FROM else Decimal(epoch)
    return datetime.fromtimestamp(float(seconds), UTC)


@api.get("/v2/account", returns=read_account)
def account(*, is_paper: bool) -> Parts:
    """The account, with what it has."""
    return Parts(context={"is_paper": is_paper})


@api.get("/v2/account/configurations", returns=read_settings)
def account_settings() -> Parts:
    """How the account is set up."""
    return Parts()


# Setting the same values twice does no more than setting them once.
@api.patch("/v2/account/configurations", returns=read_settings, repeatable=True)
def change_account_settings(change: AccountSettingsChange) -> Parts:
    """Change how the account is set up."""
    return Parts(json=write_settings(change))


class When(TypedDict, total=False):
    """Which activities, and which page of them."""

    on: date | None
    """One day; does not go with ``after`` and ``until``."""
    after: datetime | None
    until: datetime | None
    direction: str | None
    """``desc``, newest first, if not given."""
    page_size: int | None
    page_token: str | None
    """The id of the last one seen."""


def _page(
    *,
    on: date | None = None,
    after: datetime | None = None,
    until: datetime | None = None,
    direction: str | None = None,
    page_size: int | None = None,
    page_token: str | None = None,
) -> dict[str, QueryValue]:
    if on and (after or until):
        raise errors.InvalidRequestError("activities: on does not go with after and until")
    return {
        "date": on,
        "after": after,
        "until": until,
        "direction": direction,
        "page_size": page_size,
        "page_token": page_token,
    }


@api.get("/v2/account/activities", returns=read_activities, priority=Priority.HISTORY)
def activities(
    *, types: Iterable[str] | None = None, category: str | None = None, **when: Unpack[When]
) -> Parts:
    """A page of what changed the account."""
    if types and category:
        raise errors.InvalidRequestError("activities: types or category, not both")
    kinds: dict[str, QueryValue] = {"activity_types": names(types), "category": category}
    return Parts(query={**kinds, **_page(**when)})


@api.get(
    "/v2/account/activities/{activity_type}", returns=read_activities, priority=Priority.HISTORY
)
def activities_of(activity_type: str, **when: Unpack[When]) -> Parts:
    """A page of the activities of one type."""
    return Parts(path={"activity_type": activity_type}, query=_page(**when))


@api.get("/v2/account/activities/FILL", returns=read_fills, priority=Priority.HISTORY)
def fills(**when: Unpack[When]) -> Parts:
    """A page of executions."""
    return Parts(query=_page(**when))


@api.get("/v2/account/portfolio/history", returns=read_portfolio_history, priority=Priority.HISTORY)
def portfolio_history(
    *,
    period: str | None = None,
    timeframe: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    intraday_reporting: str | None = None,
    pnl_reset: str | None = None,
    cashflow_types: str | None = None,
) -> Parts:
    """What the account was worth; of ``period``, ``start`` and ``end`` two at most."""
    if period and start and end:
        raise errors.InvalidRequestError("portfolio history: two of period, start and end at most")
    return Parts(
        query={
            "period": period,
            "timeframe": timeframe,
            "start": start,
            "end": end,
            "intraday_reporting": intraday_reporting,
            "pnl_reset": pnl_reset,
            "cashflow_types": cashflow_types,
        }
    )
