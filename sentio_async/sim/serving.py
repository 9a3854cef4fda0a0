"""HTTP on a loopback port, inside the loop that is already running.

uvicorn's protocol without its server: that one installs signal handlers and ticks ten times a
second, which makes every stop take 100 ms. Each request can reach its own socket
(`wire_of(scope)`), which is what lets a fault cut, reset or mute it, and a stream take it over.
A WebSocket's handshake is served as the GET it is.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime
from typing import Any, cast
from urllib.parse import parse_qsl

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from sentio_async.sim.state import Seen, State, without_secrets

WIRE = "sentio.sim.wire"
SEEN = "sentio.sim.seen"
# How long answers under way may take once the server stops.
GRACE = 0.05
# As nginx has it: longer than any client of ours keeps an idle connection.
KEEP_ALIVE = 75
# A load test opens hundreds of connections in one turn of the loop.
BACKLOG = 1024


class Wire:
    """The socket under one request, for bytes that no well-behaved server would send."""

    __slots__ = ("_flow", "_http", "_transport")

    def __init__(self, http: HttpToolsProtocol) -> None:
        self._http = http
        self._transport = http.transport
        self._flow = http.flow

    @property
    def is_closing(self) -> bool:
        """Whether either side has already hung up."""
        return self._transport.is_closing()

    async def write(self, data: bytes) -> None:
        """Send these bytes as they are, at the speed the client reads them."""
        if not self._transport.is_closing():
            self._transport.write(data)
            await self._flow.drain()

    def close(self) -> None:
        """Hang up after what was written has left."""
        self._transport.close()

    def reset(self) -> None:
        """Hang up with a TCP reset; what was not yet read by the client is lost."""
        reset(self._transport)

    def hand_over(self, heir: "Heir") -> bool:
        """Let another protocol have the connection, unless the client has already left."""
        connections = cast("set[Any]", self._http.connections)
        connections.discard(self._http)
        self._http.cycle.disconnected = True
        if self._transport.is_closing():
            return False
        connections.add(heir)
        self._transport.set_protocol(heir)
        heir.inherit(self._transport, lambda: connections.discard(heir))
        return True


class Heir(asyncio.Protocol):
    """What takes over a connection that began as HTTP."""

    transport: asyncio.Transport

    def inherit(self, transport: asyncio.Transport, gone: Callable[[], object]) -> None:
        """Begin; `gone` is to be called once the connection is lost."""
        raise NotImplementedError

    def shutdown(self) -> None:
        """The server stops: say goodbye."""
        raise NotImplementedError


def reset(transport: asyncio.BaseTransport) -> None:
    """End a connection with RST instead of FIN."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()
    else:
        transport.close()


def wire_of(scope: Scope) -> Wire:
    """The socket of the request this scope describes."""
    wire = scope["extensions"][WIRE]
    assert isinstance(wire, Wire)
    return wire


class Server:
    """One ASGI application on one port, from `start()` to `stop()`.

    `now` fills the Date header, so clients that compare clocks see the exchange's. `greet` is
    asked about each new connection and may hang up at once.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        now: Callable[[], datetime],
        greet: Callable[[asyncio.Transport], None] = lambda _: None,
    ) -> None:
        self._app = app
        self._now = now
        self._greet = greet
        self._state = ServerState()
        self._server: asyncio.Server | None = None
        self._is_stopping = False

    async def start(self, host: str, port: int = 0) -> str:
        """Listen; answers the base URL, with the port the system chose when `port` is 0."""
        config = uvicorn.Config(
            self._serve,
            interface="asgi3",
            lifespan="off",
            ws="none",
            log_config=None,
            timeout_keep_alive=KEEP_ALIVE,
        )
        config.load()
        loop = asyncio.get_running_loop()
        protocol = _protocol(self._greet, self._default_headers)
        self._server = await loop.create_server(
            lambda: protocol(config, self._state, {}), host, port, backlog=BACKLOG
        )
        bound = self._server.sockets[0].getsockname()
        return f"http://{host}:{bound[1]}"

    async def stop(self) -> None:
        """Stop listening and hang up; requests under way get 50 ms to finish."""
        if self._server is None:
            return
        self._is_stopping = True
        self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        await _settle(self._state.tasks, GRACE)
        for connection in list(self._state.connections):
            connection.transport.abort()
        # Tells the waiting ones that their client is gone, which ends nearly all of them.
        await _settle(self._state.tasks, GRACE)
        for task in list(self._state.tasks):
            task.cancel()
        await asyncio.gather(*self._state.tasks, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if not self._is_stopping:
                raise

    def _default_headers(self) -> list[tuple[bytes, bytes]]:
        return [(b"date", format_datetime(self._now(), usegmt=True).encode("ascii"))]


async def _settle(tasks: set[asyncio.Task[None]], seconds: float) -> None:
    if tasks:
        await asyncio.wait(list(tasks), timeout=seconds)
    await asyncio.sleep(0)


def _protocol(
    greet: Callable[[asyncio.Transport], None],
    headers: Callable[[], list[tuple[bytes, bytes]]],
) -> type[HttpToolsProtocol]:
    class Protocol(HttpToolsProtocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.access_log = False
            greet(transport)

        def on_message_begin(self) -> None:
            super().on_message_begin()
            extensions: dict[str, Any] = {WIRE: Wire(self)}
            self.scope["extensions"] = extensions

        def _unsupported_upgrade_warning(self) -> None:
            """Upgrades are supported, by whoever takes the connection over."""

        def on_headers_complete(self) -> None:
            self.server_state.default_headers = headers()
            super().on_headers_complete()

    return Protocol


class Recorded:
    """Notes every request of a venue in `state.requests`, without its secrets."""

    def __init__(self, app: ASGIApp, venue: str, state: State) -> None:
        self._app = app
        self._venue = venue
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note what came, serve it, and note what was answered."""
        seen = self._seen(scope)
        self._state.requests.append(seen)
        scope["extensions"][SEEN] = seen

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
            await send(message)

        await self._app(scope, receive, watch)

    def _seen(self, scope: Scope) -> Seen:
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]]
        return Seen(
            venue=self._venue,
            method=scope["method"],
            path=scope["path"],
            query=without_secrets(query),
            headers=without_secrets(headers),
            at=self._state.clock.now(),
        )


def head_of(scope: Scope) -> bytes:
    """The request line and headers as they came, in the form they could have come in."""
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    lines = [scope["method"].encode() + b" " + scope["raw_path"] + query + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in scope["headers"]]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def seen_of(scope: Scope) -> Seen:
    """The note about the request this scope describes."""
    seen = scope["extensions"][SEEN]
    assert isinstance(seen, Seen)
    return seen
