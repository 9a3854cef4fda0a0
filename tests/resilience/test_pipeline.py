"""One call through all the layers: their order, their times, and what is told."""

import asyncio
import contextlib
import random

import pytest

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.resilience import (
    LAYERS,
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
    with_deadline,
)

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

WORK = Work(connector="alpaca", operation="GET /v2/orders", repeatable=True)
WRITE = Work(connector="alpaca", operation="POST /v2/orders", priority=Priority.ORDERS)


def now():
    return asyncio.get_running_loop().time()


def a_pipeline(**changes):
    parts = {
        "retry": RetryPolicy(),
        "breaker": CircuitBreaker(BreakerPolicy(jitter=0.0), name="alpaca"),
        "limiter": Limiter([Window(200, 60.0)], padding=0.0),
        "bulkhead": Bulkhead(20),
        "luck": lambda: 1.0,
        **changes,
    }
    return Pipeline(**parts)


class Attempts:
    """Raises each error in turn, then answers; remembers when, and until when."""

    def __init__(self, *raised, seconds=0.0):
        self.raised = list(raised)
        self.seconds = seconds
        self.times = []
        self.expiries = []

    async def __call__(self, expires_at):
        self.times.append(now())
        self.expiries.append(expires_at)
        await asyncio.sleep(self.seconds)
        if self.raised:
            raise self.raised.pop(0)
        return "fine"


def reset():
    return errors.ConnectionError("reset by peer")


def refused():
    return errors.ConnectionError("refused", outcome=Outcome.NOT_SENT)


async def test_a_call_that_goes_well(heard):
    pipeline = a_pipeline(listeners=[heard], budget=RetryBudget())

    assert await pipeline.run(Attempts(seconds=0.5), WORK, deadline=10.0) == "fine"

    assert heard.kinds == ["AttemptEnded", "CallEnded"]
    attempt, call = heard
    assert (attempt.number, attempt.error, attempt.outcome, attempt.status) == (1, None, None, None)
    assert attempt.elapsed == call.elapsed == pytest.approx(0.5, abs=0.001)
    assert (call.attempts, call.error) == (1, None)
    assert {(each.connector, each.operation) for each in heard} == {("alpaca", "GET /v2/orders")}
    assert pipeline.bulkhead.in_use == 0


async def test_what_is_told_of_a_call_that_is_tried_again(heard):
    pipeline = a_pipeline(listeners=[heard])
    attempts = Attempts(errors.ServerError("x", status_code=503), refused())

    await pipeline.run(attempts, WORK, deadline=10.0)

    assert heard.kinds == [
        "AttemptEnded",
        "Retrying",
        "AttemptEnded",
        "Retrying",
        "AttemptEnded",
        "CallEnded",
    ]
    assert [each.number for each in heard[:5]] == [1, 1, 2, 2, 3]
    assert (heard[0].status, heard[0].error, heard[0].outcome) == (
        503,
        "ServerError",
        Outcome.UNKNOWN,
    )
    assert [heard[1].delay, heard[3].delay] == [0.25, 0.5]
    assert attempts.times == pytest.approx([0.0, 0.25, 0.75], abs=0.001)


class Layered:
    """Stands in a layer's place, notes what reaches it and hands it on."""

    def __init__(self, inner, name, log, calls):
        self._inner, self._name, self._log, self._calls = inner, name, log, calls

    def __getattr__(self, attribute):
        found = getattr(self._inner, attribute)
        if attribute not in self._calls:
            return found
        label = f"{self._name}.{attribute}"

        def noted(*args, **kwargs):
            self._log.append(label)
            return found(*args, **kwargs)

        return noted


async def test_the_layers_are_in_the_order_that_is_written_down():
    log = []
    whole = a_pipeline()
    calls = ("peek", "try_acquire", "acquire", "release", "give_back", "block")
    pipeline = a_pipeline(
        breaker=Layered(whole.breaker, "breaker", log, calls),
        limiter=Layered(whole.limiter, "limiter", log, calls),
        bulkhead=Layered(whole.bulkhead, "bulkhead", log, calls),
        listeners=[lambda event: log.append(type(event).__name__)],
    )
    attempts = Attempts(refused())

    async def attempt(expires_at):
        log.append("attempt")
        return await attempts(expires_at)

    await pipeline.run(attempt, WORK, deadline=10.0)

    first = ["limiter.try_acquire", "bulkhead.try_acquire", "breaker.acquire", "attempt"]
    one = ["breaker.peek", "limiter.acquire", "bulkhead.acquire", "breaker.acquire", "attempt"]
    assert log == [
        *first,
        *("breaker.release", "AttemptEnded", "limiter.give_back", "bulkhead.release", "Retrying"),
        *one,
        *("breaker.release", "bulkhead.release", "AttemptEnded", "CallEnded"),
    ]
    written = [LAYERS.index(each) for each in ("retry", "breaker.peek", "limiter", "bulkhead")]
    assert written == sorted(written)
    assert LAYERS.index("breaker.acquire") > LAYERS.index("bulkhead")


