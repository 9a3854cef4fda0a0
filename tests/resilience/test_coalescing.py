"""Calls of one turn become one; nobody pays for another's error, deadline or leaving."""

import asyncio
import gc

import pytest

from sentio_async import errors
from sentio_async.resilience import current_deadline, with_deadline
from sentio_async.resilience.coalescing import Coalescer

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


class Vendor:
    """Doubles numbers, one or many a request, in a second."""

    def __init__(self, *, unknown=(), broken=False):
        self.requests = []
        self.ended = 0
        self.unknown = set(unknown)
        self.broken = broken
        self.coalescer = Coalescer(self.alone, self.together)

    async def alone(self, number):
        self.requests.append(number)
        await asyncio.sleep(1.0)
        self.ended += 1
        return self._value(number, raises=True)

    async def together(self, numbers):
        self.requests.append(list(numbers))
        await asyncio.sleep(1.0)
        self.ended += 1
        if self.broken:
            raise errors.ServerError("down")
        return {number: self._value(number) for number in numbers}

    def _value(self, number, *, raises=False):
        if number not in self.unknown:
            return number * 2
        error = errors.SymbolNotFoundError(f"{number}", symbol=str(number))
        if raises:
            raise error
        return error

    async def get(self, number):
        return await self.coalescer.get(number)


async def test_one_who_is_alone_goes_alone_and_at_once():
    vendor = Vendor()

    async def ask():
        waiting = vendor.coalescer.get(4)
        return await waiting

    task = asyncio.create_task(ask())
    await asyncio.sleep(0)

    assert vendor.requests == [4]
    assert await task == 8
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_calls_of_one_turn_are_the_first_and_one_more():
    vendor = Vendor()

    assert await asyncio.gather(*map(vendor.get, range(100))) == [n * 2 for n in range(100)]

    assert vendor.requests == [0, list(range(1, 100))]
    assert asyncio.get_running_loop().time() == pytest.approx(1.0, abs=0.01)


async def test_calls_of_different_turns_go_apart():
    vendor = Vendor()

    async def later(number):
        await asyncio.sleep(number / 10)
        return await vendor.get(number)

    await asyncio.gather(*map(later, range(3)))

    assert vendor.requests == [0, 1, 2]


async def test_two_of_one_turn_are_two_calls_about_one():
    vendor = Vendor()

    await asyncio.gather(vendor.get(1), vendor.get(2))

    assert vendor.requests == [1, 2]


async def test_the_same_is_asked_for_once_while_it_is_under_way():
    vendor = Vendor()

    async def later():
        await asyncio.sleep(0.5)
        return await vendor.get(2)

    found = await asyncio.gather(*map(vendor.get, [1, 2, 3, 2, 2]), later())

    assert found == [2, 4, 6, 4, 4, 4]
    assert vendor.requests == [1, [2, 3]]


async def test_after_the_answer_it_is_asked_for_anew():
    vendor = Vendor()
    await asyncio.gather(*map(vendor.get, range(3)))
    await asyncio.gather(*map(vendor.get, range(3)))

    assert vendor.requests == [0, [1, 2], 0, [1, 2]]


async def test_an_error_about_one_is_that_ones():
    vendor = Vendor(unknown={1, 3})

    found = await asyncio.gather(*map(vendor.get, range(5)), return_exceptions=True)

    assert [found[n] for n in (0, 2, 4)] == [0, 4, 8]
    assert [found[n].symbol for n in (1, 3)] == ["1", "3"]


async def test_a_call_that_fails_fails_for_all_who_went_together():
    vendor = Vendor(broken=True)

    found = await asyncio.gather(*map(vendor.get, range(3)), return_exceptions=True)

    assert found[0] == 0
    assert all(isinstance(error, errors.ServerError) for error in found[1:])


@pytest.mark.parametrize("leaver", [0, 1, 2])
async def test_one_who_is_cancelled_costs_the_others_nothing(leaver):
    vendor = Vendor()
    tasks = [asyncio.create_task(vendor.get(number)) for number in range(4)]
    await asyncio.sleep(0.5)

    tasks[leaver].cancel()
    await asyncio.wait(tasks)

    assert [task.cancelled() for task in tasks] == [number == leaver for number in range(4)]
    assert [t.result() for n, t in enumerate(tasks) if n != leaver] == [
        n * 2 for n in range(4) if n != leaver
    ]


