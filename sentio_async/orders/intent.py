"""What somebody wants done, under what id, and how it is told from its likes."""

from __future__ import annotations

import hashlib
import re
from base64 import b32encode
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from sentio_async import errors
from sentio_async.models.trading import Order, OrderChange, OrderRequest
from sentio_async.orders.policy import GatewayPolicy

__all__ = [
    "Intent",
    "Kind",
    "bare_symbol",
    "check_key",
    "client_order_id",
    "entered_at",
    "is_instrument_id",
    "is_same",
    "is_same_payload",
    "looks_like",
    "twin_of",
]


class Kind(StrEnum):
    """What is wanted."""

    PLACE = "place"
    REPLACE = "replace"
    CANCEL = "cancel"


class Intent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing to be done once, however often it is asked for.  Times are epoch seconds."""

    id: str
    """The id at the venue: the ``client_order_id``; of a cancel, a name of its own."""
    kind: Kind
    at: float
    until: float
    """Nothing is sent after it."""
    intent_key: str | None = None
    """Given by the caller; None if the caller gave none."""
    order: OrderRequest | None = None
    change: OrderChange | None = None
    order_id: str | None = None
    """The order to be replaced or cancelled."""


def client_order_id(policy: GatewayPolicy, account: str, intent_key: str, seq: int = 0) -> str:
    """The id of an intent: the same every time, here and after a restart."""
    text = "|".join((account, policy.strategy, intent_key, str(seq)))
    digest = hashlib.sha256(text.encode()).digest()
    if policy.id_is_uuid:
        # Of the kind that venues expect: the bits that are left tell orders apart.
        return str(UUID(bytes=digest[:16], version=4))
    letters = b32encode(digest).decode().rstrip("=").lower()
    return (policy.id_prefix + letters)[: policy.id_length]


def check_key(intent_key: Any) -> None:
    """Raise InvalidRequestError unless it can tell one decision from all others.

    An empty one would be that of many, and half a character cannot be written down.
    """
    is_text = isinstance(intent_key, str) and bool(intent_key.strip())
    if not is_text or intent_key.encode(errors="ignore").decode() != intent_key:
        raise errors.InvalidRequestError(f"intent_key: a text is needed, not {intent_key!r}")


def is_same_payload(one: OrderRequest, other: OrderRequest) -> bool:
    """The same order is wanted; under what id does not count."""
    return _payload(one) == _payload(other)


def _payload(order: OrderRequest) -> tuple[Any, Any]:
    # Instructions are compared as they are written, because a restart brings them back as text.
    fields = order.model_dump(exclude={"client_order_id", "instructions"})
    return fields, order.model_dump(mode="json", include={"instructions"})


def twin_of(order: OrderRequest) -> tuple[Any, ...]:
    """Equal for two orders that could be taken for one another in a listing.

    Prices and validity do not count: a venue may not show them.
    """
    return (bare_symbol(order.symbol), order.side, order.type, order.qty, order.notional)


def is_same(order: OrderRequest, found: Order) -> bool:
    """The found order is what was asked for in what matters, as far as both say."""
    return _agree(_essentials(order), _essentials(found))


def looks_like(order: OrderRequest, found: Order) -> bool:
    """The found order is what was asked for in everything, as far as both say."""
    if not is_same(order, found):
        return False
    asked, there = (tuple(getattr(each, name) for name in _DETAILS) for each in (order, found))
    if order.legs and found.legs:
        legs = [sorted(bare_symbol(leg.symbol) for leg in each.legs) for each in (order, found)]
        return _agree(asked, there) and legs[0] == legs[1]
    return _agree(asked, there)


_DETAILS = (
    "type",
    "limit_price",
    "stop_price",
    "trail_price",
    "trail_percent",
    "time_in_force",
)


def _essentials(order: OrderRequest | Order) -> tuple[Any, ...]:
    return bare_symbol(order.symbol), order.side, order.qty, order.notional


def _agree(asked: tuple[Any, ...], there: tuple[Any, ...]) -> bool:
    return all(
        mine == theirs or mine in (None, "") or theirs in (None, "")
        for mine, theirs in zip(asked, there, strict=True)
    )


def bare_symbol(symbol: str) -> str:
    """Without what venues spell differently: Alpaca takes BTCUSD and answers BTC/USD."""
    return "".join(character for character in symbol.upper() if character.isalnum())


_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def is_instrument_id(symbol: str) -> bool:
    """It is not a symbol but the venue's id of an instrument, which Alpaca takes in its place."""
    return _ID.fullmatch(symbol) is not None


def entered_at(order: Order) -> datetime | None:
    """When the venue says that it came in."""
    return order.submitted_at or order.created_at
