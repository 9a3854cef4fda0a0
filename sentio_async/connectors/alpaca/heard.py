"""What has been told of orders, so that it is known what has not.  No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sentio_async.models import Fill, Order, OrderUpdate

__all__ = ["Heard", "Known"]

_ENDED = 10_000
"""Ended orders that are remembered."""


@dataclass(slots=True)
class Known:
    """What was told of one order."""

    state: tuple[str, Decimal] = ("", Decimal(0))
    changed_ns: int = 0
    """When the venue says that it became so; 0 if it does not say."""
    has_ended: bool = False
    told: Decimal = Decimal(0)
    """How much of it was told in executions, from the first one on."""
    looked_for: Decimal = Decimal(0)
    """How much is filled according to the venue, whose list of executions has been read since."""
    apart: tuple[Decimal, Decimal] | None = None
    """An unbroken run of executions told after others that were not: from how much to how much."""

    def tell(self, start: Decimal, end: Decimal) -> None:
        """An execution took what is filled from ``start`` to ``end``."""
        if start <= self.told:
            self.told = max(self.told, end)
        elif self.apart is not None and self.apart[0] <= start <= self.apart[1]:
            self.apart = (self.apart[0], max(self.apart[1], end))
        else:
            self.apart = (start, end)
        if self.apart is not None and self.apart[0] <= self.told:
            self.told, self.apart = max(self.told, self.apart[1]), None


class Heard:
    """What has been told of each order: its state, and how much of it in executions."""

    def __init__(self) -> None:
        self.open: dict[str, Known] = {}
        self._ended: dict[str, Known] = {}

    def hear(self, update: OrderUpdate) -> None:
        """An update came by itself; it may be ahead of executions that were missed."""
        order = update.order
        if update.is_fill and update.qty is not None:
            self._of(order.id).tell(order.filled_qty - update.qty, order.filled_qty)
        self.note(order)

    def learn(self, fill: Fill) -> None:
        """An execution was found in the venue's list."""
        if fill.cumulative_qty is not None:
            self._of(fill.order_id).tell(fill.cumulative_qty - fill.qty, fill.cumulative_qty)

    def has_looked_for(self, order_id: str, qty: Decimal) -> None:
        """The executions of an order that was filled so far have been asked for."""
        known = self._of(order_id)
        known.looked_for = max(known.looked_for, qty)

    def begin_with(self, order: Order) -> None:
        """This is how an order is when it is first heard of: what was before is no news."""
        self._of(order.id).tell(Decimal(0), order.filled_qty)

    def expect(self, order: Order) -> None:
        """It was placed here: what becomes of it is to be told."""
        self._of(order.id)

    def forget(self, order_id: str) -> None:
        """The venue knows no such order."""
        self.open.pop(order_id, None)

    def get(self, order_id: str) -> Known | None:
        """What was told of an order; None if it was never heard of."""
        return self.open.get(order_id) or self._ended.get(order_id)

    def _of(self, order_id: str) -> Known:
        known = self.get(order_id)
        if known is None:
            known = self.open[order_id] = Known()
        return known

    def note(self, order: Order) -> None:
        """An order was told of."""
        known = self._of(order.id)
        if not order.is_final:
            # What is told late does not open again what has ended.
            if order.id in self.open:
                known.state, known.changed_ns = _state(order), _changed_ns(order)
            return
        known.state, known.changed_ns, known.has_ended = _state(order), _changed_ns(order), True
        self.open.pop(order.id, None)
        self._ended[order.id] = known
        if len(self._ended) > _ENDED:
            del self._ended[next(iter(self._ended))]

    def is_known(self, order: Order) -> bool:
        """Exactly this was told already."""
        known = self.get(order.id)
        return known is not None and known.state == _state(order)

    def is_older(self, order: Order) -> bool:
        """It was so before it became what was told."""
        known = self.get(order.id)
        if known is None:
            return False
        if known.has_ended and not order.is_final:
            return True
        return 0 < _changed_ns(order) < known.changed_ns

    def is_news(self, order: Order) -> bool:
        """It changed since it was told of, or was filled by executions that were not told."""
        return not self.is_known(order) or order.filled_qty > self._of(order.id).told

    def is_untold(self, order: Order) -> bool:
        """Something that moves money happened to it and was not told.

        That the leg of a bracket is held no longer is nothing that the stream ever tells.
        """
        known = self.get(order.id)
        if known is None or not known.state[0]:
            return True
        if order.is_final != known.has_ended:
            return True
        return order.filled_qty > max(known.told, known.looked_for)

    def has_told(self, fill: Fill) -> bool:
        """It is one of the executions that were told from the first one on."""
        known = self.get(fill.order_id)
        return (
            known is not None
            and fill.cumulative_qty is not None
            and (fill.cumulative_qty <= known.told)
        )


def _changed_ns(order: Order) -> int:
    return order.nanoseconds.get("updated_at", 0)


def _state(order: Order) -> tuple[str, Decimal]:
    return order.venue_status, order.filled_qty
