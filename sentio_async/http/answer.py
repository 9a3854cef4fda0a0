"""What came back, with as little done to it as most answers need.

Of a dozen header lines a success is asked for three; all of them become text when somebody looks.
"""

from __future__ import annotations

from collections.abc import Mapping

from sentio_async.http.pool.message import Fields

__all__ = ["Answer"]

_ASKED_FOR = frozenset({"content-encoding", "x-ratelimit-limit", "x-ratelimit-remaining"})
_MOST_NAMES, _LONGEST_NAME = 512, 64


class Answer:
    """Status, headers with lower-case names, body bounded and decompressed."""

    __slots__ = ("_fields", "_headers", "body", "notes", "status")

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.body = body
        self.notes = headers
        """Those headers that every answer is asked for; there may be others here."""
        self._headers: Mapping[str, str] | None = headers
        self._fields: Fields = []

    @classmethod
    def of(cls, status: int, fields: Fields, body: bytes) -> Answer:
        """The answer of our pool; lines with the same name are joined by commas."""
        answer = cls(status, _notes_in(fields), body)
        answer._headers, answer._fields = None, fields
        return answer

    @property
    def headers(self) -> Mapping[str, str]:
        """All headers."""
        if self._headers is None:
            self._headers = _headers_in(self._fields)
        return self._headers

    def __repr__(self) -> str:
        # A body may hold anything, a key that is echoed included, and tracebacks show locals.
        return f"<Answer {self.status}, {len(self.body)} bytes>"


class _Names(dict[bytes, str]):
    """Names of headers in lower case, remembered: vendors send the same ones all the time."""

    def __missing__(self, name: bytes) -> str:
        key = name.decode("latin-1").lower()
        if len(self) < _MOST_NAMES and len(name) < _LONGEST_NAME:
            self[name] = key
        return key


class _Asked(dict[bytes, str | None]):
    """The same for names that every answer is asked for, and None for all others."""

    def __missing__(self, name: bytes) -> str | None:
        key = _names[name]
        asked = key if key in _ASKED_FOR else None
        if name in _names:
            self[name] = asked
        return asked


_names, _asked = _Names(), _Asked()


def _notes_in(fields: Fields) -> dict[str, str]:
    asked = _asked
    found: dict[str, str] = {}
    for name, value in fields:
        key = asked[name]
        if key is not None:
            _join(found, key, value)
    return found


def _headers_in(fields: Fields) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in fields:
        _join(found, _names[name], value)
    return found


def _join(found: dict[str, str], key: str, value: bytes) -> None:
    # The parser keeps blanks at the end of a value.
    text = value.decode("latin-1").rstrip(" \t")
    found[key] = f"{found[key]}, {text}" if key in found else text
