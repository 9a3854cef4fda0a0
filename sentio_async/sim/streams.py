"""The exchange's streams: who listens on them, and what happened since they were told last.

`pump()` tells everybody what the market did up to the present; the exchange calls it with every
tick of the engine, and a test that has moved the clock may call it at once.
"""

import fnmatch
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from sentio_async.sim.clock import SECOND
from sentio_async.sim.prices import MINUTE
from sentio_async.sim.rows import Bar, Quote, Trade

if TYPE_CHECKING:
    from sentio_async.sim.market import Market
    from sentio_async.sim.sessions import Session

T = TypeVar("T")
NEVER: Final = -1


@dataclass(slots=True)
class StreamSettings:
    """How the streams behave; all of it may change while the exchange runs.

    `auth_seconds` is how long a client may take to say who it is. `connections` per key and
    endpoint are allowed (None: any number); Polygon ends the `newer` or the `older` when there
    are more. `buffer_bytes` may wait for a client that reads slowly before it is evicted.
    `trading_frames` says how order updates are sent: Alpaca's paper host uses binary frames, its
    live host text. `acks="apart"` lets Polygon confirm one topic at a time, with data in between.
    One minute in `late_every` gets its last trade late: its bar is sent once without that trade's
    volume and, half a minute later, once more. Time that jumps by more than `catch_up` seconds
    is told from that long ago on.
    """

    auth_seconds: float = 10.0
    connections: int | None = 1
    excess: Literal["newer", "older"] = "newer"
    buffer_bytes: int = 1 << 20
    rows_per_frame: int = 100
    trading_frames: Literal["binary", "text"] = "binary"
    acks: Literal["together", "apart"] = "together"
    late_every: int | None = 5
    catch_up: float = 600.0
    compress: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """Something told to the streams alone: a halt, or a trade taken back or put right."""

    kind: Literal["halt", "resume", "cancel", "correction"]
    symbol: str
    time_ns: int
    trade: Trade | None = None
    corrected: Trade | None = None


