"""Quotes and order updates as they happen; with keys, while markets are open."""

import asyncio

from venue import settings_for

from sentio_async import BrokerConnector, ConnectorHub, DataProviderConnector
from sentio_async.events import Event
from sentio_async.streams.reports import FeedChanged


def show(event: Event) -> None:
    """Say how connections are."""
    if isinstance(event, FeedChanged):
        print(f"{event.connector}: {event.old} -> {event.new}  {event.reason}")


async def watch_prices(data: DataProviderConnector, most: int) -> None:
    """Print so many quotes."""
    async with data.stream_quotes("AAPL", "MSFT") as quotes:
        async for quote in quotes:
            print(f"{quote.symbol:6} {quote.bid:10.2f} {quote.ask:10.2f}  {quote.time:%H:%M:%S}")
            most -= 1
            if not most:
                break


async def buy_and_hear(broker: BrokerConnector) -> None:
    """Buy one share, and hear what becomes of it."""
    async with broker.stream_order_updates() as updates:
        await updates.ready()
        placed = await broker.place_order("AAPL", 1, "buy")
        async for update in updates:
            if update.order.id == placed.id:
                print("order:", update.event, update.order.filled_qty)
                if update.order.is_final:
                    break


async def main() -> None:
    async with settings_for("alpaca") as settings, ConnectorHub(listeners=[show]) as hub:
        data = hub.create_data_provider("alpaca", settings["alpaca"])
        broker = hub.create_broker("alpaca", settings["alpaca"])
        await hub.connect()
        await asyncio.gather(watch_prices(data, most=6), buy_and_hear(broker))


if __name__ == "__main__":
    asyncio.run(main())
