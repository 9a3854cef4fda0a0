"""Walks through Alpaca's long lists, page after page."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, Generic, TypeVar

from sentio_async import errors
from sentio_async.clock import Clock
from sentio_async.connectors.alpaca.batches import raise_about
from sentio_async.connectors.alpaca.wire.data_answers import check_about
from sentio_async.connectors.alpaca.wire.data_api import Span
from sentio_async.connectors.alpaca.wire.data_pages import SpanPages
from sentio_async.http.ahead import pages_of, text_near_the_end
from sentio_async.http.endpoint import Call
from sentio_async.http.session import Session
from sentio_async.models import Page, Rows

__all__ = ["Walks"]

T = TypeVar("T")


class _SpanWalk(Generic[T]):
    """The calls for a list's pages, one after the other; ``count`` tells a page's rows."""

    def __init__(
        self, ask: Callable[[Span], Call[Page[T]]], pages: SpanPages, count: Callable[[T], int]
    ) -> None:
        self._ask = ask
        self._pages = pages
        self._count = count

    def _asked(self, span: Span | None) -> Call[Page[T]] | None:
        return None if span is None else self._ask(span)

    def first(self) -> Call[Page[T]] | None:
        return self._asked(self._pages.next())

    def peek(self, call: Call[Page[T]], body: bytes) -> Call[Page[T]] | None:
        token = text_near_the_end(body, b"next_page_token")
        return self._asked(self._pages.peek(token) if token else None)

    def next(self, call: Call[Page[T]], page: Page[T]) -> Call[Page[T]] | None:
        self._pages.take(page, self._count(page.items))
        return self._asked(self._pages.next())


def _rows_by_symbol(items: dict[str, Any]) -> int:
    return sum(map(len, items.values()))


class Walks:
    """How one session's lists are walked: ``at_once`` pages are held or under way at a time."""

    def __init__(self, session: Session, *, at_once: int, clock: Clock) -> None:
        self._session = session
        self._at_once = at_once
        self._clock = clock

    def pages(
        self,
        ask: Callable[[Span], Call[Page[T]]],
        pages: SpanPages,
        *,
        symbol: str | None = None,
        count: Callable[[Any], int] = _rows_by_symbol,
    ) -> AsyncGenerator[Page[T], None]:
        """Every page; an error on the way is raised, not taken for the end.

        With ``symbol``, Alpaca's words for an unknown one become that symbol's error, and rows of
        another one are refused.
        """
        send = self._session.send if symbol is None else partial(self._send_about, symbol)
        walk = _SpanWalk(ask, pages, count)
        return pages_of(send, walk, at_once=self._at_once, clock=self._clock)

    async def _send_about(self, symbol: str, call: Call[Page[T]]) -> Page[T]:
        try:
            page = await self._session.send(call)
        except errors.APIError as exc:
            raise_about(symbol, exc)
            raise
        by_symbol: Any = page.items
        for named in by_symbol:
            check_about(symbol, named)
        return page

    async def rows(
        self, ask: Callable[[Span], Call[Page[Rows[T]]]], pages: SpanPages
    ) -> AsyncIterator[T]:
        """Every row of a list."""
        async with aclosing(self.pages(ask, pages, count=len)) as found:
            async for page in found:
                for row in page.items:
                    yield row

    async def history(
        self,
        ask: Callable[[Span], Call[Page[dict[str, Rows[T]]]]],
        pages: SpanPages,
        symbol: str,
    ) -> AsyncIterator[T]:
        """Every row of a symbol's history, in the order asked for."""
        async with aclosing(self.pages(ask, pages, symbol=symbol)) as found:
            async for page in found:
                for rows in page.items.values():
                    for row in rows:
                        yield row
