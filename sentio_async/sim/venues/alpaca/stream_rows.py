"""What Alpaca's data streams say of a market: one row for everything that happens.

https://docs.alpaca.markets/docs/real-time-stock-pricing-data
https://docs.alpaca.markets/docs/real-time-crypto-pricing-data
https://docs.alpaca.markets/docs/real-time-option-data
https://docs.alpaca.markets/docs/streaming-real-time-news
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from sentio_async.sim.instruments import Instrument
from sentio_async.sim.prices import MINUTE
from sentio_async.sim.rows import Bar, Quote, Trade
from sentio_async.sim.streams import Moment, Notice
from sentio_async.sim.venues.almanac import Article, articles
from sentio_async.sim.venues.alpaca.data_crypto import DEPTH
from sentio_async.sim.venues.alpaca.data_rows import (
    IEX,
    Json,
    crypto_bar,
    crypto_quote,
    crypto_trade,
    number,
    option_quote,
    option_trade,
    stock_bar,
    stock_quote,
    stock_trade,
    tape_of,
    whole,
)
from sentio_async.sim.venues.alpaca.stream_wire import Stamp

# A row and its place in time.
Timed = tuple[int, Json]
# How far a price may move from the last one before trading pauses.
BAND: Final = Decimal("0.05")
CENT: Final = Decimal("0.01")
# The tapes' words for a halt and for its end.
HALT: Final = ("H", "Trading Halt", "T12", "Trading Halted; For information requested by NASDAQ")
RESUME: Final = ("T", "Trading Resumption", "T3", "News and Resumption Times")


@dataclass(slots=True)
class Told:
    """What the rows of one client depend on besides the moment: the order book it knows."""

    feed: str = "sip"
    books: dict[str, Quote] = field(default_factory=dict)


Channel = Callable[[Moment, Instrument, Told], Iterable[Timed]]


def _row(kind: str, symbol: str, row: Json, time_ns: int) -> Timed:
    return time_ns, {"T": kind, "S": symbol, **row, "t": Stamp(time_ns)}


def trade_row(one: Instrument, trade: Trade, feed: str) -> Json:
    """A trade of anything."""
    word = stock_trade(trade, feed)
    if one.asset_class == "crypto":
        word = crypto_trade(trade)
    elif one.contract is not None:
        word = option_trade(trade)
    return _row("t", one.symbol, word, trade.time_ns)[1]


def quote_row(one: Instrument, quote: Quote, feed: str) -> Json:
    """A quote of anything."""
    if one.asset_class == "crypto":
        word = crypto_quote(quote)
    elif one.contract is not None:
        word = option_quote(quote)
    else:
        word = stock_quote(quote, tape_of(one), feed)
    return _row("q", one.symbol, word, quote.time_ns)[1]


def is_shown(one: Instrument, trade: Trade, feed: str) -> bool:
    """Whether a feed shows a trade: IEX shows its own."""
    return feed != "iex" or one.asset_class != "us_equity" or trade.exchange == IEX


def _trades(moment: Moment, one: Instrument, told: Told) -> Iterator[Timed]:
    for trade in moment.trades(one.symbol):
        if is_shown(one, trade, told.feed):
            yield trade.time_ns, trade_row(one, trade, told.feed)


def _quotes(moment: Moment, one: Instrument, told: Told) -> Iterator[Timed]:
    for quote in moment.quotes(one.symbol):
        yield quote.time_ns, quote_row(one, quote, told.feed)


def _bar(kind: str, one: Instrument, bar: Bar, told: Told) -> Json:
    word = crypto_bar(bar) if one.asset_class == "crypto" else stock_bar(bar, told.feed)
    return _row(kind, one.symbol, word, bar.time_ns)[1]


def _bars(moment: Moment, one: Instrument, told: Told) -> Iterator[Timed]:
    for bar in moment.minutes(one.symbol):
        yield bar.time_ns + MINUTE, _bar("b", one, bar, told)


def _updated_bars(moment: Moment, one: Instrument, told: Told) -> Iterator[Timed]:
    for bar in moment.amended(one.symbol):
        yield bar.time_ns + MINUTE * 3 // 2, _bar("u", one, bar, told)


def _daily_bars(moment: Moment, one: Instrument, told: Told) -> Iterator[Timed]:
    # As far as the day has got, so once even if several minutes have ended.
    for mark in moment.marks(MINUTE)[-1:]:
        bar = moment.day(one.symbol)
        if bar is not None:
            yield mark, _bar("d", one, bar, told)


def _bands(moment: Moment, one: Instrument, told: Told) -> Iterator[Timed]:
    del told
    for mark in moment.marks(MINUTE // 2):
        price = moment.market.price(one.symbol, mark)
        if price is None:
            continue
        upper, lower = (price * (1 + side * BAND) for side in (1, -1))
        word = {
            "u": number(upper.quantize(CENT)),
            "d": number(lower.quantize(CENT)),
            "i": "B",
            "z": tape_of(one),
        }
        yield _row("l", one.symbol, word, mark)


def _books(moment: Moment, one: Instrument, told: Told) -> Iterator[Timed]:
    for quote in moment.quotes(one.symbol):
        before = told.books.get(one.symbol)
        told.books[one.symbol] = quote
        yield quote.time_ns, book_row(one, quote, before)


def book_row(one: Instrument, quote: Quote, before: Quote | None = None) -> Json:
    """An order book whole, or the levels that are not as they were before; size 0 is gone."""
    sides = []
    for side in (-1, 1):
        levels, old = _levels(one, quote, side), _levels(one, before, side)
        changed = {p: s for p, s in levels.items() if old.get(p) != s}
        changed |= {p: Decimal(0) for p in old if p not in levels}
        sides.append([{"p": number(p), "s": number(s)} for p, s in changed.items()])
    word: Json = {"b": sides[0], "a": sides[1]}
    if before is None:
        word["r"] = True
    return _row("o", one.symbol, word, quote.time_ns)[1]


def _levels(one: Instrument, quote: Quote | None, side: int) -> dict[Decimal, Decimal]:
    if quote is None:
        return {}
    step = Decimal(side).scaleb(-one.digits)
    best, size = (quote.ask, quote.ask_size) if side > 0 else (quote.bid, quote.bid_size)
    return {best + n * step: Decimal(size * (n + 1)) for n in range(DEPTH)}


def _silent(moment: Moment, one: Instrument, told: Told) -> Iterator[Timed]:
    """Only what `notice_row` writes."""
    del moment, one, told
    yield from ()


CHANNELS: Final[Mapping[str, Channel]] = {
    "trades": _trades,
    "quotes": _quotes,
    "bars": _bars,
    "updatedBars": _updated_bars,
    "dailyBars": _daily_bars,
    "statuses": _silent,
    "lulds": _bands,
    "imbalances": _silent,
    "corrections": _silent,
    "cancelErrors": _silent,
    "orderbooks": _books,
}


def notice_row(notice: Notice, tape: str) -> tuple[str, Json] | None:
    """The channel and row of something told to the streams alone."""
    trade, corrected = notice.trade, notice.corrected
    row: Json
    if notice.kind in ("halt", "resume"):
        names = ("sc", "sm", "rc", "rm")
        words = HALT if notice.kind == "halt" else RESUME
        row = {**dict(zip(names, words, strict=True)), "z": tape}
        return "statuses", _row("s", notice.symbol, row, notice.time_ns)[1]
    if trade is None:
        return None
    if corrected is None:
        row = {"i": trade.id, "x": trade.exchange, "p": number(trade.price)}
        row |= {"s": whole(trade.size), "a": "C", "z": tape}
        return "cancelErrors", _row("x", notice.symbol, row, notice.time_ns)[1]
    row = {"x": trade.exchange, **_version("o", trade), **_version("c", corrected), "z": tape}
    return "corrections", _row("c", notice.symbol, row, notice.time_ns)[1]


def _version(letter: str, trade: Trade) -> Json:
    word = stock_trade(trade)
    return {f"{letter}{name}": word[name] for name in ("i", "p", "s", "c")}


def news_rows(moment: Moment) -> Iterator[tuple[int, str, Json]]:
    """The articles of the moment with their instant and symbol, oldest first."""
    names = {each.symbol: each.name for each in moment.market.instruments if each.tradable}
    found = list(articles(names, moment.since_ns + 1, moment.now_ns))
    for article in reversed(found):
        # Alpaca writes coins without the slash here.
        symbol = article.symbol.replace("/", "")
        yield article.time_ns, symbol, _article(article, symbol)


def _article(article: Article, symbol: str) -> dict[str, Any]:
    return {
        "T": "n",
        "id": article.number,
        "headline": article.headline,
        "summary": article.summary,
        "author": article.author,
        "created_at": Stamp(article.time_ns),
        "updated_at": Stamp(article.time_ns),
        "url": article.url,
        "content": article.content,
        "symbols": [symbol],
        "source": "benzinga",
    }
