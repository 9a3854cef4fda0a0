"""The one place that knows where httpx keeps a transport's pool, and whether its code is its own.

``_pool`` is a private name, unchanged since httpx 0.18.  Where it is not found, callers do with
httpx as it is.
"""

from __future__ import annotations

from operator import is_
from types import FunctionType

import httpcore
import httpx

__all__ = ["is_as_written", "is_own", "pool_under", "put_under"]


def pool_under(transport: httpx.AsyncHTTPTransport) -> httpcore.AsyncConnectionPool | None:
    """The pool of a transport; None when this httpx keeps it elsewhere."""
    pool = getattr(transport, "_pool", None)
    return pool if isinstance(pool, httpcore.AsyncConnectionPool) else None


def put_under(transport: httpx.AsyncHTTPTransport, pool: httpcore.AsyncConnectionPool) -> None:
    """Give the transport another pool; look whether it has one first."""
    transport._pool = pool  # noqa: SLF001


def is_own(function: object) -> bool:
    """A function as httpx or httpcore wrote it: nobody has put another in its place."""
    # By its type, not isinstance: wrappers (wrapt's, say) claim to be what they wrap.
    return type(function) is FunctionType and function.__globals__["__name__"].startswith(
        ("httpx.", "httpcore.")
    )


_BASE = httpx.AsyncClient.__mro__[1]


def _on_the_way() -> tuple[object, ...]:
    client, transport = httpx.AsyncClient, httpx.AsyncHTTPTransport
    return (
        client.__dict__.get("_send_handling_auth"),
        client.__dict__.get("_send_handling_redirects"),
        client.__dict__.get("_send_single_request"),
        client.__dict__.get("_transport_for_url"),
        _BASE.__dict__.get("_build_redirect_request"),
        transport.__dict__.get("handle_async_request"),
        httpcore.AsyncConnectionPool.__dict__.get("handle_async_request"),
    )


_WRITTEN = _on_the_way()
_ARE_OWN = all(map(is_own, _WRITTEN))


def is_as_written() -> bool:
    """Nobody has put another function where requests pass on their way through httpx."""
    # The same objects: a wrapper says that it equals what it wraps.
    return _ARE_OWN and all(map(is_, _on_the_way(), _WRITTEN))
