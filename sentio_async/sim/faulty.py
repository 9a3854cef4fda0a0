"""Puts a venue behind its fault script: late, lost, cut and hostile answers, on the real socket."""

import asyncio
import functools
import gzip
import json
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sentio_async.sim.faults import (
    ACCEPT,
    DELAYS,
    ON_HANDSHAKE,
    ON_HTTP,
    SILENT,
    Applied,
    FaultRule,
)
from sentio_async.sim.limits import REFUSED, is_handshake
from sentio_async.sim.serving import Wire, reset, seen_of, wire_of
from sentio_async.sim.state import State

MEGABYTE = 1 << 20
# A client that never reads may not hold a task of ours for longer.
LINGER = 5.0
# What "never answers" means unless the rule says how long.
SILENCE = 60.0
GARBAGE: Final = b"\x15\x03\x03\x00\x02\x02\x28\x00\xff\xfe*** not a status line ***\r\n\r\n"
HTML: Final = (
    b"<html>\r\n<head><title>Please wait</title></head>\r\n<body>\r\n"
    b"<center><h1>Checking your browser</h1></center>\r\n</body>\r\n</html>\r\n"
)
NAN_JSON: Final = (
    b'{"id": "x", "symbol": "AAPL", "qty": NaN, "price": Infinity, "size": -Infinity,'
    b' "results": [NaN, 1e999], "quotes": {"AAPL": {"bp": NaN, "ap": 1e999}}}'
)


@dataclass(slots=True)
class Answer:
    """What the handler answered, held back until the fault has decided about it."""

    status: int = 200
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)

    async def hold(self, message: Message) -> None:
        """Takes the place of ASGI's `send`."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message.get("headers", ()))
        else:
            self.body += message.get("body", b"")

    def head(self) -> list[bytes]:
        """Status line and header lines as bytes, announcing the whole body and the close."""
        framing = (b"content-length", b"transfer-encoding", b"connection")
        kept = [(name, value) for name, value in self.headers if name.lower() not in framing]
        kept += [(b"content-length", b"%d" % len(self.body)), (b"connection", b"close")]
        return [status_line(self.status), *(b"%b: %b\r\n" % pair for pair in kept)]


def status_line(status: int) -> bytes:
    """The first line of an answer, with its newline."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode("ascii")


