"""After `connect`, the first call finds everything open; after `warm`, a burst does."""

import asyncio
import json
import socket

import pytest

from scripted_server import answer, serving
from sentio_async import errors
from sentio_async.connectors.alpaca.broker import AlpacaBroker
from sentio_async.connectors.alpaca.data import AlpacaData
from sentio_async.connectors.polygon.data import PolygonData
from sentio_async.http.client import open_client

KEY = {"api_key": "PK" + "K" * 18, "api_secret": "S" * 40}
ROW = {"t": "2026-01-02T15:04:05.5Z", "ap": 2, "as": 1, "bp": 1, "bs": 1}
NBBO = {"T": "AAPL", "P": 2, "S": 1, "p": 1, "s": 1, "t": 1_742_342_400_000_000_000}
STATUS = {
    "afterHours": False, "earlyHours": False, "market": "open",
    "serverTime": "2026-10-08T11:10:21-04:00", "currencies": {"crypto": "open", "fx": "open"},
    "exchanges": {"nasdaq": "open", "nyse": "open", "otc": "open"},
}  # fmt: skip


def body_of(target):
    if "/meta/" in target:
        return {"V": "IEX"}
    if "/marketstatus/" in target:
        return STATUS
    if "/v2/last/" in target:
        return {"status": "OK", "request_id": "r", "results": {**NBBO, "T": target.split("/")[-1]}}
    return {"symbol": target.split("/")[3], "quote": ROW}


async def talk(peer, server):
    while (request := await peer.request()) is not None:
        target = request.split(b" ")[1].decode()
        server.requests.append(target)
        # All of a burst are under way before the first is answered.
        await asyncio.sleep(0.02)
        await peer.send(answer(json.dumps(body_of(target)).encode()))


def a_client(name, url, **more):
    if name == "alpaca":
        settings = {**KEY, "data_url": url, "base_url": url, "coalesce": False}
        return AlpacaData(settings, **more)
    return PolygonData({"api_key": "K" * 20, "base_url": url}, **more)


@pytest.mark.parametrize("name", ["alpaca", "polygon"])
async def test_the_first_quote_after_connecting_opens_nothing(name):
    async with serving(talk) as server, a_client(name, server.url) as data:
        assert server.connections == 1

        await data.get_quote("AAPL")

        assert server.connections == 1
        assert len(server.requests) == 2


@pytest.mark.own_pool
@pytest.mark.parametrize("name", ["alpaca", "polygon"])
async def test_a_burst_finds_the_connections_that_were_opened_for_it(name):
    async with serving(talk) as server, a_client(name, server.url) as data:
        await data.warm(8)
        assert server.connections == 8

        await data.warm(5)
        await asyncio.gather(*(data.get_quote(symbol) for symbol in "ABCDEFGH"))

        assert server.connections == 8
        assert data._resources.client.pool.idle == 8


@pytest.mark.own_pool
async def test_warming_sends_nothing_and_needs_no_connect():
    async with serving(talk) as server:
        data = a_client("alpaca", server.url)
        await data.warm(3)

        assert (server.connections, server.requests) == (3, [])
        await data.disconnect()


async def test_a_client_of_somebody_else_is_left_alone():
    async with serving(talk) as server, open_client(stock=True) as client:
        data = a_client("alpaca", server.url, client=client)
        await data.warm(3)

        assert server.connections == 0


@pytest.mark.own_pool
async def test_a_host_that_is_not_there_is_an_error():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        broker = AlpacaBroker({**KEY, "base_url": url})
        with pytest.raises(errors.ConnectionError):
            await broker.warm(2)
        assert broker._resources.client.pool.busy == 0
        await broker.disconnect()


@pytest.mark.own_pool
async def test_warming_that_is_cancelled_leaves_no_place_taken():
    async with serving(talk) as server:
        data = a_client("alpaca", server.url)
        task = asyncio.create_task(data.warm(3))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait((task,))

        assert data._resources.client.pool.busy == 0
        await data.warm(2)
        assert data._resources.client.pool.idle == 2
        await data.disconnect()
