"""What each layer of a pipeline is told of a call, and what listeners hear, to the word."""

import asyncio

import pytest

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.events import AttemptEnded, BudgetExhausted, CallEnded, Retrying
from sentio_async.resilience import (
    BreakerPolicy,
    BreakerState,
    Bulkhead,
    CircuitBreaker,
    Limiter,
    Pipeline,
    Priority,
    RetryBudget,
    RetryPolicy,
    Window,
    Work,
)

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

WORK = Work(
    connector="alpaca",
    operation="GET /v2/orders",
    priority=Priority.ACCOUNT,
    cost=2,
    repeatable=True,
)
WHERE = ("alpaca", "GET /v2/orders")


def now():
    return asyncio.get_running_loop().time()


def a_pipeline(**changes):
    parts = {
        "retry": RetryPolicy(attempts=2),
        "breaker": CircuitBreaker(BreakerPolicy(jitter=0.0), name="alpaca"),
        "limiter": Limiter([Window(200, 60.0)], padding=0.0),
        "bulkhead": Bulkhead(20),
        "luck": lambda: 1.0,
        **changes,
    }
    return Pipeline(**parts)


class Attempts:
    """Takes a second for each; raises each error in turn, then answers."""

    def __init__(self, *raised):
        self.raised = list(raised)
        self.expiries = []

    async def __call__(self, expires_at):
        self.expiries.append(expires_at)
        await asyncio.sleep(1.0)
        if self.raised:
            raise self.raised.pop(0)
        return "fine"


def reset():
    return errors.ConnectionError("reset by peer")


async def test_a_call_that_goes_well_at_once(heard):
    await asyncio.sleep(5.0)

    await a_pipeline(listeners=[heard]).run(Attempts(), WORK)

    assert heard == [
        AttemptEnded(6.0, *WHERE, 1, 1.0, None, None, None),
        CallEnded(6.0, *WHERE, 1, 1.0, None),
    ]


async def test_a_call_that_goes_well_at_the_second_try(heard):
    await asyncio.sleep(5.0)

    await a_pipeline(listeners=[heard]).run(Attempts(reset()), WORK)

    assert heard == [
        AttemptEnded(6.0, *WHERE, 1, 1.0, None, "ConnectionError", Outcome.UNKNOWN),
        Retrying(6.0, *WHERE, 1, 0.25, "ConnectionError", Outcome.UNKNOWN),
        AttemptEnded(7.25, *WHERE, 2, 1.0, None, None, None),
        CallEnded(7.25, *WHERE, 2, 2.25, None),
    ]


async def test_a_call_that_fails(heard):
    last, failed = errors.ServerError("x", status_code=503), []
    pipeline = a_pipeline(listeners=[heard], failed=failed.append)
    await asyncio.sleep(5.0)

    with pytest.raises(errors.ServerError) as caught:
        await pipeline.run(Attempts(reset(), last), WORK)

    assert caught.value is last
    assert failed == [last]
    assert (last.connector, last.operation, last.elapsed) == (*WHERE, 2.25)
    assert last.attempts == (
        errors.AttemptRecord(1, "ConnectionError", Outcome.UNKNOWN, 1.0, 0.25),
        errors.AttemptRecord(2, "ServerError", Outcome.UNKNOWN, 1.0, 0.0),
    )
    assert heard[-2:] == [
        AttemptEnded(7.25, *WHERE, 2, 1.0, 503, "ServerError", Outcome.UNKNOWN),
        CallEnded(7.25, *WHERE, 2, 2.25, "ServerError"),
    ]


async def test_an_error_that_names_its_call_keeps_its_names():
    named = errors.BadRequestError("x", connector="theirs", operation="POST", status_code=400)

    with pytest.raises(errors.BadRequestError):
        await a_pipeline().run(Attempts(named), WORK)

    assert (named.connector, named.operation) == ("theirs", "POST")


async def test_a_call_that_is_cancelled(heard):
    pipeline = a_pipeline(listeners=[heard], breaker=CircuitBreaker(BreakerPolicy(failures=1)))
    call = asyncio.create_task(pipeline.run(Attempts(), WORK))
    await asyncio.sleep(0.5)

    call.cancel()
    await asyncio.wait([call])

    assert heard == [
        AttemptEnded(0.5, *WHERE, 1, 0.5, None, "CancelledError", None),
        CallEnded(0.5, *WHERE, 1, 0.5, "CancelledError"),
    ]
    assert pipeline.breaker.state is BreakerState.CLOSED
    assert pipeline.bulkhead.in_use == 0


