"""What goes over a connection: a request made ready, and the answer as it came."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpcore

from sentio_async.resilience.window import Priority

__all__ = ["Fields", "Origin", "Reply", "Request", "Waits", "head_of"]

Fields = list[tuple[bytes, bytes]]
"""Header lines in the order in which they came, names as they were written."""

Trace = Callable[[str, dict[str, Any]], Awaitable[None]]

_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET = re.compile(rb"[\x21-\x7e\x80-\xff]+")
_NO_VALUE = re.compile(rb"[\x00\r\n]")


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


def head_of(method: bytes, target: bytes, fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A request's head; LocalProtocolError for what would end a line early or make another."""
    if not _TOKEN.fullmatch(method):
        raise httpcore.LocalProtocolError("illegal method")
    if not _TARGET.fullmatch(target):
        raise httpcore.LocalProtocolError("illegal request target")
    lines = [b"%b %b HTTP/1.1\r\n" % (method, target)]
    for name, value in fields:
        if not _TOKEN.fullmatch(name):
            raise httpcore.LocalProtocolError("illegal header name")
        if _NO_VALUE.search(value) or value != value.strip(b" \t"):
            # Without the value: it may be a key.
            raise httpcore.LocalProtocolError(f"illegal value for header {name.decode('ascii')}")
        lines.append(b"%b: %b\r\n" % (name, value))
    lines.append(b"\r\n")
    return b"".join(lines)
