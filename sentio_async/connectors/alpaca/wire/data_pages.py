"""How a long history is asked for, page after page, and when it has come to its end.

A page may be empty and yet not the last: only a missing token ends a history.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sentio_async import errors
from sentio_async.connectors.alpaca.wire.data_api import MOST_ROWS, Span
from sentio_async.models import Page

__all__ = ["MOST_EMPTY", "SpanPages"]

MOST_EMPTY = 1_000
"""Pages in a row without a row after which a list is given up as endless."""


class SpanPages:
    """Ask for ``next()``, give the answer to ``take()``, until None is next.

    ``limit`` is the most rows that are wanted in all, ``page_size`` the most of one page.
    """

    def __init__(self, span: Span, *, limit: int | None = None, page_size: int = MOST_ROWS) -> None:
        if limit is not None and limit < 1:
            raise errors.InvalidRequestError(f"limit: at least 1, not {limit}")
        self._span = span
        self._page_size = page_size
        self._left = limit
        self._tokens: set[str] = set()
        self._empty = 0
        self._is_done = False

    def next(self) -> Span | None:
        """What to ask for next; None after the last page, or with enough rows."""
        if self._is_done:
            return None
        left = self._page_size if self._left is None else self._left
        return replace(self._span, limit=min(left, self._page_size))

    def peek(self, token: str) -> Span | None:
        """What comes after a page of which only the token is known; None if its rows may tell."""
        is_sure = self._left is None or self._left >= 2 * self._page_size
        if not is_sure or token in self._tokens:
            return None
        return replace(self._span, limit=self._page_size, page_token=token)

    def take(self, page: Page[Any], rows: int) -> None:
        """Note that a page came with so many of the rows that are wanted."""
        if page.next is not None and page.next in self._tokens:
            raise errors.DecodeError("pages: a page token came twice, so the list has no end")
        self._empty = 0 if rows else self._empty + 1
        if self._empty > MOST_EMPTY:
            raise errors.DecodeError(f"pages: {MOST_EMPTY} in a row are empty, and more are named")
        if self._left is not None:
            self._left -= rows
        self._is_done = not page.next or (self._left is not None and self._left <= 0)
        if page.next:
            self._tokens.add(page.next)
            self._span = replace(self._span, page_token=page.next)
