"""The account itself: balances, settings, activities, and its worth over time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from sentio_async.sim.calendar import day_of
from sentio_async.sim.ledger import Account, Activity, Balances
from sentio_async.sim.venues.alpaca.trading_asking import Asked, malformed, not_found
from sentio_async.sim.venues.alpaca.trading_history import equity_at, last_close_ns
from sentio_async.sim.venues.alpaca.trading_wire import (
    cents,
    entry_id,
    fill_row,
    plain,
    stamp,
)

MOST_ACTIVITIES = 100
# https://docs.alpaca.markets/reference/getaccountactivities-2
TYPES = frozenset(
    {
        "FILL",
        "TRANS",
        "MISC",
        "ACATC",
        "ACATS",
        "CFEE",
        "CIL",
        "CSD",
        "CSW",
        "DIV",
        "DIVCGL",
        "DIVCGS",
        "DIVFEE",
        "DIVFT",
        "DIVNRA",
        "DIVROC",
        "DIVTW",
        "DIVTXEX",
        "FEE",
        "FOPT",
        "INT",
        "INTNRA",
        "INTTW",
        "JNL",
        "JNLC",
        "JNLS",
        "MA",
        "MEM",
        "NC",
        "OCT",
        "OPASN",
        "OPCA",
        "OPCSH",
        "OPEXC",
        "OPEXP",
        "OPTRD",
        "PTC",
        "PTR",
        "REORG",
        "SC",
        "SPIN",
        "SPLIT",
        "SSO",
        "SSP",
        "VOF",
        "WH",
    }
)
WORDS = {"trade_confirm_email": ("all", "none"), "max_margin_multiplier": ("1", "2", "4")}


def account(asked: Asked) -> dict[str, Any]:
    """GET /v2/account"""
    own = asked.account
    now = asked.engine.balances(own)
    last_close = last_close_ns(asked.clock.now_ns())
    level = own.configurations["max_options_trading_level"]
    power = cents(now.buying_power)
    return {
        "id": own.id,
        "account_number": own.number,
        "status": "ACTIVE",
        "crypto_status": "ACTIVE",
        "crypto_tier": 1,
        "currency": "USD",
        "created_at": stamp(own.created_ns),
        "balance_asof": day_of(last_close).isoformat(),
        "admin_configurations": {},
        "user_configurations": None,
        "account_blocked": False,
        "trading_blocked": False,
        "transfers_blocked": False,
        "trade_suspended_by_user": own.configurations["suspend_trade"],
        "shorting_enabled": not own.configurations["no_shorting"],
        "multiplier": own.configurations["max_margin_multiplier"],
        "options_approved_level": 3,
        "options_trading_level": 3 if level is None else level,
        "buying_power": power,
        "effective_buying_power": power,
        "last_equity": cents(equity_at(asked.market, own, last_close)),
        **_amounts(now),
    }


def _amounts(now: Balances) -> dict[str, str]:
    equity, cash_power = cents(now.equity), cents(now.cash_buying_power)
    return {
        "cash": cents(now.cash),
        "equity": equity,
        "portfolio_value": equity,
        "long_market_value": cents(now.long_value),
        "short_market_value": cents(now.short_value),
        "position_market_value": cents(now.gross),
        "initial_margin": cents(now.initial_margin),
        "maintenance_margin": cents(now.maintenance_margin),
        "last_maintenance_margin": cents(now.maintenance_margin),
        "regt_buying_power": cents(now.regt_buying_power),
        "non_marginable_buying_power": cash_power,
        "options_buying_power": cash_power,
        "sma": equity,
        "accrued_fees": "0",
        "pending_reg_taf_fees": "0",
        "intraday_adjustments": "0",
    }


def configurations(asked: Asked) -> dict[str, Any]:
    """GET /v2/account/configurations"""
    return asked.account.configurations


def configure(asked: Asked) -> dict[str, Any]:
    """PATCH /v2/account/configurations"""
    own = asked.account.configurations
    changes = {}
    for name, value in asked.body.items():
        # Retired on 2026-07-06; a client that still sends them is not refused.
        if name in {"dtbp_check", "pdt_check"} or (value is None and name in own):
            continue
        if name not in own:
            raise malformed(f"unknown configuration: {name}")
        changes[name] = _setting(name, value, own[name])
    own.update(changes)
    return own


def _setting(name: str, value: Any, now: Any) -> Any:
    if name == "max_margin_multiplier":
        value = _multiplier(value)
    if name in WORDS and value not in WORDS[name]:
        raise malformed(f"invalid {name}: {value}")
    if isinstance(now, bool) != isinstance(value, bool):
        raise malformed(f"invalid {name}: {value}")
    if name == "max_options_trading_level" and value not in range(4):
        raise malformed(f"invalid {name}: {value}")
    return value


def _multiplier(value: Any) -> str:
    try:
        return plain(Decimal(str(value)))
    except InvalidOperation:
        return str(value)


def activities(asked: Asked) -> list[dict[str, Any]]:
    """GET /v2/account/activities"""
    types, category = asked.words("activity_types"), asked.query.get("category")
    if types and category:
        raise malformed("only one of activity_types or category is accepted")
    if category and category not in {"trade_activity", "non_trade_activity"}:
        raise malformed(f"invalid category: {category}")
    for each in types:
        if each not in TYPES:
            raise malformed(f"invalid activity type: {each}")
    wanted = set(types) or set(TYPES)
    if category == "trade_activity":
        wanted = {"FILL"}
    elif category == "non_trade_activity":
        wanted -= {"FILL"}
    return _page(asked, wanted)


def activities_of_type(asked: Asked) -> list[dict[str, Any]]:
    """GET /v2/account/activities/{activity_type}"""
    kind = asked.path["activity_type"]
    if kind not in TYPES:
        raise not_found(f"invalid activity type: {kind}")
    return _page(asked, {kind})


@dataclass(frozen=True, slots=True)
class Entry:
    """One activity before it is worded; a page has a hundred, an account any number."""

    time_ns: int
    type: str
    id: str
    word: Callable[[], dict[str, Any]]


def _page(asked: Asked, types: set[str]) -> list[dict[str, Any]]:
    size = asked.whole("page_size", MOST_ACTIVITIES, MOST_ACTIVITIES)
    is_rising = asked.choice("direction", ("asc", "desc"), "desc") == "asc"
    day, after, until = asked.day("date"), asked.moment("after"), asked.moment("until")
    if day is not None and (after is not None or until is not None):
        raise malformed("date cannot be used with after or until")
    found = [
        entry
        for entry in _entries(asked.account)
        if entry.type in types
        and (day is None or day_of(entry.time_ns) == day)
        and (after is None or entry.time_ns > after)
        and (until is None or entry.time_ns < until)
    ]
    found.sort(key=lambda entry: entry.time_ns)
    if not is_rising:
        found.reverse()
    start = _after(found, asked.query.get("page_token"))
    return [entry.word() for entry in found[start : start + size]]


def _after(entries: list[Entry], token: str | None) -> int:
    if not token:
        return 0
    id = token.partition("::")[2]
    for n, entry in enumerate(entries):
        if entry.id == id and entry_id(entry.time_ns, id) == token:
            return n + 1
    raise malformed(f"invalid page_token: {token}")


def _entries(own: Account) -> Iterator[Entry]:
    yield Entry(own.created_ns, "JNLC", own.id, partial(_deposit, own))
    for fill in own.fills:
        yield Entry(fill.time_ns, "FILL", fill.id, partial(fill_row, fill))
    for entry in own.activities:
        yield Entry(entry.time_ns, entry.type, entry.id, partial(_entry_row, entry))


def _deposit(own: Account) -> dict[str, Any]:
    entry = Activity(own.id, "JNLC", own.created_ns, own.start_cash, description="opening balance")
    return _entry_row(entry)


def _entry_row(entry: Activity) -> dict[str, Any]:
    row = {
        "activity_type": entry.type,
        "id": entry_id(entry.time_ns, entry.id),
        "date": day_of(entry.time_ns).isoformat(),
        "created_at": stamp(entry.time_ns),
        "net_amount": plain(entry.net_amount),
        "description": entry.description,
        "status": "executed",
        "currency": "USD",
    }
    if entry.symbol is not None and entry.qty is not None:
        row |= {"symbol": entry.symbol, "qty": plain(entry.qty)}
    if entry.price is not None:
        row["price"] = plain(entry.price)
    return row
