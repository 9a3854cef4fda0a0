"""What a breaker counts, and what it says of it."""

import pytest

from sentio_async import errors
from sentio_async.resilience import (
    BreakerPolicy,
    BreakerState,
    CircuitBreaker,
    Verdict,
    circuit_breaker,
)


def told(breaker, *verdicts):
    for verdict in verdicts:
        breaker.release(breaker.acquire(), verdict)


FAIL, OK = Verdict.FAIL, Verdict.OK


def a_share(clock, **more):
    policy = BreakerPolicy(
        **{"failures": 1_000, "ratio": 0.5, "min_calls": 20, "jitter": 0.0, **more}
    )
    return CircuitBreaker(policy, clock=clock)


@pytest.mark.parametrize(
    "policy",
    [
        {"failures": 1, "min_calls": 1, "buckets": 1, "probes": 1, "needed": 1},
        {"window": 0.1, "open_for": 0.1, "max_open_for": 0.1, "lease": 0.1},
        {"ratio": 1.0, "jitter": 1.0},
        {"ratio": 0.01, "jitter": 0.0},
    ],
)
def test_the_smallest_and_the_largest_policies_can_be_kept(policy):
    BreakerPolicy(**policy)


@pytest.mark.parametrize(
    "name",
    ["min_calls", "buckets", "needed", "window", "max_open_for", "lease"],
)
def test_nothing_of_a_policy_may_be_zero(name):
    with pytest.raises(errors.ConfigurationError, match=r"^breaker: BreakerPolicy\(.* be kept$"):
        BreakerPolicy(**{name: 0})


def test_a_negative_jitter_is_refused():
    with pytest.raises(errors.ConfigurationError):
        BreakerPolicy(jitter=-0.1)


def test_a_window_that_has_only_begun_is_empty(clock):
    clock.now = 0.0
    breaker = a_share(clock)

    told(breaker, *[OK] * 11, *[FAIL] * 8)
    assert breaker.state is BreakerState.CLOSED
    told(breaker, FAIL)
    assert breaker.state is BreakerState.CLOSED
    told(breaker, FAIL, FAIL)

    assert breaker.state is BreakerState.OPEN


def test_its_figures_are_those_of_now(clock):
    breaker = CircuitBreaker(BreakerPolicy(failures=1, open_for=10.0, jitter=0.0), clock=clock)
    told(breaker, FAIL)
    clock.now += 10.0

    assert breaker.stats().state is BreakerState.HALF_OPEN


def test_calls_count_in_the_bucket_of_their_time_and_no_longer(clock):
    clock.now = 1_000.0
    breaker = a_share(clock, min_calls=4, window=10.0, buckets=5)
    told(breaker, FAIL, FAIL)
    clock.now += 8.0
    told(breaker, FAIL)
    clock.now += 2.0
    told(breaker, FAIL, FAIL)
    assert breaker.state is BreakerState.CLOSED

    told(breaker, FAIL)

    assert breaker.state is BreakerState.OPEN


def test_after_a_trip_the_window_is_empty_again(clock, heard):
    breaker = CircuitBreaker(
        BreakerPolicy(failures=1_000, ratio=0.5, min_calls=4, jitter=0.0),
        clock=clock,
        listeners=[heard],
    )
    told(breaker, OK, OK, FAIL, FAIL)
    assert heard[-1].reason == "2 of 4 calls failed"
    clock.now += 30.0
    told(breaker, OK)

    told(breaker, FAIL, FAIL, FAIL)
    assert breaker.state is BreakerState.CLOSED
    told(breaker, FAIL)

    assert breaker.state is BreakerState.OPEN
    assert heard[-1].reason == "4 of 4 calls failed"


def test_a_success_ends_the_row_with_a_window_and_without(clock):
    for ratio in (None, 0.99):
        breaker = CircuitBreaker(BreakerPolicy(failures=3, ratio=ratio), clock=clock)
        told(breaker, FAIL, FAIL, OK)
        assert breaker.stats().failures == 0
        told(breaker, FAIL, FAIL)
        assert breaker.state is BreakerState.CLOSED
        told(breaker, FAIL)
        assert breaker.state is BreakerState.OPEN


