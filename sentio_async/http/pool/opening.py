"""How a connection is made: name, address, TCP, TLS.  Whatever fails here, nothing was sent."""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import math
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpcore

from sentio_async.http.pool.connection import Connection
from sentio_async.http.pool.message import Origin, Request
from sentio_async.http.pool.telling import told

__all__ = ["Judge", "open_connection"]

Judge = Callable[[str, int, float | None], Awaitable[Sequence[str]]]
"""The addresses of a host that may be connected to, found within so many seconds."""

Address = tuple[int, Any]
"""A family, and the address as sockets of that family take it."""

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
            taken = await _first_to_answer(await _addresses(origin, judge))
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
    loop = asyncio.get_running_loop()
    rows = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return _alternating([(row[0], row[4]) for row in rows])


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _alternating(addresses: list[Address]) -> list[Address]:
    """One of each family after the other, the preferred family first."""
    first = [each for each in addresses if each[0] == addresses[0][0]]
    others = [each for each in addresses if each[0] != addresses[0][0]]
    pairs = itertools.zip_longest(first, others)
    return [each for pair in pairs for each in pair if each is not None]


async def _first_to_answer(addresses: Sequence[Address]) -> socket.socket:
    """A socket connected to one of them; the sockets to the others are closed."""
    if len(addresses) == 1:
        return await _dialled(*addresses[0])
    # asyncio's own race (seen with Python 3.11) leaves sockets to the garbage collector when it
    # is cancelled.
    failure = OSError("the name has no address")
    waiting = list(reversed(addresses))
    calls: set[asyncio.Task[socket.socket]] = set()
    try:
        while waiting or calls:
            if waiting:
                calls.add(asyncio.create_task(_dialled(*waiting.pop())))
            patience = _NEXT_ADDRESS if waiting else None
            done, _ = await asyncio.wait(
                calls, timeout=patience, return_when=asyncio.FIRST_COMPLETED
            )
            for call in done:
                calls.discard(call)
                try:
                    return call.result()
                except OSError as exc:
                    failure = exc
    finally:
        for call in calls:
            call.cancel()
            call.add_done_callback(_hang_up)
    raise failure


async def _dialled(family: int, address: Any) -> socket.socket:
    # With the protocol named: only then does asyncio send small writes at once (TCP_NODELAY).
    ours = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        ours.setblocking(False)
        await asyncio.get_running_loop().sock_connect(ours, address)
    except BaseException:
        ours.close()
        raise
    return ours


def _hang_up(call: asyncio.Task[socket.socket]) -> None:
    if not call.cancelled() and call.exception() is None:
        call.result().close()
