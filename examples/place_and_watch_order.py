"""Place an order under a key of its own, and watch it until nothing more can happen to it."""

import asyncio
from datetime import UTC, datetime

from venue import settings_for

from sentio_async import BrokerConnector, ConnectorFactory, Order, errors


async def watch(broker: BrokerConnector, order: Order, patience: float = 30.0) -> Order:
    """The order when it is final, or as it is when patience ends."""
    async with asyncio.timeout(patience):
        while not order.is_final:
            print(f"{order.status.value}: {order.filled_qty} of {order.qty}")
            await asyncio.sleep(0.05)
            order = await broker.get_order(order.id)
    return order


async def main() -> None:
    # The key names the decision: run twice in a minute, it buys once.
    decision = f"example-{datetime.now(UTC):%Y%m%d-%H%M}"
    async with (
        settings_for("alpaca") as settings,
        ConnectorFactory.create_broker("alpaca", settings["alpaca"]) as broker,
    ):
        try:
            order = await broker.place_order("AAPL", 5, "buy", intent_key=decision)
        except errors.OrderOutcomeUnknownError as error:
            found = await error.handle.resolve(timeout=60)
            if found is None:
                print("it was never placed")
                return
            order = found
        order = await watch(broker, order)
        print(f"{order.status.value}: {order.filled_qty} at {order.filled_avg_price}")


if __name__ == "__main__":
    asyncio.run(main())
