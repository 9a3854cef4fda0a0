"""How work in tasks ends: to the end, and seen by somebody."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["look_at", "outlast"]


def look_at(work: asyncio.Future[Any]) -> None:
    """Take note of how it ended, so that nobody warns of an exception that was never seen."""
    if not work.cancelled():
        work.exception()


async def outlast(work: asyncio.Future[Any]) -> None:
    """Return when it is done, however it ends; a caller's cancel is raised then, not before.

    The scopes of anyio cancel again at every turn of the loop, until they are heard.
    """
    leaving: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait((work,))
        except asyncio.CancelledError as exc:
            leaving = exc
    look_at(work)
    if leaving is not None:
        raise leaving
