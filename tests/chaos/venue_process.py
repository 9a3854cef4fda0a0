"""The embedded exchange in a process of its own."""

import asyncio
import json
from decimal import Decimal

from sentio_async.sim.exchange import Exchange
from tests.chaos.lifeline import hold_on, say

KEY, SECRET = "chaos-key", "chaos-secret"


def _book(exchange, account: str) -> list[dict]:
    orders = exchange.state.engine.accounts[account].orders.values()
    return [
        {
            "id": order.id,
            "symbol": order.symbol,
            "client_order_id": order.client_order_id,
            "limit_price": str(order.limit_price),
            "status": order.status,
        }
        for order in orders
    ]


async def serve() -> None:
    """Serve until the parent goes, and tell the book when asked."""
    asked: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    async with Exchange(seed=1, venues=("alpaca_trading",)) as exchange:
        account = exchange.add_account(KEY, SECRET, cash=Decimal(100_000_000))
        exchange.state.limits.per_minute["alpaca_trading"] = None
        hold_on(lambda line: loop.call_soon_threadsafe(asked.put_nowait, line))
        say(json.dumps({"url": exchange.addresses.alpaca_trading}))
        while True:
            await asked.get()
            say(json.dumps(_book(exchange, account)))
