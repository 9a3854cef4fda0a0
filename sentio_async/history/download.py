"""Downloads bars of many symbols to Parquet files, and goes on where it was broken off."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.events import BarsStored, Listener, tell
from sentio_async.history.lock import Hold
from sentio_async.history.parquet import check_pyarrow
from sentio_async.history.request import HistoryRequest, check_folder
from sentio_async.history.shelf import Shelf, StoredBars
from sentio_async.models.bars import Bars
from sentio_async.models.batch import Batch
from sentio_async.resilience.patience import Patience, patiently

__all__ = ["BarSource", "Download"]

T = TypeVar("T")

_NOBODYS = (errors.AuthenticationError, errors.NotSupportedError, errors.ConfigurationError)
"""No symbol's own errors: they would be every symbol's."""


class BarSource(Protocol):
    """Who has bars."""

    def iter_bar_pages(
        self, symbol: str, timeframe: str, **options: Any
    ) -> AsyncGenerator[Bars, None]:
        """Bars from ``start`` to ``end``, oldest first, page after page."""
        ...

    def bar_groups(self, symbols: Sequence[str], most: int) -> Iterable[Sequence[str]]:
        """The symbols in groups, of at most so many, that one walk can be about."""
        ...

    def iter_many_bar_pages(
        self, symbols: Sequence[str], timeframe: str, **options: Any
    ) -> AsyncGenerator[Mapping[str, Bars], None]:
        """The same of a group: pages that hold bars of one or several of its symbols."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """How a request is carried out, and where its files go.

    ``symbols_at_once`` are read side by side.  A new file is begun when one has
    ``rows_per_file``.
    """

    folder: Path
    symbols_at_once: int = 4
    rows_per_file: int = 1_000_000
    connector: str = ""
    listeners: Sequence[Listener] = ()
    clock: Clock = SYSTEM_CLOCK

    async def run(
        self, source: BarSource, request: HistoryRequest, symbols: Sequence[str]
    ) -> Batch[StoredBars]:
        """What is stored of each symbol, or why its bars are not all there.

        What was stored of one that failed stays, and the same again goes on with it.  Raises at
        once what no symbol can be read with, and what stands in the way of writing.
        """
        await off_loop(check_pyarrow)
        await off_loop(check_folder, self.folder)
        hold = Hold(self.folder)
        try:
            await off_loop(hold.take)
            return await self._run(source, request, symbols)
        finally:
            hold.let_go()

    async def _run(
        self, source: BarSource, request: HistoryRequest, symbols: Sequence[str]
    ) -> Batch[StoredBars]:
        request = await off_loop(request.settled_in, self.folder, self.clock.utcnow())
        run = _Run(self, source, request, len(symbols))
        # Small enough that everybody has a group: the pages of one come one after the other.
        most = -(-len(symbols) // self.symbols_at_once)
        groups = list(source.bar_groups(symbols, most)) if symbols else []
        left = iter(groups)
        loop = asyncio.get_running_loop()
        at_once = min(self.symbols_at_once, len(groups))
        with patiently():
            tasks = [loop.create_task(run.store_some(left)) for _ in range(at_once)]
        await _all_or_none(tasks)
        return Batch({symbol: run.results[symbol] for symbol in symbols})


class _Run:
    """One download under way."""

    def __init__(
        self, download: Download, source: BarSource, request: HistoryRequest, total: int
    ) -> None:
        self._how = download
        self._source = source
        self._request = request
        self._total = total
        self._about = {"provider": request.provider, "timeframe": request.timeframe}
        self.results: dict[str, StoredBars | errors.ConnectorError] = {}

    async def store_some(self, groups: Iterator[Sequence[str]]) -> None:
        """Store group after group, until there are no more."""
        how = self._how
        for symbols in groups:
            shelves = [
                Shelf(how.folder, symbol, self._about, rows=how.rows_per_file) for symbol in symbols
            ]
            await off_loop(_open, shelves)
            await self._store_together(shelves)
            for shelf in shelves:
                await self._settle(shelf)

    async def _settle(self, shelf: Shelf) -> None:
        """See to what is not there of one symbol, and say how it ended."""
        symbol = shelf.symbol
        try:
            await self._store(shelf)
        except _NOBODYS:
            raise
        except errors.ConnectorError as exc:
            self.results[symbol] = exc
            self._tell(shelf.stored, error=exc)
        else:
            self.results[symbol] = shelf.stored
            self._tell(shelf.stored)

    async def _store_together(self, shelves: Sequence[Shelf]) -> None:
        """Store what is not begun in one walk; what fails is left for one by one."""
        fresh = [shelf for shelf in shelves if not (shelf.is_begun or shelf.is_complete)]
        while len(fresh) > 1:
            try:
                async with _kept(fresh):
                    await self._read_together({shelf.symbol: shelf for shelf in fresh})
                await _written(_complete, fresh)
                return
            except _NOBODYS:
                raise
            except errors.BadRequestError as exc:
                # Some vendors refuse all for one that is bad, and name it.
                bad = str(exc.details.get("symbol", "")).upper()
                left = [each for each in fresh if each.symbol.upper() != bad and not each.is_begun]
                if len(left) == len(fresh):
                    return
                fresh = left
            except errors.ConnectorError:
                return

    async def _read_together(self, shelves: Mapping[str, Shelf]) -> None:
        asked = self._request
        span = {"start": asked.start, "end": asked.end}
        pages = self._source.iter_many_bar_pages(
            list(shelves), asked.timeframe, **span, **asked.options
        )
        last: Shelf | None = None
        async with aclosing(pages) as found:
            async for page in found:
                last = await self._add(page, shelves, last)
                del page  # while the next is waited for, this one is not to be held

    async def _add(
        self, page: Mapping[str, Bars], shelves: Mapping[str, Shelf], last: Shelf | None
    ) -> Shelf | None:
        for symbol, bars in page.items():
            shelf = shelves.get(symbol)
            if shelf is None:
                raise errors.DecodeError(f"{symbol}: its bars came, and were not asked for")
            if last is not None and last is not shelf:
                # Most vendors tell symbol after symbol: this one's file is done.
                await off_loop(last.pause)
            last = shelf
            await off_loop(shelf.add, bars)
            self._tell(shelf.stored, is_complete=False)
        return last

    async def _store(self, shelf: Shelf) -> None:
        if shelf.is_complete:
            return
        patience = Patience(self._how.clock)
        while True:
            rows = shelf.stored.rows
            try:
                async with _kept([shelf]):
                    await self._read(shelf)
                break
            except errors.ConnectorError as exc:
                # Not every source knows of patience.
                if not await patience.wait(exc, has_moved=shelf.stored.rows > rows):
                    raise
        await _written(_complete, [shelf])

    async def _read(self, shelf: Shelf) -> None:
        asked = self._request
        span = {"start": shelf.go_on() or asked.start, "end": asked.end}
        pages = self._source.iter_bar_pages(shelf.symbol, asked.timeframe, **span, **asked.options)
        async with aclosing(pages) as found:
            async for bars in found:
                await off_loop(shelf.add, bars)
                del bars  # while the next is waited for, this one is not to be held
                self._tell(shelf.stored, is_complete=False)

    def _tell(
        self,
        stored: StoredBars,
        *,
        is_complete: bool = True,
        error: errors.ConnectorError | None = None,
    ) -> None:
        how = self._how
        if how.listeners:
            event = BarsStored(
                at=how.clock.time(),
                connector=how.connector,
                operation="download_bars",
                symbol=stored.symbol,
                rows=stored.rows,
                is_complete=is_complete and error is None,
                error=None if error is None else type(error).__name__,
                ended=len(self.results),
                total=self._total,
            )
            tell(how.listeners, event)


async def _all_or_none(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait for all; when one fails, or this is cancelled, none is running when it returns."""
    if not tasks:
        return
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        ended = [task.exception() for task in tasks if not task.cancelled()]
    for failure in filter(None, ended):
        raise failure


