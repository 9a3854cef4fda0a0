"""The calls of a broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Any, ClassVar

from sentio_async.base.connector import Capability, Role
from sentio_async.base.ordering import Number, OrderCalls
from sentio_async.models.page import Rows
from sentio_async.models.reference import (
    Activity,
    Asset,
    MarketClock,
    PortfolioHistory,
    TradingDay,
)
from sentio_async.models.trading import (
    Account,
    CloseResult,
    Fill,
    Order,
    OrderUpdate,
    Position,
)
from sentio_async.streams import Policy, Subscription
from sentio_async.streams.subscription import Callback, Part

__all__ = ["BrokerConnector", "Number"]


class BrokerConnector(OrderCalls):
    """Places orders, and tells what became of them."""

    role: ClassVar[Role] = Role.BROKER

    async def get_account(self) -> Account:
        """Cash, equity, buying power."""
        self._unsupported(Capability.MARKET_ORDERS)

    async def get_position(self, symbol: str) -> Position:
        """What is held in one instrument; NotFoundError if nothing is."""
        self._unsupported(Capability.MARKET_ORDERS)

    async def close_position(
        self, symbol: str, *, qty: Number | None = None, percentage: Number | None = None
    ) -> Order:
        """Sell (or buy back) a position: all of it, ``qty`` of it, or ``percentage`` per cent."""
        self._unsupported(Capability.CLOSE_POSITIONS)

    async def close_all_positions(self, *, cancel_orders: bool = False) -> list[CloseResult]:
        """Close every position; one result each, good or bad."""
        self._unsupported(Capability.CLOSE_POSITIONS)

    async def get_assets(self, **filters: Any) -> Rows[Asset]:
        """The instruments of the venue."""
        self._unsupported(Capability.ASSETS)

    async def get_asset(self, symbol: str) -> Asset:
        """One instrument; NotFoundError if the venue does not know it."""
        self._unsupported(Capability.ASSETS)

    async def get_clock(self) -> MarketClock:
        """Whether the market is open, and when that changes."""
        self._unsupported(Capability.CLOCK)

    async def get_calendar(
        self, start: date | None = None, end: date | None = None
    ) -> list[TradingDay]:
        """The sessions from ``start`` to ``end``, both included."""
        self._unsupported(Capability.CALENDAR)

    def iter_activities(self, **filters: Any) -> AsyncIterator[Activity]:
        """What changed the account, page after page: fills, dividends, fees, transfers."""
        self._unsupported(Capability.ACTIVITIES)

    def iter_fills(self, **filters: Any) -> AsyncIterator[Fill]:
        """Every execution, page after page, the newest first."""
        self._unsupported(Capability.ACTIVITIES)

    async def get_portfolio_history(self, **options: Any) -> PortfolioHistory:
        """The account's worth over time."""
        self._unsupported(Capability.PORTFOLIO_HISTORY)

    def stream_order_updates(self, *, buffer: int | None = None) -> Subscription[OrderUpdate]:
        """What happens to orders, as it happens; nothing is left out.

        After every connection, the first one included, open orders and executions are asked for
        first: what was missed comes with ``is_reconciled``.  ``is_current`` says whether that is
        done.
        """
        return Subscription([self._order_part()], Policy.KEEP, buffer=buffer)

    def on_order_updates(self, callback: Callback) -> Subscription[OrderUpdate]:
        """Call a function, or a coroutine function, with everything that happens to orders."""
        return Subscription([self._order_part()], Policy.KEEP, callback=callback)

    def _order_part(self) -> Part:
        self._unsupported(Capability.ORDER_UPDATES)
