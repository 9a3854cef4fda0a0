"""One request and its answer, in a task of their own.

httpx 0.28 loses pool slots for ever when a request is cancelled under contention, so nothing here
ever cancels one.  The caller may leave at any time; the request ends by its own limits, and what
was sent is known from httpcore's trace, not guessed from the exception's class.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from sentio_async import errors
from sentio_async.config import Timeouts
from sentio_async.errors import Outcome
from sentio_async.http.body import read_body
from sentio_async.http.client import AsyncClient, read_until
from sentio_async.http.endpoint import Answer
from sentio_async.http.problems import Evidence, forget_frames, from_exception

__all__ = ["Outgoing", "exchange"]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A signed request, and the limits of its answer."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    timeouts: Timeouts
    max_body: int

    def __repr__(self) -> str:
        return f"<Outgoing {self.method}>"


async def exchange(
    client: AsyncClient,
    outgoing: Outgoing,
    expires_at: float,
    tasks: set[asyncio.Task[Any]],
    on_left: Callable[[asyncio.Task[Any]], None],
) -> Answer:
    """The answer, whatever its status; raises ConnectorError with what is known of the request.

    Ends at ``expires_at`` (loop time) at the latest.  ``tasks`` holds the request while it lives;
    ``on_left`` is given it when its caller leaves before it has ended.
    """
    evidence = Evidence()
    task = asyncio.create_task(_perform(client, outgoing, expires_at, evidence))
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    task.add_done_callback(_look_at)
    left = expires_at - asyncio.get_running_loop().time()
    try:
        # Unlike wait_for, wait never cancels what it waits for.
        done, _ = await asyncio.wait((task,), timeout=max(0.0, left))
    finally:
        if not task.done():
            on_left(task)
    if not done:
        raise errors.DeadlineExceededError(
            "no whole answer within the time allowed", outcome=evidence.outcome, phase="read"
        )
    return task.result()


def _look_at(task: asyncio.Task[Any]) -> None:
    """Take note of the outcome, so that nobody warns of an exception that was never seen."""
    if not task.cancelled():
        task.exception()


async def _perform(
    client: AsyncClient, outgoing: Outgoing, expires_at: float, evidence: Evidence
) -> Answer:
    loop = asyncio.get_running_loop()

    def keep_going() -> None:
        if loop.time() >= expires_at:
            raise errors.DeadlineExceededError(
                "no whole answer within the time allowed", outcome=evidence.outcome, phase="read"
            )

    # Only this task sees it, and the reads of its own connection.
    read_until.set(expires_at)
    try:
        return await _ask(client, outgoing, expires_at, (evidence, keep_going))
    except Exception as exc:
        error = from_exception(exc, evidence)
        if error is None:
            raise
        is_late = error is not exc and loop.time() >= expires_at
    if is_late and error.outcome is Outcome.UNKNOWN:
        late = errors.DeadlineExceededError(
            "no whole answer within the time allowed", outcome=error.outcome, phase="read"
        )
        late.__notes__ = error.__notes__
        error = late
    # Not inside the except clause: the frames of httpx hold URLs and headers, and tools that
    # report errors show the locals of every frame.
    raise forget_frames(error)


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
        headers=outgoing.headers,
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
