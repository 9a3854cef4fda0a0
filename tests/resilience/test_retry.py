"""Trying again: when it may help, after how long, and when to stop."""

import asyncio
import inspect
import random
import ssl
from decimal import Decimal

import pytest

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.resilience import (
    RetryBudget,
    RetryPolicy,
    circuit_breaker,
    current_deadline,
    may_repeat,
    override_retry,
    rate_limit,
    retry,
    with_deadline,
)
from sentio_async.resilience.repeating import outcome_of
from sentio_async.resilience.retry import Trial


def now():
    return asyncio.get_running_loop().time()


def reset():
    return errors.ConnectionError("reset by peer")


def refused():
    return errors.ConnectionError("refused", outcome=Outcome.NOT_SENT, phase="connect")


def throttled(wait):
    return errors.RateLimitError("slow down", status_code=429, retry_after=wait)


class Service:
    """Fails with each error in turn, then answers; remembers when it was called."""

    def __init__(self, *raised):
        self.raised = list(raised)
        self.times = []

    async def __call__(self):
        self.times.append(now())
        if self.raised:
            raise self.raised.pop(0)
        return "fine"


def group(*raised):
    return ExceptionGroup("several", raised)


# ── what may be repeated ──────────────────────────────────────────────────────────────────────

CASES = [  # error, repeatable call, call that must not happen twice
    (refused(), True, True),
    (reset(), True, False),
    (errors.ServerError("x", status_code=503), True, False),
    (errors.DecodeError("x"), True, False),
    (errors.DeadlineExceededError("x"), True, False),
    (errors.DeadlineExceededError("x", outcome=Outcome.NOT_SENT), True, True),
    (throttled(1.0), True, True),
    (errors.RateLimitError("ours", outcome=Outcome.NOT_SENT), True, True),
    (errors.NotFoundError("x", status_code=404), False, False),
    (errors.OrderRejectedError("x"), False, False),
    (errors.CertificateError("x"), False, False),
    (errors.UnknownWordError("status", "odd"), False, False),
    (errors.InvalidRequestError("x"), False, False),
    (errors.ConfigurationError("x"), False, False),
    (errors.CircuitOpenError("x", retry_in=1.0), False, False),
    (errors.StaleDataError("x"), False, False),
    (ConnectionRefusedError(), True, True),
    (ConnectionResetError(), True, False),
    (TimeoutError(), True, False),
    (OSError("network is unreachable"), True, False),
    (FileNotFoundError(), False, False),
    (PermissionError(), False, False),
    (ssl.SSLCertVerificationError(), False, False),
    (ValueError("bug"), False, False),
    (asyncio.CancelledError(), False, False),
    (KeyboardInterrupt(), False, False),
    (group(refused(), refused()), True, True),
    (group(refused(), reset()), True, False),
    (group(reset(), group(errors.NotFoundError("x"))), False, False),
    (BaseExceptionGroup("g", [reset(), asyncio.CancelledError()]), False, False),
]


@pytest.mark.parametrize(("error", "read", "write"), CASES, ids=lambda each: repr(each)[:50])
def test_what_may_be_repeated(error, read, write):
    assert may_repeat(error, repeatable=True) is read
    assert may_repeat(error, repeatable=False) is write


class TheirError(Exception):
    pass


def broken_predicate(error):
    raise RuntimeError("predicate")


@pytest.mark.parametrize(
    ("retry_on", "error", "expected"),
    [
        (TheirError, TheirError(), True),
        ((TheirError, KeyError), KeyError(), True),
        (TheirError, ConnectionResetError(), False),
        (lambda error: "again" in str(error), TheirError("again"), True),
        (lambda error: "again" in str(error), TheirError("never"), False),
        (broken_predicate, TheirError(), False),
        (TheirError, group(TheirError(), TheirError()), True),
        (TheirError, group(TheirError(), ValueError()), False),
        (lambda _: True, errors.NotFoundError("x"), False),
    ],
)
def test_a_caller_may_say_which_foreign_errors_to_repeat(retry_on, error, expected):
    assert may_repeat(error, repeatable=True, retry_on=retry_on) is expected


def test_a_question_that_fails_is_a_no_and_is_logged(caplog):
    assert not may_repeat(TheirError(), repeatable=True, retry_on=lambda _: 1 / 0)

    assert [each.getMessage() for each in caplog.records] == ["retry_on failed on TheirError"]
    assert caplog.records[0].exc_info[0] is ZeroDivisionError


