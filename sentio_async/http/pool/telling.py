"""The steps of a request, told in httpcore's words to whoever has put a ``trace`` into it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from sentio_async.http.pool.message import Reply, Request, Trace
from sentio_async.http.pool.stream import Stream

if TYPE_CHECKING:
    from sentio_async.http.pool.connection import Connection

__all__ = ["ask_told", "told"]


@asynccontextmanager
async def told(
    trace: Trace | None, step: str, info: dict[str, Any]
) -> AsyncIterator[dict[str, Any]]:
    """Tell when the step begins and how it ends; ``return_value`` is put into what is yielded."""
    result: dict[str, Any] = {"return_value": None}
    if trace is None:
        yield result
        return
    await trace(f"{step}.started", info)
    try:
        yield result
    except Exception as exc:
        await trace(f"{step}.failed", {"exception": exc})
        raise
    await trace(f"{step}.complete", result)


async def ask_told(
    connection: Connection, asked: Request, upload: AsyncIterable[bytes] | None
) -> tuple[Reply, Stream]:
    """Send it and get the head of the answer, and its body's stream, step by step."""
    trace, info = cast("Trace", asked.trace), {"request": None}
    stream = _ToldStream(connection, trace)
    waiter: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    connection.is_uploading = upload is not None
    try:
        async with told(trace, "http11.send_request_headers", info):
            connection.ask(asked, waiter, stream)
        async with told(trace, "http11.send_request_body", info):
            if upload is not None:
                await connection.upload(upload)
        async with told(trace, "http11.receive_response_headers", info) as result:
            reply = await waiter
            version = b"HTTP/" + stream.version.encode()
            result["return_value"] = (version, reply.status, reply.reason, reply.fields)
    except BaseException:
        await stream.aclose()
        raise
    return reply, stream


class _ToldStream(Stream):
    __slots__ = ("_is_begun", "_is_told", "_trace")

    def __init__(self, connection: Connection, trace: Trace) -> None:
        super().__init__(connection)
        self._trace = trace
        self._is_begun = self._is_told = False

    async def read(self) -> bytes:
        step, info = "http11.receive_response_body", {"request": None}
        if not self._is_begun:
            self._is_begun = True
            await self._trace(f"{step}.started", info)
        try:
            piece = await super().read()
        except Exception as exc:
            await self._trace(f"{step}.failed", {"exception": exc})
            raise
        if not piece:
            await self._trace(f"{step}.complete", {"return_value": None})
        return piece

    async def aclose(self) -> None:
        if self._is_told:
            self.close()
            return
        self._is_told = True
        async with told(self._trace, "http11.response_closed", {}):
            self.close()
