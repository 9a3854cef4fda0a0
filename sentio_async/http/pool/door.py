"""httpx's way in: the pool under a stock ``httpx.AsyncHTTPTransport`` is replaced by ours.

Everything that looks at requests on their way through httpx or httpcore still sees them.  What
this pool does not do goes to httpcore's own code, and so does everything once somebody has
replaced that code: respx and others patch it.
"""

from __future__ import annotations

import asyncio
import functools
import math
from collections.abc import AsyncIterable, Mapping
from contextvars import ContextVar
from typing import Any

import httpcore
import httpx

from sentio_async.http.pool.connection import Connection
from sentio_async.http.pool.lane import Lane
from sentio_async.http.pool.message import Fields, Origin, Reply, Request, Waits, head_of
from sentio_async.http.pool.outlet import check_length, in_chunks, length_said, of_length
from sentio_async.http.pool.pool import Pool
from sentio_async.http.pool.stream import Stream
from sentio_async.http.pool.telling import ask_told

__all__ = [
    "PORTS",
    "STOCK",
    "PoolUnderHttpx",
    "begin",
    "is_unusual",
    "prepared",
    "read_until",
    "told_of",
]

read_until: ContextVar[float] = ContextVar("read_until")
"""The loop time at which a request's own task stops to read: its reads end then at the latest."""

STOCK = httpcore.AsyncConnectionPool.handle_async_request
PORTS = {"http": 80, "https": 443}
_NO_TIMEOUT: Mapping[str, float | None] = {}


class PoolUnderHttpx(httpcore.AsyncConnectionPool):
    """httpcore's pool as httpx sees it, and ``Pool`` inside."""

    def __init__(self, pool: Pool, **settings: Any) -> None:
        super().__init__(**settings)
        self.inner = pool

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """The answer's head; its body is read from the stream in it."""
        url, headers = request.url, request.headers
        scheme = url.scheme.decode("ascii")
        if (
            httpcore.AsyncConnectionPool.handle_async_request is not STOCK
            or "sni_hostname" in request.extensions
            or is_unusual(request.method.decode("latin-1"), scheme, headers)
        ):
            return await super().handle_async_request(request)
        origin = Origin(scheme, url.host.decode("ascii"), url.port or PORTS[scheme])
        asked = prepared(request.method, url.target, headers, request.extensions)
        reply, stream = await begin(self.inner.lane(origin), asked, request.stream, headers)
        return httpcore.Response(
            status=reply.status,
            headers=reply.fields,
            content=stream,
            extensions=told_of(reply, stream),
        )

    async def aclose(self) -> None:
        """Close everything."""
        await self.inner.close()
        await super().aclose()


def is_unusual(method: str, scheme: str, headers: Fields) -> bool:
    """Something that only httpcore can do, or that it refuses in its own words."""
    if scheme not in PORTS or method == "CONNECT":
        return True
    names = [name.lower() for name, _ in headers]
    return b"upgrade" in names or b"host" not in names


def prepared(
    method: bytes, target: bytes, headers: Fields, extensions: Mapping[str, Any]
) -> Request:
    """The request as it goes on the wire, without its body; LocalProtocolError if it cannot."""
    waits = extensions.get("timeout", _NO_TIMEOUT)
    return Request(
        data=head_of(method, target, headers),
        waits=_waits(*map(waits.get, Waits.__slots__)),
        expires_at=read_until.get(math.inf),
        method=method.decode("latin-1"),
        trace=extensions.get("trace"),
    )


@functools.lru_cache(maxsize=16)
def _waits(*seconds: float | None) -> Waits:
    return Waits(*(math.inf if wait is None else wait for wait in seconds))


async def begin(lane: Lane, asked: Request, body: Any, headers: Fields) -> tuple[Reply, Stream]:
    """The head of the answer, and the stream that its body comes in."""
    upload: AsyncIterable[bytes] | None = None
    length = length_said(headers)
    if length is None:
        upload = in_chunks(body)
    elif isinstance(body, httpx.ByteStream):
        content = b"".join(body)
        check_length(len(content), length)
        asked.data += content
    else:
        upload = of_length(body, length)
    connection = lane.take() or await lane.acquire(asked)
    try:
        return await _ask(connection, asked, upload)
    except (httpcore.RemoteProtocolError, httpcore.ReadError):
        if not (asked.is_repeatable and upload is None and connection.is_untouched):
            raise
    return await _ask(await lane.acquire(asked), asked, None)


async def _ask(
    connection: Connection, asked: Request, upload: AsyncIterable[bytes] | None
) -> tuple[Reply, Stream]:
    if asked.trace is not None:
        return await ask_told(connection, asked, upload)
    stream = Stream(connection)
    waiter: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    connection.is_uploading = upload is not None
    connection.ask(asked, waiter, stream)
    try:
        if upload is not None:
            await connection.upload(upload)
        return await waiter, stream
    except BaseException:
        stream.close()
        raise


def told_of(reply: Reply, stream: Stream) -> dict[str, Any]:
    """What httpx's users find in an answer's ``extensions``."""
    return {
        "http_version": b"HTTP/" + stream.version.encode(),
        "reason_phrase": reply.reason,
        "network_stream": _Socket(stream.connection),
    }


class _Socket(httpcore.AsyncNetworkStream):
    """What the connection knows of itself; it cannot be read or written past the pool."""

    def __init__(self, connection: Connection) -> None:
        self._transport = connection.transport

    def get_extra_info(self, info: str) -> Any:
        """``ssl_object``, ``client_addr``, ``server_addr``, ``socket``; None for others."""
        known = {"client_addr": "sockname", "server_addr": "peername"}.get(info, info)
        return self._transport.get_extra_info(known)