def test_of_a_call_that_must_not_happen_twice_only_unsent_ones_are_repeated():
    assert not may_repeat(TheirError(), repeatable=False, retry_on=TheirError)
    assert may_repeat(ConnectionRefusedError(), repeatable=False, retry_on=OSError)


def test_of_a_group_the_worst_outcome_is_known():
    assert outcome_of(group(refused(), errors.NotFoundError("x"), reset())) is Outcome.UNKNOWN
    assert outcome_of(group(refused(), errors.NotFoundError("x"))) is Outcome.REFUSED
    assert outcome_of(group(refused(), ValueError())) is Outcome.NOT_SENT
    assert outcome_of(group(ValueError())) is None


# ── the policy ────────────────────────────────────────────────────────────────────────────────


def test_delays_double_up_to_the_cap():
    policy = RetryPolicy(first_delay=0.25, max_delay=8.0)

    assert [policy.ceiling(n) for n in range(1, 9)] == [0.25, 0.5, 1, 2, 4, 8, 8, 8]
    assert policy.ceiling(100_000) == 8.0


def test_evolve_changes_and_keeps():
    policy = RetryPolicy(max_delay=3.0)

    assert policy.evolve(attempts=1) == RetryPolicy(attempts=1, max_delay=3.0)
    assert policy.attempts == 4


@pytest.mark.parametrize(
    "changes",
    [{"attempts": 0}, {"first_delay": -1.0}, {"max_delay": float("nan")}, {"max_elapsed": 0.0}],
)
def test_a_policy_that_cannot_be_kept_is_refused(changes):
    with pytest.raises(errors.ConfigurationError):
        RetryPolicy(**changes)


def test_jitter_stays_spread_at_the_cap():
    luck = random.Random(11)
    policy = RetryPolicy(attempts=10_000, max_delay=5.0, max_elapsed=1e9)
    trial = Trial(policy, True, None, luck.random)
    while policy.ceiling(trial.count + 1) < 5.0:
        trial.failed(reset(), elapsed=0.0, now=0.0)
    delays = sorted(trial.failed(reset(), elapsed=0.0, now=0.0) for _ in range(3_000))

    # Kolmogorov-Smirnov against U(0, 5); 1.63 / sqrt(n) is the 1 % bound.
    distance = max(
        max(abs((i + 1) / 3_000 - d / 5.0), abs(i / 3_000 - d / 5.0)) for i, d in enumerate(delays)
    )
    assert distance < 1.63 / 3_000**0.5
    assert len(set(delays)) == 3_000


# ── schedules in virtual time ─────────────────────────────────────────────────────────────────


def reference(policy, waits, seed, deadline):
    """The moments of all tries, computed from the rules and not from the code."""
    luck = random.Random(seed).random
    at, times = 0.0, [0.0]
    for number, wait in enumerate(waits, start=1):
        if number == policy.attempts or (wait is not None and wait > policy.retry_after_cap):
            break
        delay = luck() * min(policy.max_delay, policy.first_delay * 2 ** (number - 1))
        if wait is not None:
            delay = max(wait, delay)
            delay += luck() * min(1.0, 0.1 * delay)
        if at + delay + policy.least_attempt > min(deadline, policy.max_elapsed):
            break
        at += delay
        times.append(at)
    return times


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_schedules_equal_the_reference():
    for seed in range(400):
        setup = random.Random(seed + 10_000)
        policy = RetryPolicy(
            attempts=setup.randint(1, 9),
            first_delay=setup.choice([0.1, 0.25, 1.0]),
            max_delay=setup.choice([1.0, 8.0]),
            max_elapsed=setup.choice([5.0, 30.0]),
            retry_after_cap=setup.choice([2.0, 60.0]),
        )
        waits = [setup.choice([None, None, 0.0, 0.4, 3.0, 90.0]) for _ in range(9)]
        deadline = setup.choice([2.0, 10.0, 1_000.0])
        service = Service(*(reset() if wait is None else throttled(wait) for wait in waits))
        call = retry(policy, luck=random.Random(seed).random)(service)
        started = now()

        with with_deadline(deadline), pytest.raises(errors.ConnectorError):
            await call()

        expected = reference(policy, waits, seed, deadline)
        assert [at - started for at in service.times] == pytest.approx(expected, abs=1e-4), seed
        assert now() - started <= min(deadline, policy.max_elapsed) + 0.001, seed


