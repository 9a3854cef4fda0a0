"""Alpaca's market data API: stocks here, the other markets in the files beside it.

https://docs.alpaca.markets/docs/about-market-data-api
Not served: crypto perpetuals and company logos, which nothing on this exchange has.
"""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sentio_async.sim.calendar import day_of, midnight_ns, session_on
from sentio_async.sim.instruments import Instrument
from sentio_async.sim.market import Bar
from sentio_async.sim.state import State
from sentio_async.sim.venues.alpaca import data_crypto, data_more, data_options, data_stream
from sentio_async.sim.venues.alpaca.data_asking import (
    RECENT,
    SILENT,
    STOCK,
    Ask,
    Refused,
    answer,
    route,
)
from sentio_async.sim.venues.alpaca.data_pages import Rows, Walk, framed, page
from sentio_async.sim.venues.alpaca.data_rows import (
    IEX,
    Json,
    number,
    stock_bar,
    stock_quote,
    stock_trade,
    tape_of,
    whole,
)
from sentio_async.sim.venues.tape import Tape
from sentio_async.sim.venues.times import MINUTE, rfc3339

ADJUSTMENTS = frozenset({"raw", "split", "dividend", "spin-off", "all"})


def routes(state: State) -> list[BaseRoute]:
    """Everything the data host answers."""
    histories: dict[str, Callable[[Ask], tuple[tuple[int, int], Walk]]] = {
        "bars": _bars,
        "trades": _trades,
        "quotes": _quotes,
        "auctions": _auctions,
    }
    found: list[BaseRoute] = [*data_stream.routes(state)]
    for kind, latest in (
        ("bars", _latest_bar),
        ("trades", _latest_trade),
        ("quotes", _latest_quote),
    ):
        found += [
            route(state, f"/v2/stocks/{kind}/latest", _latest_of_many(kind, latest)),
            route(state, f"/v2/stocks/{{symbol}}/{kind}/latest", _latest_of_one(kind, latest)),
        ]
    for kind, history in histories.items():
        found += [
            route(state, f"/v2/stocks/{kind}", _history_of_many(kind, history)),
            route(state, f"/v2/stocks/{{symbol}}/{kind}", _history_of_one(kind, history)),
        ]
    found += [
        route(state, "/v2/stocks/snapshots", _snapshots),
        route(state, "/v2/stocks/{symbol}/snapshot", _snapshot_of_one),
        *data_crypto.routes(state),
        *data_options.routes(state),
        *data_more.routes(state),
        Route("/{path:path}", _nowhere, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
    ]
    return found


async def _nowhere(_request: Request) -> Response:
    return answer(404, {"message": "endpoint not found."})


def _stock(ask: Ask, symbol: str) -> Instrument | None:
    found = Tape(ask.state.market).listed(symbol)
    return found if found is not None and found.asset_class == "us_equity" else None


def _history_of_many(
    kind: str, history: Callable[[Ask], tuple[tuple[int, int], Walk]]
) -> Callable[[Ask], Json]:
    def handler(ask: Ask) -> Json:
        symbols = ask.symbols(STOCK)
        span, walk = history(ask)
        rows, token = page(ask, symbols, span, walk)
        return {kind: rows, "next_page_token": token, **ask.currency()}

    return handler


def _history_of_one(
    kind: str, history: Callable[[Ask], tuple[tuple[int, int], Walk]]
) -> Callable[[Ask], Json]:
    def handler(ask: Ask) -> Json:
        symbol = ask.symbol(STOCK)
        span, walk = history(ask)
        rows, token = page(ask, [symbol], span, walk)
        found = rows.get(symbol, [])
        return {kind: found, "symbol": symbol, "next_page_token": token, **ask.currency()}

    return handler


def _bars(ask: Ask) -> tuple[tuple[int, int], Walk]:
    frame = ask.timeframe()
    feed = ask.historical_feed()
    kinds = frozenset(ask.query.get("adjustment", "raw").split(","))
    if unknown := kinds - ADJUSTMENTS:
        raise Refused(400, f"invalid adjustment: {min(unknown)}")

    tape = Tape(ask.state.market)
    is_raw = not kinds & {"split", "all"}

    def walk(symbol: str, start: int, end: int, back: bool) -> Rows:
        if _stock(ask, symbol) is None or feed in SILENT:
            return
        # The market's prices run on through splits: it is the raw ones that are computed.
        has_split = is_raw and tape.split_factor(symbol, start) != 1
        for bar in framed(ask, symbol, frame, (start, end), back):
            told = tape.as_it_was(symbol, bar) if has_split else bar
            yield bar.time_ns, stock_bar(told, feed)

    return ask.span(feed), walk


def _trades(ask: Ask) -> tuple[tuple[int, int], Walk]:
    feed = ask.historical_feed()

    def walk(symbol: str, start: int, end: int, back: bool) -> Rows:
        if _stock(ask, symbol) is None or feed in SILENT:
            return
        for trade in Tape(ask.state.market).trades(symbol, start, end, back=back):
            if feed != "iex" or trade.exchange == IEX:
                yield trade.time_ns, stock_trade(trade)

    return ask.span(feed), walk


def _quotes(ask: Ask) -> tuple[tuple[int, int], Walk]:
    feed = ask.historical_feed()

    def walk(symbol: str, start: int, end: int, back: bool) -> Rows:
        stock = _stock(ask, symbol)
        if stock is None or feed in SILENT:
            return
        tape = tape_of(stock)
        for quote in Tape(ask.state.market).quotes(symbol, start, end, back=back):
            yield quote.time_ns, stock_quote(quote, tape, feed)

    return ask.span(feed), walk


def _auctions(ask: Ask) -> tuple[tuple[int, int], Walk]:
    if ask.query.get("feed", "sip") != "sip":
        raise Refused(400, "invalid feed: only sip is valid for auctions")

    def walk(symbol: str, start: int, end: int, back: bool) -> Rows:
        stock = _stock(ask, symbol)
        if stock is None:
            return
        first = midnight_ns(day_of(start))
        for bar in Tape(ask.state.market).days(symbol, first, end, back=back):
            auctions = _auctions_of(stock, bar, ask.now_ns)
            if auctions is not None:
                yield bar.time_ns, auctions

    return ask.span("sip"), walk


def _auctions_of(stock: Instrument, bar: Bar, now_ns: int) -> Json | None:
    day = day_of(bar.time_ns)
    session = session_on(day)
    if session is None or session.opens_ns() > now_ns:
        return None
    exchange = {"NASDAQ": "Q", "NYSE": "N"}.get(stock.exchange, "P")
    size = whole(bar.volume // 50)
    opening = {"t": rfc3339(session.opens_ns()), "x": exchange, "p": number(bar.open), "s": size}
    closing = {"t": rfc3339(session.closes_ns()), "x": exchange, "p": number(bar.close), "s": size}
    return {
        "d": day.isoformat(),
        "o": [{**opening, "c": "O"}],
        "c": [{**closing, "c": "6"}] if session.closes_ns() <= now_ns else [],
    }


Latest = Callable[[Ask, Instrument, str], Json | None]


def _latest_of_many(kind: str, latest: Latest) -> Callable[[Ask], Json]:
    def handler(ask: Ask) -> Json:
        feed = ask.latest_feed()
        found = {}
        for symbol in ask.symbols(STOCK):
            stock = _stock(ask, symbol)
            row = latest(ask, stock, feed) if stock is not None and feed not in SILENT else None
            if row is not None:
                found[symbol] = row
        return {kind: found, **ask.currency()}

    return handler


def _latest_of_one(kind: str, latest: Latest) -> Callable[[Ask], Json]:
    def handler(ask: Ask) -> Json:
        feed = ask.latest_feed()
        symbol = ask.symbol(STOCK)
        stock = _stock(ask, symbol)
        row = latest(ask, stock, feed) if stock is not None and feed not in SILENT else None
        if row is None:
            raise Refused(404, f"no {kind[:-1]} found for {symbol}")
        return {"symbol": symbol, kind[:-1]: row, **ask.currency()}

    return handler


def _latest_bar(ask: Ask, stock: Instrument, feed: str) -> Json | None:
    bar = ask.state.market.minute_bar(stock.symbol)
    if feed == "delayed_sip":
        trade = ask.state.market.last_trade(stock.symbol, ask.now_ns - RECENT)
        begin = trade.time_ns // MINUTE * MINUTE if trade is not None else 0
        bar = next(Tape(ask.state.market).bars(stock.symbol, MINUTE, begin, begin), None)
    return stock_bar(bar, feed) if bar is not None else None


def _latest_trade(ask: Ask, stock: Instrument, feed: str) -> Json | None:
    trade = ask.state.market.last_trade(stock.symbol, _seen_by(ask, feed))
    return stock_trade(trade, feed) if trade is not None else None


def _latest_quote(ask: Ask, stock: Instrument, feed: str) -> Json | None:
    quote = ask.state.market.quote(stock.symbol, _seen_by(ask, feed))
    return stock_quote(quote, tape_of(stock), feed) if quote is not None else None


def _seen_by(ask: Ask, feed: str) -> int:
    """The instant up to which a feed tells."""
    return ask.now_ns - (RECENT if feed == "delayed_sip" else 0)


def _snapshots(ask: Ask) -> Json:
    feed = ask.latest_feed()
    found = {}
    for symbol in ask.symbols(STOCK):
        stock = _stock(ask, symbol)
        if stock is not None and feed not in SILENT:
            found[symbol] = _snapshot(ask, stock, feed)
    return found


def _snapshot_of_one(ask: Ask) -> Json:
    feed = ask.latest_feed()
    symbol = ask.symbol(STOCK)
    stock = _stock(ask, symbol)
    if stock is None or feed in SILENT:
        raise Refused(404, f"no snapshot found for {symbol}")
    return {"symbol": symbol, **_snapshot(ask, stock, feed), **ask.currency()}


def _snapshot(ask: Ask, stock: Instrument, feed: str) -> Json:
    market = ask.state.market
    bars = {
        "minuteBar": market.minute_bar(stock.symbol),
        "dailyBar": market.day_bar(stock.symbol),
        "prevDailyBar": market.previous_day_bar(stock.symbol),
    }
    parts = {
        "latestTrade": _latest_trade(ask, stock, feed),
        "latestQuote": _latest_quote(ask, stock, feed),
        **{name: stock_bar(bar, feed) for name, bar in bars.items() if bar is not None},
    }
    return {name: part for name, part in parts.items() if part is not None}
