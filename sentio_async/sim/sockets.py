"""One WebSocket, on a connection that began as HTTP: frames out at once, and ways to misbehave.

The `websockets` library frames; nothing here waits, so a feed of many sockets needs no task.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Protocol

from websockets.exceptions import InvalidState
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from sentio_async.sim.serving import Heir, reset

# A client that never reads, or never answers a close frame, may not keep its socket for longer.
LINGER: Final = 1.0
GOING_AWAY: Final = 1001
# The first byte names an opcode nobody has defined.
NO_FRAME: Final = b"\x83\x05hello"

_quiet = logging.getLogger("sentio_async.sim.sockets")
_quiet.setLevel(logging.WARNING)


class Listener(Protocol):
    """Who talks on a socket."""

    def opened(self) -> None:
        """The handshake is done."""

    def heard(self, message: bytes, *, is_text: bool) -> None:
        """The client said something."""

    def overflowed(self) -> None:
        """The client reads too slowly: more is waiting to be sent than may."""

    def closed(self) -> None:
        """Nothing can be said any more."""


class Socket(Heir):
    """Sends and hears messages until either side ends it."""

    def __init__(
        self, head: bytes, listener: Listener, *, limit: int = 1 << 20, compress: bool = False
    ) -> None:
        deflate = [ServerPerMessageDeflateFactory()] if compress else None
        self._talk = ServerProtocol(extensions=deflate, logger=_quiet)
        self._head = head
        self._listener = listener
        self._limit = limit
        self._gone: Callable[[], object] = lambda: None
        self._parts: list[bytes] = []
        self._is_text = True
        self._held: list[tuple[bytes, bool]] | None = None
        self._is_mute = False
        self._is_frozen = False
        self._has_overflowed = False
        self._timers: list[asyncio.TimerHandle] = []
        self.is_over = False

    def inherit(self, transport: asyncio.Transport, gone: Callable[[], object]) -> None:
        """Answer the handshake."""
        self.transport = transport
        self._gone = gone
        self.data_received(self._head)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        for timer in self._timers:
            timer.cancel()
        self._end()
        self._gone()

    def shutdown(self) -> None:
        """Close, because the server stops."""
        self._is_mute = self._is_frozen = False
        self.close(GOING_AWAY)
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Hear what came, and answer pings and close frames."""
        self._talk.receive_data(data)
        for event in self._talk.events_received():
            if isinstance(event, Request):
                self._accept(event)
            elif isinstance(event, Frame) and not self.is_over:
                self._take(event)
        self._flush()

    def _accept(self, request: Request) -> None:
        response = self._talk.accept(request)
        self._talk.send_response(response)
        self._flush()
        if response.status_code == 101:
            self._listener.opened()
        else:
            self._end()

    def _take(self, frame: Frame) -> None:
        match frame.opcode:
            case Opcode.TEXT | Opcode.BINARY:
                self._is_text = frame.opcode is Opcode.TEXT
                self._parts = [bytes(frame.data)]
            case Opcode.CONT:
                self._parts.append(bytes(frame.data))
            case Opcode.CLOSE:
                self._end()
                return
            case _:
                return
        if frame.fin:
            message, self._parts = b"".join(self._parts), []
            self._listener.heard(message, is_text=self._is_text)

    @property
    def waiting(self) -> int:
        """How many bytes the client has not taken yet, besides those in the system's buffers."""
        return self.transport.get_write_buffer_size()

    def send(self, data: bytes, *, is_text: bool) -> None:
        """Send one message; it is lost on a socket that is mute or over."""
        if self.is_over or self._is_mute or self._is_frozen:
            return
        if self._held is not None:
            self._held.append((data, is_text))
            return
        for part in self._framed(data, is_text):
            self.transport.write(part)
        if self.waiting > self._limit and not self._has_overflowed:
            self._has_overflowed = True
            self._listener.overflowed()

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame, and wait a little for the client's."""
        if self._talk.state is OPEN and not self._is_frozen:
            self._talk.send_close(code, reason)
            self._flush()
        self._end()
        self._later(LINGER, self.transport.abort)

    def drop(self) -> None:
        """End the connection without a word, once what was written has left."""
        self._end()
        self.transport.close()
        self._later(LINGER, self.transport.abort)

    def reset(self) -> None:
        """End the connection with RST."""
        self._end()
        reset(self.transport)

    def cut(self, data: bytes, *, is_text: bool) -> None:
        """Send half of this message and end the connection."""
        frame = b"".join(self._framed(data, is_text))
        self.transport.write(frame[: len(frame) // 2])
        self.drop()

    def break_frame(self) -> None:
        """Send bytes that are no frame."""
        self.transport.write(NO_FRAME)

    def mute(self, seconds: float = 0.0) -> None:
        """Answer pings and send nothing else, for so long or for ever."""
        self._is_mute = True
        if seconds:
            self._later(seconds, self._speak)

    def freeze(self, seconds: float = 0.0) -> None:
        """Neither read nor write, for so long or for ever."""
        self._is_frozen = True
        self.transport.pause_reading()
        if seconds:
            self._later(seconds, self._thaw)

    def stall(self, seconds: float) -> None:
        """Hold back what is to be sent for so long, then send it all at once."""
        if self._held is None:
            self._held = []
            self._later(seconds, self._catch_up)

    def _speak(self) -> None:
        self._is_mute = False

    def _thaw(self) -> None:
        self._is_frozen = False
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def _catch_up(self) -> None:
        held, self._held = self._held or [], None
        for data, is_text in held:
            self.send(data, is_text=is_text)

    def later(self, seconds: float, do: Callable[[], object]) -> asyncio.TimerHandle:
        """Do something on this socket in a while, unless it is over by then."""
        return self._later(seconds, lambda: None if self.is_over else do())

    def _later(self, seconds: float, do: Callable[[], object]) -> asyncio.TimerHandle:
        timer = asyncio.get_running_loop().call_later(seconds, do)
        self._timers.append(timer)
        return timer

    def _framed(self, data: bytes, is_text: bool) -> list[bytes]:
        try:
            if is_text:
                self._talk.send_text(data)
            else:
                self._talk.send_binary(data)
        except InvalidState:
            return []
        return self._talk.data_to_send()

    def _flush(self) -> None:
        for part in self._talk.data_to_send():
            if self._is_frozen:
                continue
            if part:
                self.transport.write(part)
            else:
                # The end of the closing handshake, or of one that was refused.
                self._end()
                self.transport.close()

    def _end(self) -> None:
        if not self.is_over:
            self.is_over = True
            self._listener.closed()
