"""How a connection is made: name, address, TCP, TLS.  Whatever fails here, nothing was sent."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpcore

from sentio_async.http.pool.connection import Connection
from sentio_async.http.pool.message import Origin, Request

__all__ = ["Judge", "open_connection"]

Judge = Callable[[str, int, float | None], Awaitable[Sequence[str]]]
"""The addresses of a host that may be connected to, found within so many seconds."""

_NEXT_ADDRESS = 0.25
"""After so many seconds without an answer the next address is tried as well (RFC 8305)."""


async def open_connection(
    connection: Connection,
    origin: Origin,
    request: Request,
    *,
    tls: ssl.SSLContext | None,
    judge: Judge | None,
) -> None:
    """Open it in time; raises ConnectError or ConnectTimeout of httpcore."""
    loop = asyncio.get_running_loop()
    until = min(loop.time() + request.waits.connect, request.expires_at)
    try:
        async with asyncio.timeout_at(None if until == math.inf else until):
            await _traced(request, "connection.connect_tcp.started", origin)
            await _open(connection, origin, tls, judge)
            await _traced(request, "connection.connect_tcp.complete", origin)
    except TimeoutError as exc:
        raise httpcore.ConnectTimeout("no connection in time") from exc
    except (OSError, ssl.SSLError, UnicodeError) as exc:
        raise httpcore.ConnectError(str(exc)) from exc


async def _traced(request: Request, event: str, origin: Origin) -> None:
    if request.trace is not None:
        await request.trace(event, {"host": origin.host, "port": origin.port})


async def _open(
    connection: Connection, origin: Origin, tls: ssl.SSLContext | None, judge: Judge | None
) -> None:
    if judge is None:
        await _connect(connection, origin, origin.host, tls)
        return
    failure: Exception | None = None
    for address in await judge(origin.host, origin.port, None):
        try:
            await _connect(connection, origin, address, tls)
        except OSError as exc:
            failure = exc
        else:
            return
    raise failure or OSError("the name has no address")


async def _connect(
    connection: Connection, origin: Origin, host: str, tls: ssl.SSLContext | None
) -> None:
    loop = asyncio.get_running_loop()
    more: dict[str, Any] = {}
    if tls is not None:
        more = {"ssl": tls, "server_hostname": origin.host}
    # A race of one has no use, and asyncio's (seen with Python 3.11) leaves the winner's socket
    # to the garbage collector when it is cancelled.
    if isinstance(loop, asyncio.BaseEventLoop) and not _is_address(host):
        more["happy_eyeballs_delay"] = _NEXT_ADDRESS
    await loop.create_connection(lambda: connection, host, origin.port, **more)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
