"""Polygon's trades and quotes, one by one and the last of them.

https://massive.com/docs/rest/stocks/trades-quotes/trades
"""

from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from itertools import chain, islice
from typing import Any

from starlette.routing import BaseRoute

from sentio_async.sim.market import Quote, Trade
from sentio_async.sim.state import State
from sentio_async.sim.venues import rates
from sentio_async.sim.venues.polygon.asking import Ask, Json, bounds, missing, route, wrong
from sentio_async.sim.venues.polygon.tickers import FOREX_EXCHANGE, Named, find
from sentio_async.sim.venues.polygon.windows import FIRST_NS
from sentio_async.sim.venues.times import MILLISECOND, SECOND, bounded

LIMIT, TOP = 1_000, 50_000
# How long the consolidated tape takes to tell what an exchange saw.
SIP_DELAY = 221_337
# Forex quotes change at this pace.
FOREX_STEP = 2 * SECOND
CONDITIONS = {"T": 12, "F": 14, "I": 37, "O": 17, "6": 8}
OPTION_CONDITION = 209
ODD_LOT, ROUND_LOT = 37, 100
# Off the exchanges: the letter of FINRA's facilities, and the id of Nasdaq's in Carteret.
OFF_EXCHANGE, TRF = "D", 202

Rows = Iterator[tuple[int, Json]]


def routes(state: State) -> list[BaseRoute]:
    """Everything made of single trades and quotes."""
    return [
        route(state, "/v3/trades/{ticker}", lambda ask: _ticks(ask, _trades)),
        route(state, "/v3/quotes/{ticker}", lambda ask: _ticks(ask, _quotes)),
        route(state, "/options/v3/trades/{ticker}", lambda ask: _ticks(ask, _option_trades)),
        route(state, "/options/v3/quotes/{ticker}", lambda ask: _ticks(ask, _option_quotes)),
        route(state, "/v2/last/trade/{ticker}", _last_trade),
        route(state, "/v2/last/nbbo/{ticker}", _last_nbbo),
        route(state, "/v1/last/crypto/{from}/{to}", _last_crypto),
        route(state, "/v1/last_quote/currencies/{from}/{to}", _last_forex),
        route(state, "/v1/conversion/{from}/{to}", _conversion),
    ]


def _ticks(ask: Ask, walk: Callable[[Ask, Named, int, int, bool], Rows]) -> Json:
    ask.need("delayed")
    named = find(ask, ask.text("ticker"))
    limit = ask.number("limit", LIMIT, TOP)
    back = ask.one_of("order", ("asc", "desc"), "desc") == "desc"
    start, end = bounds(ask, "timestamp", 1, (FIRST_NS, ask.now_ns))
    at, skip = ask.place or (None, 0)
    if at is not None:
        start, end = (start, bounded(at)) if back else (bounded(at), end)
    if named is None or end < start:
        return ask.envelope(results=[])
    rows = walk(ask, named, start, end, back)
    # What was told of the first instant on the page before.
    told = list(islice(rows, skip))
    taken = list(islice(rows, limit))
    follower = next(rows, None)
    found = ask.envelope(results=[row for _, row in taken])
    if follower is not None:
        count = sum(1 for time_ns, _ in chain(told, taken) if time_ns == follower[0])
        found["next_url"] = ask.next_url(f"{follower[0]}-{count}")
    return found


def _trades(ask: Ask, named: Named, start: int, end: int, back: bool) -> Rows:
    if named.instrument is None:
        return
    for trade in ask.tape.trades(named.symbol, start, end, back=back):
        yield trade.time_ns, trade_row(named, trade)


