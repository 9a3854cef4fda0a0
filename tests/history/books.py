"""A source of bars that a test knows by heart, and how what is stored is read."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sentio_async import errors
from sentio_async.history import Download, HistoryRequest
from sentio_async.models import Bars, SkippedRow

START = datetime(2024, 1, 2, tzinfo=UTC)
END = datetime(2024, 3, 2, tzinfo=UTC)
MINUTE = 60 * 10**9
SIZES = {"AAPL": 100, "MSFT": 35, "KIMpL": 7, "BTC/USD": 71, "EMPTY": 0}


class Book:
    """``sizes`` bars a minute apart of each symbol, ``page`` at a time.

    ``fails(symbol, row)`` gives the error in place of the page that holds the row, or None.
    """

    def __init__(self, sizes, *, page=10, fails=lambda symbol, row: None, pause=0.0):
        self.sizes = dict(sizes)
        self.page = page
        self.fails = fails
        self.pause = pause
        self.asked = []
        self.walks = []
        self.open = 0
        self.most_open = 0

    def bar_groups(self, symbols, most):
        return ([symbol] for symbol in symbols)

    async def iter_bar_pages(self, symbol, timeframe, *, start, end, **options):
        self.asked.append((symbol, start))
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            if symbol not in self.sizes:
                raise errors.SymbolNotFoundError(f"{symbol}: unknown", symbol=symbol)
            first = max(0, -((START - start) // timedelta(minutes=1)))
            for at in range(first, self.sizes[symbol], self.page):
                await asyncio.sleep(self.pause)
                rows = range(at, min(at + self.page, self.sizes[symbol]))
                for row in rows:
                    if (error := self.fails(symbol, row)) is not None:
                        raise error
                yield bars_of(symbol, rows)
        finally:
            self.open -= 1


class Shelves(Book):
    """A book whose symbols can be asked for together; ``bad`` ones are refused for all."""

    def __init__(self, sizes, *, together=100, bad=(), **more):
        super().__init__(sizes, **more)
        self.together = together
        self.bad = set(bad)

    def bar_groups(self, symbols, most):
        size = min(most, self.together)
        return [symbols[at : at + size] for at in range(0, len(symbols), size)]

    async def iter_many_bar_pages(self, symbols, timeframe, *, start, end):
        self.walks.append(list(symbols))
        for symbol in symbols:
            if symbol in self.bad:
                raise errors.BadRequestError(f"invalid: {symbol}", details={"symbol": symbol})
        rows = [(symbol, row) for symbol in symbols for row in range(self.sizes.get(symbol, 0))]
        for at in range(0, len(rows), self.page):
            await asyncio.sleep(self.pause)
            page = {}
            for symbol, row in rows[at : at + self.page]:
                if (error := self.fails(symbol, row)) is not None:
                    raise error
                page.setdefault(symbol, []).append(row)
            yield {symbol: bars_of(symbol, found) for symbol, found in page.items()}


class QuickClock:
    """Sleeping takes no time, and is remembered."""

    def __init__(self):
        self.slept = []

    def time(self):
        return sum(self.slept)

    def utcnow(self):
        return END + timedelta(seconds=self.time())

    async def sleep(self, seconds):
        self.slept.append(seconds)


def bars_of(symbol, rows, *, skipped=0):
    bars = Bars(symbol, provider="book", step="1Min", feed="sip")
    begin = int(START.timestamp()) * 10**9
    for row in rows:
        price = len(symbol) + row / 7
        bars.append(begin + row * MINUTE, price, price + 1, price - 1, price + 0.5, row * 10.0)
        if row % 3:
            bars.vwap[-1] = price
            bars.trade_count[-1] = row
    bars.skipped = tuple(SkippedRow(index, "odd") for index in range(skipped))
    return bars


def a_request(**changes):
    wanted = {"provider": "book", "timeframe": "1Min", "start": START, "end": END, **changes}
    return HistoryRequest(**wanted)


async def store(book, folder, *symbols, request=None, **how):
    how = {"rows_per_file": 35, **how}
    download = Download(folder=Path(folder), **how)
    return await download.run(book, request or a_request(), symbols or list(book.sizes))


def rows_in(folder):
    """Everything that is stored, by symbol, as other programs read it."""
    import pyarrow.dataset as ds

    table = ds.dataset(folder, partitioning="hive", format="parquet").to_table()
    found = {}
    for row in table.to_pylist():
        found.setdefault(row.pop("symbol"), []).append(row)
    return {symbol: sorted(rows, key=lambda row: row["time"]) for symbol, rows in found.items()}


def expected(book):
    """The same of everything in a book."""
    found = {}
    for symbol, size in book.sizes.items():
        found[symbol] = [
            {
                "time": bar.time,
                **{name: getattr(bar, name) for name in ("open", "high", "low", "close", "volume")},
                "vwap": bar.vwap,
                "trade_count": bar.trade_count,
            }
            for bar in bars_of(symbol, range(size))
        ]
    return {symbol: rows for symbol, rows in found.items() if rows}


def plain(rows_by_symbol):
    """With times that can be compared, whatever they are made of."""
    return {
        symbol: [{**row, "time": datetime.fromisoformat(str(row["time"]))} for row in rows]
        for symbol, rows in rows_by_symbol.items()
    }


@asynccontextmanager
async def no_tasks_left():
    before = asyncio.all_tasks()
    yield
    assert asyncio.all_tasks() == before