@dataclass(slots=True)
class Moment:
    """What a market did after `since_ns` and up to `now_ns`; each question is asked once."""

    market: "Market"
    since_ns: int
    now_ns: int
    late_every: int | None = None
    _known: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def trades(self, symbol: str) -> list[Trade]:
        """The trades of the moment."""
        span = self.since_ns + 1, self.now_ns + 1
        return self._once(("trades", symbol), lambda: self.market.trades(symbol, *span))

    def quotes(self, symbol: str) -> list[Quote]:
        """The quotes of the moment."""
        span = self.since_ns + 1, self.now_ns + 1
        return self._once(("quotes", symbol), lambda: self.market.quotes(symbol, *span))

    def seconds(self, symbol: str) -> list[Bar]:
        """The bars of the seconds that ended."""
        first, last = self.since_ns // SECOND * SECOND, self.now_ns // SECOND * SECOND
        return self._once(
            ("seconds", symbol), lambda: self.market.bars(symbol, SECOND, first, last)
        )

    def minutes(self, symbol: str) -> list[Bar]:
        """The bars of the minutes that ended, as they looked then."""
        return self._once(("minutes", symbol), lambda: list(self._minutes(symbol)))

    def amended(self, symbol: str) -> list[Bar]:
        """The bars of minutes whose late trade has come in, half a minute after their end."""
        return self._once(("amended", symbol), lambda: list(self._amended(symbol)))

    def day(self, symbol: str) -> Bar | None:
        """The day as far as it has got."""
        return self._once(("day", symbol), lambda: self.market.day_bar(symbol))

    def marks(self, step: int, shift: int = 0) -> list[int]:
        """The instants of the moment that lie `shift` after a multiple of `step`."""
        first = (self.since_ns - shift) // step + 1
        last = (self.now_ns - shift) // step
        return [step * n + shift for n in range(first, last + 1)]

    def _minutes(self, symbol: str) -> Iterator[Bar]:
        for mark in self.marks(MINUTE):
            for bar in self.market.bars(symbol, MINUTE, mark - MINUTE, mark):
                late = self._late_trade(symbol, bar)
                yield bar if late is None else _without(bar, late)

    def _amended(self, symbol: str) -> Iterator[Bar]:
        for mark in self.marks(MINUTE, MINUTE // 2):
            begin = mark - MINUTE - MINUTE // 2
            for bar in self.market.bars(symbol, MINUTE, begin, begin + MINUTE):
                if self._late_trade(symbol, bar) is not None:
                    yield bar

    def _late_trade(self, symbol: str, bar: Bar) -> Trade | None:
        key = f"{symbol}/{bar.time_ns}".encode()
        if self.late_every is None or zlib.crc32(key) % self.late_every:
            return None
        trades = self.market.trades(symbol, bar.time_ns, bar.time_ns + MINUTE)
        return trades[-1] if len(trades) > 1 else None

    def _once(self, key: tuple[Any, ...], ask: Callable[[], T]) -> T:
        if key not in self._known:
            self._known[key] = ask()
        found: T = self._known[key]
        return found


def _without(bar: Bar, late: Trade) -> Bar:
    count = max(1, bar.trade_count - 1)
    return replace(bar, volume=max(1, bar.volume - late.size), trade_count=count)


class Streams:
    """Every client on every stream of one exchange."""

    def __init__(self, settings: StreamSettings | None = None) -> None:
        self.settings = settings or StreamSettings()
        self.sessions: list[Session] = []
        self._market: Market | None = None
        self._told_ns = NEVER

    def follow(self, market: "Market") -> None:
        """Tell what this market does from now on."""
        self._market = market
        self._told_ns = market.clock.now_ns()

    @property
    def market(self) -> "Market":
        """The market these streams tell of."""
        if self._market is None:
            raise LookupError("these streams follow no market")
        return self._market

    def pump(self) -> None:
        """Tell every client what happened since the last call."""
        now = self.market.clock.now_ns()
        since = max(self._told_ns, now - round(self.settings.catch_up * SECOND))
        self._told_ns = now
        moments: dict[tuple[int, int], Moment] = {}
        for session in list(self.sessions):
            key = (id(session.market), session.delay_ns)
            if key not in moments:
                start, end = since - session.delay_ns, now - session.delay_ns
                late_every = self.settings.late_every
                moments[key] = Moment(session.market, start, end, late_every)
            session.feed(moments[key])

    def at(self, path: str = "*") -> list["Session"]:
        """The clients on streams whose path this glob matches, oldest first."""
        return [each for each in self.sessions if fnmatch.fnmatchcase(each.path, path)]

    def hang_up(self, path: str = "*", *, code: int | None = None, reset: bool = False) -> int:
        """End these connections: with a close frame, with RST, or with a bare FIN."""
        ended = self.at(path)
        for session in ended:
            if code is not None:
                session.socket.close(code)
            elif reset:
                session.socket.reset()
            else:
                session.socket.drop()
        return len(ended)

    def burst(self, path: str = "*", *, frames: int = 1000, rows_per_frame: int = 1) -> int:
        """Send so many frames at once to each client that wants trades or quotes.

        The rows are made up for the load: prices as they stand, times a nanosecond apart, ids
        that count up. No REST venue knows them. Answers how many frames were sent.
        """
        return sum(session.burst(frames, rows_per_frame) for session in self.at(path))

    def halt(self, symbol: str) -> None:
        """Tell that trading in a stock is halted; orders still fill."""
        self._tell(Notice("halt", symbol, self.market.clock.now_ns()))

    def resume(self, symbol: str) -> None:
        """Tell that trading in a stock goes on."""
        self._tell(Notice("resume", symbol, self.market.clock.now_ns()))

    def cancel(self, symbol: str) -> None:
        """Tell that the last trade is taken back; REST goes on showing it."""
        trade = self.market.last_trade(symbol)
        self._tell(Notice("cancel", symbol, self.market.clock.now_ns(), trade))

    def correct(self, symbol: str, price: Decimal) -> None:
        """Tell that the last trade was made at another price; REST goes on showing the old."""
        trade = self.market.last_trade(symbol)
        corrected = None if trade is None else replace(trade, price=price, id=trade.id + 1)
        self._tell(Notice("correction", symbol, self.market.clock.now_ns(), trade, corrected))

    def _tell(self, notice: Notice) -> None:
        for session in list(self.sessions):
            session.notice(notice)

    def as_json(self) -> list[dict[str, Any]]:
        """The clients for the control port; no keys."""
        return [each.as_json() for each in self.sessions]