async def test_the_layers_can_be_printed():
    lines = a_pipeline(attempt_timeout=10.0).describe().splitlines()

    assert [line.split(":")[0] for line in lines] == list(LAYERS)
    assert "limiter: 200 per 60 s" in lines
    assert "retry: 4 tries" in lines
    assert "breaker.peek: alpaca closed" in lines
    assert "attempt timeout: 10 s" in lines
    bare = a_pipeline(retry=None, limiter=Limiter([])).describe()
    assert "retry: off" in bare and "limiter: unlimited" in bare and "until the deadline" in bare


async def test_attempts_are_told_when_to_end_and_never_cancelled():
    pipeline = a_pipeline(attempt_timeout=4.0, retry=RetryPolicy(max_elapsed=10.0))
    attempts = Attempts(reset(), reset(), reset(), seconds=3.9)

    with pytest.raises(errors.ConnectionError):
        await pipeline.run(attempts, WORK, deadline=100.0)

    assert attempts.times == pytest.approx([0.0, 4.15, 8.55], abs=0.001)
    assert attempts.expiries == pytest.approx([4.0, 8.15, 10.0], abs=0.001)


async def test_a_deadline_around_the_code_counts_too():
    attempts = Attempts()

    with with_deadline(3.0):
        await a_pipeline().run(attempts, WORK, deadline=10.0)
    with with_deadline(60.0):
        await a_pipeline().run(attempts, WORK, deadline=10.0)
    await a_pipeline().run(attempts, WORK, deadline=90.0, retry=None)

    assert attempts.expiries == [3.0, 10.0, 90.0]


async def test_no_deadline_is_ever_overrun():
    for seed in range(300):
        luck = random.Random(seed)
        pipeline = a_pipeline(
            retry=RetryPolicy(attempts=luck.randint(1, 8), max_elapsed=luck.choice([5.0, 30.0])),
            limiter=Limiter([Window(luck.randint(1, 3), luck.choice([0.5, 2.0]))], padding=0.0),
            bulkhead=Bulkhead(luck.randint(1, 3)),
            breaker=CircuitBreaker(BreakerPolicy(failures=luck.randint(1, 9), open_for=0.5)),
            attempt_timeout=luck.choice([None, 1.0]),
            luck=luck.random,
        )
        over = []

        async def call(luck=luck, pipeline=pipeline, over=over):
            async def attempt(expires_at):
                assert expires_at > now()
                wanted = luck.choice([0.01, 0.3, 5.0])
                await asyncio.sleep(min(wanted, expires_at - now()))
                if luck.random() < 0.6:
                    wait = luck.choice([0.0, 0.5, 50.0])
                    limited = errors.RateLimitError("x", status_code=429, retry_after=wait)
                    raise luck.choice([reset(), refused(), limited])

            deadline = now() + luck.choice([0.5, 3.0, 8.0])
            with contextlib.suppress(errors.ConnectorError):
                await pipeline.run(attempt, WORK, deadline=deadline)
            over.append(now() - deadline)

        await asyncio.gather(*(call() for _ in range(8)))

        assert max(over) <= 0.001, seed
        assert pipeline.bulkhead.in_use == 0 == pipeline.limiter.waiting, seed


async def test_a_deadline_used_up_before_anything_was_sent_says_so(heard):
    attempts = Attempts()
    pipeline = a_pipeline(listeners=[heard])
    await asyncio.sleep(5.0)

    with pytest.raises(errors.DeadlineExceededError) as caught:
        await pipeline.run(attempts, WORK, deadline=5.0)

    assert caught.value.outcome is Outcome.NOT_SENT
    assert (caught.value.connector, caught.value.operation) == ("alpaca", "GET /v2/orders")
    assert attempts.times == []
    assert heard.kinds == ["CallEnded"]


async def test_a_deadline_that_ends_in_the_queue_says_so_too():
    class Late(Bulkhead):
        is_late = True

        def try_acquire(self, priority):
            return not self.is_late and super().try_acquire(priority)

        async def acquire(self, **options):
            await asyncio.sleep(2.0)
            self.is_late = False
            await super().acquire(**options)

    attempts = Attempts()
    pipeline = a_pipeline(bulkhead=Late(1), limiter=Limiter([Window(1, 60.0)]))

    with pytest.raises(errors.DeadlineExceededError) as caught:
        await pipeline.run(attempts, WORK, deadline=1.0)

    assert caught.value.outcome is Outcome.NOT_SENT
    assert attempts.times == []
    assert pipeline.breaker.stats().failures == 0
    assert await pipeline.run(attempts, WORK, deadline=9.0) == "fine"


