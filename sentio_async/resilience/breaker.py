"""Not calling a service that is failing, and finding out with one call when it is back.

The machine is told the time, awaits nothing and takes no lock.  Results are counted for the
generation in which their call began: a late answer from before a trip changes nothing.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.events import BreakerChanged, Listener, tell
from sentio_async.resilience.fusing import Gate
from sentio_async.resilience.retry import Luck
from sentio_async.resilience.verdict import Verdict, verdict_of

__all__ = [
    "BreakerPermit",
    "BreakerPolicy",
    "BreakerState",
    "BreakerStats",
    "CircuitBreaker",
    "Verdict",
    "verdict_of",
]

_MOST_DOUBLINGS = 60
_OK = Verdict.OK  # Python 3.11 takes long to find a member of an enumeration


class BreakerState(Enum):
    """What a breaker does with the next call."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    ISOLATED = "isolated"
    """Opened by hand; stays so until closed by hand."""
    DISABLED = "disabled"
    """Lets everything through and counts nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When to open, for how long, and how to come back.  Times are in seconds."""

    failures: int = 5
    """Open after so many failures in a row."""
    ratio: float | None = None
    """Open, too, when this share of the calls of a window has failed; None: not looked at."""
    min_calls: int = 20
    """Below so many calls in the window the share says nothing."""
    window: float = 60.0
    buckets: int = 10
    open_for: float = 30.0
    """Doubles with every trip that follows a failed probe."""
    max_open_for: float = 300.0
    jitter: float = 0.1
    probes: int = 1
    """Calls let through at a time while half open."""
    needed: int = 1
    """Successful probes that close it."""
    lease: float = 30.0
    """A probe that was not heard of for so long is replaced."""

    def __post_init__(self) -> None:
        counts = (self.failures, self.min_calls, self.buckets, self.probes, self.needed)
        times = (self.window, self.open_for, self.max_open_for, self.lease)
        ratio = 1.0 if self.ratio is None else self.ratio
        if min(counts) < 1 or min(times) <= 0 or not 0 < ratio <= 1 or not 0 <= self.jitter <= 1:
            raise errors.ConfigurationError(f"breaker: {self} cannot be kept")

    def pause(self, trips: int) -> float:
        """How long it stays open after so many trips in a row, before jitter."""
        return min(self.max_open_for, self.open_for * 2.0 ** min(trips - 1, _MOST_DOUBLINGS))


@dataclass(frozen=True, slots=True)
class BreakerStats:
    """A breaker at a glance.  ``retry_in`` is in seconds, 0.0 when calls pass."""

    state: BreakerState
    generation: int
    failures: int
    trips: int
    passed: int
    failed: int
    refused: int
    retry_in: float


class BreakerPermit:
    """Leave to make one call; its result goes to ``CircuitBreaker.release``."""

    __slots__ = ("generation", "lease_until")

    def __init__(self, generation: int, lease_until: float) -> None:
        self.generation = generation
        self.lease_until = lease_until


