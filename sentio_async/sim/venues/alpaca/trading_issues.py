"""Bonds, and what companies announce: a short fixed list of the one, dividends of the other."""

import uuid
from datetime import date
from decimal import Decimal
from typing import Any, Final

from sentio_async.sim.calendar import DAY, day_of, next_session
from sentio_async.sim.instruments import Instrument
from sentio_async.sim.venues.alpaca.trading_asking import Asked, malformed, not_found
from sentio_async.sim.venues.alpaca.trading_wire import plain

TREASURY: Final[dict[str, Any]] = {
    "cusip": "912797KJ5",
    "isin": "US912797KJ59",
    "bond_status": "outstanding",
    "tradable": True,
    "subtype": "bill",
    "issue_date": "2026-01-15",
    "maturity_date": "2027-01-14",
    "description": "United States Treasury Bill 01/14/2027",
    "description_short": "US T-Bill 01/14/27",
    "close_price": 96.1,
    "close_price_date": "2026-01-16",
    "coupon": 0,
    "coupon_type": "zero",
    "coupon_frequency": "zero",
}


def treasuries(asked: Asked) -> dict[str, Any]:
    """GET /v2/assets/fixed_income/us_treasuries"""
    wanted = {*asked.words("cusips"), *asked.words("isins")}
    is_wanted = not wanted or not wanted.isdisjoint((TREASURY["cusip"], TREASURY["isin"]))
    return {"us_treasuries": [TREASURY] if is_wanted else []}


def corporates(asked: Asked) -> dict[str, Any]:
    """GET /v2/assets/fixed_income/us_corporates"""
    asked.words("cusips")
    return {"us_corporates": []}


MOST_DAYS: Final = 90
KINDS: Final = ("dividend", "merger", "spinoff", "split")


def announcements(asked: Asked) -> list[dict[str, Any]]:
    """GET /v2/corporate_actions/announcements"""
    kinds = {kind.lower() for kind in asked.words("ca_types")}
    since, until = asked.day("since"), asked.day("until")
    if not kinds or since is None or until is None:
        raise malformed("ca_types, since and until are required")
    if not kinds <= set(KINDS):
        raise malformed(f"invalid ca_types: {asked.query['ca_types']}")
    if (until - since).days > MOST_DAYS:
        raise malformed("date range between since and until cannot exceed 90 days")
    symbol = asked.query.get("symbol")
    return [
        row
        for each in asked.instruments
        if "dividend" in kinds
        and each.asset_class == "us_equity"
        and each.marginable
        and (not symbol or symbol == each.symbol)
        for row in _dividends(each, since, until)
    ]


def announcement(asked: Asked) -> dict[str, Any]:
    """GET /v2/corporate_actions/announcements/{id}"""
    today = day_of(asked.clock.now_ns())
    for each in asked.instruments:
        for row in _dividends(each, today - 3 * 365 * DAY, today + 365 * DAY):
            if row["id"] == asked.path["id"]:
                return row
    raise not_found("announcement not found")


def _dividends(instrument: Instrument, since: date, until: date) -> list[dict[str, Any]]:
    """Each stock pays a quarter of a percent of its usual price, every quarter."""
    rows = []
    for year in range(since.year, until.year + 1):
        for month in (3, 6, 9, 12):
            ex = next_session(date(year, month, 10)).day
            if not since <= ex <= until:
                continue
            id = str(uuid.uuid5(uuid.UUID(instrument.id), ex.isoformat()))
            cash = (instrument.base / 400).quantize(Decimal("0.01"))
            rows.append(
                {
                    "id": id,
                    "corporate_action_id": id,
                    "ca_type": "dividend",
                    "ca_sub_type": "cash",
                    "initiating_symbol": instrument.symbol,
                    "initiating_original_cusip": f"{instrument.id[:8]}0".upper(),
                    "target_symbol": instrument.symbol,
                    "target_original_cusip": f"{instrument.id[:8]}0".upper(),
                    "declaration_date": (ex - 21 * DAY).isoformat(),
                    "ex_date": ex.isoformat(),
                    "record_date": ex.isoformat(),
                    "payable_date": (ex + 21 * DAY).isoformat(),
                    "cash": plain(cash),
                    "old_rate": "1",
                    "new_rate": "1",
                }
            )
    return rows