async def test_a_call_without_time_is_told_as_ended_and_never_begun(heard):
    attempts = Attempts()

    with pytest.raises(errors.DeadlineExceededError) as caught:
        await a_pipeline(listeners=[heard]).run(attempts, WORK, within=0.0)

    assert caught.value.message == "no time left to send it"
    assert attempts.expiries == []
    assert heard == [CallEnded(0.0, *WHERE, 1, 0.0, "DeadlineExceededError")]


@pytest.mark.parametrize(
    ("bounds", "until"),
    [
        ({}, 35.0),
        ({"within": 3.0}, 8.0),
        ({"deadline": 9.0}, 9.0),
        ({"within": 3.0, "deadline": 9.0}, 8.0),
        ({"within": 30.0, "retry": None}, 35.0),
        ({"within": 40.0, "retry": None}, 45.0),
        ({"within": 40.0, "retry": RetryPolicy(max_elapsed=2.0)}, 7.0),
    ],
)
async def test_the_earliest_bound_counts(bounds, until):
    attempts = Attempts()
    await asyncio.sleep(5.0)

    await a_pipeline().run(attempts, WORK, **bounds)

    assert attempts.expiries == [until]


async def test_an_override_of_one_call_is_kept_to():
    for policy, tries in ((None, 1), (RetryPolicy(attempts=3), 3)):
        attempts = Attempts(reset(), reset(), reset())
        with pytest.raises(errors.ConnectionError):
            await a_pipeline().run(attempts, WORK, retry=policy)
        assert len(attempts.expiries) == tries


async def test_successes_end_a_row_of_failures_and_refund():
    budget = RetryBudget()
    budget.take(Priority.ACCOUNT, now=0.0)
    breaker = CircuitBreaker(BreakerPolicy(failures=2, jitter=0.0))
    pipeline = a_pipeline(budget=budget, breaker=breaker, retry=None)

    for attempts in (Attempts(reset()), Attempts(), Attempts(reset()), Attempts()):
        await asyncio.gather(pipeline.run(attempts, WORK), return_exceptions=True)

    assert breaker.state is BreakerState.CLOSED
    assert breaker.stats().failures == 0
    assert (budget.left(Priority.ACCOUNT), budget.left()) == (92.0, 100.0)


async def test_a_success_at_the_second_try_refunds_and_ends_the_row_too():
    budget = RetryBudget()
    breaker = CircuitBreaker(BreakerPolicy(failures=2, jitter=0.0))
    pipeline = a_pipeline(budget=budget, breaker=breaker)

    for _ in range(3):
        await pipeline.run(Attempts(reset()), WORK)

    assert breaker.stats().failures == 0
    assert budget.left(Priority.ACCOUNT) == 73.0


async def test_an_empty_budget_is_told(heard):
    budget = RetryBudget(0.0, floor_per_second=0.0)

    with pytest.raises(errors.ConnectionError):
        await a_pipeline(listeners=[heard], budget=budget).run(Attempts(reset()), WORK)

    assert heard[1] == BudgetExhausted(1.0, *WHERE, "ConnectionError")


async def test_every_try_costs_what_the_work_costs_and_waits_with_its_priority():
    limiter = Limiter([Window(4, 10.0)], padding=0.0, reserve=1)
    pipeline = a_pipeline(limiter=limiter, retry=None)
    await pipeline.run(Attempts(), WORK)
    quote = asyncio.create_task(limiter.acquire(3, priority=Priority.QUOTES))
    await asyncio.sleep(0)
    calls = [asyncio.create_task(pipeline.run(Attempts(), WORK)) for _ in range(2)]

    await asyncio.gather(*calls)
    assert now() == 21.0
    assert not quote.done()
    await quote

    assert now() == 30.0


async def test_a_place_is_waited_for_with_priority_and_no_longer_than_the_deadline(heard):
    bulkhead = Bulkhead(1)
    limiter = Limiter([Window(200, 60.0)], padding=0.0)
    pipeline = a_pipeline(bulkhead=bulkhead, limiter=limiter, listeners=[heard], retry=None)
    await bulkhead.acquire()
    quote = asyncio.create_task(bulkhead.acquire(priority=Priority.QUOTES))
    await asyncio.sleep(1.0)

    with pytest.raises(errors.DeadlineExceededError):
        await pipeline.run(Attempts(), WORK, within=2.0)
    assert now() == 3.0
    call = asyncio.create_task(pipeline.run(Attempts(), WORK))
    await asyncio.sleep(1.0)
    bulkhead.release()

    await call
    assert heard[-2] == AttemptEnded(5.0, *WHERE, 1, 1.0, None, None, None)
    assert heard[-1] == CallEnded(5.0, *WHERE, 1, 2.0, None)
    await quote


