"""Rows for other processes: written to an outlet, read from an inlet.

An outlet is anything that carries bytes under a subject; ``MemoryBus`` is the one for tests and for
one process.  Rows travel as msgpack, with a word that says what they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any, Protocol

import msgspec

from sentio_async import errors
from sentio_async.models.market import Bar, NewsArticle, Quote, Trade

__all__ = ["Inlet", "MemoryBus", "Outlet", "decode_row", "encode_row", "listen", "relay"]

_KINDS: dict[str, type[Any]] = {"quote": Quote, "trade": Trade, "bar": Bar, "news": NewsArticle}
_WORDS = {kind: word for word, kind in _KINDS.items()}
_encoder = msgspec.msgpack.Encoder()
_envelope = msgspec.msgpack.Decoder(tuple[str, msgspec.Raw])
_decoders = {word: msgspec.msgpack.Decoder(kind) for word, kind in _KINDS.items()}


class Outlet(Protocol):
    """Carries bytes to whoever listens under a subject."""

    async def publish(self, subject: str, payload: bytes, /) -> None:
        """Send; raises ConnectorError when it cannot be sent."""
        ...


class Inlet(Protocol):
    """Brings the bytes that were published."""

    def listen(self, subject: str, /) -> AsyncIterator[bytes]:
        """What is published under a subject from now on."""
        ...


def encode_row(row: Any) -> bytes:
    """A quote, trade, bar or article as bytes."""
    word = _WORDS.get(type(row))
    if word is None:
        raise errors.InvalidRequestError(f"a {type(row).__name__} is not a row that can be sent")
    return _encoder.encode((word, row))


def decode_row(payload: bytes) -> Any:
    """The row that ``encode_row`` wrote; raises DecodeError for anything else."""
    try:
        word, raw = _envelope.decode(payload)
        return _decoders[word].decode(raw)
    except (msgspec.MsgspecError, KeyError) as exc:
        raise errors.DecodeError(f"{len(payload)} bytes that are not a row") from exc


async def relay(rows: AsyncIterable[Any], outlet: Outlet, *, prefix: str = "") -> None:
    """Publish every row under ``<kind>.<symbol>`` until the stream ends."""
    async for row in rows:
        word = _WORDS.get(type(row), "")
        symbol = getattr(row, "symbol", "")
        await outlet.publish(f"{prefix}{word}.{symbol}", encode_row(row))


async def listen(inlet: Inlet, subject: str) -> AsyncIterator[Any]:
    """The rows that are published under a subject; ``quote.*`` is all quotes."""
    async for payload in inlet.listen(subject):
        yield decode_row(payload)


class MemoryBus:
    """An outlet and an inlet within this process; a slow listener loses the oldest rows."""

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._listeners: dict[asyncio.Queue[bytes], str] = {}
        self.dropped = 0

    async def publish(self, subject: str, payload: bytes) -> None:
        """Give it to everyone whose subject fits."""
        for queue, wanted in list(self._listeners.items()):
            if not _fits(subject, wanted):
                continue
            if queue.full():
                queue.get_nowait()
                self.dropped += 1
            queue.put_nowait(payload)

    async def listen(self, subject: str) -> AsyncIterator[bytes]:
        """What is published from now on."""
        queue: asyncio.Queue[bytes] = asyncio.Queue(self._limit)
        self._listeners[queue] = subject
        try:
            while True:
                yield await queue.get()
        finally:
            del self._listeners[queue]


def _fits(subject: str, wanted: str) -> bool:
    return subject.startswith(wanted[:-1]) if wanted.endswith("*") else subject == wanted
