"""Connections that are open before anybody needs them."""

from __future__ import annotations

import asyncio

import httpcore

from sentio_async.http.client import AsyncClient
from sentio_async.http.listening import unheard
from sentio_async.http.outgoing import Place
from sentio_async.http.pool import Request
from sentio_async.http.problems import Evidence, from_exception

__all__ = ["open_ahead"]


async def open_ahead(client: AsyncClient, place: Place, connections: int) -> None:
    """Open so many connections there, those that are open counted.

    A client that is not ours is left alone: it has its own ways.  Raises ConnectionError when
    one cannot be opened.
    """
    pool = unheard(client)
    if pool is None:
        return
    until = asyncio.get_running_loop().time() + place.waits.connect
    request = Request(b"", waits=place.waits, expires_at=until, limit=0)
    try:
        await pool.lane(place.origin).warm(request, connections)
    except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
        raise from_exception(exc, Evidence.of(request)) or exc from exc
