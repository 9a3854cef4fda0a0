"""Asking once for what many want, and not again while the answer is fresh."""

from __future__ import annotations

import asyncio
import math
from asyncio import get_running_loop
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from contextvars import copy_context
from enum import Enum
from typing import Generic, TypeVar

from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.resilience.deadline import current_deadline, remaining, replace_deadline

__all__ = ["SingleFlight", "TTLCache"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Flight(Generic[V]):
    """Work under way, and where each who waits for it will be told."""

    __slots__ = ("places", "task")

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        """The work, when it is nobody's own."""
        self.places: dict[asyncio.Future[V | _Left], None] = {}

    def land(self, value: V | _Left) -> None:
        """Everybody has it."""
        for place in self.places:
            if not place.done():
                place.set_result(value)

    def crash(self, error: Exception) -> None:
        """Everybody has the error."""
        for place in self.places:
            if not place.done():
                place.set_exception(error)
                place.exception()  # seen, even by one who leaves at this moment

    def vanish(self, _task: asyncio.Task[None]) -> None:
        """The work was cancelled from within or from outside: so is the waiting."""
        for place in self.places:
            place.cancel()


class _Left(Enum):
    LEFT = 0
    """Whose work it was has left: somebody else must do it."""


class SingleFlight(Generic[K, V]):
    """Concurrent calls with the same key share one piece of work and its result or error.

    Whoever asks first does the work; when that one is cancelled, the next in line does it anew.
    One who is in a hurry (``with_deadline``) has it done by a task that is nobody's own, which
    ends when nobody waits for it.  Nothing is kept once it is done.
    """

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        # None while one works alone, as nearly all do.
        self._flights: dict[K, _Flight[V] | None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def __len__(self) -> int:
        return len(self._flights)

    async def run(self, key: K, work: Callable[[], Awaitable[V]]) -> V:
        """The result of ``work``, or of the same work already under way."""
        loop = get_running_loop()
        if loop is not self._loop:
            # What another loop left behind when it ended will not land any more.
            self._flights, self._loop = {}, loop
        if key in self._flights or current_deadline() is not None:
            return await self._share(key, work)
        self._flights[key] = None
        try:
            value = await work()
        except BaseException as exc:
            flight = self._flights.pop(key, None)
            if flight is not None and isinstance(exc, Exception):
                flight.crash(exc)
            elif flight is not None:
                flight.land(_Left.LEFT)
            raise
        flight = self._flights.pop(key, None)
        if flight is not None:
            flight.land(value)
        return value

    async def _share(self, key: K, work: Callable[[], Awaitable[V]]) -> V:
        flight = self._joined(key, work)
        # A place of one's own, told by the work itself: a shield costs one more turn of the loop.
        place: asyncio.Future[V | _Left] = asyncio.get_running_loop().create_future()
        flight.places[place] = None
        try:
            value = await self._wait(place)
        finally:
            del flight.places[place]
            if flight.task is not None and not flight.places:
                # Also of one that was cancelled before it began, and so could not do it itself.
                self._forget(key, flight)
                flight.task.cancel()
        return await self.run(key, work) if isinstance(value, _Left) else value

    async def _wait(self, place: asyncio.Future[V | _Left]) -> V | _Left:
        left = remaining(self._clock)
        if left != math.inf:
            await asyncio.wait((place,), timeout=left)
            if not place.done():
                raise errors.DeadlineExceededError("no time left to wait for the answer")
        return await place

    def _joined(self, key: K, work: Callable[[], Awaitable[V]]) -> _Flight[V]:
        """The flight under way, or one that a task begins."""
        is_under_way = key in self._flights
        flight = self._flights.get(key)
        if flight is not None and flight.task is not None and flight.task.cancelling():
            is_under_way, flight = False, None
        if flight is None:
            flight = self._flights[key] = _Flight()
            if not is_under_way:
                self._begin(key, flight, work)
        return flight

    def _begin(self, key: K, flight: _Flight[V], work: Callable[[], Awaitable[V]]) -> None:
        # The deadline of whoever came first is not everybody's.
        context = copy_context()
        context.run(replace_deadline, None)
        carry = self._carry(key, flight, work)
        # Not the loop's own way: where tasks are eager (Python 3.12), it might be done already.
        flight.task = asyncio.Task(carry, loop=get_running_loop(), context=context)
        flight.task.add_done_callback(flight.vanish)

    async def _carry(self, key: K, flight: _Flight[V], work: Callable[[], Awaitable[V]]) -> None:
        try:
            value = await work()
        except Exception as exc:  # noqa: BLE001 (it is everybody's)
            flight.crash(exc)
        else:
            flight.land(value)
        finally:
            self._forget(key, flight)

    def _forget(self, key: K, flight: _Flight[V]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]


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
