"""Crypto perpetual futures, such as ``BTC-PERP`` or ``BTCUSDT.P``: the latest of them.

https://docs.alpaca.markets/reference/cryptoperplatestquotes
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sentio_async.connectors.alpaca.data_values import PerpetualPricing
from sentio_async.connectors.alpaca.wire import data_rows as rows
from sentio_async.connectors.alpaca.wire.data_answers import latest
from sentio_async.connectors.alpaca.wire.data_api import api
from sentio_async.connectors.alpaca.wire.data_crypto import RawBook, at_venue, read_books
from sentio_async.http.endpoint import Parts
from sentio_async.http.reading import ns_from_text
from sentio_async.models import Batch

__all__ = [
    "perpetual_bars",
    "perpetual_books",
    "perpetual_pricing",
    "perpetual_quotes",
    "perpetual_trades",
]


class RawPricing(msgspec.Struct, gc=False):
    """``t``, mark ``mp``, index ``ip``, interest ``oi``, funding rate ``fr`` and time ``ft``."""

    t: str
    mp: float
    ip: float
    oi: float
    fr: float
    ft: str


def read_pricing(raw: rows.Latest, *, feed: rows.Feed = rows.ANY_FEED) -> Batch[PerpetualPricing]:
    """How each perpetual is priced."""
    return rows.each(raw, rows.one_by_one(_read_pricing), feed)


def _read_pricing(symbol: str, raw: RawPricing, _feed: rows.Feed) -> PerpetualPricing:
    return PerpetualPricing(
        symbol=symbol,
        time_ns=ns_from_text(raw.t),
        mark_price=raw.mp,
        index_price=raw.ip,
        open_interest=raw.oi,
        funding_rate=raw.fr,
        next_funding_ns=ns_from_text(raw.ft),
    )


@api.get(
    "/v1beta1/crypto-perps/{loc}/latest/bars",
    returns=rows.latest_bars,
    decode=latest("bars", rows.RawBar),
)
def perpetual_bars(symbols: Iterable[str], *, location: str = "global") -> Parts:
    """The latest minute bar of many perpetuals."""
    return at_venue(symbols, location)


@api.get(
    "/v1beta1/crypto-perps/{loc}/latest/trades",
    returns=rows.latest_trades,
    decode=latest("trades", rows.RawTrade),
)
def perpetual_trades(symbols: Iterable[str], *, location: str = "global") -> Parts:
    """The latest trade of many perpetuals."""
    return at_venue(symbols, location)


@api.get(
    "/v1beta1/crypto-perps/{loc}/latest/quotes",
    returns=rows.latest_quotes,
    decode=latest("quotes", rows.RawQuote),
)
def perpetual_quotes(symbols: Iterable[str], *, location: str = "global") -> Parts:
    """The latest quote of many perpetuals."""
    return at_venue(symbols, location)


@api.get(
    "/v1beta1/crypto-perps/{loc}/latest/orderbooks",
    returns=read_books,
    decode=latest("orderbooks", RawBook),
)
def perpetual_books(symbols: Iterable[str], *, location: str = "global") -> Parts:
    """The order books of many perpetuals."""
    return at_venue(symbols, location)


@api.get(
    "/v1beta1/crypto-perps/{loc}/latest/pricing",
    returns=read_pricing,
    decode=latest("pricing", RawPricing),
)
def perpetual_pricing(symbols: Iterable[str], *, location: str = "global") -> Parts:
    """Mark price, index price, open interest and funding of many perpetuals."""
    return at_venue(symbols, location)
