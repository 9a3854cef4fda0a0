"""Asked once for many, kept while fresh, and nobody pays for who left."""

import asyncio
import gc

import pytest

from sentio_async import errors
from sentio_async.resilience import SingleFlight, TTLCache, current_deadline, with_deadline

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


class Source:
    def __init__(self, *, error=None, seconds=1.0):
        self.calls = 0
        self.error = error
        self.seconds = seconds
        self.deadlines = []

    async def __call__(self):
        self.calls += 1
        self.deadlines.append(current_deadline())
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return self.calls


async def test_fifty_identical_calls_are_one():
    flights, source = SingleFlight(), Source()

    results = await asyncio.gather(*(flights.run("AAPL", source) for _ in range(50)))

    assert results == [1] * 50
    assert source.calls == 1
    assert len(flights) == 0
    assert await flights.run("AAPL", source) == 2


async def test_different_keys_are_different_calls():
    flights, source = SingleFlight(), Source()

    await asyncio.gather(flights.run("AAPL", source), flights.run("MSFT", source))

    assert source.calls == 2


async def test_when_the_first_leaves_the_next_does_the_work_for_the_others():
    flights, source = SingleFlight(), Source()
    leader, *others = (asyncio.create_task(flights.run("AAPL", source)) for _ in range(5))
    await asyncio.sleep(0.5)
    leader.cancel()

    assert await asyncio.gather(*others) == [2] * 4
    assert asyncio.get_running_loop().time() == pytest.approx(1.5, abs=0.001)
    assert leader.cancelled()
    assert source.calls == 2
    assert len(flights) == 0


async def test_who_leaves_while_another_works_costs_nothing():
    flights, source = SingleFlight(), Source()
    leader, follower, other = (asyncio.create_task(flights.run("AAPL", source)) for _ in range(3))
    await asyncio.sleep(0.5)
    follower.cancel()

    assert await asyncio.gather(leader, other) == [1, 1]
    assert follower.cancelled()
    assert source.calls == 1


async def test_all_leave_one_after_the_other_and_the_last_has_its_answer():
    flights, source = SingleFlight(), Source()
    tasks = [asyncio.create_task(flights.run("AAPL", source)) for _ in range(4)]
    for task in tasks[:3]:
        await asyncio.sleep(0.5)
        task.cancel()

    assert await tasks[3] == 4
    assert all(task.cancelled() for task in tasks[:3])
    assert len(flights) == 0


async def test_work_that_nobody_waits_for_any_more_ends_and_a_newcomer_starts_afresh():
    flights, source = SingleFlight(), Source()
    with with_deadline(5.0):
        waiting = [asyncio.create_task(flights.run("AAPL", source)) for _ in range(3)]
    await asyncio.sleep(0.5)

    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    left = len(flights)
    result = await flights.run("AAPL", source)

    assert left == 0
    assert result == 2
    assert len(asyncio.all_tasks()) == 1


async def test_an_error_is_everybodys_and_is_not_kept():
    boom = errors.ServerError("x")
    flights, source = SingleFlight(), Source(error=boom)

    results = await asyncio.gather(
        *(flights.run("AAPL", source) for _ in range(3)), return_exceptions=True
    )

    assert results == [boom] * 3
    assert source.calls == 1
    source.error = None
    assert await flights.run("AAPL", source) == 2


async def test_an_error_that_nobody_waited_for_is_no_warning():
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
    flights, source = SingleFlight(), Source(error=errors.ServerError("x"))
    with (
        with_deadline(0.5),
        pytest.raises(errors.DeadlineExceededError, match="no time left to wa"),
    ):
        await flights.run("AAPL", source)
    await asyncio.sleep(1.0)
    gc.collect()

    assert len(flights) == 0
    assert complaints == []


