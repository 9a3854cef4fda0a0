"""Between the reader and the user's code: bounded queues, each with its own answer to "too slow".

The reader calls ``deliver`` and goes on at once; it never waits for anybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any, ClassVar, Generic, TypeVar

__all__ = [
    "CALLING",
    "FAULTS",
    "BlockingQueue",
    "CallbackConsumer",
    "ConflatingQueue",
    "Consumer",
    "DroppingQueue",
    "KeepingQueue",
    "Queue",
    "let_finish",
]

R = TypeVar("R")

FAULTS = (Exception, asyncio.CancelledError)
"""What a consumer's code raises that is its own failure, and no wish to end the program.

A plain function has no task that could be cancelled: it asked for something that was.
"""


CALLING: ContextVar[asyncio.Task[None] | None] = ContextVar("CALLING", default=None)
"""The worker whose callback this is."""
_CANCELLED_WITHIN = 0.5
"""Seconds that a callback has to notice that it is cancelled."""


class Consumer(Generic[R]):
    """Somebody who is given rows."""

    name: str = "consumer"
    deliver: Callable[[R], object]
    """Takes one row; called by the reader, so it must be quick and must not raise."""
    dropped: int = 0
    """Rows lost because this consumer was too slow."""
    conflated: int = 0
    """Rows replaced by newer ones of the same symbol before they were read."""
    failures: int = 0
    """How often the consumer's own code raised."""
    error: BaseException | None = None
    is_finished: bool = False
    worker: asyncio.Task[None] | None = None
    """Who calls the user's coroutine function, where it is one."""

    def finish(self, error: BaseException | None = None) -> None:
        """Nothing more will come, because of ``error`` if there is one."""
        if not self.is_finished:
            self.is_finished = True
            self.error = error


async def let_finish(consumers: Iterable[Consumer[Any]], *, within: float) -> None:
    """Return when they have dealt with what they were given; what takes longer is cancelled."""
    workers = {each.worker for each in consumers if each.worker is not None}
    # A callback that ends its own stream, by however many tasks, is not waited for.
    left = {each for each in workers if not each.done() and each is not CALLING.get()}
    if left and within:
        _, left = await asyncio.wait(left, timeout=within)
    for worker in left:
        worker.cancel()
    if left:
        # Whoever will not be cancelled is waited for no longer.
        await asyncio.wait(left, timeout=_CANCELLED_WITHIN)


class CallbackConsumer(Consumer[R]):
    """A plain function, called for every row as it arrives."""

    def __init__(self, callback: Callable[[R], object], *, name: str | None = None) -> None:
        self.name = name or str(getattr(callback, "__qualname__", type(callback).__name__))
        self.deliver = callback


class Queue(Consumer[R]):
    """Rows for somebody who awaits them."""

    is_plain: ClassVar[bool] = False
    """Whoever reads may take from the left of ``rows`` and need not ask."""

    def __init__(self, limit: int, *, name: str = "consumer") -> None:
        self.name = name
        self.limit = max(1, limit)
        self.rows: deque[R] = deque()
        """Read from the left; empty while rows are kept elsewhere."""
        self._waiters: deque[asyncio.Future[None]] = deque()
        self.deliver = self.put

    def __len__(self) -> int:
        return len(self.rows)

    def put(self, row: R) -> None:
        """Keep a row for the consumer."""
        rows = self.rows
        if len(rows) >= self.limit:
            self._overflow(row)
        else:
            rows.append(row)
        if self._waiters:
            self._wake()

    def _overflow(self, row: R) -> None:
        raise NotImplementedError

    def _take(self) -> R:
        return self.rows.popleft()

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def get(self) -> R:
        """The next row; raises what ended the stream, or StopAsyncIteration at a plain end."""
        while not len(self):
            if self.is_finished:
                # Each of several readers has its own, or their tracebacks would be one.
                raise copy.copy(self.error) or StopAsyncIteration
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except BaseException:
                # Another one may have to hear of what this one was woken for.
                if waiter.done() and not waiter.cancelled() and len(self):
                    self._wake()
                raise
            finally:
                # Who gives up again and again must leave nothing behind.
                with contextlib.suppress(ValueError):
                    self._waiters.remove(waiter)
        return self._take()

    def finish(self, error: BaseException | None = None) -> None:
        """No more rows; those that are there can still be read."""
        super().finish(error)
        while self._waiters:
            self._wake()


