"""Polygon's names for what the exchange lists: AAPL, X:BTCUSD, C:EURUSD, I:SPX, O:AAPL..."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sentio_async.sim.instruments import Instrument
from sentio_async.sim.venues import rates
from sentio_async.sim.venues.polygon.asking import Ask

Kind = Literal["stocks", "crypto", "fx", "indices", "options"]

FUNDS = frozenset({"SPY", "QQQ", "IWM", "GLD", "TLT"})
MICS = {"NASDAQ": "XNAS", "NYSE": "XNYS", "ARCA": "ARCX"}
TAPES = {"NYSE": 1, "ARCA": 2, "NASDAQ": 3}
# Exchange ids by the letter under which an exchange reports.
EXCHANGES = {
    "A": 1,
    "B": 2,
    "C": 3,
    "D": 4,
    "J": 7,
    "K": 8,
    "M": 9,
    "N": 10,
    "P": 11,
    "Q": 12,
    "T": 12,
    "L": 14,
    "V": 15,
    "X": 17,
    "Y": 18,
    "Z": 19,
    "H": 20,
    "U": 21,
}
COINBASE = 1
OPTIONS_EXCHANGE = 309
FOREX_EXCHANGE = 48


@dataclass(frozen=True, slots=True)
class Named:
    """One ticker, and where its prices come from: an instrument or a rate."""

    ticker: str
    kind: Kind
    name: str
    instrument: Instrument | None = None
    rated: rates.Rated | None = None

    @property
    def is_utc(self) -> bool:
        """Whether its days begin at midnight UTC instead of New York's."""
        return self.kind in ("crypto", "fx")

    @property
    def symbol(self) -> str:
        """The market's name for it."""
        return self.instrument.symbol if self.instrument is not None else self.ticker

    def exchange(self, letter: str) -> int:
        """The id of an exchange on which it trades."""
        if self.kind == "crypto":
            return COINBASE
        if self.kind == "options":
            return OPTIONS_EXCHANGE
        return EXCHANGES.get(letter, 12)

    @property
    def type(self) -> str:
        """The kind of security: common stock or fund."""
        return "ETF" if self.ticker in FUNDS else "CS"

    @property
    def mic(self) -> str:
        """The listing exchange."""
        listed = self.instrument.exchange if self.instrument is not None else ""
        return MICS.get(listed, "XNAS")

    @property
    def tape(self) -> int:
        """The consolidated tape it reports to."""
        listed = self.instrument.exchange if self.instrument is not None else ""
        return TAPES.get(listed, 3)


def find(ask: Ask, ticker: str) -> Named | None:
    """What a ticker stands for; upper and lower case matter."""
    prefix, _, rest = ticker.rpartition(":")
    match prefix:
        case "":
            return _listed(ask, ticker, ticker, "stocks", "us_equity")
        case "X":
            pair = f"{rest[:-3]}/{rest[-3:]}"
            return _listed(ask, pair, ticker, "crypto", "crypto")
        case "O":
            return _listed(ask, rest, ticker, "options", "us_option")
        case "C" if rest in rates.PAIRS:
            return _rated(rates.PAIRS[rest])
        case "I" if rest in rates.INDICES:
            return _rated(rates.INDICES[rest])
    return None


def _listed(ask: Ask, symbol: str, ticker: str, kind: Kind, asset_class: str) -> Named | None:
    found = ask.tape.listed(symbol)
    if found is None or found.asset_class != asset_class:
        return None
    return _named(found, ticker, kind)


def _named(instrument: Instrument, ticker: str, kind: Kind) -> Named:
    name = instrument.name
    if kind == "crypto":
        name = name.replace(" / US Dollar", " - United States Dollar")
    return Named(ticker, kind, name, instrument=instrument)


def _rated(rated: rates.Rated) -> Named:
    if rated.symbol in rates.PAIRS:
        return Named(f"C:{rated.symbol}", "fx", rated.name, rated=rated)
    return Named(f"I:{rated.symbol}", "indices", rated.name, rated=rated)


def every(ask: Ask, kind: Kind | None = None) -> Iterator[Named]:
    """Every ticker but the options, or those of one kind."""
    for each in ask.state.market.instruments:
        if each.asset_class == "us_equity" and kind in (None, "stocks"):
            yield _named(each, each.symbol, "stocks")
        elif each.asset_class == "crypto" and kind in (None, "crypto"):
            yield _named(each, f"X:{each.symbol.replace('/', '')}", "crypto")
    if kind in (None, "fx"):
        yield from map(_rated, rates.PAIRS.values())
    if kind in (None, "indices"):
        yield from map(_rated, rates.INDICES.values())


def traded(ask: Ask, kind: Kind) -> list[Named]:
    """The tickers of one kind in which there is trading."""
    return [each for each in every(ask, kind) if is_active(each)]


def is_active(named: Named) -> bool:
    """Whether it still trades."""
    return named.instrument is None or named.instrument.tradable
