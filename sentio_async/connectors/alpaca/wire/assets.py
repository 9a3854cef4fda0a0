"""Instruments: assets, bonds, option contracts, and what companies announce about them.

https://docs.alpaca.markets/reference/get-v2-assets-1
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal

from sentio_async import errors
from sentio_async.connectors.alpaca.values import Bond
from sentio_async.connectors.alpaca.wire.api import api, names
from sentio_async.connectors.alpaca.wire.words import RIGHT, asset_class, asset_class_word
from sentio_async.http.endpoint import Parts
from sentio_async.http.reading import date_from_text, decimal, decimal_or_none, read_rows, word
from sentio_async.http.wire_json import Json
from sentio_async.models import (
    Asset,
    AssetClass,
    CorporateAnnouncement,
    OptionContract,
    OptionRight,
    Page,
    Rows,
)
from sentio_async.resilience.limiter import Priority

__all__ = [
    "announcement",
    "announcements",
    "asset",
    "assets",
    "option_contract",
    "option_contracts",
    "read_announcement",
    "read_asset",
    "read_bond",
    "read_option_contract",
    "us_corporates",
    "us_treasuries",
]

_MAX_ANNOUNCED_DAYS = 90
_LONG = 64 * 1024 * 1024
"""Bytes that the list of all instruments may have: 30,000 of them are 13 million."""


def read_asset(raw: Json) -> Asset:
    """An instrument.  Alpaca adds exchanges and classes without notice."""
    return Asset(
        id=raw["id"],
        symbol=raw["symbol"],
        name=raw.get("name"),
        asset_class=asset_class(raw["class"]),
        exchange=raw.get("exchange") or "",
        is_active=raw["status"] == "active",
        is_tradable=raw["tradable"],
        is_marginable=raw.get("marginable"),
        is_shortable=raw.get("shortable"),
        is_easy_to_borrow=_is_easy_to_borrow(raw),
        is_fractionable=raw.get("fractionable"),
        attributes=frozenset(raw.get("attributes") or ()),
        min_order_size=decimal_or_none(raw.get("min_order_size")),
        min_trade_increment=decimal_or_none(raw.get("min_trade_increment")),
        price_increment=decimal_or_none(raw.get("price_increment")),
        raw=raw,
    )


def _is_easy_to_borrow(raw: Json) -> bool | None:
    status: str | None = raw.get("borrow_status")
    old: bool | None = raw.get("easy_to_borrow")
    return old if status is None else status == "easy_to_borrow"


def read_assets(raw: Json) -> Rows[Asset]:
    """Instruments, beside the reasons for those that could not be read."""
    return read_rows(raw, read_asset, what="assets")


def read_bond(raw: Json) -> Bond:
    """A treasury or a corporate bond."""
    return Bond(
        cusip=raw["cusip"],
        isin=raw.get("isin"),
        description=raw.get("description"),
        status=raw.get("bond_status"),
        ticker=raw.get("ticker"),
        coupon=decimal_or_none(raw.get("coupon")),
        issued_on=date_from_text(raw.get("issue_date")),
        matures_on=date_from_text(raw.get("maturity_date")),
        close_price=decimal_or_none(raw.get("close_price")),
        close_yield_to_maturity=decimal_or_none(raw.get("close_yield_to_maturity")),
        is_tradable=raw.get("tradable"),
        raw=raw,
    )


def read_treasuries(raw: Json) -> Rows[Bond]:
    """US treasuries."""
    return read_rows(raw["us_treasuries"], read_bond, what="treasuries")


def read_corporates(raw: Json) -> Rows[Bond]:
    """Bonds of US companies."""
    return read_rows(raw["us_corporates"], read_bond, what="corporate bonds")


def read_option_contract(raw: Json) -> OptionContract:
    """One listed option."""
    expires_on = date_from_text(raw["expiration_date"])
    if expires_on is None:
        raise errors.DecodeError("option contract: expiration_date is empty")
    return OptionContract(
        id=raw["id"],
        symbol=raw["symbol"],
        underlying=raw["underlying_symbol"],
        right=word(RIGHT, "type", raw["type"]),
        strike=decimal(raw["strike_price"]),
        expires_on=expires_on,
        style=raw.get("style"),
        size=decimal_or_none(raw.get("size")),
        is_tradable=raw.get("tradable"),
        open_interest=decimal_or_none(raw.get("open_interest")),
        close_price=decimal_or_none(raw.get("close_price")),
        raw=raw,
    )


def read_option_contracts(raw: Json) -> Page[Rows[OptionContract]]:
    """A page of listed options."""
    rows = read_rows(raw["option_contracts"], read_option_contract, what="option contracts")
    return Page(rows, raw.get("next_page_token") or None)


def read_announcement(raw: Json) -> CorporateAnnouncement:
    """A dividend, split, merger or spin-off."""
    return CorporateAnnouncement(
        id=raw["id"],
        type=raw["ca_type"],
        subtype=raw.get("ca_sub_type"),
        symbol=raw.get("initiating_symbol"),
        target_symbol=raw.get("target_symbol"),
        declared_on=date_from_text(raw.get("declaration_date")),
        ex_date=date_from_text(raw.get("ex_date")),
        record_date=date_from_text(raw.get("record_date")),
        payable_on=date_from_text(raw.get("payable_date")),
        cash=decimal_or_none(raw.get("cash")),
        old_rate=decimal_or_none(raw.get("old_rate")),
        new_rate=decimal_or_none(raw.get("new_rate")),
        raw=raw,
    )


def read_announcements(raw: Json) -> Rows[CorporateAnnouncement]:
    """Announcements, beside the reasons for those that could not be read."""
    return read_rows(raw, read_announcement, what="announcements")


@api.get("/v2/assets", returns=read_assets, priority=Priority.HISTORY, max_body=_LONG)
def assets(
    *,
    status: str | None = None,
    asset_class: AssetClass | str | None = None,
    exchange: str | None = None,
    attributes: Iterable[str] | None = None,
) -> Parts:
    """Every instrument, some 30,000 in one answer; stocks unless a class is given."""
    return Parts(
        query={
            "status": status,
            "asset_class": asset_class_word(asset_class),
            "exchange": exchange,
            "attributes": names(attributes),
        }
    )


@api.get("/v2/assets/{symbol}", returns=read_asset)
def asset(symbol: str) -> Parts:
    """One instrument, by symbol or asset id."""
    return Parts(path={"symbol": symbol})


@api.get(
    "/v2/assets/fixed_income/us_treasuries", returns=read_treasuries, priority=Priority.HISTORY
)
def us_treasuries(
    *,
    subtype: str | None = None,
    status: str | None = None,
    cusips: Iterable[str] | None = None,
    isins: Iterable[str] | None = None,
) -> Parts:
    """US treasuries."""
    return Parts(
        query={
            "subtype": subtype,
            "bond_status": status,
            "cusips": names(cusips),
            "isins": names(isins),
        }
    )


@api.get(
    "/v2/assets/fixed_income/us_corporates", returns=read_corporates, priority=Priority.HISTORY
)
def us_corporates(
    *,
    status: str | None = None,
    cusips: Iterable[str] | None = None,
    isins: Iterable[str] | None = None,
    tickers: Iterable[str] | None = None,
) -> Parts:
    """Bonds of US companies."""
    return Parts(
        query={
            "bond_status": status,
            "isins": names(isins),
            "cusips": names(cusips),
            "tickers": names(tickers),
        }
    )


@api.get("/v2/options/contracts", returns=read_option_contracts, priority=Priority.HISTORY)
def option_contracts(
    *,
    underlyings: Iterable[str] | None = None,
    status: str | None = None,
    expires_on: date | None = None,
    expires_from: date | None = None,
    expires_to: date | None = None,
    right: OptionRight | str | None = None,
    style: str | None = None,
    strike_from: Decimal | None = None,
    strike_to: Decimal | None = None,
    root_symbol: str | None = None,
    show_deliverables: bool | None = None,
    penny_program: bool | None = None,
    limit: int | None = None,
    page_token: str | None = None,
) -> Parts:
    """A page of listed options; both ends of a range belong to it."""
    return Parts(
        query={
            "underlying_symbols": names(underlyings),
            "show_deliverables": show_deliverables,
            "status": status,
            "expiration_date": expires_on,
            "expiration_date_gte": expires_from,
            "expiration_date_lte": expires_to,
            "root_symbol": root_symbol,
            "type": right,
            "style": style,
            "strike_price_gte": strike_from,
            "strike_price_lte": strike_to,
            "ppind": penny_program,
            "limit": limit,
            "page_token": page_token,
        }
    )


@api.get("/v2/options/contracts/{symbol}", returns=read_option_contract)
def option_contract(symbol: str) -> Parts:
    """One listed option, by symbol or id."""
    return Parts(path={"symbol": symbol})


@api.get(
    "/v2/corporate_actions/announcements", returns=read_announcements, priority=Priority.HISTORY
)
def announcements(
    *,
    types: Iterable[str],
    since: date,
    until: date,
    symbol: str | None = None,
    cusip: str | None = None,
    date_type: str | None = None,
) -> Parts:
    """What companies announced, over 90 days at most; Alpaca prefers its market data for this."""
    if until - since > timedelta(days=_MAX_ANNOUNCED_DAYS):
        raise errors.InvalidRequestError(
            f"announcements: at most {_MAX_ANNOUNCED_DAYS} days at once, not {(until - since).days}"
        )
    return Parts(
        query={
            "ca_types": names(types),
            "since": since,
            "until": until,
            "symbol": symbol,
            "cusip": cusip,
            "date_type": date_type,
        }
    )


@api.get("/v2/corporate_actions/announcements/{announcement_id}", returns=read_announcement)
def announcement(announcement_id: str) -> Parts:
    """One announcement."""
    return Parts(path={"announcement_id": announcement_id})
