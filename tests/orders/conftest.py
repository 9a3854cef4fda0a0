import pytest

from orders.venues import ScriptedVenue, a_gateway


@pytest.fixture
async def started():
    """Makes gateways that have been started, and stops them at the end."""
    made = []

    async def start(venue=None, journal=None, **more):
        gateway = a_gateway(venue or ScriptedVenue(), journal, **more)
        await gateway.start()
        made.append(gateway)
        return gateway

    yield start
    for gateway in made:
        await gateway.stop()
