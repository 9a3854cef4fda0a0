"""What every broker can be told about its orders."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Literal

from pydantic import Field

from sentio_async.clock import Clock
from sentio_async.config import ConnectorConfig
from sentio_async.orders.journal import Journal, MemoryJournal
from sentio_async.orders.policy import GatewayPolicy, Late
from sentio_async.orders.rails import Rails
from sentio_async.orders.sqlite_journal import SqliteJournal

__all__ = ["BrokerConfig"]


class BrokerConfig(ConnectorConfig):
    """The journal, the rails, and what becomes of late orders."""

    journal: Path | None = None
    """A file that remembers orders over restarts, one for each account; in memory if None."""
    journal_durability: Literal["process", "power"] = "process"
    """What no order may be lost by: the end of the process, or a power cut."""
    strategy: str = ""
    """Part of every order's id: two strategies may then use the same intent keys."""
    late_orders: Late = Late.ADOPT
    """An order that turns up after its caller was told that nobody knows: adopt or cancel it."""
    order_horizon: float = Field(default=120.0, gt=0)
    """How long, in seconds, an order may linger on its way and still arrive."""
    max_order_qty: Decimal | None = Field(default=None, gt=0)
    """Refuse larger orders."""
    max_order_notional: Decimal | None = Field(default=None, gt=0)
    """Refuse orders worth more; also those without a price to tell it by."""
    max_orders_per_second: int | None = Field(default=None, gt=0)
    """Refuse more orders in one symbol."""
    max_unknown_orders: int = Field(default=3, gt=0)
    """Halt trading when nobody knows of so many orders whether they live."""

    refuse_when_blind: bool = False
    """Place no order while order updates do not come: nobody listens, the connection is lost, or
    what was missed is still being found out.  Cancels and changes go through."""

    def open_journal(self, clock: Clock) -> Journal:
        """The journal that was asked for."""
        if self.journal is None:
            return MemoryJournal()
        return SqliteJournal(self.journal, self.journal_durability, clock=clock)

    def rails(self) -> Rails:
        """The limits that were asked for."""
        return Rails(
            max_qty=self.max_order_qty,
            max_notional=self.max_order_notional,
            orders_per_second=self.max_orders_per_second,
            max_unknown=self.max_unknown_orders,
        )

    def policy(self) -> GatewayPolicy:
        """How long is tried and looked."""
        return GatewayPolicy(
            timeout=self.timeouts.total,
            attempts=self.retry_attempts,
            horizon=self.order_horizon,
            max_delay=min(5.0, self.order_horizon / 10),
            late=self.late_orders,
            strategy=self.strategy,
        )