@pytest.mark.asyncio
@pytest.mark.looptime
class TestRetry:
    async def test_it_ends_with_the_first_success(self):
        service = Service(reset(), refused(), throttled(0.0))

        assert await retry(service)() == "fine"
        assert len(service.times) == 4

    async def test_the_last_error_is_raised_as_itself_with_its_history(self):
        raised = [refused(), errors.ServerError("x", status_code=503), reset(), reset()]
        last = raised[-1]

        with pytest.raises(errors.ConnectionError) as caught:
            await retry(RetryPolicy(), luck=lambda: 0.5)(Service(*raised))()

        error = caught.value
        assert error is last and error.__cause__ is None
        assert [each.number for each in error.attempts] == [1, 2, 3, 4]
        assert [each.error for each in error.attempts] == [
            "ConnectionError",
            "ServerError",
            "ConnectionError",
            "ConnectionError",
        ]
        assert [each.outcome for each in error.attempts][:2] == [Outcome.NOT_SENT, Outcome.UNKNOWN]
        assert [each.delay for each in error.attempts] == [0.125, 0.25, 0.5, 0.0]
        assert error.elapsed == pytest.approx(0.875, abs=0.001)
        assert error.__notes__[0].startswith("4 tries in 0.87")

    async def test_a_single_failure_carries_no_note(self):
        with pytest.raises(errors.NotFoundError) as caught:
            await retry(Service(errors.NotFoundError("x")))()

        assert len(caught.value.attempts) == 1
        assert not hasattr(caught.value, "__notes__")

    async def test_what_may_have_happened_stays_unknown_when_the_repeat_is_refused(self):
        service = Service(reset(), errors.OrderRejectedError("not enough buying power"))

        with pytest.raises(errors.OrderRejectedError) as caught:
            await retry(service)()

        assert caught.value.outcome is Outcome.UNKNOWN

    async def test_what_may_have_arrived_is_not_sent_twice(self):
        service = Service(refused(), reset())

        with pytest.raises(errors.ConnectionError, match="reset"):
            await retry(repeatable=False)(service)()

        assert len(service.times) == 2

    async def test_a_wait_above_the_cap_raises_at_once(self):
        with pytest.raises(errors.RateLimitError) as caught:
            await retry(Service(throttled(3_600.0)))()

        assert now() == 0.0
        assert caught.value.retry_after == 3_600.0
        assert "a wait of 3600 s is above the cap of 60 s" in caught.value.__notes__[0]

    @pytest.mark.parametrize("wait", [10**400, float("inf"), Decimal("1e400")])
    async def test_an_endless_wait_is_above_every_cap(self, wait):
        with pytest.raises(errors.RateLimitError):
            await retry(Service(throttled(wait)))()

        assert now() == 0.0

    async def test_a_wait_above_the_time_left_raises_at_once(self):
        with with_deadline(5.0), pytest.raises(errors.RateLimitError) as caught:
            await retry(Service(throttled(4.99)))()

        assert now() == 0.0
        assert "does not fit into the time left" in caught.value.__notes__[0]

    async def test_a_wait_asked_for_as_decimal_is_kept(self):
        service = Service(throttled(Decimal("2.5")))

        await retry(RetryPolicy(), luck=lambda: 0.0)(service)()

        assert service.times == pytest.approx([0.0, 2.5], abs=0.001)

    async def test_the_longest_wait_of_a_group_counts(self):
        service = Service(group(throttled(2.0), throttled(3.0), refused()))

        await retry(RetryPolicy(), luck=lambda: 0.0)(service)()

        assert service.times == pytest.approx([0.0, 3.0], abs=0.001)

    async def test_an_open_breaker_is_waited_for_only_when_the_policy_says_so(self):
        breaker_open = errors.CircuitOpenError("open", retry_in=3.0)
        with pytest.raises(errors.CircuitOpenError):
            await retry(Service(breaker_open))()
        assert now() == 0.0

        service = Service(errors.CircuitOpenError("open", retry_in=3.0))
        await retry(RetryPolicy(wait_for_breaker=True), luck=lambda: 0.0)(service)()
        assert service.times == pytest.approx([0.0, 3.0], abs=0.001)

        with pytest.raises(errors.CircuitOpenError):
            isolated = Service(errors.CircuitOpenError("isolated", retry_in=float("inf")))
            await retry(RetryPolicy(wait_for_breaker=True))(isolated)()

    async def test_the_elapsed_limit_is_a_deadline_for_the_calls_inside(self):
        seen = []

        @retry(RetryPolicy(max_elapsed=10.0))
        async def call():
            seen.append(current_deadline())
            await asyncio.sleep(10.0)
            raise reset()

        with pytest.raises(errors.ConnectionError):
            await call()

        assert seen == [10.0]
        assert current_deadline() is None

    async def test_off_for_one_call(self):
        service = Service(reset(), reset(), reset())
        call = retry(service)

        with override_retry(None), pytest.raises(errors.ConnectionError):
            await call()
        assert len(service.times) == 1
        with override_retry(RetryPolicy(attempts=2)), pytest.raises(errors.ConnectionError):
            await call()

        assert len(service.times) == 3
        assert await call() == "fine"

    async def test_foreign_errors_carry_their_history_if_they_can(self):
        class Sealed(Exception):
            def __setattr__(self, name, value):
                if name == "attempts":
                    raise AttributeError(name)
                super().__setattr__(name, value)

        policy = RetryPolicy(attempts=2, retry_on=Exception)
        with pytest.raises(TheirError) as caught:
            await retry(policy)(Service(TheirError(), TheirError()))()
        assert len(caught.value.attempts) == 2
        with pytest.raises(Sealed):
            await retry(policy)(Service(Sealed(), Sealed()))()

    async def test_elapsed_set_by_the_callee_is_kept(self):
        with pytest.raises(errors.NotFoundError) as caught:
            await retry(Service(errors.NotFoundError("x", elapsed=9.0)))()

        assert caught.value.elapsed == 9.0

    async def test_retries_are_told_and_a_failing_listener_hurts_nobody(self, heard):
        def broken(event):
            raise RuntimeError("listener")

        call = retry(RetryPolicy(), listeners=(broken, heard), luck=lambda: 1.0)(Service(reset()))
        assert await call() == "fine"

        (event,) = heard
        assert (event.number, event.delay, event.error) == (1, 0.25, "ConnectionError")
        assert event.outcome is Outcome.UNKNOWN


