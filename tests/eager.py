"""A loop whose tasks begin at once, as Python 3.12 offers it, for every Python."""

import asyncio
import contextvars
import types
from contextlib import contextmanager


def begun_at_once(loop, work, *, context=None, **more):
    """A task whose first step is done already."""
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
    """Within this, the running loop makes eager tasks."""
    loop = asyncio.get_running_loop()
    loop.set_task_factory(getattr(asyncio, "eager_task_factory", begun_at_once))
    try:
        yield
    finally:
        loop.set_task_factory(None)