class DroppingQueue(Queue[R]):
    """For trades: when it is full the oldest row goes, and is counted."""

    is_plain = True

    def _overflow(self, row: R) -> None:
        self.rows.popleft()
        self.rows.append(row)
        self.dropped += 1


class ConflatingQueue(Queue[Any]):
    """For quotes: when it is full only the latest row of each symbol is kept, until it is empty."""

    is_plain = True

    def __init__(self, limit: int, *, name: str = "consumer") -> None:
        super().__init__(limit, name=name)
        self._latest: dict[str, Any] = {}
        self._order: deque[str] = deque()

    def __len__(self) -> int:
        return len(self.rows) or len(self._order)

    def put(self, row: Any) -> None:
        """Keep a row, in the place of an older one of its symbol if it must be."""
        if self._order:
            self._replace(row)
        elif len(self.rows) >= self.limit:
            self._overflow(row)
        else:
            self.rows.append(row)
        if self._waiters:
            self._wake()

    def _overflow(self, row: Any) -> None:
        rows, self.rows = self.rows, deque()
        for each in (*rows, row):
            self._replace(each)

    def _replace(self, row: Any) -> None:
        symbol = row.symbol
        if symbol in self._latest:
            self.conflated += 1
        else:
            self._order.append(symbol)
        self._latest[symbol] = row

    def _take(self) -> Any:
        if self.rows:
            return self.rows.popleft()
        return self._latest.pop(self._order.popleft())


class BlockingQueue(Queue[Any]):
    """For bars: a bar that is sent again replaces the one that waits; full, it holds up the socket.

    ``pause`` stops the reading for a moment (at most a second, see the feed); what still arrives
    has as much room again, and after that the oldest bars go and are counted.
    """

    def __init__(
        self,
        limit: int,
        *,
        name: str = "consumer",
        pause: Callable[[Consumer[Any]], None] | None = None,
        resume: Callable[[Consumer[Any]], None] | None = None,
    ) -> None:
        super().__init__(limit, name=name)
        self._bars: dict[tuple[str, int], Any] = {}
        self._pause = pause
        self._resume = resume
        self._is_pausing = False

    def __len__(self) -> int:
        return len(self._bars)

    def put(self, row: Any) -> None:
        """Keep a bar; the last one for an interval wins."""
        bars = self._bars
        key = (row.symbol, row.time_ns)
        if key in bars:
            self.conflated += 1
        elif len(bars) >= self.limit:
            self._overflow(row)
        bars[key] = row
        if self._waiters:
            self._wake()

    def _overflow(self, row: Any) -> None:
        if not self._is_pausing and self._pause is not None:
            self._is_pausing = True
            self._pause(self)
        if len(self._bars) >= 2 * self.limit:
            del self._bars[next(iter(self._bars))]
            self.dropped += 1

    def _take(self) -> Any:
        row = self._bars.pop(next(iter(self._bars)))
        # Only a consumer that has caught up by half may hold up the socket again.
        if self._is_pausing and len(self._bars) <= self.limit // 2:
            self._is_pausing = False
            if self._resume is not None:
                self._resume(self)
        return row


class KeepingQueue(Queue[R]):
    """For order updates: nothing is dropped.

    When it is full it says so once; the feed then stays away until half of it has been read, and
    finds out what became of the orders meanwhile.
    """

    def __init__(
        self, limit: int, *, overflowed: Callable[[], None], name: str = "consumer"
    ) -> None:
        super().__init__(limit, name=name)
        self._overflowed = overflowed
        self._drained: asyncio.Event | None = None

    @property
    def is_behind(self) -> bool:
        """It was full, and less than half has been read since."""
        return self._drained is not None

    def _overflow(self, row: R) -> None:
        self.rows.append(row)
        if self._drained is None:
            self._drained = asyncio.Event()
            self._overflowed()

    def _take(self) -> R:
        row = self.rows.popleft()
        if self._drained is not None and len(self.rows) <= self.limit // 2:
            self._drained.set()
            self._drained = None
        return row

    def finish(self, error: BaseException | None = None) -> None:
        """No more rows; nobody has to wait for this consumer."""
        super().finish(error)
        if self._drained is not None:
            self._drained.set()
            self._drained = None

    async def drained(self) -> None:
        """Return when this consumer has caught up by half, or has left."""
        if self._drained is not None:
            await self._drained.wait()
