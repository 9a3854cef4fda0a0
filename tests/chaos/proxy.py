"""A TCP proxy that does to HTTP what networks do: one thing at random for each request.

It listens on loopback only, knows nothing of what it carries but where a request ends, and draws
everything from one seed.
"""

import asyncio
import contextlib
import random
import socket
import struct
from collections import Counter

REQUESTS = (
    "latency up",
    "slice up",
    "timeout up",
    "reset up",
    "limit up",
    "late",
    "duplicate",
)
"""What can become of a request.  ``late`` arrives when its sender has long been reset."""
ANSWERS = (
    "latency down",
    "slice down",
    "timeout down",
    "reset down",
    "limit down",
    "corrupt",
    "slow close",
)
"""What can become of an answer: ``limit`` is the end of the connection in the midst of it."""
LATEST = 1.0
"""Seconds that a request may be late."""
SILENCE = 4.0
"""Seconds that nothing is said, unless the caller has gone before."""
SLOWEST = 0.3
"""Seconds of latency at most."""


class Proxy:
    """`async with Proxy(host, port, rate, seed) as url:`; ``done`` counts what it did."""

    def __init__(self, host: str, port: int, rate: float, seed: int) -> None:
        self._target = (host, port)
        self._rate = rate
        self._luck = random.Random(seed)
        self._deck: list[str] = []
        self._tasks: set[asyncio.Task] = set()
        self.done: Counter[str] = Counter()

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *exc) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def calm(self) -> None:
        """Do nothing to anybody from now on."""
        self._rate = 0.0

    def _draw(self) -> str | None:
        if self._luck.random() >= self._rate:
            return None
        if not self._deck:
            # Every kind comes once before one comes again, so that no run lacks any.
            self._deck = self._luck.sample(REQUESTS + ANSWERS, len(REQUESTS + ANSWERS))
        fault = self._deck.pop()
        self.done[fault] += 1
        return fault

    async def _serve(self, reader, writer) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            await self._carry(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        except asyncio.CancelledError:
            # Ours, at the end; asyncio would print that it was not told why.
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _carry(self, reader, writer) -> None:
        upstream = await asyncio.open_connection(*self._target)
        try:
            while (request := await _read_message(reader)) is not None:
                fault = self._draw()
                if not await self._ask(fault, request, upstream[1], (reader, writer)):
                    return
                answer = await _read_message(upstream[0])
                if answer is None or not await self._answer(
                    fault, (request, answer), upstream, (reader, writer)
                ):
                    return
        finally:
            upstream[1].close()

    async def _ask(self, fault, request, up, caller) -> bool:
        """Pass a request on; false when the connection is over."""
        match fault:
            case "reset up":
                _reset(caller[1])
                return False
            case "limit up":
                up.write(request[: self._luck.randrange(1, len(request))])
                await up.drain()
                _reset(caller[1])
                return False
            case "timeout up":
                await _say_nothing(caller[0])
                return False
            case "late":
                _reset(caller[1])
                task = asyncio.create_task(self._deliver_late(request))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                return False
            case "slice up":
                await _write_slices(up, request)
                return True
            case "latency up":
                await self._wait()
        up.write(request)
        await up.drain()
        return True

    async def _wait(self) -> None:
        await asyncio.sleep(self._luck.uniform(0.01, SLOWEST))

    async def _deliver_late(self, request) -> None:
        await asyncio.sleep(self._luck.uniform(0.0, LATEST))
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(*self._target)
            writer.write(request)
            await writer.drain()
            await _read_message(reader)
            writer.close()

    async def _answer(self, fault, carried, upstream, caller) -> bool:
        """Pass an answer on; false when the connection is over."""
        luck, (request, answer), writer = self._luck, carried, caller[1]
        match fault:
            case "duplicate":
                # As a proxy does that got no answer: it asks again and passes on the second.
                upstream[1].write(request)
                answer = await _read_message(upstream[0]) or answer
            case "reset down":
                _reset(writer)
                return False
            case "timeout down":
                await _say_nothing(caller[0])
                return False
            case "limit down":
                answer = answer[: luck.randrange(1, len(answer))]
            case "corrupt":
                at = luck.randrange(max(1, len(answer) - 8))
                answer = answer[:at] + b"\xff\x00\xff\x00\xff\x00\xff\x00" + answer[at + 8 :]
            case "slice down":
                await _write_slices(writer, answer)
                return True
            case "latency down":
                await self._wait()
        writer.write(answer)
        await writer.drain()
        if fault == "slow close":
            await self._wait()
        return fault not in ("limit down", "corrupt", "slow close")


async def _say_nothing(reader) -> None:
    """Until the other side has had enough."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(reader.read(1), SILENCE)


async def _write_slices(writer, message: bytes) -> None:
    for start in range(0, len(message), 97):
        writer.write(message[start : start + 97])
        await writer.drain()
        await asyncio.sleep(0.001)


async def _read_message(reader) -> bytes | None:
    """One whole request or answer; None when the other side has gone."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        if b"transfer-encoding: chunked" in lines:
            body = b""
            while not body.endswith(b"0\r\n\r\n"):
                body += await reader.readuntil(b"\r\n")
            return head + body
        sizes = [line.split(b":")[1] for line in lines if line.startswith(b"content-length:")]
        return head + (await reader.readexactly(int(sizes[0])) if sizes else b"")
    except asyncio.IncompleteReadError:
        return None


def _reset(writer) -> None:
    """Hang up so that the other side sees a reset, not an end."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
