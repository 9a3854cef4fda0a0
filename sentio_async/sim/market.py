"""The market at the exchange's time: quotes, trades and bars that agree with one another.

Each trade has a quote 40 microseconds before it whose bid or ask it took, and one between it and
the next with other sizes; so the last trade lies within the quotes around it. Minute bars are
exactly their trades (open, high, low, close, volume, count); `vwap` is the typical price weighted
by volume. Longer bars are exactly their minutes. Nothing after the clock's time is told, and the
bar under way holds what has traded so far.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace as changed
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import groupby

from sentio_async.sim.calendar import Session, day_of, midnight_ns, next_session, session_on
from sentio_async.sim.clock import SimClock
from sentio_async.sim.instruments import Instrument, Instruments
from sentio_async.sim.prices import (
    MINUTE,
    Cell,
    Hours,
    OptionTape,
    SeededTape,
    Step,
    Tape,
    luck,
    ticks,
)
from sentio_async.sim.replay import Replay, ReplayTape
from sentio_async.sim.rows import Bar, Quote, Trade, bar_of, quotes_of, trades_of, whole

__all__ = ["Bar", "Market", "Quote", "Step", "Trade"]

# The longest step is a month.
_LONGEST = 32 * 24 * 60 * MINUTE


class Market:
    """Every instrument's prices, from a seed or from recorded bars.

    The stock market is open at any hour unless `hours="nyse"`; crypto never closes. A symbol the
    instruments do not know has no prices: `None`, or no rows.
    """

    def __init__(
        self,
        clock: SimClock,
        instruments: Instruments,
        *,
        seed: int = 0,
        replay: Mapping[str, Sequence[Bar]] | None = None,
        hours: Hours = "always",
    ) -> None:
        self.clock = clock
        self.instruments = instruments
        self.hours: Hours = hours
        self._seed = seed
        self._tapes: dict[str, Tape] = {}
        self._minute = lru_cache(maxsize=1024)(self._make_minute)
        if replay:
            self._begin(replay if isinstance(replay, Replay) else Replay(replay))

    def quote(self, symbol: str, at_ns: int | None = None) -> Quote | None:
        """The quote standing now, or at that moment."""
        at_ns = self.clock.now_ns() if at_ns is None else at_ns
        found = self._known(symbol)
        cell = found[1].last_cell(at_ns) if found else None
        while found and cell is not None:
            rows = self._minute(found[0].symbol, cell)[1]
            n = bisect_right(rows, at_ns, key=lambda row: row.time_ns)
            if n:
                return rows[n - 1]
            cell = found[1].last_cell(cell.begin_ns - 1)
        return None

    def last_trade(self, symbol: str, at_ns: int | None = None) -> Trade | None:
        """The last trade until now, or until that moment."""
        at_ns = self.clock.now_ns() if at_ns is None else at_ns
        found = self._known(symbol)
        cell = found[1].last_cell(at_ns) if found else None
        while found and cell is not None:
            rows = self._minute(found[0].symbol, cell)[0]
            n = bisect_right(rows, at_ns, key=lambda row: row.time_ns)
            if n:
                return rows[n - 1]
            cell = found[1].last_cell(cell.begin_ns - 1)
        return None

    def price(self, symbol: str, at_ns: int | None = None) -> Decimal | None:
        """The last trade's price."""
        trade = self.last_trade(symbol, at_ns)
        return None if trade is None else trade.price

    def trades(self, symbol: str, start_ns: int, end_ns: int) -> list[Trade]:
        """Trades with `start_ns <= time_ns < end_ns`, ascending, none after now."""
        found = self._known(symbol)
        if found is None:
            return []
        end_ns = min(end_ns, self.clock.now_ns() + 1)
        rows: list[Trade] = []
        for cell in self._shortest(found[1], start_ns, end_ns):
            rows.extend(self._minute(found[0].symbol, cell)[0])
        first = bisect_left(rows, start_ns, key=lambda row: row.time_ns)
        return rows[first : bisect_left(rows, end_ns, key=lambda row: row.time_ns)]

    def quotes(self, symbol: str, start_ns: int, end_ns: int) -> list[Quote]:
        """Quotes with `start_ns <= time_ns < end_ns`, ascending, none after now."""
        found = self._known(symbol)
        if found is None:
            return []
        end_ns = min(end_ns, self.clock.now_ns() + 1)
        rows: list[Quote] = []
        for cell in self._shortest(found[1], start_ns, end_ns):
            rows.extend(self._minute(found[0].symbol, cell)[1])
        first = bisect_left(rows, start_ns, key=lambda row: row.time_ns)
        return rows[first : bisect_left(rows, end_ns, key=lambda row: row.time_ns)]

    def bars(self, symbol: str, step: Step, start_ns: int, end_ns: int) -> list[Bar]:
        """Bars with `start_ns <= time_ns < end_ns`, ascending.

        A step in nanoseconds counts from 1970, UTC; `day`, `week` (from Monday) and `month` are
        New York's. A bar that began before `start_ns` is left out whole.
        """
        found = self._known(symbol)
        if found is None or start_ns >= end_ns:
            return []
        instrument, tape = found
        now = self.clock.now_ns()
        level = tape.level_for(step)
        length = step if isinstance(step, int) else _LONGEST
        until = min(end_ns + length, now + 1)
        cells = self._gather(instrument.symbol, tape, level, start_ns, until)
        made = []
        for begin, group in groupby(cells, key=lambda cell: _bucket(cell.time_ns, step)):
            if start_ns <= begin < end_ns:
                made.append(bar_of(begin, list(group), instrument))
        return made

    def minute_bar(self, symbol: str) -> Bar | None:
        """The minute that traded last, as far as it has got."""
        trade = self.last_trade(symbol)
        if trade is None:
            return None
        begin = trade.time_ns // MINUTE * MINUTE
        return self._only(self.bars(symbol, MINUTE, begin, begin + 1))

    def day_bar(self, symbol: str) -> Bar | None:
        """The New York day that traded last, as far as it has got."""
        trade = self.last_trade(symbol)
        if trade is None:
            return None
        begin = midnight_ns(day_of(trade.time_ns))
        return self._only(self.bars(symbol, "day", begin, begin + 1))

    def previous_day_bar(self, symbol: str) -> Bar | None:
        """The last day before `day_bar` that traded."""
        trade = self.last_trade(symbol)
        if trade is None:
            return None
        today = day_of(trade.time_ns)
        start = midnight_ns(today - timedelta(days=10))
        rows = self.bars(symbol, "day", start, midnight_ns(today))
        return rows[-1] if rows else None

    def is_recorded(self, symbol: str) -> bool:
        """Whether its prices are recorded bars instead of made from the seed."""
        return isinstance(self._tapes.get(symbol), ReplayTape)

    def is_open(self) -> bool:
        """Whether stocks trade in regular hours now."""
        return self.phase() == "open"

    def phase(self) -> str:
        """`open`, `pre` or `post` around it, or `closed`."""
        if self.hours == "always":
            return "open"
        now = self.clock.now_ns()
        session = self.session(day_of(now))
        if session is None or not session.extended_opens_ns() <= now < session.extended_closes_ns():
            return "closed"
        if now < session.opens_ns():
            return "pre"
        return "open" if now < session.closes_ns() else "post"

    def session(self, day: date) -> Session | None:
        """New York's trading hours of that date; None when there are none."""
        return session_on(day)

    def next_open_ns(self) -> int:
        """When New York opens next."""
        now = self.clock.now_ns()
        session = next_session(day_of(now))
        if session.opens_ns() <= now:
            session = next_session(session.day + timedelta(days=1))
        return session.opens_ns()

    def next_close_ns(self) -> int:
        """When New York closes next."""
        now = self.clock.now_ns()
        session = next_session(day_of(now))
        if session.closes_ns() <= now:
            session = next_session(session.day + timedelta(days=1))
        return session.closes_ns()

    def _begin(self, replay: Replay) -> None:
        tapes = []
        for symbol, bars in replay.items():
            tape = ReplayTape(symbol, bars, self._seed)
            known = self.instruments.get(symbol) or Instrument(
                symbol, symbol, "us_equity", "NASDAQ", bars[0].close
            )
            known = changed(known, digits=tape.digits, size_digits=tape.size_digits)
            known = self.instruments.add(known)
            self._tapes[known.symbol] = tape
            tapes.append(tape)
        self.clock.follow(replay.course(tapes))

    def _known(self, symbol: str) -> tuple[Instrument, Tape] | None:
        instrument = self.instruments.get(symbol)
        if instrument is None:
            return None
        tape = self._tapes.get(instrument.symbol)
        if tape is None:
            tape = self._tapes[instrument.symbol] = self._tape(instrument)
        return instrument, tape

    def _tape(self, instrument: Instrument) -> Tape:
        contract = instrument.contract
        stock = self._known(contract.underlying) if contract else None
        if contract is not None and stock is not None:
            return OptionTape(contract, instrument, stock[1], stock[0].digits)
        return SeededTape(instrument, self._seed, self.hours)

    def _shortest(self, tape: Tape, start_ns: int, end_ns: int) -> list[Cell]:
        """The shortest cells that may hold trades between these moments."""
        cells = tape.cells(tape.levels[-1], start_ns, end_ns)
        before = tape.last_cell(start_ns)
        if before is not None and before.begin_ns < start_ns < before.end_ns:
            cells.insert(0, before)
        return cells

    def _gather(
        self, symbol: str, tape: Tape, level: str | None, start_ns: int, until_ns: int
    ) -> list[Cell]:
        """Cells from start to now; one still under way is made of what has traded."""
        if level is None:
            cells = self._shortest(tape, start_ns, until_ns)
            return [one for cell in cells for one in self._singles(symbol, cell, until_ns)]
        now = self.clock.now_ns()
        # A daily bar bears the time of midnight and begins to trade later.
        cells = tape.cells(level, start_ns, until_ns)
        if not cells or cells[-1].end_ns <= now:
            return cells
        last = cells.pop()
        finer = tape.levels[tape.levels.index(level) + 1 :]
        parts = (
            self._gather(symbol, tape, finer[0], last.begin_ns, until_ns)
            if finer
            else self._singles(symbol, last, now + 1)
        )
        return [*cells, whole(last, parts)] if parts else cells

    def _singles(self, symbol: str, cell: Cell, until_ns: int) -> list[Cell]:
        instrument = self.instruments.get(symbol)
        assert instrument is not None
        made = []
        for trade in self._minute(symbol, cell)[0]:
            if trade.time_ns < until_ns:
                price = int(trade.price.scaleb(instrument.digits))
                size = int(Decimal(trade.size).scaleb(instrument.size_digits))
                at = trade.time_ns
                made.append(Cell(at, at, at, price, price, price, price, size, 1))
        return made

    def _make_minute(self, symbol: str, cell: Cell) -> tuple[list[Trade], list[Quote]]:
        instrument = self.instruments.get(symbol)
        assert instrument is not None
        chance = luck(self._seed, symbol, "ticks", cell.begin_ns)
        count = max(4, cell.trades)
        rows = ticks(cell, min(count, 30), chance)
        return trades_of(instrument, rows, chance), quotes_of(instrument, rows, cell.end_ns, chance)

    @staticmethod
    def _only(rows: list[Bar]) -> Bar | None:
        return rows[0] if rows else None


def _bucket(time_ns: int, step: Step) -> int:
    if isinstance(step, int):
        return time_ns // step * step
    day = day_of(time_ns)
    if step == "week":
        day -= timedelta(days=day.weekday())
    elif step == "month":
        day = day.replace(day=1)
    return midnight_ns(day)
