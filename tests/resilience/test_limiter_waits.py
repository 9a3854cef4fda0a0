"""Those who wait: who is next, who is told that it is too late, and what is estimated."""

import asyncio

import pytest

from sentio_async import errors
from sentio_async.clock import SystemClock
from sentio_async.resilience import Limiter, Priority, Window

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

ORDERS, ACCOUNT, QUOTES, HISTORY = Priority


def now():
    return asyncio.get_running_loop().time()


def a_limiter(*windows, **more):
    return Limiter([Window(*each) for each in windows], **{"padding": 0.0, **more})


class Race:
    """Waits for slots in tasks, and remembers who got one when."""

    def __init__(self, limiter):
        self.limiter = limiter
        self.got = []

    def join(self, name, cost=1, **more):
        async def wait():
            await self.limiter.acquire(cost, **more)
            self.got.append((name, now()))

        return asyncio.create_task(wait())


@pytest.mark.parametrize(
    ("since", "order"),
    [(0.0, ("history", "later", "quote")), (5.0, ("quote", "history", "later"))],
)
async def test_history_goes_like_a_quote_after_thirty_seconds(since, order):
    limiter = a_limiter((1, 30.0))
    await limiter.acquire()
    await asyncio.sleep(since)
    race = Race(limiter)
    tasks = [race.join("history", priority=HISTORY), race.join("later", priority=HISTORY)]
    await asyncio.sleep(1.0)
    tasks.append(race.join("quote"))
    await asyncio.gather(*tasks)

    assert race.got == [(name, at) for name, at in zip(order, (30.0, 60.0, 90.0), strict=True)]


async def test_when_a_dear_call_leaves_the_next_goes_at_once():
    limiter = a_limiter((5, 10.0))
    await limiter.acquire(3)
    race = Race(limiter)
    dear, cheap = race.join("dear", 5), race.join("cheap", 1)
    await asyncio.sleep(1.0)

    dear.cancel()
    await asyncio.wait([dear, cheap])

    assert race.got == [("cheap", 1.0)]


async def test_when_a_dear_call_has_waited_too_long_the_next_goes_at_once():
    limiter = a_limiter((5, 10.0))
    await limiter.acquire(3)
    race = Race(limiter)
    dear, cheap = race.join("dear", 5, deadline=10.0), race.join("cheap", 1)
    await asyncio.sleep(1.0)
    await limiter.acquire(2, priority=ORDERS)

    await asyncio.wait([dear, cheap])

    assert race.got == [("cheap", 10.0)]
    assert dear.exception().retry_after == 10.0


async def test_too_late_is_told_with_the_wait_for_open_slots():
    limiter = a_limiter((3, 10.0), reserve=2, name="alpaca")
    await limiter.acquire()
    race = Race(limiter)
    late = race.join("late", deadline=10.0)
    await asyncio.sleep(1.0)
    await limiter.acquire(priority=ORDERS)
    await asyncio.sleep(1.0)
    await limiter.acquire(priority=ORDERS)

    await asyncio.wait([late])

    assert isinstance(late.exception(), errors.RateLimitError)
    assert late.exception().retry_after == 2.0
    assert (limiter.waiting, now()) == (0, 10.0)


async def test_who_has_gone_does_not_count_for_those_who_come():
    limiter = a_limiter((1, 10.0))
    await limiter.acquire()
    race = Race(limiter)
    await asyncio.gather(race.join("a"), race.join("b"))
    assert race.got == [("a", 10.0), ("b", 20.0)]

    await limiter.acquire(deadline=30.0)

    assert now() == 30.0


async def test_a_block_at_the_moment_in_which_one_leaves_hurts_nobody():
    limiter = a_limiter((1, 10.0))
    await limiter.acquire()
    race = Race(limiter)
    leaves = race.join("leaves", deadline=15.0)
    stays = race.join("stays", deadline=25.0)
    await asyncio.sleep(1.0)

    leaves.cancel()
    limiter.block(60.0)
    await asyncio.wait([leaves, stays])

    assert leaves.cancelled()
    assert isinstance(stays.exception(), errors.RateLimitError)
    assert (limiter.waiting, now()) == (0, 1.0)