@asynccontextmanager
async def _kept(shelves: Sequence[Shelf]) -> AsyncIterator[None]:
    """What was stored inside stays, unless writing itself has failed."""
    try:
        yield
    except (errors.ConnectorError, asyncio.CancelledError):
        await _written(_pause, shelves)
        raise
    except BaseException:
        await off_loop(_discard, shelves)
        raise


async def _written(work: Callable[[Sequence[Shelf]], None], shelves: Sequence[Shelf]) -> None:
    """End what is being written; what cannot be ended is let go of."""
    try:
        await off_loop(work, shelves)
    except BaseException:
        await off_loop(_discard, shelves)
        raise


def _open(shelves: Sequence[Shelf]) -> None:
    for shelf in shelves:
        shelf.open()


def _pause(shelves: Sequence[Shelf]) -> None:
    for shelf in shelves:
        shelf.pause()


def _discard(shelves: Sequence[Shelf]) -> None:
    for shelf in shelves:
        shelf.discard()


def _complete(shelves: Sequence[Shelf]) -> None:
    for shelf in shelves:
        shelf.complete()


async def off_loop(work: Callable[..., T], *args: Any) -> T:
    """What ``work`` gives, done in a thread; it has ended when this is cancelled, too."""
    loop = asyncio.get_running_loop()
    done = loop.run_in_executor(None, partial(work, *args))
    try:
        await asyncio.wait((done,))
    except asyncio.CancelledError:
        while not done.done():
            # A thread cannot be stopped, and what comes next must not meet it.
            with suppress(asyncio.CancelledError):
                await asyncio.wait((done,))
        if not done.cancelled():
            done.exception()  # seen: nobody is left whom it could be told
        raise
    return done.result()
