"""Alpaca's refusals: ``{"code": 40310000, "message": "insufficient buying power", …}``.

A code does not follow from the HTTP status (40010001 arrives with 422), a 401 may have no code,
and what stands in front of the API answers in HTML.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sentio_async import errors
from sentio_async.http.endpoint import Endpoint, Problem
from sentio_async.http.wire_json import Json

__all__ = ["is_duplicate", "read_problem"]

_NOT_ACCEPTED = 40010001
# The calls that make an order, and so can have one refused.
_MAKES_AN_ORDER = frozenset({"place_order", "replace_order", "close_position"})


def read_problem(status: int, body: Json, endpoint: Endpoint[Any]) -> Problem | None:
    """What Alpaca says is wrong; None where it says nothing that can be read."""
    if not isinstance(body, Mapping):
        return None
    message = body.get("message") or body.get("error")
    if not message:
        return None
    return Problem(
        message=str(message),
        code=body.get("code"),
        details={name: value for name, value in body.items() if name not in ("code", "message")},
        kind=_kind(status, body, endpoint),
    )


def _kind(
    status: int, body: Mapping[str, Json], endpoint: Endpoint[Any]
) -> type[errors.APIError] | None:
    if endpoint.name not in _MAKES_AN_ORDER:
        return None
    if status == 422:
        return errors.ConflictError if is_duplicate(body) else errors.OrderRejectedError
    # Without a code it is the key, not the order, that is not allowed.
    if status == 403 and body.get("code") is not None:
        return errors.OrderRejectedError
    return None


def is_duplicate(body: Mapping[str, Json]) -> bool:
    """An order with this client_order_id has arrived before, and may be filled already."""
    return body.get("code") == _NOT_ACCEPTED and "must be unique" in str(body.get("message"))
