"""Where prices come from: bars cut into smaller bars, and those into trades.

A day's bar follows from the seed, the symbol and the date. It is cut into hours, an hour into
minutes, a minute into trades, and each cut keeps the whole: the parts begin where the last one
ended, reach the same high and low, end at the same close and add up to the same volume. So any
stretch of any length can be asked for in any order, and a bar always agrees with its trades.
Recorded bars are cut by the same rules.
"""

import math
import random
from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple, Protocol

from sentio_async.sim.calendar import day_of, midnight_ns, session_on
from sentio_async.sim.clock import SECOND
from sentio_async.sim.instruments import Contract, Instrument

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = timedelta(days=1)
YEAR_DAYS = 365.0

Hours = Literal["always", "nyse"]
Step = int | Literal["day", "week", "month"]

# How far prices wander: (days per swing, part of the price). Longer swings are larger, as in a
# random walk, and all of them come back.
SWINGS = ((251, 0.16), (63, 0.07), (17, 0.04), (5, 0.02), (1, 0.008))


class Cell(NamedTuple):
    """A bar in whole ticks and lots; its trades lie in `begin_ns <= t < end_ns`."""

    time_ns: int
    begin_ns: int
    end_ns: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    trades: int


class Tape(Protocol):
    """One symbol's bars at every moment, past and to come."""

    levels: tuple[str, ...]
    """Kinds of cells from the longest to the shortest; the last is what trades are cut from."""
    per_minute: int

    def level_for(self, step: Step) -> str | None:
        """The longest cells that add up to bars of this step; None when only trades do."""

    def cells(self, level: str, start_ns: int, end_ns: int) -> list[Cell]:
        """The cells with `start_ns <= begin_ns < end_ns`, ascending."""

    def last_cell(self, at_ns: int) -> Cell | None:
        """The shortest cell that began last, at that moment or before it."""


def luck(*key: object) -> random.Random:
    """Chance that is the same for the same key."""
    return random.Random("|".join(map(str, key)))


