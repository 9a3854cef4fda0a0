"""Streams of both vendors against the embedded exchange, which nobody here has told how."""

import asyncio

import pytest

from sentio_async.connectors.alpaca.broker import AlpacaBroker
from sentio_async.connectors.alpaca.data import AlpacaData
from sentio_async.connectors.polygon.data import PolygonData
from sentio_async.models import OrderStatus
from sentio_async.sim import Exchange


@pytest.fixture
async def exchange():
    async with Exchange(seed=1) as running:
        yield running


def settings(exchange: Exchange) -> dict[str, str]:
    (pair,) = [each for (vendor, _), each in exchange.state.keys.items() if vendor == "alpaca"]
    return {
        "api_key": pair.key,
        "api_secret": pair.secret,
        "base_url": exchange.addresses.alpaca_trading,
        "data_url": exchange.addresses.alpaca_data,
    }


async def test_alpaca_stocks_and_crypto_come_in_one_loop(exchange):
    async with AlpacaData(settings(exchange)) as data, asyncio.timeout(10):
        seen = set()
        async with data.stream_quotes("AAPL", "BTC/USD") as stream:
            async for quote in stream:
                seen.add((quote.symbol, quote.feed))
                if len(seen) == 2:
                    break

    assert seen == {("AAPL", "iex"), ("BTC/USD", "us")}


async def test_an_order_is_followed_from_its_birth_to_its_last_fill(exchange):
    async with (
        AlpacaBroker(settings(exchange)) as broker,
        asyncio.timeout(10),
        broker.stream_order_updates() as stream,
    ):
        await stream.ready()
        order = await broker.place_order("AAPL", 2, "buy")
        updates = []
        async for update in stream:
            updates.append(update)
            if update.order.is_final:
                break

    assert {update.order.id for update in updates} == {order.id}
    assert updates[-1].order.status is OrderStatus.FILLED
    assert sum(update.qty for update in updates if update.is_fill) == 2


async def test_polygon_quotes_come(exchange):
    settings = {"api_key": "simulated-polygon-key", "base_url": exchange.addresses.polygon}
    async with PolygonData(settings) as data, asyncio.timeout(10):
        quote = await anext(data.stream_quotes("AAPL"))

    assert quote.symbol == "AAPL"
    assert quote.received_ns > quote.time_ns
