"""Currencies, indices and bonds: a number a time.

https://docs.alpaca.markets/reference/latestrates-1
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from sentio_async import errors
from sentio_async.connectors.alpaca.data_values import (
    BondPrice,
    BondQuote,
    CurrencyRate,
    IndexValue,
)
from sentio_async.connectors.alpaca.wire import data_rows as rows
from sentio_async.connectors.alpaca.wire.data_answers import history, latest
from sentio_async.connectors.alpaca.wire.data_api import ANY_TIME, Span, api, listed
from sentio_async.http.endpoint import Parts
from sentio_async.http.reading import ns_from_text
from sentio_async.models import Batch, Page, Rows
from sentio_async.resilience.limiter import Priority

__all__ = [
    "MOST_QUOTED_BONDS",
    "bond_prices",
    "bond_quotes",
    "currency_rates",
    "index_values",
    "latest_currency_rates",
    "latest_index_values",
]


MOST_QUOTED_BONDS = 100
"""ISINs that one request for quotes may name."""


class RawRate(msgspec.Struct, gc=False):
    """``t bp mp ap``."""

    t: str
    bp: float
    mp: float
    ap: float


class RawIndexValue(msgspec.Struct, gc=False):
    """``t v``."""

    t: str
    v: float


class RawBondPrice(msgspec.Struct, gc=False):
    """``t p``, yields to maturity and to worst."""

    t: str
    p: float
    ytm: float | None = None
    ytw: float | None = None


class RawBondQuote(msgspec.Struct, gc=False):
    """As of a stock, with the smallest size that is dealt in, and yields; 0 where there is none."""

    t: str
    bp: float
    ap: float
    bs: float
    size_asked: float = msgspec.field(name="as")
    bms: float
    ams: float
    bytm: float
    aytm: float
    bytw: float
    aytw: float


def _rate(symbol: str, raw: RawRate, _feed: rows.Feed) -> CurrencyRate:
    return CurrencyRate(
        symbol=symbol, time_ns=ns_from_text(raw.t), bid=raw.bp, ask=raw.ap, mid=raw.mp
    )


def _index(symbol: str, raw: RawIndexValue, _feed: rows.Feed) -> IndexValue:
    return IndexValue(symbol=symbol, time_ns=ns_from_text(raw.t), value=raw.v)


def _bond_price(symbol: str, raw: RawBondPrice, _feed: rows.Feed) -> BondPrice:
    return BondPrice(
        symbol=symbol,
        time_ns=ns_from_text(raw.t),
        price=raw.p,
        yield_to_maturity=raw.ytm,
        yield_to_worst=raw.ytw,
    )


def _bond_quote(symbol: str, raw: RawBondQuote, _feed: rows.Feed) -> BondQuote:
    return BondQuote(
        symbol=symbol,
        time_ns=ns_from_text(raw.t),
        bid=raw.bp,
        ask=raw.ap,
        bid_size=raw.bs,
        ask_size=raw.size_asked,
        bid_min_size=raw.bms,
        ask_min_size=raw.ams,
        bid_yield_to_maturity=raw.bytm,
        ask_yield_to_maturity=raw.aytm,
        bid_yield_to_worst=raw.bytw,
        ask_yield_to_worst=raw.aytw,
    )


def read_rates(raw: rows.History) -> Page[dict[str, Rows[CurrencyRate]]]:
    """Rates by pair, and where the rest is."""
    return rows.page_of(raw, rows.one_by_one(_rate), rows.ANY_FEED)


def read_latest_rates(raw: rows.Latest) -> Batch[CurrencyRate]:
    """The latest rate of each pair."""
    return rows.each(raw, rows.one_by_one(_rate), rows.ANY_FEED)


def read_index_values(raw: rows.History) -> Page[dict[str, Rows[IndexValue]]]:
    """Values by index, and where the rest is."""
    return rows.page_of(raw, rows.one_by_one(_index), rows.ANY_FEED)


def read_latest_index_values(raw: rows.Latest) -> Batch[IndexValue]:
    """The latest value of each index."""
    return rows.each(raw, rows.one_by_one(_index), rows.ANY_FEED)


def read_bond_prices(raw: rows.Latest) -> Batch[BondPrice]:
    """The latest price of each bond."""
    return rows.each(raw, rows.one_by_one(_bond_price), rows.ANY_FEED)


def read_bond_quotes(raw: rows.Latest) -> Batch[BondQuote]:
    """The latest quote of each bond."""
    return rows.each(raw, rows.one_by_one(_bond_quote), rows.ANY_FEED)


_RATE_STEPS = re.compile(r"5S(?:ec)?|1(?:T|Min)|1D(?:ay)?")


def _rate_step(text: str) -> str:
    if not _RATE_STEPS.fullmatch(text):
        raise errors.InvalidRequestError(f"timeframe: {text!r} is not one of 5Sec, 1Min, 1Day")
    return text


@api.get(
    "/v1beta1/forex/rates",
    returns=read_rates,
    decode=history("rates", RawRate),
    priority=Priority.HISTORY,
)
def currency_rates(pairs: Iterable[str], timeframe: str = "1Min", span: Span = ANY_TIME) -> Parts:
    """Rates of many pairs (``USDJPY``), every five seconds, minute or day."""
    step = _rate_step(timeframe)
    return Parts(query={"currency_pairs": listed(pairs), "timeframe": step, **span.query()})


@api.get("/v1beta1/forex/latest/rates", returns=read_latest_rates, decode=latest("rates", RawRate))
def latest_currency_rates(pairs: Iterable[str]) -> Parts:
    """The latest rate of many pairs."""
    return Parts(query={"currency_pairs": listed(pairs)})


@api.get(
    "/v1beta1/indices/values",
    returns=read_index_values,
    decode=history("values", RawIndexValue),
    priority=Priority.HISTORY,
)
def index_values(symbols: Iterable[str], span: Span = ANY_TIME) -> Parts:
    """Values of many indices (``SPX``)."""
    return Parts(query={"symbols": listed(symbols), **span.query()})


@api.get(
    "/v1beta1/indices/latest/values",
    returns=read_latest_index_values,
    decode=latest("values", RawIndexValue),
)
def latest_index_values(symbols: Iterable[str]) -> Parts:
    """The latest value of many indices."""
    return Parts(query={"symbols": listed(symbols)})


@api.get(
    "/v1beta1/fixed_income/latest/prices",
    returns=read_bond_prices,
    decode=latest("prices", RawBondPrice),
)
def bond_prices(isins: Iterable[str]) -> Parts:
    """The latest price of many bonds, at most 1,000."""
    return Parts(query={"isins": listed(isins)})


@api.get(
    "/v1beta1/fixed_income/latest/quotes",
    returns=read_bond_quotes,
    decode=latest("quotes", RawBondQuote),
)
def bond_quotes(isins: Iterable[str], *, trade_size: int | None = None) -> Parts:
    """The best quote of many bonds, at most 100, that deals in ``trade_size`` of par value."""
    return Parts(query={"isins": listed(isins), "trade_size": trade_size})
