"""A TCP connection to whichever address of a name answers first."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Sequence
from typing import Any

__all__ = ["Address", "addresses_of", "first_to_answer"]

Address = tuple[int, Any]
"""A family, and the address as sockets of that family take it."""

NEXT_ADDRESS = 0.25
"""After so many seconds without an answer the next address is tried as well (RFC 8305)."""


async def addresses_of(host: str, port: int) -> list[Address]:
    """One of each family after the other, the preferred family first; raises OSError."""
    loop = asyncio.get_running_loop()
    rows = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return _alternating([(row[0], row[4]) for row in rows])


def _alternating(addresses: list[Address]) -> list[Address]:
    first = [each for each in addresses if each[0] == addresses[0][0]]
    others = [each for each in addresses if each[0] != addresses[0][0]]
    pairs = itertools.zip_longest(first, others)
    return [each for pair in pairs for each in pair if each is not None]


async def first_to_answer(addresses: Sequence[Address]) -> socket.socket:
    """A socket connected to one of them; the sockets to the others are closed.  Raises OSError."""
    if len(addresses) == 1:
        return await _dialled(*addresses[0])
    # asyncio's own race (seen with Python 3.11) leaves sockets to the garbage collector when it
    # is cancelled.
    failure = OSError("the name has no address")
    waiting = list(reversed(addresses))
    calls: set[asyncio.Task[socket.socket]] = set()
    try:
        while waiting or calls:
            if waiting:
                calls.add(asyncio.create_task(_dialled(*waiting.pop())))
            patience = NEXT_ADDRESS if waiting else None
            done, _ = await asyncio.wait(
                calls, timeout=patience, return_when=asyncio.FIRST_COMPLETED
            )
            for call in done:
                calls.discard(call)
                try:
                    return call.result()
                except OSError as exc:
                    failure = exc
    finally:
        for call in calls:
            call.cancel()
            call.add_done_callback(_hang_up)
    raise failure


async def _dialled(family: int, address: Any) -> socket.socket:
    # With the protocol named: only then does asyncio send small writes at once (TCP_NODELAY).
    ours = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        ours.setblocking(False)
        await asyncio.get_running_loop().sock_connect(ours, address)
    except BaseException:
        ours.close()
        raise
    return ours


def _hang_up(call: asyncio.Task[socket.socket]) -> None:
    if not call.cancelled() and call.exception() is None:
        call.result().close()
