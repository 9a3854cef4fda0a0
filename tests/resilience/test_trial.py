"""One call's tries by hand: each wait, each reason to stop, and what is written onto the error."""

import logging
import math

import pytest

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.events import BudgetExhausted, Retrying
from sentio_async.resilience import (
    RetryBudget,
    RetryPolicy,
    current_deadline,
    override_retry,
    retry,
    with_deadline,
)
from sentio_async.resilience.retry import Trial, announce


def reset(words="reset by peer"):
    return errors.ConnectionError(words)


def throttled(wait):
    return errors.RateLimitError("slow down", status_code=429, retry_after=wait)


def a_trial(until=None, luck=1.0, repeatable=True, **policy):
    return Trial(RetryPolicy(**policy), repeatable, until, lambda: luck)


def fails(trial, error, **more):
    return trial.failed(error, **{"elapsed": 0.5, "now": 0.0, **more})


@pytest.mark.parametrize(
    "policy",
    [
        {"attempts": 1, "first_delay": 0.0, "max_delay": 0.0},
        {"retry_after_cap": 0.0, "least_attempt": 0.0, "max_elapsed": 0.1},
    ],
)
def test_the_smallest_policies_can_be_kept(policy):
    RetryPolicy(**policy)


@pytest.mark.parametrize("name", ["first_delay", "max_delay", "retry_after_cap", "least_attempt"])
@pytest.mark.parametrize("wrong", [math.inf, -0.1, math.nan])
def test_what_is_no_duration_is_refused(name, wrong):
    with pytest.raises(errors.ConfigurationError, match=r"^retry: RetryPolicy\(.* be kept$"):
        RetryPolicy(**{name: wrong})


@pytest.mark.parametrize(
    ("asked", "luck", "delay"),
    [
        (None, 1.0, 0.25),
        (None, 0.5, 0.125),
        (4.0, 0.0, 4.0),
        (4.0, 0.5, 4.2),
        (40.0, 1.0, 41.0),
        (0.1, 1.0, 0.275),
        (60.0, 0.0, 60.0),
    ],
)
def test_what_is_waited(asked, luck, delay):
    error = reset() if asked is None else throttled(asked)

    assert fails(a_trial(luck=luck), error) == pytest.approx(delay)


def test_a_longer_wait_than_the_cap_is_not_waited_for():
    trial = a_trial(retry_after_cap=60.0)

    assert fails(trial, throttled(60.5)) is None
    assert trial.reason == "a wait of 60.5 s is above the cap of 60 s"


@pytest.mark.parametrize(("until", "delay"), [(0.30, 0.25), (0.29, None)])
def test_a_wait_must_leave_time_for_a_try(until, delay):
    trial = a_trial(until)

    assert fails(trial, reset()) == delay
    assert trial.reason == ("" if delay else "a wait of 0.250 s does not fit into the time left")


@pytest.mark.parametrize(
    ("closed_for", "waits", "delay"),
    [
        (0.0, False, 0.25),
        (0.0, True, 0.25),
        (0.25, False, 0.25),
        (0.3, False, None),
        (0.5, True, 0.55),
    ],
)
def test_a_breaker_that_opens_meanwhile_is_waited_for_if_the_policy_says_so(
    closed_for, waits, delay
):
    trial = a_trial(wait_for_breaker=waits)
    trial.closed_for = closed_for

    assert fails(trial, reset()) == (delay and pytest.approx(delay))
    assert trial.reason == ("" if delay else "the circuit breaker has opened")


def test_the_longer_of_two_waits_counts():
    trial = a_trial(wait_for_breaker=True, luck=0.0)
    trial.closed_for = 3.0

    assert fails(trial, throttled(5.0)) == 5.0
    assert fails(trial, throttled(2.0)) == 3.0


def test_an_empty_budget_ends_it():
    budget, trial = RetryBudget(5.0, floor_per_second=0.0), a_trial()

    assert fails(trial, throttled(1.0), budget=budget, lane="a") is not None
    assert (budget.left("a"), budget.left("b")) == (0.0, 5.0)
    assert trial.budget_empty is False
    assert fails(trial, reset(), budget=budget, lane="a") is None
    assert (trial.budget_empty, trial.reason) == (True, "the retry budget is empty")


