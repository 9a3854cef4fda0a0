"""What can be traded, and when: assets, option contracts, bonds, clock and calendar."""

import base64
import binascii
from datetime import date, timedelta
from typing import Any, Final

from sentio_async.sim.calendar import (
    DAY,
    Session,
    day_of,
    midnight_ns,
    new_york,
    next_session,
    session_on,
    sessions,
    settlement_of,
)
from sentio_async.sim.instruments import Instrument
from sentio_async.sim.market import Market
from sentio_async.sim.venues.alpaca.trading_asking import (
    Asked,
    malformed,
    not_found,
    number,
)
from sentio_async.sim.venues.alpaca.trading_wire import asset_row, attributes, local_stamp, plain

CLASSES: Final = ("us_equity", "us_option", "crypto", "crypto_perp", "us_index")
MOST_CONTRACTS: Final = 10_000
FIRST_DAY: Final = date(1970, 1, 1)
LAST_DAY: Final = date(2029, 12, 31)
FRIDAY: Final = 4
SUNDAY: Final = 6
# The exchanges of v3 that keep New York's hours.
NEW_YORK_MARKETS: Final = {
    "NYSE": ("New York Stock Exchange", "XNYS"),
    "NASDAQ": ("Nasdaq Stock Market", "XNAS"),
    "OPRA": ("Options Price Reporting Authority", "OPRA"),
    "IEX": ("Investors Exchange", "IEXG"),
}
SAME_MARKET: Final = {"XNYS": "NYSE", "XNAS": "NASDAQ", "IEXG": "IEX"}


def assets(asked: Asked) -> list[dict[str, Any]]:
    """GET /v2/assets"""
    kind = asked.choice("asset_class", CLASSES, "us_equity")
    status, exchange = asked.query.get("status"), asked.query.get("exchange")
    if status and status not in {"active", "inactive"}:
        raise malformed(f"invalid status: {status}")
    wanted = set(asked.words("attributes"))
    return [
        asset_row(each)
        for each in asked.instruments
        if each.asset_class == kind
        and (not status or each.tradable == (status == "active"))
        and (not exchange or each.exchange == exchange)
        and (not wanted or not wanted.isdisjoint(attributes(each)))
    ]


def asset(asked: Asked) -> dict[str, Any]:
    """GET /v2/assets/{symbol_or_asset_id}"""
    name = asked.path["symbol"]
    instrument = asked.instruments.get(name)
    if instrument is None:
        raise not_found(f"asset not found for {name}")
    return asset_row(instrument)


def contracts(asked: Asked) -> dict[str, Any]:
    """GET /v2/options/contracts"""
    limit = asked.whole("limit", 100, MOST_CONTRACTS)
    start = _place(asked.query.get("page_token"))
    rows = [each for each in _chain(asked) if _matches(asked, each)]
    page = rows[start : start + limit]
    has_more = start + limit < len(rows)
    token = base64.b64encode(str(start + limit).encode()).decode() if has_more else None
    deliverables = asked.flag("show_deliverables")
    return {
        "option_contracts": [_contract_row(asked, each, deliverables) for each in page],
        "next_page_token": token,
    }


def contract(asked: Asked) -> dict[str, Any]:
    """GET /v2/options/contracts/{symbol_or_id}"""
    name = asked.path["symbol"]
    instrument = asked.instruments.get(name)
    if instrument is None or instrument.contract is None:
        raise not_found(f"option contract {name} not found")
    return _contract_row(asked, instrument, asked.flag("show_deliverables"))


