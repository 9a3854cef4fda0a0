"""A small HTTP server in a process of its own, so that it shares neither loop nor core with us."""

import asyncio
import multiprocessing
import random
import signal

_ANSWER = b'{"ok": true}'
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(
    _ANSWER
)


class _Slow(asyncio.Protocol):
    """Answers each request after a few milliseconds, one in twenty without keep-alive."""

    def __init__(self, luck: random.Random) -> None:
        self._luck = luck
        self._received = b""

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data):
        self._received += data
        while b"\r\n\r\n" in self._received:
            _, _, self._received = self._received.partition(b"\r\n\r\n")
            asyncio.get_running_loop().call_later(self._luck.random() * 0.006, self._answer)

    def _answer(self):
        if self._transport.is_closing():
            return
        self._transport.write(_HEAD + _ANSWER)
        if self._luck.random() < 0.05:
            self._transport.close()


def _serve(seed, line):
    async def main():
        luck = random.Random(seed)
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        server = await loop.create_server(lambda: _Slow(luck), "127.0.0.1", 0, backlog=1024)
        line.send(server.sockets[0].getsockname()[1])
        # No test needs it longer, and nobody may be left to end it.
        async with asyncio.timeout(900):
            await stop.wait()

    try:
        asyncio.run(main())
    except TimeoutError:
        return


class SlowServer:
    """`with SlowServer(seed) as url:` the base URL of a server in another process."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __enter__(self) -> str:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(self._seed, theirs), daemon=True)
        self._process.start()
        if not ours.poll(20):
            raise RuntimeError("the server did not start")
        return f"http://127.0.0.1:{ours.recv()}"

    def __exit__(self, *exc) -> None:
        self._process.terminate()
        self._process.join(5)
