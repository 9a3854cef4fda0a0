"""alpaca-py's own stream clients, unmodified, hear what the exchange did."""

import asyncio
import warnings
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from sentio_async.sim.clock import SimClock
from sentio_async.sim.exchange import Exchange

pytest.importorskip("alpaca", reason="alpaca-py is not installed: pip install '.[peers]'")

with warnings.catch_warnings():
    # It imports websockets' old client.
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.data.live import CryptoDataStream, StockDataStream
    from alpaca.trading.client import TradingClient
    from alpaca.trading.enums import OrderSide, TimeInForce
    from alpaca.trading.requests import MarketOrderRequest
    from alpaca.trading.stream import TradingStream

NOW = datetime(2025, 6, 18, 18, 30, 15, tzinfo=UTC)
PARAMS = {"ping_interval": None}


async def until(is_so):
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def stop(running):
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(
    ("kind", "path", "symbol"),
    [(StockDataStream, "/v2/sip", "AAPL"), (CryptoDataStream, "/v1beta3/crypto/us", "BTC/USD")],
)
async def test_alpaca_py_hears_the_trades_quotes_and_bars_of_the_market(kind, path, symbol):
    heard = []

    async def keep(row):
        heard.append(row)

    clock = SimClock(NOW, is_running=False)
    async with Exchange(clock=clock, venues=["alpaca_data"], seed=3) as exchange:
        url = exchange.addresses.alpaca_data_stream + path
        peer = kind(
            exchange.alpaca_key, exchange.alpaca_secret, url_override=url, websocket_params=PARAMS
        )
        for subscribe in (peer.subscribe_trades, peer.subscribe_quotes, peer.subscribe_bars):
            subscribe(keep, symbol)
        running = asyncio.create_task(peer._run_forever())
        await until(lambda: any(each.topics for each in exchange.streams.sessions))
        began = clock.now_ns()
        clock.advance(60)
        span = began + 1, began + 60 * 10**9 + 1
        trades = exchange.state.market.trades(symbol, *span)
        quotes = exchange.state.market.quotes(symbol, *span)
        await until(lambda: len(heard) >= len(trades) + len(quotes) + 1)
        await stop(running)

    prices = [row.price for row in heard if type(row).__name__ == "Trade"]
    bids = [row.bid_price for row in heard if type(row).__name__ == "Quote"]
    assert [Decimal(str(price)) for price in prices] == [trade.price for trade in trades]
    assert [Decimal(str(bid)) for bid in bids] == [quote.bid for quote in quotes]
    assert [type(row).__name__ for row in heard].count("Bar") == 1


@pytest.mark.parametrize("compress", [False, True])
async def test_alpaca_py_hears_what_becomes_of_its_order(compress):
    heard = []

    async def keep(update):
        heard.append(update)

    async with Exchange(venues=["alpaca_trading"], seed=3) as exchange:
        exchange.streams.settings.compress = compress
        keys = exchange.alpaca_key, exchange.alpaca_secret
        url = exchange.addresses.alpaca_trading_stream
        peer = TradingStream(*keys, url_override=url, websocket_params=PARAMS)
        peer.subscribe_trade_updates(keep)
        running = asyncio.create_task(peer._run_forever())
        await until(lambda: any(each.topics for each in exchange.streams.sessions))
        client = TradingClient(*keys, url_override=exchange.addresses.alpaca_trading)
        request = MarketOrderRequest(
            symbol="AAPL", qty=10, side=OrderSide.BUY, time_in_force=TimeInForce.DAY
        )
        order = await asyncio.to_thread(client.submit_order, request)
        await until(lambda: heard and heard[-1].event == "fill")
        (session,) = exchange.streams.sessions
        assert bool(session.socket._talk.extensions) is compress
        client._session.close()
        await stop(running)
        events = [(event.kind, event.id) for event in exchange.state.engine.events]

    assert [(str(update.event), str(update.execution_id)) for update in heard] == events
    assert {update.order.id for update in heard} == {order.id}
    assert (heard[-1].qty, heard[-1].position_qty) == (10, 10)