@dataclass(slots=True)
class Strike:
    """One call, the rule that strikes it, and the ways to reach its client."""

    rule: FaultRule
    scope: Scope
    receive: Receive
    send: Send
    answer: Answer

    @property
    def wire(self) -> Wire:
        """The socket of this call."""
        return wire_of(self.scope)

    async def reply(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer in good HTTP, leaving the connection as usable as before."""
        shown = {"content-type": "application/json", "content-length": str(len(body))}
        shown |= {name.lower(): value for name, value in (headers or {}).items()}
        pairs = [(name.encode(), value.encode()) for name, value in shown.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": pairs})
        await self.send({"type": "http.response.body", "body": body})

    async def hang_up(self) -> None:
        """Close the connection and see it closed; reset it if the client does not read."""
        self.wire.close()
        if not await self.is_gone_within(LINGER):
            await self.reset()

    async def reset(self) -> None:
        """Reset the connection and see it gone."""
        self.wire.reset()
        await self.is_gone_within(LINGER)

    async def is_gone_within(self, seconds: float) -> bool:
        """Wait until the client has left, at most so long."""
        try:
            async with asyncio.timeout(seconds):
                while (await self.receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            return False
        return True


class Faulty:
    """Serves a venue through its fault script."""

    def __init__(self, app: ASGIApp, venue: str, state: State) -> None:
        self._app = app
        self._venue = venue
        self._state = state

    def greet(self, transport: asyncio.Transport) -> None:
        """Hang up on a new connection if a rule says so."""
        for rule in self._state.faults.strikes(self._venue, ACCEPT, ""):
            self._state.faults.record(rule, (self._venue, ACCEPT, ""), self._state.clock.now())
            if rule.kind == "reset_accept":
                reset(transport)
            else:
                transport.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve as usual, or as the first rule that fires has it."""
        call = (self._venue, scope["method"], scope["path"])
        kinds = ON_HANDSHAKE if is_handshake(scope) else ON_HTTP
        rules = self._state.faults.strikes(*call, kinds=kinds)
        if not rules:
            await self._app(scope, receive, send)
            return
        now = self._state.clock.now()
        applied = [self._state.faults.record(rule, call, now) for rule in rules]
        seen_of(scope).fault = "+".join(rule.kind for rule in rules)
        await self._suffer(applied, scope, receive, send)

    async def _suffer(
        self, applied: list[Applied], scope: Scope, receive: Receive, send: Send
    ) -> None:
        answer = Answer()
        rules = [each.rule for each in applied]
        last = rules[-1]
        strike = Strike(last, scope, receive, send, answer)
        if last.kind != "reset_upload":
            body = await _read(receive)
            if body is None:
                return
            # Once read it is executed however late, whether or not the client still waits.
            await _wait(rules, "delay")
            if last.is_executed:
                await self._app(scope, _given(body, receive), answer.hold)
                for each in applied:
                    each.is_executed = REFUSED not in scope["extensions"]
                await _wait(rules, "delay_after")
        if last.kind in DELAYS:
            await _pass_on(strike)
            return
        if last.kind not in SILENT:
            await asyncio.sleep(last.delay)
        await STRIKES[last.kind](strike)


async def _wait(rules: list[FaultRule], kind: str) -> None:
    seconds = sum(rule.delay for rule in rules if rule.kind == kind)
    if seconds:
        await asyncio.sleep(seconds)


async def _read(receive: Receive) -> bytes | None:
    """The whole request body, or None when the client left while sending it."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def _given(body: bytes, receive: Receive) -> Receive:
    parts = [body]

    async def once() -> Message:
        if parts:
            return {"type": "http.request", "body": parts.pop(), "more_body": False}
        return await receive()

    return once


async def _pass_on(strike: Strike) -> None:
    answer = strike.answer
    await strike.send(
        {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
    )
    await strike.send({"type": "http.response.body", "body": bytes(answer.body)})


async def _drop(strike: Strike) -> None:
    await strike.hang_up()


async def _reset(strike: Strike) -> None:
    await strike.reset()


async def _silence(strike: Strike) -> None:
    if not await strike.is_gone_within(strike.rule.delay or SILENCE):
        await strike.hang_up()


async def _status(strike: Strike) -> None:
    rule = strike.rule
    body = rule.body
    if body is None:
        phrase = status_line(rule.status).decode().strip().partition(" ")[2]
        body = json.dumps({"message": phrase.partition(" ")[2].lower()})
    await strike.reply(rule.status, body.encode(), rule.headers)


async def _redirect(strike: Strike) -> None:
    rule, scope = strike.rule, strike.scope
    status = rule.status if 300 <= rule.status < 400 else 307
    # The same server under another name is another origin: a client that follows shows its keys.
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    there = f"http://localhost:{scope['server'][1]}" + (scope["raw_path"] + query).decode("latin-1")
    await strike.reply(status, b"", {"location": rule.body or there, **rule.headers})


async def _half(strike: Strike) -> None:
    lines = strike.answer.head()
    # The last line goes without its newline: a header cut in the middle.
    shown = b"".join(lines[: max(2, len(lines) // 2)])
    await strike.wire.write(shown.rstrip(b"\r\n")[:-1])
    await strike.hang_up()


async def _write_cut(strike: Strike) -> bool:
    answer = strike.answer
    if not answer.body:
        return False
    body = bytes(answer.body[: len(answer.body) // 2])
    await strike.wire.write(b"".join(answer.head()) + b"\r\n" + body)
    return True


async def _cut(strike: Strike) -> None:
    # An answer without a body has nothing to cut but its head.
    if await _write_cut(strike):
        await strike.hang_up()
        return
    await _half(strike)


async def _cut_reset(strike: Strike) -> None:
    await _write_cut(strike)
    await strike.reset()


async def _dribble(strike: Strike) -> None:
    raw = b"".join(strike.answer.head()) + b"\r\n" + strike.answer.body
    for each in raw:
        if strike.wire.is_closing:
            break
        await strike.wire.write(bytes((each,)))
        await asyncio.sleep(strike.rule.delay or 0.001)
    await strike.hang_up()


async def _garbage(strike: Strike) -> None:
    await strike.wire.write(strike.rule.body.encode() if strike.rule.body else GARBAGE)
    await strike.hang_up()


async def _bad_gzip(strike: Strike) -> None:
    await strike.reply(
        200, b"\x1f\x8b\x08 these are not deflated bytes", {"content-encoding": "gzip"}
    )


async def _html(strike: Strike) -> None:
    await strike.reply(200, HTML, {"content-type": "text/html"})


async def _truncated_json(strike: Strike) -> None:
    await strike.reply(
        strike.answer.status, bytes(strike.answer.body[: len(strike.answer.body) // 2])
    )


async def _unsolicited(strike: Strike) -> None:
    await _pass_on(strike)
    body = b'{"message": "nobody asked for this"}'
    extra = Answer(200, [(b"content-type", b"application/json")], bytearray(body))
    head = b"".join(line for line in extra.head() if not line.startswith(b"connection"))
    await strike.wire.write(head + b"\r\n" + body)


async def _bomb(strike: Strike) -> None:
    body = bomb(-(-(strike.rule.size or 200 * MEGABYTE) // MEGABYTE))
    await strike.reply(200, body, {"content-encoding": "gzip, gzip"})


@functools.lru_cache(maxsize=2)
def bomb(megabytes: int) -> bytes:
    """So many megabytes of spaces, gzipped twice: a few hundred bytes."""
    block = b" " * MEGABYTE
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    check = 0
    for _ in range(megabytes):
        check = zlib.crc32(block, check)
    # A full flush makes each block independent, so one compressed block can be repeated.
    end = zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    size = (megabytes * MEGABYTE) & 0xFFFFFFFF
    trailer = check.to_bytes(4, "little") + size.to_bytes(4, "little")
    inner = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff" + packed * megabytes + end + trailer
    return gzip.compress(inner, 9, mtime=0)


async def _deep_json(strike: Strike) -> None:
    depth = strike.rule.size or 1_000_000
    await strike.reply(200, b"[" * depth + b"]" * depth)


async def _nan_json(strike: Strike) -> None:
    await strike.reply(200, strike.rule.body.encode() if strike.rule.body else NAN_JSON)


async def _endless(strike: Strike, start: bytes, piece: bytes) -> None:
    left = strike.rule.size or 64 * MEGABYTE
    await strike.wire.write(start)
    while left > 0 and not strike.wire.is_closing:
        await strike.wire.write(piece)
        left -= len(piece)
        # The loop belongs to the client as well when both live in one process.
        await asyncio.sleep(0)
    await strike.hang_up()


async def _endless_headers(strike: Strike) -> None:
    line = b"x-again: " + b"a" * 1000 + b"\r\n"
    await _endless(strike, status_line(200), line * 16)


async def _endless_body(strike: Strike) -> None:
    head = (
        status_line(200) + b"content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    await _endless(strike, head, b"4000\r\n" + b"[" * 0x4000 + b"\r\n")


STRIKES: Final[Mapping[str, Callable[[Strike], Awaitable[None]]]] = {
    "drop_before": _drop,
    "drop_after": _drop,
    "reset_before": _reset,
    "reset_after": _reset,
    "reset_upload": _reset,
    "silence": _silence,
    "silence_after": _silence,
    "status": _status,
    "status_after": _status,
    "redirect": _redirect,
    "half": _half,
    "cut": _cut,
    "cut_reset": _cut_reset,
    "dribble": _dribble,
    "garbage": _garbage,
    "bad_gzip": _bad_gzip,
    "html": _html,
    "truncated_json": _truncated_json,
    "unsolicited": _unsolicited,
    "bomb": _bomb,
    "deep_json": _deep_json,
    "nan_json": _nan_json,
    "endless_headers": _endless_headers,
    "endless_body": _endless_body,
}
