"""Rows of the journal as text, and back."""

from __future__ import annotations

import json
import zlib
from typing import Any

from sentio_async.models.trading import Order, OrderChange, OrderRequest
from sentio_async.orders.intent import Intent, Kind
from sentio_async.orders.journal import Row, Step

__all__ = ["Record", "read_row", "write_row"]

Record = tuple[str, str, float, int, str, int]
"""Id, step, time, attempt, body, and the checksum of all of them."""


def write_row(row: Row) -> Record:
    """The row as the file keeps it; raises ValueError when it could not be read again."""
    body: dict[str, Any] = {}
    if row.intent is not None:
        body["intent"] = plain = _write_intent(row.intent)
        # A copy of an order may say what no order can, and would make the whole journal unreadable.
        _read_parts(plain)
    if row.order is not None:
        body["order"] = row.order.model_dump(mode="json", exclude_none=True)
    if row.reason:
        body["reason"] = row.reason
    text = json.dumps(body, separators=(",", ":")) if body else ""
    known = (row.id, row.step.value, row.at, row.attempt, text)
    return (*known, _sum_of(known))


def _sum_of(known: tuple[Any, ...]) -> int:
    return zlib.crc32(repr(known).encode())


def _write_intent(intent: Intent) -> dict[str, Any]:
    order, change = intent.order, intent.change
    plain = {name: value for name, value in _plain(intent).items() if value is not None}
    if order is not None:
        plain["order"] = order.model_dump(mode="json", exclude_defaults=True)
    if change is not None:
        plain["change"] = change.model_dump(mode="json", exclude_defaults=True)
    return plain


def _plain(intent: Intent) -> dict[str, Any]:
    names = ("id", "kind", "at", "until", "intent_key", "order_id")
    return {name: getattr(intent, name) for name in names}


def read_row(record: Record) -> Row:
    """The row; raises ValueError when it is not what was written."""
    id, step, at, attempt, text, checksum = record
    if _sum_of((id, step, at, attempt, text)) != checksum:
        raise ValueError(f"row about {id!r} was changed")
    body = json.loads(text) if text else {}
    order = body.get("order")
    intent = body.get("intent")
    return Row(
        id,
        Step(step),
        at,
        attempt,
        None if intent is None else _read_intent(intent),
        None if order is None else Order.model_validate(_with_unsaid(order)),
        body.get("reason", ""),
    )


_UNSAID = {"side": None, "type": None, "qty": None}
"""What an order must have, if only as None: one by money has no quantity, a leg no type."""


def _with_unsaid(order: dict[str, Any]) -> dict[str, Any]:
    return {**_UNSAID, **order, "legs": [_with_unsaid(leg) for leg in order.get("legs", ())]}


def _read_intent(plain: dict[str, Any]) -> Intent:
    order, change = _read_parts(plain)
    parts = {"kind": Kind(plain["kind"]), "order": order, "change": change}
    return Intent(**{**plain, **parts})


def _read_parts(plain: dict[str, Any]) -> tuple[OrderRequest | None, OrderChange | None]:
    order, change = plain.get("order"), plain.get("change")
    return (
        None if order is None else OrderRequest.model_validate(order),
        None if change is None else OrderChange.model_validate(change),
    )
