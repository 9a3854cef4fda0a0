"""From one page to the next: only along the same call, and not in a circle."""

from __future__ import annotations

import re
from typing import TypeVar
from urllib.parse import parse_qsl, unquote

from sentio_async import errors
from sentio_async.connectors.polygon.wire.tickers import is_same
from sentio_async.http.endpoint import Call, query_text

__all__ = ["Walk", "following"]

T = TypeVar("T")

# The key is added by whoever sends the call, as a header.
_KEY_NAMES = frozenset({"apikey", "api_key"})
_WHOSE = frozenset({"{ticker}", "{underlying}"})


def following(call: Call[T], target: str) -> Call[T]:
    """The call for the next page, on the host and with the key of the first.

    Raises DecodeError when the target does not continue this call: a path of another endpoint or
    ticker, dot segments, characters that do not belong into a URL.
    """
    path, _, query = target.partition("?")
    if not (target.isascii() and target.isprintable()) or not _continues(call, path):
        raise errors.DecodeError(
            f"next_url: {path[:120]!r} does not continue {call.endpoint.label}",
            connector=call.endpoint.api.name,
        )
    pairs = parse_qsl(query, keep_blank_values=True)
    kept = {name: value for name, value in pairs if name.lower() not in _KEY_NAMES}
    return call.at(path, query_text(kept))


def _continues(call: Call[T], path: str) -> bool:
    wanted, asked, found = call.endpoint.path.split("/"), call.path.split("/"), path.split("/")
    return len(found) == len(wanted) and all(map(_fits, wanted, asked, found))


def _fits(wanted: str, asked: str, found: str) -> bool:
    if not wanted.startswith("{"):
        return wanted.lower() == found.lower()
    plain = unquote(found)
    if not re.fullmatch(r"[^/\\]+", plain) or plain in (".", ".."):
        return False
    # Ticks do not say whose they are.
    return wanted not in _WHOSE or is_same(unquote(asked), plain)


class Walk:
    """The pages seen so far; refuses the one that was seen before and the one too many."""

    def __init__(self, call: Call[T], *, max_pages: int) -> None:
        self._seen = {call.target}
        self._max_pages = max_pages

    def peek(self, call: Call[T], target: str) -> Call[T] | None:
        """As ``next``, for a target that is not certain: None for one that would be refused."""
        try:
            further = following(call, target)
        except errors.DecodeError:
            return None
        is_new = further.target not in self._seen and len(self._seen) < self._max_pages
        return further if is_new else None

    def next(self, call: Call[T], target: str | None) -> Call[T] | None:
        """The call for the page after ``call``; None when that was the last."""
        if target is None:
            return None
        further = following(call, target)
        where = call.endpoint.label
        if further.target in self._seen:
            raise errors.DecodeError(f"{where}: next_url leads back to a page already read")
        if len(self._seen) >= self._max_pages:
            raise errors.DecodeError(f"{where}: more than {self._max_pages} pages")
        self._seen.add(further.target)
        return further
