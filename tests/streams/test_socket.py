"""The WebSocket library over real sockets: handshakes, frames, endings."""

import asyncio
import contextlib
import gc
import json
import socket

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from sentio_async import errors
from sentio_async.connectors.alpaca.data import AlpacaData
from sentio_async.connectors.polygon.data import PolygonData
from sentio_async.streams import FeedState
from sentio_async.streams import socket as streams_socket
from sentio_async.streams.socket import open_socket

AT = "2026-11-24T15:00:00.123456789Z"


class Receiver:
    def __init__(self) -> None:
        self.socket = None
        self.frames: list[bytes] = []
        self.ended: asyncio.Future[tuple[int | None, str]] = asyncio.Future()

    def opened(self, made) -> None:
        self.socket = made

    def frame(self, payload: bytes) -> None:
        self.frames.append(payload)

    def closed(self, closing) -> None:
        self.ended.set_result(closing)


@contextlib.asynccontextmanager
async def a_server(handler, **options):
    async with serve(handler, "127.0.0.1", 0, **options) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"ws://127.0.0.1:{port}"


async def test_frames_come_whole_however_they_are_cut():
    async def handler(websocket):
        await websocket.send("text")
        await websocket.send(b"bytes")
        await websocket.send(["in ", "three ", "pieces"])
        await websocket.close(1001, "going away")

    receiver = Receiver()
    async with a_server(handler) as url:
        await open_socket(url, {}, receiver, timeout=2)
        assert await asyncio.wait_for(receiver.ended, 2) == (1001, "going away")

    assert receiver.frames == [b"text", b"bytes", b"in three pieces"]


async def test_pongs_that_nobody_asked_for_are_no_messages():
    async def handler(websocket):
        await websocket.pong(b"[]")
        await websocket.send(b"first")
        await websocket.send(pieces(websocket))
        await websocket.pong(b"[]")
        await websocket.ping(b"[]")
        await websocket.send("last")

    async def pieces(websocket):
        yield "in "
        await websocket.pong(b"[]")
        yield "pieces"

    receiver = Receiver()
    async with a_server(handler) as url:
        await open_socket(url, {}, receiver, timeout=2)
        await asyncio.wait_for(receiver.ended, 2)

    assert receiver.frames == [b"first", b"in pieces", b"last"]


@pytest.mark.parametrize("is_ours", [True, False])
async def test_a_close_frame_has_a_code(is_ours):
    codes = asyncio.Queue()

    async def handler(websocket):
        if not is_ours:
            await websocket.protocol_close()
        await websocket.wait_closed()
        codes.put_nowait(websocket.protocol.close_rcvd)

    receiver = Receiver()
    async with a_server(handler, create_connection=Talkative) as url:
        await open_socket(url, {}, receiver, timeout=2)
        if is_ours:
            receiver.socket.close()
        assert (await asyncio.wait_for(codes.get(), 2)).code == 1000


class Talkative(ServerConnection):
    """Can say goodbye without a code."""

    async def protocol_close(self) -> None:
        async with self.send_context():
            self.protocol.send_close()


async def test_headers_and_frames_of_ours_arrive():
    got = asyncio.Queue()

    async def handler(websocket):
        got.put_nowait(websocket.request.headers["content-type"])
        got.put_nowait(await websocket.recv())
        got.put_nowait(await websocket.recv())

    receiver = Receiver()
    async with a_server(handler) as url:
        await open_socket(url, {"content-type": "application/msgpack"}, receiver, timeout=2)
        receiver.socket.send("text")
        receiver.socket.send(b"bytes")
        heard = [await asyncio.wait_for(got.get(), 2) for _ in range(3)]
        receiver.socket.close()
        await asyncio.wait_for(receiver.ended, 2)

    assert heard == ["application/msgpack", "text", b"bytes"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, errors.AuthenticationError),
        (403, errors.PermissionError),
        (429, errors.RateLimitError),
        (500, errors.ConnectionError),
        (302, errors.ConnectionError),
    ],
)
async def test_a_refused_handshake_says_why(status, error):
    def refuse(connection, request):
        return connection.respond(status, "no")

    async def handler(websocket):
        raise AssertionError

    async with a_server(handler, process_request=refuse) as url:
        with pytest.raises(error):
            await open_socket(url, {}, Receiver(), timeout=2)


