"""When a read is asked for again, what it costs, and what is told of it."""

import asyncio
import gc

import pytest

from sentio_async import errors
from sentio_async.resilience import RetryBudget, hedge
from sentio_async.resilience.hedging import HedgePolicy, Hedging, wait_before

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


def now():
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({}, "hedge: give after or percentile, one of them"),
        ({"after": 1.0, "percentile": 0.9}, "hedge: give after or percentile, one of them"),
        ({"after": -0.1}, "hedge: -0.1 s cannot be waited"),
        ({"percentile": 0.4}, "hedge: percentile 0.4 is not in 0.5..1"),
        ({"percentile": 1.0}, "hedge: percentile 1.0 is not in 0.5..1"),
    ],
)
async def test_a_policy_that_cannot_be_kept_is_named(policy, words):
    with pytest.raises(errors.ConfigurationError) as caught:
        HedgePolicy(**policy)

    assert caught.value.message == words


async def test_the_smallest_policies_can_be_kept():
    assert wait_before(HedgePolicy(after=0.0), []) == 0.0
    assert wait_before(HedgePolicy(percentile=0.5), range(20)) == 10


async def test_the_last_hundred_answers_count():
    hedging = Hedging(HedgePolicy(percentile=0.5))
    for seconds in [9.0] * 50 + [1.0] * 101:
        await hedging.run(lambda seconds=seconds: asyncio.sleep(seconds))

    assert wait_before(hedging._policy, hedging._took) == 1.0
    assert len(hedging._took) == 100


async def test_what_is_known_too_little_of_is_not_asked_for_again():
    calls = []

    async def slow():
        calls.append(now())
        await asyncio.sleep(60.0)

    await Hedging(HedgePolicy(percentile=0.95)).run(slow)

    assert calls == [0.0]


async def test_a_second_request_is_paid_for_and_told_and_successes_refund():
    budget, told, calls = RetryBudget(), [], []

    async def slow():
        calls.append(now())
        await asyncio.sleep(5.0 if len(calls) == 1 else 0.5)

    hedging = Hedging(HedgePolicy(after=1.5), budget=budget, on_hedge=told.append)
    await hedging.run(slow)

    assert (calls, told, now()) == ([0.0, 1.5], [1.5], 2.0)
    assert budget.left() == 91.0
    await hedging.run(slow)
    assert budget.left() == 92.0


async def test_who_may_not_ask_again_waits():
    calls = []

    async def slow():
        calls.append(now())
        await asyncio.sleep(5.0)

    await Hedging(HedgePolicy(after=1.0), may=lambda: False).run(slow)
    await Hedging(HedgePolicy(after=1.0), budget=RetryBudget(0.0, floor_per_second=0.0)).run(slow)

    assert calls == [0.0, 5.0]


async def test_a_second_failure_is_no_warning():
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
    calls = []

    async def failing():
        calls.append(now())
        number = len(calls)
        await asyncio.sleep(2.0 if number == 1 else 0.5)
        raise errors.ServerError(f"{number}")

    with pytest.raises(errors.ServerError) as caught:
        await Hedging(HedgePolicy(after=1.0)).run(failing)
    message = caught.value.message
    del caught
    gc.collect()

    assert (message, complaints) == ("1", [])


async def test_a_decorated_function_has_its_arguments_and_its_clock():
    class Ahead:
        asked = 0

        def time(self):
            self.asked += 1
            return now() + 1_000.0

    clock = Ahead()

    @hedge(after=1.0, clock=clock)
    async def read(symbol, *, limit):
        return symbol, limit

    assert await read("AAPL", limit=3) == ("AAPL", 3)
    assert clock.asked
