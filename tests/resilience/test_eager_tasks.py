"""Where a loop's tasks begin at once (Python 3.12), the same is promised."""

import asyncio
import contextvars
import types
from contextlib import contextmanager

from sentio_async.resilience import with_deadline
from sentio_async.resilience.cache import SingleFlight
from sentio_async.resilience.coalescing import Coalescer


def begun_at_once(loop, work, *, context=None, **more):
    """A task whose first step is done already; as Python 3.12 has it, for 3.11 too."""
    context = context or contextvars.copy_context()
    try:
        waits_for = context.run(work.send, None)
    except StopIteration as end:
        return asyncio.Task(_said(end.value), loop=loop, context=context, **more)
    return asyncio.Task(_go_on(work, waits_for), loop=loop, context=context, **more)


async def _said(value):
    return value


async def _go_on(work, waits_for):
    @types.coroutine
    def rest():
        yield waits_for
        return (yield from work)

    return await rest()


@contextmanager
def eager_tasks():
    loop = asyncio.get_running_loop()
    loop.set_task_factory(getattr(asyncio, "eager_task_factory", begun_at_once))
    try:
        yield
    finally:
        loop.set_task_factory(None)


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
