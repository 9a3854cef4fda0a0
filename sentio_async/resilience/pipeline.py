"""One call through all the layers, in the one order that is right.

Retry is outside the limiter, because a vendor counts every try.  A call that the breaker would
refuse does not queue, and the single probe of a half-open breaker is taken only after queueing.
The attempt is never cancelled from here: it is told when it must have ended (``expires_at``).
"""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.errors import Outcome
from sentio_async.events import AttemptEnded, CallEnded, Listener, tell
from sentio_async.resilience.breaker import BreakerPermit, CircuitBreaker
from sentio_async.resilience.budget import RetryBudget
from sentio_async.resilience.bulkhead import Bulkhead
from sentio_async.resilience.deadline import current_deadline
from sentio_async.resilience.limiter import Limiter
from sentio_async.resilience.repeating import outcome_of
from sentio_async.resilience.retry import UNSET, Luck, RetryPolicy, Trial, Unset, announce
from sentio_async.resilience.throttle import settle
from sentio_async.resilience.verdict import Verdict, verdict_of
from sentio_async.resilience.window import Permit, Priority

__all__ = ["LAYERS", "Pipeline", "Work"]

T = TypeVar("T")

LAYERS: tuple[str, ...] = (
    "deadline",
    "cache / single-flight",
    "retry",
    "breaker.peek",
    "limiter",
    "bulkhead",
    "breaker.acquire",
    "attempt timeout",
    "sign",
    "shielded exchange",
    "bounded read",
    "decode",
    "classify",
)
"""From the outside in.  Up to "attempt timeout" they are here; the rest is the attempt's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the pipeline must know of one call."""

    connector: str
    operation: str
    priority: Priority = Priority.QUOTES
    cost: int = 1
    repeatable: bool = False
    """May be sent again when the first may have arrived."""
    bucket: str = "default"


_OK = Verdict.OK  # Python 3.11 takes long to find a member of an enumeration
_AT_ONCE = 0.02
"""Seconds between leave and leaving that the padding of a limiter covers."""

_Held = tuple[Permit, BreakerPermit | None]
"""What an attempt holds, besides its place in the bulkhead."""


class _Try(NamedTuple):
    """Which attempt it is, and since when."""

    number: int
    begun: float


class _Course(NamedTuple):
    """What bounds a call as a whole."""

    policy: RetryPolicy | None
    started: float
    until: float


