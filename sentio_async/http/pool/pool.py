"""All connections of one client, by origin."""

from __future__ import annotations

import asyncio
import ssl

from sentio_async.http.pool.incoming import BUFFER
from sentio_async.http.pool.lane import Lane, closed
from sentio_async.http.pool.message import Origin, Reply, Request
from sentio_async.http.pool.opening import Judge

__all__ = ["Pool"]

MOST_ORIGINS = 256
"""With more than these, those where nothing is under way are forgotten, their sockets closed."""
_LOOK = 0.01


class Pool:
    """Connections to any number of origins, at most ``limit`` to each.

    It belongs to one event loop.  ``judge`` resolves names and refuses addresses.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext,
        limit: int,
        keep_alive: float,
        judge: Judge | None = None,
    ) -> None:
        self._tls = tls
        self._limit = limit
        self._keep_alive = keep_alive
        self._judge = judge
        self._lanes: dict[Origin, Lane] = {}
        self._enough = MOST_ORIGINS
        self._opened = 0
        self._buffer = memoryview(bytearray(BUFFER))
        self.is_closed = False

    def lane(self, origin: Origin) -> Lane:
        """The connections to one origin."""
        lane = self._lanes.get(origin)
        if lane is None:
            if self.is_closed:
                raise closed()
            if len(self._lanes) >= self._enough:
                self._make_room()
            self._lanes[origin] = lane = Lane(
                origin,
                limit=self._limit,
                keep_alive=self._keep_alive,
                tls=self._tls if origin.scheme == "https" else None,
                judge=self._judge,
                buffer=self._buffer,
            )
        return lane

    def _make_room(self) -> None:
        for origin, lane in tuple(self._lanes.items()):
            if not lane.busy:
                self._opened += lane.opened
                lane.close()
                del self._lanes[origin]
        # So that as many as are in use are not looked at for each that comes.
        self._enough = max(MOST_ORIGINS, 2 * len(self._lanes))

    async def exchange(self, origin: Origin, request: Request) -> Reply:
        """Send it there and get the whole answer; raises httpcore's errors."""
        return await self.lane(origin).exchange(request)

    @property
    def busy(self) -> int:
        """How many requests are under way or wait for a connection."""
        return sum(lane.busy for lane in self._lanes.values())

    @property
    def idle(self) -> int:
        """How many connections have nothing to do."""
        return sum(lane.idle for lane in self._lanes.values())

    @property
    def opened(self) -> int:
        """How many connections were opened so far."""
        return self._opened + sum(lane.opened for lane in self._lanes.values())

    async def drain(self, seconds: float) -> None:
        """Wait until nothing is under way, at most so long."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        # Only at the end of a client's life: no request has to tell anybody that it is done.
        while self.busy and loop.time() < until:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK)

    async def close(self) -> None:
        """Close everything; requests under way fail."""
        self.is_closed = True
        for lane in self._lanes.values():
            lane.close()
        # The loop lets go of a socket one turn after it was told to.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
