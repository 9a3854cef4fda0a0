"""One connection: requests out, answers in.

The parser is llhttp in its strict mode.  A connection that has seen one byte more than the answer
it waited for is closed: the next request must never get an answer that was not made for it.
"""

from __future__ import annotations

import asyncio
import math
import select
from collections.abc import AsyncIterable, Callable
from typing import TYPE_CHECKING, Any, cast

import httpcore
import httptools

from sentio_async import errors
from sentio_async.http.pool.incoming import BUFFER, Incoming
from sentio_async.http.pool.message import Reply, Request, idle_time_in
from sentio_async.http.pool.stream import Stream
from sentio_async.http.pool.strict import ANNOUNCES, ENDS_OF_LINES, FIRST_BYTE, not_http

if TYPE_CHECKING:
    from sentio_async.http.pool.lane import Lane

__all__ = ["Connection"]

MOST_OF_A_HEAD = 100 * 1024
"""Status line and header lines of an answer, in bytes; as much as httpcore takes."""
MOST_AROUND_A_BYTE = 8
"""What may be sent around one byte of a body, such as the size and the lines of a chunk."""


class Connection(Incoming, asyncio.BufferedProtocol):
    """Carries one request at a time."""

    __slots__ = (
        "_is_held",
        "_is_over",
        "_is_paused",
        "_lane",
        "_poll",
        "_room",
        "_transport",
        "_waiter",
        "is_reused",
        "is_uploading",
        "keep_for",
        "until",
    )

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        super().__init__(lane.buffer)
        self._transport: asyncio.Transport = None  # type: ignore[assignment]
        self._waiter: asyncio.Future[Reply] | None = None
        self._room: asyncio.Future[None] | None = None
        self._poll: Callable[[int], list[Any]] | None = None
        self._is_over = self._is_paused = self._is_held = self.is_reused = False
        self.keep_for = lane.keep_alive
        """Seconds that it is kept without anything to do."""
        self.is_uploading = False
        """More of the request's body is to be written."""
        self.until = math.inf
        """The loop time at which it is looked at: what it waits for has not come, or it is idle."""

    # What the pool and its callers do.

    def is_open(self) -> bool:
        """It is not closed, as far as this side knows."""
        return not self._is_over and not self._transport.is_closing()

    def is_usable(self) -> bool:
        """It can carry the next request: it is open, and nothing waits to be read.

        What has come since the last answer, its end included, belongs to no request of ours.
        """
        return (
            not self._is_over
            and not self._transport.is_closing()
            and (self._poll is None or not self._poll(0))
        )

    @property
    def is_untouched(self) -> bool:
        """It has carried answers before, and none of the bytes of this one."""
        return self.is_reused and not self._received

    @property
    def transport(self) -> asyncio.Transport:
        """The socket's transport, for what it knows of itself."""
        return self._transport

    def ask(
        self, request: Request, waiter: asyncio.Future[Reply], stream: Stream | None = None
    ) -> None:
        """Write the request; ``waiter`` gets the answer, or its head if a stream gets the body."""
        if self._is_over:
            waiter.set_exception(httpcore.ReadError("connection closed before it was used"))
            return
        self._request, self._waiter, self._stream = request, waiter, stream
        request.is_sent = True
        self._transport.write(request.data)
        # As _wait_for, without a call: this is where every request passes.
        lane, waits = self._lane, request.waits
        until = lane.time() + (waits.write if self._is_paused else waits.read)
        if until > request.expires_at:
            until = request.expires_at
        self.until = until
        if until < lane.timer_at:
            lane.watch(until)

    def _wait_for(self, seconds: float) -> None:
        request = self._request
        if request is None:
            return
        until = self._lane.time() + seconds
        if until > request.expires_at:
            until = request.expires_at
        self.until = until
        self._lane.watch(until)

    def _read_wait(self) -> float:
        """How long to wait for something of the answer, when nothing else is to be done first."""
        if self._request is None or self.is_uploading:
            return math.inf
        return self._request.waits.read

    def is_asked_by(self, waiter: asyncio.Future[Reply]) -> bool:
        """The answer under way is the one this waits for."""
        return self._waiter is waiter

    async def upload(self, body: AsyncIterable[bytes]) -> None:
        """Write the pieces of the request's body as they come, until it has answered.

        Whoever makes them takes what time he wants; the answer is waited for after them.
        """
        self._wait_for(math.inf)
        async for piece in body:
            if piece and not self._is_over:
                await self.write(piece)
            if self._is_over:
                return
        self.is_uploading = False
        if not self._has_head:
            self._wait_for(self._read_wait())

    async def write(self, data: bytes) -> None:
        """Write more of the request's body, as fast as the other side takes it."""
        self._transport.write(data)
        if self._is_paused and self._request is not None:
            self._wait_for(self._request.waits.write)
            self._room = asyncio.get_running_loop().create_future()
            try:
                await self._room
            finally:
                self._room = None

    def wait_for_more(self) -> asyncio.Future[None]:
        """A future for the next piece of a stream; its time begins now."""
        self._wait_for(self._read_wait())
        return asyncio.get_running_loop().create_future()

    def wait_no_more(self, stream: Stream) -> None:
        """Nobody waits for a piece: only the request as a whole can be late."""
        if self._request is not None and self._stream is stream:
            self.until = self._request.expires_at

    def hold(self) -> None:
        """Read nothing for now."""
        if not self._is_held and not self._is_over:
            self._is_held = True
            self._transport.pause_reading()

    def go_on(self) -> None:
        """Read again."""
        if self._is_held and not self._is_over:
            self._is_held = False
            self._transport.resume_reading()

    def end(self) -> None:
        """Close it, whatever it is doing; doing it twice changes nothing."""
        if self._is_over:
            return
        self._is_over = True
        self._request = self._waiter = None
        self.until = math.inf
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        if self._transport is not None:
            self._transport.abort()
        self._lane.lost(self)

    def expire(self) -> None:
        """The time is up: for the answer, or for being idle."""
        if self._request is None:
            self.end()
        elif self._is_paused:
            self.fail(httpcore.WriteTimeout("request not taken in time"))
        else:
            self.fail(httpcore.ReadTimeout("no answer in time"))

    # What the event loop does.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = cast("asyncio.Transport", transport)
        # So that "paused" means: not all of the request has left.  asyncio's TLS pauses at the
        # limit, not above it: with 0 it would be paused when all is sent.
        is_tls = transport.get_extra_info("sslcontext") is not None
        self._transport.set_write_buffer_limits(high=1 if is_tls else 0, low=0)
        ours = transport.get_extra_info("socket")
        if ours is not None and hasattr(select, "poll"):
            look = select.poll()
            look.register(ours.fileno(), select.POLLIN)
            self._poll = look.poll
        if self._is_over:
            self._transport.abort()

    def get_buffer(self, sizehint: int) -> memoryview:
        """One buffer for all, emptied before anybody else can fill it, or a large body's place."""
        if not self._into:
            self._make_room()
        return self._into

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes have come."""
        if self._request is None:
            self.end()
            return
        received, text = self._received, self._text
        self._received = received + nbytes
        try:
            if (
                not received
                and text[0] == FIRST_BYTE
                and text[9] != ANNOUNCES
                and text[nbytes - 1] > ENDS_OF_LINES
            ):
                self._parser.feed_data(self._buffer[:nbytes])
            else:
                self._feed_carefully(received, nbytes)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            if not self._is_complete:
                self.fail(not_http(exc))
                return
            self._is_reusable = False
        if self._is_complete:
            if nbytes == BUFFER:
                self._is_reusable = False
            self._finish()
        else:
            self._check_progress()

    def _check_progress(self) -> None:
        request = self._request
        if request is None:
            return
        if self._size > request.limit:
            self.fail(errors.ResponseTooLargeError(f"answer is larger than {request.limit} bytes"))
        elif self._received - self._size > MOST_OF_A_HEAD + MOST_AROUND_A_BYTE * self._size:
            what = "what comes with the body" if self._has_head else "head of the answer"
            self.fail(httpcore.RemoteProtocolError(f"{what} is too large"))
        elif self._stream is None or not self._has_head:
            self._wait_for(self._read_wait())
            if self._has_head and not self._coming:
                self._expect(request.limit)

    def eof_received(self) -> bool:
        """The other side will say no more."""
        self._lost(None)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed."""
        self._lost(exc)
        # It knows this object's methods, and this object knows it.
        del self._parser

    def _lost(self, exc: Exception | None) -> None:
        if self._is_over or self._request is None:
            self.end()
        elif self._has_head and exc is None and self._ends_with_connection():
            self._is_complete, self._is_reusable = True, False
            self._finish()
        elif exc is None:
            self.fail(httpcore.RemoteProtocolError("server left before the end of its answer"))
        else:
            self.fail(httpcore.ReadError(f"connection lost: {exc}"))

    def _ends_with_connection(self) -> bool:
        names = {name.lower() for name, _ in self._fields}
        return not names & {b"content-length", b"transfer-encoding"}

    def pause_writing(self) -> None:
        """The other side takes no more for now."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """The whole of what was written has left."""
        self._is_paused = False
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        if self.is_uploading or not self._has_head:
            self._wait_for(self._read_wait())

    def _show_head(self) -> None:
        stream, request = cast("Stream", self._stream), cast("Request", self._request)
        stream.version = self._parser.get_http_version()
        waiter, self._waiter = self._waiter, None
        self.until = request.expires_at
        self._lane.watch(self.until)
        if waiter is not None and not waiter.done():
            # As h11 has them: the parser keeps blanks at the end of a value.
            fields = [(name, value.rstrip(b" \t")) for name, value in self._fields]
            waiter.set_result(Reply(self._status, self._reason, fields, b""))

    # How it ends.

    def _finish(self) -> None:
        request, waiter, stream = self._request, self._waiter, self._stream
        if request is not None and self._size > request.limit:
            self._check_progress()
            return
        # What Reply(...) does, by half the way: every answer passes here.
        reply = tuple.__new__(Reply, (self._status, self._reason, self._fields, self._body))
        self._request = self._waiter = self._stream = None
        if self._is_reusable and not self._is_paused and not self.is_uploading:
            if self._is_held:
                self.go_on()
            if not self.is_reused:
                self.is_reused = True
                self.keep_for = min(self.keep_for, idle_time_in(self._fields))
            self._prepare()
            self._lane.release(self)
        else:
            self.end()
        if stream is not None:
            stream.end()
        elif waiter is not None and not waiter.done():
            waiter.set_result(reply)

    def fail(self, error: Exception) -> None:
        """Close it; whoever waits gets the error."""
        waiter, stream = self._waiter, self._stream
        self.end()
        if stream is not None:
            stream.end(error)
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)
