"""What Polygon's sockets say of a market: one row for everything that happens.

https://massive.com/docs/websocket/quickstart
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from sentio_async.sim.rows import Bar, Quote, Trade
from sentio_async.sim.streams import Moment
from sentio_async.sim.venues import rates
from sentio_async.sim.venues.polygon.tickers import COINBASE, FOREX_EXCHANGE, Named
from sentio_async.sim.venues.polygon.ticks import FOREX_STEP, conditions, sequence
from sentio_async.sim.venues.times import MILLISECOND, MINUTE, SECOND

Json = dict[str, Any]
Timed = tuple[int, Json]
Event = Callable[[Moment, Named], Iterator[Timed]]

# How far a price may move from the last one before trading pauses.
BAND: Final = Decimal("0.05")
CENT: Final = Decimal("0.01")
DEPTH: Final = 5


def pair_of(named: Named, mark: str) -> str:
    """The two currencies with a mark in between."""
    plain = named.ticker.partition(":")[2]
    return f"{plain[:-3]}{mark}{plain[-3:]}"


def trade_row(named: Named, trade: Trade) -> Json:
    """A trade of a stock or of a contract; an ordinary one has no conditions."""
    codes = conditions(named, trade)
    time = trade.time_ns // MILLISECOND
    row: Json = {"ev": "T", "sym": named.ticker, "x": named.exchange(trade.exchange)}
    row |= {"p": trade.price, "s": trade.size, "t": time, "q": trade.id}
    row |= {"c": codes} if codes else {}
    return row if named.kind == "options" else {**row, "i": str(trade.id), "z": named.tape}


def quote_row(named: Named, quote: Quote) -> Json:
    """A quote of a stock or of a contract."""
    row: Json = {
        "ev": "Q",
        "sym": named.ticker,
        "bx": named.exchange(quote.bid_exchange),
        "ax": named.exchange(quote.ask_exchange),
        "bp": quote.bid,
        "ap": quote.ask,
        "bs": quote.bid_size,
        "as": quote.ask_size,
        "t": quote.time_ns // MILLISECOND,
        "q": sequence(quote.time_ns),
    }
    return row if named.kind == "options" else {**row, "c": 1, "z": named.tape}


def coin_trade(named: Named, trade: Trade) -> Json:
    """A trade of a coin."""
    time = trade.time_ns // MILLISECOND
    row: Json = {"ev": "XT", "pair": pair_of(named, "-"), "p": trade.price, "t": time}
    row |= {"s": trade.size, "c": conditions(named, trade), "i": trade.id}
    return {**row, "x": COINBASE, "r": time}


def coin_quote(named: Named, quote: Quote) -> Json:
    """A quote of a coin."""
    time = quote.time_ns // MILLISECOND
    row: Json = {"ev": "XQ", "pair": pair_of(named, "-"), "bp": quote.bid, "bs": quote.bid_size}
    return {**row, "ap": quote.ask, "as": quote.ask_size, "t": time, "x": COINBASE, "r": time}


def _trades(moment: Moment, named: Named) -> Iterator[Timed]:
    word = coin_trade if named.kind == "crypto" else trade_row
    for trade in moment.trades(named.symbol):
        yield trade.time_ns, word(named, trade)


def _quotes(moment: Moment, named: Named) -> Iterator[Timed]:
    word = coin_quote if named.kind == "crypto" else quote_row
    for quote in moment.quotes(named.symbol):
        yield quote.time_ns, word(named, quote)


def _books(moment: Moment, named: Named) -> Iterator[Timed]:
    step = Decimal(1).scaleb(-named.instrument.digits) if named.instrument else CENT
    for quote in moment.quotes(named.symbol):
        bids = [[quote.bid - n * step, quote.bid_size * (n + 1)] for n in range(DEPTH)]
        asks = [[quote.ask + n * step, quote.ask_size * (n + 1)] for n in range(DEPTH)]
        time = quote.time_ns // MILLISECOND
        row: Json = {"ev": "XL2", "pair": pair_of(named, "-"), "b": bids, "a": asks}
        yield quote.time_ns, {**row, "t": time, "x": COINBASE, "r": time}


def _aggregates(event: str, step: int) -> Event:
    def rows(moment: Moment, named: Named) -> Iterator[Timed]:
        if named.rated is not None:
            for mark in moment.marks(step):
                rated = rates.bar(named.rated, mark - step, mark)
                yield mark, _rate_bar(event, named, rated, mark)
            return
        bars = moment.seconds if step == SECOND else moment.minutes
        for bar in bars(named.symbol):
            yield bar.time_ns + step, _bar(event, named, bar, moment, step)
        # A minute whose late trade has come in is sent whole, once more.
        for bar in moment.amended(named.symbol) if step == MINUTE else ():
            told = bar.time_ns + step + step // 2
            yield told, _bar(event, named, bar, moment, step)

    return rows


def _bar(event: str, named: Named, bar: Bar, moment: Moment, step: int) -> Json:
    prices: Json = {"v": bar.volume, "vw": bar.vwap, "o": bar.open, "c": bar.close}
    prices |= {"h": bar.high, "l": bar.low}
    start = bar.time_ns // MILLISECOND
    span: Json = {"s": start, "e": start + step // MILLISECOND}
    if named.kind == "crypto":
        size = (Decimal(bar.volume) / max(1, bar.trade_count)).quantize(Decimal("0.0001"))
        return {"ev": event, "pair": pair_of(named, "-"), **prices, "z": size, **span}
    day = moment.day(named.symbol)
    so_far: Json = {}
    if day is not None:
        so_far = {"av": day.volume, "op": day.open, "a": day.vwap}
    average = int(bar.volume) // max(1, bar.trade_count)
    return {"ev": event, "sym": named.ticker, **prices, **so_far, "z": average, **span}


def _rate_bar(event: str, named: Named, bar: rates.RateBar, end_ns: int) -> Json:
    prices: Json = {"o": bar.open, "c": bar.close, "h": bar.high, "l": bar.low}
    start = bar.time_ns // MILLISECOND
    if named.kind == "fx":
        # Currencies have no end time.
        word: Json = {"ev": event, "pair": pair_of(named, "/"), **prices}
        return {**word, "v": bar.trade_count, "s": start}
    return {"ev": event, "sym": named.ticker, **prices, "s": start, "e": end_ns // MILLISECOND}


def _bands(moment: Moment, named: Named) -> Iterator[Timed]:
    for mark in moment.marks(MINUTE // 2):
        price = moment.market.price(named.symbol, mark)
        if price is not None:
            high, low = ((price * (1 + side * BAND)).quantize(CENT) for side in (1, -1))
            row: Json = {"ev": "LULD", "T": named.ticker, "h": high, "l": low, "i": [17]}
            # Microseconds, unlike everything else.
            yield mark, {**row, "z": named.tape, "t": mark // 1000, "q": sequence(mark)}


def _rates(moment: Moment, named: Named) -> Iterator[Timed]:
    for mark in moment.marks(FOREX_STEP) if named.rated is not None else ():
        assert named.rated is not None
        bid, offer = rates.spread(named.rated, mark)
        row: Json = {"ev": "C", "p": pair_of(named, "/"), "x": str(FOREX_EXCHANGE)}
        yield mark, {**row, "a": offer, "b": bid, "t": mark // MILLISECOND}


def _values(moment: Moment, named: Named) -> Iterator[Timed]:
    for mark in moment.marks(SECOND) if named.rated is not None else ():
        assert named.rated is not None
        value = rates.value(named.rated, mark)
        yield mark, {"ev": "V", "val": value, "T": named.ticker, "t": mark // MILLISECOND}


_OPTIONS: Final[Mapping[str, Event]] = {
    "T": _trades,
    "Q": _quotes,
    "A": _aggregates("A", SECOND),
    "AM": _aggregates("AM", MINUTE),
}
# The events of each market; any other is unknown there.
EVENTS: Final[Mapping[str, Mapping[str, Event]]] = {
    "stocks": {**_OPTIONS, "LULD": _bands},
    "options": _OPTIONS,
    "crypto": {
        "XT": _trades,
        "XQ": _quotes,
        "XL2": _books,
        "XA": _aggregates("XA", MINUTE),
        "XAS": _aggregates("XAS", SECOND),
    },
    "forex": {
        "C": _rates,
        "CA": _aggregates("CA", MINUTE),
        "CAS": _aggregates("CAS", SECOND),
    },
    "indices": {
        "V": _values,
        "A": _aggregates("A", SECOND),
        "AM": _aggregates("AM", MINUTE),
    },
}
