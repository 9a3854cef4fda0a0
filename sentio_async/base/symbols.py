"""What can be a symbol at any venue, one by one and in lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sentio_async import errors

__all__ = ["check_symbol", "sorted_out", "symbols_of"]

_LONGEST_SYMBOL = 40


def sorted_out(symbols: Iterable[str]) -> dict[str, errors.InvalidRequestError | None]:
    """Each symbol once, in order, with the error of one that cannot be a symbol.

    A single text is refused: it is not a list.
    """
    if isinstance(symbols, str):
        raise errors.InvalidRequestError(f"symbols: a list is needed, such as [{symbols!r}]")
    asked = dict.fromkeys(symbols)
    if _are_plain(asked):
        return asked
    return {name: None if _is_plain(name) else _refusal(name) for name in asked}


def _are_plain(symbols: Mapping[Any, Any]) -> bool:
    """Letters and digits only in all of them, which is seen at one look at their text."""
    try:
        text = "".join(symbols)
    except TypeError:
        return False
    return text.isalnum() and "" not in symbols and max(map(len, symbols)) <= _LONGEST_SYMBOL


def _is_plain(symbol: Any) -> bool:
    """Letters and digits only, as nearly all are; there may be ten thousand to look at."""
    return symbol.__class__ is str and symbol.isalnum() and len(symbol) <= _LONGEST_SYMBOL


def _refusal(symbol: str) -> errors.InvalidRequestError | None:
    try:
        check_symbol(symbol)
    except errors.InvalidRequestError as exc:
        return exc
    return None


def symbols_of(symbols: Iterable[str]) -> list[str]:
    """The symbols without repetition, in order; one that cannot be a symbol is refused."""
    asked = sorted_out(symbols)
    for error in filter(None, asked.values()):
        raise error
    return list(asked)


def check_symbol(symbol: Any) -> str:
    """The symbol, if it can be one at any venue; raises InvalidRequestError otherwise."""
    if _is_plain(symbol):
        return str(symbol)
    if not isinstance(symbol, str) or not symbol.strip() or not symbol.isprintable():
        raise errors.InvalidRequestError(f"symbol: {symbol!r} is not one")
    if len(symbol) > _LONGEST_SYMBOL or any(c.isspace() or c == "," for c in symbol):
        raise errors.InvalidRequestError(f"symbol: {symbol!r} is not one")
    return symbol
