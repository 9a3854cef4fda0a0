"""Whoever has time waits as long as an error says, and gives up when that is of no use."""

import math

import pytest

from sentio_async import errors
from sentio_async.resilience.deadline import with_deadline
from sentio_async.resilience.patience import Patience, is_patient, patiently, wait_out

LIMIT = errors.RateLimitError("200 per minute", retry_after=45.0)
OPEN = errors.CircuitOpenError("open", retry_in=5.0)


class Work:
    def __init__(self, *failures):
        self.failures = list(failures)
        self.calls = 0

    async def __call__(self):
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"


async def test_quotas_and_breakers_are_waited_for(clock):
    assert await wait_out(Work(LIMIT, OPEN, LIMIT), clock=clock) == "done"
    assert clock.slept == [45.0, 5.0, 45.0]


@pytest.mark.parametrize(
    "error",
    [
        errors.ServerError("x"),
        errors.RateLimitError("no word of how long"),
        errors.DecodeError("y"),
    ],
)
async def test_other_errors_are_raised_at_once(clock, error):
    work = Work(error)

    with pytest.raises(type(error)):
        await wait_out(work, clock=clock)
    assert (work.calls, clock.slept) == (1, [])


async def test_it_ends_after_twenty_waits(clock):
    work = Work(*[LIMIT] * 30)

    with pytest.raises(errors.RateLimitError):
        await wait_out(work, clock=clock)
    assert (work.calls, len(clock.slept)) == (21, 20)


async def test_waits_that_were_of_use_begin_anew(clock):
    patience = Patience(clock)

    assert all([await patience.wait(LIMIT, has_moved=True) for _ in range(50)])


async def test_the_wait_after_a_move_is_the_first_of_twenty(clock):
    patience = Patience(clock)
    for _ in range(5):
        await patience.wait(LIMIT)
    await patience.wait(LIMIT, has_moved=True)

    assert [await patience.wait(LIMIT) for _ in range(20)] == [True] * 19 + [False]


async def test_a_wait_of_nothing_does_not_spin(clock):
    await wait_out(Work(errors.CircuitOpenError("open", retry_in=0.0)), clock=clock)

    assert clock.slept == [0.1]


def test_code_is_patient_while_it_is_said_to_be():
    assert not is_patient()
    with patiently():
        assert is_patient()
    assert not is_patient()


def test_patience_within_patience_ends_with_the_outer_one():
    with patiently():
        with patiently():
            assert is_patient()
        assert is_patient()
    with pytest.raises(KeyError), patiently():
        raise KeyError
    assert not is_patient()


async def test_a_wait_that_just_fits_is_begun(clock):
    with with_deadline(45.0, clock=clock):
        assert await wait_out(Work(LIMIT), clock=clock) == "done"
    assert clock.slept == [45.0]


async def test_a_wait_beyond_the_deadline_is_not_begun(clock):
    with with_deadline(30.0, clock=clock), pytest.raises(errors.RateLimitError):
        await wait_out(Work(LIMIT), clock=clock)
    assert clock.slept == []


async def test_what_is_closed_until_somebody_opens_it_is_not_waited_for(clock):
    by_hand = errors.CircuitOpenError("isolated", retry_in=math.inf)

    with pytest.raises(errors.CircuitOpenError):
        await wait_out(Work(by_hand), clock=clock)
    assert clock.slept == []
