"""Time, from one place: the event loop.

Durations and deadlines are read from ``Clock.time()``, which is ``loop.time()``: steps of the
wall clock change nothing, and under a virtual loop a day passes in milliseconds.  Only what is
shown to people or to vendors (``utcnow``) comes from the wall.
"""

from __future__ import annotations

import asyncio
import time
from asyncio import get_running_loop
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["SYSTEM_CLOCK", "Clock", "Sleep", "SystemClock"]


class Sleep(Protocol):
    """Waits so many seconds."""

    def __call__(self, seconds: float, /) -> Awaitable[None]:
        """Wait."""
        ...


class Clock(Protocol):
    """What the rest of the library knows of time."""

    def time(self) -> float:
        """Seconds on a clock that never steps back."""
        ...

    def utcnow(self) -> datetime:
        """The wall clock, aware, in UTC."""
        ...

    async def sleep(self, seconds: float, /) -> None:
        """Let so many seconds pass."""
        ...


class SystemClock:
    """The event loop's time, and the machine's wall clock."""

    def time(self) -> float:
        """Seconds of the running loop; outside a loop, of the monotonic clock."""
        try:
            return get_running_loop().time()
        except RuntimeError:
            return time.monotonic()

    def utcnow(self) -> datetime:
        """The wall clock, aware, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float, /) -> None:
        """Let so many seconds pass."""
        await asyncio.sleep(seconds)


SYSTEM_CLOCK: Clock = SystemClock()
