"""Walks through Alpaca's long lists, page after page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from sentio_async.connectors.alpaca.batches import send_about
from sentio_async.connectors.alpaca.wire.data_api import Span
from sentio_async.connectors.alpaca.wire.data_pages import SpanPages
from sentio_async.http.endpoint import Call
from sentio_async.http.session import Session
from sentio_async.models import Page, Rows

__all__ = ["walk", "walk_history"]

T = TypeVar("T")


async def walk(
    session: Session, ask: Callable[[Span], Call[Page[Rows[T]]]], pages: SpanPages
) -> AsyncIterator[T]:
    """Every row of a list; an error on the way is raised, not taken for the end."""
    while (span := pages.next()) is not None:
        page = await session.send(ask(span))
        pages.take(page, len(page.items))
        for row in page.items:
            yield row


async def walk_history(
    session: Session,
    ask: Callable[[Span], Call[Page[dict[str, Rows[T]]]]],
    pages: SpanPages,
    symbol: str,
) -> AsyncIterator[T]:
    """Every row of a symbol's history, in the order asked for."""
    while (span := pages.next()) is not None:
        page = await send_about(session, ask(span), symbol)
        rows = [row for found in page.items.values() for row in found]
        pages.take(page, len(rows))
        for row in rows:
            yield row
