"""Quotas are kept by what leaves, not by what was allowed to: a place may be waited for."""

import asyncio

import pytest

from sentio_async import errors
from sentio_async.resilience import (
    Bulkhead,
    CircuitBreaker,
    Limiter,
    Pipeline,
    Priority,
    Window,
    Work,
)

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

WORK = Work(connector="alpaca", operation="GET /quotes")


def now():
    return asyncio.get_running_loop().time()


def a_pipeline(*windows, places, reserve=0):
    return Pipeline(
        retry=None,
        breaker=CircuitBreaker(),
        limiter=Limiter(windows, padding=0.05, reserve=reserve),
        bulkhead=Bulkhead(places),
    )


def most_in_any(seconds, times):
    return max(sum(first <= each < first + seconds for each in times) for first in times)


async def test_a_time_in_which_nothing_moves_is_not_made_up_for():
    pipeline = a_pipeline(Window(3, 1.0), places=2)
    left = []

    async def attempt(_):
        left.append(now())
        # The first two hang; when they are done everything goes quickly.
        await asyncio.sleep(10.0 if len(left) <= 2 else 0.001)

    await asyncio.gather(*(pipeline.run(attempt, WORK) for _ in range(30)))

    assert len(left) == 30
    assert most_in_any(1.0, left) == 3
    # 2 at once, and then 3 in each second.
    assert now() == pytest.approx(10.0 + 10 * 1.05, abs=1.1)
    assert (pipeline.bulkhead.in_use, pipeline.limiter.waiting) == (0, 0)


async def test_who_waits_for_a_place_hears_of_a_429_as_well():
    pipeline = a_pipeline(Window(100, 1.0), places=1)
    left = []

    async def attempt(_):
        left.append(now())
        if len(left) == 1:
            await asyncio.sleep(1.0)
            raise errors.RateLimitError("slow down", status_code=429, retry_after=5.0)

    results = await asyncio.gather(
        *(pipeline.run(attempt, WORK) for _ in range(5)), return_exceptions=True
    )

    assert [type(each).__name__ for each in results] == ["RateLimitError", *["NoneType"] * 4]
    assert left[1] >= 6.0


async def test_who_waited_for_a_place_does_not_take_what_is_kept_for_orders():
    pipeline = a_pipeline(Window(3, 10.0), places=1, reserve=1)
    limiter, left = pipeline.limiter, []

    async def attempt(_):
        left.append(now())

    await pipeline.bulkhead.acquire()
    await limiter.acquire(priority=Priority.ORDERS)
    waiting = asyncio.create_task(pipeline.run(attempt, WORK))
    await asyncio.sleep(1.0)
    await limiter.acquire(priority=Priority.ORDERS)
    await asyncio.sleep(4.0)
    pipeline.bulkhead.release()
    await waiting

    assert left == pytest.approx([10.05], abs=0.01)
