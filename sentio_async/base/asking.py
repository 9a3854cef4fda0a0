"""Asking about symbols: what a vendor's "not found" means, and one call for each of many."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from sentio_async import errors
from sentio_async.base.symbols import sorted_out
from sentio_async.models.batch import Batch
from sentio_async.resilience.batch import gather_batches

__all__ = ["about", "one_each"]

T = TypeVar("T")


async def about(symbol: str, answer: Awaitable[T]) -> T:
    """The answer about one symbol; NotFoundError becomes SymbolNotFoundError, which names it."""
    try:
        return await answer
    except errors.NotFoundError as exc:
        raise errors.SymbolNotFoundError(
            f"{symbol}: {exc.message}",
            symbol=symbol,
            connector=exc.connector,
            operation=exc.operation,
            request=exc.request,
        ) from exc


async def one_each(symbols: Iterable[str], ask: Callable[[str], Awaitable[T]]) -> Batch[T]:
    """One call for each symbol, side by side: each has its value or its own error."""
    asked = sorted_out(symbols)
    wanted = [symbol for symbol, refusal in asked.items() if refusal is None]

    async def one(names: Sequence[str]) -> T:
        return await about(names[0], ask(names[0]))

    found: dict[str, T | errors.ConnectorError] = {}
    # How many requests are under way is the session's to limit, by priority.
    for names, result in await gather_batches(wanted, 1, one, at_once=max(1, len(wanted))):
        if isinstance(result, Exception) and not isinstance(result, errors.ConnectorError):
            raise result
        found[names[0]] = result
    return Batch({symbol: refusal or found[symbol] for symbol, refusal in asked.items()})
