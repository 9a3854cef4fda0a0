"""Which of Alpaca's market-data calls answers a question, by the shape of the symbol.

``AAPL`` is a stock, ``BTC/USD`` a crypto pair, ``AAPL240126P00050000`` an option.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, NoReturn
from urllib.parse import quote

from sentio_async import errors
from sentio_async.connectors.alpaca.wire import (
    data_crypto,
    data_options,
    data_stock,
    data_stocks,
)
from sentio_async.connectors.alpaca.wire.data_api import Span
from sentio_async.http.endpoint import Call
from sentio_async.models import Bar, Bars, Batch, Page, Quote, Rows, Snapshot, Trade

__all__ = ["Kind", "Sources", "kind_of", "pack"]

# One to six letters and digits of root, a date, C or P, eight digits of price.
_TAIL = 15
_OPTION = re.compile(r"[A-Z][A-Z0-9]{0,5}\d{6}[CP]\d{8}")
# Alpaca names no limit for stocks and crypto; a request line of 8 kB is what servers take.
_MOST_SYMBOLS = 200
_MOST_CHARACTERS = 6000


class Kind(Enum):
    """The markets that have the same questions under other paths."""

    STOCK = "stock"
    CRYPTO = "crypto"
    OPTION = "option"


def kind_of(symbol: str) -> Kind:
    """The market of a symbol, by its shape."""
    if "/" in symbol:
        return Kind.CRYPTO
    is_option = len(symbol) > _TAIL and _OPTION.fullmatch(symbol)
    return Kind.OPTION if is_option else Kind.STOCK


def pack(symbols: Iterable[str], most: int | None = None) -> Iterator[list[str]]:
    """The symbols in as few lists as there must be requests, each list of one kind."""
    names = list(symbols if isinstance(symbols, dict) else dict.fromkeys(symbols))
    text = "".join(names)
    # An option has digits and a pair a slash: thousands of stocks are seen to be that at one look.
    if text.isalpha() and text.isascii():
        step = _MOST_SYMBOLS if most is None else most
        packs = [names[begin : begin + step] for begin in range(0, len(names), step)]
        if all(len(",".join(packed)) < _MOST_CHARACTERS for packed in packs):
            yield from packs
            return
    by_kind: dict[Kind, list[str]] = {}
    for symbol in names:
        by_kind.setdefault(kind_of(symbol), []).append(symbol)
    for kind, names in by_kind.items():
        usual = data_options.MOST_CONTRACTS if kind is Kind.OPTION else _MOST_SYMBOLS
        yield from _pack_one_kind(names, usual if most is None else most)


def _pack_one_kind(names: Sequence[str], most: int) -> Iterator[list[str]]:
    packed: list[str] = []
    length = 0
    for name in names:
        cost = len(name if name.isalnum() and name.isascii() else quote(name, safe="/")) + 1
        if packed and (len(packed) == most or length + cost > _MOST_CHARACTERS):
            yield packed
            packed, length = [], 0
        packed.append(name)
        length += cost
    if packed:
        yield packed


def _not_offered(what: str) -> NoReturn:
    raise errors.NotSupportedError(f"{what}: Alpaca does not offer them", connector="alpaca")


@dataclass(frozen=True, slots=True)
class Sources:
    """Where prices come from: the feeds of stocks and options, the venue of crypto."""

    stocks: str | None = None
    options: str | None = None
    crypto: str = "us"

    def quotes(self, symbols: Sequence[str]) -> Call[Batch[Quote]]:
        """The latest quotes of symbols of one kind."""
        match kind_of(symbols[0]):
            case Kind.CRYPTO:
                return data_crypto.latest_crypto_quotes(symbols, location=self.crypto)
            case Kind.OPTION:
                return data_options.latest_option_quotes(symbols, feed=self.options)
        return data_stocks.latest_quotes(symbols, feed=self.stocks)

    def trades(self, symbols: Sequence[str]) -> Call[Batch[Trade]]:
        """The latest trades of symbols of one kind."""
        match kind_of(symbols[0]):
            case Kind.CRYPTO:
                return data_crypto.latest_crypto_trades(symbols, location=self.crypto)
            case Kind.OPTION:
                return data_options.latest_option_trades(symbols, feed=self.options)
        return data_stocks.latest_trades(symbols, feed=self.stocks)

    def bars(self, symbols: Sequence[str]) -> Call[Batch[Bar]]:
        """The latest minute bars of symbols of one kind."""
        match kind_of(symbols[0]):
            case Kind.CRYPTO:
                return data_crypto.latest_crypto_bars(symbols, location=self.crypto)
            case Kind.OPTION:
                _not_offered("latest bars of options")
        return data_stocks.latest_bars(symbols, feed=self.stocks)

    def snapshots(self, symbols: Sequence[str]) -> Call[Batch[Snapshot]]:
        """The snapshots of stocks, or of crypto pairs; options have snapshots of their own."""
        if kind_of(symbols[0]) is Kind.CRYPTO:
            return data_crypto.crypto_snapshots(symbols, location=self.crypto)
        return data_stocks.snapshots(symbols, feed=self.stocks)

    def quote(self, symbol: str) -> Call[Quote | Batch[Quote] | None]:
        """The latest quote of one symbol: alone, or in a batch."""
        if kind_of(symbol) is Kind.STOCK:
            return data_stock.latest_quote_of(symbol, feed=self.stocks)
        return self.quotes([symbol])

    def trade(self, symbol: str) -> Call[Trade | Batch[Trade] | None]:
        """The latest trade of one symbol, as ``quote``."""
        if kind_of(symbol) is Kind.STOCK:
            return data_stock.latest_trade_of(symbol, feed=self.stocks)
        return self.trades([symbol])

    def bar(self, symbol: str) -> Call[Bar | Batch[Bar] | None]:
        """The latest minute bar of one symbol, as ``quote``."""
        if kind_of(symbol) is Kind.STOCK:
            return data_stock.latest_bar_of(symbol, feed=self.stocks)
        return self.bars([symbol])

    def snapshot(self, symbol: str) -> Call[Batch[Snapshot]]:
        """The snapshot of one stock or pair."""
        if kind_of(symbol) is Kind.STOCK:
            return data_stock.snapshot_of(symbol, feed=self.stocks)
        return self.snapshots([symbol])

    def past_bars(
        self, symbols: Sequence[str], timeframe: str, span: Span, **options: Any
    ) -> Call[Page[dict[str, Bars]]]:
        """A page of bars of symbols of one kind."""
        match kind_of(symbols[0]):
            case Kind.CRYPTO:
                return data_crypto.crypto_bars(
                    symbols, timeframe, span, **{"location": self.crypto, **options}
                )
            case Kind.OPTION:
                return data_options.option_bars(symbols, timeframe, span, **options)
        options = {"feed": self.stocks, **options}
        if len(symbols) == 1:
            return data_stock.bars_of(symbols[0], timeframe, span, **options)
        return data_stocks.bars(symbols, timeframe, span, **options)

    def past_trades(
        self, symbols: Sequence[str], span: Span, **options: Any
    ) -> Call[Page[dict[str, Rows[Trade]]]]:
        """A page of trades of symbols of one kind."""
        match kind_of(symbols[0]):
            case Kind.CRYPTO:
                return data_crypto.crypto_trades(
                    symbols, span, **{"location": self.crypto, **options}
                )
            case Kind.OPTION:
                return data_options.option_trades(symbols, span, **options)
        options = {"feed": self.stocks, **options}
        if len(symbols) == 1:
            return data_stock.trades_of(symbols[0], span, **options)
        return data_stocks.trades(symbols, span, **options)

    def past_quotes(
        self, symbols: Sequence[str], span: Span, **options: Any
    ) -> Call[Page[dict[str, Rows[Quote]]]]:
        """A page of quotes of symbols of one kind."""
        match kind_of(symbols[0]):
            case Kind.CRYPTO:
                return data_crypto.crypto_quotes(
                    symbols, span, **{"location": self.crypto, **options}
                )
            case Kind.OPTION:
                _not_offered("past quotes of options")
        options = {"feed": self.stocks, **options}
        if len(symbols) == 1:
            return data_stock.quotes_of(symbols[0], span, **options)
        return data_stocks.quotes(symbols, span, **options)
