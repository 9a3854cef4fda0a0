"""Alpaca's trading API: the declarations of all its calls are collected here.

https://docs.alpaca.markets/reference/trading-api
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sentio_async import errors
from sentio_async.connectors.alpaca.wire.problems import read_problem
from sentio_async.http.endpoint import Api
from sentio_async.http.wire_json import Json
from sentio_async.resilience.limiter import Priority

__all__ = ["api", "names", "no_body", "nothing"]

api = Api("alpaca.trading", problem=read_problem, priority=Priority.ACCOUNT)


def no_body(body: bytes) -> None:
    """An answer without a body; one with a body comes from somebody else, and nothing was done."""
    if body.strip():
        raise errors.DecodeError(f"the answer has a body of {len(body)} bytes, and must have none")


def nothing(raw: Json) -> None:
    """What is read from such an answer."""


def names(values: Iterable[str] | None) -> tuple[str, ...] | None:
    """Names for a query or a body, None for none; a single text is refused, it is not a list.

    So is a name that would be none or two of them, once commas have joined it to the others.
    """
    if isinstance(values, str):
        raise errors.InvalidRequestError(f"a list is needed, such as [{values!r}]")
    found: tuple[Any, ...] = tuple(values or ())
    for name in found:
        if not isinstance(name, str) or not name.strip() or "," in name:
            raise errors.InvalidRequestError(f"{name!r} is not a name that a list can hold")
    return found or None