async def test_what_may_have_arrived_stays_unknown_when_time_runs_out_before_the_next_try():
    attempts = Attempts(reset())
    pipeline = a_pipeline(limiter=Limiter([Window(1, 60.0)]))

    with pytest.raises(errors.RateLimitError) as caught:
        await pipeline.run(attempts, WORK, deadline=30.0)

    assert caught.value.outcome is Outcome.UNKNOWN
    assert [each.outcome for each in caught.value.attempts] == [Outcome.UNKNOWN, Outcome.NOT_SENT]


async def test_an_order_that_may_have_arrived_is_not_sent_twice():
    attempts = Attempts(reset())

    with pytest.raises(errors.ConnectionError):
        await a_pipeline().run(attempts, WRITE, deadline=30.0)
    assert len(attempts.times) == 1

    again = Attempts(refused(), errors.RateLimitError("x", status_code=429, retry_after=1.0))
    assert await a_pipeline().run(again, WRITE, deadline=30.0) == "fine"
    assert len(again.times) == 3


async def test_retrying_can_be_off_or_other_for_one_call():
    pipeline = a_pipeline()
    attempts = Attempts(*(reset() for _ in range(4)))

    with pytest.raises(errors.ConnectionError):
        await pipeline.run(attempts, WORK, deadline=30.0, retry=None)
    assert len(attempts.times) == 1
    with pytest.raises(errors.ConnectionError):
        await pipeline.run(attempts, WORK, deadline=30.0, retry=RetryPolicy(attempts=2))

    assert len(attempts.times) == 3


@pytest.mark.parametrize("status", [429, 200])
async def test_a_429_holds_back_everyone_with_the_same_limiter(status):
    pipeline = a_pipeline()
    limited = Attempts(errors.RateLimitError("x", status_code=status, retry_after=2.0))
    first = asyncio.create_task(pipeline.run(limited, WORK, deadline=30.0))
    await asyncio.sleep(0.5)
    other = Attempts()
    await pipeline.run(other, WORK, deadline=30.0)
    await first

    assert other.times == pytest.approx([2.0], abs=0.01)
    assert pipeline.breaker.state is BreakerState.CLOSED


async def test_a_429_with_nothing_said_blocks_a_moment_and_with_zero_not_at_all():
    for wait, expected in ((None, 1.0), (0.0, 0.0)):
        pipeline = a_pipeline(luck=lambda: 0.0)
        started = now()
        attempts = Attempts(errors.RateLimitError("x", status_code=429, retry_after=wait))
        await pipeline.run(attempts, WORK, deadline=now() + 30.0)

        assert now() - started == pytest.approx(expected, abs=0.01)


async def test_an_open_breaker_refuses_before_anything_queues():
    pipeline = a_pipeline(limiter=Limiter([Window(1, 60.0)]))
    pipeline.breaker.isolate()
    attempts = Attempts()

    with pytest.raises(errors.CircuitOpenError) as caught:
        await pipeline.run(attempts, WORK, deadline=30.0)
    assert caught.value.connector == "alpaca"
    pipeline.breaker.close()

    assert await pipeline.run(attempts, WORK, deadline=30.0) == "fine"
    assert now() == 0.0


async def test_the_failure_that_opens_the_breaker_is_raised_and_not_the_refusal_after_it():
    pipeline = a_pipeline(breaker=CircuitBreaker(BreakerPolicy(failures=2, open_for=5.0)))
    attempts = Attempts(reset(), errors.ServerError("sick", status_code=503), reset())

    with pytest.raises(errors.ServerError) as caught:
        await pipeline.run(attempts, WORK, deadline=30.0)

    assert len(attempts.times) == 2
    assert "the circuit breaker has opened" in caught.value.__notes__[0]
    assert now() == pytest.approx(0.25, abs=0.001)


async def test_a_policy_may_wait_for_the_breaker():
    policy = RetryPolicy(wait_for_breaker=True)
    breaker = CircuitBreaker(BreakerPolicy(failures=1, open_for=5.0, jitter=0.0))
    attempts = Attempts(reset())

    await a_pipeline(breaker=breaker, retry=policy).run(attempts, WORK, deadline=30.0)

    assert attempts.times == pytest.approx([0.0, 5.5], abs=0.001)
    assert breaker.state is BreakerState.CLOSED