async def test_an_error_that_came_after_one_had_left_is_no_warning():
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
    flights, source = SingleFlight(), Source(error=errors.ServerError("x"))
    stays, leaves = (asyncio.create_task(flights.run("AAPL", source)) for _ in range(2))
    await asyncio.sleep(0.5)
    leaves.cancel()

    with pytest.raises(errors.ServerError):
        await stays
    await asyncio.sleep(0.1)
    gc.collect()
    assert leaves.cancelled()
    assert complaints == []


async def test_who_leaves_at_the_moment_of_the_answer_is_told_nothing():
    for error in (None, errors.ServerError("x")):
        flights, gate = SingleFlight(), asyncio.get_running_loop().create_future()

        async def work(gate=gate, error=error):
            await gate
            if error is not None:
                raise error
            return 1

        stays, leaves = (asyncio.create_task(flights.run("AAPL", work)) for _ in range(2))
        await asyncio.sleep(0.5)
        gate.set_result(None)
        leaves.cancel()
        await asyncio.wait([leaves, stays])

        assert leaves.cancelled()
        assert stays.exception() is error
        assert len(flights) == 0


async def test_an_error_at_the_moment_in_which_the_last_leaves_is_no_warning():
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
    flights, asking = SingleFlight(), []

    async def work():
        await asyncio.sleep(0.5)
        asyncio.get_running_loop().call_soon(asking[0].cancel)
        raise errors.ServerError("x")

    with with_deadline(5.0):
        asking.append(asyncio.create_task(flights.run("AAPL", work)))
    await asyncio.wait(asking)
    assert asking.pop().cancelled()
    await asyncio.sleep(0)
    gc.collect()

    assert complaints == []


async def test_work_that_is_slow_to_end_is_not_joined_by_a_newcomer():
    flights, ended = SingleFlight(), []

    async def slow_to_end():
        try:
            await asyncio.sleep(60.0)
        finally:
            await asyncio.sleep(1.0)
            ended.append(asyncio.get_running_loop().time())

    with with_deadline(30.0):
        asking = asyncio.create_task(flights.run("AAPL", slow_to_end))
    await asyncio.sleep(0.5)
    asking.cancel()
    await asyncio.wait([asking])

    assert len(flights) == 0
    assert await flights.run("AAPL", Source(seconds=5.0)) == 1
    assert ended == [1.5]


async def test_work_that_is_cancelled_from_within_ends_for_all():
    flights = SingleFlight()

    async def ends_itself():
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await flights.run("AAPL", ends_itself)
    with with_deadline(1.0), pytest.raises(asyncio.CancelledError):
        await flights.run("AAPL", ends_itself)

    assert len(flights) == 0


async def test_each_waits_as_long_as_its_own_deadline_allows():
    flights, source = SingleFlight(), Source(seconds=10.0)

    async def hurried():
        with with_deadline(1.0):
            return await flights.run("AAPL", source)

    async def unhurried():
        with with_deadline(20.0):
            return await flights.run("AAPL", source)

    first = asyncio.create_task(hurried())
    others = [asyncio.create_task(unhurried()), asyncio.create_task(flights.run("AAPL", source))]
    with pytest.raises(errors.DeadlineExceededError):
        await first
    assert asyncio.get_running_loop().time() == pytest.approx(1.0, abs=0.001)

    assert await asyncio.gather(*others) == [1, 1]
    assert source.deadlines == [None]


async def test_values_are_kept_for_their_time():
    cache = TTLCache(10.0)
    cache.put("AAPL", 1)
    cache.put("MSFT", 2, ttl=1.0)
    await asyncio.sleep(1.0)
    assert cache.get("AAPL") == 1
    assert cache.get("MSFT") is None
    assert cache.get("TSLA") is None
    assert len(cache) == 1

    await asyncio.sleep(9.0)

    assert cache.get("AAPL") is None


