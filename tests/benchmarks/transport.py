"""The transport alone, the session on top of it, and httpx's door to it."""

import asyncio
import os
import statistics
import time
from contextlib import AsyncExitStack

import httpx

from sentio_async.config import ConnectorConfig
from sentio_async.http.auth import HeaderAuth
from sentio_async.http.client import Resources, open_client
from sentio_async.http.endpoint import Api, Parts
from sentio_async.http.exchange import exchange
from sentio_async.http.listening import unheard
from sentio_async.http.outgoing import Outgoing, Place
from sentio_async.http.pool import Request
from sentio_async.http.session import Session
from sentio_async.resilience.limiter import Priority
from tests.benchmarks import raw
from tests.benchmarks.measure import Row, interleaved, row, spread
from tests.benchmarks.servers import delayed_server, quote_server

PATH = "/v2/stocks/AAPL/quotes/latest?feed=iex"
LATENCY = 0.1
DOOR_TARGETS = {1: 0.33, 10: 0.25, 100: 0.09}

api = Api("bench", priority=Priority.ACCOUNT)


@api.get("/v2/stocks/{symbol}/quotes/latest", returns=dict)
def quote(symbol: str) -> Parts:
    """The latest quote."""
    return Parts(path={"symbol": symbol}, query={"feed": "iex"})


class _Config(ConnectorConfig):
    vendor = "bench"


def a_session(url, client):
    resources = Resources(client=client)
    auth = HeaderAuth({"apca-api-key-id": _secret("k"), "apca-api-secret-key": _secret("s")})
    config = _Config(max_in_flight=1000)
    return Session(config, url, auth=auth, resources=resources, has_orders=False)


def _secret(letter):
    from pydantic import SecretStr

    return SecretStr(letter * 20)


def burst(call):
    """Runs so many calls, so many at a time."""

    async def run(count, concurrency):
        if concurrency == 1:
            for _ in range(count):
                await call()
            return
        numbers = iter(range(count))

        async def worker():
            for _ in numbers:
                await call()

        await asyncio.gather(*(worker() for _ in range(concurrency)))

    return run


async def raw_calls(url, concurrency, stack, path=PATH):
    """The least that so many GETs at a time cost."""
    connections = await raw.connect(url, concurrency)
    data = raw.request(url, path)
    stack.callback(lambda: [connection.close() for connection in connections])

    async def run(count, _):
        numbers = iter(range(count))

        async def worker(connection):
            for _ in numbers:
                await connection.ask(data)

        if len(connections) == 1:
            await worker(connections[0])
            return
        await asyncio.gather(*(worker(connection) for connection in connections))

    return run


def _exchange(url, client):
    place, tasks = Place(url, _Config().timeouts), set()
    loop = asyncio.get_running_loop()

    async def call():
        outgoing = Outgoing(place, "GET", PATH, {"k": "v"}, None, 1 << 20, Priority.QUOTES)
        return await exchange(client, outgoing, loop.time() + 30, tasks, tasks.add)

    return call


def _pool(url, client):
    place = Place(url, _Config().timeouts)
    data = raw.request(url, PATH)
    loop = asyncio.get_running_loop()

    def call():
        request = Request(data, waits=place.waits, expires_at=loop.time() + 30, limit=1 << 20)
        return unheard(client).lane(place.origin).exchange(request)

    return call


def _stock(concurrency):
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    return httpx.AsyncClient(limits=limits, trust_env=False)


async def each_client(url, concurrency, stack):
    """Each with its share of the calls in a hundred: slow ones need fewer to be measured."""
    ours = await stack.enter_async_context(open_client())
    stock = await stack.enter_async_context(_stock(concurrency))
    mine, theirs = a_session(url, ours), a_session(url, stock)
    clients = {
        "raw": (await raw_calls(url, concurrency, stack), 1000),
        "pool": (burst(_pool(url, ours)), 1000),
        "exchange": (burst(_exchange(url, ours)), 1000),
        "session": (burst(lambda: mine.send(quote("AAPL"))), 500),
        "door": (burst(lambda: ours.get(url + PATH)), 200),
        "stock": (burst(lambda: stock.get(url + PATH)), 100),
        "session on stock": (burst(lambda: theirs.send(quote("AAPL"))), 100),
    }
    try:
        import aiohttp
    except ImportError:
        return clients
    connector = aiohttp.TCPConnector(limit=concurrency)
    other = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))

    async def get():
        async with other.get(url + PATH) as answer:
            return await answer.read()

    return {**clients, "aiohttp": (burst(get), 400)}


async def _compare(url, settings, concurrency):
    async with AsyncExitStack() as stack:
        clients = await each_client(url, concurrency, stack)
        figures = await interleaved(clients, settings, concurrency)
    at = f"c{concurrency}"
    pairs = [
        (f"transport.pool.{at}", "pool", "raw", 1.35),
        (f"transport.exchange.{at}", "exchange", "raw", None),
        (f"transport.session.{at}", "session", "session on stock", 0.1),
        (f"transport.session_raw.{at}", "session", "raw", 2.0 if concurrency == 1 else None),
        (f"transport.door.{at}", "door", "stock", DOOR_TARGETS[concurrency]),
        (f"transport.stock_raw.{at}", "stock", "raw", None),
    ]
    if "aiohttp" in clients:
        pairs.append(
            (f"transport.aiohttp.{at}", "session", "aiohttp", 0.6 if concurrency == 100 else None)
        )
    return [row(bench, figures, *rest) for bench, *rest in pairs if settings.wants(bench)]


async def _gather_raw(url, settings):
    """What a burst takes with nothing but sockets: as much as the machine allows just now."""
    connections, data = await raw.connect(url, 1000), raw.request(url, PATH)
    times = []
    for _ in range(settings.rounds):
        started = time.perf_counter()
        await asyncio.gather(*(each.ask(data) for each in connections))
        times.append((time.perf_counter() - started) * 1000)
    for each in connections:
        each.close()
    wall = statistics.median(times)
    return Row("transport.gather1000.raw", wall, LATENCY * 1000, "ms", None, spread(times))


async def _gather(url, settings):
    client = open_client()
    session = a_session(url, client)
    place = _exchange(url, client)
    rows = [await _gather_raw(url, settings)]
    for name, call in (("exchange", place), ("session", lambda: session.send(quote("AAPL")))):
        await asyncio.gather(*(call() for _ in range(1000)))
        before = client.pool.opened
        times = []
        for _ in range(settings.rounds):
            started = time.perf_counter()
            await asyncio.gather(*(call() for _ in range(1000)))
            times.append((time.perf_counter() - started) * 1000)
        wall = statistics.median(times)
        bench = f"transport.gather1000.{name}"
        rows.append(Row(bench, wall, LATENCY * 1000, "ms", 1.5, spread(times)))
        opened = client.pool.opened - before
        rows.append(Row(f"{bench}.opened", opened, None, "connections", 0))
    await client.aclose()
    return rows


def rows(settings):
    """All rows of this set."""
    if settings.pin:
        os.sched_setaffinity(0, {0})
    if any(map(settings.wants, _names())):
        with quote_server(pin=settings.pin) as url:
            for concurrency in DOOR_TARGETS:
                yield from asyncio.run(_compare(url, settings, concurrency))
    if settings.wants("transport.gather1000"):
        with delayed_server(LATENCY) as url:
            yield from asyncio.run(_gather(url, settings))


def _names():
    kinds = ("pool", "exchange", "session", "session_raw", "door", "stock_raw", "aiohttp")
    return [f"transport.{kind}.c{c}" for kind in kinds for c in DOOR_TARGETS]
