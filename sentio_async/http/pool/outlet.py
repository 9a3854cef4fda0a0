"""The body of a request on its way out: as long as its head says, or in chunks.

One byte more than was announced would be read as the beginning of the next request, and what is
answered to that given to whoever comes next.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator

import httpcore

from sentio_async.http.pool.message import Fields

__all__ = ["check_length", "in_chunks", "length_said", "of_length"]

_LENGTH, _CODING = b"content-length", b"transfer-encoding"
_SIZES = (len(_LENGTH), len(_CODING))


def length_said(headers: Fields) -> int | None:
    """How long the body is to be, nothing said meaning 0; None for one that goes in chunks."""
    said: bytes | None = None
    for name, value in headers:
        if len(name) not in _SIZES:
            continue
        small = name.lower()
        if small == _CODING:
            return None
        if small == _LENGTH:
            if not value.isdigit() or said not in (None, value):
                raise httpcore.LocalProtocolError("bad Content-Length")
            said = value
    return int(said or 0)


def check_length(found: int, said: int) -> None:
    """Raise LocalProtocolError unless a body is as long as its head says."""
    if found != said:
        amount = "much" if found > said else "little"
        raise httpcore.LocalProtocolError(f"Too {amount} data for declared Content-Length")


async def of_length(body: AsyncIterable[bytes], said: int) -> AsyncIterator[bytes]:
    """The pieces of a body, which must be as long in all as was said."""
    found = 0
    async for piece in body:
        found += len(piece)
        if found > said:
            break
        yield piece
    check_length(found, said)


async def in_chunks(body: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The pieces of a body as HTTP's chunks."""
    async for piece in body:
        if piece:
            yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"