class _Window:
    """Calls and failures of the last seconds, in buckets."""

    __slots__ = ("_buckets", "_width")

    def __init__(self, policy: BreakerPolicy) -> None:
        self._width = policy.window / policy.buckets
        self._buckets: list[list[int]] = [[-1, 0, 0] for _ in range(policy.buckets)]

    def add(self, now: float, *, failed: bool) -> None:
        """Count one call."""
        tick = int(now // self._width)
        bucket = self._buckets[tick % len(self._buckets)]
        if bucket[0] != tick:
            bucket[:] = [tick, 0, 0]
        bucket[1] += 1
        bucket[2] += failed

    def totals(self, now: float) -> tuple[int, int]:
        """Calls and failures of the window."""
        tick = int(now // self._width)
        first = tick - len(self._buckets)
        live = [each for each in self._buckets if first < each[0] <= tick]
        return sum(each[1] for each in live), sum(each[2] for each in live)


class CircuitBreaker:
    """Closed, open, half open; ``acquire`` before a call and ``release`` after it.

    Neither awaits, so calls on one event loop cannot come between.  The call that opens it gets
    its own error; the ones after that get CircuitOpenError.
    """

    def __init__(
        self,
        policy: BreakerPolicy | None = None,
        *,
        name: str = "",
        clock: Clock = SYSTEM_CLOCK,
        listeners: Sequence[Listener] = (),
        luck: Luck = random.random,
    ) -> None:
        self.policy = BreakerPolicy() if policy is None else policy
        self.name = name
        self._clock = clock
        self._listeners = listeners
        self._luck = luck
        self._state = BreakerState.CLOSED
        self.is_closed = True
        """Every call may pass, and takes part in the count."""
        self._generation = 0
        self._failures = 0
        self._trips = 0
        self._until = -math.inf
        self._successes = 0
        self._leases: list[BreakerPermit] = []
        self._window = None if self.policy.ratio is None else _Window(self.policy)
        self._shared = BreakerPermit(0, math.inf)
        self._passed = self._failed = self._refused = 0

    @property
    def state(self) -> BreakerState:
        """The state now."""
        self._refresh(self._clock.time())
        return self._state

    def stats(self) -> BreakerStats:
        """Counts since the start or the last ``reset``."""
        now = self._clock.time()
        self._refresh(now)
        return BreakerStats(
            state=self._state,
            generation=self._generation,
            failures=self._failures,
            trips=self._trips,
            passed=self._passed,
            failed=self._failed,
            refused=self._refused,
            retry_in=self._retry_in(now),
        )

    @property
    def retry_in(self) -> float:
        """Seconds until a call may pass; 0.0 when one may now."""
        if self._state is BreakerState.CLOSED:
            return 0.0
        now = self._clock.time()
        self._refresh(now)
        return self._retry_in(now)

    def peek(self) -> None:
        """Raise CircuitOpenError if a call would be refused now; takes nothing."""
        if self._state is not BreakerState.CLOSED:
            self._check(self._clock.time())

    def acquire(self) -> BreakerPermit:
        """Leave for one call, or CircuitOpenError."""
        if not self.is_closed:
            now = self._clock.time()
            self._check(now)
            if self._state is BreakerState.HALF_OPEN:
                permit = BreakerPermit(self._generation, now + self.policy.lease)
                self._leases.append(permit)
                self._passed += 1
                return permit
        self._passed += 1
        return self._shared

    def release(self, permit: BreakerPermit, verdict: Verdict) -> None:
        """What became of the call; of an earlier generation, or unheard of for a lease: nothing."""
        if permit.generation != self._generation:
            return
        if verdict is _OK and self.is_closed and self._window is None:
            self._failures = 0  # as nearly always
            return
        if verdict is Verdict.FAIL:
            self._failed += 1
        if self.is_closed:
            if verdict is not Verdict.NEUTRAL:
                self._count(verdict is Verdict.FAIL)
        elif permit in self._leases:
            self._leases.remove(permit)
            self._count_probe(verdict)

    def gate(self, inside: Gate, verdict: Callable[[BaseException], Verdict]) -> Gate:
        """``inside`` with this breaker around it; it opens as long as the breaker is closed."""

        def enter(now: float) -> tuple[BreakerPermit, Any] | None:
            # Closed, it refuses nobody: as the last that is asked, it has nothing to give back.
            if not self.is_closed or (held := inside.enter(now)) is None:
                return None
            self._passed += 1
            return self._shared, held

        def failed(held: tuple[BreakerPermit, Any], error: BaseException) -> None:
            permit, behind = held
            inside.failed(behind, error)
            self.release(permit, verdict(error))

        def passed(held: tuple[BreakerPermit, Any]) -> None:
            # With no failure to forget, and no window to count in, it changes nothing.
            if self._failures or self._window is not None:
                self.release(held[0], _OK)

        return Gate(inside.function, enter, failed, passed, inside.time)

    def isolate(self, reason: str = "by hand") -> None:
        """Refuse every call until ``close`` or ``reset``."""
        self._move(BreakerState.ISOLATED, reason)

    def disable(self, reason: str = "by hand") -> None:
        """Let every call through until ``close``, ``isolate`` or ``reset``."""
        self._move(BreakerState.DISABLED, reason)

    def close(self, reason: str = "by hand") -> None:
        """Let calls through again."""
        self._trips = 0
        self._move(BreakerState.CLOSED, reason)

    def reset(self) -> None:
        """Close, and forget all counts."""
        self._passed = self._failed = self._refused = 0
        self.close("reset")

    def _count(self, failed: bool) -> None:
        self._failures = self._failures + 1 if failed else 0
        if self._window is not None:
            self._window.add(self._clock.time(), failed=failed)
        if failed:
            self._consider()

    def _consider(self) -> None:
        """Trip, if the failures have become too many."""
        policy = self.policy
        if self._failures >= policy.failures:
            self._trip(f"{self._failures} failures in a row")
        elif self._window is not None and policy.ratio is not None:
            calls, bad = self._window.totals(self._clock.time())
            if calls >= policy.min_calls and bad >= policy.ratio * calls:
                self._trip(f"{bad} of {calls} calls failed")

    def _count_probe(self, verdict: Verdict) -> None:
        if verdict is Verdict.FAIL:
            self._trip("the probe failed")
        elif verdict is Verdict.OK:
            self._successes += 1
            if self._successes >= self.policy.needed:
                self.close("the probe went well")

    def _trip(self, reason: str) -> None:
        self._trips += 1
        pause = self.policy.pause(self._trips) * (1 + self.policy.jitter * self._luck())
        self._until = self._clock.time() + pause
        self._move(BreakerState.OPEN, reason)

    def _refresh(self, now: float) -> None:
        if self._state is BreakerState.OPEN and now >= self._until:
            self._move(BreakerState.HALF_OPEN, "the pause is over")

    def _check(self, now: float) -> None:
        self._refresh(now)
        if self._state is BreakerState.HALF_OPEN:
            self._leases = [each for each in self._leases if each.lease_until > now]
        wait = self._retry_in(now)
        if wait > 0:
            self._refused += 1
            state = self._state.value.replace("_", " ")
            raise errors.CircuitOpenError(
                f"circuit {self.name or 'breaker'} is {state}, next try in {wait:.1f} s",
                retry_in=wait,
            )

    def _retry_in(self, now: float) -> float:
        match self._state:
            case BreakerState.OPEN:
                return self._until - now
            case BreakerState.ISOLATED:
                return math.inf
            case BreakerState.HALF_OPEN:
                live = [each.lease_until for each in self._leases if each.lease_until > now]
                return min(live) - now if len(live) >= self.policy.probes else 0.0
            case _:
                return 0.0

    def _move(self, new: BreakerState, reason: str) -> None:
        old, self._state = self._state, new
        self.is_closed = new is BreakerState.CLOSED
        self._generation += 1
        self._failures = self._successes = 0
        self._leases = []
        self._shared = BreakerPermit(self._generation, math.inf)
        if self._window is not None:
            self._window = _Window(self.policy)
        if self._listeners and old is not new:
            event = BreakerChanged(
                at=self._clock.time(),
                connector=self.name,
                operation="",
                old=old.value,
                new=new.value,
                reason=reason,
                generation=self._generation,
            )
            tell(self._listeners, event)
