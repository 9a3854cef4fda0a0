"""A failing service is left alone, and one call finds out when it is back."""

import asyncio
import math
import random

import pytest

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.resilience import (
    BreakerPolicy,
    BreakerState,
    CircuitBreaker,
    Verdict,
    circuit_breaker,
)
from sentio_async.resilience.verdict import verdict_of

EXACT = BreakerPolicy(failures=5, open_for=10.0, jitter=0.0)


def fail(breaker, times=1):
    for _ in range(times):
        breaker.release(breaker.acquire(), Verdict.FAIL)


def a_half_open(clock, **changes):
    policy = {"failures": 1, "open_for": 10.0, "jitter": 0.0, **changes}
    breaker = CircuitBreaker(BreakerPolicy(**policy), name="alpaca", clock=clock)
    fail(breaker)
    clock.now += 10.0
    return breaker


def test_it_opens_after_so_many_failures_in_a_row(clock):
    breaker = CircuitBreaker(EXACT, clock=clock)
    fail(breaker, 4)
    breaker.release(breaker.acquire(), Verdict.OK)
    fail(breaker, 4)
    assert breaker.state is BreakerState.CLOSED
    breaker.peek()

    fail(breaker)

    assert breaker.state is BreakerState.OPEN
    for ask in (breaker.peek, breaker.acquire):
        with pytest.raises(errors.CircuitOpenError, match=r"is open, next try in 10.0 s") as caught:
            ask()
        assert caught.value.retry_in == pytest.approx(10.0)
        assert caught.value.outcome is Outcome.NOT_SENT


def test_neutral_results_neither_count_nor_end_a_row(clock):
    breaker = CircuitBreaker(EXACT, clock=clock)
    fail(breaker, 4)
    for _ in range(20):
        breaker.release(breaker.acquire(), Verdict.NEUTRAL)
    assert breaker.state is BreakerState.CLOSED

    fail(breaker)

    assert breaker.state is BreakerState.OPEN


def test_open_time_doubles_with_every_failed_probe_up_to_the_cap(clock):
    policy = BreakerPolicy(failures=1, open_for=1.0, max_open_for=16.0, jitter=0.0)
    breaker = CircuitBreaker(policy, clock=clock)
    waits = []
    for _ in range(7):
        fail(breaker)
        waits.append(breaker.stats().retry_in)
        clock.now += waits[-1]

    assert waits == pytest.approx([1, 2, 4, 8, 16, 16, 16])
    breaker.release(breaker.acquire(), Verdict.OK)
    fail(breaker)
    assert breaker.stats().retry_in == pytest.approx(1)
    assert BreakerPolicy().pause(10_000) == 300.0


def test_jitter_is_at_most_ten_percent_and_spread(clock):
    luck = random.Random(7)
    waits = []
    for _ in range(500):
        policy = BreakerPolicy(failures=1, open_for=10.0)
        breaker = CircuitBreaker(policy, clock=clock, luck=luck.random)
        fail(breaker)
        waits.append(breaker.stats().retry_in)

    assert 10.0 <= min(waits) < 10.05 and 10.95 < max(waits) <= 11.0


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_of_fifty_concurrent_calls_exactly_one_reaches_the_half_open_service():
    breaker = CircuitBreaker(BreakerPolicy(failures=1, open_for=10.0, jitter=0.0))
    fail(breaker)
    await asyncio.sleep(10.0)
    reached = []

    @circuit_breaker(breaker)
    async def call(number):
        reached.append(number)
        await asyncio.sleep(1.0)
        raise errors.ServerError("still sick", status_code=503)

    results = await asyncio.gather(*(call(n) for n in range(50)), return_exceptions=True)

    assert reached == [0]
    assert isinstance(results[0], errors.ServerError)
    assert all(isinstance(each, errors.CircuitOpenError) for each in results[1:])
    assert all(0 < each.retry_in <= 30.0 for each in results[1:])
    assert breaker.state is BreakerState.OPEN


def test_a_successful_probe_closes_it(clock):
    breaker = a_half_open(clock)
    assert breaker.state is BreakerState.HALF_OPEN
    breaker.peek()
    probe = breaker.acquire()
    with pytest.raises(errors.CircuitOpenError, match="circuit alpaca is half open"):
        breaker.peek()

    breaker.release(probe, Verdict.OK)

    assert breaker.state is BreakerState.CLOSED


