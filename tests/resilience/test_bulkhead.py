"""At most so many at a time, the important first."""

import asyncio
import random

import pytest

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.resilience import Bulkhead, Priority

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


def now():
    return asyncio.get_running_loop().time()


async def test_never_more_inside_than_places_whatever_is_cancelled():
    for seed in range(200):
        luck = random.Random(seed)
        bulkhead = Bulkhead(luck.randint(1, 4), reserve=0)
        inside, most = 0, 0

        async def call(luck=luck, bulkhead=bulkhead):
            nonlocal inside, most
            deadline = now() + luck.uniform(0, 3) if luck.random() < 0.3 else None
            async with bulkhead.slot(priority=luck.choice(list(Priority)), deadline=deadline):
                inside += 1
                most = max(most, inside)
                try:
                    await asyncio.sleep(luck.random())
                finally:
                    inside -= 1

        tasks = []
        for _ in range(20):
            tasks.append(asyncio.create_task(call()))
            if luck.random() < 0.5:
                await asyncio.sleep(0.1)
            if luck.random() < 0.4:
                luck.choice(tasks).cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

        assert most <= bulkhead.limit, seed
        assert (bulkhead.in_use, bulkhead.waiting) == (0, 0), seed


async def test_the_important_go_first():
    bulkhead = Bulkhead(1)
    await bulkhead.acquire()
    order = []

    async def call(priority):
        async with bulkhead.slot(priority=priority):
            order.append(priority)

    tasks = [asyncio.create_task(call(each)) for each in reversed(Priority)]
    await asyncio.sleep(0)
    assert bulkhead.waiting == 4
    bulkhead.release()
    await asyncio.gather(*tasks)

    assert order == list(Priority)


async def test_reserved_places_are_for_orders():
    bulkhead = Bulkhead(2, reserve=1)
    await bulkhead.acquire()

    with pytest.raises(errors.DeadlineExceededError):
        await bulkhead.acquire(deadline=now() + 1.0)
    await bulkhead.acquire(priority=Priority.ORDERS)

    assert bulkhead.in_use == 2


async def test_without_a_place_in_time_nothing_was_sent():
    bulkhead = Bulkhead(1, name="alpaca")
    await bulkhead.acquire()

    with pytest.raises(errors.DeadlineExceededError, match="alpaca: no place among 1") as caught:
        await bulkhead.acquire(deadline=now() + 2.0)
    assert now() == pytest.approx(2.0, abs=0.001)
    assert caught.value.outcome is Outcome.NOT_SENT
    with pytest.raises(errors.DeadlineExceededError):
        await bulkhead.acquire(deadline=now())

    assert now() == pytest.approx(2.0, abs=0.001)
    assert bulkhead.waiting == 0


async def test_a_place_given_to_someone_already_cancelled_goes_on():
    bulkhead = Bulkhead(1)
    await bulkhead.acquire()
    leaving = asyncio.create_task(bulkhead.acquire())
    staying = asyncio.create_task(bulkhead.acquire())
    await asyncio.sleep(0.1)

    bulkhead.release()
    leaving.cancel()
    await asyncio.wait([leaving, staying], timeout=1.0)

    assert leaving.cancelled() and staying.done()
    assert bulkhead.in_use == 1


async def test_a_cancelled_waiter_is_passed_over():
    bulkhead = Bulkhead(1)
    await bulkhead.acquire()
    leaving = asyncio.create_task(bulkhead.acquire())
    staying = asyncio.create_task(bulkhead.acquire())
    await asyncio.sleep(0.1)

    leaving.cancel()
    bulkhead.release()
    await asyncio.wait([leaving, staying], timeout=1.0)

    assert leaving.cancelled() and staying.done()
    assert (bulkhead.in_use, bulkhead.waiting) == (1, 0)


async def test_cancelled_in_the_moment_of_its_deadline():
    bulkhead = Bulkhead(1)
    await bulkhead.acquire()
    waiter = asyncio.create_task(bulkhead.acquire(deadline=1.0))
    await asyncio.sleep(0)
    bulkhead._expire(next(iter(bulkhead._queues[Priority.QUOTES])))
    waiter.cancel()
    await asyncio.wait([waiter])

    assert waiter.cancelled()
    assert (bulkhead.in_use, bulkhead.waiting) == (1, 0)


async def test_a_place_that_comes_with_the_deadline_is_not_lost():
    bulkhead = Bulkhead(1)
    await bulkhead.acquire()
    waiter = asyncio.create_task(bulkhead.acquire(deadline=1.0))
    await asyncio.sleep(0.5)
    place = bulkhead._queues[Priority.QUOTES][0]
    bulkhead.release()
    bulkhead._expire(place)

    await waiter

    assert bulkhead.in_use == 1


