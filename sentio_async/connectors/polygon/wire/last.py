"""The last trade and quote of one ticker, and currency conversion.

https://massive.com/docs/rest/stocks/trades-quotes/last-trade
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sentio_async.connectors.polygon.moments import ns_by_size, whole_ns
from sentio_async.connectors.polygon.values import Conversion
from sentio_async.connectors.polygon.wire.envelope import (
    PROVIDER,
    api,
    is_delayed,
    member,
    number,
    result,
)
from sentio_async.connectors.polygon.wire.tickers import check_about, checked, currency_pair
from sentio_async.connectors.polygon.wire.ticks import word_or_none, words
from sentio_async.http.endpoint import Parts
from sentio_async.http.wire_json import Json
from sentio_async.models import Quote, Trade

__all__ = [
    "conversion",
    "last_crypto_trade",
    "last_forex_quote",
    "last_quote",
    "last_trade",
]


def read_last_trade(raw: Json, *, symbol: str) -> Trade:
    """``p s c i x t z e``, with the exact size under ``ds``."""
    row = result(raw)
    check_about(symbol, row.get("T"))
    return Trade(
        symbol=row.get("T") or symbol,
        time_ns=whole_ns(row["t"]),
        provider=PROVIDER,
        is_delayed=is_delayed(raw),
        price=number(row["p"]),
        size=number(row.get("ds") or row.get("s") or 0),
        id=str(row.get("i") or ""),
        exchange=word_or_none(row.get("x")),
        conditions=words(row.get("c")),
        tape=word_or_none(row.get("z")),
        correction=word_or_none(row.get("e") or None),
    )


def read_last_quote(raw: Json, *, symbol: str) -> Quote:
    """Capital letters are the ask, small ones the bid."""
    row = result(raw)
    check_about(symbol, row.get("T"))
    return Quote(
        symbol=row.get("T") or symbol,
        time_ns=whole_ns(row["t"]),
        provider=PROVIDER,
        is_delayed=is_delayed(raw),
        bid=number(row.get("p") or 0),
        ask=number(row.get("P") or 0),
        bid_size=number(row.get("s") or 0),
        ask_size=number(row.get("S") or 0),
        bid_exchange=word_or_none(row.get("x") or None),
        ask_exchange=word_or_none(row.get("X") or None),
        conditions=words(row.get("c")),
        tape=word_or_none(row.get("z")),
    )


def read_crypto_trade(raw: Json, *, symbol: str) -> Trade:
    """A trade under ``last``, its time in milliseconds."""
    row = member(raw, "last")
    check_about(symbol, raw.get("symbol"))
    return Trade(
        symbol=symbol,
        time_ns=ns_by_size(row["timestamp"]) or 0,
        provider=PROVIDER,
        is_delayed=is_delayed(raw),
        price=number(row["price"]),
        size=number(row["size"]),
        exchange=word_or_none(row.get("exchange")),
        conditions=words(row.get("conditions")),
    )


def read_forex_quote(raw: Json, *, symbol: str) -> Quote:
    """A quote under ``last``, its time in milliseconds; there are no sizes."""
    row = member(raw, "last")
    check_about(symbol, raw.get("symbol"))
    exchange = word_or_none(row.get("exchange"))
    return Quote(
        symbol=symbol,
        time_ns=ns_by_size(row["timestamp"]) or 0,
        provider=PROVIDER,
        is_delayed=is_delayed(raw),
        bid=number(row["bid"]),
        ask=number(row["ask"]),
        bid_size=0.0,
        ask_size=0.0,
        bid_exchange=exchange,
        ask_exchange=exchange,
    )


def read_conversion(raw: Json) -> Conversion:
    """An amount in another currency.

    ``last`` is left in ``raw``: it was seen to quote the inverse pair.
    """
    at = member(raw, "last").get("timestamp")
    return Conversion.read(
        {
            "base": member(raw, "from"),
            "quoted_in": member(raw, "to"),
            "amount": member(raw, "initialAmount"),
            "converted": member(raw, "converted"),
            "quoted_ns": ns_by_size(at),
            "answer": raw,
        }
    )


@api.get("/v2/last/trade/{ticker}", returns=read_last_trade)
def last_trade(ticker: str) -> Parts:
    """The last trade of a stock or an option."""
    return Parts(path={"ticker": checked(ticker)}, context={"symbol": ticker})


@api.get("/v2/last/nbbo/{ticker}", returns=read_last_quote)
def last_quote(ticker: str) -> Parts:
    """The national best bid and offer of a stock."""
    return Parts(path={"ticker": checked(ticker)}, context={"symbol": ticker})


@api.get("/v1/last/crypto/{from}/{to}", returns=read_crypto_trade)
def last_crypto_trade(base: str, quoted_in: str) -> Parts:
    """The last trade of a crypto pair."""
    context: dict[str, Any] = {"symbol": f"X:{base}{quoted_in}"}
    return Parts(path={"from": base, "to": quoted_in}, context=context)


@api.get("/v1/last_quote/currencies/{from}/{to}", returns=read_forex_quote)
def last_forex_quote(ticker: str) -> Parts:
    """The last quote of a currency pair such as ``C:EURUSD``."""
    base, quoted_in = currency_pair(ticker)
    return Parts(path={"from": base, "to": quoted_in}, context={"symbol": ticker})


@api.get("/v1/conversion/{from}/{to}", returns=read_conversion)
def conversion(
    base: str, quoted_in: str, amount: Decimal | int = 1, *, precision: int | None = None
) -> Parts:
    """An amount of one currency in another."""
    return Parts(
        path={"from": base, "to": quoted_in}, query={"amount": amount, "precision": precision}
    )
