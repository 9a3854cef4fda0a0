"""A request on its way out: as httpx takes it, and as the bytes that our pool writes.

What never changes between two calls of a session is made into bytes once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from sentio_async.config import Timeouts
from sentio_async.http.auth import SecretHeaders
from sentio_async.http.client import HEADERS
from sentio_async.http.pool import Origin, Request, Waits
from sentio_async.http.pool.door import PORTS
from sentio_async.http.pool.message import Fields
from sentio_async.resilience.window import Priority

__all__ = ["Outgoing", "Place", "encoding_of", "fields_of"]

_ALWAYS = {"accept": "application/json", "accept-encoding": "gzip"}
_FIXED = frozenset(
    (*_ALWAYS, *HEADERS, "host", "connection", "content-length", "transfer-encoding", "upgrade")
)
_LINES = re.compile(r"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: (?:[!-~](?:[ -~]*[!-~])?)?\r\n)*")
_TARGET = re.compile(r"/[!-~]*")
_WITH_LENGTH = frozenset({"POST", "PUT", "PATCH"})
_MOST_NAMES = 512


class Place:
    """Where a session's calls go, and how long each step of them may take."""

    __slots__ = (
        "_headers",
        "_lines",
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
        self._headers: Mapping[str, str] = {}
        self._lines: str | None = ""

    def __repr__(self) -> str:
        return f"<Place {self.origin.host}>"

    def lines(self, headers: Mapping[str, str]) -> str | None:
        """All header lines; None for headers that are better left to httpx."""
        # Most calls of a session carry the same keys and nothing else.
        if headers != self._headers:
            self._headers, self._lines = headers, self._made(headers)
        return self._lines if self._lines is None else self._static + self._lines

    def _made(self, headers: Mapping[str, str]) -> str | None:
        if any(name.lower() in _FIXED for name in headers):
            return None
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        return lines if _LINES.fullmatch(lines) and lines.count("\n") == len(headers) else None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A signed request, and the limits of its answer."""

    place: Place
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None
    max_body: int
    priority: Priority

    def __repr__(self) -> str:
        return f"<Outgoing {self.method}>"

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
    def is_read(self) -> bool:
        """It changes nothing on the other side."""
        return self.method in ("GET", "HEAD")

    def prepared(self, expires_at: float) -> Request | None:
        """Its bytes; None if httpx would send others than are written here."""
        place, body = self.place, self.body
        lines = place.lines(self.headers)
        if lines is None or not _TARGET.fullmatch(self.target):
            return None
        if body is not None:
            lines = f"{lines}content-length: {len(body)}\r\n"
        elif self.method in _WITH_LENGTH:
            lines += "content-length: 0\r\n"
        head = f"{self.method} {place.prefix}{self.target} HTTP/1.1\r\n{lines}\r\n".encode("ascii")
        return Request(
            head + body if body else head,
            waits=place.waits,
            expires_at=expires_at,
            limit=self.max_body,
            priority=self.priority,
        )


_names: dict[bytes, str] = {}


def fields_of(fields: Fields) -> dict[str, str]:
    """Header lines by lower-case name; lines with the same name are joined by commas."""
    found: dict[str, str] = {}
    for name, value in fields:
        key = _names.get(name) or _name_of(name)
        text = value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _name_of(name: bytes) -> str:
    key = name.decode("latin-1").lower()
    if len(_names) < _MOST_NAMES and len(name) < 64:
        _names[name] = key
    return key


def encoding_of(fields: Fields) -> str:
    """How the body was packed; empty if it was not."""
    return ", ".join(
        [
            value.decode("latin-1")
            for name, value in fields
            if len(name) == 16 and name.lower() == b"content-encoding"
        ]
    )
