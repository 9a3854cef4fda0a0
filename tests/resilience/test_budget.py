"""What is in a purse, to the penny."""

import pytest

from sentio_async.resilience import RetryBudget


def emptied(lanes=("a",), **more):
    budget = RetryBudget(**more)
    for lane in lanes:
        for _ in range(10):
            assert budget.take(lane, now=0.0)
    return budget


def test_an_empty_purse_allows_one_retry_a_pause_and_each_lane_has_its_own():
    budget = emptied("ab", floor_per_second=0.25)

    assert [budget.take("a", now=at) for at in (0.0, 3.9, 4.0, 7.9, 8.0)] == [
        True,
        False,
        True,
        False,
        True,
    ]
    assert budget.take("b", now=7.9)
    assert not budget.take("a", now=11.9)


def test_without_a_floor_an_empty_purse_allows_nothing():
    assert not emptied(floor_per_second=0.0).take("a", now=1e9)


@pytest.mark.parametrize(("throttled", "cost"), [(False, 10.0), (True, 5.0)])
def test_a_retry_costs_and_a_success_gives_back(throttled, cost):
    budget = RetryBudget()
    assert budget.take(now=0.0, throttled=throttled)

    assert budget.left() == 100.0 - cost
    budget.succeeded()
    assert budget.left() == 101.0 - cost
    for _ in range(20):
        budget.succeeded()
    assert budget.left() == 100.0


def test_every_price_can_be_set():
    budget = RetryBudget(20.0, retry_cost=3.0, throttle_cost=2.0, refund=0.5)
    budget.take(now=0.0)
    budget.take(now=0.0, throttled=True)
    budget.succeeded()

    assert (budget.left(), budget.left("other")) == (15.5, 20.0)
    assert (budget.capacity, budget.retry_cost, budget.throttle_cost) == (20.0, 3.0, 2.0)
