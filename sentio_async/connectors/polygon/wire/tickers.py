"""Tickers: what they name is told by their prefix, and case matters (``KIMpL``).

``AAPL`` a stock, ``O:`` an option, ``X:`` a crypto pair, ``C:`` a currency pair, ``I:`` an index.
"""

from __future__ import annotations

from sentio_async import errors
from sentio_async.models import AssetClass

__all__ = ["asset_class", "checked", "currency_pair", "underlying_of"]

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


def checked(ticker: str) -> str:
    """The ticker as given; raises InvalidRequestError for what cannot be one."""
    if not (ticker and ticker.isprintable()) or "," in ticker or " " in ticker:
        raise errors.InvalidRequestError(f"symbol: {ticker!r} is not a ticker")
    return ticker


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
