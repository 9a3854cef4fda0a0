"""The market's history in the order a page is filled: lazily, forwards or backwards."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from itertools import groupby
from typing import Protocol, TypeVar

from sentio_async.sim.calendar import day_of, midnight_ns
from sentio_async.sim.instruments import Instrument
from sentio_async.sim.market import Bar, Market, Quote, Trade
from sentio_async.sim.venues.almanac import split_factor
from sentio_async.sim.venues.times import DAY, MINUTE

# A window that brings fewer rows than this is followed by one twice as long.
FEW = 500


class Timed(Protocol):
    """Any row with its instant."""

    @property
    def time_ns(self) -> int:
        """Nanoseconds since 1970."""


Row = TypeVar("Row", bound=Timed)


def walk(
    fetch: Callable[[int, int], Iterable[Row]], start: int, end: int, width: int, *, back: bool
) -> Iterator[Row]:
    """The rows from `start` to `end`, both included; `back` gives the newest first."""
    while start <= end:
        first, last = (
            (max(start, end - width + 1), end) if back else (start, min(start + width - 1, end))
        )
        # Whether the far end of a window counts is decided here, for every source alike.
        rows = [row for row in fetch(first, last + 1) if first <= row.time_ns <= last]
        yield from reversed(rows) if back else rows
        if len(rows) < FEW:
            width *= 2
        start, end = (start, first - 1) if back else (last + 1, end)


@dataclass(frozen=True, slots=True)
class Tape:
    """What was traded and quoted, symbol by symbol, up to the present."""

    market: Market

    def listed(self, symbol: str) -> Instrument | None:
        """The instrument of exactly this symbol."""
        found = self.market.instruments.get(symbol)
        return found if found is not None and found.symbol == symbol else None

    def trades(self, symbol: str, start: int, end: int, *, back: bool = False) -> Iterator[Trade]:
        """The trades from `start` to `end`, both included, at the prices of their day."""
        span = start, self._present(end)
        rows = walk(partial(self.market.trades, symbol), *span, 10 * MINUTE, back=back)
        if self.split_factor(symbol, start) == 1:
            return rows
        return (self._as_traded(symbol, row) for row in rows)

    def quotes(self, symbol: str, start: int, end: int, *, back: bool = False) -> Iterator[Quote]:
        """The quotes from `start` to `end`, both included, at the prices of their day."""
        span = start, self._present(end)
        rows = walk(partial(self.market.quotes, symbol), *span, 10 * MINUTE, back=back)
        if self.split_factor(symbol, start) == 1:
            return rows
        return (self._as_quoted(symbol, row) for row in rows)

    def split_factor(self, symbol: str, time_ns: int) -> Decimal:
        """How many of today's shares one share of that time has become."""
        if self.market.is_recorded(symbol):
            # Recorded bars are what was traded, splits and all.
            return Decimal(1)
        now = self.market.clock.now_ns()
        return split_factor(symbol, day_of(time_ns), day_of(now))

    def as_it_was(self, symbol: str, bar: Bar) -> Bar:
        """The bar before anybody adjusted it for the splits that came later."""
        factor = self.split_factor(symbol, bar.time_ns)
        if factor == 1:
            return bar
        return replace(
            bar,
            open=bar.open * factor,
            high=bar.high * factor,
            low=bar.low * factor,
            close=bar.close * factor,
            volume=max(1, int(bar.volume / factor)),
            vwap=bar.vwap * factor,
        )

    def _as_traded(self, symbol: str, row: Trade) -> Trade:
        factor = self.split_factor(symbol, row.time_ns)
        size = max(1, int(row.size / factor))
        return replace(row, price=row.price * factor, size=size)

    def _as_quoted(self, symbol: str, row: Quote) -> Quote:
        factor = self.split_factor(symbol, row.time_ns)
        return replace(row, bid=row.bid * factor, ask=row.ask * factor)

    def bars(
        self, symbol: str, step: int, start: int, end: int, *, back: bool = False
    ) -> Iterator[Bar]:
        """The bars of one length that begin from `start` to `end`, both included."""
        fetch = partial(self.market.bars, symbol, step)
        return walk(fetch, start, self._present(end), 1000 * step, back=back)

    def days(self, symbol: str, start: int, end: int, *, back: bool = False) -> Iterator[Bar]:
        """The daily bars that begin from `start` to `end`, both included."""
        fetch = partial(self.market.bars, symbol, "day")
        return walk(fetch, start, self._present(end), 1000 * DAY, back=back)

    def periods(
        self, symbol: str, period: "Period", start: int, end: int, *, back: bool = False
    ) -> Iterator[Bar]:
        """Weekly or longer bars that begin from `start` to `end`, made of daily ones."""
        first = midnight_ns(period.first(day_of(start)))
        last = midnight_ns(period.after(day_of(self._present(end)))) - 1
        days = self.days(symbol, first, last, back=back)
        for begins, group in groupby(days, key=lambda bar: period.first(day_of(bar.time_ns))):
            time_ns = midnight_ns(begins)
            rows = list(group)
            if start <= time_ns <= end:
                yield merged(time_ns, rows[::-1] if back else rows)

    def _present(self, end: int) -> int:
        return min(end, self.market.clock.now_ns())


@dataclass(frozen=True, slots=True)
class Period:
    """A calendar window: some months, or some days counted from `origin` (1 is a Monday)."""

    months: int = 0
    days: int = 7
    origin: int = 1

    def first(self, day: date) -> date:
        """The first day of the window that holds `day`."""
        if not self.months:
            return day - timedelta(days=(day.toordinal() - self.origin) % self.days)
        whole = (day.year * 12 + day.month - 1) // self.months * self.months
        return date(whole // 12, whole % 12 + 1, 1)

    def after(self, day: date) -> date:
        """The first day of the next window."""
        first = self.first(day)
        if not self.months:
            return first + timedelta(days=self.days)
        return self.first(first + timedelta(days=31 * self.months + 1))


def merged(time_ns: int, bars: list[Bar]) -> Bar:
    """One bar out of several, oldest first."""
    volume = sum((bar.volume for bar in bars), Decimal(0))
    worth = sum((bar.vwap * bar.volume for bar in bars), Decimal(0))
    return Bar(
        time_ns=time_ns,
        open=bars[0].open,
        high=max(bar.high for bar in bars),
        low=min(bar.low for bar in bars),
        close=bars[-1].close,
        volume=volume,
        trade_count=sum(bar.trade_count for bar in bars),
        vwap=(worth / volume).quantize(Decimal("0.0001")) if volume else bars[-1].close,
    )
