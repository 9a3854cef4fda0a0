"""What is made once is used in one event loop after the other."""

import asyncio
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from sentio_async.base import DataProviderConnector
from sentio_async.config import ConnectorConfig
from sentio_async.engine import TradingEngine
from sentio_async.health import HealthMonitor
from sentio_async.hub import ConnectorHub
from sentio_async.models import Batch, HealthReport, HealthStatus

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


class Slow:
    """A connector of which a check takes a turn of the loop."""

    name = "slow"

    async def health_check(self):
        await asyncio.sleep(0)
        return HealthReport(connector="slow", status=HealthStatus.HEALTHY, checked_at=NOON)


class Stuck(Slow):
    """A connector of which a check never ends."""

    async def health_check(self):
        await asyncio.get_running_loop().create_future()


async def checks_at_once(monitor, count=3):
    return await asyncio.gather(*(monitor.check_health("slow") for _ in range(count)))


def test_checks_at_the_same_time_work_in_a_second_loop():
    monitor = HealthMonitor()
    monitor.register_connector(Slow())

    for _ in range(2):
        assert len(asyncio.run(checks_at_once(monitor))) == 3
    assert len(monitor.get_history("slow")) == 6


def test_a_check_that_died_with_its_loop_holds_up_no_other():
    monitor = HealthMonitor()
    stuck = Stuck()
    monitor.register_connector(stuck)
    loop = asyncio.new_event_loop()
    checks = [loop.create_task(monitor.check_health("slow")) for _ in range(2)]
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    for check in checks:
        check._log_destroy_pending = False

    stuck.health_check = Slow().health_check
    reports = asyncio.run(asyncio.wait_for(checks_at_once(monitor), 5))

    assert [report.status for report in reports] == [HealthStatus.HEALTHY] * 3


class Venue:
    """Writes down when it was asked for quotes."""

    price_of = None

    def __init__(self):
        self.asked = []

    async def get_quotes(self, symbols):
        self.asked.append(asyncio.get_running_loop().time())
        return Batch({})


class Idle:
    """A strategy that never wants anything."""

    name, symbols = "idle", ("AAPL",)

    async def decide(self, quotes, desk):
        return []


def test_an_engine_keeps_its_pace_and_can_be_stopped_in_a_second_loop():
    venue = Venue()
    engine = TradingEngine(strategies=[Idle()], broker=venue, data_provider=venue, interval=0.02)

    async def stopped():
        running = asyncio.create_task(engine.run())
        await asyncio.sleep(0.09)
        engine.stop()
        await asyncio.wait_for(running, 5)

    asyncio.run(engine.run(cycles=2))
    asyncio.run(stopped())

    assert len(venue.asked) > 3
    assert all(later - earlier > 0.019 for earlier, later in pairwise(venue.asked[2:]))


class ToyConfig(ConnectorConfig):
    vendor = "toy"


class Reachable(DataProviderConnector):
    """A vendor that is always there."""

    vendor = "toy"
    Config = ToyConfig

    def _set_up(self):
        """Nothing is needed."""

    async def _check(self):
        return None


def a_loop_that_ends_in_the_middle(begin, *, cancels):
    loop = asyncio.new_event_loop()
    loop.run_until_complete(begin())
    left = asyncio.all_tasks(loop)
    assert left
    for task in left:
        task._log_destroy_pending = False
        if cancels:
            task.cancel()
    if cancels:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.close()


@pytest.mark.parametrize("cancels", [True, False])
def test_a_hub_whose_loop_ended_without_disconnect_is_watched_and_closed_in_the_next(cancels):
    hub = ConnectorHub(check_interval=0.01)
    hub.add(Reachable({}))
    a_loop_that_ends_in_the_middle(hub.connect, cancels=cancels)
    before = len(hub.health.get_history("toy"))

    async def again():
        hub.add(Reachable({"name": "late"}))
        await hub.connect()
        await asyncio.sleep(0.05)
        await hub.disconnect()

    asyncio.run(again())

    assert len(hub.health.get_history("toy")) > before
    assert hub.health.get_history("late")
