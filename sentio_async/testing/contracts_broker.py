"""What every broker promises."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest

from sentio_async import errors
from sentio_async.base import BrokerConnector, Capability
from sentio_async.errors import Outcome
from sentio_async.models import Order, OrderSide, OrderStatus, OrderType, PositionSide
from sentio_async.testing.contracts_connector import (
    ConnectorContract,
    Probe,
    Rig,
    first_of,
    needs,
    refuses,
)

__all__ = ["BrokerContract", "BrokerRig"]

Broker = BrokerConnector

CERTAIN_MISTAKES: dict[str, dict[str, Any]] = {
    "negative qty": {"qty": -1, "side": "buy"},
    "no qty": {"side": "buy"},
    "zero": {"qty": 0, "side": "buy"},
    "qty and notional": {"qty": 1, "notional": 100, "side": "buy"},
    "no side": {"qty": 1},
    "unknown side": {"qty": 1, "side": "hold"},
    "not a number": {"qty": "many", "side": "buy"},
    "nan": {"qty": "NaN", "side": "buy"},
    "limit without price": {"qty": 1, "side": "buy", "order_type": "limit"},
    "market with price": {"qty": 1, "side": "buy", "limit_price": 5},
    "unknown field": {"qty": 1, "side": "buy", "stop_pirce": 5},
}

UNDECLARED: dict[Capability, Probe] = {
    Capability.REPLACE_ORDERS: lambda broker: broker.replace_order("1", qty=1),
    Capability.CANCEL_ALL: lambda broker: broker.cancel_all_orders(),
    Capability.CLOSE_POSITIONS: lambda broker: broker.close_all_positions(),
    Capability.ASSETS: lambda broker: broker.get_assets(),
    Capability.CLOCK: lambda broker: broker.get_clock(),
    Capability.CALENDAR: lambda broker: broker.get_calendar(),
    Capability.ACTIVITIES: lambda broker: broker.iter_activities(),
    Capability.PORTFOLIO_HISTORY: lambda broker: broker.get_portfolio_history(),
    Capability.ORDER_UPDATES: lambda broker: broker.stream_order_updates(),
    Capability.CLIENT_ORDER_IDS: lambda broker: broker.get_order_by_client_id("1"),
}


class BrokerRig(Rig[BrokerConnector]):
    """A trading venue where ``symbol`` can be bought at the market, and fills."""

    symbol = "AAPL"
    unknown_symbol = "NOSUCH"
    unknown_order_id = "00000000-0000-4000-8000-000000000000"
    resting_price = Decimal("1.00")
    """A buy limit at which ``symbol`` will not be had."""

    async def settle(self) -> None:
        """Give the venue time for what it has been asked to do; a moment by default."""
        await asyncio.sleep(0.05)


class BrokerContract(ConnectorContract[BrokerConnector]):
    """Orders, positions, the account.  The fixture ``rig`` gives a ``BrokerRig``."""

    async def test_the_account_has_exact_money(self, rig: BrokerRig) -> None:
        """Cash is a Decimal in a named currency."""
        async with rig.new() as broker:
            account = await broker.get_account()

        assert isinstance(account.cash, Decimal)
        assert account.currency
        assert account.id

    async def test_a_market_order_fills_and_is_held(self, rig: BrokerRig) -> None:
        """Its status, its quantity and the position say so."""
        async with rig.new() as broker:
            order = await _bought(rig, broker, 3)
            position = await broker.get_position(rig.symbol)
            held = await broker.get_positions()

        assert order.status is OrderStatus.FILLED
        assert order.is_final
        assert (order.side, order.type) == (OrderSide.BUY, OrderType.MARKET)
        assert order.qty == order.filled_qty == 3
        assert order.remaining_qty == 0
        assert order.filled_avg_price is not None
        assert order.filled_avg_price > 0
        assert position.side is PositionSide.LONG
        assert position.qty == 3
        assert rig.symbol in [each.symbol for each in held]

    async def test_a_limit_order_rests_and_cancels(self, rig: BrokerRig) -> None:
        """It is among the open orders until it is cancelled, and among the closed ones after."""
        async with rig.new() as broker:
            needs(broker, Capability.LIMIT_ORDERS)
            order = await _resting(rig, broker)
            await rig.settle()
            assert order.id in [each.id for each in await broker.get_orders()]
            assert await broker.get_order_status(order.id) is OrderStatus.OPEN

            await broker.cancel_order(order.id)
            await rig.settle()
            after = await broker.get_order(order.id)
            still_open = await broker.get_orders()

        assert after.status is OrderStatus.CANCELED
        assert after.limit_price == rig.resting_price
        assert after.filled_qty == 0
        assert order.id not in [each.id for each in still_open]

    async def test_an_order_has_an_id_of_ours(self, rig: BrokerRig) -> None:
        """Given or made, it comes back with the order and finds it."""
        async with rig.new() as broker:
            needs(broker, Capability.CLIENT_ORDER_IDS, Capability.LIMIT_ORDERS)
            mine = await _resting(rig, broker, client_order_id="contract-1")
            made = await _resting(rig, broker)

            assert (await broker.get_order_by_client_id("contract-1")).id == mine.id
            assert (await broker.get_order_by_client_id(made.client_order_id)).id == made.id
            assert mine.client_order_id == "contract-1"
            with pytest.raises(errors.NotFoundError):
                await broker.get_order_by_client_id("contract-never-used")

    async def test_an_id_is_used_once(self, rig: BrokerRig) -> None:
        """The second order under it is refused, and the first is the only one."""
        async with rig.new() as broker:
            needs(broker, Capability.CLIENT_ORDER_IDS, Capability.LIMIT_ORDERS)
            first = await _resting(rig, broker, client_order_id="contract-2")

            with pytest.raises(errors.ConflictError):
                await _resting(rig, broker, client_order_id="contract-2")
            orders = await broker.get_orders()

        assert [each.id for each in orders] == [first.id]

    @pytest.mark.parametrize("mistake", CERTAIN_MISTAKES)
    async def test_a_certain_mistake_is_not_sent(self, rig: BrokerRig, mistake: str) -> None:
        """InvalidRequestError in one line, and no request."""
        async with rig.new() as broker:
            asked = rig.requests
            with pytest.raises(errors.InvalidRequestError) as caught:
                await broker.place_order(rig.symbol, **CERTAIN_MISTAKES[mistake])
            assert rig.requests == asked

        assert caught.value.outcome is Outcome.NOT_SENT
        assert "\n" not in str(caught.value)

    async def test_unknown_things_are_not_found(self, rig: BrokerRig) -> None:
        """An order, a position: NotFoundError, which is a LookupError as well."""
        async with rig.new() as broker:
            for asking in (
                broker.get_order(rig.unknown_order_id),
                broker.cancel_order(rig.unknown_order_id),
                broker.get_position(rig.symbol),
            ):
                with pytest.raises(errors.NotFoundError) as caught:
                    await asking
                assert isinstance(caught.value, LookupError)
                assert caught.value.outcome is Outcome.REFUSED

    async def test_an_unknown_symbol_is_refused(self, rig: BrokerRig) -> None:
        """The venue's no is an error that says that nothing was done."""
        async with rig.new() as broker:
            with pytest.raises((errors.APIError, errors.SymbolNotFoundError)) as caught:
                await broker.place_order(rig.unknown_symbol, 1, "buy")
            assert not await broker.get_orders()

        assert caught.value.outcome is Outcome.REFUSED

    async def test_every_order_is_walked_once(self, rig: BrokerRig) -> None:
        """Whatever the pages are."""
        async with rig.new() as broker:
            needs(broker, Capability.LIMIT_ORDERS)
            placed = [(await _resting(rig, broker)).id for _ in range(4)]
            walked = [order.id async for order in broker.iter_orders()]

        assert sorted(walked) == sorted(placed)

    async def test_an_outage_is_never_an_empty_list(self, rig: BrokerRig) -> None:
        """No positions and no answer are two things."""
        async with rig.new({"retry_attempts": 1}) as broker:
            assert list(await broker.get_positions()) == []
            assert list(await broker.get_orders()) == []

            rig.fail()
            for asking in (broker.get_positions(), broker.get_orders(), broker.get_account()):
                with pytest.raises(errors.ConnectorError):
                    await asking
            rig.heal()

    async def test_an_order_in_doubt_has_a_handle(self, rig: BrokerRig) -> None:
        """When the venue fails, the error can find out later; there is never a second order."""
        async with rig.new({"timeouts": {"total": 0.3}}) as broker:
            needs(broker, Capability.CLIENT_ORDER_IDS)
            rig.fail()
            with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
                await broker.place_order(rig.symbol, 1, "buy", client_order_id="contract-3")
            rig.heal()
            handle = caught.value.handle
            with suppress(errors.OrderOutcomeUnknownError):
                # A broker may take its time to be certain that there is no such order.
                found = await handle.resolve(timeout=0.1)
                assert found is None or found.client_order_id == "contract-3"
            orders = [order async for order in broker.iter_orders()]

        assert handle.client_order_id == "contract-3"
        assert [order.client_order_id for order in orders] == ["contract-3"] * len(orders)
        assert len(orders) <= 1

    async def test_money_buys_a_fraction(self, rig: BrokerRig) -> None:
        """An order by notional fills to an exact quantity."""
        async with rig.new() as broker:
            needs(broker, Capability.NOTIONAL_ORDERS)
            order = await broker.place_order(rig.symbol, side="buy", notional="50.25")
            await rig.settle()
            order = await broker.get_order(order.id)

        assert order.notional == Decimal("50.25")
        assert isinstance(order.filled_qty, Decimal)
        assert order.filled_qty > 0

    async def test_a_working_order_is_replaced(self, rig: BrokerRig) -> None:
        """The new order has the change; nothing but a change can be asked for."""
        async with rig.new() as broker:
            needs(broker, Capability.REPLACE_ORDERS, Capability.LIMIT_ORDERS)
            old = await _resting(rig, broker)
            await rig.settle()
            new = await broker.replace_order(old.id, qty=2)

            assert new.qty == 2
            with pytest.raises(errors.InvalidRequestError):
                await broker.replace_order(new.id)

    async def test_all_orders_are_cancelled_one_by_one(self, rig: BrokerRig) -> None:
        """There is a result for each."""
        async with rig.new() as broker:
            needs(broker, Capability.CANCEL_ALL, Capability.LIMIT_ORDERS)
            placed = {(await _resting(rig, broker)).id for _ in range(3)}
            results = await broker.cancel_all_orders()
            await rig.settle()

            assert {each.order_id for each in results} == placed
            assert all(each.accepted for each in results)
            assert not await broker.get_orders()

    async def test_a_position_is_closed(self, rig: BrokerRig) -> None:
        """It is gone afterwards."""
        async with rig.new() as broker:
            needs(broker, Capability.CLOSE_POSITIONS)
            await _bought(rig, broker, 2)
            order = await broker.close_position(rig.symbol)
            await rig.settle()

            assert order.side is OrderSide.SELL
            assert not await broker.get_positions()

    async def test_a_trailing_stop_is_taken(self, rig: BrokerRig) -> None:
        """With its distance."""
        async with rig.new() as broker:
            needs(broker, Capability.TRAILING_STOPS)
            await _bought(rig, broker, 1)
            order = await broker.place_order(
                rig.symbol, 1, "sell", order_type="trailing_stop", trail_percent=5
            )

        assert order.type is OrderType.TRAILING_STOP
        assert order.trail_percent == 5

    async def test_instruments_are_described(self, rig: BrokerRig) -> None:
        """Known ones by name; unknown ones are not found."""
        async with rig.new() as broker:
            needs(broker, Capability.ASSETS)
            asset = await broker.get_asset(rig.symbol)
            with pytest.raises((errors.NotFoundError, errors.SymbolNotFoundError)):
                await broker.get_asset(rig.unknown_symbol)

        assert asset.symbol == rig.symbol

    async def test_the_clock_has_a_zone(self, rig: BrokerRig) -> None:
        """Times of sessions are aware."""
        async with rig.new() as broker:
            needs(broker, Capability.CLOCK)
            clock = await broker.get_clock()

        assert clock.at.utcoffset() is not None

    async def test_fills_are_among_the_activities(self, rig: BrokerRig) -> None:
        """What was bought is told."""
        async with rig.new() as broker:
            needs(broker, Capability.ACTIVITIES)
            order = await _bought(rig, broker, 1)
            fills = await first_of(broker.iter_fills(), 50)

        assert order.id in [fill.order_id for fill in fills]
        assert all(fill.qty > 0 and fill.at.utcoffset() is not None for fill in fills)

    async def test_what_it_does_not_declare_is_refused(self, rig: BrokerRig) -> None:
        """NotSupportedError names the capability and who has it."""
        await refuses(rig.new(), UNDECLARED)


async def _bought(rig: BrokerRig, broker: Broker, qty: int) -> Order:
    order = await broker.place_order(rig.symbol, qty, "buy")
    await rig.settle()
    return await broker.get_order(order.id)


async def _resting(rig: BrokerRig, broker: Broker, **more: Any) -> Order:
    return await broker.place_order(
        rig.symbol,
        1,
        "buy",
        order_type="limit",
        limit_price=rig.resting_price,
        time_in_force="gtc",
        **more,
    )