@pytest.mark.asyncio
@pytest.mark.looptime
class TestCancellation:
    async def test_a_timeout_around_a_failing_function_fires(self):
        @retry(RetryPolicy(attempts=1_000, max_elapsed=1e6, retry_on=lambda _: True))
        async def call():
            await asyncio.sleep(0.01)
            raise reset()

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5.0):
                await call()

        assert now() == pytest.approx(5.0, abs=0.001)

    @pytest.mark.parametrize("after", [0.5, 1.5])
    async def test_cancelled_in_a_try_or_in_a_wait_it_ends_at_once(self, after):
        calls = []

        @retry(RetryPolicy(retry_on=lambda _: True), luck=lambda: 1.0)
        async def call():
            calls.append(now())
            await asyncio.sleep(1.0)
            raise throttled(5.0)

        task = asyncio.create_task(call())
        await asyncio.sleep(after)
        task.cancel()
        await asyncio.wait([task])

        assert task.cancelled()
        assert calls == [0.0]
        assert now() == pytest.approx(after, abs=0.001)

    async def test_a_function_that_hides_its_cancellation_is_not_called_again(self):
        calls = []

        @retry
        async def call():
            calls.append(now())
            try:
                await asyncio.sleep(60.0)
            except asyncio.CancelledError:
                raise reset() from None

        task = asyncio.create_task(call())
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.wait([task])

        assert isinstance(task.exception(), errors.ConnectionError)
        assert task.exception().__notes__[0].endswith("not again, because the task was cancelled")
        assert len(calls) == 1

    async def test_a_timeout_inside_the_function_is_an_error_like_others(self):
        @retry
        async def call():
            async with asyncio.timeout(0.5):
                await asyncio.sleep(60.0)

        with pytest.raises(TimeoutError) as caught:
            await call()

        assert len(caught.value.attempts) == 4

    async def test_it_works_in_the_cleanup_of_a_cancelled_task(self):
        service = Service(reset(), reset())

        async def work():
            try:
                await asyncio.sleep(60.0)
            finally:
                assert await retry(service)() == "fine"

        task = asyncio.create_task(work())
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.wait([task])

        assert task.cancelled()
        assert len(service.times) == 3


@pytest.mark.asyncio
async def test_stepped_by_hand_outside_a_task_it_works_as_well(clock):
    raised = [reset()]
    ended = asyncio.get_running_loop().create_future()

    @retry(RetryPolicy(), clock=clock, luck=lambda: 1.0)
    async def call():
        if raised:
            raise raised.pop()
        return "fine"

    def step():
        try:
            call().send(None)
        except StopIteration as exc:
            ended.set_result(exc.value)

    asyncio.get_running_loop().call_soon(step)

    assert await ended == "fine"
    assert clock.slept == [0.25]


# ── the budget ────────────────────────────────────────────────────────────────────────────────


