"""One timer for all who wait: orders come and go by the hundred, and few run out of time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from sentio_async.orders.entry import Entry

__all__ = ["Deadlines"]


class Deadlines:
    """Tells of each entry that is still waited for when its time is over.

    ``now`` gives the loop time.
    """

    def __init__(self, now: Callable[[], float], is_over: Callable[[Entry], None]) -> None:
        self._now = now
        self._is_over = is_over
        # A dict keeps its order: what has the same deadline is told of in the order of coming.
        self._waiting: dict[Entry, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._loop: asyncio.AbstractEventLoop | None = None

    def add(self, entry: Entry) -> None:
        """Tell of it at its deadline, unless it has stopped waiting by then."""
        self._waiting[entry] = None
        entry.among = self._waiting
        # The timer of a loop that has ended does not fire.
        if entry.deadline < self._timer_at or asyncio.get_running_loop() is not self._loop:
            self._look_at(entry.deadline)

    def stop(self) -> None:
        """Tell of nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = None, math.inf

    def _look_at(self, at: float) -> None:
        self.stop()
        self._timer_at = at
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(max(0.0, at - self._now()), self._look)

    def _look(self) -> None:
        self.stop()
        now, loop = self._now(), asyncio.get_running_loop()
        for entry in [each for each in self._waiting if each.deadline <= now]:
            del self._waiting[entry]
            # Each by itself: what fails for one keeps nothing from the others.
            loop.call_soon(self._is_over, entry)
        if self._waiting:
            self._look_at(min(entry.deadline for entry in self._waiting))
