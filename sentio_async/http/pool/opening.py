"""How a connection is made: name, address, TCP, TLS.  Whatever fails here, nothing was sent."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpcore

from sentio_async.dialling import Address, addresses_of, first_to_answer
from sentio_async.http.pool.connection import Connection
from sentio_async.http.pool.message import Origin, Request
from sentio_async.http.pool.telling import told

__all__ = ["Judge", "open_connection"]

Judge = Callable[[str, int, float | None], Awaitable[Sequence[str]]]
"""The addresses of a host that may be connected to, found within so many seconds."""


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
            await _open(connection, origin, request, tls, judge)
    except TimeoutError as exc:
        raise httpcore.ConnectTimeout("no connection in time") from exc
    except (OSError, ssl.SSLError, UnicodeError) as exc:
        raise httpcore.ConnectError(str(exc)) from exc


async def _open(
    connection: Connection,
    origin: Origin,
    request: Request,
    tls: ssl.SSLContext | None,
    judge: Judge | None,
) -> None:
    loop, trace = asyncio.get_running_loop(), request.trace
    more: dict[str, Any] = {} if tls is None else {"ssl": tls, "server_hostname": origin.host}
    taken: socket.socket | None = None
    try:
        async with told(trace, "connection.connect_tcp", {"request": None}):
            taken = await first_to_answer(await _addresses(origin, judge))
        async with told(trace if more else None, "connection.start_tls", {"request": None}):
            # From here on it is the event loop's.
            given, taken = taken, None
            await loop.create_connection(lambda: connection, sock=given, **more)
    finally:
        if taken is not None:
            taken.close()


async def _addresses(origin: Origin, judge: Judge | None) -> list[Address]:
    host, port = origin.host, origin.port
    if judge is not None:
        found = await judge(host, port, None)
        return [(_family(each), (each, port)) for each in found]
    if _is_address(host):
        return [(_family(host), (host, port))]
    return await addresses_of(host, port)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