def _quotes(ask: Ask, named: Named, start: int, end: int, back: bool) -> Rows:
    if named.kind == "fx" and named.rated is not None:
        first, last = -(-start // FOREX_STEP) * FOREX_STEP, end // FOREX_STEP * FOREX_STEP
        steps = range(last, first - 1, -FOREX_STEP) if back else range(first, last + 1, FOREX_STEP)
        for time_ns in steps:
            yield time_ns, _forex_quote(named.rated, time_ns)
    elif named.kind in ("stocks", "options"):
        for quote in ask.tape.quotes(named.symbol, start, end, back=back):
            yield quote.time_ns, _quote_row(named, quote)


def conditions(named: Named, trade: Trade) -> list[int]:
    """The condition codes of a trade; an ordinary one has none."""
    if named.kind == "crypto":
        # 1 is the seller's, 2 the buyer's side.
        return [1 + trade.id % 2]
    if named.kind == "options":
        return [OPTION_CONDITION]
    codes = [CONDITIONS[letter] for letter in trade.conditions if letter in CONDITIONS]
    return [*codes, ODD_LOT] if trade.size < ROUND_LOT and ODD_LOT not in codes else codes


def trf_stamp(trade: Trade) -> int | None:
    """When the reporting facility heard of a trade made off the exchanges."""
    return trade.time_ns - SIP_DELAY // 2 if trade.exchange == OFF_EXCHANGE else None


def trade_row(named: Named, trade: Trade) -> Json:
    """A trade under /v3/trades."""
    codes = conditions(named, trade)
    row: Json = {"conditions": codes} if codes else {}
    row |= {"exchange": named.exchange(trade.exchange), "price": trade.price, "size": trade.size}
    row["participant_timestamp"] = trade.time_ns - SIP_DELAY
    if named.kind == "crypto":
        return {**row, "id": str(trade.id)}
    row |= {"sip_timestamp": trade.time_ns, "sequence_number": trade.id}
    if named.kind == "options":
        return row
    if (stamp := trf_stamp(trade)) is not None:
        row |= {"trf_id": TRF, "trf_timestamp": stamp}
    return {
        **row,
        "id": str(trade.id),
        "decimal_size": str(trade.size),
        "tape": named.tape,
    }


def sequence(time_ns: int) -> int:
    """A number that grows with time and stays below a trillion."""
    return time_ns // 1_000_000 % 1_000_000_000_000


def _quote_row(named: Named, quote: Quote) -> Json:
    row: Json = {
        "ask_exchange": named.exchange(quote.ask_exchange),
        "ask_price": quote.ask,
        "ask_size": quote.ask_size,
        "bid_exchange": named.exchange(quote.bid_exchange),
        "bid_price": quote.bid,
        "bid_size": quote.bid_size,
        "sequence_number": sequence(quote.time_ns),
        "sip_timestamp": quote.time_ns,
    }
    if named.kind == "options":
        return row
    return {
        **row,
        "conditions": [1],
        "participant_timestamp": quote.time_ns - SIP_DELAY,
        "tape": named.tape,
    }


def _forex_quote(rated: rates.Rated, time_ns: int) -> Json:
    bid, offer = rates.spread(rated, time_ns)
    return {
        "ask_exchange": FOREX_EXCHANGE,
        "ask_price": offer,
        "bid_exchange": FOREX_EXCHANGE,
        "bid_price": bid,
        "participant_timestamp": time_ns,
    }


def _option_trades(ask: Ask, named: Named, start: int, end: int, back: bool) -> Rows:
    if named.kind == "options":
        for time_ns, row in _trades(ask, named, start, end, back):
            yield time_ns, {"ticker": named.ticker, **row}


def _option_quotes(ask: Ask, named: Named, start: int, end: int, back: bool) -> Rows:
    if named.kind == "options":
        for time_ns, row in _quotes(ask, named, start, end, back):
            yield time_ns, {"ticker": named.ticker, **row}


def _last_trade(ask: Ask) -> Json:
    ask.need("delayed")
    named = find(ask, ask.text("ticker"))
    trade = None
    if named is not None and named.kind in ("stocks", "options"):
        trade = ask.state.market.last_trade(named.symbol)
    if named is None or trade is None:
        raise missing("Ticker not found.")
    codes = conditions(named, trade)
    found: Json = {
        "T": named.ticker,
        "p": trade.price,
        "s": trade.size,
        "x": named.exchange(trade.exchange),
        "i": str(trade.id),
        "t": trade.time_ns,
        "y": trade.time_ns - SIP_DELAY,
        "q": trade.id,
        "z": named.tape,
    }
    found |= {"c": codes} if codes else {}
    found |= {"ds": str(trade.size)} if named.kind == "stocks" else {}
    if (stamp := trf_stamp(trade)) is not None and named.kind == "stocks":
        found |= {"f": stamp, "r": TRF}
    return ask.envelope(results=found)


def _last_nbbo(ask: Ask) -> Json:
    ask.need("delayed")
    named = find(ask, ask.text("ticker"))
    is_stock = named is not None and named.kind == "stocks"
    quote = ask.state.market.quote(ask.text("ticker")) if is_stock else None
    if named is None or quote is None:
        raise missing("Ticker not found.")
    found = {
        "T": named.ticker,
        "p": quote.bid,
        "s": quote.bid_size,
        "x": named.exchange(quote.bid_exchange),
        "P": quote.ask,
        "S": quote.ask_size,
        "X": named.exchange(quote.ask_exchange),
        "t": quote.time_ns,
        "y": quote.time_ns - SIP_DELAY,
        "q": sequence(quote.time_ns),
        "z": named.tape,
    }
    return ask.envelope(results=found)


def _last_crypto(ask: Ask) -> Json:
    ask.need("delayed")
    base, quote = ask.text("from"), ask.text("to")
    named = find(ask, f"X:{base}{quote}")
    trade = ask.state.market.last_trade(named.symbol) if named is not None else None
    if named is None or trade is None:
        raise missing("Ticker not found.")
    last = {
        "conditions": conditions(named, trade),
        "exchange": named.exchange(trade.exchange),
        "price": trade.price,
        "size": trade.size,
        "timestamp": trade.time_ns // MILLISECOND,
    }
    return _older(ask, symbol=f"{base}-{quote}", last=last)


def _older(ask: Ask, **parts: Any) -> Json:
    """The older endpoints say `success` where the others say `OK`."""
    return {**ask.envelope(**parts), "status": "success"}


def _last_forex(ask: Ask) -> Json:
    ask.need("delayed")
    base, quote = ask.text("from"), ask.text("to")
    spread = _spread(ask, base, quote)
    if spread is None:
        raise missing("Ticker not found.")
    return _older(ask, symbol=f"{base}/{quote}", last=_last(ask, *spread))


def _last(ask: Ask, bid: Decimal, offer: Decimal) -> Json:
    stamp = ask.now_ns // FOREX_STEP * FOREX_STEP // MILLISECOND
    return {"bid": bid, "ask": offer, "exchange": FOREX_EXCHANGE, "timestamp": stamp}


def _spread(ask: Ask, base: str, quote: str) -> tuple[Decimal, Decimal] | None:
    """Bid and ask of a pair, or of its inverse turned around."""
    at = ask.now_ns // FOREX_STEP * FOREX_STEP
    if rated := rates.PAIRS.get(base + quote):
        return rates.spread(rated, at)
    if rated := rates.PAIRS.get(quote + base):
        bid, offer = rates.spread(rated, at)
        digits = Decimal("0.0000001")
        return (1 / offer).quantize(digits), (1 / bid).quantize(digits)
    return None


def _conversion(ask: Ask) -> Json:
    ask.need("delayed")
    base, quote = ask.text("from"), ask.text("to")
    try:
        amount = Decimal(ask.query.get("amount", "1"))
    except InvalidOperation:
        raise wrong("The parameter 'amount' must be a number") from None
    precision = int(ask.one_of("precision", ("0", "1", "2", "3", "4"), "2"))
    there, back = _spread(ask, base, quote), _spread(ask, quote, base)
    if there is None or back is None:
        raise missing("Ticker not found.")
    converted = (amount * there[0]).quantize(Decimal(1).scaleb(-precision))
    # As recorded: symbol and last belong to the inverse pair.
    return _older(
        ask,
        **{"from": base, "to": quote, "symbol": f"{quote}/{base}", "initialAmount": amount},
        converted=converted,
        last=_last(ask, *back),
    )