async def test_nobody_there_and_plain_text_elsewhere_are_errors_of_ours():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(errors.ConnectionError, match=rf"127.0.0.1:{port}: cannot connect: \[Errno"):
        await open_socket(f"ws://127.0.0.1:{port}", {}, Receiver(), timeout=2)
    with pytest.raises(errors.ConfigurationError):
        await open_socket("ws://example.com", {}, Receiver(), timeout=2)


@pytest.mark.parametrize("how", ["timeout", "cancel"])
async def test_a_handshake_that_is_given_up_leaves_no_connection(how):
    gone = asyncio.Event()

    async def mute(reader, writer):
        with contextlib.suppress(OSError):
            while await reader.read(4096):
                pass
        gone.set()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    opening = asyncio.create_task(
        open_socket(f"ws://127.0.0.1:{port}", {}, Receiver(), timeout=0.05)
    )
    if how == "cancel":
        await asyncio.sleep(0.02)
        opening.cancel()
    await asyncio.wait((opening,))

    await asyncio.wait_for(gone.wait(), 1)
    assert opening.cancelled() is (how == "cancel")
    if how == "timeout":
        assert isinstance(opening.exception(), errors.ConnectionError)
    server.close()
    await server.wait_closed()


class Alpaca:
    """Alpaca's stream of stocks, from its documentation, in MessagePack."""

    def __init__(self) -> None:
        self.connections = 0
        self.sockets = []

    async def __call__(self, websocket):
        def pack(*messages):
            return msgspec.msgpack.encode(messages)

        self.connections += 1
        self.sockets.append(websocket)
        await websocket.send(pack({"T": "success", "msg": "connected"}))
        login = msgspec.msgpack.decode(await websocket.recv())
        if login["secret"] != "S" * 20:
            await websocket.send(pack({"T": "error", "code": 402, "msg": "auth failed"}))
            return
        await websocket.send(pack({"T": "success", "msg": "authenticated"}))
        listed = {}
        async for payload in websocket:
            asked = msgspec.msgpack.decode(payload)
            for channel, names in asked.items():
                if channel == "action":
                    continue
                known = listed.setdefault(channel, set())
                (known.update if asked["action"] == "subscribe" else known.difference_update)(names)
            answer = {channel: sorted(names) for channel, names in listed.items()}
            await websocket.send(pack({"T": "subscription", **answer}))
            quotes = [
                {"T": "q", "S": name, "bp": 1.0, "ap": 2.0, "bs": 1, "as": 2, "t": AT}
                for name in sorted(listed.get("quotes", ()))
            ]
            if quotes:
                await websocket.send(pack(*quotes))


async def test_alpaca_quotes_come_through_and_come_back_and_nothing_is_left_running():
    venue, seen = Alpaca(), []
    async with a_server(venue) as url:
        http = url.replace("ws", "http")
        settings = {"api_key": "PK" + "K" * 18, "api_secret": "S" * 20}
        data = AlpacaData({**settings, "data_url": http, "base_url": http})
        data.on_quotes(seen.append, "MSFT")
        async with data.stream_quotes("AAPL", "MSFT") as stream:
            assert {(await anext(stream)).symbol for _ in range(2)} == {"AAPL", "MSFT"}
            quote = seen[0]
            assert (quote.bid, quote.feed, quote.time_ns % 10**9) == (1.0, "iex", 123456789)
            assert abs(quote.received_ns / 1e9 - data._clock.utcnow().timestamp()) < 5
            await venue.sockets[0].close(1001)
            while venue.connections < 2:
                await stream.__anext__()
            (status,) = data.get_stream_status()
            assert status.state in (FeedState.SUBSCRIBING, FeedState.LIVE)
        await data._close()
        await asyncio.sleep(0)
    gc.collect()
    assert [task for task in asyncio.all_tasks() if "feed" in task.get_name()] == []


