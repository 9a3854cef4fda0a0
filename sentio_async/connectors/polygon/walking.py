"""A session with Massive, and how its pages are walked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence, Sized
from contextlib import aclosing
from typing import Any, ClassVar, Generic, TypeVar

from sentio_async import errors
from sentio_async.base import DataProviderConnector, about
from sentio_async.config import ConnectorConfig
from sentio_async.connectors.polygon import wire
from sentio_async.connectors.polygon.config import PolygonConfig
from sentio_async.http.ahead import pages_of, text_near_the_end
from sentio_async.http.auth import BearerAuth
from sentio_async.http.endpoint import Call
from sentio_async.models import Page, Rows
from sentio_async.resilience.limiter import Window

__all__ = ["PolygonSession"]

T = TypeVar("T")
S = TypeVar("S", bound=Sized)

# Paid plans have no limit; the vendor asks to stay under 100 a second.
_ADVISED = (Window(100, 1.0),)


class _RowWalk(Generic[S]):
    """The calls for the pages of a list, until there are enough rows."""

    def __init__(self, call: Call[Page[S]], *, max_pages: int, limit: int | None) -> None:
        self._call = call
        if limit is not None and limit < 0:
            raise errors.InvalidRequestError(f"limit: none or more, not {limit}")
        self._walk = wire.Walk(call, max_pages=max_pages)
        self._left = limit

    def first(self) -> Call[Page[S]] | None:
        return None if self._left == 0 else self._call

    def peek(self, call: Call[Page[S]], body: bytes) -> Call[Page[S]] | None:
        # How many rows a page has is not known before it is decoded.
        url = text_near_the_end(body, b"next_url") if self._left is None else None
        target = wire.next_target(url)
        return None if target is None else self._walk.peek(call, target)

    def next(self, call: Call[Page[S]], page: Page[S]) -> Call[Page[S]] | None:
        if self._left is not None:
            self._left -= len(page.items)
            if self._left <= 0:
                return None
        return self._walk.next(call, page.next)


class PolygonSession(DataProviderConnector):
    """Sends calls to Massive with the key in a header, never in a URL."""

    vendor = "polygon"
    Config: ClassVar[type[ConnectorConfig]] = PolygonConfig
    _config: PolygonConfig

    def _set_up(self) -> None:
        key = self._config.api_key
        self._session = self._open_session(
            self._config.base_url,
            auth=BearerAuth(key),
            buckets={"default": _ADVISED},
            credential=key.get_secret_value(),
        )

    async def _check(self) -> str | None:
        await self._session.send(wire.status.market_status())
        return None

    async def _pages(
        self, call: Call[Page[S]], limit: int | None = None
    ) -> AsyncGenerator[S, None]:
        """Page after page; a failure on any of them is raised, never an end.

        Once there are ``limit`` rows, or more, no further page is asked for.
        """
        walk = _RowWalk(call, max_pages=self._config.max_pages, limit=limit)
        send, at_once = self._session.send, self._config.pages_at_once
        async with aclosing(pages_of(send, walk, at_once=at_once, clock=self._clock)) as answers:
            async for answer in answers:
                yield answer.items

    async def _rows(
        self, call: Call[Page[Sequence[T]]], limit: int | None = None
    ) -> AsyncIterator[T]:
        """Row after row, at most ``limit``; no page is asked for that is not needed."""
        left = limit
        async with aclosing(self._pages(call, limit)) as pages:
            async for page in pages:
                for row in page if left is None else page[:left]:
                    yield row
                if left is not None:
                    left -= len(page)

    async def _list(self, call: Call[Rows[T]]) -> Rows[T]:
        """The rows of an answer, which others may have been given too, as a list of one's own."""
        rows = await self._session.send(call)
        return Rows(rows, rows.skipped)

    def _about(self, symbol: str, call: Call[T]) -> Coroutine[Any, Any, T]:
        """The answer about one symbol; the vendor's 404 is a symbol that is not there."""
        return about(symbol, self._session.send(call))
