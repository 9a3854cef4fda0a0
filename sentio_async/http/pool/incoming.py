"""One answer, as llhttp finds it in the bytes that come.

The parser is in its strict mode, and watched all the same: see ``strict``.
"""

from __future__ import annotations

from collections import deque
from typing import cast

import httptools

from sentio_async.http.pool.message import Fields, Request
from sentio_async.http.pool.stream import Stream
from sentio_async.http.pool.strict import (
    ANNOUNCES,
    FIRST_BYTE,
    check_coding,
    check_reason,
    refused,
)

__all__ = ["AT_ONCE", "BUFFER", "LARGE", "Incoming"]

_FINAL = 200
"""Smaller statuses only announce an answer."""
_FIRST = 100
_WITHOUT_BODY = (204, 304)
BUFFER = 64 * 1024
"""The size of the buffer that all share.  When it is full, TLS may hold more than sockets show."""
_NOWHERE: deque[object] = deque(maxlen=0)
"""Where trailers go: a server may send as many as a body has bytes."""
LARGE = 64 * 1024
"""If more than this is still to come of a body, it goes straight to its place."""
_END = 16 * 1024
"""So much of it goes the common way, to see whether anything comes after it."""
AT_ONCE = 4 * 1024 * 1024
"""Room is made for so much before it comes, and then for as much again as has come: a server may
promise anything."""


class Incoming:
    """The parts of the answer to ``_request`` that have come so far."""

    __slots__ = (
        "_body",
        "_buffer",
        "_coming",
        "_fields",
        "_has_head",
        "_into",
        "_is_announced",
        "_is_complete",
        "_is_reusable",
        "_lines",
        "_parser",
        "_reason",
        "_received",
        "_request",
        "_size",
        "_status",
        "_stream",
        "_text",
    )

    def __init__(self, buffer: memoryview) -> None:
        self._buffer = self._into = buffer
        self._text = cast("bytearray", buffer.obj)
        self._parser = httptools.HttpResponseParser(self)
        self._request: Request | None = None
        self._stream: Stream | None = None
        self._status = 0
        self._fields: Fields = []
        self._is_announced = False
        self._prepare()

    def _prepare(self) -> None:
        self._lines: Fields = []
        self._body: bytes | bytearray = b""
        self._reason = b""
        self._size = self._received = self._coming = 0
        self._has_head = self._is_complete = self._is_reusable = False

    def _feed_carefully(self, received: int, nbytes: int) -> None:
        """Read so many bytes in the buffer; ``received`` of this answer came before.

        Where the parser would skip empty lines, before or after an answer, it gets no chance to.
        """
        if self._coming:
            self._take(nbytes)
            return
        text, start = self._text, 0
        if not received and text[0] != FIRST_BYTE:
            raise refused("it begins with something else")
        if not self._has_head and (received or text[9] == ANNOUNCES):
            start = self._feed_lines(nbytes)
        for end in (nbytes - 1, nbytes):
            if start < end:
                if self._is_complete:
                    self._is_reusable = False
                    return
                self._parser.feed_data(self._buffer[start:end])
                start = end

    def _feed_lines(self, nbytes: int) -> int:
        """Read the head line by line, to where it ends or more has to come; gives how far."""
        start, text = 0, self._text
        while not self._has_head and start < nbytes:
            if self._is_announced and text[start] != FIRST_BYTE:
                raise refused("an announcement is followed by something else")
            self._is_announced = False
            end = text.find(b"\n", start, nbytes) + 1 or nbytes
            self._parser.feed_data(self._buffer[start:end])
            start = end
        return start

    def _expect(self, limit: float) -> None:
        """If the rest of the body is long, let it go straight to its place.

        The parser does not see it, for there is nothing to find in it: taken in pieces and put
        together, a megabyte costs four times as much.
        """
        coming = _length_in(self._fields) - self._size
        if coming > LARGE and self._size + coming <= limit:
            self._coming = coming
            self._is_reusable = self._parser.should_keep_alive()
            self._make_room()

    def _make_room(self) -> None:
        size, coming = self._size, self._coming
        body = cast("bytearray", self._body)
        if size == len(body):
            body = bytearray(size + min(coming, max(AT_ONCE, size)))
            body[:size] = self._body
            self._body = body
        until = min(len(body), size + coming - _END)
        self._into = memoryview(body)[size:until] if size < until else self._buffer

    def _take(self, nbytes: int) -> None:
        """So many bytes have come to their place, or by the common way."""
        size, into = self._size, self._into
        taken = min(nbytes, self._coming)
        if into is self._buffer:
            cast("bytearray", self._body)[size : size + taken] = into[:taken]
        else:
            self._into = into[taken:]
        self._size += taken
        self._coming -= taken
        if not self._coming:
            # The old parser waits for what it never gets.
            self._parser = httptools.HttpResponseParser(self)
            self._into, self._is_complete = self._buffer, True
            self._is_reusable = self._is_reusable and taken == nbytes

    def _show_head(self) -> None:
        """Tell whoever waits for the head, and not for the body, that it is whole."""
        raise NotImplementedError

    def on_message_begin(self) -> None:
        """An answer begins; after a complete one, nobody has asked for it."""
        if self._is_complete:
            self._is_reusable = False

    def on_status(self, reason: bytes) -> None:
        """The words of the status line."""
        if reason != b"OK":
            check_reason(reason)
        if not self._is_complete:
            self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header line; a trailer, which is not kept, if the head is whole."""
        self._lines.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self._is_complete:
            return
        status = self._parser.get_status_code()
        if status < _FINAL:
            if status < _FIRST:
                raise refused("a status that means nothing")
            return
        self._status, self._has_head = status, True
        self._fields, self._lines = self._lines, cast("Fields", _NOWHERE)
        request = self._request
        is_head = request is not None and request.method == "HEAD"
        if is_head or status in _WITHOUT_BODY:
            check_coding(self._fields)
        if is_head:
            # llhttp does not know that no body follows, so it is of no more use.
            self._is_complete = True
        if self._stream is not None:
            self._show_head()

    def on_chunk_header(self) -> None:
        """A chunk begins."""
        if not self._size and not self._is_complete:
            check_coding(self._fields)

    def on_body(self, piece: bytes) -> None:
        """Some of the body."""
        if self._is_complete:
            self._is_reusable = False
            return
        self._size += len(piece)
        if self._stream is not None:
            self._stream.feed(piece)
        elif not self._body:
            self._body = piece
        else:
            # One buffer: a piece of its own for each chunk of two bytes takes 30 times as much.
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += piece

    def on_message_complete(self) -> None:
        """The answer is whole; 100 and its like only announce one."""
        if self._is_complete:
            return
        if not self._has_head:
            self._lines, self._reason, self._is_announced = [], b"", True
            return
        self._is_reusable = self._parser.should_keep_alive()
        self._is_complete = True


def _length_in(fields: Fields) -> int:
    """How long the body is said to be; 0 where another way tells its end."""
    said = {name.lower(): value.strip(b" \t") for name, value in fields}
    length = said.get(b"content-length", b"")
    return int(length) if length.isdigit() and b"transfer-encoding" not in said else 0
