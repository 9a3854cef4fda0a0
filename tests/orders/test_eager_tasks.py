"""Where a loop's tasks begin at once (Python 3.12), the gateway lets go of them as well."""

import asyncio
import types

import pytest

from orders.venues import ScriptedVenue, an_order

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


class SlowVenue(ScriptedVenue):
    async def place(self, order):
        await asyncio.sleep(1.0)
        return await super().place(order)


@types.coroutine
def _rest(work, waits_for):
    yield waits_for
    return (yield from work)


async def _going_on(work, waits_for):
    return await _rest(work, waits_for)


def begun_at_once(loop, work, **more):
    """A task whose first step is done already, for Python 3.11 too."""
    return asyncio.Task(_going_on(work, work.send(None)), loop=loop, **more)


async def test_nothing_is_left_of_orders_that_have_ended(started):
    gateway, loop = await started(SlowVenue()), asyncio.get_running_loop()
    loop.set_task_factory(getattr(asyncio, "eager_task_factory", begun_at_once))

    await asyncio.gather(*(gateway.submit(an_order(qty=each)) for each in range(1, 9)))

    loop.set_task_factory(None)
    await asyncio.sleep(0)
    assert gateway._desk.tasks == set()
