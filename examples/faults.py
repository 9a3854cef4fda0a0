"""What goes wrong on the way, and what a read and an order become of it."""

import asyncio

from sentio_async import BrokerConnector, ConnectorFactory, errors
from sentio_async.sim import Exchange, FaultRule

FAULTS = {
    "an outage of one request": FaultRule(kind="status", status=503, times=1),
    "the answer is lost": FaultRule(kind="drop_after", times=1),
    "a gateway fails after the order was placed": FaultRule(
        kind="status_after", status=504, method="POST", times=1
    ),
    "half of the answer": FaultRule(kind="cut", times=1),
    "a proxy answers": FaultRule(kind="html", times=1),
    "too many requests": FaultRule(
        kind="status", status=429, headers={"retry-after": "0.05"}, times=1
    ),
    "a redirect to somebody else": FaultRule(kind="redirect", times=1),
}


async def read(broker: BrokerConnector) -> str:
    """Ask for the account."""
    try:
        return f"cash {(await broker.get_account()).cash}"
    except errors.ConnectorError as error:
        return f"{type(error).__name__}, {error.outcome}"


async def order(broker: BrokerConnector) -> str:
    """Buy one share, and count what the venue has."""
    before = len(await broker.get_orders(status="all", limit=500))
    try:
        placed = await broker.place_order("AAPL", 1, "buy")
        told = placed.status.value
    except errors.ConnectorError as error:
        told = f"{type(error).__name__}, {error.outcome}"
    after = len(await broker.get_orders(status="all", limit=500))
    return f"{told}; orders at the venue: {after - before}"


async def main() -> None:
    async with (
        Exchange(seed=7) as exchange,
        ConnectorFactory.create_broker("alpaca", exchange.settings("alpaca")) as broker,
    ):
        for name, rule in FAULTS.items():
            print(name)
            exchange.add_fault(rule)
            print("  account:", await read(broker))
            exchange.clear_faults()
            on_orders = {**rule.as_json(), "method": "POST", "path": "*/orders"}
            exchange.add_fault(FaultRule.from_json(on_orders))
            print("  order:  ", await order(broker))
            exchange.clear_faults()


if __name__ == "__main__":
    asyncio.run(main())