def test_everything_that_passed_failed_or_was_refused_is_counted(clock):
    breaker = CircuitBreaker(BreakerPolicy(failures=2, open_for=10.0, jitter=0.0), clock=clock)
    told(breaker, OK, OK, FAIL, FAIL)
    for _ in range(3):
        with pytest.raises(errors.CircuitOpenError):
            breaker.acquire()
    clock.now += 10.0
    told(breaker, FAIL)
    clock.now += 20.0
    told(breaker, OK, OK)

    stats = breaker.stats()
    assert (stats.passed, stats.failed, stats.refused) == (7, 3, 3)
    assert (stats.trips, stats.state) == (0, BreakerState.CLOSED)


def test_it_says_whether_calls_pass_and_when_they_may(clock):
    breaker = CircuitBreaker(BreakerPolicy(failures=1, open_for=10.0, jitter=0.0), clock=clock)
    assert (breaker.is_closed, breaker.retry_in) == (True, 0.0)
    told(breaker, FAIL)
    assert (breaker.is_closed, breaker.retry_in) == (False, 10.0)
    clock.now += 4.0
    assert breaker.retry_in == 6.0
    clock.now += 6.5
    assert breaker.retry_in == 0.0
    probe = breaker.acquire()
    assert breaker.retry_in == 30.0
    breaker.release(probe, OK)

    assert (breaker.is_closed, breaker.retry_in) == (True, 0.0)


def test_of_several_probes_the_first_to_end_its_lease_makes_room(clock):
    breaker = CircuitBreaker(
        BreakerPolicy(failures=1, open_for=10.0, jitter=0.0, probes=2, lease=30.0), clock=clock
    )
    told(breaker, FAIL)
    clock.now += 10.0
    breaker.acquire()
    clock.now += 5.0
    breaker.acquire()

    with pytest.raises(errors.CircuitOpenError) as caught:
        breaker.acquire()

    assert caught.value.retry_in == 25.0


def test_a_refusal_names_the_circuit(clock):
    for name, words in (("", "circuit breaker"), ("orders", "circuit orders")):
        breaker = CircuitBreaker(
            BreakerPolicy(failures=1, open_for=10.0, jitter=0.0), name=name, clock=clock
        )
        told(breaker, FAIL)
        with pytest.raises(errors.CircuitOpenError) as caught:
            breaker.peek()
        assert caught.value.message == f"{words} is open, next try in 10.0 s"


def test_every_change_is_told_with_its_reason(clock, heard):
    breaker = CircuitBreaker(
        BreakerPolicy(failures=1, open_for=10.0, jitter=0.0), clock=clock, listeners=[heard]
    )
    told(breaker, FAIL)
    clock.now += 10.0
    told(breaker, FAIL)
    breaker.isolate()
    breaker.disable("for a test")
    breaker.isolate()
    breaker.disable()
    breaker.reset()
    breaker.isolate("maintenance")
    breaker.close()

    assert [(each.new, each.reason) for each in heard] == [
        ("open", "1 failures in a row"),
        ("half_open", "the pause is over"),
        ("open", "the probe failed"),
        ("isolated", "by hand"),
        ("disabled", "for a test"),
        ("isolated", "by hand"),
        ("disabled", "by hand"),
        ("closed", "reset"),
        ("isolated", "maintenance"),
        ("closed", "by hand"),
    ]
    assert {(each.connector, each.operation) for each in heard} == {("", "")}


async def test_a_decorated_function_has_a_breaker_of_its_own(clock, heard):
    @circuit_breaker(BreakerPolicy(failures=2, jitter=0.0), clock=clock, listeners=[heard])
    async def call(value, *, error=None):
        if error is not None:
            raise error
        return value

    boom = errors.ServerError("x")
    for error in (boom, None, boom):
        try:
            assert await call(5, error=error) == 5
        except errors.ServerError:
            assert error is boom
    assert heard == []
    with pytest.raises(errors.ServerError):
        await call(5, error=boom)
    with pytest.raises(errors.CircuitOpenError):
        await call(5)
    clock.now += 30.0

    assert await call(5) == 5
    assert [each.new for each in heard] == ["open", "half_open", "closed"]
    assert {each.connector for each in heard} == {call.__qualname__}


async def test_options_count_without_brackets_too(clock, heard):
    async def call():
        raise KeyError("odd")

    watched = circuit_breaker(call, verdict=lambda _: FAIL, clock=clock, listeners=[heard])
    for _ in range(5):
        with pytest.raises(KeyError):
            await watched()

    assert [(each.new, each.at) for each in heard] == [("open", clock.now)]
    with pytest.raises(errors.CircuitOpenError):
        await watched()
