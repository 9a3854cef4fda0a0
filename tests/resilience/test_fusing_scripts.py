"""Decorators one around the other mean the same, as one coroutine and as several."""

import asyncio
import contextlib
import functools
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK, SystemClock
from sentio_async.errors import Outcome
from sentio_async.resilience import (
    UNSET,
    BreakerPolicy,
    CircuitBreaker,
    Limiter,
    Priority,
    RetryBudget,
    RetryPolicy,
    Verdict,
    Window,
    circuit_breaker,
    current_deadline,
    override_retry,
    rate_limit,
    retry,
    with_deadline,
)
from sentio_async.resilience.verdict import verdict_of
from tests.dst.loop import VirtualLoop


class Ended(BaseException):
    """Neither an error nor a cancellation."""


OUTCOMES = {
    "fine": None,
    "refused": lambda: errors.ConnectionError("x", outcome=Outcome.NOT_SENT, phase="connect"),
    "reset": lambda: errors.ConnectionError("x"),
    "unavailable": lambda: errors.ServerError("x", status_code=503),
    "throttled": lambda: errors.RateLimitError("x", status_code=429, retry_after=0.4),
    "throttled long": lambda: errors.RateLimitError("x", status_code=429, retry_after=99.0),
    "throttled here": lambda: errors.RateLimitError("x", outcome=Outcome.NOT_SENT),
    "not found": lambda: errors.NotFoundError("x", status_code=404),
    "open": lambda: errors.CircuitOpenError("x", retry_in=0.3),
    "late": lambda: errors.DeadlineExceededError("x", outcome=Outcome.NOT_SENT),
    "broken pipe": BrokenPipeError,
    "mistake": lambda: ValueError("x"),
    "group": lambda: ExceptionGroup("x", [errors.ConnectionError("y"), OSError("z")]),
    "cancelled": asyncio.CancelledError,
    "ended": Ended,
}
VERDICTS = (verdict_of, lambda _: Verdict.FAIL, lambda _: Verdict.OK, lambda error: 1 / 0)

policies = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 4),
    first_delay=st.sampled_from([0.0, 0.1, 1.0]),
    max_elapsed=st.sampled_from([1.0, 30.0]),
    wait_for_breaker=st.booleans(),
    retry_on=st.sampled_from([None, ValueError]),
)
retries = st.fixed_dictionaries(
    {
        "policy": policies,
        "repeatable": st.booleans(),
        "capacity": st.sampled_from([None, 0.0, 20.0]),
        "own_clock": st.booleans(),
    }
)
breakers = st.fixed_dictionaries(
    {
        "policy": st.builds(
            BreakerPolicy,
            failures=st.integers(1, 3),
            ratio=st.sampled_from([None, 0.5]),
            min_calls=st.just(2),
            open_for=st.sampled_from([0.2, 2.0]),
            lease=st.sampled_from([0.3, 30.0]),
        ),
        "verdict": st.sampled_from(VERDICTS),
        "by_hand": st.sampled_from([None] * 8 + ["isolate", "disable"]),
    }
)
limits = st.fixed_dictionaries(
    {
        "windows": st.lists(
            st.builds(Window, st.integers(1, 6), st.sampled_from([0.5, 2.0])),
            min_size=1,
            max_size=2,
        ),
        "reserve": st.integers(0, 1),
        "cost": st.integers(1, 2),
        "priority": st.sampled_from(Priority),
        "own_clock": st.booleans(),
    }
)
stacks = st.lists(
    st.one_of(
        st.tuples(st.just("retry"), retries),
        st.tuples(st.just("breaker"), breakers),
        st.tuples(st.just("limit"), limits),
    ),
    max_size=4,
)
usual_stacks = st.tuples(
    st.tuples(st.just("retry"), retries),
    st.tuples(st.just("breaker"), breakers),
    st.tuples(st.just("limit"), limits),
)
moments = st.sampled_from([0.0, 0.0, 0.0, 0.1, 0.3, 1.0, 2.5])
calls = st.lists(
    st.fixed_dictionaries(
        {
            "at": moments,
            "cancelled_after": st.sampled_from([None, None, 0.0, 0.05, 0.35, 1.2]),
            "in_cleanup": st.booleans(),
            "override": st.sampled_from([UNSET, UNSET, UNSET, None, RetryPolicy(attempts=2)]),
            "within": st.sampled_from([None, None, 0.2, 3.0]),
        }
    ),
    min_size=4,
    max_size=10,
)
scripts = st.lists(
    st.tuples(st.sampled_from(["fine"] * 8 + sorted(OUTCOMES)), moments, st.booleans()),
    min_size=5,
    max_size=20,
)


class RecordingClock(SystemClock):
    def __init__(self):
        self.slept = []

    async def sleep(self, seconds):
        self.slept.append((SYSTEM_CLOCK.time(), seconds))
        await super().sleep(seconds)


