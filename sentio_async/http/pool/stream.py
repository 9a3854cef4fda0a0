"""The body of an answer, piece by piece; the server waits while nobody reads."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentio_async.http.pool.connection import Connection

__all__ = ["Stream"]

HIGH, LOW = 256 * 1024, 64 * 1024
"""Reading from the socket stops above the one and goes on below the other, in bytes."""


class Stream:
    """Pieces that have come and were not read yet."""

    __slots__ = ("_error", "_is_over", "_pieces", "_size", "_waiter", "connection", "version")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._is_over = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.version = "1.1"
        """The version of HTTP in the answer's first line."""

    def feed(self, piece: bytes) -> None:
        """One more piece has come."""
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > HIGH:
            self.connection.hold()
        self._wake()

    def end(self, error: Exception | None = None) -> None:
        """Nothing more will come."""
        if not self._is_over:
            self._is_over, self._error = True, error
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def read(self) -> bytes:
        """The next piece; empty at the end."""
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self._is_over:
                return b""
            self._waiter = self.connection.wait_for_more()
            try:
                await self._waiter
            except asyncio.CancelledError:
                self.close()
                raise
            finally:
                self._waiter = None
                self.connection.wait_no_more(self)
        piece = self._pieces.popleft()
        self._size -= len(piece)
        if self._size < LOW and not self._is_over:
            self.connection.go_on()
        return piece

    def close(self) -> None:
        """Read no more; what is left unread closes the connection."""
        if not self._is_over:
            self._is_over = True
            self.connection.end()
        self._pieces.clear()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while piece := await self.read():
                yield piece
        finally:
            self.close()

    async def aclose(self) -> None:
        """As ``close``."""
        self.close()
