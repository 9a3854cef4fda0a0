"""A storm of cancelled and timed-out requests: afterwards everything must work as before.

Stock httpx 0.28.1, cancelled directly, answers every request with PoolTimeout after some 900
cancellations; by way of our session, which never cancels anything inside it, it survives as well.
"""

import asyncio
import gc
import random
import time

import psutil

from sentio_async import errors
from sentio_async.config import ConnectorConfig
from sentio_async.http.auth import NoAuth
from sentio_async.http.client import Resources, open_client
from sentio_async.http.endpoint import Api, Parts
from sentio_async.http.session import Session
from tests.chaos.server import SlowServer

STOCK_IS_SLOWER = 8
"""Times, with twenty requests side by side."""

api = Api("storm")


@api.get("/thing", returns=dict)
def thing(number: int) -> Parts:
    """One small answer; the number keeps requests apart."""
    return Parts(query={"n": number})


class _Config(ConnectorConfig):
    vendor = "storm"


async def _one(
    session: Session, number: int, luck: random.Random, tally: dict[str, int], longest: float
) -> None:
    patience = luck.random() * longest
    way = luck.randrange(4)
    try:
        if way == 0:
            task = asyncio.create_task(session.send(thing(number), timeout=5))
            await asyncio.sleep(patience)
            task.cancel()
            await task
        elif way == 1:
            async with asyncio.timeout(patience):
                await session.send(thing(number), timeout=5)
        elif way == 2:
            await session.send(thing(number), timeout=max(patience, 0.0005), retry=None)
        else:
            await asyncio.wait_for(session.send(thing(number)), patience)
        tally["answered"] += 1
    except (asyncio.CancelledError, TimeoutError, errors.ConnectorError):
        tally["given_up"] += 1


async def storm(
    count: int, pool: int, seed: int, url: str, *, stock: bool = False
) -> dict[str, object]:
    """Run it, on stock httpx if asked to; gives what is left afterwards."""
    process = psutil.Process()
    before_tasks, before_fds = len(asyncio.all_tasks()), process.num_fds()
    client = open_client(connections=pool, stock=stock)
    resources = Resources(client=client)
    config = _Config(max_in_flight=pool, breaker_failures=1_000_000_000)
    session = Session(config, url, auth=NoAuth(), resources=resources)
    luck = random.Random(seed)
    # About half of them get their answer in time: the fuller the pool, the longer that takes.
    longest = (0.005 + 0.0005 * pool) * (STOCK_IS_SLOWER if stock else 1)
    tally = {"answered": 0, "given_up": 0}
    numbers = iter(range(count))
    started = time.perf_counter()

    async def worker() -> None:
        for number in numbers:
            await _one(session, number, luck, tally, longest)

    await asyncio.gather(*(worker() for _ in range(pool * 2)))
    seconds = time.perf_counter() - started
    fresh = [session.send(thing(-1 - n), timeout=5, retry=None) for n in range(20)]
    answers = await asyncio.gather(*fresh, return_exceptions=True)
    left = {task for task in resources.tasks if not task.done()}
    if left:
        await asyncio.wait(left, timeout=15)
    await client.aclose()
    await asyncio.sleep(0.05)
    gc.collect()
    return {
        "count": count,
        "pool": pool,
        "seed": seed,
        **tally,
        "seconds": round(seconds, 2),
        "fresh_ok": sum(1 for answer in answers if answer == {"ok": True}),
        "leaked_tasks": len(asyncio.all_tasks()) - before_tasks,
        "leaked_fds": process.num_fds() - before_fds,
        "leaked_permits": session.in_flight,
    }


def run(count: int, pool: int, seed: int, *, stock: bool = False) -> dict[str, object]:
    """The whole storm, with its server; one JSON-ready object."""
    with SlowServer(seed) as url:
        return asyncio.run(storm(count, pool, seed, url, stock=stock))


def is_clean(result: dict[str, object]) -> bool:
    """Twenty of twenty fresh requests succeed and nothing is left."""
    leaks = (result["leaked_tasks"], result["leaked_fds"], result["leaked_permits"])
    return result["fresh_ok"] == 20 and not any(leaks)
