"""A trading loop: quotes in, decisions out, orders placed, people told.

It is small on purpose.  It asks for all quotes at once, lets each strategy decide, places what
they want one by one, and carries on when a strategy or an order fails.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sentio_async import errors
from sentio_async.base import BrokerConnector, DataProviderConnector, NotificationConnector
from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.models.batch import Batch
from sentio_async.models.market import Quote
from sentio_async.models.notices import TradeNotice
from sentio_async.models.trading import Account, Order, OrderRequest, Position

__all__ = ["Cycle", "Desk", "Strategy", "TradingEngine"]

log = logging.getLogger("sentio_async.engine")


class Desk:
    """What a strategy may see of the broker: its account and positions, never its keys."""

    def __init__(self, broker: BrokerConnector) -> None:
        self._broker = broker

    async def get_account(self) -> Account:
        """Cash, equity, buying power."""
        return await self._broker.get_account()

    async def get_positions(self) -> list[Position]:
        """What is held."""
        return await self._broker.get_positions()

    async def get_orders(self) -> list[Order]:
        """The open orders."""
        return await self._broker.get_orders()


class Strategy(Protocol):
    """Decides."""

    @property
    def name(self) -> str:
        """What it is called in logs and notices."""
        ...

    @property
    def symbols(self) -> Sequence[str]:
        """What it wants quotes of."""
        ...

    def decide(self, quotes: Batch[Quote], desk: Desk) -> Awaitable[Iterable[OrderRequest]]:
        """The orders to be placed now; ``quotes`` has a quote or an error for each symbol."""
        ...


@dataclass(slots=True)
class Cycle:
    """What one round did."""

    number: int
    quotes: Batch[Quote]
    orders: list[Order] = field(default_factory=list)
    failures: dict[str, Exception] = field(default_factory=dict)
    """By strategy name (and order number), what went wrong."""


class TradingEngine:
    """Runs strategies every ``interval`` seconds on connected connectors.

    An order whose outcome is unknown halts the engine: what may be held is then not known, and
    trading on would guess.  A broker without a ``price_of`` is given one: the quotes of the round.
    """

    def __init__(
        self,
        *,
        strategies: Iterable[Strategy],
        broker: BrokerConnector,
        data_provider: DataProviderConnector,
        notifier: NotificationConnector | None = None,
        interval: float = 60.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._strategies = tuple(strategies)
        if not self._strategies:
            raise errors.ConfigurationError("at least one strategy is needed")
        self._broker = broker
        self._data = data_provider
        self._notifier = notifier
        self._interval = interval
        self._clock = clock
        self._desk = Desk(broker)
        self._is_stopped = False
        self._wake = asyncio.Event()
        self._cycles = 0
        self._quotes: Batch[Quote] = Batch({})
        if broker.price_of is None:
            broker.price_of = self._price_of
        self.halted_by: errors.OrderOutcomeUnknownError | None = None

    @property
    def symbols(self) -> list[str]:
        """Every symbol that some strategy wants, once each."""
        return list(dict.fromkeys(s for each in self._strategies for s in each.symbols))

    async def run(self, *, cycles: int | None = None) -> None:
        """Run until ``stop`` is called, or so many cycles; raises the error that halted it."""
        done = 0
        while not self._is_stopped and (cycles is None or done < cycles):
            started = self._clock.time()
            try:
                await self.run_once()
            except errors.ConnectorError as exc:
                if self.halted_by is not None:
                    raise
                log.warning("no quotes in this cycle: %s", exc)
            done += 1
            if cycles is None or done < cycles:
                await self._pause(self._interval - (self._clock.time() - started))

    def stop(self) -> None:
        """End ``run`` after the cycle that is under way."""
        self._is_stopped = True
        self._wake.set()

    async def run_once(self) -> Cycle:
        """One round: quotes, decisions, orders, notifications."""
        if self.halted_by is not None:
            raise self.halted_by
        quotes = await self._data.get_quotes(self.symbols)
        self._quotes = quotes
        self._cycles += 1
        cycle = Cycle(self._cycles, quotes)
        for strategy in self._strategies:
            await self._let_decide(strategy, cycle)
        return cycle

    def _price_of(self, symbol: str) -> float | None:
        quote = self._quotes.get(symbol, None)
        return None if quote is None else max(quote.bid, quote.ask)

    async def _let_decide(self, strategy: Strategy, cycle: Cycle) -> None:
        try:
            wanted = _orders(await strategy.decide(cycle.quotes, self._desk))
        except Exception as exc:
            log.exception("strategy %s failed to decide", strategy.name)
            cycle.failures[strategy.name] = exc
            return
        for number, request in enumerate(wanted, start=1):
            await self._place(strategy, f"{strategy.name} #{number}", request, cycle)

    async def _place(
        self, strategy: Strategy, key: str, request: OrderRequest, cycle: Cycle
    ) -> None:
        try:
            order = await self._broker.submit_order(request)
        except errors.OrderOutcomeUnknownError as exc:
            self.halted_by = exc
            raise
        except errors.ConnectorError as exc:
            log.warning("%s: order not placed: %s", key, exc)
            cycle.failures[key] = exc
            return
        cycle.orders.append(order)
        await self._tell(strategy, order)

    async def _tell(self, strategy: Strategy, order: Order) -> None:
        if self._notifier is None or order.side is None:
            return
        notice = TradeNotice(
            symbol=order.symbol,
            side=order.side,
            qty=order.qty or order.filled_qty,
            price=order.filled_avg_price or order.limit_price,
            order_id=order.id,
            status=order.status.value,
            strategy=strategy.name,
        )
        try:
            await self._notifier.send_trade_notification(notice, event_id=order.client_order_id)
        except errors.ConnectorError as exc:
            log.warning("trade of %s was not announced: %s", order.symbol, exc)
        except Exception:
            log.exception("trade of %s was not announced", order.symbol)

    async def _pause(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        if self._is_stopped:
            return
        # An event belongs to the loop in which somebody first waited for it, so each wait has one.
        self._wake = asyncio.Event()
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        stopping = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait((sleeping, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sleeping, stopping):
                task.cancel()
            await asyncio.gather(sleeping, stopping, return_exceptions=True)


def _orders(wanted: Iterable[OrderRequest]) -> list[OrderRequest]:
    """What a strategy wants; raises TypeError if any of it is no order, so that none is placed."""
    orders = list(wanted)
    for order in orders:
        if not isinstance(order, OrderRequest):
            raise TypeError(f"decide: an OrderRequest is needed, not {order!r}")
    return orders
