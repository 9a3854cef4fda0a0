"""Secrets stay out of logs and errors, in every form in which they travel.

Every configured secret is registered here while its connector lives.  ``scrub`` replaces it, also
percent- or base64-encoded, by ``[secret]``.  Filters on the loggers of the libraries underneath
do the same to what they log; httpx logs whole URLs at INFO.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import weakref
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["REDACTED", "Hidden", "Redactor", "install_log_filters", "redactor"]

REDACTED = "[secret]"
_MARK = "\ufdd0"  # no character; a secret may be a part of what it is replaced by
_SHORTEST = 4  # a shorter text would blank half of every line
_LAST = 2
"""Secrets of one owner that stay hidden: an answer to the one before may still come."""

# Filters do not reach child loggers, so each is named.
_LOGGERS = (
    "httpx",
    "httpx2",
    "httpcore",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
    "websockets",
    "websockets.client",
    "aiosmtplib",
    "mail.log",
    "sentio_async",
)

_NAMED = re.compile(
    r"(?i)((?:api[-_]?key|apikey|token|secret|password|passwd|signature|authorization"
    r"|apca-api-key-id|apca-api-secret-key)[\"']?\s*[=:]\s*[\"']?)"
    r"(?!\[secret\])((?:bearer|basic)\s+)?[^\s&\"',;)}\]]+"
)


def _forms(secret: str) -> set[str]:
    """The ways in which a secret is written on a wire or in a log, besides those of URLs."""
    raw = secret.encode()
    forms: set[str] = set()
    # A secret inside a longer base64 text starts at one of three offsets.
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        inner = text[(0, 2, 3)[shift] : len(text) - (1 if (len(raw) + shift) % 3 else 0)]
        if len(inner) >= 2 * _SHORTEST:
            forms |= {inner, inner.replace("+", "-").replace("/", "_")}
    # And as Python shows texts and bytes, and JSON texts; PHP's JSON escapes slashes.
    in_json = (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    forms |= {repr(secret)[1:-1], repr(raw)[2:-1]}
    forms |= {form.replace("/", slash) for form in in_json for slash in ("/", "\\/")}
    return {form for form in forms if len(form) >= _SHORTEST}


def _pattern_of(secret: str) -> str:
    """A pattern of every way to write it, or nothing where it is too short."""
    forms = {form: re.escape(form) for form in _forms(secret)}
    if len(secret) >= _SHORTEST:
        forms[secret] = _in_urls(secret)
    return "|".join(map(forms.__getitem__, sorted(forms, key=len, reverse=True)))


def _in_urls(secret: str) -> str:
    """A pattern of it as URLs have it: which characters are percent-encoded, each place decides."""
    return "".join([c if c.isascii() and c.isalnum() else _maybe_encoded(c) for c in secret])


def _maybe_encoded(char: str) -> str:
    encoded = "".join([f"%{byte:02x}" for byte in char.encode()])
    # Encoded first: "%" begins "%25".
    return f"(?:(?i:{encoded})|{re.escape(char)}{'|[+]' if char == ' ' else ''})"


class Redactor:
    """Knows the secrets that are in use, and takes them out of texts."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}
        # One pattern for all takes a tenth of a second to compile when there are many.
        self._patterns: dict[str, re.Pattern[str]] = {}
        self._longest_first: tuple[re.Pattern[str], ...] = ()
        self._changes: deque[tuple[int, tuple[str, ...]]] = deque()
        self._is_changing = False

    def add(self, secrets: Iterable[str]) -> None:
        """Start to hide these."""
        self._change(1, secrets)

    def remove(self, secrets: Iterable[str]) -> None:
        """Nobody uses these any more (one ``remove`` for one ``add``)."""
        self._change(-1, secrets)

    def _change(self, by: int, secrets: Iterable[str]) -> None:
        self._changes.append((by, tuple(secrets)))
        # A finalizer calls this whenever garbage is collected, in the middle of this loop as well.
        if self._is_changing:
            return
        self._is_changing = True
        try:
            while self._changes:
                self._count(*self._changes.popleft())
                ordered = sorted(self._patterns, key=len, reverse=True)
                self._longest_first = tuple(map(self._patterns.__getitem__, ordered))
        finally:
            self._is_changing = False

    def _count(self, by: int, secrets: tuple[str, ...]) -> None:
        for secret in secrets:
            uses = self._known.get(secret, 0) + by
            if uses <= 0:
                self._known.pop(secret, None)
                self._patterns.pop(secret, None)
                continue
            self._known[secret] = uses
            if secret not in self._patterns and (pattern := _pattern_of(secret)):
                self._patterns[secret] = re.compile(pattern)

    def scrub(self, text: str) -> str:
        """The text without secrets."""
        for pattern in self._longest_first:
            text = pattern.sub(_MARK, text)
        text = text.replace(_MARK, REDACTED)
        return _NAMED.sub(rf"\1{REDACTED}", text)

    def scrub_all(self, value: Any) -> Any:
        """The same for every text inside a value from JSON."""
        if isinstance(value, str):
            return self.scrub(value)
        if isinstance(value, Mapping):
            return {self.scrub_all(name): self.scrub_all(each) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.scrub_all(each) for each in value]
        return value

    def knows_any_in(self, text: str) -> bool:
        """Whether one of the secrets is in the text."""
        return any(pattern.search(text) for pattern in self._longest_first)

    def __repr__(self) -> str:
        return f"<Redactor of {len(self._known)} secrets>"


redactor = Redactor()
"""The one that this process uses."""


class Hidden:
    """Keeps the last secrets of its owner out of logs and errors, as long as the owner lives."""

    def __init__(self, *secrets: str) -> None:
        self._ends: deque[weakref.finalize[[tuple[str, ...]], Hidden]] = deque()
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Hide these from now on, and no longer those before the last."""
        redactor.add(secrets)
        self._ends.append(weakref.finalize(self, redactor.remove, secrets))
        if len(self._ends) > _LAST:
            self._ends.popleft()()


class _Filter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record when it holds a secret; never drop it."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            return True
        clean = redactor.scrub(text)
        if clean != text:
            record.msg, record.args = clean, ()
        if record.exc_info and not record.exc_text:
            record.exc_text = redactor.scrub(logging.Formatter().formatException(record.exc_info))
        return True


_filter = _Filter("")


def install_log_filters() -> None:
    """Redact what the libraries underneath log; doing it twice changes nothing."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_filter)
