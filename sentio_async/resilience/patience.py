"""Work that has time: it waits for quotas and breakers that a single call does not wait for."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.resilience.deadline import remaining

__all__ = ["Patience", "is_patient", "patiently", "wait_out"]

T = TypeVar("T")

_MOST_WAITS = 20
_SHORTEST_WAIT = 0.1

_patient: ContextVar[bool] = ContextVar("sentio_async_patience", default=False)


def is_patient() -> bool:
    """The code around this has time."""
    return _patient.get()


@contextmanager
def patiently() -> Iterator[None]:
    """The code inside has time: walks through long lists wait for each page while it takes."""
    before = _patient.get()
    _patient.set(True)
    try:
        yield
    finally:
        # Set back by value: a token must not cross contexts, and async generators do.
        _patient.set(before)


class Patience:
    """Waits as long as errors say, and ends after 20 waits in a row that were of no use."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._waits = 0

    async def wait(self, error: Exception, *, has_moved: bool = False) -> bool:
        """Wait for what has refused a call; False when that is no use.

        When it does not say how long, for ever, longer than ``with_deadline`` allows, or too often.
        """
        self._waits = 1 if has_moved else self._waits + 1
        wait = _wait_in(error)
        if wait is None or self._waits > _MOST_WAITS:
            return False
        if wait == math.inf or wait > remaining(self._clock):
            return False
        await self._clock.sleep(max(wait, _SHORTEST_WAIT))
        return True


def _wait_in(error: Exception) -> float | None:
    match error:
        case errors.RateLimitError():
            return error.retry_after
        case errors.CircuitOpenError():
            return error.retry_in
    return None


async def wait_out(work: Callable[[], Awaitable[T]], *, clock: Clock = SYSTEM_CLOCK) -> T:
    """What ``work`` gives, as soon as quotas and breakers let it."""
    patience = Patience(clock)
    while True:
        try:
            return await work()
        except errors.ConnectorError as exc:
            if not await patience.wait(exc):
                raise