async def test_of_fifty_calls_one_probes_and_the_others_lose_nothing():
    pipeline = a_pipeline(
        breaker=CircuitBreaker(BreakerPolicy(failures=1, open_for=5.0, jitter=0.0)),
        retry=None,
        limiter=Limiter([Window(60, 60.0)], padding=0.0),
        bulkhead=Bulkhead(50),
    )
    with pytest.raises(errors.ConnectionError):
        await pipeline.run(Attempts(reset()), WORK, deadline=30.0)
    await asyncio.sleep(5.0)
    attempts = Attempts(reset(), seconds=1.0)

    results = await asyncio.gather(
        *(pipeline.run(attempts, WORK, deadline=30.0) for _ in range(50)), return_exceptions=True
    )

    assert len(attempts.times) == 1
    assert sum(isinstance(each, errors.CircuitOpenError) for each in results) == 49
    assert pipeline.bulkhead.in_use == 0
    assert len(pipeline.limiter._logs[0].entries) == 2


async def test_losers_of_the_probe_after_queueing_give_their_slot_back():
    class Slow(Bulkhead):
        async def acquire(self, **options):
            await super().acquire(**options)
            await asyncio.sleep(0.1)

    pipeline = a_pipeline(
        breaker=CircuitBreaker(BreakerPolicy(failures=1, open_for=5.0, jitter=0.0)),
        retry=None,
        bulkhead=Slow(50),
    )
    with pytest.raises(errors.ConnectionError):
        await pipeline.run(Attempts(reset()), WORK, deadline=30.0)
    await asyncio.sleep(5.0)

    results = await asyncio.gather(
        *(pipeline.run(Attempts(seconds=1.0), WORK, deadline=30.0) for _ in range(5)),
        return_exceptions=True,
    )

    assert "fine" in results
    assert sum(isinstance(each, errors.CircuitOpenError) for each in results) == 4
    assert pipeline.bulkhead.in_use == 0
    assert pipeline.limiter._logs[0].used == 2


@pytest.mark.parametrize("after", [0.1, 1.1])
async def test_cancelled_it_leaves_everything_free_and_tells(after, heard):
    pipeline = a_pipeline(listeners=[heard])
    attempts = Attempts(errors.RateLimitError("x", status_code=429, retry_after=5.0), seconds=1.0)
    task = asyncio.create_task(pipeline.run(attempts, WORK, deadline=30.0))
    await asyncio.sleep(after)
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert pipeline.bulkhead.in_use == 0
    assert pipeline.breaker.stats().failures == 0
    assert heard[-1].error == "CancelledError"


async def test_cancelled_while_waiting_for_a_place_gives_the_slot_back():
    pipeline = a_pipeline(bulkhead=Bulkhead(1), limiter=Limiter([Window(2, 60.0)]))
    busy = asyncio.create_task(pipeline.run(Attempts(seconds=5.0), WORK, deadline=30.0))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(pipeline.run(Attempts(), WORK, deadline=30.0))
    await asyncio.sleep(0.1)
    waiting.cancel()
    await asyncio.wait([waiting, busy])

    assert waiting.cancelled()
    assert await pipeline.run(Attempts(), WORK, deadline=30.0) == "fine"


async def test_an_empty_budget_gives_the_first_error_and_orders_have_their_own(heard):
    budget = RetryBudget(10.0, floor_per_second=0.0)
    pipeline = a_pipeline(budget=budget, listeners=[heard])
    with pytest.raises(errors.ConnectionError):
        await pipeline.run(Attempts(*(reset() for _ in range(4))), WORK, deadline=30.0)

    assert heard.kinds == [
        "AttemptEnded",
        "Retrying",
        "AttemptEnded",
        "BudgetExhausted",
        "CallEnded",
    ]
    assert await pipeline.run(Attempts(refused()), WRITE, deadline=30.0) == "fine"
    assert budget.left(Priority.ORDERS) == 1.0


async def test_a_mistake_in_the_attempt_is_raised_as_itself(heard):
    pipeline = a_pipeline(listeners=[heard])

    with pytest.raises(KeyError):
        await pipeline.run(Attempts(KeyError("bug")), WORK, deadline=30.0)

    assert heard.kinds == ["AttemptEnded", "CallEnded"]
    assert pipeline.breaker.stats().failures == 0


async def test_listeners_that_fail_hurt_no_call():
    def broken(event):
        raise RuntimeError("listener")

    pipeline = a_pipeline(listeners=[broken])

    assert await pipeline.run(Attempts(reset()), WORK, deadline=30.0) == "fine"


async def test_names_set_by_the_attempt_are_kept():
    boom = errors.NotFoundError("x", connector="inner", operation="GET /x")

    with pytest.raises(errors.NotFoundError):
        await a_pipeline().run(Attempts(boom), WORK, deadline=30.0)

    assert (boom.connector, boom.operation) == ("inner", "GET /x")
