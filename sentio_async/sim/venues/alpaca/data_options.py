"""Alpaca's option market data: history, latest values, snapshots and whole chains.

https://docs.alpaca.markets/reference/optionbars
"""

from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.routing import BaseRoute

from sentio_async.sim.calendar import day_of
from sentio_async.sim.instruments import Contract, Instrument
from sentio_async.sim.state import State
from sentio_async.sim.venues.alpaca.data_asking import (
    OPTION,
    RECENT,
    STOCK,
    Ask,
    Refused,
    Token,
    route,
)
from sentio_async.sim.venues.alpaca.data_pages import Rows, Walk, framed, page
from sentio_async.sim.venues.alpaca.data_rows import Json, option_quote, option_trade, stock_bar
from sentio_async.sim.venues.greeks import greeks
from sentio_async.sim.venues.tape import Tape

BASE = "/v1beta1/options"
MOST_SYMBOLS = 100
EXCHANGES = {
    "A": "AMEX - NYSE American",
    "B": "BOX - Boston Options Exchange",
    "C": "CBOE - Cboe Options Exchange",
    "D": "EMERALD - Miami International Emerald",
    "E": "EDGX - Cboe EDGX Options",
    "H": "GEMX - Nasdaq GEMX",
    "I": "ISE - Nasdaq ISE",
    "J": "MCRY - Nasdaq MRX",
    "M": "MIAX - Miami International",
    "N": "NYSE - NYSE Arca",
    "P": "PEARL - MIAX Pearl",
    "Q": "NSDQ - Nasdaq Options Market",
    "T": "BX - Nasdaq BX Options",
    "W": "C2 - Cboe C2 Options",
    "X": "PHLX - Nasdaq PHLX",
    "Z": "BATS - Cboe BZX Options",
}
CONDITIONS = {
    "trade": {
        "I": "AUTO - Automatic execution",
        "J": "REOP - Reopening",
        "S": "ISOI - Intermarket sweep",
        "a": "SLAN - Single leg auction, not ISO",
        "j": "MLAT - Multi leg auction",
    },
    "quote": {" ": "Regular", "A": "Automatic", "B": "Two sided, not firm", "R": "Rotation"},
}


def routes(state: State) -> list[BaseRoute]:
    """Everything under /v1beta1/options."""
    return [
        route(state, f"{BASE}/meta/exchanges", lambda _ask: EXCHANGES),
        route(state, f"{BASE}/meta/conditions/{{ticktype}}", _conditions),
        route(state, f"{BASE}/bars", _history("bars", _bars)),
        route(state, f"{BASE}/trades", _history("trades", _trades)),
        route(state, f"{BASE}/quotes/latest", _latest("quotes", _latest_quote)),
        route(state, f"{BASE}/trades/latest", _latest("trades", _latest_trade)),
        route(state, f"{BASE}/snapshots", _snapshots),
        route(state, f"{BASE}/snapshots/{{underlying_symbol}}", _chain),
    ]


def _conditions(ask: Ask) -> dict[str, str]:
    if ask.path["ticktype"] not in CONDITIONS:
        raise Refused(400, f"invalid ticktype: {ask.path['ticktype']}")
    return CONDITIONS[ask.path["ticktype"]]


def _symbols(ask: Ask) -> list[str]:
    symbols = ask.symbols(OPTION)
    if len(symbols) > MOST_SYMBOLS:
        raise Refused(400, f"too many symbols: {len(symbols)}, the limit is {MOST_SYMBOLS}")
    return symbols


def _feed(ask: Ask) -> str:
    feed = ask.one_of("feed", ("opra", "indicative"), "indicative" if ask.is_basic else "opra")
    if feed == "opra" and ask.is_basic:
        raise Refused(403, "OPRA agreement is not signed")
    return feed


def _option(ask: Ask, symbol: str) -> Instrument | None:
    found = Tape(ask.state.market).listed(symbol)
    return found if found is not None and found.contract is not None else None


def _history(kind: str, history: Callable[[Ask], Walk]) -> Callable[[Ask], Json]:
    def handler(ask: Ask) -> Json:
        start, end = ask.span()
        if ask.is_basic:
            end = min(end, ask.now_ns - RECENT)
        rows, token = page(ask, _symbols(ask), (start, end), history(ask))
        return {kind: rows, "next_page_token": token}

    return handler


def _bars(ask: Ask) -> Walk:
    frame = ask.timeframe()

    def walk(symbol: str, start: int, end: int, back: bool) -> Rows:
        if _option(ask, symbol) is not None:
            for bar in framed(ask, symbol, frame, (start, end), back):
                yield bar.time_ns, stock_bar(bar)

    return walk


