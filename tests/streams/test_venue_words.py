"""What the venues may say in several ways: frames, refusals, order books, compression."""

import asyncio

import pytest
from pydantic import SecretStr

from sentio_async import errors
from sentio_async.connectors.alpaca.broker import AlpacaBroker
from sentio_async.connectors.alpaca.data import AlpacaData
from sentio_async.connectors.alpaca.wire.stream import Keys
from sentio_async.connectors.alpaca.wire.stream_orders import AlpacaOrderDialect
from sentio_async.connectors.polygon.data import PolygonData
from sentio_async.connectors.polygon.wire.stream import PolygonDialect
from sentio_async.sim import Exchange
from sentio_async.streams import EVERYTHING, FeedState, Policy, Subscription, Topic, reports
from sentio_async.streams.dialect import Authenticated


@pytest.fixture
async def exchange():
    async with Exchange(seed=1) as running:
        yield running


async def until(is_so) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 (the exchange tells nobody)
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("frames", ["text", "binary", "msgpack"])
async def test_order_updates_are_read_from_every_kind_of_frame(exchange, monkeypatch, frames):
    if frames == "msgpack":
        given = AlpacaOrderDialect.__init__

        def begin(self, *parts, **options):
            given(self, *parts, **options)
            self.headers = {"content-type": "application/msgpack"}

        monkeypatch.setattr(AlpacaOrderDialect, "__init__", begin)
    else:
        exchange.streams.settings.trading_frames = frames
    events, updates = [], []
    async with AlpacaBroker(exchange.settings("alpaca"), listeners=[events.append]) as broker:
        stream = await broker.on_order_updates(updates.append).ready()
        order = await broker.place_order("AAPL", 2, "buy")
        await until(lambda: updates and updates[-1].order.is_final)
        assert stream.feeds[0].connections == 1
        await stream.aclose()

    assert {update.order.id for update in updates} == {order.id}
    assert sum(update.qty for update in updates if update.is_fill) == 2
    assert not any(update.is_reconciled for update in updates)
    assert not [event for event in events if isinstance(event, reports.FrameSkipped)]


async def test_a_plan_without_a_feed_is_final(exchange):
    exchange.state.plans["alpaca"] = "basic"
    data = AlpacaData({**exchange.settings("alpaca"), "stream_feed": "sip"})
    stream = data.stream_quotes("AAPL")
    with pytest.raises(errors.PermissionError, match="409"):
        await asyncio.wait_for(stream.ready(), 5)

    assert stream.feeds[0].state is FeedState.CLOSED
    assert stream.feeds[0].connections == 1
    await data.disconnect()


async def test_one_symbol_too_many_costs_only_itself(exchange):
    exchange.state.plans["alpaca"] = "basic"
    symbols = [one.symbol for one in exchange.state.market.instruments]
    symbols = [symbol for symbol in symbols if symbol.isalpha()][:32]
    events = []
    data = AlpacaData(exchange.settings("alpaca"), listeners=[events.append])
    stream = data.stream_quotes(*symbols)
    stream.start()
    await until(lambda: stream.feeds[0].confirmed == 30)
    await until(lambda: stream.feeds[0].state is FeedState.LIVE)

    refused = [event for event in events if isinstance(event, reports.TopicRefused)]
    assert {event.symbol for event in refused} == set(symbols[30:])
    assert all("405" in event.reason for event in refused)
    assert stream.feeds[0].connections == 1
    assert (await asyncio.wait_for(anext(stream), 5)).symbol in symbols[:30]
    await data.disconnect()


async def test_all_quotes_of_all_options_are_refused_once(exchange):
    data = AlpacaData({**exchange.settings("alpaca"), "options_feed": "indicative"})
    ((feed, _),) = data._streams.parts(["quotes"], ["AAPL261218C00100000"])
    stream = Subscription([(feed, (Topic("quotes", EVERYTHING),))], Policy.CONFLATE)
    with pytest.raises(errors.BadRequestError, match="413"):
        await asyncio.wait_for(stream.ready(), 5)

    assert stream.feeds[0].connections == 1
    await data.disconnect()


async def test_one_connection_too_many_waits_half_a_minute(exchange):
    first = AlpacaData(exchange.settings("alpaca"))
    await first.stream_quotes("AAPL").ready()
    second = AlpacaData(exchange.settings("alpaca"))
    stream = second.stream_quotes("AAPL")
    stream.start()
    await until(lambda: stream.feeds[0].state is FeedState.BACKOFF)

    assert "406" in stream.feeds[0].reason
    seconds = float(stream.feeds[0].reason.rpartition("again in ")[2].removesuffix(" s"))
    assert 30 <= seconds <= 60
    await first.disconnect()
    await second.disconnect()


async def test_order_books_begin_whole(exchange):
    async with AlpacaData(exchange.settings("alpaca")) as data:
        stream = data.stream_order_books("BTC/USD")
        first = await asyncio.wait_for(anext(stream), 5)
        exchange.state.clock.advance(60)
        second = await asyncio.wait_for(anext(stream), 5)
        await stream.aclose()

    assert first.symbol == second.symbol == "BTC/USD"
    assert first.is_whole
    assert first.bids[0].price < first.asks[0].price
    assert not second.is_whole


async def test_an_order_book_that_is_read_already_begins_whole_for_the_next_reader(exchange):
    async with AlpacaData(exchange.settings("alpaca")) as data, asyncio.timeout(10):
        early = data.stream_order_books("BTC/USD")
        assert (await anext(early)).is_whole
        late = data.stream_order_books("BTC/USD")

        assert (await anext(late)).is_whole
        assert (await anext(early)).is_whole
        assert late.feeds[0].connections == 1
        for stream in (early, late):
            await stream.aclose()


def test_words_that_are_no_words_are_no_trouble():
    (listening,) = AlpacaOrderDialect("", Keys()).decode(
        b'{"stream":"listening","data":{"streams":5}}'
    )
    assert AlpacaOrderDialect("", Keys()).understand(listening).topics == ()
    dialect = PolygonDialect("", SecretStr("key"), "stocks")
    (status,) = dialect.decode(b'[{"ev":"status","status":"auth_success","message":null}]')
    assert isinstance(dialect.understand(status), Authenticated)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [AlpacaData, PolygonData])
async def test_compression_that_is_offered_need_not_be_taken(exchange, kind):
    exchange.streams.settings.compress = True
    async with kind(exchange.settings("polygon" if kind is PolygonData else "alpaca")) as data:
        quote = await asyncio.wait_for(anext(data.stream_quotes("AAPL")), 5)

    assert quote.symbol == "AAPL"


@pytest.mark.parametrize("vendor", ["alpaca", "polygon"])
async def test_a_function_that_asks_for_what_was_cancelled_costs_no_connection(exchange, vendor):
    settings = exchange.settings(vendor)
    data = AlpacaData(settings) if vendor == "alpaca" else PolygonData(settings)
    heard = []

    def fails(row):
        raise asyncio.CancelledError

    bad = await data.on_quotes(fails, "AAPL").ready()
    await data.on_quotes(heard.append, "MSFT").ready()
    await until(lambda: bad.failures and heard)

    assert bad.feeds[0].connections == 1
    await data.disconnect()
