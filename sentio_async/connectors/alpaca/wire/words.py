"""Alpaca's words, and what they mean here.

https://docs.alpaca.markets/docs/orders-at-alpaca#order-lifecycle
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

from sentio_async import errors
from sentio_async.models import (
    AssetClass,
    OptionRight,
    OrderClass,
    OrderSide,
    OrderStatus,
    OrderType,
    PositionIntent,
    PositionSide,
    TimeInForce,
)

__all__ = [
    "ASSET_CLASS",
    "FILL_SIDE",
    "INTENT",
    "ORDER_CLASS",
    "ORDER_TYPE",
    "POSITION_SIDE",
    "RIGHT",
    "SIDE",
    "STATUS",
    "TIME_IN_FORCE",
    "asset_class",
    "asset_class_word",
]

T = TypeVar("T")


class Words(dict[Any, T]):
    """What the words of one member mean; any other word raises UnknownWordError."""

    def __init__(self, field: str, known: Mapping[Any, T]) -> None:
        super().__init__(known)
        self.field = field

    def __missing__(self, word: object) -> NoReturn:
        raise errors.UnknownWordError(self.field, word)


_STATUS = {
    "new": OrderStatus.OPEN,
    "partially_filled": OrderStatus.PARTIALLY_FILLED,
    "filled": OrderStatus.FILLED,
    "done_for_day": OrderStatus.DONE_FOR_DAY,
    "canceled": OrderStatus.CANCELED,
    "expired": OrderStatus.EXPIRED,
    "replaced": OrderStatus.REPLACED,
    # Both stay open: a fill can still arrive until Alpaca says "canceled" or "replaced".
    "pending_cancel": OrderStatus.OPEN,
    "pending_replace": OrderStatus.OPEN,
    "accepted": OrderStatus.PENDING,
    "pending_new": OrderStatus.PENDING,
    "pending_review": OrderStatus.PENDING,
    "accepted_for_bidding": OrderStatus.OPEN,
    # A trade is guaranteed at this price or better, and has not happened yet.
    "stopped": OrderStatus.OPEN,
    "suspended": OrderStatus.PENDING,
    # Done for the day, settlement still to be worked out.
    "calculated": OrderStatus.DONE_FOR_DAY,
    "held": OrderStatus.HELD,
    "rejected": OrderStatus.REJECTED,
}
STATUS = Words("status", _STATUS)
SIDE = Words("side", {side.value: side for side in OrderSide} | {"": None})
FILL_SIDE = {side.value: side for side in OrderSide} | {"sell_short": OrderSide.SELL}
ORDER_TYPE = Words("type", {kind.value: kind for kind in OrderType} | {"": None})
TIME_IN_FORCE = Words("time_in_force", {force.value: force for force in TimeInForce})
ORDER_CLASS = Words(
    "order_class", {kind.value: kind for kind in OrderClass} | {"": OrderClass.SIMPLE}
)
INTENT = Words("position_intent", {intent.value: intent for intent in PositionIntent} | {"": None})
POSITION_SIDE = {side.value: side for side in PositionSide}
RIGHT = {right.value: right for right in OptionRight}

ASSET_CLASS = {
    "us_equity": AssetClass.STOCK,
    "us_option": AssetClass.OPTION,
    "crypto": AssetClass.CRYPTO,
    "crypto_perp": AssetClass.FUTURE,
    "us_index": AssetClass.INDEX,
    "treasury": AssetClass.FIXED_INCOME,
    "corporate": AssetClass.FIXED_INCOME,
    "global_equity": AssetClass.STOCK,
    "ipo": AssetClass.STOCK,
}

_ASSET_CLASS_WORD = {
    AssetClass.STOCK: "us_equity",
    AssetClass.OPTION: "us_option",
    AssetClass.CRYPTO: "crypto",
    AssetClass.INDEX: "us_index",
    AssetClass.FUTURE: "crypto_perp",
}


def asset_class(value: object) -> AssetClass:
    """What is traded; UNKNOWN for a class that is new here."""
    return ASSET_CLASS.get(str(value), AssetClass.UNKNOWN)


def asset_class_word(value: AssetClass | str | None) -> str | None:
    """Alpaca's word for a class; a word of its own goes through as it is."""
    if isinstance(value, AssetClass):
        return _ASSET_CLASS_WORD.get(value, value.value)
    return value
