"""What a user holds of a stream: rows to iterate over, or a callback that is given them."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import Any, Generic, Self, TypeVar, cast

from sentio_async import errors
from sentio_async.streams.book import Topic
from sentio_async.streams.consumers import (
    CALLING,
    BlockingQueue,
    CallbackConsumer,
    ConflatingQueue,
    Consumer,
    DroppingQueue,
    KeepingQueue,
    Queue,
    let_finish,
)
from sentio_async.streams.feed import Feed, FeedStatus
from sentio_async.streams.feeds import Tap

__all__ = ["Callback", "Part", "Policy", "Subscription"]

log = logging.getLogger("sentio_async.streams")

R = TypeVar("R")
Callback = Callable[[Any], object] | Callable[[Any], Awaitable[object]]
Part = tuple[Feed | Tap, tuple[Topic, ...]]
"""A feed, and what is wanted of it; one subscription may need several."""

_running: set[asyncio.Task[None]] = set()


class Policy(Enum):
    """What becomes of rows that nobody reads in time."""

    CONFLATE = "conflate"
    """Only the latest of each symbol is kept (quotes)."""
    DROP_OLDEST = "drop_oldest"
    """The oldest goes, and is counted (trades)."""
    BLOCK = "block"
    """The socket is held up for at most a second, then the oldest goes (bars)."""
    KEEP = "keep"
    """Nothing goes: the feed starts over and finds out what happened (order updates)."""


BUFFERS = {
    Policy.CONFLATE: 1_000,
    Policy.DROP_OLDEST: 10_000,
    Policy.BLOCK: 1_000,
    Policy.KEEP: 10_000,
}


class Subscription(Generic[R]):
    """Rows as they come: ``async for row in subscription``.

    It begins with the first use and ends with ``aclose``, with ``async with``, or when nobody
    holds it any more.  With a ``callback`` it begins at once and lives until it is closed; a plain
    function is called as each row arrives and must be quick, a coroutine function is awaited for
    one row after the other.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        policy: Policy,
        *,
        callback: Callback | None = None,
        buffer: int | None = None,
        name: str | None = None,
    ) -> None:
        if callback is not None and not callable(cast("object", callback)):
            kind = type(callback).__name__
            raise errors.InvalidRequestError(f"callback: a function comes first, not a {kind}")
        self._parts = tuple(parts)
        self._has_begun = False
        self._is_closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._callback = callback
        label = name or _name_of(callback)
        self._consumer: Consumer[Any]
        if callback is not None and not _is_coroutine(callback):
            self._consumer = CallbackConsumer(callback, name=label)
        else:
            self._consumer = self._queue_for(policy, buffer or BUFFERS[policy], label)
        self._queue = cast("Queue[R]", self._consumer)
        if callback is not None:
            self.start()

    def _queue_for(self, policy: Policy, limit: int, name: str) -> Queue[Any]:
        feeds = [feed for feed, _ in self._parts]
        match policy:
            case Policy.CONFLATE:
                return ConflatingQueue(limit, name=name)
            case Policy.DROP_OLDEST:
                return DroppingQueue(limit, name=name)
            case Policy.BLOCK:
                return BlockingQueue(
                    limit,
                    name=name,
                    pause=lambda consumer: _each(feeds, lambda feed: feed.hold_up(consumer)),
                    resume=lambda consumer: _each(feeds, lambda feed: feed.let_go(consumer)),
                )
        reason = f"{name}: {limit} rows wait to be read"
        return KeepingQueue(
            limit, name=name, overflowed=lambda: _each(feeds, lambda feed: feed.start_over(reason))
        )

    def start(self) -> None:
        """Begin now, before the first row is asked for; a second call does nothing."""
        if self._has_begun or self._is_closed:
            return
        loop = self._loop = asyncio.get_running_loop()
        self._has_begun = True
        for feed, topics in self._parts:
            feed.attach(self._consumer, topics)
        if self._callback is not None and isinstance(self._consumer, Queue):
            # Not the loop's own way: where tasks are eager (Python 3.12), it would run by now.
            worker = self._consumer.worker = asyncio.Task(self._work(self._callback), loop=loop)
            _running.add(worker)
            worker.add_done_callback(_running.discard)

    async def _work(self, callback: Callback) -> None:
        CALLING.set(self._consumer.worker)
        try:
            while not self._is_closed:
                await self._call(callback, await self._queue.get())
        except StopAsyncIteration:
            return
        except Exception:
            log.exception("the stream of %s ended", self._consumer.name)

    async def _call(self, callback: Callback, row: R) -> None:
        try:
            await cast("Awaitable[object]", callback(row))
        except (Exception, asyncio.CancelledError):
            worker = asyncio.current_task()
            if worker is not None and worker.cancelling():
                raise
            # It awaited something that was cancelled, which is its own failure like any other.
            self._consumer.failures += 1
            log.exception("a consumer failed: %s", self._consumer.name)

    async def ready(self) -> Self:
        """Return when the venue has confirmed every symbol; raises what it said if it did not.

        Of order updates: when the orders that are open have been asked for as well.
        """
        self.start()
        for feed, topics in self._parts:
            await feed.ready(topics)
        return self

    @property
    def is_current(self) -> bool:
        """Every symbol is confirmed, and nothing that was missed is still to come."""
        return self._has_begun and all(feed.is_current(topics) for feed, topics in self._parts)

    @property
    def is_closed(self) -> bool:
        """``aclose`` was called, or the stream ended by itself."""
        return self._is_closed or self._consumer.is_finished

    @property
    def error(self) -> BaseException | None:
        """What ended the stream, if something did."""
        return self._consumer.error

    @property
    def dropped(self) -> int:
        """Rows lost because they were not read in time."""
        return self._consumer.dropped

    @property
    def conflated(self) -> int:
        """Rows replaced by newer ones before they were read."""
        return self._consumer.conflated

    @property
    def failures(self) -> int:
        """How often the callback raised."""
        return self._consumer.failures

    @property
    def feeds(self) -> tuple[FeedStatus, ...]:
        """How the connections are that this comes from."""
        return tuple(feed.status() for feed, _ in self._parts)

    def __aiter__(self) -> Self:
        self.start()
        return self

    async def __anext__(self) -> R:
        queue = self._queue
        if queue.is_plain and queue.rows:
            return queue.rows.popleft()
        self.start()
        return await queue.get()

    def close(self) -> None:
        """Want no more; what has arrived can still be read."""
        if self._is_closed:
            return
        self._is_closed = True
        leave = functools.partial(_leave, self._consumer, self._parts)
        if self._loop is None or self._loop is _loop_here():
            leave()
        elif not self._loop.is_closed():
            # Garbage is collected in whatever thread, and between two runs of a loop.
            self._loop.call_soon_threadsafe(leave)

    async def aclose(self) -> None:
        """Want no more, and cancel the callback that is under way."""
        self.close()
        await let_finish((self._consumer,), within=0.0)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        # ``break`` out of ``async for`` closes nothing by itself.  A callback is meant to stay.
        if getattr(self, "_has_begun", False) and self._callback is None and not self._is_closed:
            try:
                self.close()
            except RuntimeError:
                return  # the loop is gone, and the connection with it

    def __repr__(self) -> str:
        topics = ", ".join(str(topic) for _, topics in self._parts for topic in topics)
        return f"<Subscription {topics[:80]}>"


def _each(feeds: Sequence[Feed | Tap], act: Callable[[Feed | Tap], None]) -> None:
    for feed in feeds:
        act(feed)


def _leave(consumer: Consumer[Any], parts: Sequence[Part]) -> None:
    consumer.finish()
    for feed, _ in parts:
        feed.detach(consumer)


def _loop_here() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _is_coroutine(callback: Callback) -> bool:
    call = getattr(callback, "__call__", None)  # noqa: B004 (an object with an async __call__)
    return inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(call)


def _name_of(callback: Callback | None) -> str:
    if callback is None:
        return "async for"
    return getattr(callback, "__qualname__", type(callback).__name__)
