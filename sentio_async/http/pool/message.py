"""What goes over a connection: a request made ready, and the answer as it came."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpcore
import msgspec

from sentio_async.resilience.window import Priority

__all__ = ["Fields", "Origin", "Reply", "Request", "Waits", "head_of", "idle_time_in"]

Fields = list[tuple[bytes, bytes]]
"""Header lines in the order in which they came, names as they were written."""

Trace = Callable[[str, dict[str, Any]], Awaitable[None]]

_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_TARGET = rb"[\x21-\x7e\x80-\xff]+"
_VALUE = rb"(?:[^\x00\r\n \t](?:[^\x00\r\n]*[^\x00\r\n \t])?)?"
_KEEP_ALIVE = b"keep-alive"
_SECONDS = re.compile(rb"(?i)\btimeout *= *([0-9]{1,9})\b")
_HEAD = re.compile(rb"%b %b HTTP/1\.1\r\n(?:%b: %b\r\n)*\r\n" % (_TOKEN, _TARGET, _TOKEN, _VALUE))


class Origin(NamedTuple):
    """Where connections go."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Waits:
    """How long each step may take, in seconds."""

    connect: float = math.inf
    read: float = math.inf
    write: float = math.inf
    pool: float = math.inf


class Request(msgspec.Struct, gc=False, eq=False):
    """One request as it goes on the wire.

    ``expires_at`` (loop time) ends it as a whole.  ``limit`` bounds the body of its answer, as it
    comes.  ``is_sent`` is the evidence: while it is False, not one byte has been written.
    """

    data: bytes
    waits: Waits
    expires_at: float = math.inf
    limit: float = math.inf
    method: str = "GET"
    priority: Priority = Priority.QUOTES
    is_sent: bool = False
    trace: Trace | None = None

    @property
    def is_repeatable(self) -> bool:
        """To send it twice does what sending it once does."""
        return self.method in _REPEATABLE

    def __repr__(self) -> str:
        # Keys are in its head, and tracebacks show locals.
        return f"<Request of {len(self.data)} bytes>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """As little as ``repr``, for tools that print Structs by their fields."""
        return [("size", len(self.data))]


class Reply(NamedTuple):
    """An answer as it came: nothing is decoded, and a value of a header may end with blanks.

    A body that came in pieces is a bytearray, which serves whoever reads it as well.
    """

    status: int
    reason: bytes
    fields: Fields
    body: bytes

    def __repr__(self) -> str:
        return f"<Reply {self.status}, {len(self.body)} bytes>"


def head_of(method: bytes, target: bytes, fields: Fields) -> bytes:
    """A request's head; LocalProtocolError for what would end a line early or make another."""
    lines = [b"%b: %b\r\n" % field for field in fields]
    head = b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, b"".join(lines))
    # No line more than was meant, and no name that ends where its line's does not.
    is_meant = head.count(b"\n") == len(lines) + 2 and not any(b":" in name for name, _ in fields)
    if not is_meant or not _HEAD.fullmatch(head):
        raise httpcore.LocalProtocolError(_wrong(method, target, fields))
    return head


def _wrong(method: bytes, target: bytes, fields: Fields) -> str:
    if not re.fullmatch(_TOKEN, method):
        return "illegal method"
    if not re.fullmatch(_TARGET, target):
        return "illegal request target"
    for name, value in fields:
        if not re.fullmatch(_TOKEN, name):
            return "illegal header name"
        if not re.fullmatch(_VALUE, value):
            # Without the value: it may be a key.
            return f"illegal value for header {name.decode('ascii')}"
    return "illegal header"


def idle_time_in(fields: Fields) -> float:
    """How long an idle connection may be used, as its server tells; infinity if it does not.

    A little less than the server keeps it: a request must not meet its end on the way.
    """
    for name, value in fields:
        if len(name) == len(_KEEP_ALIVE) and name.lower() == _KEEP_ALIVE:
            found = _SECONDS.search(value)
            seconds = math.inf if found is None else float(found[1])
            return max(seconds - 1.0, seconds / 2)
    return math.inf
