"""Whether what is held is what the orders of the journal say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from sentio_async.models.trading import Order, Position
from sentio_async.models.words import OrderSide
from sentio_async.orders.intent import bare_symbol
from sentio_async.orders.rails import EXACT

__all__ = ["PositionGap", "gaps"]


@dataclass(frozen=True, slots=True)
class PositionGap:
    """A position that the orders of the journal do not explain; less than zero is short.

    It was there before the journal, came from elsewhere, or is a split, a fee taken in coins or the
    exit of a bracket.
    """

    symbol: str
    held: Decimal
    explained: Decimal
    """What the fills of the journal's orders add up to."""


def gaps(orders: Iterable[Order], held: Iterable[Position]) -> tuple[PositionGap, ...]:
    """The differences that are certain: nothing is said of a symbol with a working order."""
    explained: dict[str, Decimal] = {}
    names: dict[str, str] = {}
    working = set()
    for order in _with_legs(orders):
        name = bare_symbol(order.symbol)
        names[name] = order.symbol
        explained[name] = EXACT.add(explained.get(name, Decimal(0)), _signed(order))
        if not order.is_final:
            working.add(name)
    there = {}
    for position in held:
        name = bare_symbol(position.symbol)
        names[name] = position.symbol
        there[name] = position.qty
    found = (
        PositionGap(names[name], there.get(name, Decimal(0)), explained.get(name, Decimal(0)))
        for name in sorted(names.keys() - working)
    )
    return tuple(gap for gap in found if gap.held != gap.explained)


def _with_legs(orders: Iterable[Order]) -> Iterator[Order]:
    for order in orders:
        # The parent of a multi-leg order has no side, and its legs do the trading.
        if order.side is not None:
            yield order
        yield from _with_legs(order.legs)


def _signed(order: Order) -> Decimal:
    return order.filled_qty if order.side is OrderSide.BUY else order.filled_qty.copy_negate()
