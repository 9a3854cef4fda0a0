"""The broker against the embedded exchange, over a real socket."""

from datetime import timedelta
from decimal import Decimal

import pytest

from connectors.alpaca.trading import bought, price_of, resting
from sentio_async import errors
from sentio_async.connectors.alpaca.broker import AlpacaBroker
from sentio_async.models import (
    AssetClass,
    OrderClass,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
    PositionSide,
)
from sentio_async.sim.faults import FaultRule

pytestmark = pytest.mark.exchange(venues=["alpaca_trading", "alpaca_data"])


@pytest.fixture
async def broker(exchange):
    async with AlpacaBroker(exchange.settings("alpaca")) as connected:
        yield connected


async def test_connecting_shows_an_account_on_paper(broker):
    account = await broker.get_account()

    assert broker.is_connected
    assert account.is_paper
    assert account.cash == 100_000
    assert account.buying_power >= account.cash


async def test_wrong_keys_do_not_connect(exchange):
    wrong = {**exchange.settings("alpaca"), "api_secret": "not-the-secret"}

    with pytest.raises(errors.AuthenticationError):
        await AlpacaBroker(wrong).connect()


async def test_a_market_order_fills_and_is_held(exchange, broker):
    order = await bought(exchange, broker, client_order_id="mine")

    assert order.status is OrderStatus.FILLED
    assert (order.qty, order.filled_qty, order.remaining_qty) == (10, 10, 0)
    assert order.client_order_id == "mine"
    assert await broker.get_order_by_client_id("mine") == order
    assert await broker.get_order_status(order.id) is OrderStatus.FILLED
    position = await broker.get_position("AAPL")
    assert (position.side, position.qty) == (PositionSide.LONG, 10)
    assert [held.symbol for held in await broker.get_positions()] == ["AAPL"]


async def test_an_order_by_money_buys_a_fraction(exchange, broker):
    order = await broker.place_order("AAPL", side="buy", notional="50.25")
    await exchange.settle()
    order = await broker.get_order(order.id)

    assert order.status is OrderStatus.FILLED
    assert order.qty is None
    assert 0 < order.filled_qty < 10
    assert order.filled_qty != order.filled_qty.to_integral_value()


async def test_a_fraction_comes_back_to_the_last_digit(exchange, broker):
    order = await bought(exchange, broker, qty="0.057436865")

    assert order.filled_qty == Decimal("0.057436865")


async def test_a_resting_order_is_replaced_and_then_cancelled(exchange, broker):
    old = await resting(exchange, broker)
    await exchange.settle()
    new = await broker.replace_order(old.id, qty=2)
    await exchange.settle()

    assert new.replaces == old.id
    assert new.qty == 2
    replaced = await broker.get_order(old.id)
    assert (replaced.status, replaced.replaced_by) == (OrderStatus.REPLACED, new.id)

    await broker.cancel_order(new.id)
    await exchange.settle()
    assert await broker.get_order_status(new.id) is OrderStatus.CANCELED


@pytest.mark.parametrize(
    ("kind", "prices"),
    [
        ("limit", {"limit_price": "0.5"}),
        ("stop", {"stop_price": "2"}),
        ("stop_limit", {"stop_price": "2", "limit_price": "2.1"}),
        ("trailing_stop", {"trail_percent": "5"}),
        ("trailing_stop", {"trail_price": "12.5"}),
    ],
)
async def test_every_type_of_order_is_taken(exchange, broker, kind, prices):
    last = price_of(exchange)
    given = {
        name: (last * Decimal(value)).quantize(Decimal("0.01"))
        if name.endswith("_price") and name != "trail_price"
        else value
        for name, value in prices.items()
    }
    order = await broker.place_order(
        "AAPL", 1, "buy", order_type=kind, time_in_force="gtc", **given
    )
    await exchange.settle()
    order = await broker.get_order(order.id)

    assert order.type is OrderType(kind)
    assert order.status is OrderStatus.OPEN
    for name, value in given.items():
        assert getattr(order, name) == Decimal(value)


async def test_a_bracket_has_its_exits_and_the_held_one_is_not_open(exchange, broker):
    last = price_of(exchange)
    order = await broker.place_order(
        "AAPL",
        5,
        "buy",
        time_in_force="gtc",
        order_class="bracket",
        take_profit={"limit_price": last * 2},
        stop_loss={"stop_price": (last / 2).quantize(Decimal("0.01"))},
    )
    await exchange.settle()
    nested = await broker.get_order(order.id, nested=True)
    everything = [each async for each in broker.iter_orders(nested=True)]

    assert nested.order_class is OrderClass.BRACKET
    assert {leg.side for leg in nested.legs} == {OrderSide.SELL}
    assert {leg.type for leg in nested.legs} == {OrderType.LIMIT, OrderType.STOP}
    assert [each.id for each in everything] == [order.id]
    assert "held" not in {each.venue_status for each in await broker.get_orders()}


