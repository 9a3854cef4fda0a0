"""Tickers: what they name is told by their prefix, and case matters (``KIMpL``).

``AAPL`` a stock, ``O:`` an option, ``X:`` a crypto pair, ``C:`` a currency pair, ``I:`` an index.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from sentio_async import errors
from sentio_async.base.symbols import check_symbol as checked
from sentio_async.models import AssetClass

__all__ = [
    "all_checked",
    "asset_class",
    "check_about",
    "checked",
    "currency_pair",
    "is_same",
    "of_market",
    "underlying_of",
]

T = TypeVar("T")

_PREFIXES = {
    "O:": AssetClass.OPTION,
    "X:": AssetClass.CRYPTO,
    "C:": AssetClass.FOREX,
    "I:": AssetClass.INDEX,
}
# OCC: root, then date (6), C or P (1), strike (8).
_OCC_TAIL = 15


def asset_class(ticker: str) -> AssetClass:
    """What kind of instrument a ticker names."""
    return _PREFIXES.get(ticker[:2], AssetClass.STOCK)


def all_checked(tickers: Iterable[str] | None) -> str | None:
    """The tickers as a list in a query, None for no list; raises as ``checked`` does."""
    if tickers is None:
        return None
    names = list(tickers)
    text = ",".join(names)
    # Nearly all are letters, which is seen at one look.
    if text.replace(",", "").isalnum() and text.count(",") == len(names) - 1 and "" not in names:
        return text
    return ",".join(map(checked, names))


def check_about(ticker: str, named: object) -> None:
    """Raise DecodeError when an answer names another ticker than the one asked for.

    An answer that names nothing is taken as it is.
    """
    if isinstance(named, str) and named and not is_same(named, ticker):
        raise errors.DecodeError(f"{ticker}: the answer is about {named[:40]!r}")


def is_same(one: str, other: str) -> bool:
    """Both name the same.

    The vendor writes pairs as ``X:BTCUSD``, ``BTC-USD`` and ``EUR/USD``, and may leave out the
    prefix.
    """
    return _plain(one) == _plain(other)


def _plain(ticker: str) -> str:
    bare = ticker[2:] if ticker[:2] in _PREFIXES else ticker
    return bare.replace("-", "").replace("/", "")


def currency_pair(ticker: str) -> tuple[str, str]:
    """``C:EURUSD`` as ``("EUR", "USD")``; currency codes have three letters."""
    pair = ticker[2:]
    if asset_class(ticker) is not AssetClass.FOREX or len(pair) != 6:
        raise errors.InvalidRequestError(f"symbol: {ticker!r} is not a currency pair like C:EURUSD")
    return pair[:3], pair[3:]


def underlying_of(option: str) -> str:
    """``O:AAPL230616C00150000`` as ``AAPL``."""
    root = option.removeprefix("O:")[:-_OCC_TAIL]
    if not root:
        raise errors.InvalidRequestError(f"symbol: {option!r} is not an option ticker")
    return root


def of_market(choices: Mapping[str, T], market: str) -> T:
    """What there is for a market; raises InvalidRequestError for one that has nothing."""
    if market not in choices:
        raise errors.InvalidRequestError(f"market: {', '.join(choices)}, not {market!r}")
    return choices[market]
