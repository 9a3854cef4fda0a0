"""The shared ``httpx.AsyncClient``, and everything else that connectors share.

One client for all connectors of a hub, opened on first use, closed when the last of them leaves.
A client that the user brings is used as it is and never closed here.
"""

from __future__ import annotations

import asyncio
import functools
import os
import ssl
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import httpcore
import httpx
from httpx import AsyncClient

from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.events import Listener
from sentio_async.http.pool.door import STOCK, PoolUnderHttpx, is_unusual, read_until
from sentio_async.http.pool.opening import Judge
from sentio_async.http.pool.pool import Pool
from sentio_async.http.pool.short import answer_to, has_cookies
from sentio_async.http.redaction import install_log_filters
from sentio_async.http.seam import is_as_written, is_own, pool_under, put_under
from sentio_async.http.stock import read_with_an_end
from sentio_async.resilience.breaker import CircuitBreaker
from sentio_async.resilience.limiter import Limiters

__all__ = ["HEADERS", "AsyncClient", "PooledClient", "Resources", "open_client", "read_until"]

C = TypeVar("C", bound=AsyncClient)

CONNECTIONS = 1_000
"""To one origin; what a connector may have under way at a time is for its configuration to say."""
STOCK_CONNECTIONS = 100
# httpcore looks at every idle connection whenever one is released: more than these, and a burst
# of a hundred calls takes two seconds instead of a quarter of one.
STOCK_IDLE_CONNECTIONS = 20
KEEP_ALIVE = 30.0
DRAIN = 2.0
"""How long requests under way may take when a client is closed, in seconds."""
MOST_URLS = 256
HEADERS = {"accept-encoding": "gzip", "user-agent": "sentio-async"}
"""What every request of ours says, whichever door it takes."""


@functools.lru_cache(maxsize=1)
def _ssl_context() -> ssl.SSLContext:
    # Making one takes 18 ms; all clients of a process share it.
    context = httpx.create_ssl_context(trust_env=False)
    context.set_alpn_protocols(["http/1.1"])
    return context


@dataclass(frozen=True, slots=True)
class Untouched:
    """How a client looked when it was made, so that it is seen if somebody watches it since."""

    names: int
    transport: httpx.AsyncHTTPTransport
    headers: list[Any]


class PooledClient(AsyncClient):
    """An ``httpx.AsyncClient`` that runs on ``pool``."""

    pool: Pool
    untouched: Untouched
    urls: dict[str, httpx.URL]

    def _merge_url(self, url: httpx.URL | str) -> httpx.URL:
        # Taking one apart costs as much as sending a request, and most are asked for again.
        if not isinstance(url, str):
            return super()._merge_url(url)
        known = self.urls.get(url)
        if known is None:
            known = httpx.URL(url)
            if not known.is_absolute_url:
                # Where it leads is for ``base_url`` to say, which may change.
                return super()._merge_url(url)
            if len(self.urls) >= MOST_URLS:
                self.urls.clear()
            self.urls[url] = known
        return known

    async def _send_handling_auth(
        self,
        request: httpx.Request,
        auth: httpx.Auth,
        follow_redirects: bool,
        history: list[httpx.Response],
    ) -> httpx.Response:
        # A private step of httpx: where there is none of that name, httpx does all by itself.
        if type(auth) is not httpx.Auth or follow_redirects or not self._is_unseen(request):
            return await super()._send_handling_auth(request, auth, follow_redirects, history)
        response = await answer_to(self.pool, request)
        response.default_encoding = self.__dict__.get("_default_encoding", "utf-8")
        try:
            if has_cookies(response):
                self.cookies.extract_cookies(response)
            if response.has_redirect_location:
                response.next_request = self._build_redirect_request(request, response)
        except BaseException:
            await response.aclose()
            raise
        return response

    def _is_unseen(self, request: httpx.Request) -> bool:
        """Whether a request would pass nobody on its way to the pool but httpx."""
        names, seen = self.__dict__, self.untouched
        hooks, transport = self.event_hooks, seen.transport
        return (
            names.get("_transport") is transport
            and len(names) == seen.names
            and len(transport.__dict__) == 1
            and not (hooks["request"] or hooks["response"] or names.get("_mounts"))
            and is_as_written()
            and isinstance(request.stream, httpx.AsyncByteStream)
            and "sni_hostname" not in request.extensions
            and not is_unusual(request.method, request.url.scheme, request.headers.raw)
        )