async def test_a_wrong_key_ends_the_stream_with_the_venues_words():
    async with a_server(Alpaca()) as url:
        http = url.replace("ws", "http")
        settings = {"api_key": "PK" + "K" * 18, "api_secret": "X" * 20}
        data = AlpacaData({**settings, "data_url": http, "base_url": http})

        with pytest.raises(errors.AuthenticationError, match="auth failed"):
            await anext(data.stream_quotes("AAPL"))
        await data._close()


async def test_polygon_trades_of_two_markets_over_two_connections():
    async def massive(websocket):
        market = websocket.request.path.strip("/")
        await websocket.send('[{"ev":"status","status":"connected","message":"hi"}]')
        await websocket.recv()
        await websocket.send('[{"ev":"status","status":"auth_success","message":"ok"}]')
        async for text in websocket:
            for name in json.loads(text)["params"].split(","):
                row = {"ev": "T", "sym": "BRK.B", "p": 1.5, "s": 2, "t": 1700000000000}
                if market == "crypto":
                    row = {"ev": "XT", "pair": "BTC-USD", "p": 9, "s": 1, "t": 1700000000000}
                status = {"ev": "status", "status": "success", "message": f"subscribed to: {name}"}
                await websocket.send(json.dumps([status, row]))

    async with a_server(massive) as url:
        data = PolygonData({"api_key": "K" * 20, "base_url": url.replace("ws", "http")})
        async with data.stream_trades("BRK.B", "X:BTCUSD") as stream:
            found = {(await asyncio.wait_for(anext(stream), 2)).symbol for _ in range(2)}
            await stream.ready()
        await data._close()

    assert found == {"BRK.B", "X:BTCUSD"}


async def test_pieces_without_end_take_no_memory_and_end_the_connection(monkeypatch, caplog):
    monkeypatch.setattr(streams_socket, "MAX_FRAME", 100_000)
    held = []

    class Watched(streams_socket._Pieces):
        def add(self, piece, *, is_last):
            try:
                return super().add(piece, is_last=is_last)
            finally:
                held.append((len(self._pieces), sum(map(len, self._pieces))))

    async def pieces():
        for _ in range(1000):
            yield ""
        for _ in range(1000):
            yield "x" * 1000

    async def handler(websocket):
        with contextlib.suppress(ConnectionClosed):
            await websocket.send(pieces())

    monkeypatch.setattr(streams_socket, "_Pieces", Watched)
    receiver = Receiver()
    async with a_server(handler) as url:
        await open_socket(url, {}, receiver, timeout=2)
        await asyncio.wait_for(receiver.ended, 2)

    assert receiver.frames == []
    assert max(count for count, _ in held) == 100
    assert len(held) > 1101
    assert len(caplog.records) == 1


async def test_an_address_that_says_nothing_does_not_hold_up_the_next(monkeypatch):
    async def handler(websocket):
        await websocket.wait_closed()

    async def resolved(host, port, **more):
        # Some event loops look up addresses too.
        hosts = ("127.0.0.9", "127.0.0.1") if host == "localhost" else (host,)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in hosts]

    receiver = Receiver()
    async with a_server(handler) as url:
        port = int(url.rpartition(":")[2])
        with socket.socket() as listener, socket.socket() as one, socket.socket() as two:
            listener.bind(("127.0.0.9", port))
            listener.listen(0)
            for each in (one, two):
                each.setblocking(False)
                each.connect_ex(("127.0.0.9", port))
            monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolved)
            async with asyncio.timeout(2):
                await open_socket(f"ws://localhost:{port}", {}, receiver, timeout=2)
            monkeypatch.undo()
        receiver.socket.close()
        await asyncio.wait_for(receiver.ended, 2)
