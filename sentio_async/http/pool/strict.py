"""What llhttp lets pass in an answer and we do not, and what it finds wrong in our words.

Found by reading the same answers with h11: see ``tests/fuzz``.
"""

from __future__ import annotations

import re
from typing import cast

import httpcore
import httptools

from sentio_async.http.pool.message import Fields

__all__ = [
    "ANNOUNCES",
    "ENDS_OF_LINES",
    "FIRST_BYTE",
    "check_coding",
    "check_reason",
    "not_http",
    "refused",
]

FIRST_BYTE = ord("H")
"""Of every answer; the parser would skip empty lines before it."""
ANNOUNCES = ord("1")
"""In the place of its status' first digit, as in 100."""
ENDS_OF_LINES = ord("\r")
"""No greater byte ends a line."""
_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def refused(why: str) -> httptools.HttpParserError:
    """As the parser says that an answer is wrong."""
    return httptools.HttpParserError(why)


def check_reason(reason: bytes) -> None:
    """The words of the first line have no control characters in them."""
    if _CONTROLS.search(reason):
        raise refused("a control character in the first line")


def check_coding(fields: Fields) -> None:
    """A body comes as it is or in chunks: nobody has asked for another transfer coding."""
    codings = [
        value.strip().lower() for name, value in fields if name.lower() == b"transfer-encoding"
    ]
    if codings not in ([], [b"chunked"]):
        raise refused("a transfer coding nobody asked for")


def not_http(exc: Exception) -> Exception:
    """The error for what the parser, or a check of ours inside of it, has found."""
    if isinstance(exc, httptools.HttpParserCallbackError) and exc.__context__ is not None:
        exc = cast("Exception", exc.__context__)
    kind = "another protocol" if isinstance(exc, httptools.HttpParserUpgrade) else str(exc)
    return httpcore.RemoteProtocolError(f"answer is not HTTP: {kind}")
