"""Polygon's v3 snapshots: any assets side by side, indices, option chains, summaries.

https://massive.com/docs/rest/stocks/snapshots/unified-snapshot
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

from starlette.routing import BaseRoute

from sentio_async.sim.calendar import day_of
from sentio_async.sim.instruments import Contract, Instrument
from sentio_async.sim.market import Bar
from sentio_async.sim.state import State
from sentio_async.sim.venues import rates
from sentio_async.sim.venues.greeks import greeks
from sentio_async.sim.venues.polygon.asking import (
    Ask,
    Json,
    filtered,
    missing,
    ordered,
    paged,
    route,
    wrong,
)
from sentio_async.sim.venues.polygon.snapshots import percent
from sentio_async.sim.venues.polygon.tickers import Named, every, find, is_active
from sentio_async.sim.venues.polygon.ticks import FOREX_STEP, conditions
from sentio_async.sim.venues.polygon.windows import day_bars, minute_bar

LIMIT, TOP = 10, 250
KINDS = ("stocks", "options", "crypto", "fx", "indices")
SHARES = 100


def routes(state: State) -> list[BaseRoute]:
    """The v3 snapshots and the v1 summaries."""
    return [
        route(state, "/v3/snapshot", _universal),
        route(state, "/v3/snapshot/indices", _indices),
        route(state, "/v3/snapshot/options/{underlying}", _chain),
        route(state, "/v3/snapshot/options/{underlying}/{contract}", _contract),
        route(state, "/v1/summaries", _summaries),
    ]


def _universal(ask: Ask) -> Json:
    kind = ask.one_of("type", ("", *KINDS), "")
    if kind == "options":
        return _page(ask, [f"O:{each.symbol}" for each in _options(ask)], _item)
    return _page(ask, [each.ticker for each in every(ask) if kind in ("", each.kind)], _item)


def _options(ask: Ask) -> Iterator[Instrument]:
    instruments = ask.state.market.instruments
    for each in instruments:
        if each.has_options:
            yield from instruments.chain(each.symbol, day_of(ask.now_ns))


def _indices(ask: Ask) -> Json:
    return _page(ask, [each.ticker for each in every(ask, "indices")], _index)


def _page(ask: Ask, all_tickers: list[str], item: Callable[[Ask, Named], Json]) -> Json:
    ask.need("delayed")
    limit = ask.number("limit", LIMIT, TOP)
    wanted = _wanted(ask) or all_tickers
    rows = ordered(ask, filtered(ask, [{"ticker": each} for each in wanted], ("ticker",)), "ticker")
    page = paged(ask, rows, limit)
    page["results"] = [_found(ask, row["ticker"], item) for row in page["results"]]
    return page


def _wanted(ask: Ask) -> list[str]:
    text = ask.query.get("ticker.any_of") or ask.query.get("ticker") or ""
    tickers = [each for each in text.split(",") if each]
    if len(tickers) > TOP:
        raise wrong(f"The parameter 'ticker.any_of' takes at most {TOP} tickers")
    return tickers


def _found(ask: Ask, ticker: str, item: Callable[[Ask, Named], Json]) -> Json:
    named = find(ask, ticker)
    if named is None or not is_active(named):
        return {"error": "NOT_FOUND", "message": "Ticker not found.", "ticker": ticker}
    return item(ask, named)


def market_status(ask: Ask, named: Named) -> str:
    """Whether its market is open; coins and currencies always are."""
    if named.is_utc:
        return "open"
    phase = ask.state.market.phase()
    return {"open": "open", "pre": "early_trading", "post": "late_trading"}.get(phase, "closed")


def _item(ask: Ask, named: Named) -> Json:
    if named.kind == "indices":
        return _index(ask, named)
    row: Json = {"market_status": market_status(ask, named), "name": named.name}
    row |= {"ticker": named.ticker, "type": named.kind}
    row["session"] = _session(*day_bars(ask, named))
    if named.kind == "options":
        parts = _option_parts(ask, named)
        # Only here do the details name the underlying instead of the contract.
        of = {k: v for k, v in parts.get("details", {}).items() if k != "ticker"}
        underlying = parts.get("underlying_asset", {}).get("ticker", "")
        return {**row, **parts, "details": {**of, "underlying_ticker": underlying}}
    minute = minute_bar(ask, named)
    if minute is not None:
        row["last_minute"] = _last_minute(minute)
    row |= _last_quote(ask, named)
    return row | _last_trade(ask, named)


def _index(ask: Ask, named: Named) -> Json:
    if named.rated is None or named.kind != "indices":
        return {"error": "NOT_FOUND", "message": "Ticker not found.", "ticker": named.ticker}
    now = ask.now_ns // FOREX_STEP * FOREX_STEP
    return {
        "value": rates.value(named.rated, now),
        "name": named.name,
        "ticker": named.ticker,
        "type": "indices",
        "market_status": market_status(ask, named),
        "timeframe": ask.timeframe,
        "last_updated": now,
        "session": {k: v for k, v in _session(*day_bars(ask, named)).items() if k != "volume"},
    }


def _session(today: Bar | None, before: Bar | None) -> Json:
    if today is None:
        return {}
    base = before.close if before is not None else today.open
    change = today.close - base
    return {
        "change": change,
        "change_percent": percent(change, base),
        "close": today.close,
        "high": today.high,
        "low": today.low,
        "open": today.open,
        "previous_close": base,
        "price": today.close,
        "volume": today.volume,
    }


def _last_minute(bar: Bar) -> Json:
    return {
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "volume": bar.volume,
        "vwap": bar.vwap,
        "transactions": bar.trade_count,
    }


def _last_quote(ask: Ask, named: Named) -> Json:
    if named.rated is not None:
        now = ask.now_ns // FOREX_STEP * FOREX_STEP
        bid, offer = rates.spread(named.rated, now)
        parts: Json = {"ask": offer, "bid": bid, "last_updated": now}
    else:
        quote = ask.state.market.quote(named.symbol)
        if quote is None:
            return {}
        parts = {
            "ask": quote.ask,
            "ask_exchange": named.exchange(quote.ask_exchange),
            "ask_size": quote.ask_size,
            "bid": quote.bid,
            "bid_exchange": named.exchange(quote.bid_exchange),
            "bid_size": quote.bid_size,
            "last_updated": quote.time_ns,
        }
    midpoint = (parts["ask"] + parts["bid"]) / 2
    return {"last_quote": {**parts, "midpoint": midpoint, "timeframe": ask.timeframe}}


def _last_trade(ask: Ask, named: Named) -> Json:
    trade = ask.state.market.last_trade(named.symbol) if named.rated is None else None
    if trade is None:
        return {}
    parts = {
        "conditions": conditions(named, trade),
        "exchange": named.exchange(trade.exchange),
        "price": trade.price,
        "size": trade.size,
        "timeframe": ask.timeframe,
    }
    if named.kind == "options":
        return {"last_trade": {**parts, "sip_timestamp": trade.time_ns}}
    parts |= {"id": str(trade.id), "last_updated": trade.time_ns}
    return {"last_trade": {**parts, "decimal_size": str(trade.size)}}


def details(contract: Contract, ticker: str) -> Json:
    """What makes the option."""
    return {
        "contract_type": contract.right,
        "exercise_style": "american",
        "expiration_date": contract.expires.isoformat(),
        "shares_per_contract": SHARES,
        "strike_price": contract.strike,
        "ticker": ticker,
    }


def _option_parts(ask: Ask, named: Named) -> Json:
    contract = named.instrument.contract if named.instrument is not None else None
    if contract is None:
        return {}
    quote = ask.state.market.quote(named.symbol)
    spot = ask.state.market.last_trade(contract.underlying)
    if quote is None or spot is None:
        return {}
    middle = (quote.bid + quote.ask) / 2
    is_call = contract.right == "call"
    break_even = contract.strike + (middle if is_call else -middle)
    parts: Json = {
        "break_even_price": break_even,
        "details": details(contract, named.ticker),
        # Made up, but always the same for a contract.
        "open_interest": 100 + sum(named.symbol.encode()) * 37 % 9_000,
        "underlying_asset": {
            "change_to_break_even": break_even - spot.price,
            "last_updated": spot.time_ns,
            "price": spot.price,
            "ticker": contract.underlying,
            "timeframe": ask.timeframe,
        },
        **_last_quote(ask, named),
        **_last_trade(ask, named),
    }
    found = greeks(contract, spot.price, middle, ask.now_ns)
    if found is None:
        return {**parts, "greeks": {}} if "last_quote" in parts else parts
    names = ("delta", "gamma", "theta", "vega")
    parts["greeks"] = {name: getattr(found, name) for name in names}
    return {**parts, "implied_volatility": found.volatility}


def _chain(ask: Ask) -> Json:
    ask.need("delayed")
    limit = ask.number("limit", LIMIT, TOP)
    underlying = ask.text("underlying")
    chain = ask.state.market.instruments.chain(underlying, day_of(ask.now_ns))
    rows = [
        details(each.contract, f"O:{each.symbol}") for each in chain if each.contract is not None
    ]
    rows = filtered(ask, rows, ("strike_price", "expiration_date", "contract_type"))
    # The details call the columns as the sort parameter does.
    page = paged(ask, ordered(ask, rows, "ticker"), limit)
    page["results"] = [_of_chain(ask, row["ticker"]) for row in page["results"]]
    return page


def _of_chain(ask: Ask, ticker: str) -> Json:
    named = find(ask, ticker)
    if named is None:
        raise missing("Options contract not found.")
    today, before = day_bars(ask, named)
    session = _session(today, before)
    day = {k: v for k, v in session.items() if k != "price"}
    if today is not None:
        day |= {"vwap": today.vwap, "last_updated": today.time_ns}
    return {"day": day, **_option_parts(ask, named)}


def _contract(ask: Ask) -> Json:
    ask.need("delayed")
    named = find(ask, ask.text("contract"))
    contract = named.instrument.contract if named is not None and named.instrument else None
    if named is None or contract is None or contract.underlying != ask.text("underlying"):
        raise missing("Options contract not found.")
    return ask.envelope(results=_of_chain(ask, named.ticker))


def _summaries(ask: Ask) -> Json:
    ask.need("delayed")
    tickers = _wanted(ask)
    if not tickers:
        raise wrong("The parameter 'ticker.any_of' is required")
    return ask.envelope(results=[_found(ask, ticker, _summary) for ticker in tickers])


def _summary(ask: Ask, named: Named) -> Json:
    session = _session(*day_bars(ask, named))
    row: Json = {
        "name": named.name,
        "ticker": named.ticker,
        "type": named.kind,
        "market_status": market_status(ask, named),
        "price": session.get("close", Decimal(0)),
        "session": session,
    }
    contract = named.instrument.contract if named.instrument is not None else None
    if contract is not None:
        option = details(contract, named.ticker)
        del option["ticker"]
        row["options"] = {**option, "underlying_ticker": contract.underlying}
    if named.kind == "stocks":
        base = f"{ask.host}/v1/reference/company-branding/{named.ticker}"
        row["branding"] = {"icon_url": f"{base}/icon.png", "logo_url": f"{base}/logo.svg"}
    return row
