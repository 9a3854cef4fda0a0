"""What somebody wants done, under what id, and how it is told from its likes."""

from __future__ import annotations

import hashlib
from base64 import b32encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sentio_async.models.trading import Order, OrderChange, OrderRequest
from sentio_async.orders.policy import GatewayPolicy

__all__ = ["Intent", "Kind", "client_order_id", "digest_of", "is_same", "twin_of"]


class Kind(StrEnum):
    """What is wanted."""

    PLACE = "place"
    REPLACE = "replace"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
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

    @property
    def symbol(self) -> str:
        """Of the order to be placed."""
        return "" if self.order is None else self.order.symbol

    @property
    def since(self) -> float:
        """When it cannot have been entered before."""
        return self.at


def client_order_id(policy: GatewayPolicy, account: str, intent_key: str, seq: int = 0) -> str:
    """The id of an intent: the same every time, here and after a restart."""
    text = "|".join((account, policy.strategy, intent_key, str(seq)))
    letters = b32encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=").lower()
    return (policy.id_prefix + letters)[: policy.id_length]


def digest_of(payload: OrderRequest | OrderChange | None) -> str:
    """The same for equal payloads: 1 and 1.0 shares are equal, the id does not count."""
    if payload is None:
        return ""
    fields = payload.model_dump(exclude={"client_order_id"}, exclude_defaults=True)
    return repr(_plain(fields))


def _plain(value: Any) -> Any:
    """Without what differs in writing only."""
    if isinstance(value, dict):
        return sorted((str(name), _plain(each)) for name, each in value.items())
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "normalize"):
        return str(value.normalize())
    return str(value)


def twin_of(order: OrderRequest) -> tuple[Any, ...]:
    """Equal for two orders that could be taken for one another in a listing.

    Prices and validity do not count: a venue may not show them.
    """
    return (_bare(order.symbol), order.side, order.type, order.qty, order.notional)


def is_same(order: OrderRequest, found: Order) -> bool:
    """The found order is what was asked for, as far as both say."""
    return all(
        mine == theirs or mine in (None, "") or theirs in (None, "")
        for mine, theirs in _pairs(order, found)
    )


def _pairs(order: OrderRequest, found: Order) -> Iterable[tuple[Any, Any]]:
    yield _bare(order.symbol), _bare(found.symbol)
    yield order.side, found.side
    yield order.qty, found.qty
    yield order.notional, found.notional
    yield order.type, found.type
    yield order.limit_price, found.limit_price
    yield order.stop_price, found.stop_price
    yield order.trail_price, found.trail_price
    yield order.trail_percent, found.trail_percent
    yield order.time_in_force, found.time_in_force


def _bare(symbol: str) -> str:
    """Without what venues spell differently: Alpaca takes BTCUSD and answers BTC/USD."""
    return "".join(character for character in symbol.upper() if character.isalnum())


def entered_at(order: Order) -> datetime | None:
    """When the venue says that it came in."""
    return order.submitted_at or order.created_at
