"""Calls about one thing each, made into one call about many.

The first call goes at once and alone, so whoever is alone pays nothing for the others there might
have been.  Those that come within a moment of it, while it is under way, go together when the loop
has had its turn.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextvars import copy_context
from typing import Generic, TypeVar

from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.resilience.deadline import remaining, replace_deadline

__all__ = ["Coalescer"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_TURN = 0.02
"""For so many seconds after the first call others are taken to belong to the same turn of the loop:
asyncio does not tell, and being called back at its end costs a turn more.  The first of all calls
takes some of that to get going."""


class _Group(Generic[K, V]):
    """Those who wait for one call, by what they have asked for."""

    __slots__ = ("places", "task")

    def __init__(self) -> None:
        self.places: dict[K, set[asyncio.Future[V]]] = {}
        self.task: asyncio.Task[None] | None = None

    def settle(self, key: K, result: V | Exception) -> None:
        """Tell those who asked for this."""
        for place in self.places.get(key, ()):
            if place.done():
                continue
            if isinstance(result, Exception):
                place.set_exception(result)
                place.exception()  # seen, even by one who leaves at this moment
            else:
                place.set_result(result)

    def vanish(self, _task: asyncio.Task[None]) -> None:
        """The call was cancelled: so is the waiting of those who are left."""
        for places in self.places.values():
            for place in places:
                place.cancel()


class Coalescer(Generic[K, V]):
    """``get`` gives what ``alone(key)`` would.

    ``together`` is given keys, each once, and gives each its value or its error; what it raises is
    everybody's.  One who is cancelled, or whose ``with_deadline`` has come, costs the others
    nothing; when nobody waits any more, the call is cancelled.  The same key asked for while it
    is under way is not asked for again.  ``is_busy`` tells that a call gone alone is under way.
    """

    def __init__(
        self,
        alone: Callable[[K], Awaitable[V]],
        together: Callable[[Sequence[K]], Awaitable[Mapping[K, V | Exception]]],
        *,
        is_busy: Callable[[], bool] = lambda: True,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._alone = alone
        self._together = together
        self._is_busy = is_busy
        self._clock = clock
        self._first: K | None = None
        self._turn_ends = -math.inf
        self._gathering: _Group[K, V] | None = None
        self._under_way: dict[K, _Group[K, V]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def get(self, key: K) -> Awaitable[V]:
        """The value of this key, asked for now; to be awaited at once."""
        if self._under_way and key in self._under_way:
            return self._join(key)
        now = self._clock.time()
        if self._gathering is None and (now >= self._turn_ends or not self._is_busy()):
            self._first, self._turn_ends = key, now + _TURN
            return self._alone(key)
        # Who asks for the same as the first finds that call under way, and shares it.
        return self._alone(key) if key == self._first else self._join(key)

    async def _join(self, key: K) -> V:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # What another loop left behind when it ended will not be told any more.
            self._under_way, self._gathering, self._loop = {}, None, loop
        group = self._under_way.get(key)
        if group is None:
            group = self._gathering or self._begin(loop)
            self._under_way[key] = group
        place: asyncio.Future[V] = loop.create_future()
        places = group.places.setdefault(key, set())
        places.add(place)
        try:
            return await self._wait(place)
        finally:
            places.discard(place)
            if group.task is not None and not any(group.places.values()):
                self._forget(group)
                group.task.cancel()

    async def _wait(self, place: asyncio.Future[V]) -> V:
        left = remaining(self._clock)
        if left != math.inf:
            await asyncio.wait((place,), timeout=left)
            if not place.done():
                raise errors.DeadlineExceededError("no time left to wait for the answer")
        return await place

    def _begin(self, loop: asyncio.AbstractEventLoop) -> _Group[K, V]:
        """A group whose call begins with the next turn, when everybody is in it."""
        group: _Group[K, V] = _Group()
        self._gathering = group
        # The deadline of whoever came first is not everybody's.
        context = copy_context()
        context.run(replace_deadline, None)
        # Not the loop's own way: where tasks are eager (Python 3.12), it would begin at once.
        group.task = asyncio.Task(self._call(group), loop=loop, context=context)
        group.task.add_done_callback(group.vanish)
        return group

    async def _call(self, group: _Group[K, V]) -> None:
        self._gathering = None
        keys = [key for key, places in group.places.items() if not all(p.done() for p in places)]
        try:
            if len(keys) == 1:
                group.settle(keys[0], await self._alone(keys[0]))
                return
            results = await self._together(keys)
            for key in keys:
                group.settle(key, results[key])
        except Exception as exc:  # noqa: BLE001 (it is everybody's)
            for key in keys:
                group.settle(key, exc)
        finally:
            self._forget(group)

    def _forget(self, group: _Group[K, V]) -> None:
        if self._gathering is group:
            self._gathering = None
        for key in group.places:
            if self._under_way.get(key) is group:
                del self._under_way[key]
