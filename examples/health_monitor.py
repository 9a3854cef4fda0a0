"""Health in the background: a connector breaks, is noticed, and comes back."""

import asyncio

from sentio_async import ConnectorHub
from sentio_async.events import Event, HealthChanged
from sentio_async.sim import Exchange, FaultRule


class Pager:
    """Prints what somebody on duty would be told."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def __call__(self, event: Event) -> None:
        if isinstance(event, HealthChanged):
            print(f"{event.connector}: {event.old} -> {event.new}  {event.reason[:70]}")
            self._changed.set()

    async def until(self, hub: ConnectorHub, status: str) -> None:
        """Wait until the whole is so."""
        async with asyncio.timeout(10):
            while hub.health.get_summary().status != status:
                self._changed.clear()
                await self._changed.wait()


async def main() -> None:
    pager = Pager()
    async with (
        Exchange(seed=7) as exchange,
        ConnectorHub(check_interval=0.2, listeners=[pager]) as hub,
    ):
        once = {"retry_attempts": 1}
        hub.create_broker("alpaca", {**exchange.settings("alpaca"), **once})
        hub.create_data_provider("polygon", {**exchange.settings("polygon"), **once})
        await hub.connect()
        await pager.until(hub, "healthy")

        exchange.add_fault(FaultRule(kind="status", status=503, venue="polygon"))
        await pager.until(hub, "unhealthy")
        print("unhealthy:", hub.health.get_unhealthy_connectors())

        exchange.clear_faults()
        await pager.until(hub, "healthy")


if __name__ == "__main__":
    asyncio.run(main())
