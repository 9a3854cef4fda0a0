"""Trying again: when it may help, after how long, and when to stop.

What may be repeated is decided from what is known of the failed try (``errors.Outcome``), never
from its class alone: a timeout after sending may be an order that lives.
"""

from __future__ import annotations

import logging
import math
import random
from asyncio import current_task, get_running_loop
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from enum import Enum
from functools import wraps
from typing import Any, Final, ParamSpec, Protocol, TypeVar, overload

from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.errors import Outcome
from sentio_async.events import BudgetExhausted, Listener, Retrying, tell
from sentio_async.resilience.budget import RetryBudget
from sentio_async.resilience.deadline import DEADLINE
from sentio_async.resilience.fusing import Gate, gate_of
from sentio_async.resilience.repeating import RetryOn, asked_wait, may_repeat, outcome_of
from sentio_async.resilience.retry_after import retry_after_from
from sentio_async.resilience.wrapping import Decorator, check_coroutine_function, name_of

__all__ = [
    "UNSET",
    "Luck",
    "RetryBudget",
    "RetryPolicy",
    "Trial",
    "Unset",
    "may_repeat",
    "outcome_of",
    "override_retry",
    "retry",
    "retry_after_from",
]

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger("sentio_async")

_MOST_DOUBLINGS = 60


class Unset(Enum):
    """The type of ``UNSET``."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET
"""Not given: what was configured applies.  None, in contrast, means off."""


class Luck(Protocol):
    """A number from 0 up to 1, like ``random.random``."""

    def __call__(self) -> float:
        """Draw."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often, how far apart, and until when.  Times are in seconds."""

    attempts: int = 4
    """Tries in all, the first included."""
    first_delay: float = 0.25
    max_delay: float = 8.0
    max_elapsed: float = 30.0
    """From the start of the first try; it bounds the tries as well as the waiting."""
    retry_after_cap: float = 60.0
    """A vendor that asks for more is not waited for."""
    least_attempt: float = 0.05
    """No wait is started unless so much time is left after it."""
    wait_for_breaker: bool = False
    """Wait, if time allows, for an open circuit breaker to let a probe through."""
    retry_on: RetryOn | None = None
    """Which foreign exceptions to repeat; if None, connection failures, timeouts, OSError."""

    def __post_init__(self) -> None:
        times = (self.first_delay, self.max_delay, self.retry_after_cap, self.least_attempt)
        if self.attempts < 1 or self.max_elapsed <= 0 or not all(map(_is_duration, times)):
            raise errors.ConfigurationError(f"retry: {self} cannot be kept")

    def evolve(self, **changes: Any) -> RetryPolicy:
        """The same with changes; ``policy.evolve(attempts=1)`` does not repeat."""
        return replace(self, **changes)

    def ceiling(self, retry_number: int) -> float:
        """The most that is waited before retry ``retry_number`` (1 is the first)."""
        doublings = min(retry_number - 1, _MOST_DOUBLINGS)
        return min(self.max_delay, self.first_delay * 2.0**doublings)


def _is_duration(seconds: float) -> bool:
    return 0 <= seconds < math.inf


class Trial:
    """One call's tries so far.  It is told the time and the luck, and waits for nothing."""

    __slots__ = (
        "_luck",
        "_policy",
        "_records",
        "_repeatable",
        "_until",
        "budget_empty",
        "closed_for",
        "reason",
    )

    def __init__(
        self, policy: RetryPolicy | None, repeatable: bool, until: float | None, luck: Luck
    ) -> None:
        self._policy = policy
        self._repeatable = repeatable
        self._until = math.inf if until is None else until
        self._luck = luck
        self._records: list[errors.AttemptRecord] = []
        self.reason = ""
        """Why it was given up, when that is not plain from the error."""
        self.budget_empty = False
        self.closed_for = 0.0
        """For how long the circuit breaker will let nobody through."""

    @property
    def count(self) -> int:
        """How many tries have failed."""
        return len(self._records)

    def stop(self, reason: str) -> None:
        """No further try."""
        self._policy, self.reason = None, reason

    def failed(
        self,
        error: Exception,
        *,
        elapsed: float,
        now: float,
        budget: RetryBudget | None = None,
        lane: Any = None,
    ) -> float | None:
        """Seconds to wait before the next try; None when there is none."""
        delay = self._delay(error, now)
        if delay is not None and budget is not None:
            throttled = isinstance(error, errors.RateLimitError)
            if not budget.take(lane, now=now, throttled=throttled):
                self.reason, self.budget_empty, delay = "the retry budget is empty", True, None
        self._records.append(
            errors.AttemptRecord(
                number=len(self._records) + 1,
                error=type(error).__name__,
                outcome=outcome_of(error),
                elapsed=elapsed,
                delay=delay or 0.0,
            )
        )
        return delay

    def _delay(self, error: Exception, now: float) -> float | None:
        policy = self._policy
        number = len(self._records) + 1
        if policy is None or number >= policy.attempts:
            return None
        asked = asked_wait(error)
        if isinstance(error, errors.CircuitOpenError) and policy.wait_for_breaker:
            asked = error.retry_in
        elif not may_repeat(error, repeatable=self._repeatable, retry_on=policy.retry_on):
            return None
        elif asked is not None and asked > policy.retry_after_cap:
            self.reason = f"a wait of {asked:g} s is above the cap of {policy.retry_after_cap:g} s"
            return None
        if self.closed_for > 0 and policy.wait_for_breaker:
            asked = max(asked or 0.0, self.closed_for)
        delay = self._luck() * policy.ceiling(number)
        if asked is not None:
            delay = max(delay, asked)
            delay += self._luck() * min(1.0, delay / 10)
        if delay < self.closed_for:
            self.reason = "the circuit breaker has opened"
            return None
        if now + delay + policy.least_attempt > self._until:
            self.reason = f"a wait of {delay:.3f} s does not fit into the time left"
            return None
        return delay

    def give_up(self, error: Exception, *, elapsed: float) -> None:
        """Write onto the error what was tried; an earlier UNKNOWN stays true of the call."""
        records = tuple(self._records)
        try:
            error.attempts = records  # type: ignore[attr-defined]
        except (AttributeError, TypeError):
            log.debug("%s takes no attributes", type(error).__name__)
        if isinstance(error, errors.ConnectorError):
            if error.elapsed is None:
                error.elapsed = elapsed
            if any(record.outcome is Outcome.UNKNOWN for record in records):
                error.outcome = Outcome.UNKNOWN
        if len(records) > 1 or self.reason:
            tries = ", ".join(record.error for record in records)
            why = f"; not again, because {self.reason}" if self.reason else ""
            error.add_note(f"{len(records)} tries in {elapsed:.3f} s: {tries}{why}")


