"""A request on its way out: as httpx takes it, and as the bytes that our pool writes.

What never changes between two calls of a session is made into bytes once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx
import msgspec

from sentio_async.config import Timeouts
from sentio_async.http.auth import SecretHeaders
from sentio_async.http.client import HEADERS
from sentio_async.http.pool import Origin, Request, Waits
from sentio_async.http.pool.door import PORTS
from sentio_async.resilience.window import Priority

__all__ = ["Outgoing", "Place"]

_ALWAYS = {"accept": "application/json", "accept-encoding": "gzip"}
_FIXED = frozenset(
    (*_ALWAYS, *HEADERS, "host", "connection", "content-length", "transfer-encoding", "upgrade")
)
_LINES = re.compile(r"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: (?:[!-~](?:[ -~]*[!-~])?)?\r\n)*")
_TARGET = re.compile(r"/[!-~]*")
_WITH_LENGTH = frozenset({"POST", "PUT", "PATCH"})
_MOST_HEADS = 256
_MOST_KNOWN = 4


class _Heads(NamedTuple):
    """The heads of requests that carry the same headers."""

    headers: Mapping[str, str]
    lines: str | None
    heads: dict[tuple[str, str], bytes]

    def __repr__(self) -> str:
        return f"<{len(self.heads)} heads>"


class Place:
    """Where a session's calls go, and how long each step of them may take."""

    __slots__ = (
        "_known",
        "_static",
        "base_url",
        "origin",
        "prefix",
        "timeouts",
        "waits",
    )

    def __init__(self, base_url: str, timeouts: Timeouts) -> None:
        url = httpx.URL(base_url)
        scheme = url.scheme
        self.base_url = base_url
        self.origin = Origin(scheme, url.raw_host.decode("ascii"), url.port or PORTS[scheme])
        self.prefix = url.raw_path.decode("ascii").rstrip("/")
        self.timeouts = timeouts
        self.waits = Waits(timeouts.connect, timeouts.read, timeouts.write, timeouts.pool)
        lines = {"host": url.netloc.decode("ascii"), **HEADERS, **_ALWAYS}
        self._static = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._known: list[_Heads] = []

    def __repr__(self) -> str:
        return f"<Place {self.origin.host}>"

    def head(self, outgoing: Outgoing) -> bytes | None:
        """A request's head up to its length; None for one that is better left to httpx."""
        # Most calls of a session carry the same keys, and many ask the same again.
        known = self._with(outgoing.headers)
        key = (outgoing.method, outgoing.target)
        head = known.heads.get(key)
        if head is not None:
            return head
        if known.lines is None or not _TARGET.fullmatch(outgoing.target):
            return None
        line = f"{outgoing.method} {self.prefix}{outgoing.target} HTTP/1.1\r\n"
        head = f"{line}{self._static}{known.lines}".encode("ascii")
        if len(known.heads) >= _MOST_HEADS:
            known.heads.clear()
        known.heads[key] = head
        return head

    def _with(self, headers: Mapping[str, str]) -> _Heads:
        for known in self._known:
            if known.headers is headers or known.headers == headers:
                return known
        known = _Heads(headers, self._made(headers), {})
        self._known = [known, *self._known[: _MOST_KNOWN - 1]]
        return known

    def _made(self, headers: Mapping[str, str]) -> str | None:
        if any(name.lower() in _FIXED for name in headers):
            return None
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        return lines if _LINES.fullmatch(lines) and lines.count("\n") == len(headers) else None


class Outgoing(msgspec.Struct):
    """A signed request, and the limits of its answer."""

    place: Place
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None
    max_body: int
    priority: Priority
    in_task: bool = False
    """Its caller is a task that sees to its end."""

    def __repr__(self) -> str:
        return f"<Outgoing {self.method}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """As little as ``repr``, for tools that print Structs by their fields."""
        return [("method", self.method)]

    @property
    def url(self) -> str:
        """The whole URL."""
        return self.place.base_url + self.target

    @property
    def timeouts(self) -> Timeouts:
        """How long each step may take."""
        return self.place.timeouts

    @property
    def all_headers(self) -> Mapping[str, str]:
        """Its own headers and those that every request has."""
        return SecretHeaders({**_ALWAYS, **self.headers})

    @property
    def needs_task(self) -> bool:
        """It changes something on the other side, and its caller may leave before the end."""
        return not self.in_task and self.method not in ("GET", "HEAD")

    def prepared(self, expires_at: float) -> Request | None:
        """Its bytes; None if httpx would send others than are written here."""
        head, body = self.place.head(self), self.body
        if head is None:
            return None
        if body is not None:
            data = b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body)
        elif self.method in _WITH_LENGTH:
            data = head + b"content-length: 0\r\n\r\n"
        else:
            data = head + b"\r\n"
        return Request(
            data,
            waits=self.place.waits,
            expires_at=expires_at,
            limit=self.max_body,
            method=self.method,
            priority=self.priority,
        )