class Pipeline:
    """Retry, breaker, limiter and bulkhead around attempts that end by themselves."""

    def __init__(  # noqa: PLR0913
        self,
        *,
        retry: RetryPolicy | None,
        breaker: CircuitBreaker,
        limiter: Limiter,
        bulkhead: Bulkhead,
        budget: RetryBudget | None = None,
        attempt_timeout: float | None = None,
        clock: Clock = SYSTEM_CLOCK,
        listeners: Sequence[Listener] = (),
        luck: Luck = random.random,
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        self.retry = retry
        self.breaker = breaker
        self.limiter = limiter
        self.bulkhead = bulkhead
        self.budget = budget
        self.attempt_timeout = attempt_timeout
        self._clock = clock
        self._time = clock.time
        self._listeners = listeners
        self._luck = luck
        self._failed = failed

    def describe(self) -> str:
        """The layers from the outside in, one a line, with their settings."""
        limits = ", ".join(f"{w.limit} per {w.seconds:g} s" for w in self.limiter.windows)
        timeout = self.attempt_timeout
        settings = {
            "retry": "off" if self.retry is None else f"{self.retry.attempts} tries",
            "breaker.peek": f"{self.breaker.name} {self.breaker.state.value}".strip(),
            "limiter": limits or "unlimited",
            "bulkhead": f"{self.bulkhead.limit} at a time",
            "attempt timeout": "until the deadline" if timeout is None else f"{timeout:g} s",
        }
        return "\n".join(
            f"{name}: {settings[name]}" if name in settings else name for name in LAYERS
        )

    async def run(
        self,
        attempt: Callable[[float], Awaitable[T]],
        work: Work,
        *,
        deadline: float = math.inf,
        within: float = math.inf,
        retry: RetryPolicy | Unset | None = UNSET,
    ) -> T:
        """The value of the first attempt that succeeds, or the error of the last.

        It has until ``deadline``, and so many seconds from now.  ``deadline`` and the
        ``expires_at`` given to ``attempt`` are absolute ``clock.time()``.
        """
        policy = self.retry if retry is UNSET else retry
        begun = self._time()
        until = begun + within
        if deadline < until:
            until = deadline
        around = current_deadline()
        if around is not None and around < until:
            until = around
        if policy is not None and begun + policy.max_elapsed < until:
            until = begun + policy.max_elapsed
        held = self._enter(work, begun) if begun < until else None
        if held is None:
            return await self._persist(attempt, work, _Course(policy, begun, until), None)
        try:
            value = await attempt(self._expiry(begun, until))
        except Exception as exc:  # noqa: BLE001 (told apart in _persist)
            self._came_back(held, work, _Try(1, begun), exc)
            failure = exc
        except BaseException as exc:
            self._came_back(held, work, _Try(1, begun), exc)
            self._ended(work, 1, begun, exc)
            raise
        else:
            self.breaker.release(held[1], _OK)
            self.bulkhead.release()
            if self.budget is not None:
                self.budget.succeeded(work.priority)
            if self._listeners:
                self._attempt_ended(work, _Try(1, begun), None)
                self._ended(work, 1, begun, None)
            return value
        try:
            return await self._persist(attempt, work, _Course(policy, begun, until), failure)
        finally:
            del failure

    def _enter(self, work: Work, now: float) -> tuple[Permit, BreakerPermit] | None:
        """Leave to begin now; None when there is something to wait for, or that refuses."""
        if not self.breaker.is_closed:
            return None
        permit = self.limiter.try_acquire(work.cost, work.priority, now)
        if permit is None:
            return None
        if not self.bulkhead.try_acquire(work.priority):
            self.limiter.give_back(permit)
            return None
        return permit, self.breaker.acquire()

    async def _persist(
        self,
        attempt: Callable[[float], Awaitable[T]],
        work: Work,
        course: _Course,
        failure: Exception | None,
    ) -> T:
        """What ``run`` gives, when the first attempt has failed or could not begin at once."""
        trial = Trial(course.policy, work.repeatable, course.until, self._luck)
        number, begun = 1, course.started
        try:
            while True:
                if failure is None:
                    try:
                        value = await self._once(attempt, work, _Try(number, begun), course.until)
                        break
                    except Exception as exc:  # noqa: BLE001 (told apart below)
                        failure = exc
                delay = self._after(failure, trial, work, begun)
                if delay is None:
                    self._give_up(failure, trial, work, course.started)
                    raise failure
                failure = None
                await self._clock.sleep(delay)
                begun = self._time()
                number += 1
        except BaseException as exc:
            self._ended(work, number, course.started, exc)
            raise
        finally:
            del failure
        if self.budget is not None:
            self.budget.succeeded(work.priority)
        self._ended(work, number, course.started, None)
        return value

    async def _once(
        self, attempt: Callable[[float], Awaitable[T]], work: Work, this: _Try, until: float
    ) -> T:
        if this.begun >= until:
            raise _no_time()
        self.breaker.peek()
        permit = await self._admitted(work, until)
        leave = None
        this = _Try(this.number, self._time())
        try:
            leave = self.breaker.acquire()
            if this.begun >= until:
                raise _no_time()
            value = await attempt(self._expiry(this.begun, until))
        except BaseException as exc:
            self._came_back((permit, leave), work, this, exc)
            raise
        self.breaker.release(leave, _OK)
        self.bulkhead.release()
        self._attempt_ended(work, this, None)
        return value

    async def _admitted(self, work: Work, until: float) -> Permit:
        """Quota and a place.

        Whoever has waited for a place is counted from now on: after a time in which nothing moved,
        quotas of several windows would leave at once.
        """
        limiter, bulkhead, priority = self.limiter, self.bulkhead, work.priority
        while True:
            permit = await limiter.acquire(work.cost, priority=priority, deadline=until)
            try:
                await bulkhead.acquire(priority=priority, deadline=until)
            except BaseException:
                limiter.give_back(permit)
                raise
            now = self._time()
            if now - permit.at <= _AT_ONCE:
                return permit
            renewed = limiter.renew(permit, priority, now)
            if renewed is not None:
                return renewed
            bulkhead.release()

    def _came_back(self, held: _Held, work: Work, this: _Try, error: BaseException) -> None:
        """An attempt has failed: what it took is given back."""
        permit, leave = held
        if leave is not None:
            self.breaker.release(leave, verdict_of(error))
            self._attempt_ended(work, this, error)
        if isinstance(error, errors.ConnectorError):
            settle(self.limiter, permit, error)
        self.bulkhead.release()

    def _expiry(self, begun: float, until: float) -> float:
        timeout = self.attempt_timeout
        return until if timeout is None else min(until, begun + timeout)

    def _after(self, error: Exception, trial: Trial, work: Work, begun: float) -> float | None:
        now = self._time()
        trial.closed_for = self.breaker.retry_in
        delay = trial.failed(
            error, elapsed=now - begun, now=now, budget=self.budget, lane=work.priority
        )
        if self._listeners:
            where = (now, work.connector, work.operation)
            announce(self._listeners, trial, error, delay, where)
        return delay

    def _give_up(self, error: Exception, trial: Trial, work: Work, started: float) -> None:
        trial.give_up(error, elapsed=self._time() - started)
        if self._failed is not None:
            self._failed(error)
        if isinstance(error, errors.ConnectorError):
            error.connector = error.connector or work.connector
            error.operation = error.operation or work.operation

    def _attempt_ended(self, work: Work, this: _Try, error: BaseException | None) -> None:
        if not self._listeners:
            return
        now = self._time()
        event = AttemptEnded(
            at=now,
            connector=work.connector,
            operation=work.operation,
            number=this.number,
            elapsed=now - this.begun,
            status=getattr(error, "status_code", None),
            error=None if error is None else type(error).__name__,
            outcome=None if error is None else outcome_of(error),
        )
        tell(self._listeners, event)

    def _ended(
        self, work: Work, attempts: int, started: float, error: BaseException | None
    ) -> None:
        if not self._listeners:
            return
        now = self._time()
        event = CallEnded(
            at=now,
            connector=work.connector,
            operation=work.operation,
            attempts=attempts,
            elapsed=now - started,
            error=None if error is None else type(error).__name__,
        )
        tell(self._listeners, event)


def _no_time() -> errors.DeadlineExceededError:
    return errors.DeadlineExceededError("no time left to send it", outcome=Outcome.NOT_SENT)
