"""Connectors of one hub with the same login have one connection for each feed."""

import asyncio

import pytest

from sentio_async import ConnectorHub
from sentio_async.sim import Exchange


@pytest.fixture
async def exchange():
    async with Exchange(seed=1) as running:
        yield running


async def until(is_so) -> None:
    while not is_so():  # noqa: ASYNC110 (the exchange tells nobody)
        await asyncio.sleep(0.005)


async def test_two_data_connectors_share_a_feed_until_the_last_has_left(exchange):
    async with ConnectorHub() as hub, asyncio.timeout(10):
        first, second = (
            hub.create_data_provider("alpaca", exchange.settings("alpaca")) for _ in range(2)
        )
        await hub.connect()
        heard, others = [], first.stream_quotes("AAPL")
        await others.ready()
        second.on_quotes(heard.append, "AAPL", "MSFT")
        await until(lambda: {quote.symbol for quote in heard} == {"AAPL", "MSFT"})
        assert len(exchange.streams.at("/v2/*")) == 1
        assert first.get_stream_status()[0].connections == 1

        await first.disconnect()
        assert others.is_closed
        count = len(heard)
        await until(lambda: len(heard) > count)
        assert len(exchange.streams.at("/v2/*")) == 1

        await second.disconnect()
        await until(lambda: not exchange.streams.at("/v2/*"))


async def test_another_key_and_another_feed_are_another_connection(exchange):
    exchange.add_account("PKANOTHERKEYANOTHER1", "another-secret")
    settings = exchange.settings("alpaca")
    keys = {"api_key": "PKANOTHERKEYANOTHER1", "api_secret": "another-secret"}
    async with ConnectorHub() as hub, asyncio.timeout(10):
        for number, more in enumerate(({}, keys, {"feed": "sip"})):
            data = hub.create_data_provider("alpaca", {**settings, **more, "name": str(number)})
            await data.stream_quotes("AAPL").ready()

            assert len(exchange.streams.at("/v2/*")) == number + 1


async def test_two_brokers_of_one_account_hear_the_same_updates(exchange):
    async with ConnectorHub() as hub, asyncio.timeout(10):
        first, second = (hub.create_broker("alpaca", exchange.settings("alpaca")) for _ in range(2))
        await hub.connect()
        heard = ([], [])
        streams = [
            await broker.on_order_updates(updates.append).ready()
            for broker, updates in zip((first, second), heard, strict=True)
        ]
        order = await first.place_order("AAPL", 1, "buy")
        await until(lambda: all(each and each[-1].order.is_final for each in heard))
        assert len(exchange.streams.at("/stream")) == 1
        assert {update.order.id for each in heard for update in each} == {order.id}

        await first.disconnect()
        assert streams[0].is_closed
        assert second.hears_of_orders
        await second.place_order("AAPL", 1, "buy")
        count = len(heard[0])
        await until(lambda: heard[1][-1].order.is_final)
        assert len(heard[0]) == count


@pytest.mark.slow
async def test_a_connector_that_has_left_may_come_back(exchange):
    async with ConnectorHub() as hub, asyncio.timeout(10):
        data = hub.create_data_provider("polygon", exchange.settings("polygon"))
        await data.connect()
        for _ in range(2):
            assert (await anext(data.stream_quotes("AAPL"))).symbol == "AAPL"
            await data.disconnect()
            await until(lambda: not exchange.streams.at("/stocks"))
