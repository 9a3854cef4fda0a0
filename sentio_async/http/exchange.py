"""One request and its answer: straight through our pool, or through httpx's door.

Through httpx a request runs in a task of its own that nobody cancels while it may still end: httpx
0.28 loses pool slots for ever when a request is cancelled under contention.  Our pool loses
nothing, so a read needs no task there; a write has one all the same, so that its outcome is seen
when its caller leaves, unless its caller is such a task itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import httpx

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.http.answer import Answer
from sentio_async.http.body import read_body, unpack
from sentio_async.http.client import AsyncClient, read_until
from sentio_async.http.listening import unheard
from sentio_async.http.outgoing import Outgoing
from sentio_async.http.pool import Pool, Request
from sentio_async.http.problems import Evidence, forget_frames, from_exception
from sentio_async.resilience.ending import look_at

__all__ = ["Outgoing", "exchange"]

OnLeft = Callable[[asyncio.Task[Any]], None]

GRACE = 30.0
"""So long after its time a request through somebody else's client is cancelled, in seconds: some
keep to no timeout, and it holds its place until it ends."""

_log = logging.getLogger("sentio_async")


def exchange(
    client: AsyncClient,
    outgoing: Outgoing,
    expires_at: float,
    tasks: set[asyncio.Task[Any]],
    on_left: OnLeft,
) -> Coroutine[Any, Any, Answer]:
    """The answer, whatever its status; raises ConnectorError with what is known of the request.

    Ends at ``expires_at`` (loop time) at the latest.  ``tasks`` holds the request while it lives;
    ``on_left`` is given it when its caller leaves before it has ended.
    """
    pool = unheard(client)
    request = None if pool is None else outgoing.prepared(expires_at)
    if pool is None or request is None:
        return _through_httpx(client, outgoing, expires_at, (tasks, on_left))
    direct = _direct(pool, outgoing, request)
    return _in_a_task(direct, tasks, on_left) if outgoing.needs_task else direct


async def _through_httpx(
    client: AsyncClient,
    outgoing: Outgoing,
    expires_at: float,
    keeping: tuple[set[asyncio.Task[Any]], OnLeft],
) -> Answer:
    tasks, on_left = keeping
    evidence = Evidence()
    task = _start(_perform(client, outgoing, expires_at, evidence), tasks)
    return await _outlast(task, expires_at, evidence, on_left)


async def _in_a_task(
    work: Coroutine[Any, Any, Answer], tasks: set[asyncio.Task[Any]], on_left: OnLeft
) -> Answer:
    task = _start(work, tasks)
    try:
        return await asyncio.shield(task)
    finally:
        if not task.done():
            on_left(task)


def _start(work: Any, tasks: set[asyncio.Task[Any]]) -> asyncio.Task[Answer]:
    task = asyncio.get_running_loop().create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    task.add_done_callback(look_at)
    return task


async def _outlast(
    task: asyncio.Task[Answer], expires_at: float, evidence: Evidence, on_left: OnLeft
) -> Answer:
    loop = asyncio.get_running_loop()
    left = expires_at - loop.time()
    try:
        # Unlike wait_for, wait never cancels what it waits for.
        done, _ = await asyncio.wait((task,), timeout=max(0.0, left))
    finally:
        if not task.done():
            on_left(task)
            end = loop.call_at(expires_at + GRACE, task.cancel)
            task.add_done_callback(lambda _: end.cancel())
    if not done:
        raise _late(evidence.outcome)
    return task.result()


async def _direct(pool: Pool, outgoing: Outgoing, request: Request) -> Answer:
    """The answer, by way of our pool and of nothing else."""
    try:
        status, _, fields, body = await pool.lane(outgoing.place.origin).exchange(request)
        answer = Answer.of(status, fields, body)
        encoding = answer.notes.get("content-encoding")
        if encoding is not None:
            answer.body = unpack(body, encoding, limit=outgoing.max_body)
    except Exception as exc:
        error = _explained(exc, Evidence.of(request), request.expires_at)
        if error is None:
            raise
    else:
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("%s %s answered %d", outgoing.method, outgoing.url, status)
        return answer
    # Not inside the except clause: the frames underneath hold URLs and headers, and tools that
    # report errors show the locals of every frame.
    raise forget_frames(error)


async def _perform(
    client: AsyncClient, outgoing: Outgoing, expires_at: float, evidence: Evidence
) -> Answer:
    loop = asyncio.get_running_loop()

    def keep_going() -> None:
        if loop.time() >= expires_at:
            raise _late(evidence.outcome)

    # Only this task sees it, and the reads of its own connection.
    read_until.set(expires_at)
    try:
        return await _ask(client, outgoing, expires_at, (evidence, keep_going))
    except Exception as exc:
        error = _explained(exc, evidence, expires_at)
        if error is None:
            raise
    raise forget_frames(error)


def _explained(
    exc: Exception, evidence: Evidence, expires_at: float
) -> errors.ConnectorError | None:
    error = from_exception(exc, evidence)
    if error is None or error is exc or error.outcome is not Outcome.UNKNOWN:
        return error
    if asyncio.get_running_loop().time() < expires_at:
        return error
    late = _late(Outcome.UNKNOWN)
    late.__notes__ = error.__notes__
    return late


def _late(outcome: Outcome) -> errors.DeadlineExceededError:
    return errors.DeadlineExceededError(
        "no whole answer within the time allowed", outcome=outcome, phase="read"
    )


async def _ask(
    client: AsyncClient,
    outgoing: Outgoing,
    expires_at: float,
    witness: tuple[Evidence, Callable[[], None]],
) -> Answer:
    evidence, keep_going = witness
    left = expires_at - asyncio.get_running_loop().time()
    request = _build(client, outgoing, left, evidence)
    response = await client.send(request, stream=True, auth=None, follow_redirects=False)
    try:
        body = await _body_of(response, outgoing.max_body, keep_going)
    finally:
        await response.aclose()
    return Answer(response.status_code, _lower(response.headers), body)


def _build(
    client: AsyncClient, outgoing: Outgoing, left: float, evidence: Evidence
) -> httpx.Request:
    limits = outgoing.timeouts
    left = max(left, 0.001)
    return client.build_request(
        outgoing.method,
        outgoing.url,
        headers=outgoing.all_headers,
        content=outgoing.body,
        timeout=httpx.Timeout(
            connect=min(limits.connect, left),
            read=min(limits.read, left),
            write=min(limits.write, left),
            pool=min(limits.pool, left),
        ),
        extensions={"trace": evidence.note},
    )


async def _body_of(response: httpx.Response, limit: int, keep_going: Any) -> bytes:
    if response.is_stream_consumed:
        # Mocks and caches answer with a body that is there already, and decoded.
        body = response.content
        if len(body) > limit:
            raise errors.ResponseTooLargeError(f"answer is larger than {limit} bytes")
        return body
    return await read_body(
        response.aiter_raw(), response.headers, limit=limit, keep_going=keep_going
    )


def _lower(headers: httpx.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
