"""One deadline for everything a task does; inner ones can only be earlier.

    with with_deadline(2.0):
        quote = await provider.get_quote("AAPL")
        order = await broker.place_order("AAPL", qty=1, side="buy")

It is a value that calls look at, not a timer: nothing is ever cancelled because of it, so no
connection is lost half way.  Deadlines are absolute, in ``clock.time()``.
"""

from __future__ import annotations

import math
from contextvars import ContextVar
from types import TracebackType
from typing import Self

from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK, Clock

__all__ = [
    "DEADLINE",
    "check_deadline",
    "current_deadline",
    "remaining",
    "replace_deadline",
    "with_deadline",
]

DEADLINE: ContextVar[float | None] = ContextVar("sentio_async_deadline", default=None)
"""The deadline around the code that asks; for what runs with every call."""


def current_deadline() -> float | None:
    """The deadline set around this code; None when there is none."""
    return DEADLINE.get()


def replace_deadline(deadline: float | None) -> float | None:
    """Set the deadline around this code; gives the one before, to be set again."""
    before = DEADLINE.get()
    DEADLINE.set(deadline)
    return before


def remaining(clock: Clock = SYSTEM_CLOCK) -> float:
    """Seconds left, 0.0 when used up, infinity when there is no deadline."""
    around = DEADLINE.get()
    return math.inf if around is None else max(0.0, around - clock.time())


def check_deadline(what: str, clock: Clock = SYSTEM_CLOCK) -> None:
    """Raise DeadlineExceededError when no time is left to start ``what``."""
    if remaining(clock) <= 0:
        raise errors.DeadlineExceededError(f"{what}: no time left", outcome=errors.Outcome.NOT_SENT)


class with_deadline:  # noqa: N801
    """Give the code inside so many seconds; with ``with`` or ``async with``."""

    __slots__ = ("_before", "_clock", "_seconds", "at")

    def __init__(self, seconds: float | None, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._seconds = math.inf if seconds is None else seconds
        self._clock = clock
        self._before: float | None = None
        self.at = math.inf

    def __enter__(self) -> Self:
        self._before = DEADLINE.get()
        self.at = self._clock.time() + self._seconds
        if self._before is not None:
            self.at = min(self.at, self._before)
        # Set back by value: a token must not cross contexts, and async generators do.
        DEADLINE.set(None if self.at == math.inf else self.at)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        DEADLINE.set(self._before)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        self.__exit__(kind, error, trace)
