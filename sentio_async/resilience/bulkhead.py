"""At most so many at a time, the most important first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.resilience.window import Priority

__all__ = ["Bulkhead"]


class Bulkhead:
    """A semaphore with priorities and deadlines; ``reserve`` places are kept for ORDERS."""

    def __init__(
        self, limit: int, *, name: str = "", clock: Clock = SYSTEM_CLOCK, reserve: int = 0
    ) -> None:
        if limit < 1 or not 0 <= reserve < limit:
            raise errors.ConfigurationError(f"bulkhead: {limit} places, {reserve} of them reserved")
        self.limit = limit
        self.name = name
        self.reserve = reserve
        self.in_use = 0
        """How many are inside."""
        self._clock = clock
        self._queues: tuple[deque[asyncio.Future[bool]], ...] = tuple(deque() for _ in Priority)
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many callers wait."""
        return self._waiting

    async def acquire(
        self, *, priority: Priority = Priority.QUOTES, deadline: float | None = None
    ) -> None:
        """Go in, or wait; DeadlineExceededError when ``deadline`` (absolute) comes first."""
        if self.try_acquire(priority):
            return
        wait = None if deadline is None else deadline - self._clock.time()
        if wait is not None and wait <= 0:
            raise self._too_late()
        if not await self._queue(priority, wait):
            raise self._too_late()

    def try_acquire(self, priority: Priority) -> bool:
        """Go in, if there is room now and nobody as important waits."""
        if self._waiting and any(self._queues[: priority + 1]):
            return False
        if not self._has_room(priority):
            return False
        self.in_use += 1
        return True

    def release(self) -> None:
        """Come out, and let in whoever is next."""
        self.in_use -= 1
        if self._waiting:
            self._pump()

    def hold(self) -> None:
        """Take a place without waiting, for work that goes on although its caller leaves."""
        self.in_use += 1

    @asynccontextmanager
    async def slot(
        self, *, priority: Priority = Priority.QUOTES, deadline: float | None = None
    ) -> AsyncIterator[None]:
        """A place for the code inside."""
        await self.acquire(priority=priority, deadline=deadline)
        try:
            yield
        finally:
            self.release()

    def _has_room(self, priority: Priority) -> bool:
        return self.in_use < (self.limit - self.reserve if priority else self.limit)

    async def _queue(self, priority: Priority, wait: float | None) -> bool:
        """Whether a place was given before the time was up."""
        loop = asyncio.get_running_loop()
        place: asyncio.Future[bool] = loop.create_future()
        queue = self._queues[priority]
        queue.append(place)
        self._waiting += 1
        expiry = None if wait is None else loop.call_later(wait, self._expire, place)
        is_in = False
        try:
            is_in = await place
        except asyncio.CancelledError:
            is_in = not place.cancelled() and place.result()
            if is_in:
                self.release()
            raise
        finally:
            # Who was let in has left the queue; looking for all of them in it takes ages.
            if not is_in and place in queue:
                queue.remove(place)
                self._waiting -= 1
            if expiry is not None:
                expiry.cancel()
        return is_in

    @staticmethod
    def _expire(place: asyncio.Future[bool]) -> None:
        if not place.done():
            place.set_result(False)

    def _pump(self) -> None:
        for priority, queue in zip(Priority, self._queues, strict=True):
            while queue and self._has_room(priority):
                place = queue.popleft()
                self._waiting -= 1
                if not (place.done() or place.get_loop().is_closed()):
                    self.in_use += 1
                    place.set_result(True)
            if queue:
                return

    def _too_late(self) -> errors.DeadlineExceededError:
        return errors.DeadlineExceededError(
            f"{self.name or 'bulkhead'}: no place among {self.limit} in time",
            outcome=errors.Outcome.NOT_SENT,
        )
