"""What holds when nothing is said: the pages of the documentation name these figures."""

import asyncio

import pytest

from sentio_async import errors
from sentio_async.resilience import (
    BreakerPolicy,
    Bulkhead,
    CircuitBreaker,
    Limiter,
    Limiters,
    Priority,
    RetryBudget,
    RetryPolicy,
    TTLCache,
    Window,
    Work,
    gather_batches,
    rate_limit,
)

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


def now():
    return asyncio.get_running_loop().time()


async def test_policies():
    assert RetryPolicy() == RetryPolicy(
        attempts=4,
        first_delay=0.25,
        max_delay=8.0,
        max_elapsed=30.0,
        retry_after_cap=60.0,
        least_attempt=0.05,
        wait_for_breaker=False,
        retry_on=None,
    )
    assert BreakerPolicy() == BreakerPolicy(
        failures=5,
        ratio=None,
        min_calls=20,
        window=60.0,
        buckets=10,
        open_for=30.0,
        max_open_for=300.0,
        jitter=0.1,
        probes=1,
        needed=1,
        lease=30.0,
    )


async def test_work_is_a_quote_that_costs_one_and_is_not_repeated():
    work = Work(connector="alpaca", operation="GET /v2/orders")

    assert (work.priority, work.cost, work.bucket) == (Priority.QUOTES, 1, "default")
    assert work.repeatable is False


async def test_the_most_important_comes_first():
    assert [each.value for each in Priority] == [0, 1, 2, 3]
    assert sorted(Priority) == [
        Priority.ORDERS,
        Priority.ACCOUNT,
        Priority.QUOTES,
        Priority.HISTORY,
    ]


async def test_nothing_is_named_or_reserved():
    limiter = Limiters().get(("host",), [Window(2, 1.0)])

    assert (limiter.name, Limiter([]).name, Bulkhead(1).name, CircuitBreaker().name) == ("",) * 4
    assert Bulkhead(1).reserve == 0
    assert [limiter.try_acquire(1, Priority.QUOTES, now()) is None for _ in range(3)] == [
        False,
        False,
        True,
    ]


async def test_a_budget_pays_for_ten_retries_or_twenty_throttled_ones():
    budget = RetryBudget()

    assert (budget.capacity, budget.retry_cost, budget.throttle_cost, budget.refund) == (
        100.0,
        10.0,
        5.0,
        1.0,
    )
    assert sum(budget.take(now=0.0) for _ in range(50)) == 11
    assert [budget.take(now=at) for at in (0.9, 1.0)] == [False, True]


async def test_a_window_is_padded_by_a_twentieth_of_a_second():
    limiter = Limiter([Window(1, 1.0)])
    await limiter.acquire()

    await limiter.acquire()

    assert now() == 1.05


async def test_a_decorated_function_has_so_many_calls_a_second_and_each_costs_one():
    @rate_limit(2)
    async def fetch():
        return now()

    assert await asyncio.gather(*(fetch() for _ in range(4))) == [0.0, 0.0, 1.05, 1.05]


async def test_eight_batches_go_at_once():
    async def call(_batch):
        await asyncio.sleep(1.0)
        return now()

    ended = [at for _, at in await gather_batches(range(17), 1, call)]

    assert ended == [1.0] * 8 + [2.0] * 8 + [3.0]


async def test_a_cache_holds_a_thousand_and_twenty_four_values():
    cache = TTLCache(1.0)
    for number in range(1_025):
        cache.put(number, number)

    assert len(cache) == 1_024
    assert cache.get(0) is None


async def test_the_smallest_cache_keeps_one_value_for_no_time():
    cache = TTLCache(0.0, size=1)
    cache.put("a", 1)
    assert cache.get("a") is None
    cache = TTLCache(1.0, size=1)
    cache.put("a", 1)
    cache.put("b", 2)
    assert (cache.get("a"), cache.get("b")) == (None, 2)

    with pytest.raises(errors.ConfigurationError) as caught:
        TTLCache(-1.0)

    assert caught.value.message == "cache: 1024 values for -1.0 s cannot be kept"


async def test_a_value_that_is_put_again_is_the_youngest():
    cache = TTLCache(10.0, size=2)
    for key in "aba":
        cache.put(key, key)
    cache.put("c", "c")

    assert [cache.get(key) for key in "abc"] == ["a", None, "c"]