def _trades(ask: Ask) -> Walk:
    def walk(symbol: str, start: int, end: int, back: bool) -> Rows:
        if _option(ask, symbol) is not None:
            for trade in Tape(ask.state.market).trades(symbol, start, end, back=back):
                yield trade.time_ns, option_trade(trade)

    return walk


def _latest(
    kind: str, one: Callable[[Ask, Instrument], Json | None]
) -> Callable[[Ask], dict[str, Any]]:
    def handler(ask: Ask) -> dict[str, Any]:
        _feed(ask)
        options = [option for symbol in _symbols(ask) if (option := _option(ask, symbol))]
        rows = {option.symbol: one(ask, option) for option in options}
        return {kind: {symbol: row for symbol, row in rows.items() if row is not None}}

    return handler


def _latest_quote(ask: Ask, option: Instrument) -> Json | None:
    quote = ask.state.market.quote(option.symbol)
    return option_quote(quote) if quote is not None else None


def _latest_trade(ask: Ask, option: Instrument) -> Json | None:
    trade = ask.state.market.last_trade(option.symbol)
    return option_trade(trade) if trade is not None else None


def _snapshots(ask: Ask) -> Json:
    return _snapshot_page(ask, [o for s in _symbols(ask) if (o := _option(ask, s))])


def _chain(ask: Ask) -> Json:
    underlying = ask.symbol(STOCK, "underlying_symbol")
    chain = ask.state.market.instruments.chain(underlying, day_of(ask.now_ns))
    wanted = _wanted(ask)
    return _snapshot_page(ask, [o for o in chain if o.contract is not None and wanted(o.contract)])


def _wanted(ask: Ask) -> Callable[[Contract], bool]:
    right = ask.one_of("type", ("call", "put", ""), "")
    day, first, last = (_day(ask, f"expiration_date{suffix}") for suffix in ("", "_gte", "_lte"))
    low, high = (_price(ask, f"strike_price_{suffix}") for suffix in ("gte", "lte"))
    root = ask.query.get("root_symbol")

    def wanted(contract: Contract) -> bool:
        return (
            right in ("", contract.right)
            and day in (None, contract.expires)
            and (first is None or contract.expires >= first)
            and (last is None or contract.expires <= last)
            and (low is None or contract.strike >= low)
            and (high is None or contract.strike <= high)
            and root in (None, contract.underlying.replace(".", ""))
        )

    return wanted


def _day(ask: Ask, name: str) -> date | None:
    text = ask.query.get(name)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Refused(400, f"invalid {name}: {text}") from None


def _price(ask: Ask, name: str) -> Decimal | None:
    text = ask.query.get(name)
    try:
        return Decimal(text) if text else None
    except InvalidOperation:
        raise Refused(400, f"invalid {name}: {text}") from None


def _snapshot_page(ask: Ask, options: Iterable[Instrument]) -> Json:
    _feed(ask)
    limit = ask.number("limit", 100, 1000)
    since = ask.instant("updated_since")
    token = ask.token()
    found: Json = {}
    for option in sorted(options, key=lambda each: each.symbol):
        if token is not None and option.symbol < token.symbol:
            continue
        snapshot, updated_ns = _snapshot(ask, option)
        if since is not None and updated_ns < since:
            continue
        if len(found) == limit:
            return {"snapshots": found, "next_page_token": str(Token(option.symbol, 0, 0))}
        found[option.symbol] = snapshot
    return {"snapshots": found, "next_page_token": None}


def _snapshot(ask: Ask, option: Instrument) -> tuple[Json, int]:
    market = ask.state.market
    trade, quote = market.last_trade(option.symbol), market.quote(option.symbol)
    bars = {
        "minuteBar": market.minute_bar(option.symbol),
        "dailyBar": market.day_bar(option.symbol),
        "prevDailyBar": market.previous_day_bar(option.symbol),
    }
    parts: Json = {name: stock_bar(bar) for name, bar in bars.items() if bar is not None}
    updated_ns = 0
    if trade is not None:
        parts["latestTrade"] = option_trade(trade)
        updated_ns = trade.time_ns
    if quote is not None:
        parts["latestQuote"] = option_quote(quote)
        updated_ns = max(updated_ns, quote.time_ns)
        parts |= _greeks(ask, option, (quote.bid + quote.ask) / 2)
    return parts, updated_ns


def _greeks(ask: Ask, option: Instrument, price: Decimal) -> Json:
    contract = option.contract
    spot = ask.state.market.quote(contract.underlying) if contract is not None else None
    if contract is None or spot is None:
        return {}
    found = greeks(contract, (spot.bid + spot.ask) / 2, price, ask.now_ns)
    if found is None:
        return {}
    names = ("delta", "gamma", "rho", "theta", "vega")
    return {
        "greeks": {name: getattr(found, name) for name in names},
        "impliedVolatility": found.volatility,
    }
