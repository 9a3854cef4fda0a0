"""Alpaca's crypto market data: needs no key.

https://docs.alpaca.markets/reference/cryptobars-1
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from starlette.routing import BaseRoute

from sentio_async.sim.instruments import Instrument
from sentio_async.sim.state import State
from sentio_async.sim.venues.alpaca.data_asking import CRYPTO, Ask, Refused, route
from sentio_async.sim.venues.alpaca.data_pages import Rows, Walk, framed, page
from sentio_async.sim.venues.alpaca.data_rows import (
    Json,
    crypto_bar,
    crypto_quote,
    crypto_trade,
    number,
)
from sentio_async.sim.venues.tape import Tape
from sentio_async.sim.venues.times import rfc3339

PLACES = frozenset({"us", "us-1", "us-2", "eu-1", "bs-1"})
DEPTH = 5


def routes(state: State) -> list[BaseRoute]:
    """History, latest values, order books and snapshots of coins."""
    histories: dict[str, Callable[[Ask], Walk]] = {
        "bars": _bars,
        "trades": _trades,
        "quotes": _quotes,
    }
    latest: dict[str, Callable[[Ask, Instrument], Json | None]] = {
        "bars": _latest_bar,
        "trades": _latest_trade,
        "quotes": _latest_quote,
        "orderbooks": _book,
    }
    base = "/v1beta3/crypto/{loc}"
    return [
        *(
            route(state, f"{base}/latest/{kind}", _of_many(kind, one), is_open=True)
            for kind, one in latest.items()
        ),
        *(
            route(state, f"{base}/{kind}", _history(kind, walk), is_open=True)
            for kind, walk in histories.items()
        ),
        route(state, f"{base}/snapshots", _of_many("snapshots", _snapshot), is_open=True),
    ]


def _history(kind: str, history: Callable[[Ask], Walk]) -> Callable[[Ask], Json]:
    def handler(ask: Ask) -> Json:
        _check_place(ask)
        rows, token = page(ask, ask.symbols(CRYPTO), ask.span(), history(ask))
        return {kind: rows, "next_page_token": token}

    return handler


def _of_many(
    kind: str, one: Callable[[Ask, Instrument], Json | None]
) -> Callable[[Ask], dict[str, Any]]:
    def handler(ask: Ask) -> dict[str, Any]:
        _check_place(ask)
        coins = [coin for symbol in ask.symbols(CRYPTO) if (coin := _coin(ask, symbol))]
        rows = {coin.symbol: one(ask, coin) for coin in coins}
        return {kind: {symbol: row for symbol, row in rows.items() if row is not None}}

    return handler


def _check_place(ask: Ask) -> None:
    if ask.path["loc"] not in PLACES:
        raise Refused(400, f"invalid location: {ask.path['loc']}")


def _coin(ask: Ask, symbol: str) -> Instrument | None:
    found = Tape(ask.state.market).listed(symbol)
    return found if found is not None and found.asset_class == "crypto" else None


def _bars(ask: Ask) -> Walk:
    frame = ask.timeframe()

    def walk(symbol: str, start: int, end: int, back: bool) -> Rows:
        if _coin(ask, symbol) is not None:
            for bar in framed(ask, symbol, frame, (start, end), back):
                yield bar.time_ns, crypto_bar(bar)

    return walk


def _trades(ask: Ask) -> Walk:
    def walk(symbol: str, start: int, end: int, back: bool) -> Rows:
        if _coin(ask, symbol) is not None:
            for trade in Tape(ask.state.market).trades(symbol, start, end, back=back):
                yield trade.time_ns, crypto_trade(trade)

    return walk


def _quotes(ask: Ask) -> Walk:
    def walk(symbol: str, start: int, end: int, back: bool) -> Rows:
        if _coin(ask, symbol) is not None:
            for quote in Tape(ask.state.market).quotes(symbol, start, end, back=back):
                yield quote.time_ns, crypto_quote(quote)

    return walk


def _latest_bar(ask: Ask, coin: Instrument) -> Json | None:
    bar = ask.state.market.minute_bar(coin.symbol)
    return crypto_bar(bar) if bar is not None else None


def _latest_trade(ask: Ask, coin: Instrument) -> Json | None:
    trade = ask.state.market.last_trade(coin.symbol)
    return crypto_trade(trade) if trade is not None else None


def _latest_quote(ask: Ask, coin: Instrument) -> Json | None:
    quote = ask.state.market.quote(coin.symbol)
    return crypto_quote(quote) if quote is not None else None


def _book(ask: Ask, coin: Instrument) -> Json | None:
    quote = ask.state.market.quote(coin.symbol)
    if quote is None:
        return None
    step = Decimal(1).scaleb(-coin.digits)
    return {
        "t": rfc3339(quote.time_ns),
        "b": [
            {"p": number(quote.bid - n * step), "s": number(quote.bid_size * (n + 1))}
            for n in range(DEPTH)
        ],
        "a": [
            {"p": number(quote.ask + n * step), "s": number(quote.ask_size * (n + 1))}
            for n in range(DEPTH)
        ],
    }


def _snapshot(ask: Ask, coin: Instrument) -> Json:
    market = ask.state.market
    bars = {
        "minuteBar": market.minute_bar(coin.symbol),
        "dailyBar": market.day_bar(coin.symbol),
        "prevDailyBar": market.previous_day_bar(coin.symbol),
    }
    parts = {
        "latestTrade": _latest_trade(ask, coin),
        "latestQuote": _latest_quote(ask, coin),
        **{name: crypto_bar(bar) for name, bar in bars.items() if bar is not None},
    }
    return {name: part for name, part in parts.items() if part is not None}
