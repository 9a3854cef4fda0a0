"""What things cost that happen beside the calls: decorators, a cache, construction, import.

The decorators wrap a function that does nothing; its own cost is taken off, of the peers' too.
"""

import asyncio
import statistics
import subprocess
import sys
import time

from sentio_async.resilience import (
    Bulkhead,
    CircuitBreaker,
    Limiter,
    Pipeline,
    RetryBudget,
    RetryPolicy,
    TTLCache,
    Window,
    Work,
    circuit_breaker,
    rate_limit,
    retry,
)
from tests.benchmarks.measure import Row, interleaved, spread

PLENTY = 10**9
"""More than is ever called."""
BRIEFLY = 0.001
"""Seconds of a window, so that no more is remembered than of a quota that a vendor has."""
DECORATORS = {
    "costs.decorators": ("ours", None, 0.7),
    "costs.retry": ("retry", "tenacity", None),
    "costs.retry_stamina": ("retry", "stamina", None),
    "costs.breaker": ("breaker", "purgatory", None),
    "costs.limiter": ("limiter", "aiolimiter", None),
    "costs.pipeline": ("pipeline", None, None),
}
CACHE_HIT, CACHE_TARGET = "costs.cache_hit", 1.0
CONNECTOR, CONNECTOR_TARGET = "costs.connector", 500.0
IMPORTS = {
    "costs.import": ("import sentio_async", 110.0),
    "costs.import_hub": ("from sentio_async import ConnectorHub", None),
}
KEY = {"api_key": "PK" + "K" * 18, "api_secret": "S" * 40}


async def nothing():
    """The function that is decorated."""


def _ours():
    once = RetryPolicy()
    limiter = Limiter([Window(PLENTY, BRIEFLY)])
    pipeline = Pipeline(
        retry=once,
        breaker=CircuitBreaker(),
        limiter=limiter,
        bulkhead=Bulkhead(100),
        budget=RetryBudget(),
    )
    work = Work(connector="bench", operation="nothing")

    async def attempt(_expires_at):
        return await nothing()

    def piped():
        return pipeline.run(attempt, work, within=30.0)

    limited = rate_limit(Limiter([Window(PLENTY, BRIEFLY)]))
    return {
        "nothing": nothing,
        "retry": retry(once)(nothing),
        "breaker": circuit_breaker()(nothing),
        "limiter": limited(nothing),
        "ours": retry(once)(circuit_breaker()(limited(nothing))),
        "pipeline": piped,
    }


def _theirs():
    import purgatory
    import stamina
    import tenacity
    from aiolimiter import AsyncLimiter

    bucket = AsyncLimiter(PLENTY, 1.0)

    async def limited():
        async with bucket:
            return await nothing()

    return {
        "tenacity": tenacity.retry(stop=tenacity.stop_after_attempt(3))(nothing),
        "stamina": stamina.retry(on=OSError)(nothing),
        "purgatory": purgatory.AsyncCircuitBreakerFactory()("bench")(nothing),
        "aiolimiter": limited,
    }


def _burst(function):
    async def run(count, _):
        for _ in range(count):
            await function()

    return run


async def _decorators(settings, wanted):
    functions = {**_ours(), **_theirs()}
    slow = ("tenacity", "stamina")
    clients = {
        name: (_burst(function), 1_000 if name in slow else 10_000)
        for name, function in functions.items()
    }
    figures = await interleaved(clients, settings, 1)

    def beyond(name):
        pairs = zip(figures[name], figures["nothing"], strict=True)
        return [one - other for one, other in pairs]

    for bench in wanted:
        mine, peer, target = DECORATORS[bench]
        theirs = None if peer is None else statistics.median(beyond(peer))
        values = beyond(mine)
        middle = statistics.median(values)
        yield Row(bench, middle, theirs, "us CPU/call beyond", target, spread(values))


async def _cache_hit(settings):
    cache = TTLCache(60.0)
    cache.put("AAPL", 1)

    async def hit():
        return await cache.get_or_load("AAPL", nothing)

    values = (await interleaved({"hit": (_burst(hit), 10_000)}, settings, 1))["hit"]
    return Row(
        CACHE_HIT, statistics.median(values), None, "us CPU/call", CACHE_TARGET, spread(values)
    )


async def _connector(settings):
    """The second one of its kind, and those after it."""
    from sentio_async import ConnectorHub

    numbers = iter(range(PLENTY))

    async def make():
        hub.create_data_provider("alpaca", {**KEY, "name": f"number {next(numbers)}"})

    async with ConnectorHub() as hub:
        await make()
        values = (await interleaved({"make": (_burst(make), 10)}, settings, 1))["make"]
    middle = statistics.median(values)
    return Row(CONNECTOR, middle, None, "us CPU", CONNECTOR_TARGET, spread(values))


def _import(bench, settings):
    """Milliseconds beyond an interpreter that imports nothing."""
    statement, target = IMPORTS[bench]

    def seconds(text):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", text], check=True, timeout=60)
        return time.perf_counter() - started

    values = [(seconds(statement) - seconds("pass")) * 1000 for _ in range(settings.rounds * 2)]
    return Row(bench, statistics.median(values), None, "ms beyond", target, spread(values))


async def _all(stream):
    return [row async for row in stream]


def rows(settings):
    """All rows of this set."""
    wanted = [bench for bench in DECORATORS if settings.wants(bench)]
    if wanted:
        yield from asyncio.run(_all(_decorators(settings, wanted)))
    if settings.wants(CACHE_HIT):
        yield asyncio.run(_cache_hit(settings))
    if settings.wants(CONNECTOR):
        yield asyncio.run(_connector(settings))
    for bench in IMPORTS:
        if settings.wants(bench):
            yield _import(bench, settings)
