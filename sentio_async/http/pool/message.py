"""What goes over a connection: a request made ready, and the answer as it came."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpcore

from sentio_async.resilience.window import Priority

__all__ = ["Fields", "Origin", "Reply", "Request", "Waits", "head_of"]

Fields = list[tuple[bytes, bytes]]
"""Header lines in the order in which they came, names as they were written."""

Trace = Callable[[str, dict[str, Any]], Awaitable[None]]

_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_TARGET = rb"[\x21-\x7e\x80-\xff]+"
_VALUE = rb"(?:[^\x00\r\n \t](?:[^\x00\r\n]*[^\x00\r\n \t])?)?"
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


class Request:
    """One request as it goes on the wire.

    ``expires_at`` (loop time) ends it as a whole.  ``limit`` bounds the body of its answer, as it
    comes.  ``is_sent`` is the evidence: while it is False, not one byte has been written.
    """

    __slots__ = (
        "data",
        "expires_at",
        "is_head",
        "is_repeatable",
        "is_sent",
        "limit",
        "priority",
        "trace",
        "waits",
    )

    def __init__(
        self,
        data: bytes,
        *,
        waits: Waits,
        expires_at: float = math.inf,
        limit: float = math.inf,
        method: str = "GET",
        priority: Priority = Priority.QUOTES,
    ) -> None:
        self.data = data
        self.waits = waits
        self.expires_at = expires_at
        self.limit = limit
        self.priority = priority
        self.is_head = method == "HEAD"
        self.is_repeatable = method in _REPEATABLE
        self.is_sent = False
        self.trace: Trace | None = None

    def __repr__(self) -> str:
        # Keys are in its head, and tracebacks show locals.
        return f"<Request of {len(self.data)} bytes>"


class Reply(NamedTuple):
    """An answer as it came: nothing is decoded."""

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
