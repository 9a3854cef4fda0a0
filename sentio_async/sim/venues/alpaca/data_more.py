"""Alpaca's news, corporate actions, screeners, code tables, bonds, currencies and indices.

https://docs.alpaca.markets/reference/news-3
"""

import re
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from starlette.routing import BaseRoute

from sentio_async.sim.calendar import midnight_ns
from sentio_async.sim.state import State
from sentio_async.sim.venues import rates
from sentio_async.sim.venues.almanac import Article, articles
from sentio_async.sim.venues.alpaca.data_actions import corporate_actions
from sentio_async.sim.venues.alpaca.data_asking import WORD, Ask, Refused, Token, route
from sentio_async.sim.venues.alpaca.data_pages import Rows, page
from sentio_async.sim.venues.alpaca.data_rows import Json, number
from sentio_async.sim.venues.times import DAY, MINUTE, SECOND, rfc3339

PAIR = re.compile(r"[A-Z]{6}")
ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}\d")
STEPS = {
    "5Sec": 5 * SECOND,
    "5S": 5 * SECOND,
    "1Min": MINUTE,
    "1T": MINUTE,
    "1Day": DAY,
    "1D": DAY,
}
EXCHANGES = {
    "A": "NYSE American (AMEX)",
    "B": "NASDAQ OMX BX",
    "C": "National Stock Exchange",
    "D": "FINRA ADF",
    "E": "Market Independent",
    "H": "MIAX",
    "I": "International Securities Exchange",
    "J": "Cboe EDGA",
    "K": "Cboe EDGX",
    "L": "Long Term Stock Exchange",
    "M": "Chicago Stock Exchange",
    "N": "New York Stock Exchange",
    "P": "NYSE Arca",
    "Q": "NASDAQ OMX",
    "S": "NASDAQ Small Cap",
    "T": "NASDAQ Int",
    "U": "Members Exchange",
    "V": "IEX",
    "W": "CBOE",
    "X": "NASDAQ OMX PSX",
    "Y": "Cboe BYX",
    "Z": "Cboe BZX",
}
CONDITIONS = {
    "trade": {
        " ": "Regular Sale",
        "@": "Regular Sale",
        "4": "Derivatively Priced",
        "6": "Closing Prints",
        "F": "Intermarket Sweep",
        "I": "Odd Lot Trade",
        "O": "Opening Prints",
        "T": "Form T",
        "U": "Extended Trading Hours (Sold Out of Sequence)",
    },
    "quote": {
        "A": "Slow Quote Offer Side",
        "B": "Slow Quote Bid Side",
        "C": "Closing Quote",
        "H": "Slow Quote Bid and Offer Side",
        "O": "Opening Quote",
        "R": "Regular Two Sided Open Quote",
    },
}


def routes(state: State) -> list[BaseRoute]:
    """What does not belong to one market."""
    handlers: dict[str, Callable[[Ask], Any]] = {
        "/v1beta1/news": _news,
        "/v1/corporate-actions": corporate_actions,
        "/v1beta1/screener/stocks/most-actives": _most_actives,
        "/v1beta1/screener/{market_type}/movers": _movers,
        "/v2/stocks/meta/exchanges": lambda _ask: EXCHANGES,
        "/v2/stocks/meta/conditions/{ticktype}": _conditions,
        "/v1beta1/fixed_income/latest/prices": _bond_prices,
        "/v1beta1/fixed_income/latest/quotes": _bond_quotes,
        "/v1beta1/forex/latest/rates": _latest_rates,
        "/v1beta1/forex/rates": _rates,
        "/v1beta1/indices/latest/values": _latest_values,
        "/v1beta1/indices/values": _values,
    }
    return [route(state, path, handler) for path, handler in handlers.items()]


