"""Where a loop's tasks begin at once (Python 3.12), the gateway lets go of them as well."""

import asyncio

import pytest

from eager import eager_tasks
from orders.venues import ScriptedVenue, an_order

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


class SlowVenue(ScriptedVenue):
    async def place(self, order):
        await asyncio.sleep(1.0)
        return await super().place(order)


@pytest.mark.parametrize("venue", [ScriptedVenue, SlowVenue])
async def test_nothing_is_left_of_orders_that_have_ended(started, venue):
    gateway = await started(venue())

    with eager_tasks():
        await asyncio.gather(*(gateway.submit(an_order(qty=each)) for each in range(1, 9)))

    await asyncio.sleep(0)
    assert gateway._desk.tasks == set()