async def test_all_windows_are_named():
    limiter = Limiter([Window(1, 0.5), Window(100, 60.0)])
    await limiter.acquire()

    with pytest.raises(errors.RateLimitError) as caught:
        await limiter.acquire(deadline=0.1)

    assert caught.value.message == (
        "limiter: 1 per 0.5 s, 100 per 60 s; a wait of 0.550 s does not fit"
    )


class Counting(SystemClock):
    """Counts how often it is asked."""

    asked = 0

    def time(self):
        self.asked += 1
        return super().time()


async def test_nobody_is_woken_before_there_is_a_slot():
    clock = Counting()
    limiter = Limiter([Window(3, 10.0)], reserve=2, padding=0.0, clock=clock)
    await limiter.acquire()
    race = Race(limiter)

    await race.join("quote")

    assert race.got == [("quote", 10.0)]
    assert clock.asked < 10


@pytest.mark.parametrize(("limit", "most"), [(1, 1), (0, 3), (-1, 3), (2, 2), (9, 3)])
async def test_a_limit_that_is_told_counts_if_it_is_one(limit, most):
    limiter = a_limiter((3, 10.0))
    limiter.observe(limit=limit)

    got = [limiter.try_acquire(1, QUOTES, now()) for _ in range(4)]

    assert sum(permit is not None for permit in got) == most


@pytest.mark.parametrize(
    ("reset_in", "free_at"), [(0.0, 0.0), (0.5, 0.5), (99.0, 10.0), (None, 10.0), (-1.0, 10.0)]
)
async def test_what_others_have_taken_counts_until_the_reset_or_one_window(reset_in, free_at):
    limiter = a_limiter((2, 10.0))
    limiter.observe(remaining=1, reset_in=reset_in)

    await limiter.acquire(2)

    assert now() == free_at


async def test_the_same_news_again_does_not_make_it_last_longer():
    limiter = a_limiter((2, 10.0))
    limiter.observe(remaining=0)
    await asyncio.sleep(5.0)
    limiter.observe(remaining=0)

    await limiter.acquire(2)

    assert now() == 10.0


async def test_a_call_for_all_slots_waits_until_none_is_taken_however_few_are_told_of():
    limiter = a_limiter((5, 10.0))
    limiter.observe(limit=2)
    await limiter.acquire(5)
    assert now() == 0.0

    await limiter.acquire(5)

    assert now() == 10.0


async def test_who_came_late_is_told_at_the_deadline_and_not_after_it():
    limiter = a_limiter((1, 10.0))
    await limiter.acquire()
    await asyncio.sleep(5.0)
    late = asyncio.create_task(limiter.acquire(deadline=10.0))
    await asyncio.sleep(0)
    order = asyncio.create_task(limiter.acquire(priority=ORDERS))

    await asyncio.wait([late])

    assert now() == 10.0
    assert isinstance(late.exception(), errors.RateLimitError)
    await order


async def test_news_are_compared_with_what_counts_now():
    limiter = a_limiter((10, 10.0))
    await limiter.acquire(5)
    await asyncio.sleep(10.0)

    limiter.observe(remaining=3, reset_in=5.0)

    assert limiter.try_acquire(3, QUOTES, now()) is not None
    assert limiter.try_acquire(1, QUOTES, now()) is None


async def test_a_smaller_limit_counts_also_when_much_is_left():
    limiter = a_limiter((3, 10.0))
    limiter.observe(limit=1, remaining=99)

    assert limiter.try_acquire(1, QUOTES, now()) is not None
    assert limiter.try_acquire(1, QUOTES, now()) is None


@pytest.mark.parametrize("seconds", [10.0, 60.0])
async def test_slots_that_are_free_by_now_are_given_back_once(seconds):
    limiter = a_limiter((2, 10.0))
    permits = [await limiter.acquire() for _ in range(2)]
    await asyncio.sleep(seconds)

    for permit in permits:
        limiter.give_back(permit)

    got = [limiter.try_acquire(1, QUOTES, now()) for _ in range(4)]
    assert sum(each is not None for each in got) == 2
