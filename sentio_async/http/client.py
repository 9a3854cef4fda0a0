"""The shared ``httpx.AsyncClient``, and everything else that connectors share.

One client for all connectors of a hub, opened on first use, closed when the last of them leaves.
A client that the user brings is used as it is and never closed here.
"""

from __future__ import annotations

import asyncio
import functools
import os
import ssl
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from typing import Any

import httpcore
import httpx
from httpx import AsyncClient

from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.events import Listener
from sentio_async.http.redaction import install_log_filters
from sentio_async.resilience.breaker import CircuitBreaker
from sentio_async.resilience.limiter import Limiters

__all__ = ["AsyncClient", "Resources", "open_client", "read_until"]

CONNECTIONS = 100
# httpcore looks at every idle connection whenever one is released: more than these, and a burst
# of a hundred calls takes two seconds instead of a quarter of one.
IDLE_CONNECTIONS = 20
KEEP_ALIVE = 30.0
DRAIN = 2.0
"""How long requests under way may take when a client is closed, in seconds."""

read_until: ContextVar[float] = ContextVar("read_until")
"""The loop time after which a request's own task stops to read, and at which its reads end."""


@functools.lru_cache(maxsize=1)
def _ssl_context() -> ssl.SSLContext:
    # Making one takes 18 ms; all clients of a process share it.
    return httpx.create_ssl_context(trust_env=False)


def open_client(
    *, connections: int = CONNECTIONS, backend: httpcore.AsyncNetworkBackend | None = None
) -> AsyncClient:
    """A client as this library uses it: no environment, no redirects, bounded reads.

    ``backend`` opens its connections (``http.guard`` brings one that checks every address).
    """
    limits = httpx.Limits(
        max_connections=connections,
        max_keepalive_connections=min(connections, IDLE_CONNECTIONS),
        keepalive_expiry=KEEP_ALIVE,
    )
    transport = httpx.AsyncHTTPTransport(verify=_ssl_context(), limits=limits, trust_env=False)
    _read_with_an_end(transport, backend or httpcore.AnyIOBackend())
    return AsyncClient(
        transport=transport,
        trust_env=False,
        follow_redirects=False,
        headers={"accept-encoding": "gzip", "user-agent": "sentio-async"},
        timeout=httpx.Timeout(10.0),
    )


def _read_with_an_end(
    transport: httpx.AsyncHTTPTransport, backend: httpcore.AsyncNetworkBackend
) -> None:
    # httpx offers no way to choose how connections are opened; httpcore does.
    transport._pool._network_backend = _Backend(backend)  # noqa: SLF001


def _left(timeout: float | None) -> float | None:
    """The seconds one step may take: its own limit, and what is left of the whole call."""
    until = read_until.get(None)
    if until is None:
        return timeout
    left = until - asyncio.get_running_loop().time()
    if left <= 0:
        raise httpcore.ReadTimeout("the time for the whole call is over")
    return left if timeout is None else min(timeout, left)


class _Stream(httpcore.AsyncNetworkStream):
    """Reads that end in time: a server that sends one byte a second gains nothing by it."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(max_bytes, _left(timeout))

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.AsyncNetworkBackend):
    def __init__(self, backend: httpcore.AsyncNetworkBackend) -> None:
        self._backend = backend

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(
            await self._backend.connect_tcp(host, port, timeout, local_address, socket_options)
        )

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._backend.connect_unix_socket(path, timeout, socket_options))

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


class Resources:
    """What the connectors of one hub share: the client, limits, breakers, listeners, the clock."""

    def __init__(
        self,
        *,
        client: AsyncClient | None = None,
        backend: httpcore.AsyncNetworkBackend | None = None,
        listeners: Sequence[Listener] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.clock = clock
        self.listeners = list(listeners)
        self.limiters = Limiters()
        self.breakers: dict[tuple[str, ...], CircuitBreaker] = {}
        self.tasks: set[asyncio.Task[Any]] = set()
        """Requests under way; a caller may leave, its request ends by its own limits."""
        self._given = client
        self._backend = backend
        self._own: AsyncClient | None = None
        self._home: tuple[int, int] | None = None
        self._users = 0
        install_log_filters()

    @property
    def client(self) -> AsyncClient:
        """The client, opened now if need be.

        A client belongs to the loop and the process that opened it.  In another one a new client
        is opened and the old one left alone: its sockets are not this process's to close.
        """
        if self._given is not None:
            return self._given
        home = (os.getpid(), id(asyncio.get_running_loop()))
        if self._own is None or self._home != home or self._own.is_closed:
            self._own, self._home = open_client(backend=self._backend), home
            self.tasks = set()
        return self._own

    def enter(self) -> None:
        """One more connector uses these."""
        self._users += 1

    async def leave(self) -> None:
        """One connector less; the last one closes the client if it is ours."""
        self._users = max(0, self._users - 1)
        await self.close_if_unused()

    async def close_if_unused(self) -> None:
        """Close what calls have opened, if no connector has entered."""
        if self._users == 0:
            await self.close()

    async def close(self) -> None:
        """Let requests under way end, at most ``DRAIN`` seconds, then close our own client."""
        home = (os.getpid(), id(asyncio.get_running_loop()))
        tasks = {task for task in self.tasks if not task.done()}
        if tasks and self._home in (None, home):
            await asyncio.wait(tasks, timeout=DRAIN)
        own, self._own = self._own, None
        if own is not None and self._home == home:
            await own.aclose()
            # Their sockets are closed, so these end now, by themselves.
            left = {task for task in tasks if not task.done()}
            if left:
                await asyncio.wait(left, timeout=DRAIN)