def announce(
    listeners: Sequence[Listener],
    trial: Trial,
    error: Exception,
    delay: float | None,
    where: tuple[float, str, str],
) -> None:
    """Tell that a call will be tried again, or that the budget forbids it.

    ``where`` is time, connector and operation of the event.
    """
    name = type(error).__name__
    if delay is not None:
        outcome = outcome_of(error)
        tell(listeners, Retrying(*where, trial.count, delay, name, outcome))
    elif trial.budget_empty:
        tell(listeners, BudgetExhausted(*where, name))


_override: ContextVar[RetryPolicy | Unset | None] = ContextVar("sentio_async_retry", default=UNSET)
_DEFAULT = RetryPolicy()
_deadline, _set_deadline = DEADLINE.get, DEADLINE.set


@contextmanager
def override_retry(policy: RetryPolicy | None) -> Iterator[None]:
    """Use this policy for the decorated functions called inside; None switches retrying off."""
    before = _override.get()
    _override.set(policy)
    try:
        yield
    finally:
        _override.set(before)


@overload
def retry(
    function: Callable[P, Coroutine[Any, Any, T]], /
) -> Callable[P, Coroutine[Any, Any, T]]: ...


@overload
def retry(
    policy: RetryPolicy = ...,
    /,
    *,
    repeatable: bool = ...,
    budget: RetryBudget | None = ...,
    listeners: Sequence[Listener] = ...,
    clock: Clock = ...,
    luck: Luck = ...,
) -> Decorator: ...


def retry(
    policy: Any = _DEFAULT,
    /,
    *,
    repeatable: bool = True,
    budget: RetryBudget | None = None,
    listeners: Sequence[Listener] = (),
    clock: Clock = SYSTEM_CLOCK,
    luck: Luck = random.random,
) -> Any:
    """Try an ``async def`` again when that may help; its own error is raised when it does not.

    With ``repeatable=False`` it is called again only when nothing was sent.  While it runs, the
    policy's ``max_elapsed`` is the deadline that calls inside keep to.  ``override_retry``
    changes the policy for single calls.
    """
    again = _Again(_DEFAULT, repeatable, budget, listeners, clock, luck)
    if not isinstance(policy, RetryPolicy):
        return again.decorate(policy)
    return replace(again, policy=policy).decorate


@dataclass(frozen=True, slots=True)
class _Again:
    """The settings of one use of ``retry``."""

    policy: RetryPolicy
    repeatable: bool
    budget: RetryBudget | None
    listeners: Sequence[Listener]
    clock: Clock
    luck: Luck

    def decorate(
        self, function: Callable[P, Coroutine[Any, Any, T]]
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        check_coroutine_function("retry", function)
        return wraps(function)(self._around(function, gate_of(function, self.clock.time)))

    def _around(
        self, function: Callable[P, Coroutine[Any, Any, T]], gate: Gate | None
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        name, time, usual = name_of(function), self.clock.time, self.policy
        is_system = self.clock is SYSTEM_CLOCK

        async def retried(*args: P.args, **kwargs: P.kwargs) -> T:
            policy = usual if (override := _override.get()) is UNSET else override
            # A function may hide that its task was asked to end.
            task = current_task(loop := get_running_loop())
            cancelling = 0 if task is None else task.cancelling()
            started = begun = loop.time() if is_system else time()
            until = before = _deadline()
            if policy is not None and (until is None or started + policy.max_elapsed < until):
                until = started + policy.max_elapsed
            trial = None
            while True:
                _set_deadline(until)
                try:
                    if gate is None or (held := gate.enter(begun)) is None:
                        value = await function(*args, **kwargs)
                        break
                    try:
                        value = await gate.function(*args, **kwargs)
                    except BaseException as exc:
                        gate.failed(held, exc)
                        raise
                    gate.passed(held)
                    break
                except Exception as exc:
                    trial = trial or Trial(policy, self.repeatable, until, self.luck)
                    if task is not None and task.cancelling() > cancelling:
                        trial.stop("the task was cancelled")
                    delay = self._after(exc, trial, begun, name)
                    if delay is None:
                        trial.give_up(exc, elapsed=time() - started)
                        raise
                finally:
                    _set_deadline(before)
                await self.clock.sleep(delay)
                begun = time()
            if self.budget is not None:
                self.budget.succeeded()
            return value

        return retried

    def _after(self, error: Exception, trial: Trial, begun: float, name: str) -> float | None:
        now = self.clock.time()
        delay = trial.failed(error, elapsed=now - begun, now=now, budget=self.budget)
        if self.listeners:
            announce(self.listeners, trial, error, delay, (now, "", name))
        return delay
