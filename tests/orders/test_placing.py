import pytest

from orders.venues import LOST, ScriptedVenue, a_gateway, an_order

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def test_an_order_is_placed_once():
    venue = ScriptedVenue()
    gateway = a_gateway(venue)
    await gateway.start()

    order = await gateway.submit(an_order())

    assert list(venue.orders) == [order.id]
    await gateway.stop()


async def test_lost():
    venue = ScriptedVenue()
    venue.say("place", LOST)
    gateway = a_gateway(venue)
    await gateway.start()

    order = await gateway.submit(an_order())

    assert list(venue.orders) == [order.id]
    await gateway.stop()
