"""Trades on Alpaca."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import date, datetime
from typing import Any, ClassVar

from sentio_async import errors
from sentio_async.base import Capability
from sentio_async.base.broker import Number
from sentio_async.config import ConnectorConfig
from sentio_async.connectors.alpaca.config import AlpacaConfig, credential_of, sign_with
from sentio_async.connectors.alpaca.extras import AlpacaExtras
from sentio_async.connectors.alpaca.order_stream import AlpacaOrderStream
from sentio_async.connectors.alpaca.wire import trading as wire
from sentio_async.connectors.alpaca.wire.paging import IdPages, OrderPages
from sentio_async.models import (
    Account,
    Activity,
    Asset,
    CancelResult,
    CloseResult,
    MarketClock,
    Order,
    OrderChange,
    OrderRequest,
    OrderSide,
    PortfolioHistory,
    Position,
    Rows,
    TradingDay,
)
from sentio_async.orders.venue import BrokerClass
from sentio_async.resilience.limiter import Window
from sentio_async.streams.subscription import Part

__all__ = ["AlpacaBroker"]

# https://docs.alpaca.markets/docs/usage-limits: 200 requests a minute for each key.
_QUOTA = (Window(200, 60.0),)


class AlpacaBroker(AlpacaExtras):
    """Trades on Alpaca: on paper by default, live with two flags."""

    vendor: ClassVar[str] = "alpaca"
    Config: ClassVar[type[ConnectorConfig]] = AlpacaConfig
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.MARKET_ORDERS,
            Capability.LIMIT_ORDERS,
            Capability.STOP_ORDERS,
            Capability.TRAILING_STOPS,
            Capability.FRACTIONAL_ORDERS,
            Capability.NOTIONAL_ORDERS,
            Capability.BRACKET_ORDERS,
            Capability.MULTI_LEG_ORDERS,
            Capability.EXTENDED_HOURS,
            Capability.CLIENT_ORDER_IDS,
            Capability.REPLACE_ORDERS,
            Capability.CANCEL_ALL,
            Capability.CLOSE_POSITIONS,
            Capability.ACTIVITIES,
            Capability.PORTFOLIO_HISTORY,
            Capability.ASSETS,
            Capability.OPTION_CONTRACTS,
            Capability.CLOCK,
            Capability.CALENDAR,
            Capability.WATCHLISTS,
            Capability.PAPER_TRADING,
            Capability.ORDER_UPDATES,
        }
    )
    # client_order_id "must be unique", also when the first order has ended.
    broker_class: ClassVar[BrokerClass] = BrokerClass.UNIQUE
    _config: AlpacaConfig
    _account_id: str | None = None

    def _set_up(self) -> None:
        self._session = self._open_session(
            self._config.base_url,
            auth=sign_with(self._config),
            buckets={"default": _QUOTA},
            credential=credential_of(self._config),
        )
        self._order_stream = AlpacaOrderStream(
            self._config, self._resources, self, heard=self._heard
        )

    def _order_part(self) -> Part:
        return self._order_stream.part

    @property
    def hears_of_orders(self) -> bool:
        """Order updates are wanted, come, and nothing that was missed is still to be found out."""
        return self._order_stream.is_current

    async def _close(self) -> None:
        try:
            await self._order_stream.aclose()
        finally:
            await super()._close()

    async def _check(self) -> str | None:
        account = await self.get_account()
        return "trading is blocked for this account" if account.is_trading_blocked else None

    async def _account_name(self) -> str:
        if self._account_id is None:
            await self.get_account()
        return f"alpaca {'paper' if self._config.is_paper else 'live'} {self._account_id}"

    async def _place_order(self, order: OrderRequest) -> Order:
        call = wire.orders.place_order(order)
        placed = await self._send_order(self._session, call)
        self._order_stream.expect(placed)
        return placed

    async def _replace_order(self, order_id: str, change: OrderChange) -> Order:
        call = wire.orders.replace_order(order_id, change)
        placed = await self._send_order(self._session, call)
        self._order_stream.expect(placed)
        return placed

    async def _cancel_order(self, order_id: str) -> None:
        await self._session.send(wire.orders.cancel_order(order_id))

    async def _find_order(self, client_order_id: str) -> Order | None:
        try:
            found = await self.get_order_by_client_id(client_order_id)
        except errors.NotFoundError as exc:
            # Only Alpaca itself has a code; a 404 from anything else says nothing of orders.
            if exc.code is None:
                raise
            return None
        if not found.is_final:
            self._order_stream.expect(found)
        return found

    async def cancel_all_orders(self) -> list[CancelResult]:
        """Ask for every open order to be cancelled; one result an order, good or bad."""
        return await self._session.send(wire.orders.cancel_all_orders())

    async def get_order(self, order_id: str, *, nested: bool = False) -> Order:
        """One order by Alpaca's id; with ``nested`` its legs are inside it."""
        return await self._session.send(wire.orders.order(order_id, nested=nested))

    async def get_order_by_client_id(self, client_order_id: str) -> Order:
        """One order by the id that it was placed under."""
        return await self._session.send(wire.orders.order_by_client_id(client_order_id))

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
        """One page of orders, newest first, 500 at most.

        ``open`` leaves out the held exits of a bracket: take ``all`` and ``nested=True`` to see
        everything that may still trade.  ``more`` takes ``direction nested asset_class
        before_order_id after_order_id``.
        """
        call = wire.orders.orders(
            status=status,
            symbols=symbols,
            side=side,
            after=after,
            until=until,
            limit=limit,
            **more,
        )
        return await self._session.send(call)

    async def iter_orders(self, *, status: str = "all", **filters: Any) -> AsyncIterator[Order]:
        """Every order, page after page, newest first unless ``direction="asc"``.

        ``filters`` takes ``after until symbols side asset_class nested direction page_size``.
        """
        pages = OrderPages(status=status, **filters)
        while (call := pages.next()) is not None:
            for order in pages.take(await self._session.send(call)):
                yield order

    async def get_account(self) -> Account:
        """Cash, equity, buying power."""
        account = await self._session.send(wire.account.account(is_paper=self._config.is_paper))
        self._account_id = account.id
        return account

    async def get_positions(self) -> Rows[Position]:
        """What is held."""
        return await self._session.send(wire.positions.positions())

    async def get_position(self, symbol: str) -> Position:
        """What is held in one instrument; NotFoundError if nothing is."""
        return await self._session.send(wire.positions.position(symbol))

    async def close_position(
        self, symbol: str, *, qty: Number | None = None, percentage: Number | None = None
    ) -> Order:
        """Close a position, ``qty`` of it, or ``percentage`` per cent of it.

        Never sent twice by itself, for closing twice would turn the position around.
        """
        call = wire.positions.close_position(symbol, qty=qty, percentage=percentage)
        return await self._session.send(call)

    async def close_all_positions(self, *, cancel_orders: bool = False) -> list[CloseResult]:
        """Close every position; one result each, good or bad."""
        call = wire.positions.close_all_positions(cancel_orders=cancel_orders)
        return await self._session.send(call)

    async def get_assets(self, **filters: Any) -> Rows[Asset]:
        """The instruments: ``filters`` takes ``status asset_class exchange attributes``."""
        return await self._session.send(wire.assets.assets(**filters))

    async def get_asset(self, symbol: str) -> Asset:
        """One instrument, by symbol (``BTC/USD``) or id."""
        return await self._session.send(wire.assets.asset(symbol))

    async def get_clock(self) -> MarketClock:
        """Whether the US stock market is open, and when that changes."""
        return await self._session.send(wire.sessions.clock())

    async def get_calendar(
        self, start: date | None = None, end: date | None = None
    ) -> Rows[TradingDay]:
        """The sessions of the US stock market from ``start`` to ``end``, both included."""
        return await self._session.send(wire.sessions.calendar(start=start, end=end))

    async def iter_activities(self, **filters: Any) -> AsyncIterator[Activity]:
        """What changed the account, page after page: fills, dividends, fees, transfers.

        ``filters`` takes ``types category on after until direction page_size``.
        """
        pages = IdPages(wire.account.activities, **filters)
        while (call := pages.next()) is not None:
            for activity in pages.take(await self._session.send(call)):
                yield activity

    async def get_portfolio_history(self, **options: Any) -> PortfolioHistory:
        """The account's worth over time: ``options`` takes ``period timeframe start end`` ..."""
        return await self._session.send(wire.account.portfolio_history(**options))
