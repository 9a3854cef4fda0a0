"""Long answers page after page, the next one asked for before the one that came is decoded.

Where the next page is stands in the last bytes of a page.  What is read from there is a guess: it
only lets a request leave early, and the decoded page has the say.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextvars import copy_context
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.http.endpoint import Call
from sentio_async.resilience.deadline import remaining, replace_deadline
from sentio_async.resilience.ending import look_at
from sentio_async.resilience.patience import is_patient, wait_out

__all__ = ["PagesAhead", "Walk", "pages_of", "text_near_the_end"]

P = TypeVar("P")

_TAIL = 2_048
_TEXT = re.compile(rb'"\s*:\s*("(?:[^"\\]|\\.)*")')


class Walk(Protocol[P]):
    """Which call comes after which; it does no I/O."""

    def first(self) -> Call[P] | None:
        """The call for the first page; None when nothing is wanted."""
        ...

    def peek(self, call: Call[P], body: bytes) -> Call[P] | None:
        """The call after this one, if its bytes tell and no row of them can change that."""
        ...

    def next(self, call: Call[P], page: P) -> Call[P] | None:
        """The call after this one, which gave this page; None when it was the last."""
        ...


class _Wanted(Generic[P]):
    """A page that is wanted, and what has been done about it."""

    __slots__ = ("call", "is_asked", "is_certain", "task")

    def __init__(self, call: Call[P], *, is_certain: bool = True) -> None:
        self.call = call
        self.is_asked = False
        self.task: asyncio.Task[P] | None = None
        self.is_certain = asyncio.Event()
        """The decoded page before it leads to it."""
        if is_certain:
            self.is_certain.set()


class PagesAhead(Generic[P]):
    """Pages in order: ``take`` each of them, and ``leave`` at the end or before it.

    ``at_once`` pages are held or under way at a time, the one taken last included; with 1, a page
    is asked for when it is taken.  Requests made ahead have no deadline but their own, whoever
    takes them waits no longer than its ``with_deadline`` allows.
    """

    def __init__(
        self,
        send: Callable[[Call[P]], Awaitable[P]],
        walk: Walk[P],
        *,
        at_once: int = 2,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._send = send
        self._walk = walk
        self._at_once = at_once
        self._clock = clock
        first = walk.first()
        # In order; only the last can be one that is not asked for yet.
        self._line = [] if first is None else [_Wanted(first)]
        self._is_reading = False

    async def take(self) -> P | None:
        """The next page, or None after the last; a failure on the way to it is raised."""
        self._is_reading = False
        if not self._line:
            return None
        first = self._line[0]
        if first.task is None:
            first.is_asked = True
            page = await self._fetch(first)
        else:
            self._look_ahead()
            page = await self._taken(first, first.task)
        self._line.pop(0)
        self._is_reading = True
        self._look_ahead()
        return page

    async def leave(self) -> None:
        """Let go of the pages that are under way; none is when this returns."""
        left, self._line = self._line, []
        await _drop(left)

    async def _taken(self, wanted: _Wanted[P], task: asyncio.Task[P]) -> P:
        was_early = task.done()
        try:
            return await self._result_of(task)
        except errors.ConnectorError as exc:
            if not was_early or exc.outcome is not errors.Outcome.NOT_SENT:
                raise
        # There was no quota for it when nobody waited; there may be some now.
        return await self._fetch(wanted)

    async def _result_of(self, task: asyncio.Task[P]) -> P:
        left = remaining(self._clock)
        if left != math.inf:
            await asyncio.wait((task,), timeout=left)
            if not task.done():
                raise errors.DeadlineExceededError("no time left to wait for the next page")
        return await task

    async def _fetch(self, wanted: _Wanted[P]) -> P:
        call = wanted.call.heard_by(partial(self._hear, wanted))
        if is_patient():
            page = await wait_out(partial(self._send, call), clock=self._clock)
        else:
            page = await self._send(call)
        # It can be here before the page that leads to it, if that one had to be asked for again.
        await wanted.is_certain.wait()
        await self._go_on(wanted, self._walk.next(wanted.call, page))
        return page

    async def _hear(self, wanted: _Wanted[P], body: bytes) -> None:
        """The bytes of a page have come; decoding them waits until the next request has left."""
        is_last = bool(self._line) and self._line[-1] is wanted
        if is_last and wanted.is_certain.is_set() and self._has_room_for(len(self._line) + 1):
            call = self._walk.peek(wanted.call, body)
            if call is not None:
                self._line.append(_Wanted(call, is_certain=False))
                self._look_ahead()
                await asyncio.sleep(0)  # for the task that sends it

    async def _go_on(self, wanted: _Wanted[P], call: Call[P] | None) -> None:
        place = self._line.index(wanted) + 1
        guessed = self._line[place:]
        if guessed and call is not None and guessed[0].call.target == call.target:
            guessed[0].is_certain.set()
            return
        del self._line[place:]
        await _drop(guessed)
        if call is not None:
            self._line.append(_Wanted(call))
            self._look_ahead()

    def _look_ahead(self) -> None:
        """Ask for the page that is next in line, if there is room for it."""
        if self._line and not self._line[-1].is_asked and self._has_room_for(len(self._line)):
            wanted = self._line[-1]
            wanted.is_asked = True
            context = copy_context()
            context.run(replace_deadline, None)
            loop = asyncio.get_running_loop()
            wanted.task = loop.create_task(self._fetch(wanted), context=context)
            wanted.task.add_done_callback(look_at)

    def _has_room_for(self, pages: int) -> bool:
        return pages + self._is_reading <= self._at_once


async def _drop(line: Iterable[_Wanted[Any]]) -> None:
    tasks = [wanted.task for wanted in line if wanted.task is not None]
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


async def pages_of(
    send: Callable[[Call[P]], Awaitable[P]],
    walk: Walk[P],
    *,
    at_once: int = 2,
    clock: Clock = SYSTEM_CLOCK,
) -> AsyncGenerator[P, None]:
    """Every page; whoever leaves before the end closes it (``contextlib.aclosing``)."""
    ahead = PagesAhead(send, walk, at_once=at_once, clock=clock)
    try:
        while (page := await ahead.take()) is not None:
            yield page
            del page
    finally:
        await ahead.leave()


def text_near_the_end(body: bytes, name: bytes) -> str | None:
    """The last text under this name in the last bytes of a JSON answer; None if there is none."""
    at = body.rfind(b'"' + name + b'"', max(0, len(body) - _TAIL))
    found = None if at < 0 else _TEXT.match(body, at + 1 + len(name))
    if found is None:
        return None
    try:
        text: str = json.loads(found[1])
    except ValueError:
        return None
    return text