def open_client(
    *,
    connections: int | None = None,
    backend: httpcore.AsyncNetworkBackend | None = None,
    stock: bool = False,
) -> AsyncClient:
    """A client as this library uses it: no environment, no redirects, bounded reads.

    ``connections`` is the most to one origin (of all of them, for a stock one).  ``backend``
    opens its connections (``http.guard`` brings one that checks every address).  ``stock`` leaves
    httpx as it is underneath.
    """
    limits = httpx.Limits(
        max_connections=connections or STOCK_CONNECTIONS,
        max_keepalive_connections=min(connections or STOCK_CONNECTIONS, STOCK_IDLE_CONNECTIONS),
        keepalive_expiry=KEEP_ALIVE,
    )
    transport = httpx.AsyncHTTPTransport(verify=_ssl_context(), limits=limits, trust_env=False)
    # One that judges addresses leaves the opening to the pool; any other opens them itself.
    judge: Judge | None = getattr(backend, "judge", None)
    if stock or (backend is not None and judge is None) or not _can_have_ours(transport):
        if backend is not None or pool_under(transport) is not None:
            read_with_an_end(transport, backend or httpcore.AnyIOBackend())
        return _client(AsyncClient, transport)
    pool = Pool(
        tls=_ssl_context(),
        limit=connections or CONNECTIONS,
        keep_alive=KEEP_ALIVE,
        judge=judge,
    )
    under = PoolUnderHttpx(
        pool,
        ssl_context=_ssl_context(),
        max_connections=limits.max_connections,
        max_keepalive_connections=limits.max_keepalive_connections,
        keepalive_expiry=KEEP_ALIVE,
        network_backend=backend,
    )
    put_under(transport, under)
    client = _client(PooledClient, transport)
    client.pool, client.urls = pool, {}
    headers = list(client.headers._list)  # noqa: SLF001
    client.untouched = Untouched(len(vars(client)) + 1, transport, headers)
    return client


def _can_have_ours(transport: httpx.AsyncHTTPTransport) -> bool:
    return is_own(STOCK) and pool_under(transport) is not None


def _client(kind: type[C], transport: httpx.AsyncHTTPTransport) -> C:
    return kind(
        transport=transport,
        trust_env=False,
        follow_redirects=False,
        headers=HEADERS,
        timeout=httpx.Timeout(10.0),
    )


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
        self.renewals: set[asyncio.Task[Any]] = set()
        """Renewals of proof under way; whoever waits for one may leave."""
        self.held: dict[Hashable, tuple[Any, int]] = {}
        """What connectors hold together, such as one stream for one key, and how many hold it."""
        self.shared: WeakValueDictionary[Hashable, Any] = WeakValueDictionary()
        """The same, for what needs no end: it lives as long as somebody has it."""
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
        """Let what is under way end, at most ``DRAIN`` seconds, then close our own client."""
        home = (os.getpid(), id(asyncio.get_running_loop()))
        is_home = self._home in (None, home)
        tasks = {task for task in self.tasks if is_home and not task.done()}
        renewals = self._renewals_of(asyncio.get_running_loop())
        try:
            if tasks or renewals:
                await asyncio.wait(tasks | renewals, timeout=DRAIN)
            await self._end(renewals)
        except asyncio.CancelledError:
            # Who is cancelled waits no longer, and closes all the same.
            _cancel(renewals)
            await self._close_own(home, 0.0)
            raise
        if await self._close_own(home, DRAIN):
            # Their sockets are closed, so these end now, by themselves.
            left = {task for task in tasks if not task.done()}
            if left:
                await asyncio.wait(left, timeout=DRAIN)

    def _renewals_of(self, loop: asyncio.AbstractEventLoop) -> set[asyncio.Task[Any]]:
        found = {task for task in self.renewals if task.get_loop() is loop}
        # A store of tokens may close what it is called by.
        return found - {asyncio.current_task()}

    async def _end(self, renewals: set[asyncio.Task[Any]]) -> None:
        """What has not ended would go on to open a new client."""
        left = _cancel(renewals)
        if left:
            await asyncio.wait(left, timeout=DRAIN)

    async def _close_own(self, home: tuple[int, int], seconds: float) -> bool:
        own, self._own = self._own, None
        if own is None or self._home != home:
            return False
        try:
            if isinstance(own, PooledClient):
                await own.pool.drain(seconds)
        finally:
            await own.aclose()
        return True


def _cancel(tasks: set[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
    """Those that have not ended, and are told to."""
    left = {task for task in tasks if not task.done()}
    for task in left:
        task.cancel()
    return left
