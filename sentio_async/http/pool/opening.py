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

__all__ = ["Judge", "Lookup", "open_connection"]

Judge = Callable[[str, int, float | None], Awaitable[Sequence[str]]]
"""The addresses of a host that may be connected to, found within so many seconds."""


async def open_connection(
    connection: Connection,
    origin: Origin,
    request: Request,
    *,
    tls: ssl.SSLContext | None,
    lookup: Lookup,
) -> None:
    """Open it in time; raises ConnectError or ConnectTimeout of httpcore."""
    loop = asyncio.get_running_loop()
    until = min(loop.time() + request.waits.connect, request.expires_at)
    try:
        async with asyncio.timeout_at(None if until == math.inf else until):
            await _open(connection, origin, request, tls, lookup)
    except TimeoutError as exc:
        raise httpcore.ConnectTimeout("no connection in time") from exc
    except (OSError, ssl.SSLError, UnicodeError) as exc:
        raise httpcore.ConnectError(str(exc)) from exc


async def _open(
    connection: Connection,
    origin: Origin,
    request: Request,
    tls: ssl.SSLContext | None,
    lookup: Lookup,
) -> None:
    loop, trace = asyncio.get_running_loop(), request.trace
    more: dict[str, Any] = {} if tls is None else {"ssl": tls, "server_hostname": origin.host}
    taken: socket.socket | None = None
    try:
        async with told(trace, "connection.connect_tcp", {"request": None}):
            taken = await first_to_answer(await lookup.addresses())
        async with told(trace if more else None, "connection.start_tls", {"request": None}):
            # From here on it is the event loop's.
            given, taken = taken, None
            await loop.create_connection(lambda: connection, sock=given, **more)
    finally:
        if taken is not None:
            taken.close()


class Lookup:
    """The addresses of one host, looked up once for all who need them at the same time.

    Names are resolved in a few threads: a thousand look-ups at once take seconds.
    """

    def __init__(self, host: str, port: int, judge: Judge | None) -> None:
        self._host, self._port, self._judge = host, port, judge
        self._task: asyncio.Task[list[Address]] | None = None
        self._waiting = 0

    async def addresses(self) -> list[Address]:
        """Those to connect to, the first to be tried first; raises OSError."""
        host, port = self._host, self._port
        if self._judge is not None:
            found = await self._judge(host, port, None)
            return [(_family(each), (each, port)) for each in found]
        if _is_address(host):
            return [(_family(host), (host, port))]
        return await self._shared()

    async def _shared(self) -> list[Address]:
        task = self._task
        if task is None or task.done():
            look = addresses_of(self._host, self._port)
            self._task = task = asyncio.get_running_loop().create_task(look)
            self._waiting = 0
        self._waiting += 1
        try:
            return await asyncio.shield(task)
        finally:
            if task is self._task:
                self._waiting -= 1
                if not self._waiting:
                    task.cancel()
                    self._task = None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
