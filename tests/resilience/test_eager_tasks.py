"""Where a loop's tasks begin at once (Python 3.12), the same is promised."""

import asyncio

from eager import eager_tasks
from sentio_async.resilience import with_deadline
from sentio_async.resilience.cache import SingleFlight
from sentio_async.resilience.coalescing import Coalescer


async def test_those_who_ask_in_the_same_turn_go_together():
    asked = []

    async def alone(key):
        asked.append(key)
        await asyncio.sleep(0)
        return key

    async def together(keys):
        asked.append(tuple(keys))
        await asyncio.sleep(0)
        return {key: key for key in keys}

    quotes = Coalescer(alone, together)
    with eager_tasks():
        got = await asyncio.gather(*map(quotes.get, range(4)))

    assert got == [0, 1, 2, 3]
    assert asked == [0, (1, 2, 3)]


async def test_what_is_done_at_once_is_heard_by_who_is_in_a_hurry():
    async def work():
        return "done"

    with eager_tasks(), with_deadline(5):
        assert await SingleFlight().run("key", work) == "done"