@dataclass
class World:
    """A stack around one function, and all that can be seen of both."""

    script: list
    seen: list = field(default_factory=list)
    events: list = field(default_factory=list)
    clock: RecordingClock = field(default_factory=RecordingClock)
    breakers: list = field(default_factory=list)
    limiters: list = field(default_factory=list)
    budgets: list = field(default_factory=list)

    async def function(self, number, *, word):
        name, seconds, hides = self.script.pop(0) if self.script else ("fine", 0.0, False)
        self.seen.append((SYSTEM_CLOCK.time(), number, word, current_deadline(), self.counts()))
        try:
            if seconds:
                await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            if not hides:
                raise
            raise errors.ConnectionError("hidden") from None
        finally:
            self.seen.append(current_deadline())
        if OUTCOMES[name] is not None:
            error = OUTCOMES[name]()
            raise error
        return len(self.seen)

    def retry(self, policy, repeatable, capacity, own_clock):
        budget = None if capacity is None else RetryBudget(capacity, floor_per_second=0.0)
        self.budgets.append(budget)
        return retry(
            policy,
            repeatable=repeatable,
            budget=budget,
            listeners=[self.events.append],
            clock=self.clock if own_clock else SYSTEM_CLOCK,
            luck=random.Random(1).random,
        )

    def breaker(self, policy, verdict, by_hand):
        luck = random.Random(2).random
        circuit = CircuitBreaker(policy, listeners=[self.events.append], luck=luck)
        self.breakers.append(circuit)
        if by_hand:
            getattr(circuit, by_hand)()
        return circuit_breaker(circuit, verdict=verdict)

    def limit(self, windows, reserve, cost, priority, own_clock):
        clock = self.clock if own_clock else SYSTEM_CLOCK
        limiter = Limiter(windows, reserve=reserve, clock=clock)
        self.limiters.append(limiter)
        return rate_limit(limiter, cost=cost, priority=priority)

    def counts(self):
        return (
            [each.stats() for each in self.breakers],
            [
                (each.waiting, each._blocked_until, each._paced_until, list(map(usage, each._logs)))
                for each in self.limiters
            ],
            [each and each.left() for each in self.budgets],
        )


def usage(log):
    return log.limit, log.used, log.claim, [(each.at, each.cost) for each in log.entries]


def described(error):
    """All that a caller can learn from it; None of None."""
    if error is None:
        return None
    known = {name: value for name, value in vars(error).items() if name != "__notes__"}
    notes = getattr(error, "__notes__", [])
    around = described(error.__cause__), described(error.__context__)
    return type(error), str(error), known, notes, around


async def one_call(world, function, number, plan):
    await asyncio.sleep(plan["at"])
    try:
        if plan["in_cleanup"]:
            asyncio.current_task().cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
        with contextlib.ExitStack() as around:
            if plan["override"] is not UNSET:
                around.enter_context(override_retry(plan["override"]))
            if plan["within"] is not None:
                around.enter_context(with_deadline(plan["within"]))
            result = await function(number, word="word"), current_deadline()
    except BaseException as exc:
        if not isinstance(exc, Exception | asyncio.CancelledError | Ended):
            raise
        result = described(exc)
    return SYSTEM_CLOCK.time(), result, current_deadline(), world.counts()


async def all_calls(world, function, plans):
    tasks = [
        asyncio.create_task(one_call(world, function, *numbered)) for numbered in enumerate(plans)
    ]
    for task, plan in zip(tasks, plans, strict=True):
        if plan["cancelled_after"] is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(plan["at"] + plan["cancelled_after"], task.cancel)
    await asyncio.wait(tasks)
    return [None if task.cancelled() else task.result() for task in tasks]


def story(layers, script, plans, between):
    """Everything that happened; ``between`` stands between the layers."""

    async def run():
        world = World(list(script))
        function = world.function
        for kind, how in reversed(layers):
            function = getattr(world, kind)(**how)(between(function))
        results = await all_calls(world, function, plans)
        return results, world.seen, world.events, world.clock.slept, world.counts()

    loop = VirtualLoop()
    try:
        return loop.run_until_complete(run())
    finally:
        loop.finish()


def as_written(function):
    """Nothing between the layers."""
    return function


def passed_through(function):
    """A foreign decorator: layers that have it between them cannot run as one."""

    @functools.wraps(function)
    async def through(*args, **kwargs):
        return await function(*args, **kwargs)

    return through


@settings(max_examples=80, deadline=None)
@given(usual_stacks, scripts, calls)
def test_the_usual_stack_means_the_same_as_one_and_as_several(layers, script, plans):
    assert story(layers, script, plans, as_written) == story(layers, script, plans, passed_through)


@settings(max_examples=80, deadline=None)
@given(stacks, scripts, calls)
def test_any_stack_means_the_same_as_one_and_as_several(layers, script, plans):
    assert story(layers, script, plans, as_written) == story(layers, script, plans, passed_through)


@pytest.mark.slow
@settings(max_examples=3_000, deadline=None)
@given(usual_stacks, scripts, calls)
def test_in_many_more_scripts_the_usual_stack_means_the_same(layers, script, plans):
    assert story(layers, script, plans, as_written) == story(layers, script, plans, passed_through)
