"""Two readers of answers: our connection, and h11."""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import h11

from sentio_async.http.answer import Answer
from sentio_async.http.pool.connection import Connection
from sentio_async.http.pool.message import Request, Waits
from sentio_async.http.pool.stream import Stream

PATIENCE = 1 << 20
"""How long a head h11 may wait for, in bytes: lengths are bounded elsewhere."""


@dataclass(frozen=True)
class Read:
    """What a reader made of an answer: all of it, or why it refuses it."""

    status: int = 0
    reason: bytes = b""
    fields: tuple[tuple[bytes, bytes], ...] = ()
    """Line by line."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """By name."""
    body: bytes = b""
    is_kept: bool = False
    """The connection may carry the next request."""
    refusal: str | None = None


class _Lane:
    """A lane without a pool: it notes that a connection is free."""

    def __init__(self):
        self.buffer = memoryview(bytearray(65536))
        self.timer_at = -math.inf
        self.keep_alive = math.inf
        self.released = 0

    def time(self):
        return 0.0

    def watch(self, until):
        pass

    def release(self, connection):
        self.released += 1

    def lost(self, connection):
        pass


class _Transport(asyncio.Transport):
    def write(self, data):
        pass

    def set_write_buffer_limits(self, high=None, low=None):
        pass

    def pause_reading(self):
        pass

    def resume_reading(self):
        pass

    def abort(self):
        pass

    def is_closing(self):
        return False


class Ours:
    """Reads with a connection of the pool, with and without a stream."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()

    def close(self):
        self._loop.close()

    def read(self, case, *, streamed):
        lane = _Lane()
        connection = Connection(lane)
        connection.connection_made(_Transport())
        waiter = self._loop.create_future()
        stream = Stream(connection) if streamed else None
        connection.ask(Request(b"", waits=Waits(), method=case.method), waiter, stream)
        for piece in case.pieces:
            if connection._is_over:
                break
            while piece:
                room = connection.get_buffer(-1)
                size = min(len(piece), len(room))
                room[:size] = piece[:size]
                connection.buffer_updated(size)
                piece = piece[size:]
        is_kept = bool(lane.released) and not connection._is_over
        connection.eof_received()
        connection.connection_lost(None)
        return self._result(waiter, stream, is_kept)

    def _result(self, waiter, stream, is_kept):
        error = waiter.exception()
        if error is None and stream is not None:
            error = stream._error
        if error is not None:
            return Read(refusal=str(error))
        status, reason, fields, body = waiter.result()
        if stream is None:
            headers = Answer.of(status, fields, body).headers
            return Read(status, reason, (), headers, bytes(body), is_kept)
        lines = tuple((name.lower(), value) for name, value in fields)
        return Read(status, reason, lines, _by_name(lines), b"".join(stream._pieces), is_kept)


def _by_name(fields):
    found = {}
    for name, value in fields:
        found.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    return {name: ", ".join(values) for name, values in found.items()}


def read_with_h11(case):
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=PATIENCE)
    fields = [("host", "h")] + ([("content-length", "0")] if case.method == "POST" else [])
    connection.send(h11.Request(method=case.method, target="/", headers=fields))
    connection.send(h11.EndOfMessage())
    head, body, is_whole, is_over = None, b"", False, False
    try:
        for piece in (*case.pieces, b""):
            if is_whole and not piece:
                break
            is_over = not piece
            connection.receive_data(piece)
            while not is_whole:
                event = connection.next_event()
                match event:
                    case h11.Response():
                        head = event
                    case h11.Data():
                        body += event.data
                    case h11.EndOfMessage():
                        is_whole = True
                    case h11.InformationalResponse():
                        pass
                    case h11.NEED_DATA:
                        break
                    case _:
                        return Read(refusal=f"{event!r}")
    except h11.RemoteProtocolError as exc:
        return Read(refusal=str(exc))
    data, _ = connection.trailing_data
    are_done = connection.our_state is connection.their_state is h11.DONE
    is_kept = are_done and not data and not is_over
    fields = tuple(head.headers)
    return Read(head.status_code, bytes(head.reason), fields, _by_name(fields), body, is_kept)
