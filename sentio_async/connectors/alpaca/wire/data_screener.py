"""What moved and what was traded most, and what Alpaca's codes mean.

https://docs.alpaca.markets/reference/movers-1, https://docs.alpaca.markets/reference/stockmetaexchanges-1
"""

from __future__ import annotations

from typing import Literal

import msgspec

from sentio_async import errors
from sentio_async.connectors.alpaca.data_values import ActiveStock, Mover, Movers
from sentio_async.connectors.alpaca.wire.data_answers import decode_as, refuse_words
from sentio_async.connectors.alpaca.wire.data_api import api
from sentio_async.http.endpoint import Parts
from sentio_async.http.reading import ns_from_text

__all__ = [
    "most_actives",
    "movers",
    "option_conditions",
    "option_exchanges",
    "stock_conditions",
    "stock_exchanges",
]


class RawMover(msgspec.Struct, gc=False):
    """What moved, how far; ``percent_change`` 1.0 is one per cent."""

    symbol: str
    price: float
    change: float
    percent_change: float


class RawMovers(msgspec.Struct):
    """Both ends of the list."""

    gainers: list[RawMover]
    losers: list[RawMover]
    last_updated: str


class RawActive(msgspec.Struct, gc=False):
    """What was traded."""

    symbol: str
    volume: float
    trade_count: int


class RawActives(msgspec.Struct):
    """The list of them."""

    most_actives: list[RawActive]


def read_movers(raw: RawMovers) -> Movers:
    """The largest gains and losses."""
    return Movers(
        gainers=tuple(map(_read_mover, raw.gainers)),
        losers=tuple(map(_read_mover, raw.losers)),
        updated_ns=ns_from_text(raw.last_updated),
    )


def _read_mover(raw: RawMover) -> Mover:
    return Mover(
        symbol=raw.symbol, price=raw.price, change=raw.change, change_percent=raw.percent_change
    )


def read_actives(raw: RawActives) -> list[ActiveStock]:
    """What was traded most, the most first."""
    return [
        ActiveStock(symbol=row.symbol, volume=row.volume, trade_count=row.trade_count)
        for row in raw.most_actives
    ]


def read_names(raw: dict[str, str] | None) -> dict[str, str]:
    """Names by code."""
    if raw is None:
        raise errors.DecodeError("names: the answer is empty")
    refuse_words(raw)
    return raw


_decode_names = decode_as(dict[str, str])


@api.get("/v1beta1/screener/{market_type}/movers", returns=read_movers, decode=decode_as(RawMovers))
def movers(market: Literal["stocks", "crypto"] = "stocks", *, top: int | None = None) -> Parts:
    """The largest gains and losses; ``top`` of each, at most 50."""
    return Parts(path={"market_type": market}, query={"top": top})


@api.get(
    "/v1beta1/screener/stocks/most-actives", returns=read_actives, decode=decode_as(RawActives)
)
def most_actives(by: Literal["volume", "trades"] | None = None, *, top: int | None = None) -> Parts:
    """The most traded stocks; at most 100."""
    return Parts(query={"by": by, "top": top})


@api.get("/v2/stocks/meta/exchanges", returns=read_names, decode=_decode_names)
def stock_exchanges() -> Parts:
    """Names of stock exchanges by the letter in quotes and trades."""
    return Parts()


@api.get("/v2/stocks/meta/conditions/{ticktype}", returns=read_names, decode=_decode_names)
def stock_conditions(tick: Literal["trade", "quote"], tape: Literal["A", "B", "C"]) -> Parts:
    """Names of conditions on one tape, by code."""
    return Parts(path={"ticktype": tick}, query={"tape": tape})


@api.get("/v1beta1/options/meta/exchanges", returns=read_names, decode=_decode_names)
def option_exchanges() -> Parts:
    """Names of option exchanges by letter."""
    return Parts()


@api.get("/v1beta1/options/meta/conditions/{ticktype}", returns=read_names, decode=_decode_names)
def option_conditions(tick: Literal["trade", "quote"]) -> Parts:
    """Names of conditions of option trades or quotes, by code."""
    return Parts(path={"ticktype": tick})
