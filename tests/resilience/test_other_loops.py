"""What is shared outlives an event loop that ended without waiting for those who waited in it."""

import asyncio
import gc

import pytest

from sentio_async.resilience.bulkhead import Bulkhead
from sentio_async.resilience.cache import SingleFlight
from sentio_async.resilience.coalescing import Coalescer
from sentio_async.resilience.deadline import with_deadline
from sentio_async.resilience.limiter import Limiter, Priority, Window

# Tasks that nobody ends are the point here.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _collected():
    """What the abandoned tasks complain of at their end is heard here, not in another test."""
    yield
    gc.collect()


def abandon(*waiting):
    """Begin these in a loop that is closed in the middle of them; gives the tasks."""

    async def begin():
        tasks = [asyncio.ensure_future(each()) for each in waiting]
        await asyncio.sleep(0.01)
        return tasks

    loop = asyncio.new_event_loop()
    tasks = loop.run_until_complete(begin())
    loop.close()
    for task in tasks:
        task._log_destroy_pending = False
    return tasks


def run(work):
    return asyncio.run(asyncio.wait_for(work(), 2.0))


async def never():
    await asyncio.get_running_loop().create_future()


async def two():
    return 2


def in_a_hurry(work):
    async def hurried():
        with with_deadline(1.0):
            return await work()

    return hurried


@pytest.mark.parametrize("before", [lambda work: work, in_a_hurry])
@pytest.mark.parametrize("after", [lambda work: work, in_a_hurry])
def test_work_that_a_dead_loop_left_is_done_anew(before, after):
    flights = SingleFlight()
    left = abandon(before(lambda: flights.run("a", never)))

    assert run(after(lambda: flights.run("a", two))) == 2
    assert len(flights) == 0
    del left


def test_work_of_a_loop_that_rests_comes_to_its_end():
    flights, go_on = SingleFlight(), asyncio.Event()

    async def works():
        await go_on.wait()
        return 1

    async def fails():
        await go_on.wait()
        raise ValueError("broken")

    with asyncio.Runner() as resting:
        loop = resting.get_loop()
        ends = [loop.create_task(flights.run(each, each)) for each in (works, fails)]
        resting.run(asyncio.sleep(0))
        assert run(lambda: flights.run("b", two)) == 2
        loop.call_soon(go_on.set)

        assert loop.run_until_complete(ends[0]) == 1
        with pytest.raises(ValueError, match="broken"):
            loop.run_until_complete(ends[1])


def test_a_call_gathered_in_a_dead_loop_is_made_anew():
    async def together(keys):
        return dict.fromkeys(keys, 2)

    async def alone(key):
        return await never() if key == "first" else 2

    calls = Coalescer(alone, lambda _: never())

    async def ask(key):
        return await calls.get(key)

    left = abandon(lambda: ask("first"), lambda: ask("a"), lambda: ask("b"))
    calls._together = together

    async def again():
        return await asyncio.gather(ask("first-now"), ask("a"), ask("b"))

    assert run(again) == [2, 2, 2]
    del left


def test_who_waits_in_a_dead_loop_does_not_stand_in_the_way():
    limiter = Limiter([Window(1, 0.1)])
    left = abandon(limiter.acquire, limiter.acquire, limiter.acquire)

    async def twice():
        return [await limiter.acquire(), await limiter.acquire()]

    assert len(run(twice)) == 2
    assert limiter.waiting == 0
    del left


def test_a_429_is_heard_although_a_dead_loop_waits():
    limiter = Limiter([Window(1, 0.1)])
    left = abandon(limiter.acquire, lambda: limiter.acquire(deadline=1e9))

    async def block():
        waiters = list(limiter._queues[Priority.QUOTES])
        assert waiters
        for waiter in waiters:
            waiter.deadline = 0.0
        limiter.block(0.1)
        await limiter.acquire()

    run(block)
    assert limiter.waiting == 0
    del left


def test_a_place_is_not_given_to_a_dead_loop():
    places = Bulkhead(1)
    run(places.acquire)
    left = abandon(places.acquire)

    async def let_go():
        places.release()
        await places.acquire()

    run(let_go)
    assert (places.in_use, places.waiting) == (1, 0)
    del left


async def test_work_that_is_cancelled_before_it_begins_is_not_waited_for():
    flights = SingleFlight()
    asking = asyncio.create_task(in_a_hurry(lambda: flights.run("a", never))())
    me = asyncio.current_task()

    async def shut_down():
        for task in asyncio.all_tasks() - {me, asyncio.current_task()}:
            task.cancel()

    await asyncio.create_task(shut_down())
    with pytest.raises(asyncio.CancelledError):
        await asking

    assert len(flights) == 0
    assert await flights.run("a", two) == 2


async def test_work_that_is_being_cancelled_is_not_joined():
    flights = SingleFlight()
    asking = asyncio.create_task(in_a_hurry(lambda: flights.run("a", never))())
    await asyncio.sleep(0)
    (work,) = asyncio.all_tasks() - {asking, asyncio.current_task()}

    work.cancel()
    assert await in_a_hurry(lambda: flights.run("a", two))() == 2

    with pytest.raises(asyncio.CancelledError):
        await asking
    assert len(flights) == 0