def test_a_full_purse_pays_for_ten_retries_and_successes_fill_it():
    budget = RetryBudget(floor_per_second=0.0)
    assert [budget.take(now=0.0) for _ in range(11)] == [True] * 10 + [False]
    assert budget.left() == 0.0

    for _ in range(10):
        budget.succeeded()

    assert budget.take(now=0.0)
    for _ in range(300):
        budget.succeeded()
    assert budget.left() == 100.0


def test_throttled_retries_cost_half_and_lanes_are_apart():
    budget = RetryBudget(floor_per_second=0.0)

    assert sum(budget.take("quotes", now=0.0, throttled=True) for _ in range(50)) == 20
    assert budget.take("orders", now=0.0)
    assert budget.left("orders") == 90.0


def test_empty_it_still_allows_one_retry_a_second():
    budget = RetryBudget()
    for _ in range(10):
        budget.take(now=0.0)

    taken = [budget.take(now=tick / 10) for tick in range(50)]

    assert sum(taken) == 5


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_a_service_that_only_fails_gets_little_more_than_the_calls():
    budget = RetryBudget()
    calls = []

    @retry(RetryPolicy(), budget=budget)
    async def call():
        calls.append(now())
        raise reset()

    async def at(moment):
        await asyncio.sleep(moment)
        with pytest.raises(errors.ConnectionError):
            await call()

    await asyncio.gather(*(at(number / 1_000) for number in range(2_000)))

    assert len(calls) <= 1.2 * 2_000


@pytest.mark.asyncio
async def test_an_empty_budget_gives_the_original_error_and_tells(heard):
    budget = RetryBudget(0.0, floor_per_second=0.0)
    boom = reset()

    with pytest.raises(errors.ConnectionError) as caught:
        await retry(RetryPolicy(), budget=budget, listeners=[heard])(Service(boom))()

    assert caught.value is boom
    assert heard.kinds == ["BudgetExhausted"]
    assert heard[0].error == "ConnectionError"
    assert "budget is empty" in boom.__notes__[0]


@pytest.mark.asyncio
async def test_successes_refund():
    budget = RetryBudget()
    budget.take(now=0.0)

    await retry(RetryPolicy(), budget=budget)(Service())()

    assert budget.left() == 91.0


# ── decoration ────────────────────────────────────────────────────────────────────────────────

DECORATORS = [retry, retry(), circuit_breaker(), rate_limit(5, 1.0)]


def plain():
    pass


def generator():
    yield


async def async_generator():
    yield


class AsyncCallable:
    async def __call__(self):
        return "fine"


class PlainCallable:
    def __call__(self):
        pass


@pytest.mark.parametrize("decorate", DECORATORS)
@pytest.mark.parametrize(
    ("function", "why"),
    [
        (plain, "plain is not async"),
        (generator, "generator is a generator"),
        (async_generator, "async_generator is an async generator"),
        (PlainCallable(), "PlainCallable is not async"),
        (len, "len is not async"),
        (3, "int is not async"),
    ],
    ids=lambda each: str(each)[:20],
)
def test_what_is_no_coroutine_function_is_refused_when_decorated(decorate, function, why):
    with pytest.raises(TypeError, match=rf"^@\w+ takes async def functions; .*{why}"):
        decorate(function)


@pytest.mark.parametrize(
    ("decorate", "name"),
    [
        (retry(), "retry"),
        (circuit_breaker(), "circuit_breaker"),
        (rate_limit(5, 1.0), "rate_limit"),
    ],
)
def test_the_decorator_that_refuses_a_function_is_named(decorate, name):
    with pytest.raises(TypeError, match=f"^@{name} takes"):
        decorate(plain)


@pytest.mark.parametrize("decorate", DECORATORS)
def test_name_and_signature_stay(decorate):
    async def fetch(symbol: str, /, *, limit: int = 5) -> list[str]:
        """Get it."""
        return [symbol] * limit

    decorated = decorate(fetch)

    assert inspect.iscoroutinefunction(decorated)
    assert inspect.signature(decorated) == inspect.signature(fetch)
    assert (decorated.__name__, decorated.__doc__) == ("fetch", "Get it.")
    assert decorated.__wrapped__ is fetch


@pytest.mark.asyncio
async def test_methods_and_callables_can_be_decorated_and_stacked():
    class Client:
        calls = 0

        @retry(RetryPolicy(first_delay=0.0))
        @circuit_breaker()
        @rate_limit(100, 1.0)
        async def fetch(self, symbol):
            self.calls += 1
            if self.calls < 3:
                raise reset()
            return symbol

    assert await Client().fetch("AAPL") == "AAPL"
    assert await retry(AsyncCallable())() == "fine"
