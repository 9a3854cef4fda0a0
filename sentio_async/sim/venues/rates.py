"""Currency pairs and indices: prices nobody trades here, but everybody may read.

A rate is a sum of slow waves whose phases follow from the symbol, so any instant of any day can
be asked for in any order and always answers the same.
"""

import hashlib
import math
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from sentio_async.sim.venues.times import DAY, HOUR, MINUTE, SECOND

# Wave lengths and how far each moves the rate, as a part of it.
_WAVES = (
    (90 * DAY, 0.03),
    (9 * DAY, 0.008),
    (7 * HOUR, 0.002),
    (11 * MINUTE, 0.0003),
    (17 * SECOND, 0.00004),
)
# How many instants of a window its high and low are taken from.
POINTS = 12


@dataclass(frozen=True, slots=True)
class Rated:
    """One currency pair or index, with its usual level."""

    symbol: str
    name: str
    base: Decimal
    digits: int


PAIRS = {
    each.symbol: each
    for each in (
        Rated("EURUSD", "Euro - United States Dollar", Decimal("1.0850"), 5),
        Rated("GBPUSD", "British Pound Sterling - United States Dollar", Decimal("1.2700"), 5),
        Rated("AUDUSD", "Australian Dollar - United States Dollar", Decimal("0.6600"), 5),
        Rated("NZDUSD", "New Zealand Dollar - United States Dollar", Decimal("0.6000"), 5),
        Rated("USDJPY", "United States Dollar - Japanese Yen", Decimal("150.00"), 3),
        Rated("USDCAD", "United States Dollar - Canadian Dollar", Decimal("1.3700"), 5),
        Rated("USDCHF", "United States Dollar - Swiss Franc", Decimal("0.8800"), 5),
        Rated("USDCNY", "United States Dollar - Chinese Yuan", Decimal("7.2000"), 4),
        Rated("EURGBP", "Euro - British Pound Sterling", Decimal("0.8540"), 5),
    )
}
INDICES = {
    each.symbol: each
    for each in (
        Rated("SPX", "S&P 500", Decimal(5700), 2),
        Rated("NDX", "Nasdaq-100", Decimal(19900), 2),
        Rated("DJI", "Dow Jones Industrial Average", Decimal(42000), 2),
        Rated("RUT", "Russell 2000", Decimal(2200), 2),
        Rated("VIX", "Cboe Volatility Index", Decimal(16), 2),
    )
}


@dataclass(frozen=True, slots=True)
class RateBar:
    """Open, high, low and close of one window, with the count of changes in it."""

    time_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    trade_count: int


@lru_cache(maxsize=256)
def _phases(symbol: str) -> tuple[float, ...]:
    digest = hashlib.sha256(symbol.encode()).digest()
    return tuple(byte / 256 for byte in digest[:8])


def find(symbol: str) -> Rated | None:
    """The pair or index of that name."""
    return PAIRS.get(symbol) or INDICES.get(symbol)


def value(rated: Rated, time_ns: int) -> Decimal:
    """The middle rate at an instant."""
    moved = 0.0
    for (length, size), phase in zip(_WAVES, _phases(rated.symbol), strict=False):
        moved += size * math.sin(2 * math.pi * (time_ns % length / length + phase))
    step = Decimal(1).scaleb(-rated.digits)
    return (rated.base * Decimal(1 + moved)).quantize(step)


def spread(rated: Rated, time_ns: int) -> tuple[Decimal, Decimal]:
    """Bid and ask at an instant."""
    half = Decimal(1).scaleb(-rated.digits) * 2
    middle = value(rated, time_ns)
    return middle - half, middle + half


def bar(rated: Rated, start_ns: int, end_ns: int) -> RateBar:
    """The bar of the window from `start_ns` up to, not including, `end_ns`."""
    width = end_ns - start_ns
    points = [start_ns + width * n // POINTS for n in range(POINTS)] + [end_ns - 1]
    values = [value(rated, point) for point in points]
    changes = max(1, width // (2 * SECOND))
    return RateBar(start_ns, values[0], max(values), min(values), values[-1], changes)
