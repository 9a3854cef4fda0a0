"""A body is read in pieces and never grows beyond what was allowed, compressed or not."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable, Mapping

from sentio_async import errors
from sentio_async.http.redaction import redactor

__all__ = ["read_body", "unpack"]

_PIECE = 64 * 1024
_SMALLEST = 20  # header and trailer of gzip, and an empty block


async def read_body(
    chunks: AsyncIterator[bytes],
    headers: Mapping[str, str],
    *,
    limit: int,
    keep_going: Callable[[], None],
) -> bytes:
    """The whole body, decompressed, at most ``limit`` bytes long.

    ``keep_going`` is asked before every piece and raises when the time is over.  Raises
    ResponseTooLargeError, and DecodeError for an encoding that was not asked for.
    """
    unpack = _unpacker(headers.get("content-encoding", ""))
    body = bytearray()
    received = 0
    async for chunk in chunks:
        keep_going()
        received += len(chunk)
        if received > limit:
            raise _too_large(limit)
        if unpack is None:
            body += chunk
        else:
            unpack.feed(chunk, body, limit)
        if len(body) > limit:
            raise _too_large(limit)
    if unpack is not None:
        unpack.finish()
    return bytes(body)


def unpack(body: bytes, encoding: str, *, limit: int) -> bytes:
    """A whole body, decompressed, at most ``limit`` bytes long; raises as ``read_body``."""
    gzip = _unpacker(encoding)
    if gzip is None or not body:
        return body
    size = int.from_bytes(body[-4:], "little")
    if len(body) >= _SMALLEST and size <= limit:
        # Its trailer says how much it becomes; more than that is not what it says it is.
        stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            found = stream.decompress(body, size + 1)
        except zlib.error as exc:
            raise errors.DecodeError("answer is not the gzip it claims to be") from exc
        if stream.eof and not stream.unused_data:
            return found
    whole = bytearray()
    gzip.feed(body, whole, limit)
    gzip.finish()
    return bytes(whole)


def _too_large(limit: int) -> errors.ResponseTooLargeError:
    return errors.ResponseTooLargeError(f"answer is larger than {limit} bytes")


class _Gzip:
    """Unpacks in pieces, so that 274 bytes cannot become 200 MB before anybody looks."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        self._has_input = False

    def feed(self, chunk: bytes, body: bytearray, limit: int) -> None:
        self._has_input = self._has_input or bool(chunk)
        try:
            while chunk:
                body += self._stream.decompress(chunk, _PIECE)
                if len(body) > limit:
                    raise _too_large(limit)
                chunk = self._stream.unconsumed_tail
        except zlib.error as exc:
            raise errors.DecodeError("answer is not the gzip it claims to be") from exc
        if self._stream.unused_data:
            raise errors.DecodeError("answer goes on after the end of its gzip data")

    def finish(self) -> None:
        if self._has_input and not self._stream.eof:
            raise errors.DecodeError("answer ends in the middle of its gzip data")


def _unpacker(encoding: str) -> _Gzip | None:
    match encoding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip":
            return _Gzip()
    shown = redactor.scrub(encoding)[:40]
    raise errors.DecodeError(f"answer is encoded as {shown!r}; only gzip was asked for")
