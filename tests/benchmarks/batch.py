"""Many symbols, many connections: what they take in time, and whether a part costs the same."""

import asyncio
import gc
import os
import statistics
import time
from contextlib import AsyncExitStack
from functools import partial
from itertools import pairwise

from sentio_async.connectors.alpaca.data import AlpacaData
from sentio_async.connectors.polygon.data import PolygonData
from sentio_async.http.client import open_client
from tests.benchmarks.measure import Row, interleaved, spread
from tests.benchmarks.servers import quote_server
from tests.benchmarks.transport import a_session, burst, quote, raw_calls
from tests.benchmarks.vendors import END, KEY, QUOTA, SECRET, START
from tests.benchmarks.venues import symbols, venue

LATENCY = 0.05
PER_SECOND = 100
"""What Massive advises to stay under, and the connector's default."""
FLAT = 1.2
SIZES = (10, 100, 1_000, 10_000)


def _contracts(count):
    """So many option symbols, of Alpaca's spelling."""
    return [f"AAPL260320C{number:08}" for number in range(100_000, 100_000 + count)]


def _alpaca(url, **settings):
    key = {"api_key": KEY, "api_secret": SECRET, "data_requests_per_minute": QUOTA}
    return AlpacaData({**key, "data_url": url, "base_url": url, **settings})


async def _clients(url, stack):
    alpaca = _alpaca(url)
    massive = PolygonData({"api_key": KEY, "base_url": url, "requests_per_minute": QUOTA})
    metered = PolygonData({"api_key": KEY, "base_url": url})
    return [await stack.enter_async_context(each) for each in (alpaca, massive, metered)]


async def _timed(call, rounds):
    """Milliseconds of each round, connections warm."""
    await call()
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        await call()
        times.append((time.perf_counter() - started) * 1_000)
    return times


async def _walls(url, settings):
    rows = []
    async with AsyncExitStack() as stack:
        alpaca, massive, metered = await _clients(url, stack)
        thousand, contracts = symbols(1_000), _contracts(1_000)
        calls = {
            "batch.wall.alpaca.quotes1000": lambda: alpaca.get_quotes(thousand),
            "batch.wall.alpaca.options1000": lambda: alpaca.get_quotes(contracts),
            "batch.wall.massive.quotes1000": lambda: massive.get_quotes(thousand),
        }
        for bench, call in calls.items():
            if settings.wants(bench):
                found = await call()
                if not found.is_complete:
                    raise RuntimeError(f"{bench}: {len(found.errors)} symbols failed")
                times = await _timed(call, _TRIES)
                wall = min(times)
                rows.append(Row(bench, wall, LATENCY * 1_000, _BEST, 1.3, spread(times)))
        if settings.wants(_METERED):
            rows.append(await _metered(metered, thousand))
    return rows


_TRIES = 15
# Wall time is everybody's who shares the cores: what it can be is what the quickest took.
_BEST = f"ms, best of {_TRIES}"
_METERED = "batch.wall.massive.last1000"


async def _metered(massive, names):
    """Every quote is a request, and only so many may leave in any second."""
    await asyncio.sleep(1.1)  # what connecting took of the quota is free again
    started = time.perf_counter()
    await asyncio.gather(*map(massive.get_quote, names))
    wall = time.perf_counter() - started
    optimum = (len(names) - 1) // PER_SECOND + LATENCY
    return Row(_METERED, wall * 1_000, optimum * 1_000, "ms", 1.1)


async def _ahead(url, settings):
    """A hundred thousand bars in ten pages, a page ahead of the reader and none."""
    figures = {}
    async with AsyncExitStack() as stack:
        for pages in (1, 2):
            data = _alpaca(url, pages_at_once=pages)
            await stack.enter_async_context(data)
            read = partial(data.get_bars, "SPY", "1Min", start=START, end=END)
            figures[pages] = await _timed(read, min(settings.rounds, 3))
    return _beside("batch.wall.alpaca.bars100000", figures[2], figures[1], "ms", None)


