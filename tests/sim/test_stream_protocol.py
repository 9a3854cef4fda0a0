"""The vendors' stream protocols, word by word, with a raw client."""

import asyncio
import json
import time
from datetime import UTC, datetime

import msgspec
import pytest
from websockets.asyncio.client import connect

from sentio_async.sim.clock import SimClock
from sentio_async.sim.exchange import Exchange

NOW = datetime(2025, 6, 18, 18, 30, 15, tzinfo=UTC)


@pytest.fixture
async def exchange():
    async with Exchange(clock=SimClock(NOW, is_running=False), seed=3) as exchange:
        yield exchange


def a_client(exchange, path, **headers):
    at = exchange.addresses
    url = (at.alpaca_data_stream if path.startswith("/v") else at.polygon_stream) + path
    return connect(url, proxy=None, close_timeout=0.2, additional_headers=headers)


async def hear(ws):
    return json.loads(await asyncio.wait_for(ws.recv(), 1))


async def ask(ws, **message):
    await ws.send(json.dumps(message))
    return await hear(ws)


def keys(exchange):
    return {"key": exchange.alpaca_key, "secret": exchange.alpaca_secret}


async def test_alpaca_words_its_refusals(exchange):
    async with a_client(exchange, "/v2/iex") as ws:
        assert await hear(ws) == [{"T": "success", "msg": "connected"}]
        codes = [(await ask(ws, action="subscribe", trades=["AAPL"]))[0]["code"]]
        await ask(ws, action="auth", **keys(exchange))
        codes.append((await ask(ws, action="auth", **keys(exchange)))[0]["code"])
        codes.append((await ask(ws, action="subscribe", news=["AAPL"]))[0]["code"])
        codes.append((await ask(ws, action="dance"))[0]["code"])
        async with a_client(exchange, "/v2/iex") as second:
            await hear(second)
            codes.append((await ask(second, action="auth", **keys(exchange)))[0]["code"])
        async with a_client(exchange, "/v2/iex") as third:
            await hear(third)
            codes.append((await ask(third, action="auth", key="x", secret="y"))[0]["code"])

    assert codes == [401, 403, 410, 400, 406, 402]


async def test_alpaca_lists_all_subscriptions_and_adds_those_of_trades(exchange):
    async with a_client(exchange, "/v2/test") as ws:
        await hear(ws)
        await ask(ws, action="auth", **keys(exchange))
        await ask(ws, action="subscribe", trades=["FAKEPACA"])
        (both,) = await ask(ws, action="subscribe", bars=["*"])
        exchange.state.clock.advance(5)
        rows = await hear(ws)

    assert (both["trades"], both["bars"]) == (["FAKEPACA"], ["*"])
    assert both["corrections"] == both["cancelErrors"] == ["FAKEPACA"]
    assert {(row["T"], row["S"]) for row in rows} == {("t", "FAKEPACA")}


async def test_headers_open_a_msgpack_stream_of_options(exchange):
    headers = {
        "APCA-API-KEY-ID": exchange.alpaca_key,
        "APCA-API-SECRET-KEY": exchange.alpaca_secret,
        "Content-Type": "application/msgpack",
    }
    async with a_client(exchange, "/v1beta1/indicative", **headers) as ws:
        said = [msgspec.msgpack.decode(await ws.recv())[0]["msg"] for _ in range(2)]
    async with a_client(exchange, "/v1beta1/opra") as ws:
        (refused,) = await hear(ws)

    assert said == ["connected", "authenticated"]
    assert refused["code"] == 412


async def test_who_does_not_say_who_he_is_is_sent_away(exchange):
    exchange.streams.settings.auth_seconds = 0.02
    async with a_client(exchange, "/v2/iex") as ws, a_client(exchange, "/stocks") as other:
        await hear(ws)
        await hear(other)
        assert (await hear(ws))[0]["code"] == 404
        assert (await hear(other))[0]["status"] == "auth_timeout"


async def test_polygon_grants_everything_before_it_counts_connections(exchange):
    said = []
    async with a_client(exchange, "/stocks") as one, a_client(exchange, "/stocks") as two:
        for ws in (one, two):
            await hear(ws)
            await ask(ws, action="auth", params=exchange.polygon_key)
            said.append(await ask(ws, action="subscribe", params="T.AAPL,XX.AAPL,T.NOBODY,A.*"))
        (last,) = await hear(two)
        await two.wait_closed()
        code = two.close_code

    topics = ["subscribed to: T.AAPL", "subscribed to: A.*"]
    assert [[row["message"] for row in rows] for rows in said] == [topics, topics]
    assert (last["status"], code) == ("max_connections", 1008)


async def test_halts_and_corrections_are_told(exchange):
    async with a_client(exchange, "/v2/sip") as ws:
        await hear(ws)
        await ask(ws, action="auth", **keys(exchange))
        await ask(ws, action="subscribe", trades=["AAPL"], statuses=["*"])
        exchange.streams.halt("AAPL")
        exchange.streams.cancel("AAPL")
        exchange.streams.correct("AAPL", exchange.state.market.price("AAPL") + 1)
        kinds = [(await hear(ws))[0]["T"] for _ in range(3)]

    assert kinds == ["s", "x", "c"]


async def test_stopping_is_quick_with_clients_on_every_stream():
    async with Exchange(seed=3) as exchange:
        opened = [await a_client(exchange, path) for path in ("/v2/sip", "/stocks", "/crypto")]
        began = time.perf_counter()
    took = time.perf_counter() - began
    for ws in opened:
        await ws.wait_closed()

    assert took < 0.3
    assert [ws.close_code for ws in opened] == [1001] * 3