def test_several_probes_can_be_asked_for(clock):
    breaker = a_half_open(clock, probes=2, needed=3)
    first, second = breaker.acquire(), breaker.acquire()
    with pytest.raises(errors.CircuitOpenError):
        breaker.acquire()
    breaker.release(first, Verdict.OK)
    breaker.release(second, Verdict.OK)
    assert breaker.state is BreakerState.HALF_OPEN

    breaker.release(breaker.acquire(), Verdict.OK)

    assert breaker.state is BreakerState.CLOSED


def test_a_neutral_probe_leaves_it_half_open_and_the_place_free(clock):
    breaker = a_half_open(clock)

    breaker.release(breaker.acquire(), Verdict.NEUTRAL)

    assert breaker.state is BreakerState.HALF_OPEN
    breaker.acquire()


def test_a_lost_probe_is_replaced_after_its_lease_and_its_late_result_is_nothing(clock):
    breaker = a_half_open(clock, lease=30.0)
    lost = breaker.acquire()
    clock.now += 29.0
    with pytest.raises(errors.CircuitOpenError) as caught:
        breaker.acquire()
    assert caught.value.retry_in == pytest.approx(1.0)
    clock.now += 1.0
    second = breaker.acquire()

    breaker.release(lost, Verdict.OK)
    assert breaker.state is BreakerState.HALF_OPEN
    breaker.release(second, Verdict.FAIL)

    assert breaker.state is BreakerState.OPEN


def test_late_results_of_an_earlier_generation_change_nothing(clock):
    breaker = CircuitBreaker(EXACT, clock=clock)
    slow = [breaker.acquire() for _ in range(10)]
    fail(breaker, 5)
    breaker.release(slow[0], Verdict.OK)
    assert breaker.state is BreakerState.OPEN
    clock.now += 10.0
    probe = breaker.acquire()

    for permit in slow[1:6]:
        breaker.release(permit, Verdict.OK)
        breaker.release(permit, Verdict.FAIL)
    assert breaker.state is BreakerState.HALF_OPEN
    breaker.release(probe, Verdict.OK)
    assert breaker.state is BreakerState.CLOSED
    for permit in slow:
        breaker.release(permit, Verdict.FAIL)

    assert breaker.state is BreakerState.CLOSED


def test_a_share_of_failures_opens_it_once_there_are_enough_calls(clock):
    policy = BreakerPolicy(failures=1_000, ratio=0.5, min_calls=20, window=60.0)
    breaker = CircuitBreaker(policy, clock=clock)
    for number in range(18):
        clock.now += 1.0
        breaker.release(breaker.acquire(), Verdict.FAIL if number % 2 else Verdict.OK)
    fail(breaker)
    assert breaker.state is BreakerState.CLOSED

    fail(breaker)

    assert breaker.state is BreakerState.OPEN


def test_failures_older_than_the_window_do_not_count(clock):
    policy = BreakerPolicy(failures=1_000, ratio=0.5, min_calls=20, window=60.0)
    breaker = CircuitBreaker(policy, clock=clock)
    fail(breaker, 19)
    clock.now += 60.0
    for _ in range(11):
        breaker.release(breaker.acquire(), Verdict.OK)

    fail(breaker, 10)

    assert breaker.state is BreakerState.CLOSED
    fail(breaker)
    assert breaker.state is BreakerState.OPEN


def test_isolated_by_hand_it_stays_so_until_closed_by_hand(clock):
    breaker = CircuitBreaker(EXACT, clock=clock)
    breaker.isolate("maintenance")
    clock.now += 1e9
    with pytest.raises(errors.CircuitOpenError) as caught:
        breaker.acquire()
    assert caught.value.retry_in == math.inf
    assert breaker.state is BreakerState.ISOLATED

    breaker.close()

    breaker.release(breaker.acquire(), Verdict.OK)
    assert breaker.state is BreakerState.CLOSED


def test_disabled_it_lets_everything_through_and_counts_nothing(clock):
    breaker = CircuitBreaker(EXACT, clock=clock)
    breaker.disable()

    fail(breaker, 50)

    assert breaker.state is BreakerState.DISABLED
    breaker.peek()


def test_stats_and_reset(clock):
    breaker = CircuitBreaker(EXACT, clock=clock)
    breaker.release(breaker.acquire(), Verdict.OK)
    fail(breaker, 5)
    with pytest.raises(errors.CircuitOpenError):
        breaker.acquire()
    stats = breaker.stats()
    assert (stats.state, stats.passed, stats.failed, stats.refused) == (BreakerState.OPEN, 6, 5, 1)
    assert (stats.trips, stats.generation, stats.retry_in) == (1, 1, 10.0)

    breaker.reset()

    stats = breaker.stats()
    assert (stats.state, stats.passed, stats.failed, stats.refused) == (
        BreakerState.CLOSED,
        0,
        0,
        0,
    )
    assert (stats.trips, stats.failures, stats.retry_in) == (0, 0, 0.0)


