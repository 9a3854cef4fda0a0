"""Alpaca's bulk answers, decoded from bytes straight into rows of their type.

``history`` reads ``{"bars": {"AAPL": [row, …]}, "next_page_token": …}`` and the same about one
symbol, ``{"bars": [row, …], "symbol": "AAPL", …}``; ``latest`` reads ``{"quotes": {"AAPL": row}}``.
When an answer does not have its type, it is read again row by row, and only bad rows are lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from sentio_async import errors
from sentio_async.connectors.alpaca.wire.data_rows import History, Latest
from sentio_async.models import SkippedRow

__all__ = [
    "check_about",
    "decode_as",
    "history",
    "history_of_one",
    "latest",
    "latest_map",
    "latest_of_one",
    "refuse_words",
]

T = TypeVar("T")

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def _of(container: Any, *kinds: Any) -> Any:
    """``container[kinds]`` for kinds that are only known at run time."""
    return container[kinds if len(kinds) > 1 else kinds[0]]


def decode_as(kind: Callable[..., T]) -> Callable[[bytes], T]:
    """Reads bytes as one value of ``kind``; raises DecodeError for anything else."""
    decoder = msgspec.json.Decoder(kind)

    def decode(body: bytes) -> T:
        try:
            value: T = decoder.decode(body)
            return value
        except _UNREADABLE as exc:
            raise errors.DecodeError(f"answer of {len(body)} bytes: {_reason(exc)}") from exc

    return decode


def _reason(exc: Exception) -> str:
    return "nested too deeply" if isinstance(exc, RecursionError) else str(exc)[:200]


def _answer(member: str, kind: Any, *more: tuple[str, Any]) -> Any:
    # Missing is an error, null is "nothing": Alpaca says so about a symbol without rows.
    fields: list[Any] = [("rows", kind | None), ("next_page_token", str | None, None), *more]
    return msgspec.defstruct("Answer", fields, rename={"rows": member}, kw_only=True)


def history(member: str, row: type[msgspec.Struct]) -> Callable[[bytes], History]:
    """Reads a page of rows by symbol."""
    strict = msgspec.json.Decoder(_answer(member, _of(dict, str, _of(list, row) | None)))
    lenient = decode_as(_answer(member, _of(dict, str, _of(list, msgspec.Raw) | None)))
    one = msgspec.json.Decoder(row)

    def decode(body: bytes) -> History:
        try:
            page = strict.decode(body)
        except _UNREADABLE:
            page = lenient(body)
            return _by_row(page.rows or {}, one, page.next_page_token)
        return History({s: r or [] for s, r in (page.rows or {}).items()}, page.next_page_token)

    return decode


def history_of_one(member: str, row: type[msgspec.Struct]) -> Callable[[bytes], History]:
    """Reads a page of rows of the one symbol that the answer names."""
    symbol = ("symbol", str)
    strict = msgspec.json.Decoder(_answer(member, _of(list, row), symbol))
    lenient = decode_as(_answer(member, _of(list, msgspec.Raw), symbol))
    one = msgspec.json.Decoder(row)

    def decode(body: bytes) -> History:
        try:
            page = strict.decode(body)
        except _UNREADABLE:
            page = lenient(body)
            return _by_row({page.symbol: page.rows}, one, page.next_page_token)
        return History({page.symbol: page.rows or []}, page.next_page_token)

    return decode


def _by_row(
    tables: dict[str, list[msgspec.Raw] | None],
    one: msgspec.json.Decoder[Any],
    token: str | None,
) -> History:
    page = History({}, token, {})
    for symbol, rows in tables.items():
        good, skipped = [], []
        for index, raw in enumerate(rows or ()):
            try:
                good.append(one.decode(raw))
            except _UNREADABLE as exc:
                skipped.append(SkippedRow(index, _reason(exc)))
        if skipped and not good:
            raise errors.DecodeError(f"{symbol}: no row can be read; {skipped[0].reason}")
        page.rows[symbol] = good
        if skipped:
            page.skipped[symbol] = skipped
    return page


def latest(member: str, row: type[msgspec.Struct]) -> Callable[[bytes], Latest]:
    """Reads one row a symbol, and the token of the next page where there are pages."""
    # A symbol with null instead of a row is as rare as a bad one, and read the same slow way.
    strict = msgspec.json.Decoder(_answer(member, _of(dict, str, row)))
    lenient = decode_as(_answer(member, _of(dict, str, msgspec.Raw)))
    one = msgspec.json.Decoder(row | None)

    def decode(body: bytes) -> Latest:
        try:
            page = strict.decode(body)
        except _UNREADABLE:
            page = lenient(body)
            return _by_symbol(page.rows or {}, one, page.next_page_token)
        return Latest(page.rows or {}, page.next_page_token)

    return decode


def latest_map(row: type[msgspec.Struct]) -> Callable[[bytes], Latest]:
    """Reads one row a symbol where the whole answer is the map (stock snapshots)."""
    strict = msgspec.json.Decoder(_of(dict, str, row))
    lenient = decode_as(_of(dict, str, msgspec.Raw))
    one = msgspec.json.Decoder(row | None)

    def decode(body: bytes) -> Latest:
        try:
            return Latest(strict.decode(body))
        except _UNREADABLE:
            table = lenient(body)
            refuse_words(table)
            page = _by_symbol(table, one, None)
        if page.failed and not page.rows:
            # Its names are no symbols: words of something that stands in front.
            first = next(iter(page.failed.values()))
            raise errors.DecodeError(f"no row can be read; {first.message}")
        return page

    return decode


def check_about(symbol: str, named: str) -> None:
    """Raise DecodeError when an answer is about another symbol than the one asked for."""
    if named != symbol and named.upper() != symbol.upper():
        raise errors.DecodeError(f"asked about {symbol}, the answer is about {named}")


def refuse_words(table: Mapping[str, Any]) -> None:
    """Raise DecodeError for a table that is an error in truth: it has a message and no rows."""
    said = table.get("message")
    if said is not None:
        text = bytes(said).decode("utf-8", "replace") if isinstance(said, msgspec.Raw) else said
        raise errors.DecodeError(f"the answer is an error with a status of success: {text[:200]}")


def latest_of_one(member: str, row: type[msgspec.Struct]) -> Callable[[bytes], Any]:
    """Reads the one row (``rows``) of the symbol (``symbol``) that the answer names."""
    return decode_as(_answer(member, row, ("symbol", str)))


def _by_symbol(
    rows: dict[str, msgspec.Raw], one: msgspec.json.Decoder[Any], token: str | None
) -> Latest:
    page = Latest({}, token, {})
    for symbol, raw in rows.items():
        try:
            row = one.decode(raw)
        except _UNREADABLE as exc:
            page.failed[symbol] = errors.DecodeError(f"{symbol}: {_reason(exc)}")
            continue
        if row is not None:
            page.rows[symbol] = row
    return page
