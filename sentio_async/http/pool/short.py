"""An httpx request answered from the pool, without the layers between them.

For requests that no hook, transport or patch would see on the way: what comes back is what httpx
would have made, and so are the failures.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta

import httpx

from sentio_async.http.pool.door import PORTS, begin, prepared, told_of
from sentio_async.http.pool.message import Origin
from sentio_async.http.pool.pool import Pool
from sentio_async.http.pool.stream import Stream

__all__ = ["answer_to", "has_cookies"]

_log = logging.getLogger("httpx")
_COOKIES = {b"set-cookie", b"set-cookie2"}


async def answer_to(pool: Pool, request: httpx.Request) -> httpx.Response:
    """The answer's head, its body still to be read; raises httpx's errors."""
    url, fields = request.url, request.headers.raw
    origin = Origin(url.scheme, url.raw_host.decode("ascii"), url.port or PORTS[url.scheme])
    started = time.perf_counter()
    try:
        method = request.method.encode("ascii")
        asked = prepared(method, url.raw_path, fields, request.extensions)
        reply, stream = await begin(pool.lane(origin), asked, request.stream, fields)
    except Exception as exc:
        error = _as_httpx_says(exc, request)
        if error is None:
            raise
        raise error from exc
    body = _Body(stream, request, started)
    response = httpx.Response(
        reply.status,
        headers=reply.fields,
        stream=body,
        request=request,
        extensions=told_of(reply, stream),
    )
    body.response = response
    if _log.isEnabledFor(logging.INFO):
        _log.info(
            'HTTP Request: %s %s "%s %d %s"',
            request.method,
            request.url,
            response.http_version,
            response.status_code,
            response.reason_phrase,
        )
    return response


def has_cookies(response: httpx.Response) -> bool:
    """A header of it sets one."""
    return not _COOKIES.isdisjoint([name.lower() for name, _ in response.headers.raw])


class _Body(httpx.AsyncByteStream):
    """The pieces of one answer's body, as they come; when it is closed, the time is taken."""

    response: httpx.Response

    def __init__(self, stream: Stream, request: httpx.Request, started: float) -> None:
        self._stream = stream
        self._request = request
        self._started = started

    def __aiter__(self) -> _Body:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._stream.read()
        except Exception as exc:
            error = _as_httpx_says(exc, self._request)
            if error is None:
                raise
            raise error from exc
        if not piece:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        seconds = time.perf_counter() - self._started
        self.response.elapsed = timedelta(seconds=seconds)
        await self._stream.aclose()


def _as_httpx_says(exc: Exception, request: httpx.Request) -> httpx.RequestError | None:
    """The same failure by the name that httpx gives it; None for one that has none."""
    for kind in type(exc).__mro__:
        named = getattr(httpx, kind.__name__, None)
        if kind.__module__.startswith("httpcore") and named is not None:
            error: httpx.RequestError = named(str(exc), request=request)
            return error
    return None