@pytest.mark.parametrize(("limit", "reserve"), [(0, 0), (2, 2), (2, -1)])
async def test_impossible_places_are_refused(limit, reserve):
    with pytest.raises(errors.ConfigurationError):
        Bulkhead(limit, reserve=reserve)


async def test_orders_pass_those_who_may_not_have_the_reserved_place():
    bulkhead = Bulkhead(2, reserve=1)
    await bulkhead.acquire()
    waiting = [asyncio.create_task(bulkhead.acquire(priority=each)) for each in list(Priority)[1:]]
    await asyncio.sleep(0.1)
    assert bulkhead.waiting == 3

    assert bulkhead.try_acquire(Priority.QUOTES) is False
    assert bulkhead.try_acquire(Priority.ORDERS) is True
    assert bulkhead.try_acquire(Priority.ORDERS) is False

    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert (bulkhead.in_use, bulkhead.waiting) == (2, 0)


async def test_with_no_time_left_nobody_waits_for_a_turn_of_the_loop():
    bulkhead = Bulkhead(1)
    await bulkhead.acquire()

    for deadline in (now(), now() - 1.0):
        with pytest.raises(errors.DeadlineExceededError) as caught:
            bulkhead.acquire(deadline=deadline).send(None)
        assert caught.value.message == "bulkhead: no place among 1 in time"


async def test_a_slot_is_waited_for_no_longer_than_the_deadline():
    bulkhead = Bulkhead(1)
    await bulkhead.acquire()

    with pytest.raises(errors.DeadlineExceededError):
        async with bulkhead.slot(deadline=now() + 2.0):
            pass

    assert now() == 2.0


async def test_a_place_may_be_held_beyond_the_limit():
    bulkhead = Bulkhead(2)
    await bulkhead.acquire()
    bulkhead.hold()
    bulkhead.hold()
    assert bulkhead.in_use == 3

    bulkhead.release()

    assert not bulkhead.try_acquire(Priority.ORDERS)
    bulkhead.release()
    assert bulkhead.try_acquire(Priority.ORDERS)


@pytest.mark.parametrize(("limit", "reserve"), [(0, 0), (1, 1), (1, -1)])
async def test_places_that_cannot_be_are_named(limit, reserve):
    with pytest.raises(errors.ConfigurationError) as caught:
        Bulkhead(limit, reserve=reserve)

    assert caught.value.message == f"bulkhead: {limit} places, {reserve} of them reserved"


async def test_who_had_to_leave_is_not_in_line_any_more():
    bulkhead = Bulkhead(1)
    await bulkhead.acquire()
    waiting = [
        asyncio.create_task(bulkhead.acquire(priority=Priority.HISTORY, deadline=now() + 1.0)),
        asyncio.create_task(bulkhead.acquire(priority=Priority.HISTORY)),
    ]
    await asyncio.sleep(2.0)

    assert isinstance(waiting[0].exception(), errors.DeadlineExceededError)
    assert [len(queue) for queue in bulkhead._queues] == [0, 0, 0, 1]
    bulkhead.release()
    await waiting[1]
    assert (bulkhead.in_use, bulkhead.waiting) == (1, 0)


async def test_a_place_that_came_in_time_is_kept_after_the_deadline():
    bulkhead = Bulkhead(1)
    await bulkhead.acquire()
    waiting = asyncio.create_task(bulkhead.acquire(deadline=now() + 2.0))
    await asyncio.sleep(1.0)
    bulkhead.release()

    await waiting
    await asyncio.sleep(5.0)

    assert bulkhead.in_use == 1


async def test_the_reserve_is_kept_from_those_who_wait():
    bulkhead = Bulkhead(3, reserve=1)
    for _ in range(2):
        await bulkhead.acquire()
    bulkhead.hold()
    waiting = [asyncio.create_task(bulkhead.acquire()) for _ in range(2)]
    await asyncio.sleep(1.0)

    bulkhead.release()
    await asyncio.sleep(0)
    assert [task.done() for task in waiting] == [False, False]
    bulkhead.release()
    await asyncio.sleep(0)
    assert [task.done() for task in waiting] == [True, False]
    waiting[1].cancel()
    await asyncio.wait(waiting)


async def test_who_is_thrown_away_while_waiting_is_given_no_place():
    places = Bulkhead(1)
    await places.acquire()
    waiting = places.acquire()
    waiting.send(None)

    waiting.close()
    assert places.waiting == 0
    places.release()

    assert places.in_use == 0
