"""The WebSocket library, and nobody else knows which one it is.

A ``Receiver`` is told of the connection, of every frame and of the end; all of that happens on the
event loop, without a task or a timer per message.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket as sockets
import ssl
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from sentio_async import errors
from sentio_async.config import is_loopback
from sentio_async.dialling import addresses_of, first_to_answer
from sentio_async.errors import Outcome

__all__ = ["Closing", "OpenSocket", "Receiver", "Socket", "open_socket"]

Closing = tuple[int | None, str]
"""The close code and reason of the other side; None when it went away without a word."""

MAX_FRAME = 16 * 1024 * 1024
PING_AFTER = 20.0
"""Seconds of silence after which a ping is sent, and seconds that its answer may take."""


class Socket(Protocol):
    """One WebSocket connection."""

    def send(self, frame: str | bytes) -> None:
        """Send text, or bytes in a binary frame; never waits."""
        ...

    def close(self) -> None:
        """Say goodbye and be gone; never waits."""
        ...

    def pause(self) -> None:
        """Read nothing for now."""
        ...

    def resume(self) -> None:
        """Read again."""
        ...


class Receiver(Protocol):
    """Hears what happens on a socket."""

    def opened(self, socket: Socket, /) -> None:
        """The connection stands; frames may follow at once."""
        ...

    def frame(self, payload: bytes, /) -> None:
        """One whole message."""
        ...

    def closed(self, closing: Closing, /) -> None:
        """Nothing more will come; told once."""
        ...


class OpenSocket(Protocol):
    """Opens connections."""

    async def __call__(
        self, url: str, headers: Mapping[str, str], receiver: Receiver, *, timeout: float
    ) -> None:
        """Connect, and tell the receiver; raises ConnectorError when there is no connection."""
        ...


@functools.lru_cache(maxsize=1)
def _ssl_context() -> ssl.SSLContext:
    # Making one takes 18 ms; all feeds of a process share it.
    import certifi

    return ssl.create_default_context(cafile=certifi.where())


async def open_socket(
    url: str, headers: Mapping[str, str], receiver: Receiver, *, timeout: float
) -> None:
    """Connect to ``wss://``, or to ``ws://`` on this machine.

    Raises AuthenticationError and PermissionError for 401 and 403, RateLimitError for 429, and
    ConnectionError for everything else that keeps the connection from being made.
    """
    import picows

    parts = urlsplit(url)
    if parts.scheme != "wss" and not (parts.scheme == "ws" and is_loopback(parts.hostname)):
        raise errors.ConfigurationError(f"a stream needs wss://, not {parts.scheme}://")
    made: list[sockets.socket] = []

    async def dial(target: Any) -> sockets.socket:
        # Of our own, for the library does not close one that it gives up on.
        addresses = await addresses_of(parts.hostname or "", target.port)
        made.append(await first_to_answer(addresses))
        return made[0]

    try:
        async with asyncio.timeout(timeout):
            await picows.ws_connect(
                lambda: _listener_class()(receiver),
                url,
                ssl_context=_ssl_context() if parts.scheme == "wss" else None,
                websocket_handshake_timeout=None,
                enable_auto_ping=True,
                auto_ping_idle_timeout=PING_AFTER,
                auto_ping_reply_timeout=PING_AFTER,
                max_frame_size=MAX_FRAME,
                extra_headers=dict(headers),
                max_redirects=0,
                read_buffer_init_size=64 * 1024,
                socket_factory=dial,
                use_aiofastnet=False,
            )
    except BaseException as exc:
        for each in made:
            _shut(each)
        error = _explain(exc, parts.netloc)
        if error is None:
            raise
        raise error from None


def _shut(made: sockets.socket) -> None:
    """End the connection under a transport that nobody holds; its loop then lets go of it."""
    try:
        made.shutdown(sockets.SHUT_RDWR)
    except OSError:
        return


def _explain(exc: BaseException, place: str) -> errors.ConnectorError | None:
    import picows

    cannot = f"stream: {place}: cannot connect"
    match exc:
        case picows.WSInvalidStatusError():
            return _explain_status(exc.response.status if exc.response else 0)
        case TimeoutError():
            return errors.ConnectionError(
                f"{cannot} within the time allowed", outcome=Outcome.NOT_SENT
            )
        case ssl.SSLCertVerificationError():
            return errors.CertificateError(f"stream: {exc.verify_message}")
        case picows.WSError() | OSError():
            words = str(exc) or type(exc).__name__
            return errors.ConnectionError(f"{cannot}: {words}", outcome=Outcome.NOT_SENT)
    return None


def _explain_status(status: int) -> errors.ConnectorError:
    text = f"stream: the venue answered {status} to the opening request"
    match status:
        case 401:
            return errors.AuthenticationError(text, status_code=status)
        case 403:
            return errors.PermissionError(text, status_code=status)
        case 429:
            return errors.RateLimitError(text, status_code=status)
    return errors.ConnectionError(text, outcome=Outcome.NOT_SENT)


@functools.lru_cache(maxsize=1)
def _listener_class() -> type[Any]:
    """Made when the first stream opens, so that importing this package loads no library."""
    import picows

    data = (picows.WSMsgType.TEXT, picows.WSMsgType.BINARY, picows.WSMsgType.CONTINUATION)
    close = picows.WSMsgType.CLOSE

    class Listener(picows.WSListener):
        def __init__(self, receiver: Receiver) -> None:
            super().__init__()
            self._receiver = receiver
            self._take = receiver.frame
            self._pieces = _Pieces()
            self._closing: Closing = (None, "")
            self._looking: asyncio.Task[None] | None = None

        def on_ws_connected(self, transport: picows.WSTransport) -> None:
            self._receiver.opened(_Picows(transport))

        def on_ws_frame(self, transport: Any, frame: picows.WSFrame) -> None:
            # To ask a frame for its kind costs as much as all else here.  It is not asked where
            # it can only be a message: pings are answered before, closing has been noted.
            if (
                frame.fin
                and not self._pieces.are_open
                and transport.close_handshake is None
                and not self.is_user_specific_pong(frame)
            ):
                self._take(frame.get_payload_as_bytes())
            else:
                self._on_other_frame(transport, frame)

        def _on_other_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
            kind = frame.msg_type
            if kind is close:
                code = frame.get_close_code()
                self._closing = (code.value, _reason(frame))
                # A close frame need not have a code, and ours must not have 0.
                transport.send_close(code if self._closing[0] else picows.WSCloseCode.OK)
                transport.disconnect()
            elif kind in data:
                message = self._pieces.add(frame.get_payload_as_bytes(), is_last=frame.fin)
                if message is not None:
                    self._take(message)

        def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
            self._receiver.closed(self._closing)
            # What ended it stays in a future of the library, which complains if nobody looks.
            self._looking = asyncio.get_running_loop().create_task(_look_at_the_end(transport))

    return Listener


async def _look_at_the_end(transport: Any) -> None:
    with contextlib.suppress(Exception):
        await transport.wait_disconnected()


class _Pieces:
    """Puts a message together that comes in several frames."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self.are_open = False
        """The last piece is still to come."""
        self._are_too_long = False

    def add(self, piece: bytes, *, is_last: bool) -> bytes | None:
        """The whole message, with its last piece; one that is too long ends the connection."""
        self.are_open = not is_last
        self._size += len(piece)
        if self._are_too_long:
            # What still comes until the connection has ended is nobody's.
            return None
        if self._size > MAX_FRAME:
            self._are_too_long = True
            self._pieces.clear()
            raise ValueError(f"a message of more than {MAX_FRAME} bytes")
        if piece:
            self._pieces.append(piece)
        if not is_last:
            return None
        whole = b"".join(self._pieces)
        self._pieces, self._size = [], 0
        return whole


def _reason(frame: Any) -> str:
    try:
        return str(frame.get_close_reason() or "")[:200]
    except (ValueError, UnicodeDecodeError):
        return ""


class _Picows:
    """A socket, by picows."""

    def __init__(self, transport: Any) -> None:
        import picows

        self._transport = transport
        self._text, self._binary = picows.WSMsgType.TEXT, picows.WSMsgType.BINARY
        self._goodbye = picows.WSCloseCode.OK

    def send(self, frame: str | bytes) -> None:
        if self._transport.is_disconnected:
            return
        if isinstance(frame, str):
            self._transport.send(self._text, frame.encode())
        else:
            self._transport.send(self._binary, frame)

    def close(self) -> None:
        if self._transport.is_disconnected:
            return
        self._transport.send_close(self._goodbye)
        self._transport.disconnect(graceful=True)

    def pause(self) -> None:
        self._transport.underlying_transport.pause_reading()

    def resume(self) -> None:
        if not self._transport.is_disconnected:
            self._transport.underlying_transport.resume_reading()