def _news(ask: Ask) -> Json:
    limit = ask.number("limit", 10, 50)
    back = ask.is_descending("desc")
    names = _names(ask)
    wanted = ask.symbols(WORD) if ask.query.get("symbols") else list(names)
    plain = {symbol.replace("/", "") for symbol in wanted}
    # Alpaca's archive begins in 2015.
    start = ask.instant("start") or midnight_ns(date(2015, 1, 1))
    end = min(ask.instant("end", is_end=True) or ask.now_ns, ask.now_ns)
    token = ask.token()
    if token is not None:
        start, end = (start, token.time_ns) if back else (token.time_ns, end)
    found: list[Article] = []
    for each in _ordered(names, start, end, back):
        if each.symbol.replace("/", "") not in plain:
            continue
        if len(found) == limit:
            after = str(Token("", each.time_ns, 0))
            return {"news": [_article(ask, a) for a in found], "next_page_token": after}
        found.append(each)
    return {"news": [_article(ask, each) for each in found], "next_page_token": None}


def _names(ask: Ask) -> dict[str, str]:
    return {each.symbol: each.name for each in ask.state.market.instruments if each.tradable}


def _ordered(names: dict[str, str], start: int, end: int, back: bool) -> Iterator[Article]:
    if back:
        yield from articles(names, start, end)
        return
    while start <= end:
        last = min(start + 30 * DAY, end)
        yield from reversed(list(articles(names, start, last)))
        start = last + 1


def _article(ask: Ask, article: Article) -> Json:
    has_content = ask.query.get("include_content", "").lower() in ("true", "t", "1")
    when = rfc3339(article.time_ns)
    sizes = ("large", "small", "thumb")
    return {
        "id": article.number,
        "headline": article.headline,
        "author": article.author,
        "created_at": when,
        "updated_at": when,
        "summary": article.summary,
        "content": article.content if has_content else "",
        "url": article.url,
        "images": [{"size": size, "url": f"{article.url}/{size}.png"} for size in sizes],
        # Alpaca writes coins without the slash here.
        "symbols": [article.symbol.replace("/", "")],
        "source": "benzinga",
    }


def _most_actives(ask: Ask) -> Json:
    by = ask.one_of("by", ("volume", "trades"), "volume")
    top = ask.number("top", 10, 100)
    rows: list[Json] = []
    for each in ask.state.market.instruments:
        bar = ask.state.market.day_bar(each.symbol)
        if each.asset_class == "us_equity" and each.tradable and bar is not None:
            rows.append(
                {"symbol": each.symbol, "trade_count": bar.trade_count, "volume": int(bar.volume)}
            )
    key = "volume" if by == "volume" else "trade_count"
    rows.sort(key=lambda row: (-row[key], row["symbol"]))
    return {"last_updated": rfc3339(ask.now_ns), "most_actives": rows[:top]}


def _movers(ask: Ask) -> Json:
    kind = ask.path["market_type"]
    if kind not in ("stocks", "crypto"):
        raise Refused(400, f"invalid market type: {kind}")
    top = ask.number("top", 10, 50)
    asset_class = "crypto" if kind == "crypto" else "us_equity"
    rows = []
    for each in ask.state.market.instruments:
        if each.asset_class != asset_class or not each.tradable:
            continue
        trade = ask.state.market.last_trade(each.symbol)
        before = ask.state.market.previous_day_bar(each.symbol)
        if trade is not None and before is not None:
            rows.append(_mover(each.symbol, trade.price, before.close))
    rows.sort(key=lambda row: -row["percent_change"])
    return {
        "gainers": [row for row in rows if row["change"] > 0][:top],
        "losers": [row for row in reversed(rows) if row["change"] < 0][:top],
        "last_updated": rfc3339(ask.now_ns),
        "market_type": kind,
    }


def _mover(symbol: str, price: Decimal, before: Decimal) -> Json:
    change = price - before
    percent = (100 * change / before).quantize(Decimal("0.01"))
    return {"symbol": symbol, "percent_change": percent, "change": change, "price": number(price)}


