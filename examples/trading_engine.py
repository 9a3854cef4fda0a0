"""`TradingEngine` with a strategy: buy what has fallen below its average of the last rounds."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable
from decimal import Decimal

from venue import settings_for

from sentio_async import Batch, ConnectorHub, OrderRequest, OrderSide, Quote, TradingEngine
from sentio_async.engine import Desk


class BelowAverage:
    """One share of whatever is cheaper than its own recent average, once each."""

    name = "below average"
    symbols = ("AAPL", "MSFT", "NVDA", "SPY")

    def __init__(self, length: int = 5) -> None:
        self._seen: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=length))

    async def decide(self, quotes: Batch[Quote], desk: Desk) -> Iterable[OrderRequest]:
        held = {position.symbol for position in await desk.get_positions()}
        held |= {order.symbol for order in await desk.get_orders()}
        wanted = [quote for quote in quotes.found.values() if self._is_low(quote)]
        return [
            OrderRequest(symbol=quote.symbol, side=OrderSide.BUY, qty=Decimal(1))
            for quote in wanted
            if quote.symbol not in held
        ]

    def _is_low(self, quote: Quote) -> bool:
        seen = self._seen[quote.symbol]
        is_low = bool(seen) and quote.mid < sum(seen) / len(seen)
        seen.append(quote.mid)
        return is_low


async def main(rounds: int = 8, pause: float = 0.2) -> None:
    async with settings_for("alpaca", "polygon") as settings, ConnectorHub() as hub:
        broker = hub.create_broker("alpaca", settings["alpaca"])
        engine = TradingEngine(
            strategies=[BelowAverage()],
            broker=broker,
            data_provider=hub.create_data_provider("polygon", settings["polygon"]),
            interval=pause,
        )
        await hub.connect()
        await engine.run(cycles=rounds)
        positions = await broker.get_positions()
        for position in positions:
            print(position.symbol, position.qty, position.avg_entry_price)
        print(f"{len(positions)} positions after {rounds} rounds")


if __name__ == "__main__":
    asyncio.run(main())