@pytest.mark.parametrize("seconds", [0.0, 0.5])
async def test_when_everybody_has_left_the_call_is_cancelled(seconds):
    vendor = Vendor()
    tasks = [asyncio.create_task(vendor.get(number)) for number in range(4)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await asyncio.sleep(0)

    assert vendor.ended == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert await vendor.get(1) == 2


async def test_each_waits_as_long_as_its_own_deadline_allows():
    vendor = Vendor()

    async def hurried(number):
        async with with_deadline(0.3):
            return await vendor.get(number)

    found = await asyncio.gather(
        vendor.get(0), hurried(1), vendor.get(2), vendor.get(3), return_exceptions=True
    )

    assert isinstance(found[1], errors.DeadlineExceededError)
    assert [found[0], *found[2:]] == [0, 4, 6]


async def test_what_nobody_waits_for_any_more_is_not_asked_for():
    vendor = Vendor()
    tasks = [asyncio.create_task(vendor.get(number)) for number in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()

    assert await tasks[2] == 4
    assert tasks[1].cancelled()
    assert vendor.requests == [0, 2]


async def test_one_who_is_alone_goes_at_once_in_every_turn():
    vendor = Vendor()
    for number in (4, 5, 4):
        task = asyncio.create_task(vendor.get(number))
        await asyncio.sleep(0)
        assert vendor.requests[-1] == number
        assert await task == number * 2

    assert vendor.requests == [4, 5, 4]


async def test_the_same_as_the_first_goes_at_once_as_well():
    vendor = Vendor()
    tasks = [asyncio.create_task(vendor.get(4)) for _ in range(2)]
    await asyncio.sleep(0)

    assert vendor.requests == [4, 4]
    assert await asyncio.gather(*tasks) == [8, 8]


async def test_those_of_a_later_turn_do_not_join_a_call_that_has_gone():
    vendor = Vendor()
    first = [asyncio.create_task(vendor.get(number)) for number in range(3)]
    await asyncio.sleep(0.5)
    second = [asyncio.create_task(vendor.get(number)) for number in range(10, 13)]

    assert await asyncio.gather(*first, *second) == [0, 2, 4, 20, 22, 24]
    assert vendor.requests == [0, [1, 2], 10, [11, 12]]
    assert asyncio.get_running_loop().time() == 1.5


async def test_a_call_has_not_the_deadline_of_who_came_first():
    seen = []

    async def together(keys):
        seen.append(current_deadline())
        return {key: key for key in keys}

    async def alone(key):
        return key

    coalescer = Coalescer(alone, together)

    async def hurried(key):
        with with_deadline(5.0):
            return await coalescer.get(key)

    assert await asyncio.gather(*map(hurried, range(3))) == [0, 1, 2]
    assert seen == [None]


async def test_a_deadline_is_told_in_words_and_by_the_clock_that_was_given():
    class Ahead:
        def time(self):
            return asyncio.get_running_loop().time() + 1_000.0

    vendor = Vendor()
    vendor.coalescer = Coalescer(vendor.alone, vendor.together, clock=Ahead())

    async def hurried(number):
        with with_deadline(0.25, clock=Ahead()):
            return await vendor.get(number)

    found = await asyncio.gather(vendor.get(0), hurried(1), vendor.get(2), return_exceptions=True)

    assert found[1].message == "no time left to wait for the answer"
    assert (found[0], found[2]) == (0, 4)


async def test_a_call_that_is_cancelled_from_within_is_cancelled_for_all():
    async def together(_keys):
        raise asyncio.CancelledError

    vendor = Vendor()
    vendor.coalescer = Coalescer(vendor.alone, together)
    tasks = [asyncio.create_task(vendor.get(number)) for number in range(3)]
    await asyncio.wait(tasks)

    assert [task.cancelled() for task in tasks] == [False, True, True]
    assert await vendor.get(1) == 2


async def test_an_error_at_the_moment_in_which_one_leaves_is_no_warning():
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
    tasks = []

    async def together(_keys):
        await asyncio.sleep(0.5)
        tasks[1].cancel()
        asyncio.get_running_loop().call_soon(tasks[2].cancel)
        raise errors.ServerError("down")

    vendor = Vendor()
    vendor.coalescer = Coalescer(vendor.alone, together)
    with with_deadline(5.0):
        tasks += [asyncio.create_task(vendor.get(number)) for number in range(4)]
    await asyncio.wait(tasks)
    ended = [task.cancelled() for task in tasks]
    assert isinstance(tasks.pop().exception(), errors.ServerError)
    tasks.clear()
    await asyncio.sleep(0)
    gc.collect()

    assert ended == [False, True, True, False]
    assert complaints == []


async def test_a_call_that_is_slow_to_end_is_not_joined_by_a_newcomer():
    vendor, ended = Vendor(), []

    async def slow_to_end(numbers):
        try:
            await asyncio.sleep(60.0)
        finally:
            await asyncio.sleep(1.0)
            ended.append(list(numbers))

    vendor.coalescer = Coalescer(vendor.alone, slow_to_end)
    tasks = [asyncio.create_task(vendor.get(number)) for number in range(3)]
    await asyncio.sleep(0.5)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    vendor.coalescer._together = vendor.together

    again = [asyncio.create_task(vendor.get(number)) for number in range(3)]

    assert await asyncio.gather(*again) == [0, 2, 4]
    await asyncio.sleep(1.0)
    assert ended == [[1, 2]]


async def test_a_group_that_all_have_left_before_its_call_is_not_joined():
    vendor = Vendor()
    tasks = [asyncio.create_task(vendor.get(number)) for number in range(3)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.sleep(0)
    again = [asyncio.create_task(vendor.get(number)) for number in range(10, 13)]

    assert await asyncio.gather(*again) == [20, 22, 24]


async def test_who_leaves_at_the_moment_of_the_answer_is_told_nothing():
    tasks = []

    async def together(numbers):
        await asyncio.sleep(0.5)
        tasks[1].cancel()
        return {number: number for number in numbers}

    vendor = Vendor()
    vendor.coalescer = Coalescer(vendor.alone, together)
    tasks += [asyncio.create_task(vendor.get(number)) for number in range(4)]
    await asyncio.wait(tasks)

    assert [task.cancelled() for task in tasks] == [False, True, False, False]
    assert [task.result() for task in tasks[2:]] == [2, 3]


async def test_a_call_that_is_ended_before_it_began_is_not_joined():
    vendor = Vendor()
    tasks = [asyncio.create_task(vendor.get(number)) for number in range(3)]
    await asyncio.sleep(0)
    (call,) = asyncio.all_tasks() - {*tasks, asyncio.current_task()}
    call.cancel()
    await asyncio.wait(tasks)

    assert [task.cancelled() for task in tasks] == [False, True, True]
    assert await asyncio.gather(*map(vendor.get, range(10, 13))) == [20, 22, 24]
    assert vendor.requests == [0, 10, [11, 12]]


async def test_what_comes_a_moment_later_goes_along_and_after_a_while_does_not():
    vendor = Vendor()

    async def later(number, seconds):
        await asyncio.sleep(seconds)
        return await vendor.get(number)

    await asyncio.gather(vendor.get(1), later(2, 0.01), later(3, 0.01), later(4, 0.03))

    assert vendor.requests == [1, [2, 3], 4]


async def test_who_comes_when_the_first_has_its_answer_goes_alone():
    vendor, busy = Vendor(), True
    vendor.coalescer = Coalescer(vendor.alone, vendor.together, is_busy=lambda: busy)
    first = asyncio.create_task(vendor.get(1))
    await asyncio.sleep(0)

    busy = False
    await asyncio.gather(first, vendor.get(2), vendor.get(3))

    assert vendor.requests == [1, 2, 3]


async def test_who_is_told_may_ask_for_the_same_again_at_once():
    vendor = Vendor()

    async def twice(number):
        return [await vendor.get(number), await vendor.get(number)]

    results = await asyncio.gather(*map(twice, (1, 2, 2, 3)))

    assert results == [[2, 2], [4, 4], [4, 4], [6, 6]]


async def test_who_leaves_as_the_answer_comes_costs_the_others_nothing():
    vendor = Vendor()
    first = asyncio.ensure_future(vendor.get(1))
    await asyncio.sleep(0)
    asking = [asyncio.create_task(vendor.get(2)) for _ in range(20)]

    async def leaves(number):
        for each in asking[::2]:
            each.cancel()
        return number * 2

    vendor.coalescer._alone = leaves
    results = await asyncio.gather(*asking, return_exceptions=True)

    assert [each == 4 for each in results] == [False, True] * 10
    assert await first == 2
