"""massive's own WebSocketClient, unmodified, hears what the exchange's market did."""

import asyncio
import contextlib
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from sentio_async.sim.clock import SimClock
from sentio_async.sim.exchange import Exchange

pytest.importorskip("massive", reason="massive is not installed: pip install '.[peers]'")

from massive import WebSocketClient

NOW = datetime(2025, 6, 18, 18, 30, 15, tzinfo=UTC)
TOPICS = {
    "stocks": ["T.AAPL", "Q.AAPL", "A.AAPL", "AM.AAPL"],
    "options": ["T.O:AAPL250718C00225000", "Q.O:AAPL250718C00225000"],
    "crypto": ["XT.BTC-USD", "XQ.BTC-USD", "XA.BTC-USD"],
    "forex": ["C.EUR/USD", "CA.EUR/USD"],
    "indices": ["V.I:SPX", "AM.I:SPX"],
}


async def until(is_so):
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("market", sorted(TOPICS))
async def test_massive_hears_every_event_of_a_market(market):
    heard = []

    async def keep(rows):
        heard.extend(rows)

    async with Exchange(
        clock=SimClock(NOW, is_running=False), venues=["polygon"], seed=3
    ) as exchange:
        feed = exchange.addresses.polygon_stream.removeprefix("ws://")
        topics = TOPICS[market]
        client = WebSocketClient(
            exchange.polygon_key, feed=feed, market=market, secure=False, subscriptions=topics
        )
        running = asyncio.create_task(client.connect(keep, proxy=None))
        await until(lambda: sum(each.topics for each in exchange.streams.sessions) == len(topics))
        began = exchange.state.clock.now_ns()
        exchange.state.clock.advance(60)
        wanted = {topic.partition(".")[0] for topic in topics}
        await until(lambda: {row.event_type for row in heard} == wanted)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        trades = exchange.state.market.trades("AAPL", began + 1, began + 60 * 10**9 + 1)

    if market == "stocks":
        told = [row for row in heard if row.event_type == "T"]
        assert [Decimal(str(row.price)) for row in told] == [trade.price for trade in trades]
        assert [row.id for row in told] == [str(trade.id) for trade in trades]
