"""JSON as money needs it: exact numbers, no NaN, bounded depth, typed errors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from types import NoneType
from typing import Any, NoReturn

import msgspec

from sentio_async import errors

__all__ = ["Json", "decode_json", "decode_without_duplicates", "encode_json"]

Json = Any
"""What JSON holds: dict, list, str, int, Decimal, bool, None."""

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder()
_MAX_DIGITS = 400


def encode_json(value: Json) -> bytes:
    """JSON text; Decimals become strings, which every vendor here accepts.

    Raises InvalidRequestError for what JSON has no word for.
    """
    try:
        return _encoder.encode(value)
    except (TypeError, OverflowError, RecursionError) as exc:
        raise errors.InvalidRequestError(f"a value cannot be sent: {exc}") from None


def decode_json(body: bytes) -> Json:
    """The value, with every number that is not whole as ``Decimal``.

    Raises DecodeError for anything else than one JSON value, NaN and Infinity included.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError) as exc:
        raise _undecodable(body, exc) from exc


def decode_without_duplicates(body: bytes) -> Json:
    """As ``decode_json``, and refuses an object that names a member twice.

    For answers about orders, where "the last one wins" is not good enough.  Slower, but for one
    object of texts without escapes.
    """
    flat = _flat(body)
    if flat is not None:
        return flat
    try:
        return _once_decoder.decode(body.decode(json.detect_encoding(body), "surrogatepass"))
    except (ValueError, RecursionError, ArithmeticError) as exc:
        raise _undecodable(body, exc) from exc


def _flat(body: bytes) -> dict[str, Json] | None:
    """An object of texts, null, true and false, none of whose members was dropped.

    None when that cannot be told in this cheap way: without escapes every text has two quotes, and
    a member that was dropped for a later one has taken at least those of its name with it.
    """
    if b"\\" in body:
        return None
    try:
        members = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError):
        return None
    if members.__class__ is not dict:
        return None
    kinds = list(map(type, members.values()))
    names, texts = len(kinds), kinds.count(str)
    if texts + kinds.count(NoneType) + kinds.count(bool) != names:
        return None
    return members if body.count(b'"') == 2 * (names + texts) else None


def _once_each(pairs: Sequence[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object names a member twice")
    return members


def _number(text: str) -> Decimal:
    if len(text) > _MAX_DIGITS:
        raise ValueError("a number is too long")
    return Decimal(text)


def _whole_number(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError("a number is too long")
    return int(text)


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


# Made once: json.loads makes a new one for every call with hooks.
_once_decoder = json.JSONDecoder(
    object_pairs_hook=_once_each,
    parse_float=_number,
    parse_int=_whole_number,
    parse_constant=_refuse,
)


def _undecodable(body: bytes, exc: Exception) -> errors.DecodeError:
    reason = "nested too deeply" if isinstance(exc, RecursionError) else type(exc).__name__
    return errors.DecodeError(f"answer of {len(body)} bytes is not readable JSON ({reason})")
