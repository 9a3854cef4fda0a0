"""The connections to one origin: the warmest first, and a queue when all of them are busy."""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections import deque
from collections.abc import Callable

import httpcore

from sentio_async.http.pool.connection import Connection
from sentio_async.http.pool.message import Origin, Reply, Request
from sentio_async.http.pool.opening import Judge, Lookup, open_connection
from sentio_async.resilience.window import Priority

__all__ = ["Lane", "closed"]

TICK = 0.005
"""No two looks at the clock are closer than this, in seconds; so much later a timeout may come."""
_ROUNDING = 0.0005


def closed() -> RuntimeError:
    """What everybody gets who comes after the end; httpx's own words."""
    return RuntimeError("Cannot send a request, as the client has been closed.")


class _Place:
    """Somebody waits: for a connection, or (None) for leave to open one."""

    __slots__ = ("turn", "until")

    def __init__(self, turn: asyncio.Future[Connection | None], until: float) -> None:
        self.turn = turn
        self.until = until


class Lane:
    """At most ``limit`` connections to one origin.  Everything but a timeout costs O(1).

    One timer serves all: it looks at every connection and at the queue when the earliest of
    their times has come.
    """

    def __init__(
        self,
        origin: Origin,
        *,
        limit: int,
        keep_alive: float,
        tls: ssl.SSLContext | None,
        judge: Judge | None,
        buffer: memoryview,
    ) -> None:
        self.origin = origin
        self.buffer = buffer
        self._loop = loop = asyncio.get_running_loop()
        self._future = loop.create_future
        # Asked for twice a request: without a call in between where that changes nothing.
        is_plain = type(loop).time is asyncio.BaseEventLoop.time
        self.time: Callable[[], float] = time.monotonic if is_plain else loop.time
        self._limit = limit
        self.keep_alive = keep_alive
        self._tls = tls
        self._lookup = Lookup(origin.host, origin.port, judge)
        self._connections: set[Connection] = set()
        # A dict keeps its order: the last one in is the first one out, and any may leave.
        self._idle: dict[Connection, None] = {}
        self._opening = 0
        self._queues: tuple[deque[_Place], ...] = tuple(deque() for _ in Priority)
        self._waiting = 0
        self._timer: asyncio.TimerHandle | None = None
        self.timer_at = math.inf
        """The loop time at which the clock is looked at next."""
        self._is_closed = False
        self.opened = 0
        """How many connections were opened so far."""

    @property
    def busy(self) -> int:
        """How many requests are under way or wait."""
        return len(self._connections) - len(self._idle) + self._opening + self._waiting

    @property
    def idle(self) -> int:
        """How many connections have nothing to do."""
        return len(self._idle)

    async def exchange(self, request: Request) -> Reply:
        """Send it and get the whole answer; cancelling closes the connection."""
        connection = self.take() or await self.acquire(request)
        for is_last in (False, True):
            waiter: asyncio.Future[Reply] = self._future()
            connection.ask(request, waiter)
            try:
                return await waiter
            except asyncio.CancelledError:
                # It may be somebody else's by now: the answer came, and then the cancellation.
                if connection.is_asked_by(waiter):
                    connection.end()
                raise
            except (httpcore.RemoteProtocolError, httpcore.ReadError):
                if is_last or not (request.is_repeatable and connection.is_untouched):
                    raise
            # It was closed while the request was on its way; others idle so long are no better.
            connection = await self.acquire(request)
        raise AssertionError("the last try returns or raises")

    def take(self) -> Connection | None:
        """An idle connection, the one used last."""
        idle = self._idle
        while idle:
            connection, _ = idle.popitem()
            if connection.is_usable():
                return connection
            connection.end()
        return None

    async def acquire(self, request: Request) -> Connection:
        """A new connection; when there are enough, the next that has nothing to do."""
        while not self._is_closed:
            if len(self._connections) + self._opening < self._limit:
                self._opening += 1
                return await self._open(request)
            if self._idle:
                next(iter(self._idle)).end()
                continue
            connection = await self._queue(request)
            if connection is None:
                return await self._open(request)
            if connection.is_usable():
                return connection
            connection.end()
        raise closed()

    async def _open(self, request: Request) -> Connection:
        """Open one; its place has been counted."""
        connection = Connection(self)
        try:
            await open_connection(
                connection, self.origin, request, tls=self._tls, lookup=self._lookup
            )
        except BaseException:
            self._opening -= 1
            connection.end()
            self._let_in()
            raise
        self._opening -= 1
        if self._is_closed or not connection.is_open():
            connection.end()
            self._let_in()
            raise closed() if self._is_closed else httpcore.ConnectError("closed at once")
        self._connections.add(connection)
        self.opened += 1
        return connection

    async def warm(self, request: Request, connections: int) -> None:
        """Open so many beforehand, those that are open counted, in the time ``request`` has.

        What can be opened stays open when another fails; the first failure is raised.
        """
        enough = min(connections, self._limit)
        missing = enough - len(self._connections) - self._opening
        opening = (self._open_idle(request, enough) for _ in range(missing))
        failures = await asyncio.gather(*opening, return_exceptions=True)
        for failure in filter(None, failures):
            raise failure

    async def _open_idle(self, request: Request, enough: int) -> None:
        if len(self._connections) + self._opening < enough and not self._is_closed:
            self._opening += 1
            self.release(await self._open(request))

    async def _queue(self, request: Request) -> Connection | None:
        until = min(self.time() + request.waits.pool, request.expires_at)
        place = _Place(self._loop.create_future(), until)
        self._queues[request.priority].append(place)
        self._waiting += 1
        self.watch(until)
        try:
            return await place.turn
        except asyncio.CancelledError:
            if place.turn.cancelled():
                # It stays in the queue, and is passed over there.
                self._waiting -= 1
            elif place.turn.exception() is None:
                self._give_back(place.turn.result())
            raise

    def _give_back(self, connection: Connection | None) -> None:
        if connection is None:
            self._opening -= 1
            self._let_in()
        elif connection.is_usable():
            self.release(connection)
        else:
            connection.end()

    def release(self, connection: Connection) -> None:
        """It has nothing to do any more: give it to whoever waits, or keep it."""
        if self._waiting:
            place = self._next_place()
            if place is not None:
                connection.until = math.inf
                place.turn.set_result(connection)
                return
        until = self.time() + connection.keep_for
        connection.until = until
        self._idle[connection] = None
        if until < self.timer_at:
            self.watch(until)

    def lost(self, connection: Connection) -> None:
        """It is closed: somebody else may open one."""
        if connection in self._connections:
            self._connections.remove(connection)
            self._idle.pop(connection, None)
            if self._waiting:
                self._let_in()

    def _let_in(self) -> None:
        while self._waiting and len(self._connections) + self._opening < self._limit:
            place = self._next_place()
            if place is None:
                return
            self._opening += 1
            place.turn.set_result(None)

    def _next_place(self) -> _Place | None:
        for queue in self._queues:
            while queue:
                place = queue.popleft()
                if not place.turn.done():
                    self._waiting -= 1
                    return place
        return None

    def watch(self, until: float) -> None:
        """Look at the clock at this time, at the latest."""
        if until >= self.timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self.timer_at = until
        self._timer = self._loop.call_at(until + _ROUNDING, self._sweep)

    def _sweep(self) -> None:
        now = self.time()
        self._timer, self.timer_at = None, math.inf
        soonest = math.inf
        for connection in tuple(self._connections):
            if connection.until <= now:
                connection.expire()
            else:
                soonest = min(soonest, connection.until)
        for queue in self._queues:
            if queue:
                soonest = min(soonest, self._sweep_queue(queue, now))
        if soonest < math.inf:
            self.watch(max(soonest, now + TICK))

    def _sweep_queue(self, queue: deque[_Place], now: float) -> float:
        soonest = math.inf
        for _ in range(len(queue)):
            place = queue.popleft()
            if place.turn.done():
                continue
            if place.until <= now:
                self._waiting -= 1
                place.turn.set_exception(httpcore.PoolTimeout("no free connection in time"))
            else:
                queue.append(place)
                soonest = min(soonest, place.until)
        return soonest

    def close(self) -> None:
        """Close every connection and send everybody away."""
        self._is_closed = True
        while (place := self._next_place()) is not None:
            place.turn.set_exception(closed())
        for connection in tuple(self._connections):
            connection.fail(httpcore.ReadError("the client was closed"))
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self.timer_at = None, math.inf
