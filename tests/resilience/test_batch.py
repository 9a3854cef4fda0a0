"""Many items in few calls; one failure costs one chunk, and nothing is left running."""

import asyncio

import pytest

from sentio_async import errors
from sentio_async.resilience import chunks, gather_batches

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def test_chunks_keep_order_and_lose_nothing():
    assert list(chunks(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(chunks([], 3)) == []
    assert list(chunks(iter("ab"), 5)) == [["a", "b"]]
    with pytest.raises(errors.InvalidRequestError, match="batch size: 0 is less than 1"):
        chunks([1], 0)


async def test_chunks_run_side_by_side_and_one_failure_costs_one_chunk():
    boom = errors.ServerError("x")

    async def call(batch):
        await asyncio.sleep(1.0)
        if 3 in batch:
            raise boom
        return sum(batch)

    results = await gather_batches(range(6), 2, call)

    assert results == [([0, 1], 1), ([2, 3], boom), ([4, 5], 9)]
    assert asyncio.get_running_loop().time() == pytest.approx(1.0, abs=0.001)
    assert await gather_batches([], 2, call) == []


async def test_one_chunk_alone_is_as_one_of_many():
    boom = errors.ServerError("x")

    async def fail(batch):
        raise boom

    async def add(batch):
        return sum(batch)

    assert await gather_batches([1, 2], 2, add) == [([1, 2], 3)]
    assert await gather_batches([1, 2], 2, fail) == [([1, 2], boom)]


async def test_only_so_many_run_at_once():
    inside, most = 0, 0

    async def call(batch):
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(1.0)
        inside -= 1

    await gather_batches(range(20), 1, call, at_once=4)

    assert most == 4


async def test_cancelled_it_leaves_nothing_running():
    ended = []

    async def call(batch):
        try:
            await asyncio.sleep(60.0)
        finally:
            await asyncio.sleep(0.5)
            ended.append(batch)

    task = asyncio.create_task(gather_batches(range(6), 2, call))
    await asyncio.sleep(1.0)
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert len(ended) == 3
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_chunk_cancelled_from_within_is_a_cancellation():
    async def call(batch):
        if 1 in batch:
            raise asyncio.CancelledError
        return batch

    with pytest.raises(asyncio.CancelledError):
        await gather_batches(range(4), 1, call)


@pytest.mark.parametrize("count", [1, 2, 8, 9])
async def test_few_chunks_are_like_many(count):
    async def call(batch):
        await asyncio.sleep(1.0)
        return sum(batch)

    assert await gather_batches(range(count), 1, call) == [([each], each) for each in range(count)]
    assert asyncio.get_running_loop().time() == (2.0 if count == 9 else 1.0)
