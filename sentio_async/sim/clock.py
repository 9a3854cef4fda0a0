"""The exchange's time: the computer's, shifted, stopped, or led through recorded bars."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

SECOND = 1_000_000_000
LONGEST = 100 * 366 * 86_400
"""Seconds that `advance` takes at once: a century."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_NS = (datetime(2200, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(seconds=1) * SECOND


def time_of(ns: int) -> datetime:
    """Nanoseconds since 1970 as an aware UTC time, cut to microseconds."""
    return _EPOCH + timedelta(microseconds=ns // 1000)


def ns_of(moment: datetime) -> int:
    """An aware time as nanoseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


class SimClock:
    """Tells one exchange the time.

    By default it is the computer's time. `start` sets another beginning; `is_running=False` stops
    it, so that it moves by `advance` alone. Reading it never goes backwards.
    """

    def __init__(self, start: datetime | None = None, *, is_running: bool = True) -> None:
        self._origin = time.time_ns() if start is None else ns_of(start)
        self._began = time.monotonic_ns()
        self._is_running = is_running
        self._advanced = 0
        self._course: Callable[[int], int] | None = None

    def elapsed_ns(self) -> int:
        """How long the exchange has existed, at the computer's pace, `advance` included."""
        running = time.monotonic_ns() - self._began if self._is_running else 0
        return running + self._advanced

    def now_ns(self) -> int:
        """The exchange's time in nanoseconds since 1970."""
        if self._course is not None:
            return self._course(self.elapsed_ns())
        return self._origin + self.elapsed_ns()

    def now(self) -> datetime:
        """The exchange's time, aware UTC."""
        return time_of(self.now_ns())

    def wall_ns(self) -> int:
        """The time as if no bars were replayed: what limits and HTTP dates go by."""
        return self._origin + self.elapsed_ns()

    def advance(self, seconds: float) -> None:
        """Let that many seconds pass at once."""
        if seconds < 0:
            raise ValueError(f"seconds: time does not run backwards, got {seconds}")
        if not seconds <= LONGEST:
            raise ValueError(f"seconds: at most {LONGEST} at once, got {seconds}")
        advanced = round(seconds * SECOND)
        if self._origin + self.elapsed_ns() + advanced > LAST_NS:
            raise ValueError("seconds: the exchange's time ends with the year 2200")
        self._advanced += advanced

    def follow(self, course: Callable[[int], int]) -> None:
        """Be led: `course(elapsed_ns)` answers the time, and must never fall."""
        self._course = course