def _conditions(ask: Ask) -> dict[str, str]:
    kind = ask.path["ticktype"]
    if kind not in CONDITIONS:
        raise Refused(400, f"invalid ticktype: {kind}")
    if ask.query.get("tape") not in ("A", "B", "C"):
        raise Refused(400, "invalid tape: must be A, B or C")
    return CONDITIONS[kind]


def _bond(isin: str) -> Decimal:
    # Prices of made-up bonds: between 90 and 110 per cent of par, always the same.
    return Decimal(90) + Decimal(sum(isin.encode()) % 2000) / 100


def _yield_of(price: Decimal) -> Decimal:
    return (Decimal("4.2") + (100 - price) / 10).quantize(Decimal("0.001"))


def _bond_prices(ask: Ask) -> Json:
    when = rfc3339(ask.now_ns // MINUTE * MINUTE)
    found = {}
    for isin in ask.symbols(ISIN, "isins"):
        price = _bond(isin)
        found[isin] = {"t": when, "p": price, "ytm": _yield_of(price), "ytw": _yield_of(price)}
    return {"prices": found}


def _bond_quotes(ask: Ask) -> Json:
    when = rfc3339(ask.now_ns // MINUTE * MINUTE)
    found = {}
    for isin in ask.symbols(ISIN, "isins"):
        bid, offer = _bond(isin) - Decimal("0.05"), _bond(isin) + Decimal("0.05")
        found[isin] = {
            "t": when,
            "bp": bid,
            "bs": 500,
            "bms": 1,
            "bytm": _yield_of(bid),
            "bytw": _yield_of(bid),
            "ap": offer,
            "as": 400,
            "ams": 1,
            "aytm": _yield_of(offer),
            "aytw": _yield_of(offer),
        }
    return {"quotes": found}


def _pairs(ask: Ask) -> list[str]:
    return ask.symbols(PAIR, "currency_pairs")


def _rate(pair: str, time_ns: int) -> Json:
    rated = rates.PAIRS[pair]
    bid, offer = rates.spread(rated, time_ns)
    return {"bp": bid, "mp": (bid + offer) / 2, "ap": offer, "t": rfc3339(time_ns)}


def _latest_rates(ask: Ask) -> Json:
    now = ask.now_ns // SECOND * SECOND
    return {"rates": {pair: _rate(pair, now) for pair in _pairs(ask) if pair in rates.PAIRS}}


def _rates(ask: Ask) -> Json:
    step = STEPS[ask.one_of("timeframe", tuple(STEPS), "1Min")]

    def walk(pair: str, start: int, end: int, back: bool) -> Rows:
        for time_ns in _instants(start, end, step, back) if pair in rates.PAIRS else ():
            yield time_ns, _rate(pair, time_ns)

    rows, token = page(ask, _pairs(ask), ask.span(), walk)
    return {"rates": rows, "next_page_token": token}


def _instants(start: int, end: int, step: int, back: bool) -> range:
    first, last = -(-start // step) * step, end // step * step
    return range(last, first - 1, -step) if back else range(first, last + 1, step)


def _latest_values(ask: Ask) -> Json:
    now = ask.now_ns // SECOND * SECOND
    symbols = [symbol for symbol in ask.symbols(WORD) if symbol in rates.INDICES]
    return {"values": {symbol: _value(symbol, now) for symbol in symbols}}


def _value(symbol: str, time_ns: int) -> Json:
    return {"v": rates.value(rates.INDICES[symbol], time_ns), "t": rfc3339(time_ns)}


def _values(ask: Ask) -> Json:
    def walk(symbol: str, start: int, end: int, back: bool) -> Rows:
        for time_ns in _instants(start, end, SECOND, back) if symbol in rates.INDICES else ():
            yield time_ns, _value(symbol, time_ns)

    rows, token = page(ask, ask.symbols(WORD), ask.span(), walk)
    return {"values": rows, "next_page_token": token}
