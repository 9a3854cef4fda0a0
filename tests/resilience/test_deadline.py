"""A deadline is a value that nests, and cancels nothing."""

import asyncio
import math

import pytest

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.resilience import check_deadline, current_deadline, remaining, with_deadline
from sentio_async.resilience.deadline import replace_deadline


def test_the_inner_one_can_only_be_earlier(clock):
    assert current_deadline() is None and remaining(clock) == math.inf
    with with_deadline(5.0, clock=clock) as outer:
        assert outer.at == current_deadline() == 1_005.0
        with with_deadline(60.0, clock=clock):
            assert current_deadline() == 1_005.0
        with with_deadline(1.0, clock=clock) as inner:
            assert inner.at == current_deadline() == 1_001.0
        clock.now += 2.0
        assert remaining(clock) == 3.0
        clock.now += 9.0
        assert remaining(clock) == 0.0
    assert current_deadline() is None


def test_no_limit_inside_a_limit_keeps_the_limit(clock):
    with with_deadline(None, clock=clock):
        assert current_deadline() is None
        with with_deadline(5.0, clock=clock), with_deadline(None, clock=clock):
            assert current_deadline() == 1_005.0


def test_used_up_it_is_told_before_anything_is_sent(clock):
    with with_deadline(5.0, clock=clock):
        clock.now += 4.5
        check_deadline("quotes", clock)
        clock.now += 0.5
        with pytest.raises(errors.DeadlineExceededError, match="quotes: no time left") as caught:
            check_deadline("quotes", clock)
    assert caught.value.outcome is Outcome.NOT_SENT
    check_deadline("quotes", clock)


def test_a_deadline_put_in_the_place_of_another_gives_that_one_back(clock):
    with with_deadline(5.0, clock=clock):
        assert replace_deadline(None) == 1_005.0
        assert current_deadline() is None
        assert replace_deadline(1_005.0) is None
        assert current_deadline() == 1_005.0


def test_before_it_is_entered_it_ends_never(clock):
    assert with_deadline(5.0, clock=clock).at == math.inf


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_tasks_inherit_it_and_siblings_do_not():
    async def seen():
        await asyncio.sleep(0)
        return current_deadline()

    async with with_deadline(5.0):
        inside = asyncio.create_task(seen())
    outside = asyncio.create_task(seen())

    assert await inside == 5.0
    assert await outside is None


@pytest.mark.asyncio
async def test_it_may_be_left_in_another_context(clock):
    async def stream():
        with with_deadline(5.0, clock=clock):
            yield current_deadline()

    rows = stream()
    assert await asyncio.create_task(anext(rows)) == 1_005.0
    await asyncio.create_task(rows.aclose())

    assert current_deadline() is None
