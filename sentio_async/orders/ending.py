"""Waiting for an end that must not be missed."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["outlast"]


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
    # Looked at, so that nobody complains that a failure was not.
    if not work.cancelled():
        work.exception()
    if leaving is not None:
        raise leaving