def split(total: int, parts: int, least: int, chance: random.Random) -> list[int]:
    """Uneven shares of a whole, none below `least` where the whole allows it."""
    least = min(least, total // parts)
    rest = total - least * parts
    phase, waves = chance.random() * math.tau, 1 + int(chance.random() * min(7, parts))
    # The slope stays positive as long as the wave is flatter than the straight line.
    height = 0.8 / (math.tau * waves)
    shares, taken = [], 0
    offset = math.sin(phase)
    for n in range(1, parts + 1):
        x = n / parts
        upto = rest
        if n < parts:
            upto = int(rest * (x + height * (math.sin(math.tau * waves * x + phase) - offset)))
            upto = min(max(upto, taken), rest)
        shares.append(least + upto - taken)
        taken = upto
    return shares


def subdivide(cell: Cell, edges: Sequence[int], chance: random.Random) -> list[Cell]:
    """Cut a cell at these moments; the first and last edge are its own ends."""
    parts = len(edges) - 1
    if parts == 1:
        return [cell._replace(time_ns=edges[0], begin_ns=edges[0], end_ns=edges[1])]
    turns = _turns(cell, parts, chance)
    points = _points(cell, parts, turns, chance)
    trades = max(1, cell.trades // parts)
    volumes = split(cell.volume, parts, trades, chance)
    wick = (cell.high - cell.low) * 0.15
    cells = []
    for n in range(parts):
        first, last = points[n], points[n + 1]
        high, low = (first, last) if first > last else (last, first)
        high = min(cell.high, high + int(chance.random() * wick))
        low = max(cell.low, low - int(chance.random() * wick))
        for place, price in turns:
            if place == n:
                high, low = max(high, price), min(low, price)
        edge, end = edges[n], edges[n + 1]
        cells.append(Cell(edge, edge, end, first, high, low, last, volumes[n], trades))
    return cells


def _turns(cell: Cell, parts: int, chance: random.Random) -> tuple[tuple[int, int], ...]:
    """In which part the high and the low are reached, in order of time."""
    early, late = sorted((int(chance.random() * parts), int(chance.random() * parts)))
    dips_first = (cell.close >= cell.open) != (chance.random() < 0.2)
    if dips_first:
        return (early, cell.low), (late, cell.high)
    return (early, cell.high), (late, cell.low)


def _points(
    cell: Cell, parts: int, turns: tuple[tuple[int, int], ...], chance: random.Random
) -> list[int]:
    (early, one), (late, two) = turns
    anchors = ((0.0, cell.open), (early + 0.5, one), (late + 0.5, two), (float(parts), cell.close))
    noise = (cell.high - cell.low) * 0.25
    points = [cell.open]
    leg = 0
    for n in range(1, parts):
        while n > anchors[leg + 1][0]:
            leg += 1
        (x0, y0), (x1, y1) = anchors[leg], anchors[leg + 1]
        y = y0 + (y1 - y0) * (n - x0) / (x1 - x0) + (chance.random() - 0.5) * noise
        points.append(min(cell.high, max(cell.low, round(y))))
    points.append(cell.close)
    return points


def ticks(cell: Cell, count: int, chance: random.Random) -> list[tuple[int, int, int]]:
    """The trades of a shortest cell as (time, price, size) in ticks and lots."""
    count = max(4, count)
    length = cell.end_ns - cell.begin_ns
    prices = _tick_prices(cell, count, chance)
    # An index has no volume; its ticks still have a size.
    sizes = split(max(cell.volume, count), count, 1, chance)
    rows, slot = [], length / count
    for n in range(count):
        offset = int((n + 0.02 + chance.random() * 0.9) * slot)
        rows.append((cell.begin_ns + offset, prices[n], sizes[n]))
    return rows


def _tick_prices(cell: Cell, count: int, chance: random.Random) -> list[int]:
    inner = count - 2
    turns = _turns(cell, inner, chance)
    points = _points(cell, inner, turns, chance)
    (early, one), (late, two) = turns
    prices = [cell.open, *points[1:], cell.close]
    prices[1 + early] = one
    # Both fell into one part: the close is the last price in any case, so step aside.
    place = 1 + late if late != early else (late + 2 if late + 2 < count - 1 else early)
    prices[place] = two
    return prices


class SeededTape:
    """Prices that wander around the instrument's usual price and always come back."""

    levels: tuple[str, ...] = ("day", "hour", "minute")

    def __init__(self, instrument: Instrument, seed: int, hours: Hours) -> None:
        self._seed = seed
        self._instrument = instrument
        is_stock = instrument.asset_class != "crypto"
        self._hours: Hours = hours if is_stock else "always"
        self._base = int(instrument.base.scaleb(instrument.digits))
        self.per_minute = max(4, min(30, instrument.volume // 600))
        self._level = lru_cache(maxsize=8192)(self._find_level)
        self._day = lru_cache(maxsize=8192)(self._make_day)
        self._day_hours = lru_cache(maxsize=1024)(self._make_hours)
        self._hour_minutes = lru_cache(maxsize=256)(self._make_minutes)

    def level_for(self, step: Step) -> str | None:
        """The longest cells that add up to bars of this step; None when only trades do."""
        if isinstance(step, str):
            return "day"
        if step % HOUR == 0:
            return "hour"
        return "minute" if step % MINUTE == 0 else None

    def cells(self, level: str, start_ns: int, end_ns: int) -> list[Cell]:
        """The cells with `start_ns <= begin_ns < end_ns`, ascending."""
        if start_ns >= end_ns:
            return []
        found: list[Cell] = []
        day, last = day_of(start_ns), day_of(end_ns - 1)
        while day <= last:
            whole = self._day(day)
            if whole is not None:
                if level == "day":
                    found.append(whole)
                elif level == "hour":
                    found.extend(self._day_hours(whole))
                else:
                    for hour in self._day_hours(whole):
                        if hour.end_ns > start_ns and hour.begin_ns < end_ns:
                            found.extend(self._hour_minutes(hour))
            day += DAY
        return [cell for cell in found if start_ns <= cell.begin_ns < end_ns]

    def last_cell(self, at_ns: int) -> Cell | None:
        """The minute that began last, at that moment or before it."""
        day = day_of(at_ns)
        for _ in range(10):
            whole = self._day(day)
            if whole is not None and whole.begin_ns <= at_ns:
                hours = [hour for hour in self._day_hours(whole) if hour.begin_ns <= at_ns]
                minutes = self._hour_minutes(hours[-1])
                return next(cell for cell in reversed(minutes) if cell.begin_ns <= at_ns)
            day -= DAY
        return None

    def _window(self, day: date) -> tuple[int, int] | None:
        if self._hours == "always":
            return midnight_ns(day), midnight_ns(day + DAY)
        session = session_on(day)
        if session is None:
            return None
        return session.extended_opens_ns(), session.extended_closes_ns()

    def _make_day(self, day: date) -> Cell | None:
        window = self._window(day)
        if window is None:
            return None
        begin, end = window
        number = day.toordinal()
        first, last = self._level(number), self._level(number + 1)
        chance = luck(self._seed, self._instrument.symbol, "day", number)
        wick = self._base * 0.02 * self._instrument.volatility
        high = max(first, last) + int(wick * chance.random())
        low = max(1, min(first, last) - int(wick * chance.random()))
        hours = (end - begin) // HOUR
        volume = int(self._instrument.volume * hours * (0.5 + chance.random()))
        trades = self.per_minute * 60 * hours
        return Cell(midnight_ns(day), begin, end, first, high, low, last, volume, trades)

    def _make_hours(self, day: Cell) -> list[Cell]:
        edges = range(day.begin_ns, day.end_ns + 1, HOUR)
        chance = luck(self._seed, self._instrument.symbol, "hours", day.begin_ns)
        return subdivide(day, edges, chance)

    def _make_minutes(self, hour: Cell) -> list[Cell]:
        edges = range(hour.begin_ns, hour.end_ns + 1, MINUTE)
        chance = luck(self._seed, self._instrument.symbol, "minutes", hour.begin_ns)
        return subdivide(hour, edges, chance)

    def _find_level(self, number: int) -> int:
        shift = 0.0
        for days, height in SWINGS:
            node, into = divmod(number, days)
            x = into / days
            x = x * x * (3 - 2 * x)
            one, two = self._swing(days, node), self._swing(days, node + 1)
            shift += height * (one + (two - one) * x)
        return max(100, round(self._base * math.exp(shift * self._instrument.volatility)))

    def _swing(self, days: int, node: int) -> float:
        return _swing(self._seed, self._instrument.symbol, days, node)


@lru_cache(maxsize=65_536)
def _swing(seed: int, symbol: str, days: int, node: int) -> float:
    return luck(seed, symbol, "swing", days, node).random() * 2 - 1


class OptionTape:
    """A contract's prices, from its underlying's by Black and Scholes.

    Time to expiry counts in whole days, so that within one day a higher stock price is always a
    higher call and a lower put, and the contract's bars follow from the stock's.
    """

    def __init__(
        self, contract: Contract, instrument: Instrument, stock: Tape, digits: int
    ) -> None:
        self.levels = stock.levels
        self.per_minute = 4
        self._stock = stock
        self._contract = contract
        self._scale = 10.0**-digits
        self._sigma = 0.32
        self._ends = midnight_ns(contract.expires) + 16 * HOUR
        self._lots_per_minute = max(self.per_minute, instrument.volume // 60)

    def level_for(self, step: Step) -> str | None:
        """What the stock's tape says."""
        return self._stock.level_for(step)

    def cells(self, level: str, start_ns: int, end_ns: int) -> list[Cell]:
        """The stock's cells until expiry, priced as this contract."""
        cells = self._stock.cells(level, start_ns, min(end_ns, self._ends))
        return [self._priced(cell) for cell in cells]

    def last_cell(self, at_ns: int) -> Cell | None:
        """The shortest cell that began last, at expiry at the latest."""
        cell = self._stock.last_cell(min(at_ns, self._ends - 1))
        return None if cell is None else self._priced(cell)

    def _priced(self, cell: Cell) -> Cell:
        days = (self._contract.expires - day_of(cell.begin_ns)).days
        prices = [self._price(p, days) for p in (cell.open, cell.high, cell.low, cell.close)]
        minutes = max(1, (cell.end_ns - cell.begin_ns) // MINUTE)
        return cell._replace(
            open=prices[0],
            high=max(prices),
            low=min(prices),
            close=prices[3],
            volume=self._lots_per_minute * minutes,
            trades=self.per_minute * minutes,
        )

    def _price(self, ticks_of_stock: int, days: int) -> int:
        spot = ticks_of_stock * self._scale
        strike = float(self._contract.strike)
        spread = self._sigma * math.sqrt(max(days, 0) / YEAR_DAYS + 1e-6)
        one = math.log(spot / strike) / spread + spread / 2
        call = spot * _normal(one) - strike * _normal(one - spread)
        value = call if self._contract.right == "call" else call - spot + strike
        return max(1, round(value * 100))


def _normal(x: float) -> float:
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))
