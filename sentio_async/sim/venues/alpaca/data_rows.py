"""Trades, quotes and bars as Alpaca's market data API writes them."""

from decimal import Decimal
from typing import Any

from sentio_async.sim.instruments import Instrument
from sentio_async.sim.market import Bar, Quote, Trade
from sentio_async.sim.venues.times import rfc3339

Json = dict[str, Any]

# The share of all volume that trades on IEX, in thousandths.
IEX_SHARE = 35
IEX = "V"
ROUND_LOT = 100


def number(value: Decimal | int) -> Decimal | int:
    """A JSON number without needless zeros: 167 instead of 167.00."""
    if isinstance(value, int):
        return value
    whole = int(value)
    return whole if whole == value else value.normalize()


def stock_trade(trade: Trade, feed: str = "sip") -> Json:
    """A trade of a stock."""
    return {
        "t": rfc3339(trade.time_ns),
        "x": IEX if feed == "iex" else trade.exchange,
        "p": number(trade.price),
        "s": whole(trade.size),
        "c": [*(trade.conditions or ("@",)), *(("I",) if trade.size < ROUND_LOT else ())],
        "i": trade.id,
        "z": trade.tape,
    }


def stock_quote(quote: Quote, tape: str, feed: str = "sip") -> Json:
    """A quote of a stock; sizes are whole shares."""
    is_iex = feed == "iex"
    return {
        "t": rfc3339(quote.time_ns),
        "ax": IEX if is_iex else quote.ask_exchange,
        "ap": number(quote.ask),
        "as": whole(quote.ask_size),
        "bx": IEX if is_iex else quote.bid_exchange,
        "bp": number(quote.bid),
        "bs": whole(quote.bid_size),
        "c": ["R"],
        "z": tape,
    }


def stock_bar(bar: Bar, feed: str = "sip") -> Json:
    """A bar of a stock; IEX sees a small part of the volume."""
    share = IEX_SHARE if feed == "iex" else 1000
    return {
        **crypto_bar(bar),
        "v": max(1, whole(bar.volume) * share // 1000),
        "n": max(1, bar.trade_count * share // 1000),
    }


def crypto_trade(trade: Trade) -> Json:
    """A trade of a coin, with the taker's side."""
    return {
        "t": rfc3339(trade.time_ns),
        "p": number(trade.price),
        "s": number(trade.size),
        "tks": "B" if trade.id % 2 else "S",
        "i": trade.id,
    }


def crypto_quote(quote: Quote) -> Json:
    """A quote of a coin."""
    return {
        "t": rfc3339(quote.time_ns),
        "bp": number(quote.bid),
        "bs": number(quote.bid_size),
        "ap": number(quote.ask),
        "as": number(quote.ask_size),
    }


def crypto_bar(bar: Bar) -> Json:
    """A bar of a coin; volume has decimals."""
    return {
        "t": rfc3339(bar.time_ns),
        "o": number(bar.open),
        "h": number(bar.high),
        "l": number(bar.low),
        "c": number(bar.close),
        "v": number(bar.volume),
        "n": bar.trade_count,
        "vw": number(bar.vwap),
    }


def option_trade(trade: Trade) -> Json:
    """A trade of a contract; the condition is one letter."""
    return {
        "t": rfc3339(trade.time_ns),
        "x": trade.exchange,
        "p": number(trade.price),
        "s": whole(trade.size),
        "c": "I",
    }


def option_quote(quote: Quote) -> Json:
    """A quote of a contract."""
    return {
        "t": rfc3339(quote.time_ns),
        "ax": quote.ask_exchange,
        "ap": number(quote.ask),
        "as": whole(quote.ask_size),
        "bx": quote.bid_exchange,
        "bp": number(quote.bid),
        "bs": whole(quote.bid_size),
        "c": "A",
    }


def tape_of(instrument: Instrument) -> str:
    """The consolidated tape a listing reports to: A is NYSE, B the regionals, C Nasdaq."""
    return {"NASDAQ": "C", "NYSE": "A"}.get(instrument.exchange, "B")


def whole(size: Decimal | int) -> int:
    """A size in whole shares or contracts, at least one."""
    return max(1, int(size))
