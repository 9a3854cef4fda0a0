"""Whether anybody wants to see our requests on their way through httpx.

Mocks, recorders, tracers and event hooks sit in httpx or httpcore.  When none of them is there, a
session's call can go to the pool directly.  Nothing but identities is looked at, so that asking
costs next to nothing.
"""

from __future__ import annotations

import httpcore
import httpx

from sentio_async.http.client import AsyncClient, PooledClient
from sentio_async.http.pool.door import STOCK
from sentio_async.http.pool.pool import Pool
from sentio_async.http.seam import is_own

__all__ = ["unheard"]

# respx and vcrpy replace the first; pytest-httpx, vcrpy and OpenTelemetry the second; respx the
# third; Sentry and others the rest.
_SEND = httpx.AsyncClient.send
_SEND_ONE = httpx.AsyncClient._send_single_request  # noqa: SLF001
_ROUTE = httpx.AsyncClient._transport_for_url  # noqa: SLF001
_HANDLE = httpx.AsyncHTTPTransport.handle_async_request
_BUILD = httpx.AsyncClient.build_request
_IS_UNTOUCHED = all(map(is_own, (_SEND, _SEND_ONE, _ROUTE, _HANDLE, _BUILD, STOCK)))

# A name more was put on the one object that somebody watches.
_TRANSPORT_NAMES = 1
_CLIENT, _TRANSPORT = httpx.AsyncClient, httpx.AsyncHTTPTransport
_POOL = httpcore.AsyncConnectionPool


def unheard(client: AsyncClient) -> Pool | None:
    """The pool under a client of ours, if nobody would miss a request that goes there directly."""
    if (
        type(client) is not PooledClient
        or not _IS_UNTOUCHED
        or _POOL.handle_async_request is not STOCK
        or _TRANSPORT.handle_async_request is not _HANDLE
        or PooledClient.send is not _SEND
        or PooledClient._transport_for_url is not _ROUTE  # noqa: SLF001
        or PooledClient._send_single_request is not _SEND_ONE  # noqa: SLF001
        or PooledClient.build_request is not _BUILD
        or httpx.AsyncClient is not _CLIENT
        or httpx.AsyncHTTPTransport is not _TRANSPORT
        or httpcore.AsyncConnectionPool is not _POOL
    ):
        return None
    names, seen = client.__dict__, client.untouched
    hooks = names["_event_hooks"]
    if (
        len(names) != seen.names
        or names["_transport"] is not seen.transport
        or len(seen.transport.__dict__) != _TRANSPORT_NAMES
        or hooks["request"]
        or hooks["response"]
        or names["_cookies"].jar._cookies  # noqa: SLF001
        or names["_headers"]._list != seen.headers  # noqa: SLF001
        or names["_mounts"]
    ):
        return None
    return client.pool