async def test_who_is_refused_a_place_or_never_sent_has_its_slots_back():
    limiter = Limiter([Window(2, 60.0)], padding=0.0)
    bulkhead = Bulkhead(1)
    pipeline = a_pipeline(limiter=limiter, bulkhead=bulkhead, retry=None)
    bulkhead.hold()
    with pytest.raises(errors.DeadlineExceededError):
        await pipeline.run(Attempts(), WORK, within=2.0)
    bulkhead.release()
    unsent = errors.ConnectionError("refused", outcome=Outcome.NOT_SENT)
    with pytest.raises(errors.ConnectionError):
        await pipeline.run(Attempts(unsent), WORK)

    assert await pipeline.run(Attempts(), WORK) == "fine"

    assert now() == 4.0


async def test_a_refusal_for_the_rate_holds_the_next_call_back():
    pipeline = a_pipeline(retry=None)
    limited = errors.RateLimitError("slow down", status_code=429, retry_after=5.0)
    with pytest.raises(errors.RateLimitError):
        await pipeline.run(Attempts(limited), WORK)
    attempts = Attempts()

    await pipeline.run(attempts, WORK)

    assert now() == 7.0


async def test_an_open_breaker_is_told_before_anything_is_taken(heard):
    limiter = Limiter([Window(2, 60.0)], padding=0.0)
    breaker = CircuitBreaker(BreakerPolicy(failures=1, jitter=0.0))
    pipeline = a_pipeline(breaker=breaker, limiter=limiter, listeners=[heard], retry=None)
    breaker.isolate()

    with pytest.raises(errors.CircuitOpenError):
        await pipeline.run(Attempts(), WORK)

    assert heard == [CallEnded(0.0, *WHERE, 1, 0.0, "CircuitOpenError")]
    assert limiter.try_acquire(2, Priority.ACCOUNT, now()) is not None


async def test_the_probe_of_a_breaker_is_one_call(heard):
    breaker = CircuitBreaker(BreakerPolicy(failures=1, open_for=2.0, jitter=0.0))
    pipeline = a_pipeline(breaker=breaker, retry=None)
    with pytest.raises(errors.ConnectionError):
        await pipeline.run(Attempts(reset()), WORK)
    await asyncio.sleep(2.0)

    results = await asyncio.gather(
        *(pipeline.run(Attempts(), WORK) for _ in range(3)), return_exceptions=True
    )

    assert results[0] == "fine"
    assert {type(each) for each in results[1:]} == {errors.CircuitOpenError}
    assert breaker.state is BreakerState.CLOSED


async def test_an_attempt_ends_by_its_own_timeout_or_with_the_call():
    for timeout, expiry in ((None, 10.0), (4.0, 4.0), (40.0, 10.0)):
        attempts = Attempts()
        begun = now()
        await a_pipeline(attempt_timeout=timeout).run(attempts, WORK, within=10.0)
        assert attempts.expiries == [begun + expiry]


async def test_the_layers_are_described():
    windows = [Window(200, 60.0), Window(10, 0.5)]
    lines = a_pipeline(limiter=Limiter(windows)).describe().splitlines()

    assert lines == [
        "deadline",
        "cache / single-flight",
        "retry: 2 tries",
        "breaker.peek: alpaca closed",
        "limiter: 200 per 60 s, 10 per 0.5 s",
        "bulkhead: 20 at a time",
        "breaker.acquire",
        "attempt timeout: until the deadline",
        "sign",
        "shielded exchange",
        "bounded read",
        "decode",
        "classify",
    ]


async def test_a_call_that_had_to_wait_is_tried_again_too(heard):
    pipeline = a_pipeline(bulkhead=Bulkhead(1), listeners=[heard])
    attempts = Attempts(reset())

    assert await asyncio.gather(*(pipeline.run(each, WORK) for each in (Attempts(), attempts))) == [
        "fine",
        "fine",
    ]

    assert len(attempts.expiries) == 2
    assert heard[-1] == CallEnded(3.25, *WHERE, 2, 3.25, None)
