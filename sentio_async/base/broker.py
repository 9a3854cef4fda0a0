"""The calls of a broker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from pydantic import ValidationError

from sentio_async import errors
from sentio_async.base.connector import BaseConnector, Capability, Role
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
    CancelResult,
    CloseResult,
    Fill,
    Order,
    OrderChange,
    OrderRequest,
    Position,
)
from sentio_async.models.words import OrderSide, OrderStatus, OrderType, TimeInForce
from sentio_async.orders.once import place_once, with_client_order_id

__all__ = ["BrokerConnector", "Number"]

Number = Decimal | int | str | float


class BrokerConnector(BaseConnector):
    """Places orders, and tells what became of them."""

    role: ClassVar[Role] = Role.BROKER

    async def place_order(
        self,
        symbol: str,
        qty: Number | None = None,
        side: OrderSide | str | None = None,
        *,
        order_type: OrderType | str = OrderType.MARKET,
        time_in_force: TimeInForce | str = TimeInForce.DAY,
        **more: Any,
    ) -> Order:
        """Place an order; ``more`` takes every other field of ``OrderRequest``.

        Raises InvalidRequestError for an order that cannot be right anywhere, and what
        ``submit_order`` raises.
        """
        fields = {
            "symbol": symbol,
            "qty": qty,
            "side": side,
            "type": order_type,
            "time_in_force": time_in_force,
            **more,
        }
        return await self.submit_order(_validated(OrderRequest, fields))

    async def submit_order(self, order: OrderRequest) -> Order:
        """Place an order, once.

        Without a ``client_order_id`` it gets one.  Raises OrderRejectedError when the venue says
        no, OrderOutcomeUnknownError (with a handle) when nobody can say whether it lives.
        """
        order = with_client_order_id(order)
        return await place_once(order, place=self._place_order, find=self.get_order_by_client_id)

    async def _place_order(self, order: OrderRequest) -> Order:
        """Send the order; sent again only if it was never sent."""
        self._unsupported(Capability.MARKET_ORDERS)

    async def replace_order(
        self, order_id: str, change: OrderChange | None = None, **fields: Any
    ) -> Order:
        """Change an order that is working; the answer may be a new order that replaces it.

        Give an ``OrderChange`` or its fields.  The old order may still fill before the change
        takes hold: look at the status of both.
        """
        if change is not None and fields:
            raise errors.InvalidRequestError("give an OrderChange or its fields, not both")
        wanted = _validated(OrderChange, fields) if change is None else change
        return await self._replace_order(order_id, wanted)

    async def _replace_order(self, order_id: str, change: OrderChange) -> Order:
        self._unsupported(Capability.REPLACE_ORDERS)

    async def cancel_order(self, order_id: str) -> None:
        """Ask for an order to be cancelled; it is when its status says so, a fill may be first."""
        self._unsupported(Capability.MARKET_ORDERS)

    async def cancel_all_orders(self) -> list[CancelResult]:
        """Ask for every open order to be cancelled; one result an order, good or bad."""
        self._unsupported(Capability.CANCEL_ALL)

    async def get_order(self, order_id: str, *, nested: bool = False) -> Order:
        """One order by the venue's id; with ``nested`` its legs are inside it."""
        self._unsupported(Capability.MARKET_ORDERS)

    async def get_order_by_client_id(self, client_order_id: str) -> Order:
        """One order by the id that it was placed under; NotFoundError if the venue has none."""
        self._unsupported(Capability.CLIENT_ORDER_IDS)

    async def get_order_status(self, order_id: str) -> OrderStatus:
        """What became of an order."""
        return (await self.get_order(order_id)).status

    async def get_orders(
        self,
        *,
        status: str = "open",
        symbols: Iterable[str] = (),
        side: OrderSide | str | None = None,
        after: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        **more: Any,
    ) -> Rows[Order]:
        """One page of orders, newest first.  ``status`` is ``open``, ``closed`` or ``all``."""
        self._unsupported(Capability.MARKET_ORDERS)

    def iter_orders(self, *, status: str = "all", **filters: Any) -> AsyncIterator[Order]:
        """Every order, page after page, newest first."""
        self._unsupported(Capability.MARKET_ORDERS)

    async def get_account(self) -> Account:
        """Cash, equity, buying power."""
        self._unsupported(Capability.MARKET_ORDERS)

    async def get_positions(self) -> Rows[Position]:
        """What is held."""
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

    def stream_order_updates(self) -> AsyncIterator[Order]:
        """Changes of orders as they happen."""
        self._unsupported(Capability.ORDER_UPDATES)


def _validated(kind: Any, fields: dict[str, Any]) -> Any:
    """The value, or one line that says which field is wrong and why."""
    try:
        return kind.model_validate(fields)
    except ValidationError as exc:
        problems = []
        for error in exc.errors(include_input=False, include_url=False):
            where = ".".join(str(part) for part in error["loc"])
            text = str(error.get("ctx", {}).get("error", error["msg"]))
            problems.append(f"{where}: {text}" if where else text)
        raise errors.InvalidRequestError("; ".join(problems)) from None
