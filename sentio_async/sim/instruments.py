"""What can be traded on the exchange: stocks, funds, crypto pairs, and their options."""

import re
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Literal

AssetClass = Literal["us_equity", "crypto", "us_option"]
Right = Literal["call", "put"]

_IDS = uuid.UUID("5e6a1f0e-0f3c-5b7e-9d6f-3a4c5b6d7e8f")
_OCC = re.compile(r"^([A-Z.]{1,6}?)(\d{6})([CP])(\d{8})$")
# Contracts reach this far; a real chain reaches three years.
HORIZON = timedelta(days=92)
# Strikes lie within this part of the stock's usual price, on both sides.
REACH = Decimal("0.2")


@dataclass(frozen=True, slots=True)
class Contract:
    """What makes an option: its underlying, last day, strike and right."""

    underlying: str
    expires: date
    strike: Decimal
    right: Right

    @property
    def symbol(self) -> str:
        """The OCC symbol, without padding."""
        letter = "C" if self.right == "call" else "P"
        root = self.underlying.replace(".", "")
        return f"{root}{self.expires:%y%m%d}{letter}{int(self.strike * 1000):08d}"


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tradable thing.

    `base` is the price it returns to when prices are seeded; `digits` are the decimal places of
    its prices, `size_digits` those of its sizes; `volume` is what an ordinary hour trades.
    """

    symbol: str
    name: str
    asset_class: AssetClass
    exchange: str
    base: Decimal
    id: str = ""
    digits: int = 2
    size_digits: int = 0
    volume: int = 200_000
    volatility: float = 1.0
    tradable: bool = True
    fractionable: bool = True
    shortable: bool = True
    marginable: bool = True
    has_options: bool = False
    contract: Contract | None = None


def _stock(symbol: str, name: str, base: str, exchange: str, volume: int = 200_000) -> Instrument:
    return Instrument(
        symbol, name, "us_equity", exchange, Decimal(base), volume=volume, has_options=True
    )


def _coin(symbol: str, name: str, base: str, digits: int, volume: int) -> Instrument:
    return Instrument(
        f"{symbol}/USD",
        f"{name} / US Dollar",
        "crypto",
        "CRYPTO",
        Decimal(base),
        digits=digits,
        size_digits=4,
        volume=volume,
        volatility=2.0,
        shortable=False,
        marginable=False,
    )


LISTED: tuple[Instrument, ...] = (
    _stock("AAPL", "Apple Inc. Common Stock", "230", "NASDAQ", 2_500_000),
    _stock("MSFT", "Microsoft Corporation Common Stock", "430", "NASDAQ", 1_000_000),
    _stock("GOOG", "Alphabet Inc. Class C Capital Stock", "175", "NASDAQ", 800_000),
    _stock("GOOGL", "Alphabet Inc. Class A Common Stock", "174", "NASDAQ", 1_200_000),
    _stock("AMZN", "Amazon.com, Inc. Common Stock", "190", "NASDAQ", 1_800_000),
    _stock("META", "Meta Platforms, Inc. Class A Common Stock", "560", "NASDAQ", 700_000),
    _stock("TSLA", "Tesla, Inc. Common Stock", "250", "NASDAQ", 4_000_000),
    _stock("NVDA", "NVIDIA Corporation Common Stock", "125", "NASDAQ", 9_000_000),
    _stock("AMD", "Advanced Micro Devices, Inc. Common Stock", "155", "NASDAQ", 1_500_000),
    _stock("INTC", "Intel Corporation Common Stock", "23", "NASDAQ", 2_400_000),
    _stock("NFLX", "Netflix, Inc. Common Stock", "700", "NASDAQ", 150_000),
    _stock("COST", "Costco Wholesale Corporation Common Stock", "890", "NASDAQ", 80_000),
    _stock("ADBE", "Adobe Inc. Common Stock", "510", "NASDAQ", 110_000),
    _stock("CSCO", "Cisco Systems, Inc. Common Stock", "53", "NASDAQ", 700_000),
    _stock("PLTR", "Palantir Technologies Inc. Class A Common Stock", "40", "NASDAQ", 2_200_000),
    _stock("BRK.B", "Berkshire Hathaway Inc. New Common Stock", "455", "NYSE", 140_000),
    _stock("F", "Ford Motor Company", "11", "NYSE", 2_300_000),
    _stock("T", "AT&T Inc.", "21.5", "NYSE", 1_400_000),
    _stock("GE", "GE Aerospace", "185", "NYSE", 240_000),
    _stock("JPM", "JPMorgan Chase & Co.", "212", "NYSE", 400_000),
    _stock("BAC", "Bank of America Corporation", "40", "NYSE", 1_700_000),
    _stock("V", "Visa Inc.", "280", "NYSE", 300_000),
    _stock("WMT", "Walmart Inc.", "80", "NYSE", 800_000),
    _stock("DIS", "The Walt Disney Company", "95", "NYSE", 500_000),
    _stock("KO", "The Coca-Cola Company", "70", "NYSE", 600_000),
    _stock("XOM", "Exxon Mobil Corporation", "117", "NYSE", 700_000),
    _stock("PFE", "Pfizer Inc.", "28.5", "NYSE", 1_500_000),
    _stock("SPY", "SPDR S&P 500 ETF Trust", "570", "ARCA", 3_000_000),
    _stock("QQQ", "Invesco QQQ Trust, Series 1", "485", "NASDAQ", 1_900_000),
    _stock("IWM", "iShares Russell 2000 ETF", "220", "ARCA", 1_300_000),
    _stock("GLD", "SPDR Gold Shares", "245", "ARCA", 300_000),
    _stock("TLT", "iShares 20+ Year Treasury Bond ETF", "97", "NASDAQ", 1_600_000),
    # One that trades in whole shares only and cannot be sold short.
    replace(
        _stock("NXGL", "NexGel, Inc. Common Stock", "3.2", "NASDAQ", 4_000),
        fractionable=False,
        shortable=False,
        marginable=False,
        has_options=False,
    ),
    # One that is listed and halted for good.
    replace(
        _stock("TWTR", "Twitter, Inc. Common Stock", "53.7", "NYSE", 4_000),
        tradable=False,
        fractionable=False,
        shortable=False,
        has_options=False,
    ),
    _coin("BTC", "Bitcoin", "65000", 2, 400_000),
    _coin("ETH", "Ethereum", "2600", 2, 8_000_000),
    _coin("SOL", "Solana", "150", 3, 60_000_000),
    _coin("LTC", "Litecoin", "68", 3, 40_000_000),
    _coin("DOGE", "Dogecoin", "0.11", 6, 900_000_000_000),
)


def asset_id(symbol: str) -> str:
    """The id of a symbol: always the same one."""
    return str(uuid.uuid5(_IDS, symbol))


class Instruments:
    """Every instrument, by symbol or by id."""

    def __init__(self, listed: Iterable[Instrument] = LISTED) -> None:
        self._by_symbol: dict[str, Instrument] = {}
        self._by_id: dict[str, Instrument] = {}
        for each in listed:
            self.add(each)

    def __iter__(self) -> Iterator[Instrument]:
        """What is listed; option contracts come from `chain`."""
        return iter([each for each in self._by_symbol.values() if each.contract is None])

    def __contains__(self, symbol: object) -> bool:
        return isinstance(symbol, str) and self.get(symbol) is not None

    def add(self, instrument: Instrument) -> Instrument:
        """List one more instrument, or replace it; answers it with its id."""
        if not instrument.id:
            instrument = replace(instrument, id=asset_id(instrument.symbol))
        self._by_symbol[instrument.symbol] = instrument
        self._by_id[instrument.id] = instrument
        if instrument.asset_class == "crypto":
            self._by_id[instrument.symbol.replace("/", "")] = instrument
        return instrument

    def get(self, symbol_or_id: str) -> Instrument | None:
        """The instrument of a symbol, OCC symbol or id; `BTCUSD` finds `BTC/USD`."""
        found = self._by_symbol.get(symbol_or_id) or self._by_id.get(symbol_or_id)
        return found or self._option(symbol_or_id)

    def chain(self, underlying: str, today: date) -> list[Instrument]:
        """The option contracts alive on that day, by expiry, right and strike."""
        stock = self._by_symbol.get(underlying)
        if stock is None or not stock.has_options:
            return []
        contracts = [
            Contract(underlying, expires, strike, right)
            for expires in expirations(today)
            for right in _RIGHTS
            for strike in strikes(stock.base)
        ]
        return [self._listed(stock, each) for each in contracts]

    def _option(self, symbol: str) -> Instrument | None:
        match = _OCC.match(symbol)
        if match is None:
            return None
        root, expires, letter, strike = match.groups()
        stock = next((s for s in self if s.symbol.replace(".", "") == root and s.has_options), None)
        try:
            day = date(2000 + int(expires[:2]), int(expires[2:4]), int(expires[4:]))
        except ValueError:
            return None
        price = Decimal(strike) / 1000
        if stock is None or day.weekday() != 4 or price not in strikes(stock.base):
            return None
        right: Right = "call" if letter == "C" else "put"
        return self._listed(stock, Contract(stock.symbol, day, price, right))

    def _listed(self, stock: Instrument, contract: Contract) -> Instrument:
        known = self._by_symbol.get(contract.symbol)
        if known is not None:
            return known
        strike = contract.strike.normalize()
        return self.add(
            Instrument(
                contract.symbol,
                f"{stock.symbol} {contract.expires:%b %d %Y} {strike:f} {contract.right.title()}",
                "us_option",
                "OPRA",
                stock.base,
                digits=2,
                volume=max(60, stock.volume // 20_000 * 60),
                fractionable=False,
                shortable=False,
                marginable=False,
                contract=contract,
            )
        )


_RIGHTS: tuple[Right, Right] = ("call", "put")


def expirations(today: date) -> list[date]:
    """The Fridays from that day on, four weeks and then monthly, as far as contracts reach."""
    friday = today + timedelta(days=(4 - today.weekday()) % 7)
    fridays = [friday + timedelta(days=7 * n) for n in range(HORIZON.days // 7 + 1)]
    return [each for n, each in enumerate(fridays) if n < 4 or 15 <= each.day <= 21]


@lru_cache(maxsize=512)
def strikes(base: Decimal) -> tuple[Decimal, ...]:
    """The strikes listed for a stock whose usual price this is, ascending."""
    steps = ((25, "0.5"), (100, "1"), (250, "2.5"), (10_000, "5"))
    step = next((Decimal(width) for up_to, width in steps if base < up_to), Decimal(50))
    first = (base * (1 - REACH) / step).to_integral_value()
    last = (base * (1 + REACH) / step).to_integral_value()
    return tuple(step * n for n in range(int(first), int(last) + 1))
