"""Many items in few calls, side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from sentio_async import errors
from sentio_async.resilience.bulkhead import Bulkhead

__all__ = ["chunks", "gather_batches"]

T = TypeVar("T")
R = TypeVar("R")


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of at most ``size``, in their order."""
    if size < 1:
        raise errors.InvalidRequestError(f"batch size: {size} is less than 1")
    return _chunks(iter(items), size)


def _chunks(items: Iterator[T], size: int) -> Iterator[list[T]]:
    while chunk := list(islice(items, size)):
        yield chunk


async def gather_batches(
    items: Iterable[T],
    size: int,
    call: Callable[[Sequence[T]], Awaitable[R]],
    *,
    at_once: int = 8,
) -> list[tuple[list[T], R | Exception]]:
    """Call once per chunk, ``at_once`` at a time; each chunk with its result or its error.

    One failing chunk costs the others nothing.  When the caller is cancelled, so is every call,
    and none is left running when this returns.
    """
    batches = list(chunks(items, size))
    if len(batches) == 1:
        try:
            return [(batches[0], await call(batches[0]))]
        except Exception as exc:  # noqa: BLE001 (it is handed back)
            return [(batches[0], exc)]
    places = Bulkhead(at_once)

    async def one(batch: Sequence[T]) -> R:
        async with places.slot():
            return await call(batch)

    started = map(one if at_once < len(batches) else call, batches)
    # gather waits for all of them, also when it is cancelled itself.
    results = await asyncio.gather(*started, return_exceptions=True)
    found: list[tuple[list[T], R | Exception]] = []
    for batch, result in zip(batches, results, strict=True):
        if isinstance(result, BaseException) and not isinstance(result, Exception):
            raise result
        found.append((batch, result))
    return found
