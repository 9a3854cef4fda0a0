"""CPU per message from the socket to the consumer: ours, alpaca-py's, massive's.

A server process sends frames that were encoded before; every client runs in a process of its own
and measures its own CPU time between two points of the stream.  ``python -m tests.benchmarks
streams --json``, or this file by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.measure import Row, Settings, spread

LATENCY = "streams.latency_p99"
RATE = 20_000
"""Messages a second whose latency is measured."""
MESSAGES = {1: 60_000, 10: 200_000}
WARM = 0.1
"""The part of the messages that is not measured."""
KEY = {"api_key": "PK" + "K" * 18, "api_secret": "S" * 20}


def alpaca_frame(size: int) -> bytes:
    import msgspec
    from msgspec.msgpack import Ext

    stamp = Ext(-1, (18 << 34 | 1614870977).to_bytes(8, "big"))
    quote = {
        "T": "q", "S": "AAPL", "bx": "B", "bp": 99.9, "bs": 100, "ax": "A", "ap": 100.1,
        "as": 200, "t": stamp, "r": stamp, "c": ["R"], "z": "B",
    }  # fmt: skip
    trade = {
        "T": "t", "S": "AAPL", "i": 42, "x": "X", "p": 100.0, "s": 10, "t": stamp, "r": stamp,
        "c": [" "], "z": "A",
    }  # fmt: skip
    rows = [trade if number % 5 == 4 else quote for number in range(size)]
    return msgspec.msgpack.encode(rows)


def polygon_frame(size: int) -> str:
    quote = {
        "ev": "Q", "sym": "AAPL", "bx": 4, "bp": 114.125, "bs": 100, "ax": 7, "ap": 114.128,
        "as": 160, "c": 0, "i": [604], "t": 1536036818784, "q": 50385480, "z": 3,
    }  # fmt: skip
    trade = {
        "ev": "T", "sym": "AAPL", "x": 4, "i": "12345", "z": 3, "p": 114.125, "s": 100,
        "c": [0, 12], "t": 1536036818784, "q": 3681328,
    }  # fmt: skip
    rows = [trade if number % 5 == 4 else quote for number in range(size)]
    return json.dumps(rows, separators=(",", ":"))


def _on_the_wire(frame: bytes | str) -> bytes:
    """The bytes of a whole frame from a server."""
    payload = frame if isinstance(frame, bytes) else frame.encode()
    kind = b"\x82" if isinstance(frame, bytes) else b"\x81"
    length = len(payload)
    size = bytes([length]) if length < 126 else b"\x7e" + length.to_bytes(2, "big")
    return kind + size + payload


async def serve(port_file: str) -> None:
    """Both venues: greets, lets in, confirms, and sends as fast as it is read."""
    import msgspec
    from websockets.asyncio.server import serve as listen

    pack = msgspec.msgpack.encode
    sizes = {"size": 1, "is_timed": 0}

    async def blast(websocket: Any, frame: Any, size: int) -> None:
        # Bursts of 256 messages, a quarter of a million a second at most: what is measured is the
        # reader, neither how often it is woken nor how many megabytes a kernel lets pile up.
        raw = _on_the_wire(frame)
        count = 256 // size
        transport = websocket.transport
        for _ in range(MESSAGES[size] * 2 // size // count):
            transport.write(raw * count)
            await asyncio.sleep(0.001)
            while transport.get_write_buffer_size() and not transport.is_closing():  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            if transport.is_closing():
                return
        await asyncio.sleep(60)

    async def drip(websocket: Any) -> None:
        # Each message carries the moment at which it was handed to the socket, as its time.
        mark = "1" * len(str(time.monotonic_ns()))
        frame = _on_the_wire(polygon_frame(1).replace("1536036818784", mark))
        head, tail = frame.split(mark.encode())
        write = websocket.transport.write
        began, sent = time.monotonic(), 0
        while not websocket.transport.is_closing():
            due = int((time.monotonic() - began) * RATE)
            for _ in range(due - sent):
                write(b"%b%d%b" % (head, time.monotonic_ns(), tail))
            sent = due
            await asyncio.sleep(0.0005)

    async def handler(websocket: Any) -> None:
        path = websocket.request.path
        if path.startswith("/size/"):
            sizes["size"] = int(path.rsplit("/", 1)[1])
            sizes["is_timed"] = path.startswith("/size/timed/")
            return
        size = sizes["size"]
        if "v2" in path:
            await websocket.send(pack([{"T": "success", "msg": "connected"}]))
            await websocket.recv()
            await websocket.send(pack([{"T": "success", "msg": "authenticated"}]))
            await websocket.recv()
            listed = {"T": "subscription", "quotes": ["AAPL"], "trades": ["AAPL"]}
            await websocket.send(pack([listed]))
            await blast(websocket, alpaca_frame(size), size)
            return
        await websocket.send('[{"ev":"status","status":"connected","message":"Connected"}]')
        await websocket.recv()
        await websocket.send('[{"ev":"status","status":"auth_success","message":"authenticated"}]')
        await websocket.recv()
        names = ("Q.AAPL",) if sizes["is_timed"] else ("Q.AAPL", "T.AAPL")
        answers = [
            {"ev": "status", "status": "success", "message": f"subscribed to: {n}"} for n in names
        ]
        await websocket.send(json.dumps(answers))
        if sizes["is_timed"]:
            await drip(websocket)
        await blast(websocket, polygon_frame(size), size)

    async with listen(handler, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        port = server.sockets[0].getsockname()[1]
        Path(port_file).write_text(str(port))  # noqa: ASYNC240 (once, before anything runs)
        await asyncio.sleep(3600)


class Meter:
    """CPU time between two points of a stream."""

    def __init__(self, size: int) -> None:
        self._last = MESSAGES[size]
        self._mark = int(self._last * WARM)
        self._seen = 0
        self._began = 0.0
        self._count = 0

    def add(self, count: int) -> None:
        self._seen += count
        if self._seen >= self._mark:
            self._reached()

    def step(self, _row: object) -> None:
        self._seen += 1
        if self._seen >= self._mark:
            self._reached()

    def _reached(self) -> None:
        now = time.process_time()
        if not self._began:
            self._began, self._count, self._mark = now, self._seen, self._last
            return
        print((now - self._began) / (self._seen - self._count) * 1e6, flush=True)
        os._exit(0)


async def ours(vendor: str, how: str, size: int, port: int) -> None:
    from sentio_async.connectors.alpaca.data import AlpacaData
    from sentio_async.connectors.polygon.data import PolygonData
    from sentio_async.streams import Policy, Subscription

    http = f"http://127.0.0.1:{port}"
    data: Any = (
        AlpacaData({**KEY, "data_url": http, "base_url": http})
        if vendor == "alpaca"
        else PolygonData({"api_key": "K" * 20, "base_url": http})
    )
    meter = Meter(size)
    parts = data._parts(("quotes", "trades"), ["AAPL"])
    if how == "callback":
        data._benchmark = Subscription(parts, Policy.DROP_OLDEST, callback=meter.step)
        await asyncio.sleep(3600)
    stream = Subscription(parts, Policy.DROP_OLDEST, buffer=1_000_000)
    step = meter.step
    async for row in stream:
        step(row)


async def latency(port: int) -> None:
    """Prints the 99th percentile of milliseconds from the server's write to the callback."""
    from sentio_async.connectors.polygon.data import PolygonData

    data = PolygonData({"api_key": "K" * 20, "base_url": f"http://127.0.0.1:{port}"})
    waits: list[int] = []
    append, now = waits.append, time.monotonic_ns

    def take(row: Any) -> None:
        # Polygon's times are in milliseconds, and a row's in nanoseconds.
        append(now() - row.time_ns // 1_000_000)

    stream = data.on_quotes(take, "AAPL")
    await stream.ready()
    await asyncio.sleep(0.5)
    waits.clear()
    await asyncio.sleep(3.0)
    rate = len(waits) / 3.0
    assert rate > 0.95 * RATE, f"only {rate:.0f} messages a second came"
    print(statistics.quantiles(waits, n=100)[98] / 1e6, flush=True)
    os._exit(0)


def alpaca_py(size: int, port: int) -> None:
    from alpaca.data.live import StockDataStream

    stream = StockDataStream("key", "secret", url_override=f"ws://127.0.0.1:{port}/v2/iex")
    meter = Meter(size)

    async def take(row: object) -> None:
        meter.step(row)

    stream.subscribe_quotes(take, "AAPL")
    stream.subscribe_trades(take, "AAPL")
    stream.run()


def massive_client(size: int, port: int) -> None:
    import massive.websocket as library
    from massive import WebSocketClient

    meter = Meter(size)

    async def take(rows: list[object]) -> None:
        meter.add(len(rows))

    client: Any = WebSocketClient("key", secure=False, subscriptions=["Q.AAPL", "T.AAPL"])
    client.url = f"ws://127.0.0.1:{port}/stocks"
    assert library is not None
    asyncio.run(client.connect(take))


def client(who: str, size: int, port: int) -> None:
    """One client, in this process."""
    if who == "alpaca-py":
        alpaca_py(size, port)
    elif who == "massive":
        massive_client(size, port)
    elif who == "latency":
        asyncio.run(latency(port))
    else:
        vendor, how = who.split(":")
        asyncio.run(ours(vendor, how, size, port))


def _measure(who: str, size: int, port: int) -> float:
    import asyncio as loops

    from websockets.asyncio.client import connect

    timed = "timed/" if who == "latency" else ""

    async def say_size() -> None:
        async with connect(f"ws://127.0.0.1:{port}/size/{timed}{size}"):
            return

    loops.run(say_size())
    command = [sys.executable, __file__, "--client", who, "--size", str(size), "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env=environment, check=False
    )
    try:
        return float(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        raise RuntimeError(f"{who}: {done.stderr[-2000:]}") from None


Target = tuple[str, str, int, str, float]
# How many times less CPU than the peer.
TARGETS: list[Target] = [
    ("alpaca", "callback", 1, "alpaca-py", 15.0),
    ("alpaca", "async for", 1, "alpaca-py", 8.0),
    ("alpaca", "callback", 10, "alpaca-py", 12.0),
    ("alpaca", "async for", 10, "alpaca-py", 5.0),
    ("polygon", "callback", 1, "massive", 8.0),
    ("polygon", "async for", 1, "massive", 6.0),
    ("polygon", "callback", 10, "massive", 6.0),
    ("polygon", "async for", 10, "massive", 3.0),
]


@contextlib.contextmanager
def _server() -> Iterator[int]:
    with tempfile.TemporaryDirectory() as folder:
        port_file = Path(folder) / "port"
        server = subprocess.Popen([sys.executable, __file__, "--serve", str(port_file)])
        try:
            until = time.monotonic() + 20
            while not port_file.exists() or not port_file.read_text():
                assert time.monotonic() < until, "the server did not start"
                time.sleep(0.05)
            yield int(port_file.read_text())
        finally:
            server.terminate()
            server.wait(10)


def _bench(vendor: str, how: str, size: int) -> str:
    return f"streams.{vendor}.{how.replace(' ', '_')}.{size}"


def rows(settings: Settings) -> Iterator[Row]:
    """CPU per message, ours against the vendor's client, and how long a message takes."""
    chosen = [each for each in TARGETS if settings.wants(_bench(*each[:3]))]
    late = settings.wants(LATENCY)
    if not chosen and not late:
        return
    with _server() as port:
        if chosen:
            yield from _cpu_rows(chosen, port, settings.rounds)
        if late:
            samples = [_measure("latency", 1, port) for _ in range(settings.rounds)]
            yield Row(
                LATENCY, statistics.median(samples), None, "ms", target=1.0, spread=spread(samples)
            )


def _cpu_rows(chosen: list[Target], port: int, rounds: int) -> Iterator[Row]:
    samples: dict[tuple[str, int], list[float]] = {}
    pairs = [((f"{vendor}:{how}", size), (peer, size)) for vendor, how, size, peer, _ in chosen]
    clients = dict.fromkeys(client for pair in pairs for client in pair)
    for _ in range(rounds):
        # Ours and the peer take turns, so that a busy machine is busy for both.
        for who, size in clients:
            samples.setdefault((who, size), []).append(_measure(who, size, port))
    for vendor, how, size, peer, times in chosen:
        mine, theirs = samples[f"{vendor}:{how}", size], samples[peer, size]
        yield Row(
            _bench(vendor, how, size),
            statistics.median(mine),
            statistics.median(theirs),
            "us CPU/message",
            target=round(1 / times, 4),
            spread=spread(mine),
        )


def main() -> None:
    """Serve, be one client, or measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve")
    parser.add_argument("--client")
    parser.add_argument("--size", type=int, default=1)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve(given.serve))
    elif given.client:
        client(given.client, given.size, given.port)
    else:
        for row in rows(Settings(("streams",), given.rounds, 0, pin=False)):
            print(row.json(), flush=True)


if __name__ == "__main__":
    main()
