"""Our connection against h11, on the same answers.

Both must accept or refuse the same ones, and find the same in those that they accept.  Where we
refuse what h11 accepts, the reason is in ``STRICTER``; we never accept what it refuses, and never
keep a connection that it would not.
"""

import random
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sentio_async.http.pool import incoming
from tests.fuzz.readers import Ours, Read, read_with_h11
from tests.fuzz.responses import Case, a_case


@dataclass(frozen=True)
class Stricter:
    """What we refuse and h11 does not: our words for it, why, and an answer that shows it."""

    words: str
    why: str
    example: bytes


_CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
_FOLDED = "a header line that goes on in the next: readers differ on where it ends (RFC 9112, 5.2)"
_BARE = "a line feed alone ends no line: readers differ on it, and one answer becomes two"
_TWICE = "two ways to say how long the body is: the classic of smuggling (RFC 9112, 6.3)"
_EXTENSION = "something after a chunk's size that the grammar does not allow (RFC 9112, 7.1.1)"

STRICTER = (
    Stricter(
        "Data after `Connection: close`",
        "an announcement (100 and its like) that closes the connection: no answer can follow",
        b"HTTP/1.0 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    ),
    Stricter(
        "Invalid header value char",
        "a control character in a header's value (RFC 9110, 5.5)",
        b"HTTP/1.1 200 OK\r\na: \x01\r\ncontent-length: 0\r\n\r\n",
    ),
    Stricter(
        "a control character in the first line",
        "a control character in the words of the first line (RFC 9112, 4)",
        b"HTTP/1.1 200 \x01\r\ncontent-length: 0\r\n\r\n",
    ),
    Stricter(
        "Unexpected whitespace after header value",
        _FOLDED,
        b"HTTP/1.1 200 OK\r\na: b\r\n c\r\ncontent-length: 0\r\n\r\n",
    ),
    Stricter("Invalid character in chunk extensions", _EXTENSION, _CHUNKED + b"0;\r\n\r\n"),
    Stricter(
        "Invalid character in chunk extensions name", _EXTENSION, _CHUNKED + b"0;\xe9\r\n\r\n"
    ),
    Stricter(
        "Invalid character in chunk extensions value", _EXTENSION, _CHUNKED + b"0;a=\x00\r\n\r\n"
    ),
    Stricter(
        "Invalid character in chunk extensions quoted value",
        _EXTENSION,
        _CHUNKED + b'0;a="\r\n\r\n',
    ),
    Stricter("Invalid character in chunk size", _EXTENSION, _CHUNKED + b"0  \r\n\r\n"),
    Stricter("Expected LF after chunk size", _EXTENSION, _CHUNKED + b"0;a\r\r\n\r\n"),
    Stricter(
        "Missing expected CR after header value",
        _BARE,
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\n\r\n",
    ),
    Stricter(
        "Missing expected CR after response line",
        _BARE,
        b"HTTP/1.1 200 OK\ncontent-length: 0\r\n\r\n",
    ),
    Stricter("Invalid response status", _BARE, b"HTTP/1.1 200\ncontent-length: 0\r\n\r\n"),
    Stricter("Invalid header field char", _BARE, b"HTTP/1.1 204 OK\r\n\n"),
    Stricter(
        "Duplicate Content-Length",
        _TWICE,
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\ncontent-length: 0\r\n\r\n",
    ),
    Stricter(
        "Invalid character in Content-Length",
        _TWICE,
        b"HTTP/1.1 200 OK\r\ncontent-length: 0, 0\r\n\r\n",
    ),
    Stricter(
        "Transfer-Encoding can't be present with Content-Length",
        _TWICE,
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    Stricter(
        "Content-Length can't be present with Transfer-Encoding",
        _TWICE,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
    ),
    Stricter(
        "Invalid HTTP version",
        "a version of HTTP that does not exist",
        b"HTTP/1.2 200 OK\r\ncontent-length: 0\r\n\r\n",
    ),
)
_REASONS = {f"answer is not HTTP: {each.words}" for each in STRICTER}
# HTTP/1.0 keeps a connection when both sides say so; h11 never does.
_KEPT_BY_WORD = re.compile(rb"(?is)^HTTP/(?:1\.0|0\.9) .*\r\nconnection:[^\n]*keep-alive")


def difference(case: Case, ours: Read, theirs: Read) -> str | None:
    """What is not as it should be; None when all is well."""
    if theirs.refusal is not None:
        return None if ours.refusal is not None else f"accepted, though: {theirs.refusal}"
    if ours.refusal is not None:
        return None if ours.refusal in _REASONS else f"refused without a reason: {ours.refusal}"
    if _seen(ours) != _seen(theirs) or (ours.fields and _lines(ours) != _lines(theirs)):
        return "read differently"
    if ours.is_kept and not theirs.is_kept and not _KEPT_BY_WORD.search(case.last_head):
        return "kept after an answer that ends the connection"
    # llhttp heeds a trailer that says so, and is of no more use after a HEAD or an HTTP/2.0.
    last = case.last_head.lower()
    may_close = case.method == "HEAD" or b"close" in last or last.startswith(b"http/2")
    if theirs.is_kept and not ours.is_kept and not may_close:
        return "closed without need"
    return None


def _seen(read: Read) -> tuple[object, ...]:
    return read.status, read.reason, read.body, _as_h11_has_it(read.headers.items())


def _lines(read: Read) -> list[object]:
    return _as_h11_has_it(read.fields)


def _as_h11_has_it(pairs: Iterable[tuple[Any, Any]]) -> list[object]:
    codings = ("transfer-encoding", b"transfer-encoding")
    return [(name, value.lower() if name in codings else value) for name, value in pairs]


def verdict(ours: Read, theirs: Read) -> str:
    """How a case is counted."""
    match ours.refusal is None, theirs.refusal is None:
        case True, True:
            return "accepted"
        case False, False:
            return "refused"
        case False, True:
            return "stricter"
    return "laxer"


@contextmanager
def large(size: int, at_once: int) -> Iterator[None]:
    """What counts as a large body meanwhile, and for how much of it room is made at once."""
    kept = incoming.LARGE, incoming.AT_ONCE
    incoming.LARGE, incoming.AT_ONCE = size, at_once
    try:
        yield
    finally:
        incoming.LARGE, incoming.AT_ONCE = kept


def run(count: int, seed: int) -> dict[str, object]:
    """Compare so many; one JSON-ready object."""
    luck, ours, tally = random.Random(seed), Ours(), Counter()
    differences: list[dict[str, str]] = []
    started = time.perf_counter()
    for _ in range(count):
        case = a_case(luck)
        streamed = luck.random() < 0.5
        with large(luck.choice((0, incoming.LARGE)), luck.choice((1, 7, incoming.AT_ONCE))):
            mine = ours.read(case, streamed=streamed)
        theirs = read_with_h11(case)
        tally[verdict(mine, theirs)] += 1
        tally["kept"] += mine.is_kept
        if found := difference(case, mine, theirs):
            differences.append({"what": found, "method": case.method, "raw": repr(case.raw)})
    ours.close()
    return {
        "count": count,
        "seed": seed,
        **{name: tally[name] for name in ("accepted", "refused", "stricter", "laxer", "kept")},
        "differences": len(differences),
        "examples": differences[:10],
        "seconds": round(time.perf_counter() - started, 1),
    }