def test_a_try_that_is_the_last_costs_no_budget():
    budget = RetryBudget()

    assert fails(a_trial(attempts=1), reset(), budget=budget) is None
    assert budget.left() == 100.0


def test_all_tries_are_written_onto_the_error():
    trial, last = a_trial(attempts=2), reset()
    fails(trial, throttled(1.0))
    assert trial.count == 1
    fails(trial, last, elapsed=0.75)

    trial.give_up(last, elapsed=3.0)

    assert last.attempts == (
        errors.AttemptRecord(1, "RateLimitError", Outcome.REFUSED, 0.5, 1.1),
        errors.AttemptRecord(2, "ConnectionError", Outcome.UNKNOWN, 0.75, 0.0),
    )
    assert last.elapsed == 3.0
    assert last.__notes__ == ["2 tries in 3.000 s: RateLimitError, ConnectionError"]


def test_why_it_was_given_up_is_written_onto_the_error():
    trial, last = a_trial(), reset()
    trial.stop("the task was cancelled")
    assert fails(trial, last) is None

    trial.give_up(last, elapsed=3.0)

    assert last.__notes__ == [
        "1 tries in 3.000 s: ConnectionError; not again, because the task was cancelled"
    ]


def test_an_error_without_room_for_notes_of_tries_is_logged(caplog):
    class Narrow(Exception):
        @property
        def attempts(self):
            return ()

    trial, narrow = a_trial(attempts=1), Narrow()
    fails(trial, narrow)

    with caplog.at_level(logging.DEBUG, logger="sentio_async"):
        trial.give_up(narrow, elapsed=0.5)

    assert [each.getMessage() for each in caplog.records] == ["Narrow takes no attributes"]


def test_only_tries_that_go_on_and_empty_budgets_are_told(heard):
    trial = a_trial()
    fails(trial, reset())
    where = (7.0, "alpaca", "GET /x")

    announce([heard], trial, reset(), 0.25, where)
    announce([heard], trial, reset(), None, where)
    trial.budget_empty = True
    announce([heard], trial, reset(), None, where)

    assert heard == [
        Retrying(*where, 1, 0.25, "ConnectionError", Outcome.UNKNOWN),
        BudgetExhausted(*where, "ConnectionError"),
    ]


async def test_a_decorated_function_tells_under_its_name(clock, heard):
    calls = []

    @retry(RetryPolicy(attempts=2), clock=clock, luck=lambda: 1.0, listeners=[heard])
    async def fetch():
        calls.append(clock.now)
        clock.now += 2.0
        raise reset()

    with pytest.raises(errors.ConnectionError) as caught:
        await fetch()

    assert calls == [1_000.0, 1_002.25]
    assert heard == [
        Retrying(1_002.0, "", fetch.__qualname__, 1, 0.25, "ConnectionError", Outcome.UNKNOWN)
    ]
    assert [record.elapsed for record in caught.value.attempts] == [2.0, 2.0]
    assert caught.value.elapsed == 4.25


async def test_an_override_ends_with_its_block_and_gives_the_one_around_back(clock):
    calls = []

    @retry(RetryPolicy(attempts=3, first_delay=0.0), clock=clock)
    async def fetch():
        calls.append(1)
        raise reset()

    async def tries():
        calls.clear()
        with pytest.raises(errors.ConnectionError):
            await fetch()
        return len(calls)

    with override_retry(RetryPolicy(attempts=2, first_delay=0.0)):
        assert await tries() == 2
        with override_retry(None):
            assert await tries() == 1
        assert await tries() == 2
    assert await tries() == 3


async def test_a_call_has_its_arguments_and_leaves_the_deadline_around_as_it_was(clock):
    seen = []

    @retry(RetryPolicy(max_elapsed=2.0, first_delay=0.0), clock=clock)
    async def fetch(symbol, *, limit):
        seen.append((symbol, limit, current_deadline()))
        if len(seen) == 1:
            raise reset()
        return limit

    with with_deadline(5.0, clock=clock):
        assert await fetch("AAPL", limit=3) == 3
        assert current_deadline() == 1_005.0

    assert seen == [("AAPL", 3, 1_002.0)] * 2
