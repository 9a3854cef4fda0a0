"""Recorded bars: read from CSV or Parquet, and walked through as if they happened now."""

import csv
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from sentio_async.sim.calendar import NEW_YORK, midnight_ns, new_york
from sentio_async.sim.clock import SECOND, ns_of
from sentio_async.sim.prices import HOUR, MINUTE, Cell, Step, luck, subdivide
from sentio_async.sim.rows import Bar

# Seconds of the computer's time that one recorded bar takes: twenty seconds show forty bars.
PACE = 0.5

_NAMES = {
    "time": ("date", "datetime", "timestamp", "time", "t", "window_start"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "v", "vol"),
    "symbol": ("symbol", "ticker", "s"),
}
_NEEDED = ("time", "open", "high", "low", "close")
_FORMS = ("%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y", "%Y%m%d %H:%M:%S", "%Y%m%d")
_WORDS_OF_FILE_NAMES = {"YAHOOFINANCE", "BARS", "DAILY", "DAY", "IDAY", "MINUTE", "MIN", "DATA"}


class Replay(Mapping[str, Sequence[Bar]]):
    """Bars by symbol, and how fast to walk through them.

    Each bar takes `pace` seconds; the nights between bars take none. What lies before `start` is
    history when the exchange begins.
    """

    def __init__(
        self,
        bars: Mapping[str, Sequence[Bar]],
        *,
        pace: float = PACE,
        start: datetime | None = None,
    ) -> None:
        if pace <= 0:
            raise ValueError(f"pace: seconds per bar must be positive, got {pace}")
        empty = [symbol for symbol, rows in bars.items() if not rows]
        if empty or not bars:
            raise ValueError(f"replay: no bars for {empty[0] if empty else 'any symbol'}")
        self._bars = {s: sorted(rows, key=lambda bar: bar.time_ns) for s, rows in bars.items()}
        self.pace = pace
        self.start = start

    def __getitem__(self, symbol: str) -> Sequence[Bar]:
        return self._bars[symbol]

    def __iter__(self) -> Iterator[str]:
        return iter(self._bars)

    def __len__(self) -> int:
        return len(self._bars)

    def course(self, tapes: Iterable["ReplayTape"]) -> Callable[[int], int]:
        """The way a clock is led: time passed to the time in the recording."""
        first = ns_of(self.start) if self.start else 0
        ends: dict[int, int] = {}
        for tape in tapes:
            for begin, end in tape.windows:
                if end > first:
                    ends[begin] = min(end, ends.get(begin, end))
        if not ends:
            raise ValueError(f"replay: no bars after {self.start}")
        (begin, end), *rest = sorted(ends.items())
        # The first trade has happened when the clock begins.
        begin += min(2 * SECOND, (end - begin) // 2)
        return _Course([(begin, end), *rest], round(self.pace * SECOND))


class _Course:
    def __init__(self, windows: list[tuple[int, int]], pace_ns: int) -> None:
        self._windows = windows
        self._pace_ns = pace_ns

    def __call__(self, elapsed_ns: int) -> int:
        n, into = divmod(elapsed_ns, self._pace_ns)
        if n >= len(self._windows):
            return self._windows[-1][1] + elapsed_ns - len(self._windows) * self._pace_ns
        begin, end = self._windows[n]
        if n + 1 < len(self._windows):
            end = min(end, self._windows[n + 1][0])
        return begin + (end - begin) * into // self._pace_ns


class ReplayTape:
    """One symbol's recorded bars; trades within them are made up, and agree with them."""

    def __init__(self, symbol: str, bars: Sequence[Bar], seed: int) -> None:
        self._symbol = symbol
        self._seed = seed
        self.digits = min(9, max(_digits(bar) for bar in bars))
        self.size_digits = min(9, max(_places(Decimal(bar.volume)) for bar in bars))
        self.step = _step(bars)
        self._cells = [self._cell(bar) for bar in bars]
        self._begins = [cell.begin_ns for cell in self._cells]
        self.per_minute = 30
        self.levels: tuple[str, ...] = ("bar", "minute") if self.step > MINUTE else ("bar",)
        self._minutes = lru_cache(maxsize=256)(self._make_minutes)

    @property
    def windows(self) -> list[tuple[int, int]]:
        """When each bar is trading."""
        return [(cell.begin_ns, cell.end_ns) for cell in self._cells]

    def level_for(self, step: Step) -> str | None:
        """The recorded bars where they add up to this step, else minutes, else trades."""
        if isinstance(step, str) or (self.step < 20 * HOUR and step % self.step == 0):
            return "bar"
        return self.levels[-1] if step % MINUTE == 0 and self.step >= MINUTE else None

    def cells(self, level: str, start_ns: int, end_ns: int) -> list[Cell]:
        """The cells with `start_ns <= begin_ns < end_ns`, ascending."""
        begins = self._begins
        if level == "bar":
            first = bisect_right(begins, start_ns - 1)
            return self._cells[first : bisect_right(begins, end_ns - 1)]
        first = max(0, bisect_right(begins, start_ns) - 1)
        found: list[Cell] = []
        for cell in self._cells[first : bisect_right(begins, end_ns - 1)]:
            found.extend(self._minutes(cell))
        return [cell for cell in found if start_ns <= cell.begin_ns < end_ns]

    def last_cell(self, at_ns: int) -> Cell | None:
        """The shortest cell that began last, at that moment or before it."""
        n = bisect_right(self._begins, at_ns) - 1
        if n < 0:
            return None
        parts = self._minutes(self._cells[n])
        return next(cell for cell in reversed(parts) if cell.begin_ns <= at_ns)

    def _make_minutes(self, cell: Cell) -> list[Cell]:
        edges = list(range(cell.begin_ns, cell.end_ns, MINUTE))
        chance = luck(self._seed, self._symbol, "replay", cell.begin_ns)
        return subdivide(cell, [*edges, cell.end_ns], chance)

    def _cell(self, bar: Bar) -> Cell:
        begin, end = bar.time_ns, bar.time_ns + self.step
        if self.step >= 20 * HOUR:
            # A daily bar trades in the regular session of its day.
            midnight = midnight_ns(new_york(bar.time_ns).date())
            begin, end = midnight + 9 * HOUR + 30 * MINUTE, midnight + 16 * HOUR
        minutes = max(1, (end - begin) // MINUTE)
        prices = [int(p.scaleb(self.digits)) for p in (bar.open, bar.high, bar.low, bar.close)]
        return Cell(
            bar.time_ns,
            begin,
            end,
            prices[0],
            max(prices),
            min(prices),
            prices[3],
            int(Decimal(bar.volume).scaleb(self.size_digits)),
            bar.trade_count or 30 * minutes,
        )


def _places(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _digits(bar: Bar) -> int:
    return max(2, *(_places(price) for price in (bar.open, bar.high, bar.low, bar.close)))


def _step(bars: Sequence[Bar]) -> int:
    gaps = [b.time_ns - a.time_ns for a, b in pairwise(bars)]
    gaps = [gap for gap in gaps if gap > 0]
    if not gaps:
        return MINUTE if new_york(bars[0].time_ns).hour else 24 * HOUR
    shortest = min(gaps)
    # Days are 23 hours long once a year.
    return 24 * HOUR if shortest >= 20 * HOUR else shortest


def read_bars(path: str | Path, *, symbol: str | None = None) -> dict[str, list[Bar]]:
    """Bars by symbol from a CSV or Parquet file.

    Columns are found by their names, in any order and case. The symbol is the file's column, else
    `symbol`, else the word of the file's name that looks like one. Times without a zone are New
    York's; a date alone is a daily bar.
    """
    path = Path(path)
    names, rows = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
    columns = _columns(path, names)
    given = symbol or symbol_in(path.name)
    bars: dict[str, list[Bar]] = {}
    for number, row in enumerate(rows, start=2):
        if not row:
            continue
        try:
            bar = _bar(row, columns)
            name = str(row[columns["symbol"]]) if "symbol" in columns and not symbol else given
        except (ValueError, IndexError, InvalidOperation, ArithmeticError) as exc:
            raise ValueError(f"{path.name} line {number}: not a bar: {row}") from exc
        bars.setdefault(name, []).append(bar)
    if not bars:
        raise ValueError(f"{path.name}: no bars in it")
    for each in bars.values():
        each.sort(key=lambda bar: bar.time_ns)
    return bars


def symbol_in(file_name: str) -> str:
    """The part of a file's name that is a symbol: `yahoofinance-AAPL-2004.csv` gives AAPL."""
    stem = Path(file_name).stem.replace("_", "-").replace(" ", "-")
    words = [word for word in stem.split("-") if word and not word.isdigit()]
    named = [word for word in words if word.upper() not in _WORDS_OF_FILE_NAMES]
    return (named or words or [stem])[0].upper()


def _read_csv(path: Path) -> tuple[list[str], Iterable[Sequence[Any]]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.reader(file))
    if not rows:
        raise ValueError(f"{path.name}: the file is empty")
    return rows[0], rows[1:]


def _read_parquet(path: Path) -> tuple[list[str], Iterable[Sequence[Any]]]:
    try:
        from pyarrow import parquet
    except ImportError as exc:
        raise ImportError(
            f"{path.name}: reading Parquet needs pyarrow: pip install 'sentio-async[parquet]'"
        ) from exc
    table = parquet.read_table(path)
    columns = [column.to_pylist() for column in table.columns]
    return list(table.column_names), zip(*columns, strict=True)


def _columns(path: Path, names: Sequence[str]) -> dict[str, int]:
    lower = [name.strip().lower() for name in names]
    found = {
        meaning: lower.index(spelling)
        for meaning, spellings in _NAMES.items()
        for spelling in reversed(spellings)
        if spelling in lower
    }
    missing = [meaning for meaning in _NEEDED if meaning not in found]
    if missing:
        raise ValueError(f"{path.name}: no column for {', '.join(missing)} among {list(names)}")
    return found


def _bar(row: Sequence[Any], columns: Mapping[str, int]) -> Bar:
    opened, high, low, close = (
        Decimal(str(row[columns[name]]).strip()) for name in ("open", "high", "low", "close")
    )
    raw_volume = row[columns["volume"]] if "volume" in columns else 0
    volume = Decimal(str(raw_volume if raw_volume not in (None, "") else 0))
    if not all(price.is_finite() and price > 0 for price in (opened, high, low, close)):
        raise ValueError("prices must be positive")
    whole = int(volume) if volume == volume.to_integral_value() else volume
    typical = ((opened + high + low + close) / 4).quantize(Decimal("0.0001"))
    time_ns = _time_ns(row[columns["time"]])
    return Bar(
        time_ns, opened, max(opened, high, close), min(opened, low, close), close, whole, 0, typical
    )


def _time_ns(value: Any) -> int:
    if isinstance(value, datetime):
        return ns_of((value if value.tzinfo else value.replace(tzinfo=NEW_YORK)).astimezone(UTC))
    if isinstance(value, date):
        return midnight_ns(value)
    text = str(value).strip()
    if text.isdigit() and len(text) >= 10:
        return int(text.ljust(19, "0")[:19])
    return _time_ns(_parsed(text))


def _parsed(text: str) -> datetime | date:
    for form in _FORMS:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - New York's unless it says so
        except ValueError:
            continue
    return datetime.fromisoformat(text)
