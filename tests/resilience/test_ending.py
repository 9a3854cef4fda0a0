"""An end that must not be missed is waited for, whoever cancels."""

import asyncio

import pytest

from sentio_async.resilience.ending import outlast


@pytest.mark.parametrize("failure", [None, ValueError("broken")])
async def test_a_cancel_is_raised_when_the_work_has_ended(failure):
    work = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(outlast(work))
    await asyncio.sleep(0)
    for _ in range(3):
        waiting.cancel()
        await asyncio.sleep(0)
    assert not waiting.done()

    if failure is None:
        work.set_result(1)
    else:
        work.set_exception(failure)

    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_work_that_was_cancelled_has_ended_too():
    work = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(outlast(work))
    await asyncio.sleep(0)
    work.cancel()

    assert await waiting is None
