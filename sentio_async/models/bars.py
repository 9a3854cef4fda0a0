"""Many bars of one symbol, by column.

A column is an ``array`` of float64 (times: int64 nanoseconds), 64 bytes a bar instead of the
300 to 1,350 of an object each; a row becomes a ``Bar`` when it is asked for.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from struct import error as struct_error
from struct import pack
from typing import Any, Self, overload

from sentio_async import errors
from sentio_async.models.market import Bar, exact
from sentio_async.models.page import SkippedRow

__all__ = ["Bars"]

_FLOATS = ("open", "high", "low", "close", "volume", "vwap")
_COLUMNS = {"times_ns": "q", **dict.fromkeys(_FLOATS, "d"), "trade_count": "q"}
_NAN = float("nan")


class Bars(Sequence[Bar]):
    """Bars of one symbol, oldest first unless asked for otherwise.

    ``times_ns`` holds each bar's start in epoch nanoseconds; ``open high low close volume vwap
    trade_count`` hold one value a bar, ``nan`` (``-1`` for ``trade_count``) where the vendor
    gave none.  ``skipped`` says which rows of the answer could not be read.
    """

    __slots__ = (
        "close",
        "feed",
        "high",
        "is_delayed",
        "low",
        "open",
        "provider",
        "skipped",
        "step",
        "symbol",
        "times_ns",
        "trade_count",
        "volume",
        "vwap",
    )

    def __init__(
        self,
        symbol: str,
        *,
        provider: str,
        step: str = "",
        feed: str | None = None,
        is_delayed: bool = False,
    ) -> None:
        self.symbol = symbol
        self.provider = provider
        self.step = step
        self.feed = feed
        self.is_delayed = is_delayed
        self.skipped: tuple[SkippedRow, ...] = ()
        self.times_ns = array("q")
        self.open = array("d")
        self.high = array("d")
        self.low = array("d")
        self.close = array("d")
        self.volume = array("d")
        self.vwap = array("d")
        self.trade_count = array("q")

    @classmethod
    def of(cls, symbol: str, rows: Iterable[Bar], *, provider: str, step: str = "") -> Self:
        """Bars from single rows: late if any of them is, of the feed that one of them names."""
        bars = cls(symbol, provider=provider, step=step)
        for row in rows:
            bars.append(row.time_ns, row.open, row.high, row.low, row.close, row.volume)
            bars.vwap[-1] = _NAN if row.vwap is None else row.vwap
            bars.trade_count[-1] = -1 if row.trade_count is None else row.trade_count
            bars.feed = bars.feed or row.feed
            bars.is_delayed = bars.is_delayed or row.is_delayed
        return bars

    def append(
        self, time_ns: int, open: float, high: float, low: float, close: float, volume: float
    ) -> None:
        """Add one bar, without ``vwap`` and ``trade_count``; what is no bar is not added."""
        try:
            self.times_ns.append(time_ns)
            self.open.append(open)
            self.high.append(high)
            self.low.append(low)
            self.close.append(close)
            self.volume.append(volume)
            self.vwap.append(_NAN)
            self.trade_count.append(-1)
        except (TypeError, OverflowError, BufferError):
            self._cut()
            raise

    def add_columns(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Add many bars at once: a value a bar for each column, by its name.

        ``None`` is nothing said, where there may be nothing: ``vwap`` and ``trade_count``.  Raises
        ValueError, and adds none, if a column is missing or too short, or a value is no number.
        """
        sizes = {len(values) for values in columns.values()}
        if columns.keys() != _COLUMNS.keys() or len(sizes) != 1:
            raise ValueError(f"bars need as many values of each of {', '.join(_COLUMNS)}")
        (size,) = sizes
        try:
            packed = _packed(columns, size)
        except ValueError:
            # Looking for None beforehand would take as long as all the rest.
            packed = _packed(_without_none(columns), size)
        try:
            for name, values in zip(_COLUMNS, packed, strict=True):
                getattr(self, name).frombytes(values)
        except BufferError:
            self._cut()
            raise

    def extend(self, other: Bars) -> None:
        """Add all bars of the same series."""
        if other.symbol != self.symbol:
            raise ValueError(f"bars of {other.symbol} do not continue bars of {self.symbol}")
        try:
            for name in _COLUMNS:
                getattr(self, name).extend(getattr(other, name))
        except BufferError:
            self._cut()
            raise
        self.is_delayed = self.is_delayed or other.is_delayed
        self.skipped += other.skipped

    def _cut(self) -> None:
        """Make all columns as long as the shortest: one cannot grow while others look at it."""
        columns = [getattr(self, name) for name in _COLUMNS]
        size = min(map(len, columns))
        for column in columns:
            if len(column) > size:
                del column[size:]

    def __len__(self) -> int:
        return len(self.times_ns)

    @overload
    def __getitem__(self, index: int) -> Bar: ...
    @overload
    def __getitem__(self, index: slice) -> Bars: ...
    def __getitem__(self, index: int | slice) -> Bar | Bars:
        if isinstance(index, slice):
            part = Bars(self.symbol, provider=self.provider, step=self.step, feed=self.feed)
            part.is_delayed, part.skipped = self.is_delayed, self.skipped
            for name in _COLUMNS:
                setattr(part, name, getattr(self, name)[index])
            return part
        count, vwap = self.trade_count[index], self.vwap[index]
        return Bar(
            self.symbol,
            self.times_ns[index],
            self.provider,
            self.open[index],
            self.high[index],
            self.low[index],
            self.close[index],
            self.volume[index],
            None if count < 0 else count,
            None if vwap != vwap else vwap,
            feed=self.feed,
            is_delayed=self.is_delayed,
        )

    def __iter__(self) -> Iterator[Bar]:
        symbol, provider, feed, is_delayed = self.symbol, self.provider, self.feed, self.is_delayed
        columns = [getattr(self, name) for name in _COLUMNS]
        for time_ns, start, high, low, end, volume, vwap, count in zip(*columns, strict=True):
            yield Bar(
                symbol,
                time_ns,
                provider,
                start,
                high,
                low,
                end,
                volume,
                None if count < 0 else count,
                None if vwap != vwap else vwap,
                feed=feed,
                is_delayed=is_delayed,
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Bars):
            return NotImplemented
        return self.symbol == other.symbol and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        span = f" {self[0].time:%Y-%m-%d}..{self[-1].time:%Y-%m-%d}" if len(self) else ""
        return f"<Bars {self.symbol} {self.step} x{len(self)}{span} from {self.provider}>"

    def exact(self, column: str) -> list[Decimal | None]:
        """One column as the decimal numbers the vendor wrote; ``None`` where it gave none."""
        if column not in _FLOATS:
            raise errors.InvalidRequestError(f"column: one of {', '.join(_FLOATS)}, not {column!r}")
        values: array[float] = getattr(self, column)
        return [None if value != value else exact(value) for value in values]

    def to_columns(self) -> dict[str, Any]:
        """The columns by name, as the arrays they are."""
        return {name: getattr(self, name) for name in _COLUMNS}


def _packed(columns: Mapping[str, Sequence[Any]], size: int) -> list[bytes]:
    try:
        # An array takes twice as long to read a list.
        return [
            values.tobytes()
            if isinstance(values := columns[name], array) and values.typecode == kind
            else pack(f"{size}{kind}", *values)
            for name, kind in _COLUMNS.items()
        ]
    except struct_error as exc:
        raise ValueError(f"a value of a bar is no number that fits: {exc}") from exc


def _without_none(columns: Mapping[str, Sequence[Any]]) -> Mapping[str, Sequence[Any]]:
    known = dict(columns)
    known["vwap"] = [_NAN if value is None else value for value in columns["vwap"]]
    known["trade_count"] = [-1 if n is None else n for n in columns["trade_count"]]
    return known