async def test_one_exit_and_two_exits_that_cancel_each_other(exchange, broker):
    last = price_of(exchange)
    stop = {"stop_price": (last / 2).quantize(Decimal("0.01"))}
    entry = await bought(exchange, broker, order_class="oto", stop_loss=stop)
    await broker.cancel_all_orders()
    await exchange.settle()
    exits = await broker.place_order(
        "AAPL",
        10,
        "sell",
        order_type="limit",
        time_in_force="gtc",
        order_class="oco",
        take_profit={"limit_price": last * 2},
        stop_loss=stop,
    )

    assert entry.order_class is OrderClass.OTO
    assert exits.order_class is OrderClass.OCO


async def test_a_spread_is_one_order_of_two_legs(exchange, broker):
    contracts = [each async for each in broker.iter_option_contracts(underlyings=["AAPL"], limit=7)]
    calls = [each for each in contracts if each.right == "call"][:2]
    request = OrderRequest(
        order_class="mleg",
        qty=1,
        type="limit",
        limit_price="0.01",
        legs=[
            {"symbol": calls[0].symbol, "ratio_qty": 1, "position_intent": "buy_to_open"},
            {"symbol": calls[1].symbol, "ratio_qty": 1, "position_intent": "sell_to_open"},
        ],
    )

    order = await broker.submit_order(request)

    assert order.order_class is OrderClass.MLEG
    assert order.side is None
    nested = await broker.get_order(order.id, nested=True)
    assert [leg.symbol for leg in nested.legs] == [calls[0].symbol, calls[1].symbol]
    assert [leg.side for leg in nested.legs] == [OrderSide.BUY, OrderSide.SELL]


async def test_extended_hours_are_asked_for(exchange, broker):
    order = await resting(exchange, broker, extended_hours=True)

    assert order.extended_hours


async def test_a_refusal_comes_in_the_venues_words(exchange, broker):
    with pytest.raises(errors.OrderRejectedError, match="insufficient") as caught:
        await broker.place_order("AAPL", 1_000_000, "buy")

    assert caught.value.code == 40310000
    assert "buying_power" in caught.value.details


async def test_an_id_is_used_once(exchange, broker):
    first = await resting(exchange, broker, client_order_id="mine")

    with pytest.raises(errors.ConflictError):
        await resting(exchange, broker, client_order_id="mine")

    assert [order.id for order in await broker.get_orders()] == [first.id]


@pytest.mark.exchange(
    faults=[FaultRule(kind="drop_after", method="POST", path="/v2/orders", times=1)]
)
async def test_an_order_whose_answer_was_lost_is_found_and_not_sent_twice(exchange, broker):
    order = await resting(exchange, broker)

    assert [each.id for each in await broker.get_orders(status="all")] == [order.id]


@pytest.mark.exchange(
    faults=[FaultRule(kind="drop_before", method="POST", path="/v2/orders", times=1)]
)
async def test_an_order_that_never_arrived_goes_again_under_the_same_id(exchange, broker):
    order = await resting(exchange, broker, client_order_id="mine")

    assert order.client_order_id == "mine"
    assert [each.id for each in await broker.get_orders(status="all")] == [order.id]


@pytest.mark.exchange(
    faults=[FaultRule(kind="drop_after", method="POST", path="/v2/orders", times=1)]
)
async def test_a_lost_order_is_found_under_alpacas_own_spelling_of_its_symbol(exchange, broker):
    order = await broker.place_order("BTCUSD", "0.001", "buy", time_in_force="gtc")

    assert order.symbol == "BTC/USD"


async def test_cancelling_a_filled_order_is_refused(exchange, broker):
    order = await bought(exchange, broker, qty=1)

    with pytest.raises(errors.BadRequestError):
        await broker.cancel_order(order.id)


async def test_cancelling_all_tells_of_each(exchange, broker):
    ids = {(await resting(exchange, broker)).id for _ in range(3)}

    results = await broker.cancel_all_orders()
    await exchange.settle()

    assert {result.order_id for result in results} == ids
    assert all(result.accepted for result in results)
    assert await broker.get_orders() == []


@pytest.mark.parametrize("direction", ["desc", "asc"])
async def test_orders_are_read_over_several_pages(exchange, broker, direction):
    placed = [(await resting(exchange, broker)).id for _ in range(7)]

    found = [order.id async for order in broker.iter_orders(page_size=3, direction=direction)]

    assert found == (placed if direction == "asc" else placed[::-1])


async def test_orders_are_filtered(exchange, broker):
    order = await resting(exchange, broker)

    assert await broker.get_orders(symbols=["MSFT"]) == []
    assert await broker.get_orders(side="sell") == []
    assert await broker.get_orders(until=order.submitted_at - timedelta(seconds=1)) == []
    assert len(await broker.get_orders(symbols=["AAPL"], side=OrderSide.BUY, limit=5)) == 1


async def test_crypto_is_traded_under_a_name_with_a_slash(exchange, broker):
    asset = await broker.get_asset("BTC/USD")
    order = await broker.place_order("BTC/USD", "0.001", "buy", time_in_force="gtc")

    assert asset.asset_class is AssetClass.CRYPTO
    assert order.asset_class is AssetClass.CRYPTO
