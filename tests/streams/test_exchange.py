"""Streams of both vendors against the embedded exchange, which nobody here has told how."""

import asyncio

import pytest

from sentio_async import errors
from sentio_async.connectors.alpaca import unheard
from sentio_async.connectors.alpaca.broker import AlpacaBroker
from sentio_async.connectors.alpaca.data import AlpacaData
from sentio_async.connectors.polygon.data import PolygonData
from sentio_async.models import OrderStatus
from sentio_async.sim import Exchange, FaultRule
from sentio_async.streams import reports


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


async def test_a_tracked_order_hears_of_its_end_from_the_stream(exchange):
    async with AlpacaBroker(settings(exchange)) as broker, asyncio.timeout(10):
        stream = await broker.on_order_updates(lambda _: None).ready()
        order = await broker.place_order("AAPL", 2, "buy")
        changes = [change async for change in broker.track_order(order, poll=60.0)]
        await stream.aclose()

    assert changes[-1].order.status is OrderStatus.FILLED


async def test_polygon_quotes_come(exchange):
    settings = {"api_key": "simulated-polygon-key", "base_url": exchange.addresses.polygon}
    async with PolygonData(settings) as data, asyncio.timeout(10):
        quote = await anext(data.stream_quotes("AAPL"))

    assert quote.symbol == "AAPL"
    assert quote.received_ns > quote.time_ns


async def until(is_so) -> None:
    while not is_so():  # noqa: ASYNC110 (the exchange tells nobody)
        await asyncio.sleep(0.005)


async def test_no_order_is_placed_while_nobody_hears_what_becomes_of_it(exchange):
    wanted = {**settings(exchange), "refuse_when_blind": True}
    async with AlpacaBroker(wanted) as broker, asyncio.timeout(10):
        with pytest.raises(errors.NoOrderUpdatesError):
            await broker.place_order("AAPL", 1, "buy")
        stream = await broker.on_order_updates(lambda _: None).ready()
        assert broker.hears_of_orders
        placed = await broker.place_order("AAPL", 1, "buy", intent_key="one")

        exchange.add_fault(FaultRule(kind="socket_mute", path="/stream", method="OPEN"))
        exchange.streams.hang_up("/stream")
        await until(lambda: not broker.hears_of_orders)
        posted = sum(request.method == "POST" for request in exchange.requests)
        with pytest.raises(errors.NoOrderUpdatesError) as refused:
            await broker.place_order("AAPL", 1, "buy", intent_key="two")

        assert refused.value.outcome is errors.Outcome.NOT_SENT
        assert broker.open_intents == []
        assert sum(request.method == "POST" for request in exchange.requests) == posted
        again = await broker.place_order("AAPL", 1, "buy", intent_key="one")
        assert again.id == placed.id
        await stream.aclose()


async def test_a_stream_that_is_mute_is_made_anew_and_loses_no_order(exchange, monkeypatch):
    monkeypatch.setattr(unheard, "_ON_ITS_WAY", 0.05)
    events, updates = [], []
    config = {**settings(exchange), "check_orders_every": 0.1}
    async with AlpacaBroker(config, listeners=[events.append]) as broker, asyncio.timeout(10):
        stream = await broker.on_order_updates(updates.append).ready()
        mute = FaultRule(kind="socket_mute", path="/stream", method="MESSAGE", times=1)
        exchange.add_fault(mute)
        order = await broker.place_order("AAPL", 2, "buy")
        await until(lambda: updates and updates[-1].order.is_final)
        await stream.aclose()

    assert [event.orders for event in events if isinstance(event, reports.UpdatesMissed)] == [1]
    assert sum(update.qty for update in updates if update.is_fill) == 2
    assert {update.order.id for update in updates} == {order.id}
    assert all(update.is_reconciled for update in updates)


@pytest.mark.parametrize("more", [{}, {"feed": "sip"}, {"stream_feed": "sip"}])
async def test_what_was_missed_of_one_tape_comes_from_the_same_tape(exchange, more):
    tape = "sip" if more else "iex"
    async with AlpacaData({**exchange.settings("alpaca"), **more}) as data, asyncio.timeout(10):
        stream = await data.stream_trades("AAPL").ready()
        exchange.streams.hang_up(f"/v2/{tape}")
        await until(lambda: any("/trades" in request.path for request in exchange.requests))
        feeds = [
            request.query.get("feed") for request in exchange.requests if "/trades" in request.path
        ]
        await stream.aclose()

    assert set(feeds) == {tape}
