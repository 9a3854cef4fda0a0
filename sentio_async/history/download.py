"""Downloads bars of many symbols to Parquet files, and goes on where it was broken off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.events import BarsStored, Listener, tell
from sentio_async.history.parquet import check_pyarrow
from sentio_async.history.request import HistoryRequest
from sentio_async.history.shelf import Shelf, StoredBars
from sentio_async.models.bars import Bars
from sentio_async.models.batch import Batch

__all__ = ["BarSource", "Download"]

T = TypeVar("T")

_MOST_WAITS = 20
"""Waits in a row for a quota or a breaker, after which a symbol has failed."""
_SHORTEST_WAIT = 0.1
_NOBODYS = (errors.AuthenticationError, errors.NotSupportedError, errors.ConfigurationError)
"""No symbol's own errors: they would be every symbol's."""


class BarSource(Protocol):
    """Who has bars."""

    def iter_bar_pages(
        self, symbol: str, timeframe: str, **options: Any
    ) -> AsyncGenerator[Bars, None]:
        """Bars from ``start`` to ``end``, oldest first, page after page."""
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
        request = await off_loop(request.settled_in, self.folder, self.clock.utcnow())
        run = _Run(self, source, request, len(symbols))
        names = iter(symbols)
        loop = asyncio.get_running_loop()
        at_once = min(self.symbols_at_once, len(symbols))
        tasks = [loop.create_task(run.store_some(names)) for _ in range(at_once)]
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

    async def store_some(self, names: Iterator[str]) -> None:
        """Store symbol after symbol, until there are no more names."""
        for symbol in names:
            shelf = Shelf(self._how.folder, symbol, self._about, rows=self._how.rows_per_file)
            try:
                await off_loop(shelf.open)
                await self._store(shelf, symbol)
            except _NOBODYS:
                raise
            except errors.ConnectorError as exc:
                self.results[symbol] = exc
                self._tell(shelf.stored, error=exc)
            else:
                self.results[symbol] = shelf.stored
                self._tell(shelf.stored)

    async def _store(self, shelf: Shelf, symbol: str) -> None:
        if shelf.is_complete:
            return
        try:
            await self._read_all(shelf, symbol)
        except (errors.ConnectorError, asyncio.CancelledError):
            await off_loop(shelf.pause)
            raise
        except BaseException:
            await off_loop(shelf.discard)
            raise
        await off_loop(shelf.complete)

    async def _read_all(self, shelf: Shelf, symbol: str) -> None:
        """Read to the end, and wait for quotas that a single call would not wait for."""
        waits = 0
        while True:
            rows = shelf.stored.rows
            try:
                await self._read(shelf, symbol)
            except (errors.RateLimitError, errors.CircuitOpenError) as exc:
                waits = 1 if shelf.stored.rows > rows else waits + 1
                wait = _wait_in(exc)
                if wait is None or waits > _MOST_WAITS:
                    raise
            else:
                return
            await self._how.clock.sleep(max(wait, _SHORTEST_WAIT))

    async def _read(self, shelf: Shelf, symbol: str) -> None:
        asked = self._request
        span = {"start": shelf.go_on() or asked.start, "end": asked.end}
        pages = self._source.iter_bar_pages(symbol, asked.timeframe, **span, **asked.options)
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


def _wait_in(error: errors.RateLimitError | errors.CircuitOpenError) -> float | None:
    return error.retry_after if isinstance(error, errors.RateLimitError) else error.retry_in


async def off_loop(work: Callable[..., T], *args: Any) -> T:
    """What ``work`` gives, done in a thread; it has ended when this is cancelled, too."""
    loop = asyncio.get_running_loop()
    done = loop.run_in_executor(None, partial(work, *args))
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        while not done.done():
            # A thread cannot be stopped, and what comes next must not meet it.
            with suppress(asyncio.CancelledError):
                await asyncio.wait((done,))
        raise