async def test_the_least_recently_used_goes_first():
    cache = TTLCache(10.0, size=2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)

    assert [cache.get(key) for key in "abc"] == [1, None, 3]
    cache.discard("a")
    cache.discard("a")
    assert cache.get("a") is None
    cache.clear()
    assert len(cache) == 0


async def test_loading_happens_once_and_failures_are_not_kept():
    cache, source = TTLCache(10.0), Source(error=errors.ServerError("x"))

    failed = await asyncio.gather(
        *(cache.get_or_load("AAPL", source) for _ in range(5)), return_exceptions=True
    )
    assert all(isinstance(each, errors.ServerError) for each in failed)
    assert (source.calls, len(cache)) == (1, 0)
    source.error = None
    loaded = await asyncio.gather(*(cache.get_or_load("AAPL", source) for _ in range(5)))

    assert loaded == [2] * 5
    assert await cache.get_or_load("AAPL", source) == 2
    await asyncio.sleep(10.0)
    assert await cache.get_or_load("AAPL", source) == 3


async def test_what_is_loaded_and_is_nothing_is_kept_too():
    cache = TTLCache(10.0)
    calls = []

    async def nothing():
        calls.append(1)

    assert await cache.get_or_load("AAPL", nothing) is None
    assert await cache.get_or_load("AAPL", nothing) is None

    assert len(calls) == 1


@pytest.mark.parametrize(("ttl", "size"), [(-1.0, 5), (1.0, 0)])
async def test_a_cache_that_cannot_keep_is_refused(ttl, size):
    with pytest.raises(errors.ConfigurationError):
        TTLCache(ttl, size=size)


async def test_different_keys_are_loaded_apart():
    cache, gate = TTLCache(10.0), asyncio.get_running_loop().create_future()

    def loading(value):
        async def load():
            await gate
            return value

        return load

    loads = [asyncio.create_task(cache.get_or_load(key, loading(key))) for key in "ab"]
    await asyncio.sleep(0)
    gate.set_result(None)

    assert await asyncio.gather(*loads) == ["a", "b"]


async def test_deadlines_are_told_by_the_clock_of_the_cache():
    class Ahead:
        def time(self):
            return asyncio.get_running_loop().time() + 1_000.0

    cache, clock = TTLCache(10.0, clock=Ahead()), Ahead()
    source = Source(seconds=60.0)

    with with_deadline(2.0, clock=clock), pytest.raises(errors.DeadlineExceededError):
        await cache.get_or_load("AAPL", source)

    assert asyncio.get_running_loop().time() == 2.0


async def test_the_work_of_one_who_left_is_done_under_the_same_key():
    flights, source = SingleFlight(), Source()
    leader, *others = (asyncio.create_task(flights.run("AAPL", source)) for _ in range(3))
    await asyncio.sleep(0.5)
    leader.cancel()
    await asyncio.sleep(0.25)
    newcomer = asyncio.create_task(flights.run("AAPL", source))

    assert await asyncio.gather(*others, newcomer) == [2, 2, 2]


async def test_an_error_is_that_of_those_in_a_hurry_too():
    flights, source = SingleFlight(), Source(error=errors.ServerError("x"))

    async def hurried():
        with with_deadline(5.0):
            return await flights.run("AAPL", source)

    results = await asyncio.gather(*(hurried() for _ in range(3)), return_exceptions=True)

    assert results == [source.error] * 3


async def test_no_time_left_is_said_in_words():
    with with_deadline(0.5), pytest.raises(errors.DeadlineExceededError) as caught:
        await SingleFlight().run("AAPL", Source())

    assert caught.value.message == "no time left to wait for the answer"


async def test_who_is_told_in_a_hurry_may_ask_for_the_same_again_at_once():
    flights = SingleFlight()

    async def work():
        await asyncio.sleep(0.01)
        return "done"

    async def twice():
        with with_deadline(1.0):
            return [await flights.run("a", work), await flights.run("a", work)]

    assert await asyncio.gather(twice(), twice()) == [["done", "done"]] * 2
