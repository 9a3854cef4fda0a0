"""Asks Alpaca about many symbols, and lets no symbol's trouble cost another its answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import lru_cache
from typing import TypeVar

from sentio_async import errors
from sentio_async.base.symbols import sorted_out
from sentio_async.connectors.alpaca.wire.data_routes import pack
from sentio_async.models import Batch
from sentio_async.resilience.batch import gather_batches

__all__ = ["MOST_DROPPED", "ask_about", "not_found", "raise_about"]

T = TypeVar("T")

Fetch = Callable[[Sequence[str]], Awaitable[Batch[T]]]
_Question = tuple[dict[str, errors.InvalidRequestError | None], tuple[tuple[str, ...], ...]]
"""Each symbol with what speaks against it, and those that are asked about, by request."""

MOST_DROPPED = 25
"""Bad symbols of one request that are dropped, one request each, before it is given up."""
_MOST_KEPT = 1_000
"""Longer lists are looked at anew each time."""


async def ask_about(
    symbols: Iterable[str], fetch: Fetch[T], *, most: int | None = None
) -> Batch[T]:
    """Each symbol with its value or its error, from as few calls of ``fetch`` as possible.

    ``most`` is how many symbols one call may name, if less than usual.
    """
    names = symbols if isinstance(symbols, str) else tuple(symbols)
    known = _known(names, most) if len(names) <= _MOST_KEPT else None
    asked, packs = known or _packed(names, most)
    if len(packs) == 1:
        results = await _ask_dropping(packs[0], fetch)
    else:
        results = await _ask_side_by_side(packs, fetch)
    if len(results) == len(asked) and list(results) == list(asked):
        return Batch(results)
    results.update((name, refusal) for name, refusal in asked.items() if refusal)
    # Absent, not falsy: a series without bars is an answer.
    for name in [name for name in asked if name not in results]:
        results[name] = not_found(name)
    return Batch({name: results[name] for name in asked})


def _packed(names: Iterable[str], most: int | None) -> _Question:
    """Each symbol with what speaks against it, and the others in packs."""
    asked = sorted_out(names)
    wanted = [name for name, refusal in asked.items() if refusal is None]
    return asked, tuple(tuple(names) for names in pack(wanted, most))


@lru_cache(maxsize=16)
def _known(names: Iterable[str], most: int | None) -> _Question | None:
    """The same for symbols with which nothing is wrong: often they are asked about again."""
    asked, packs = _packed(names, most)
    return None if any(asked.values()) else (asked, packs)


async def _ask_side_by_side(
    packs: Sequence[Sequence[str]], fetch: Fetch[T]
) -> dict[str, T | errors.ConnectorError]:
    """All at once: how many requests are under way is the session's to limit, by priority."""

    async def one(batch: Sequence[Sequence[str]]) -> dict[str, T | errors.ConnectorError]:
        return await _ask_dropping(batch[0], fetch)

    results: dict[str, T | errors.ConnectorError] = {}
    for _, answer in await gather_batches(packs, 1, one, at_once=max(1, len(packs))):
        if isinstance(answer, Exception):
            raise answer
        results.update(answer)
    return results


async def _ask_dropping(
    symbols: Sequence[str], fetch: Fetch[T]
) -> dict[str, T | errors.ConnectorError]:
    """Asks again without a symbol that Alpaca names as invalid, a bounded number of times."""
    wanted = symbols
    results: dict[str, T | errors.ConnectorError] = {}
    while wanted:
        try:
            found = await fetch(wanted)
        except errors.BadRequestError as exc:
            bad = _named_in(exc, wanted)
            if bad is None or len(results) == MOST_DROPPED:
                return {**results, **dict.fromkeys(wanted, exc)}
            wanted = tuple(name for name in wanted if name != bad)
            results[bad] = not_found(bad, exc)
        except errors.ConnectorError as exc:
            return {**results, **dict.fromkeys(wanted, exc)}
        else:
            return {**results, **found.to_dict()} if results else found.to_dict()
    return results


def raise_about(symbol: str, exc: errors.APIError) -> None:
    """Raise SymbolNotFoundError if that is what Alpaca means by this."""
    is_unknown = isinstance(exc, errors.NotFoundError)
    if is_unknown or (isinstance(exc, errors.BadRequestError) and exc.details.get("symbol")):
        raise not_found(symbol, exc) from exc


def _named_in(exc: errors.APIError, wanted: Sequence[str]) -> str | None:
    named = str(exc.details.get("symbol", "")).upper()
    return next((symbol for symbol in wanted if symbol.upper() == named), None)


def not_found(
    symbol: str, cause: errors.ConnectorError | None = None
) -> errors.SymbolNotFoundError:
    """The error of a symbol under which Alpaca has nothing."""
    reason = f"{symbol}: Alpaca has nothing under this symbol"
    error = errors.SymbolNotFoundError(
        reason if cause is None else f"{reason} ({cause.message})",
        symbol=symbol,
        connector=None if cause is None else cause.connector,
        operation=None if cause is None else cause.operation,
    )
    error.__cause__ = cause
    return error
