"""Buy with a take-profit and a stop-loss in one order, then change your mind."""

import asyncio
from decimal import Decimal

from venue import settings_for

from sentio_async import ConnectorFactory


async def main() -> None:
    async with (
        settings_for("alpaca") as settings,
        ConnectorFactory.create_broker("alpaca", settings["alpaca"]) as broker,
        ConnectorFactory.create_data_provider("alpaca", settings["alpaca"]) as data,
    ):
        quote = await data.get_quote("AAPL")
        price = Decimal(str(quote.bid)).quantize(Decimal("0.01"))
        order = await broker.place_order(
            "AAPL",
            10,
            "buy",
            order_type="limit",
            # Far below the market, so that it rests and can be shown.
            limit_price=round(price * Decimal("0.90"), 2),
            order_class="bracket",
            take_profit={"limit_price": round(price * Decimal("1.05"), 2)},
            stop_loss={"stop_price": round(price * Decimal("0.85"), 2)},
        )
        nested = await broker.get_order(order.id, nested=True)
        for each in (nested, *nested.legs):
            print(each.type, each.side, each.limit_price or each.stop_price, each.status.value)

        await broker.cancel_order(order.id)
        # Taken, and not done: it may still fill until the venue says `canceled`.
        async with asyncio.timeout(10):
            while not order.is_final:
                await asyncio.sleep(0.05)
                order = await broker.get_order(order.id)
        print("in the end:", order.status.value)


if __name__ == "__main__":
    asyncio.run(main())
