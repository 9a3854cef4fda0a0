"""The calls of a broker that make, change and end orders: all of them go through the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, TypeVar, Unpack

from sentio_async import errors
from sentio_async.base.connector import BaseConnector, Capability
from sentio_async.base.order_fields import ChangeFields, Number, OrderFields, validated
from sentio_async.http.endpoint import Call
from sentio_async.http.session import Session
from sentio_async.models.page import Rows
from sentio_async.models.trading import CancelResult, Order, OrderChange, OrderRequest, Position
from sentio_async.models.words import OrderSide, OrderStatus, OrderType, TimeInForce
from sentio_async.orders.gateway import OpenIntent, OrderGateway, RecoveryReport
from sentio_async.orders.journal import Journal
from sentio_async.orders.rails import PriceOf
from sentio_async.orders.settings import BrokerConfig
from sentio_async.orders.tracker import OrderChanged, OrderTracker
from sentio_async.orders.venue import Asked, BrokerClass, CallsVenue
from sentio_async.resilience.ending import outlast

__all__ = ["Number", "OrderCalls"]

T = TypeVar("T")


class OrderCalls(BaseConnector):
    """Places, changes, cancels and follows orders."""

    broker_class: ClassVar[BrokerClass] = BrokerClass.NONE
    """What the broker does with the id that an order is sent under."""

    recovery: RecoveryReport | None = None
    """What ``connect`` found out of orders that an earlier life had left open."""

    price_of: PriceOf | None = None
    """Gives the last known price of a symbol, or None: what ``max_order_notional`` holds orders
    against that can fill at more than they name.  Called before each, so it must not take long."""

    _trackers: frozenset[OrderTracker] = frozenset()
    _gateway: OrderGateway | None = None
    _starting: asyncio.Task[OrderGateway] | None = None
    _dropped: asyncio.Task[OrderGateway] | None = None
    _recovering: OrderGateway | None = None
    _waiting = 0
    _memory: Journal | None = None

    async def place_order(
        self,
        symbol: str,
        qty: Number | None = None,
        side: OrderSide | str | None = None,
        *,
        order_type: OrderType | str = OrderType.MARKET,
        time_in_force: TimeInForce | str = TimeInForce.DAY,
        intent_key: str | None = None,
        **more: Unpack[OrderFields],
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
        return await self.submit_order(validated(OrderRequest, fields), intent_key=intent_key)

    async def submit_order(self, order: OrderRequest, *, intent_key: str | None = None) -> Order:
        """Place an order, once.

        The same ``intent_key`` gives the same order however often it is asked for, with a journal
        file also after a restart.  Without one, each call is an order of its own.

        Raises OrderRejectedError when the venue says no, OrderOutcomeUnknownError (with a handle)
        when nobody can say whether it lives, NoOrderUpdatesError while order updates do not come
        and ``refuse_when_blind`` is set.
        """
        gateway = self._gateway
        if gateway is None or not gateway.is_started:
            gateway = await self._ready()
        return await gateway.submit(order, intent_key=intent_key, check=self._check_hearing)

    @property
    def hears_of_orders(self) -> bool:
        """Order updates are wanted, come, and nothing that was missed is still to be found out."""
        return False

    def _check_hearing(self) -> None:
        settings = self._config
        if (
            isinstance(settings, BrokerConfig)
            and settings.refuse_when_blind
            and not self.hears_of_orders
        ):
            text = (
                "order updates do not come now (refuse_when_blind is set): see stream_order_updates"
            )
            raise errors.NoOrderUpdatesError(text, connector=self.name)

    async def replace_order(
        self, order_id: str, change: OrderChange | None = None, **fields: Unpack[ChangeFields]
    ) -> Order:
        """Change an order that is working; the answer may be a new order that replaces it.

        Give an ``OrderChange`` or its fields.  The old order may still fill before the change
        takes hold: look at the status of both.
        """
        if change is not None and fields:
            raise errors.InvalidRequestError("give an OrderChange or its fields, not both")
        wanted = validated(OrderChange, fields) if change is None else change
        gateway = await self._ready()
        return await gateway.replace(order_id, wanted)

    async def cancel_order(self, order_id: str) -> None:
        """Ask for an order to be cancelled; it is when its status says so, a fill may be first."""
        gateway = self._gateway
        if gateway is None:
            # Nothing that an earlier life has left may keep anybody from cancelling.
            await self._cancel_without_gateway(order_id)
            return
        await gateway.cancel(order_id)

    async def _cancel_without_gateway(self, order_id: str) -> None:
        try:
            await self._cancel_order(order_id)
        except (errors.BadRequestError, errors.ConflictError, errors.NotFoundError) as exc:
            # An earlier try whose answer was lost may be what has cancelled it.
            if exc.outcome is errors.Outcome.UNKNOWN and await self._is_cancelled(order_id):
                return
            raise

    async def _is_cancelled(self, order_id: str) -> bool:
        try:
            return await self.get_order_status(order_id) is OrderStatus.CANCELED
        except errors.ConnectorError:
            return False

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

    async def get_positions(self) -> Rows[Position]:
        """What is held."""
        self._unsupported(Capability.MARKET_ORDERS)

    def track_order(
        self, order: Order | str, *, poll: float = 1.0, timeout: float | None = None
    ) -> AsyncIterator[OrderChanged]:
        """The life of an order, change by change, until nothing more can happen to it.

        Asks every ``poll`` seconds, and hears what the stream of order updates tells, if anybody
        listens to it; ends after ``timeout`` seconds with DeadlineExceededError.
        Follows replacements, and tells of the legs of a bracket, which no stream announces.
        """
        tracker = OrderTracker(
            self._read_order, poll=poll, timeout=timeout, clock=self._clock, seen=self._saw
        )
        return self._follow(tracker, order)

    async def _follow(
        self, tracker: OrderTracker, order: Order | str
    ) -> AsyncGenerator[OrderChanged, None]:
        self._trackers |= {tracker}
        if self.hears_of_orders and not isinstance(order, str):
            # The stream may have told more of it already.
            order = order.id
        try:
            async with aclosing(tracker.follow(order)) as changes:
                async for change in changes:
                    yield change
        finally:
            self._trackers -= {tracker}

    def _heard(self, order: Order) -> None:
        """The stream of order updates tells how an order is."""
        self._saw(order)
        for tracker in self._trackers:
            tracker.tell(order)

    # Halting

    async def halt_trading(self, reason: str) -> None:
        """Refuse new orders, and cancel what is open; with a journal file also after a restart.

        Waits for no recovery, and works when it has failed.
        """
        gateway = self._guarding or await self._ready()
        await gateway.halt(reason)

    async def resume_trading(self) -> None:
        """Accept new orders again."""
        (await self._ready()).resume()

    @property
    def trading_halted(self) -> str | None:
        """Why trading is halted; None when it is not."""
        return None if self._guarding is None else self._guarding.halted

    @property
    def _guarding(self) -> OrderGateway | None:
        """The gateway, also while it finds out about earlier orders, and when it could not."""
        return self._gateway or self._recovering

    def _check_turn(self) -> None:
        """Raise an error if an order that has waited for its turn is not wanted any more.

        Trading may have been halted meanwhile, or its caller may have gone.
        """
        if self._guarding is not None:
            self._guarding.check_turn()

    @property
    def open_intents(self) -> list[OpenIntent]:
        """Orders, changes and cancels of which the end is not known yet."""
        return [] if self._guarding is None else self._guarding.open

    def _send_order(self, session: Session, call: Call[T]) -> Asked[T]:
        """The answer to one request of an order; what a ``_place_order`` sends.

        It is sent once, and not at all when trading has been halted while it waited for its turn.
        The gateway's task that asks for it sees it to its end.
        """
        return session.send(call, retry=None, in_task=True, check=self._check_turn)

    # What a vendor brings.  The gateway repeats what may be repeated, so none of these does.  It
    # calls the first two in tasks of its own, which see to the end of what was sent.

    async def _place_order(self, order: OrderRequest) -> Order:
        """Send the order, once."""
        self._unsupported(Capability.MARKET_ORDERS)

    async def _replace_order(self, order_id: str, change: OrderChange) -> Order:
        """Send the change, once."""
        self._unsupported(Capability.REPLACE_ORDERS)

    async def _cancel_order(self, order_id: str) -> None:
        """Ask for the order to be cancelled; asking again does no harm."""
        self._unsupported(Capability.MARKET_ORDERS)

    async def _find_order(self, client_order_id: str) -> Order | None:
        """The order under an id of ours; None if the venue itself says that there is none."""
        try:
            return await self.get_order_by_client_id(client_order_id)
        except errors.NotFoundError:
            return None

    async def _recent_orders(self, since: datetime, symbol: str | None = None) -> Sequence[Order]:
        """Every order entered since then, open or closed."""
        symbols = () if symbol is None else (symbol,)
        return [order async for order in self.iter_orders(after=since, symbols=symbols)]

    async def _account_name(self) -> str:
        """What the journal is for: another account's is refused."""
        return self.name

    async def _read_order(self, order_id: str) -> Order:
        return await self.get_order(order_id, nested=True)

    # The gateway

    async def _open(self) -> None:
        await self._ready()

    async def _ready(self) -> OrderGateway:
        """The gateway, once it knows what an earlier life has left."""
        gateway = self._gateway
        if gateway is not None and gateway.is_started:
            return gateway
        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(self._start_or_say(self._dropped))
        starting = self._starting
        self._waiting += 1
        try:
            # A caller that leaves stops nobody else from waiting for the same start.
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            if self._waiting == 1 and not starting.done():
                await self._stop_starting()
            raise
        finally:
            self._waiting -= 1

    async def _start_or_say(self, dropped: asyncio.Task[OrderGateway] | None) -> OrderGateway:
        try:
            if dropped is not None:
                # Until its end it has the journal, and this one would be refused.
                await outlast(dropped)
            return await self._start()
        except asyncio.CancelledError:
            # Who waits for it was not cancelled, and nothing of theirs was sent.
            text = "the connector was closed before it had found out about earlier orders"
            raise errors.ConnectorError(
                text, outcome=errors.Outcome.NOT_SENT, connector=self.name
            ) from None

    async def _start(self) -> OrderGateway:
        settings = self._config if isinstance(self._config, BrokerConfig) else BrokerConfig()
        gateway = OrderGateway(
            self._venue(),
            journal=self._journal(settings),
            account=await self._account_name(),
            policy=settings.policy(),
            rails=replace(settings.rails(), price_of=self._known_price),
            clock=self._clock,
            listeners=self._resources.listeners,
            name=self.name,
        )
        self._recovering = gateway
        self.recovery = await gateway.start()
        self._gateway = gateway
        return gateway

    def _journal(self, settings: BrokerConfig) -> Journal:
        """The journal; to connect again is no restart, so one in memory stays the same."""
        journal = self._memory or settings.open_journal(self._clock)
        self._memory = journal if settings.journal is None else None
        return journal

    def _known_price(self, symbol: str) -> Decimal | float | None:
        return None if self.price_of is None else self.price_of(symbol)

    def _venue(self) -> CallsVenue:
        return CallsVenue(
            self.broker_class,
            self._place_order,
            self._find_order,
            self._recent_orders,
            self._cancel_order,
            self._replace_order,
            self.cancel_all_orders,
            self.get_positions,
        )

    def _saw(self, order: Order) -> None:
        if self._gateway is not None:
            self._gateway.observe(order)

    async def _close(self) -> None:
        try:
            await self._stop_starting()
        finally:
            gateway, self._gateway, self._recovering = self._gateway, None, None
            if gateway is not None:
                await gateway.stop()

    async def _stop_starting(self) -> None:
        starting, self._starting = self._starting, None
        if starting is not None and not starting.done():
            # It would hold on to the journal when nobody knows of it any more.
            self._dropped = starting
            starting.cancel()
            await outlast(starting)
