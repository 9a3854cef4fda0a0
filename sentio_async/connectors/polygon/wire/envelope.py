"""What all answers of Massive have in common, and the API to which its calls belong.

https://massive.com/docs/rest
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from sentio_async import errors
from sentio_async.connectors.polygon.wire.bulk import check_none_counted
from sentio_async.connectors.polygon.wire.problems import find_failure, read_problem
from sentio_async.http.endpoint import Api
from sentio_async.http.reading import read_rows
from sentio_async.http.wire_json import Json
from sentio_async.models import Page, Rows

__all__ = [
    "LONG",
    "PROVIDER",
    "api",
    "is_delayed",
    "list_of",
    "member",
    "next_target",
    "number",
    "page_of",
    "result",
]

PROVIDER = "polygon"
LONG = 64 * 1024 * 1024
"""Bytes that the longest lists may have: 50,000 ticks are 14 million, decompressed."""
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

api = Api("polygon", problem=read_problem, check=find_failure)


class _Kind(Protocol[T_co]):
    def read(self, raw: Json, /) -> T_co: ...


def is_delayed(raw: Mapping[str, Any]) -> bool:
    """The answer's data is late, which is no failure."""
    return raw.get("status") == "DELAYED"


def member(raw: Json, name: str) -> Any:
    """A member that must be there; raises DecodeError when the answer is not an envelope."""
    if not isinstance(raw, Mapping):
        raise errors.DecodeError(f"an object is needed, not {type(raw).__name__}")
    value = raw.get(name)
    if value is None:
        raise errors.DecodeError(f"the answer has no {name} (status {raw.get('status')!r})")
    return value


def result(raw: Json) -> Mapping[str, Any]:
    """``results`` where it is one object."""
    value = member(raw, "results")
    if not isinstance(value, Mapping):
        raise errors.DecodeError(f"results: an object is needed, not {type(value).__name__}")
    return value


def rows_in(raw: Json) -> list[Any]:
    """``results`` where it is a list; absent rows are none only when the answer counts none."""
    if _is_empty(raw):
        return []
    rows = member(raw, "results")
    if not isinstance(rows, list):
        raise errors.DecodeError(f"results: a list is needed, not {type(rows).__name__}")
    if not rows:
        check_none_counted(raw.get("resultsCount"), raw.get("count"))
    return rows


def _is_empty(raw: Json) -> bool:
    if not isinstance(raw, Mapping) or raw.get("results") is not None:
        return False
    return 0 in (raw.get("resultsCount"), raw.get("count"))


def list_of(kind: _Kind[T]) -> Callable[[Json], Rows[T]]:
    """Reads an answer that lists all there is of ``kind``."""
    return lambda raw: read_rows(rows_in(raw), kind.read, what="results")


def page_of(kind: _Kind[T]) -> Callable[[Json], Page[Rows[T]]]:
    """Reads one page of ``kind``."""

    def read(raw: Json) -> Page[Rows[T]]:
        rows = read_rows(rows_in(raw), kind.read, what="results")
        return Page(rows, next_target(raw.get("next_url")))

    return read


def number(value: Any) -> float:
    """A price or a size from the vendor's number or text."""
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError) as exc:
        raise errors.DecodeError(f"a number is needed, not {str(value)[:40]!r}") from exc
    if not math.isfinite(found):
        raise errors.DecodeError(f"a number is needed, not {str(value)[:40]!r}")
    return found


def next_target(url: object) -> str | None:
    """Path and query of ``next_url``; its host is never used, so no key goes there."""
    if url is None or url == "":
        return None
    if not isinstance(url, str):
        raise errors.DecodeError(f"next_url: a text is needed, not {type(url).__name__}")
    try:
        parts = urlsplit(url)
    except ValueError as exc:
        raise errors.DecodeError("next_url: not a URL") from exc
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
