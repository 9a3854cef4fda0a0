"""How values are written in a path, in a query and in a form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from urllib.parse import quote, urlencode

from sentio_async import errors

__all__ = ["QueryValue", "form_text", "query_text", "segment_text"]

QueryValue = str | int | bool | Decimal | date | datetime | Enum | Iterable[Any] | None

# RFC 3986 lets these stand in a path segment and in a query as they are.
_SAFE_IN_PATH = ":@,=+$!*'()"
_SAFE_IN_QUERY = ",:/"
_MOST_NAMES = 1_000


def segment_text(name: str, value: str) -> str:
    """A path segment that stays one: clients resolve dots, and ``..`` would be another call."""
    text = str(value)
    if text.isalnum() and text.isascii():
        return text
    if text in ("", ".", "..") or not text.isprintable():
        raise errors.InvalidRequestError(f"{name}: {text!r} cannot be part of a path")
    return quote(text, safe=_SAFE_IN_PATH)


def query_text(query: Mapping[str, QueryValue]) -> str:
    """A query string, in the order given; members that are None are left out."""
    members = []
    for name, value in query.items():
        if value is None:
            continue
        text = value if value.__class__ is str else _query_value(value)
        # Most names and symbols have nothing to quote, and looking is ten times as fast.
        if not (text.isalnum() and text.isascii()):
            text = quote(text, safe=_SAFE_IN_QUERY)
        members.append(f"{_names[name]}={text}")
    return "&".join(members)


def form_text(form: Mapping[str, QueryValue]) -> str:
    """The body of a form, in the order given; None is left out, a list is a member for each."""
    members: list[tuple[str, str]] = []
    for name, value in form.items():
        if isinstance(value, Iterable) and not isinstance(value, str):
            members += [(name, _query_value(each)) for each in value]
        elif value is not None:
            members.append((name, _query_value(value)))
    return urlencode(members)


class _Names(dict[str, str]):
    """Names of query members as they are written, remembered: they stand in our own code."""

    def __missing__(self, name: str) -> str:
        text = quote(name, safe="")
        if len(self) < _MOST_NAMES:
            self[name] = text
        return text


_names = _Names()


def _query_value(value: QueryValue) -> str:
    match value:
        case str():
            return str(value.value) if isinstance(value, Enum) else value
        case bool():
            return "true" if value else "false"
        case Enum():
            return str(value.value)
        case datetime():
            return _utc_text(value)
        case date():
            return value.isoformat()
        case int():
            return str(value)
        case Decimal():
            return format(value, "f")
        case Iterable():
            return _list_text(list(value))
    raise TypeError(f"a {type(value).__name__} cannot stand in a query")


def _list_text(items: list[Any]) -> str:
    try:
        return ",".join(items)  # mostly they are texts
    except TypeError:
        return ",".join(map(_query_value, items))


def _utc_text(value: datetime) -> str:
    if value.tzinfo is None:
        raise errors.InvalidRequestError(f"time: {value.isoformat()} has no zone; use an aware one")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
