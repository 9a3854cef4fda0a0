"""Asking once for what many want, and not again while the answer is fresh."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from contextvars import copy_context
from typing import Generic, TypeVar

from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.resilience.deadline import current_deadline, remaining, replace_deadline

__all__ = ["SingleFlight", "TTLCache"]

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")
V = TypeVar("V")


class _Flight(Generic[V]):
    """Work under way: in a task of its own, or done by the caller who asked first."""

    __slots__ = ("landing", "riders", "task")

    def __init__(self, task: asyncio.Task[V] | None = None) -> None:
        self.task = task
        self.riders = 0
        self.landing: asyncio.Future[tuple[V] | None] | None = None
        """The result, for those who came later; None when whoever did the work has left."""

    def joined(self) -> asyncio.Future[tuple[V] | None]:
        """Where the work of another caller lands."""
        if self.landing is None:
            self.landing = asyncio.get_running_loop().create_future()
        return self.landing

    def land(self, result: tuple[V] | None, error: Exception | None = None) -> None:
        """Tell those who came later."""
        if self.landing is None:
            return
        if error is None:
            self.landing.set_result(result)
            return
        self.landing.set_exception(error)
        self.landing.exception()  # seen, even when everybody who asked has left


class SingleFlight(Generic[K, V]):
    """Concurrent calls with the same key share one piece of work and its result or error.

    Whoever asked first may be cancelled without ending it for the others: one of them then starts
    it anew.  Each waits no longer than its own ``with_deadline`` allows; the work of a caller with
    a deadline runs in a task of its own, and is cancelled when nobody waits for it any more.
    Nothing is kept once it is done.
    """

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._flights: dict[K, _Flight[V]] = {}

    def __len__(self) -> int:
        return len(self._flights)

    async def run(self, key: K, work: Callable[[], Awaitable[V]]) -> V:
        """The result of ``work``, or of the same work already under way."""
        while True:
            flight = self._flights.get(key)
            if flight is None:
                if current_deadline() is None:
                    return await self._lead(key, work)
                flight = self._start(key, work)
            if flight.task is not None:
                return await self._follow(key, flight, flight.task)
            landed = await self._ride(flight.joined())
            if landed is not None:
                return landed[0]

    async def _lead(self, key: K, work: Callable[[], Awaitable[V]]) -> V:
        """Mostly nobody else asks meanwhile, and a task costs as much as a request."""
        flight: _Flight[V] = _Flight()
        self._flights[key] = flight
        try:
            value = await work()
        except BaseException as exc:
            del self._flights[key]
            flight.land(None, exc if isinstance(exc, Exception) else None)
            raise
        del self._flights[key]
        flight.land((value,))
        return value

    async def _follow(self, key: K, flight: _Flight[V], task: asyncio.Task[V]) -> V:
        flight.riders += 1
        try:
            return await self._ride(task)
        finally:
            flight.riders -= 1
            if not flight.riders and not task.done():
                self._forget(key, flight)
                task.cancel()

    async def _ride(self, landing: asyncio.Future[R]) -> R:
        left = remaining(self._clock)
        if left == math.inf:
            return await asyncio.shield(landing)
        await asyncio.wait((landing,), timeout=left)
        if not landing.done():
            raise errors.DeadlineExceededError("no time left to wait for the answer")
        return landing.result()

    def _start(self, key: K, work: Callable[[], Awaitable[V]]) -> _Flight[V]:
        # The deadline of whoever came first is not everybody's.
        context = copy_context()
        context.run(replace_deadline, None)
        task = asyncio.get_running_loop().create_task(_awaited(work), context=context)
        self._flights[key] = flight = _Flight(task)
        task.add_done_callback(lambda task: self._landed(key, flight, task))
        return flight

    def _landed(self, key: K, flight: _Flight[V], task: asyncio.Task[V]) -> None:
        self._forget(key, flight)
        if not task.cancelled():
            task.exception()  # seen, even when everybody who asked has left

    def _forget(self, key: K, flight: _Flight[V]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]


async def _awaited(work: Callable[[], Awaitable[V]]) -> V:
    return await work()


class TTLCache(Generic[K, V]):
    """At most ``size`` values, each for ``ttl`` seconds; the least recently used goes first."""

    def __init__(self, ttl: float, *, size: int = 1024, clock: Clock = SYSTEM_CLOCK) -> None:
        if ttl < 0 or size < 1:
            raise errors.ConfigurationError(f"cache: {size} values for {ttl} s cannot be kept")
        self.ttl = ttl
        self.size = size
        self._clock = clock
        self._kept: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._flights: SingleFlight[K, V] = SingleFlight(clock=clock)

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K) -> V | None:
        """The value, if it is still fresh."""
        kept = self._fresh(key)
        return None if kept is None else kept[1]

    def _fresh(self, key: K) -> tuple[float, V] | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if self._clock.time() >= kept[0]:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return kept

    def put(self, key: K, value: V, *, ttl: float | None = None) -> None:
        """Keep a value, for ``ttl`` seconds of its own if given."""
        self._kept[key] = (self._clock.time() + (self.ttl if ttl is None else ttl), value)
        self._kept.move_to_end(key)
        while len(self._kept) > self.size:
            self._kept.popitem(last=False)

    def discard(self, key: K) -> None:
        """Forget one value."""
        self._kept.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()

    async def get_or_load(self, key: K, load: Callable[[], Awaitable[V]]) -> V:
        """The fresh value, or a newly loaded one; concurrent callers load once.

        A failure is everybody's who waited for it, and is not kept.
        """
        kept = self._fresh(key)
        if kept is not None:
            return kept[1]

        async def load_and_keep() -> V:
            loaded = await load()
            self.put(key, loaded)
            return loaded

        return await self._flights.run(key, load_and_keep)