def test_changes_are_told_and_a_failing_listener_hurts_nobody(clock, heard):
    def broken(event):
        raise RuntimeError("listener")

    breaker = CircuitBreaker(EXACT, name="alpaca orders", clock=clock, listeners=(broken, heard))
    fail(breaker, 5)
    clock.now += 10.0
    breaker.release(breaker.acquire(), Verdict.OK)
    breaker.close()

    changes = [(each.old, each.new, each.reason) for each in heard]
    assert changes == [
        ("closed", "open", "5 failures in a row"),
        ("open", "half_open", "the pause is over"),
        ("half_open", "closed", "the probe went well"),
    ]
    assert [each.generation for each in heard] == [1, 2, 3]
    assert {each.connector for each in heard} == {"alpaca orders"}
    assert heard[1].at == 1_010.0


@pytest.mark.parametrize(
    "changes",
    [
        {"failures": 0},
        {"ratio": 0.0},
        {"ratio": 1.5},
        {"open_for": 0.0},
        {"probes": 0},
        {"jitter": 2.0},
    ],
)
def test_a_policy_that_cannot_be_kept_is_refused(changes):
    with pytest.raises(errors.ConfigurationError):
        BreakerPolicy(**changes)


def unsent(kind, **known):
    return kind("x", outcome=Outcome.NOT_SENT, **known)


VERDICTS = [
    (None, Verdict.OK),
    (unsent(errors.ConnectionError, phase="connect"), Verdict.FAIL),
    (unsent(errors.ConnectionError, phase="pool"), Verdict.NEUTRAL),
    (errors.ConnectionError("reset"), Verdict.FAIL),
    (errors.CertificateError("x"), Verdict.FAIL),
    (unsent(errors.DeadlineExceededError), Verdict.NEUTRAL),
    (errors.DeadlineExceededError("x"), Verdict.FAIL),
    (errors.CircuitOpenError("x"), Verdict.NEUTRAL),
    (errors.RateLimitError("x", status_code=429), Verdict.NEUTRAL),
    (unsent(errors.RateLimitError), Verdict.NEUTRAL),
    (errors.APIError("x", status_code=408, outcome=Outcome.UNKNOWN), Verdict.NEUTRAL),
    (errors.APIError("x", status_code=425), Verdict.NEUTRAL),
    (errors.APIError("x", status_code=429), Verdict.NEUTRAL),
    (errors.AuthenticationError("x", status_code=401), Verdict.OK),
    (errors.PermissionError("x", status_code=403), Verdict.OK),
    (errors.NotFoundError("x", status_code=404), Verdict.OK),
    (errors.ConflictError("x", status_code=409), Verdict.OK),
    (errors.BadRequestError("x", status_code=422), Verdict.OK),
    (errors.ServerError("x", status_code=500), Verdict.FAIL),
    (errors.ServerError("x", status_code=503), Verdict.FAIL),
    (errors.DecodeError("x"), Verdict.FAIL),
    (errors.ResponseTooLargeError("x"), Verdict.NEUTRAL),
    (errors.UnknownWordError("status", "odd"), Verdict.NEUTRAL),
    (errors.InvalidRequestError("x"), Verdict.NEUTRAL),
    (errors.ConfigurationError("x"), Verdict.NEUTRAL),
    (errors.StaleDataError("x"), Verdict.NEUTRAL),
    (errors.SymbolNotFoundError("x"), Verdict.OK),
    (asyncio.CancelledError(), Verdict.NEUTRAL),
    (KeyboardInterrupt(), Verdict.NEUTRAL),
    (GeneratorExit(), Verdict.NEUTRAL),
    (TypeError("bug"), Verdict.NEUTRAL),
    (KeyError("bug"), Verdict.NEUTRAL),
    (TimeoutError(), Verdict.FAIL),
    (ConnectionResetError(), Verdict.FAIL),
    (RuntimeError("theirs"), Verdict.FAIL),
    (ExceptionGroup("g", [KeyError(), errors.ServerError("x")]), Verdict.FAIL),
    (ExceptionGroup("g", [KeyError(), errors.NotFoundError("x")]), Verdict.NEUTRAL),
    (ExceptionGroup("g", [errors.NotFoundError("x")]), Verdict.OK),
    (BaseExceptionGroup("g", [asyncio.CancelledError()]), Verdict.NEUTRAL),
]


