"""Bars of any Polygon timespan, for everything that has a ticker."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from sentio_async.sim.calendar import day_of, midnight_ns
from sentio_async.sim.market import Bar
from sentio_async.sim.venues import rates
from sentio_async.sim.venues.polygon.asking import Ask, Json
from sentio_async.sim.venues.polygon.tickers import Named
from sentio_async.sim.venues.tape import Period, merged
from sentio_async.sim.venues.times import (
    DAY,
    HOUR,
    MILLISECOND,
    MINUTE,
    SECOND,
    utc_day,
    utc_midnight,
)

STEPS = {"second": SECOND, "minute": MINUTE, "hour": HOUR}
# Days of a window, and how many daily bars it is made of.
DAYS = {"day": 1, "week": 7}
MONTHS = {"month": 1, "quarter": 3, "year": 12}
TIMESPANS = (*STEPS, *DAYS, *MONTHS)
FIRST_NS = utc_midnight(date(2003, 9, 10))


@dataclass(frozen=True, slots=True)
class Windows:
    """Bars `count` times a timespan long."""

    named: Named
    count: int
    timespan: str
    adjusted: bool = True

    @property
    def step(self) -> int | None:
        """The length, where it is always the same."""
        if self.timespan in STEPS:
            return STEPS[self.timespan] * self.count
        return None

    @property
    def base_bars(self) -> int:
        """How many bars of the base (second, minute or day) make one of these."""
        if self.timespan == "hour":
            return 60 * self.count
        if self.timespan in MONTHS:
            return 30 * MONTHS[self.timespan] * self.count
        return DAYS.get(self.timespan, 1) * self.count

    @property
    def period(self) -> Period:
        """The calendar window; weeks begin on Sunday."""
        if self.timespan in MONTHS:
            return Period(months=MONTHS[self.timespan] * self.count)
        origin = 0 if self.timespan == "week" else 1
        return Period(days=DAYS[self.timespan] * self.count, origin=origin)

    def snapped(self, time_ns: int) -> int:
        """The start of the window that holds an instant."""
        if self.step is not None:
            return time_ns // self.step * self.step
        return self._midnight(self.period.first(self._day(time_ns)))

    def bars(self, ask: Ask, start: int, end: int, *, back: bool = False) -> Iterator[Bar]:
        """The bars that begin from `start` to `end`, both included."""
        end = min(end, ask.now_ns)
        if self.named.rated is not None:
            yield from self._rated(self.named.rated, start, end, ask.now_ns, back)
            return
        tape, symbol = ask.tape, self.named.symbol
        has_split = not self.adjusted and tape.split_factor(symbol, start) != 1
        for bar in self._traded(ask, start, end, back):
            yield tape.as_it_was(symbol, bar) if has_split else bar

    def _traded(self, ask: Ask, start: int, end: int, back: bool) -> Iterator[Bar]:
        symbol, tape = self.named.symbol, ask.tape
        if self.step is not None:
            return tape.bars(symbol, self.step, start, end, back=back)
        if self.named.is_utc:
            return self._utc(ask, start, end, back)
        if self.period == Period(days=1):
            return tape.days(symbol, start, end, back=back)
        return tape.periods(symbol, self.period, start, end, back=back)

    def _utc(self, ask: Ask, start: int, end: int, back: bool) -> Iterator[Bar]:
        for first, after in self._edges(start, end, back):
            days = list(ask.tape.bars(self.named.symbol, DAY, first, after - 1))
            if days:
                yield days[0] if len(days) == 1 else merged(first, days)

    def _rated(
        self, rated: rates.Rated, start: int, end: int, now_ns: int, back: bool
    ) -> Iterator[Bar]:
        for first, after in self._edges(start, end, back):
            yield _rate_bar(rates.bar(rated, first, min(after, now_ns + 1)))

    def _edges(self, start: int, end: int, back: bool) -> Iterator[tuple[int, int]]:
        first = self.snapped(end if back else start)
        if first < start:
            first = self._moved(first, 1)
        while start <= first <= end:
            yield first, self._moved(first, 1)
            first = self._moved(first, -1 if back else 1)

    def _moved(self, first: int, by: int) -> int:
        if self.step is not None:
            return first + by * self.step
        day = self._day(first)
        if by > 0:
            return self._midnight(self.period.after(day))
        return self._midnight(self.period.first(day - timedelta(days=1)))

    def _day(self, time_ns: int) -> date:
        return utc_day(time_ns) if self.named.is_utc else day_of(time_ns)

    def _midnight(self, day: date) -> int:
        return utc_midnight(day) if self.named.is_utc else midnight_ns(day)


def _rate_bar(bar: rates.RateBar) -> Bar:
    middle = (bar.open + bar.high + bar.low + bar.close) / 4
    return Bar(
        time_ns=bar.time_ns,
        open=bar.open,
        high=bar.high,
        low=bar.low,
        close=bar.close,
        volume=bar.trade_count,
        trade_count=bar.trade_count,
        vwap=middle.quantize(Decimal("0.00001")),
    )


def row(bar: Bar, named: Named) -> Json:
    """A bar as aggregates write it; an index has no volume."""
    prices: Json = {
        "o": bar.open,
        "c": bar.close,
        "h": bar.high,
        "l": bar.low,
        "t": bar.time_ns // MILLISECOND,
    }
    if named.kind == "indices":
        return prices
    return {"v": bar.volume, "vw": bar.vwap, **prices, "n": bar.trade_count}


def day_bars(ask: Ask, named: Named) -> tuple[Bar | None, Bar | None]:
    """Today's bar as far as it has got, and the one before it."""
    rows = Windows(named, 1, "day").bars(ask, ask.now_ns - 12 * DAY, ask.now_ns, back=True)
    return next(rows, None), next(rows, None)


def minute_bar(ask: Ask, named: Named) -> Bar | None:
    """The minute that traded last."""
    if named.rated is None:
        return ask.state.market.minute_bar(named.symbol)
    rows = Windows(named, 1, "minute").bars(ask, ask.now_ns - HOUR, ask.now_ns, back=True)
    return next(rows, None)
