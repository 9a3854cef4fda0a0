"""Polygon's v2 snapshots: stocks, coins and currencies as they stand.

https://massive.com/docs/rest/stocks/snapshots/full-market-snapshot
"""

from collections.abc import Callable
from decimal import Decimal

from starlette.routing import BaseRoute

from sentio_async.sim.market import Bar
from sentio_async.sim.state import State
from sentio_async.sim.venues import rates
from sentio_async.sim.venues.polygon.asking import Ask, Json, missing, route, wrong
from sentio_async.sim.venues.polygon.tickers import FOREX_EXCHANGE, Kind, Named, find, traded
from sentio_async.sim.venues.polygon.ticks import FOREX_STEP, conditions
from sentio_async.sim.venues.polygon.windows import day_bars, minute_bar
from sentio_async.sim.venues.times import MILLISECOND

TOP = 20
DEPTH = 10
MARKETS: dict[str, Kind] = {
    "us/markets/stocks": "stocks",
    "global/markets/crypto": "crypto",
    "global/markets/forex": "fx",
}


def routes(state: State) -> list[BaseRoute]:
    """All tickers, one ticker, gainers and losers of each market, and the book of a coin."""
    found: list[BaseRoute] = []
    for place, kind in MARKETS.items():
        base = f"/v2/snapshot/locale/{place}"
        found += [
            route(state, f"{base}/tickers", _handler(_many, kind)),
            route(state, f"{base}/tickers/{{ticker}}", _handler(_one, kind)),
            route(state, f"{base}/{{direction}}", _handler(_direction, kind)),
        ]
    book = "/v2/snapshot/locale/global/markets/crypto/tickers/{ticker}/book"
    return [*found, route(state, book, _book)]


def _handler(answer: Callable[[Ask, Kind], Json], kind: Kind) -> Callable[[Ask], Json]:
    def handler(ask: Ask) -> Json:
        ask.need("delayed")
        return answer(ask, kind)

    return handler


def _many(ask: Ask, kind: Kind) -> Json:
    text = ask.query.get("tickers")
    if text:
        # A ticker nobody knows is passed over in silence.
        named = [found for each in text.split(",") if (found := find(ask, each))]
        named = [each for each in named if each.kind == kind]
    else:
        named = traded(ask, kind)
    rows = [_snapshot(ask, each) for each in named]
    return ask.envelope(count=len(rows), tickers=rows)


def _one(ask: Ask, kind: Kind) -> Json:
    named = find(ask, ask.text("ticker"))
    if named is None or named.kind != kind:
        raise missing("Ticker not found.")
    return ask.envelope(ticker=_snapshot(ask, named))


def _direction(ask: Ask, kind: Kind) -> Json:
    direction = ask.text("direction")
    if direction not in ("gainers", "losers"):
        raise wrong("The parameter 'direction' must be one of gainers, losers")
    rows = [_snapshot(ask, each) for each in traded(ask, kind)]
    is_up = direction == "gainers"
    rows = [row for row in rows if row["todaysChange"] and (row["todaysChange"] > 0) == is_up]
    rows.sort(key=lambda row: row["todaysChangePerc"], reverse=is_up)
    return ask.envelope(tickers=rows[:TOP])


def _snapshot(ask: Ask, named: Named) -> Json:
    today, before = day_bars(ask, named)
    minute = minute_bar(ask, named)
    row: Json = {"ticker": named.ticker}
    if today is not None:
        row["day"] = _bar(today)
        row["day"] |= {"dv": str(today.volume)} if named.kind == "stocks" else {}
    if minute is not None:
        row["min"] = _minute(named, minute, today)
    if before is not None:
        row["prevDay"] = _bar(before)
    row |= _last(ask, named)
    price = _price(row)
    change = price - before.close if before is not None and price is not None else Decimal(0)
    row["todaysChange"] = change
    row["todaysChangePerc"] = percent(change, before.close if before is not None else None)
    return row


def percent(change: Decimal, base: Decimal | None) -> Decimal:
    """A change in per cent of what was before."""
    return (100 * change / base).quantize(Decimal("0.0001")) if base else Decimal(0)


def _price(row: Json) -> Decimal | None:
    if "lastTrade" in row:
        return Decimal(row["lastTrade"]["p"])
    return Decimal(row["lastQuote"]["b"]) if "lastQuote" in row else None


def _bar(bar: Bar) -> Json:
    return {
        "o": bar.open,
        "h": bar.high,
        "l": bar.low,
        "c": bar.close,
        "v": bar.volume,
        "vw": bar.vwap,
    }


def _minute(named: Named, minute: Bar, today: Bar | None) -> Json:
    row = {**_bar(minute), "n": minute.trade_count, "t": minute.time_ns // MILLISECOND}
    if named.kind == "stocks" and today is not None:
        row |= {"av": int(today.volume), "dav": str(today.volume), "dv": str(minute.volume)}
    return row


def _last(ask: Ask, named: Named) -> Json:
    if named.rated is not None:
        at = ask.now_ns // FOREX_STEP * FOREX_STEP
        bid, offer = rates.spread(named.rated, at)
        stamp = at // MILLISECOND
        quote = {"a": offer, "b": bid, "i": 0, "t": stamp, "x": FOREX_EXCHANGE}
        return {"lastQuote": quote, "updated": stamp}
    trade = ask.state.market.last_trade(named.symbol)
    nbbo = ask.state.market.quote(named.symbol)
    if trade is None or nbbo is None:
        return {"updated": 0}
    row: Json = {
        "c": conditions(named, trade),
        "i": str(trade.id),
        "p": trade.price,
        "s": trade.size,
        "t": trade.time_ns,
        "x": named.exchange(trade.exchange),
    }
    if named.kind == "crypto":
        row["t"] = trade.time_ns // MILLISECOND
        return {"lastTrade": row, "updated": nbbo.time_ns // MILLISECOND}
    row["ds"] = str(trade.size)
    quote = {
        "P": nbbo.ask,
        "S": int(nbbo.ask_size),
        "p": nbbo.bid,
        "s": int(nbbo.bid_size),
        "t": nbbo.time_ns,
    }
    return {"lastTrade": row, "lastQuote": quote, "updated": max(trade.time_ns, nbbo.time_ns)}


def _book(ask: Ask) -> Json:
    ask.need("delayed")
    named = find(ask, ask.text("ticker"))
    is_coin = named is not None and named.kind == "crypto"
    quote = ask.state.market.quote(named.symbol) if named is not None and is_coin else None
    if named is None or named.instrument is None or quote is None:
        raise missing("Ticker not found.")
    step = Decimal(1).scaleb(-named.instrument.digits)
    asks = [(quote.ask + n * step, quote.ask_size * (n + 1)) for n in range(DEPTH)]
    bids = [(quote.bid - n * step, quote.bid_size * (n + 1)) for n in range(DEPTH)]
    data = {
        "ticker": named.ticker,
        "asks": [{"p": price, "x": {"1": size}} for price, size in asks],
        "bids": [{"p": price, "x": {"1": size}} for price, size in bids],
        "askCount": sum(size for _, size in asks),
        "bidCount": sum(size for _, size in bids),
        "spread": quote.ask - quote.bid,
        "updated": quote.time_ns // MILLISECOND,
    }
    return ask.envelope(data=data)