def _place(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(base64.b64decode(token, validate=True))
    except (binascii.Error, ValueError):
        raise malformed(f"invalid page_token: {token}") from None


def _chain(asked: Asked) -> list[Instrument]:
    names = asked.words("underlying_symbols") or [
        each.symbol
        for each in asked.instruments
        if each.has_options and not asked.query.get("root_symbol")
    ]
    if root := asked.query.get("root_symbol"):
        names = [each.symbol for each in asked.instruments if each.symbol.replace(".", "") == root]
    today = day_of(asked.clock.now_ns())
    if asked.choice("status", ("active", "inactive"), "active") == "inactive":
        return []
    return [each for name in names for each in asked.instruments.chain(name, today)]


def _matches(asked: Asked, instrument: Instrument) -> bool:
    contract = instrument.contract
    assert contract is not None
    kind, style = asked.query.get("type"), asked.query.get("style")
    day = asked.day("expiration_date")
    first, last = asked.day("expiration_date_gte"), asked.day("expiration_date_lte")
    if day is None and first is None and last is None:
        # Without a date Alpaca answers what expires by the next weekend.
        today = day_of(asked.clock.now_ns())
        last = today + timedelta(days=SUNDAY - today.weekday())
        if today.weekday() > FRIDAY:
            last += timedelta(days=7)
    least = number(asked.query, "strike_price_gte")
    most = number(asked.query, "strike_price_lte")
    return (
        (not kind or contract.right == kind)
        and style != "european"
        and (day is None or contract.expires == day)
        and (first is None or contract.expires >= first)
        and (last is None or contract.expires <= last)
        and (least is None or contract.strike >= least)
        and (most is None or contract.strike <= most)
    )


def _contract_row(asked: Asked, instrument: Instrument, deliverables: bool) -> dict[str, Any]:
    contract = instrument.contract
    stock = asked.instruments.get(contract.underlying) if contract else None
    assert contract is not None and stock is not None
    today = day_of(asked.clock.now_ns())
    is_alive = contract.expires >= today
    row: dict[str, Any] = {
        "id": instrument.id,
        "symbol": instrument.symbol,
        "name": instrument.name,
        "status": "active" if is_alive else "inactive",
        "tradable": is_alive,
        "expiration_date": contract.expires.isoformat(),
        "root_symbol": stock.symbol.replace(".", ""),
        "underlying_symbol": stock.symbol,
        "underlying_asset_id": stock.id,
        "type": contract.right,
        "style": "american",
        "strike_price": plain(contract.strike),
        "multiplier": "100",
        "size": "100",
    }
    if deliverables:
        row["deliverables"] = [_deliverable(stock)]
    return row


def _deliverable(stock: Instrument) -> dict[str, Any]:
    return {
        "type": "equity",
        "symbol": stock.symbol,
        "asset_id": stock.id,
        "amount": "100",
        "allocation_percentage": "100",
        "settlement_type": "T+1",
        "settlement_method": "CCC",
        "delayed_settlement": False,
    }


def clock(asked: Asked) -> dict[str, Any]:
    """GET /v2/clock"""
    market = asked.market
    return {
        "timestamp": local_stamp(asked.clock.now_ns()),
        "is_open": market.is_open(),
        "next_open": local_stamp(market.next_open_ns()),
        "next_close": local_stamp(market.next_close_ns()),
    }


def calendar(asked: Asked) -> list[dict[str, Any]]:
    """GET /v2/calendar"""
    kind = asked.query.get("date_type", "TRADING").upper()
    if kind not in {"TRADING", "SETTLEMENT"}:
        raise malformed(f"invalid date_type: {kind}")
    start, end = asked.day("start") or FIRST_DAY, asked.day("end") or LAST_DAY
    start, end = max(start, FIRST_DAY), min(end, LAST_DAY)
    if kind == "TRADING":
        return [_calendar_row(each) for each in sessions(start, end)]
    rows = [_calendar_row(each) for each in sessions(start - 7 * DAY, end)]
    days = (start.isoformat(), end.isoformat())
    return [row for row in rows if days[0] <= row["settlement_date"] <= days[1]]


def _calendar_row(session: Session) -> dict[str, Any]:
    return {
        "date": session.day.isoformat(),
        "open": f"{session.open:%H:%M}",
        "close": f"{session.close:%H:%M}",
        "session_open": f"{session.session_open:%H%M}",
        "session_close": f"{session.session_close:%H%M}",
        "settlement_date": settlement_of(session.day).isoformat(),
    }


def clocks(asked: Asked) -> dict[str, Any]:
    """GET /v3/clock"""
    now = asked.moment("time") or asked.clock.now_ns()
    names = asked.words("markets") or ["NYSE", "NASDAQ"]
    return {"clocks": [_clock_row(asked.market, _market(name), now) for name in names]}


def _market(name: str) -> str:
    known = SAME_MARKET.get(name.upper(), name.upper())
    if known not in NEW_YORK_MARKETS:
        raise malformed(f"invalid market: {name}")
    return known


def _market_row(name: str) -> dict[str, Any]:
    full, code = NEW_YORK_MARKETS[name]
    return {"acronym": name, "name": full, "mic": code, "timezone": "America/New_York"}


def _clock_row(market: Market, name: str, now: int) -> dict[str, Any]:
    day = day_of(now)
    today = session_on(day)
    phase, until = _phase(today, now)
    if market.hours == "always":
        phase, until = "core", midnight_ns(day + DAY)
    is_over = today is not None and today.opens_ns() <= now
    after = next_session(day + DAY if is_over or today is None else day)
    is_closed = today is None or today.closes_ns() <= now
    closing = next_session(day + DAY) if is_closed else today
    assert closing is not None
    return {
        "market": _market_row(name),
        "timestamp": local_stamp(now),
        "is_market_day": today is not None,
        "next_market_open": local_stamp(after.opens_ns()),
        "next_market_close": local_stamp(closing.closes_ns()),
        "phase": phase,
        "phase_until": local_stamp(until),
    }


def _phase(today: Session | None, now: int) -> tuple[str, int]:
    edges = []
    if today is not None:
        edges = [
            ("closed", today.extended_opens_ns()),
            ("pre", today.opens_ns()),
            ("core", today.closes_ns()),
            ("post", today.extended_closes_ns()),
        ]
    for phase, until in edges:
        if now < until:
            return phase, until
    return "closed", next_session(day_of(now) + DAY).extended_opens_ns()


def market_calendar(asked: Asked) -> dict[str, Any]:
    """GET /v3/calendar/{market}"""
    name = _market(asked.path["market"])
    zone = asked.query.get("timezone", "America/New_York")
    if zone not in {"America/New_York", "UTC"}:
        raise malformed(f"invalid timezone: {zone}")
    today = day_of(asked.clock.now_ns())
    start, end = asked.day("start") or today, asked.day("end") or today + 7 * DAY
    if end < start or (end - start).days > 366:
        raise malformed("end must be at most one year after start")
    rows = [_session_row(each, is_utc=zone == "UTC") for each in sessions(start, end)]
    return {"market": _market_row(name), "calendar": rows}


def _session_row(session: Session, *, is_utc: bool) -> dict[str, Any]:
    def moment(ns: int) -> str:
        if is_utc:
            local = new_york(ns)
            return f"{(local - (local.utcoffset() or timedelta())):%Y-%m-%dT%H:%M:%S}Z"
        return local_stamp(ns)

    return {
        "date": session.day.isoformat(),
        "pre_start": moment(session.extended_opens_ns()),
        "pre_end": moment(session.opens_ns()),
        "core_start": moment(session.opens_ns()),
        "core_end": moment(session.closes_ns()),
        "post_start": moment(session.closes_ns()),
        "post_end": moment(session.extended_closes_ns()),
        "settlement_date": settlement_of(session.day).isoformat(),
    }