@pytest.mark.parametrize(("error", "expected"), VERDICTS, ids=lambda each: repr(each)[:50])
def test_what_an_end_says_about_the_service(error, expected):
    assert verdict_of(error) is expected


@pytest.mark.asyncio
async def test_the_failure_that_opens_it_is_raised_as_itself():
    boom = errors.ServerError("it may have happened", status_code=504)
    breaker = CircuitBreaker(BreakerPolicy(failures=1))

    @circuit_breaker(breaker)
    async def call() -> None:
        """Call it."""
        raise boom

    with pytest.raises(errors.ServerError) as caught:
        await call()
    assert caught.value is boom
    assert call.__doc__ == "Call it."
    with pytest.raises(errors.CircuitOpenError):
        await call()


async def test_it_decorates_without_brackets_too():
    @circuit_breaker
    async def call() -> str:
        return "fine"

    assert await call() == "fine"
    with pytest.raises(TypeError, match="@circuit_breaker takes async def functions"):
        circuit_breaker(lambda: None)


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_cancelled_calls_never_open_it():
    @circuit_breaker(BreakerPolicy(failures=1))
    async def call():
        await asyncio.sleep(60)
        return "fine"

    for _ in range(5):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await call()

    assert await call() == "fine"


def a_history(seed, clock):
    """Random calls, results, pauses and hands, each compared with ``Model``."""
    luck = random.Random(seed)
    policy = BreakerPolicy(
        failures=luck.randint(1, 4),
        open_for=luck.choice([1.0, 5.0]),
        max_open_for=20.0,
        jitter=0.0,
        probes=luck.randint(1, 2),
        needed=luck.randint(1, 3),
        lease=luck.choice([2.0, 30.0]),
    )
    breaker, model = CircuitBreaker(policy, clock=clock), Model(policy)
    under_way = []
    for step in range(60):
        clock.now += luck.choice([0.0, 0.0, 0.5, 1.0, 3.0])
        action = luck.random()
        if action < 0.5:
            try:
                permit = breaker.acquire()
            except errors.CircuitOpenError:
                permit = None
            number = model.begin(clock.now)
            assert (permit is None) == (number is None), (seed, step)
            if permit is not None:
                under_way.append((permit, number))
        elif action < 0.97 and under_way:
            permit, number = under_way.pop(luck.randrange(len(under_way)))
            verdict = luck.choices(list(Verdict), weights=[3, 4, 1])[0]
            breaker.release(permit, verdict)
            model.end(number, verdict.value, clock.now)
        elif action > 0.99:
            getattr(breaker, by_hand := luck.choice(["isolate", "close"]))()
            model.by_hand(by_hand)
        assert breaker.state.value == model.look(clock.now), (seed, step)


class Model:
    """The breaker as a story: an epoch ends with every change, and only its own calls count."""

    def __init__(self, policy):
        self.policy = policy
        self.number = 0
        self.trips = 0
        self.start("closed")

    def start(self, state):
        self.state, self.row, self.good, self.calls = state, 0, 0, {}

    def look(self, now):
        if self.state == "open" and now >= self.opens_at:
            self.start("half_open")
        return self.state

    def begin(self, now):
        state = self.look(now)
        probing = [at for at in self.calls.values() if now - at < self.policy.lease]
        full = state == "half_open" and len(probing) >= self.policy.probes
        if state in ("open", "isolated") or full:
            return None
        if state == "half_open":
            self.calls = {n: at for n, at in self.calls.items() if now - at < self.policy.lease}
        self.number += 1
        self.calls[self.number] = now
        return self.number

    def end(self, number, verdict, now):
        if self.calls.pop(number, None) is None or verdict == "neutral":
            return
        if verdict == "ok":
            self.row, self.good = 0, self.good + 1
            if self.state == "half_open" and self.good >= self.policy.needed:
                self.by_hand("close")
            return
        self.row += 1
        if self.state == "half_open" or self.row >= self.policy.failures:
            self.trips += 1
            self.start("open")
            self.opens_at = now + min(20.0, self.policy.open_for * 2 ** (self.trips - 1))

    def by_hand(self, what):
        if what == "close":
            self.trips = 0
        self.start("isolated" if what == "isolate" else "closed")


def test_three_thousand_histories_agree_with_the_model(clock):
    for seed in range(3_000):
        a_history(seed, clock)