async def _single(url, settings):
    """CPU of one call: alone, and side by side with 99 others, shared with them and not."""
    rows = []
    names = symbols(100)
    async with AsyncExitStack() as stack:
        clients = {}
        for is_on in (True, False):
            data = await stack.enter_async_context(_alpaca(url, coalesce=is_on))
            clients["alone", is_on] = (_one_by_one(data.get_quote, names), 100)
            clients["together", is_on] = (_side_by_side(data.get_quote, names), 100)
        figures = await interleaved(clients, settings, 100)
    for how in ("alone", "together"):
        found, peer = figures[how, True], figures[how, False]
        rows.append(_beside(f"batch.single.{how}", found, peer, "us CPU/call", None))
    return rows


def _one_by_one(call, names):
    async def run(count, _):
        for number in range(count):
            await call(names[number % len(names)])

    return run


def _side_by_side(call, names):
    async def run(count, _):
        for _ in range(count // len(names)):
            await asyncio.gather(*map(call, names))

    return run


async def _sizes(url, settings):
    """CPU of a symbol in batches of ten times as many each time."""
    async with AsyncExitStack() as stack:
        alpaca, *_ = await _clients(url, stack)

        def calling(size):
            names = symbols(size)

            async def run(count, _):
                for _ in range(count):
                    await alpaca.get_quotes(names)

            return run

        clients = {size: (calling(size), 1_000 / size) for size in SIZES}
        clients = {size: (run, max(1, int(share))) for size, (run, share) in clients.items()}
        figures = await interleaved(clients, settings, 1)
    each = {size: [figure / size for figure in found] for size, found in figures.items()}
    pairs = [(less, more, f"batch.symbols.{more}") for less, more in pairwise(SIZES)]
    return [
        _beside(bench, each[more], each[less], "us CPU/symbol", FLAT)
        for less, more, bench in pairs
        if settings.wants(bench)
    ]


async def _connections(url, settings):
    """CPU of a call when so many are under way, and when so many connections are open."""
    async with AsyncExitStack() as stack:
        clients = {}
        for name, at_once in (("few", 10), ("many", 1_000)):
            call = await _session(url, stack)
            limit = await raw_calls(url, at_once, stack)
            await call(3 * at_once, at_once)
            clients[name] = (_at(call, at_once), _CALLS)
            clients[f"{name} raw"] = (_at(limit, at_once), _CALLS)
            clients[f"{name} idle"] = (_at(call, 10), _CALLS)
            clients[f"{name} gc off"] = (_uncollected(call, at_once), _CALLS)
        figures = await interleaved(clients, settings, 1)
    kinds = {"": "busy", " gc off": "busy_gc_off", " idle": "idle", " raw": "raw"}
    found = []
    for kind, bench in kinds.items():
        ours, peer = figures[f"many{kind}"], figures[f"few{kind}"]
        target = None if kind == " raw" else FLAT
        found.append(_beside(f"batch.connections.{bench}", ours, peer, "us CPU/call", target))
    return [row for row in found if settings.wants(row.bench)]


_CALLS = 2_000
"""Calls of a round, in a hundredth of those asked for: a thousand workers are many tasks."""


async def _session(url, stack):
    client = await stack.enter_async_context(open_client())
    session = a_session(url, client)
    return burst(lambda: session.send(quote("AAPL")))


def _at(call, at_once):
    async def run(count, _):
        await call(count, at_once)

    return run


def _uncollected(call, at_once):
    async def run(count, _):
        gc.disable()
        try:
            await call(count, at_once)
        finally:
            gc.enable()

    return run


def _beside(bench, ours, before, unit, target):
    middle = statistics.median(ours)
    return Row(bench, middle, statistics.median(before), unit, target, spread(ours))


def _wants(settings, prefix):
    return not settings.names or any(
        name.startswith(prefix) or prefix.startswith(name) for name in settings.names
    )


def rows(settings):
    """All rows of this set."""
    if settings.pin and _wants(settings, "batch"):
        os.sched_setaffinity(0, {0})
    if _wants(settings, "batch.wall"):
        with venue(LATENCY) as url:
            yield from asyncio.run(_walls(url, settings))
            if settings.wants("batch.wall.alpaca.bars100000"):
                yield asyncio.run(_ahead(url, settings))
    if _wants(settings, "batch.single"):
        with venue() as url:
            yield from asyncio.run(_single(url, settings))
    if _wants(settings, "batch.symbols"):
        with venue() as url:
            yield from asyncio.run(_sizes(url, settings))
    if _wants(settings, "batch.connections"):
        with quote_server(pin=settings.pin) as url:
            yield from asyncio.run(_connections(url, settings))
