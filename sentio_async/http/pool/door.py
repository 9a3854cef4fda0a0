"""httpx's way in: the pool under a stock ``httpx.AsyncHTTPTransport`` is replaced by ours.

Everything that looks at requests on their way through httpx or httpcore still sees them.  What
this pool does not do goes to httpcore's own code, and so does everything once somebody has
replaced that code: respx and others patch it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterable
from contextvars import ContextVar
from typing import Any, cast

import httpcore
import httpx

from sentio_async.http.pool.connection import Connection
from sentio_async.http.pool.message import Origin, Reply, Request, Waits, head_of
from sentio_async.http.pool.pool import Pool
from sentio_async.http.pool.stream import Stream

__all__ = ["PORTS", "STOCK", "PoolUnderHttpx", "read_until"]

read_until: ContextVar[float] = ContextVar("read_until")
"""The loop time at which a request's own task stops to read: its reads end then at the latest."""

STOCK = httpcore.AsyncConnectionPool.handle_async_request
PORTS = {"http": 80, "https": 443}
_FOR_STOCK = frozenset({b"upgrade"})


class PoolUnderHttpx(httpcore.AsyncConnectionPool):
    """httpcore's pool as httpx sees it, and ``Pool`` inside."""

    def __init__(self, pool: Pool, **settings: Any) -> None:
        super().__init__(**settings)
        self.inner = pool

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """The answer's head; its body is read from the stream in it."""
        if httpcore.AsyncConnectionPool.handle_async_request is not STOCK or _is_unusual(request):
            return await super().handle_async_request(request)
        url = request.url
        scheme = url.scheme.decode("ascii")
        origin = Origin(scheme, url.host.decode("ascii"), url.port or PORTS[scheme])
        asked = _prepared(request)
        body = await _body_at_once(request)
        if body:
            asked.data += body
        lane = self.inner.lane(origin)
        connection = lane.take(asked) or await lane.acquire(asked)
        try:
            reply = await _ask(connection, asked, request if body is None else None)
        except (httpcore.RemoteProtocolError, httpcore.ReadError):
            if not (asked.is_repeatable and body is not None and connection.is_untouched):
                raise
            connection = await lane.acquire(asked)
            reply = await _ask(connection, asked, None)
        return _response(connection, *reply)

    async def aclose(self) -> None:
        """Close everything."""
        await self.inner.close()
        await super().aclose()


def _prepared(request: httpcore.Request) -> Request:
    waits = request.extensions.get("timeout", {})
    asked = Request(
        head_of(request.method, request.url.target, request.headers),
        waits=Waits(**{step: _seconds(waits.get(step)) for step in Waits.__slots__}),
        expires_at=read_until.get(math.inf),
        method=request.method.decode("latin-1"),
    )
    asked.trace = request.extensions.get("trace")
    return asked


def _seconds(wait: float | None) -> float:
    return math.inf if wait is None else wait


def _is_unusual(request: httpcore.Request) -> bool:
    return (
        request.url.scheme not in (b"http", b"https")
        or request.method == b"CONNECT"
        or "sni_hostname" in request.extensions
        or any(name.lower() in _FOR_STOCK for name, _ in request.headers)
    )


async def _body_at_once(request: httpcore.Request) -> bytes | None:
    """The body if it is there already; None when it comes in pieces."""
    if isinstance(request.stream, httpx.ByteStream):
        return b"".join([piece async for piece in request.stream])
    return None


async def _ask(
    connection: Connection, asked: Request, uploading: httpcore.Request | None
) -> tuple[Reply, Stream]:
    trace = asked.trace
    if trace is not None:
        await trace("http11.send_request_headers.started", {"request": None})
    stream = Stream(connection)
    waiter: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    connection.is_uploading = uploading is not None
    connection.ask(asked, waiter, stream)
    try:
        if uploading is not None:
            await _upload(connection, uploading)
            connection.is_uploading = False
        reply = await waiter
        if trace is not None:
            await trace("http11.send_request_headers.complete", {"return_value": None})
            told = (stream.version.encode(), reply.status, reply.reason, reply.fields)
            await trace("http11.receive_response_headers.complete", {"return_value": told})
    except BaseException:
        stream.close()
        raise
    return reply, stream


async def _upload(connection: Connection, request: httpcore.Request) -> None:
    is_chunked = any(
        name.lower() == b"transfer-encoding" and value.lower() == b"chunked"
        for name, value in request.headers
    )
    async for piece in cast("AsyncIterable[bytes]", request.stream):
        if piece:
            await connection.write(_chunk(piece) if is_chunked else piece)
    if is_chunked:
        await connection.write(b"0\r\n\r\n")


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def _response(connection: Connection, reply: Reply, stream: Stream) -> httpcore.Response:
    return httpcore.Response(
        status=reply.status,
        headers=reply.fields,
        content=stream,
        extensions={
            "http_version": b"HTTP/" + stream.version.encode(),
            "reason_phrase": reply.reason,
            "network_stream": _Socket(connection),
        },
    )


class _Socket(httpcore.AsyncNetworkStream):
    """What the connection knows of itself; it cannot be read or written past the pool."""

    def __init__(self, connection: Connection) -> None:
        self._transport = connection.transport

    def get_extra_info(self, info: str) -> Any:
        """``ssl_object``, ``client_addr``, ``server_addr``, ``socket``; None for others."""
        known = {"client_addr": "sockname", "server_addr": "peername"}.get(info, info)
        return self._transport.get_extra_info(known)
