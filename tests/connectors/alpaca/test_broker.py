"""The broker against the embedded exchange, over a real socket."""

from datetime import timedelta
from decimal import Decimal

import pytest

from sentio_async import errors
from sentio_async.connectors.alpaca.broker import AlpacaBroker
from sentio_async.connectors.alpaca.values import AccountSettingsChange
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


def price_of(exchange, symbol="AAPL"):
    return exchange.state.market.last_trade(symbol).price.quantize(Decimal("0.01"))


async def bought(exchange, broker, qty=10, symbol="AAPL", **more):
    order = await broker.place_order(symbol, qty, "buy", **more)
    await exchange.settle()
    return await broker.get_order(order.id)


async def resting(exchange, broker, **more):
    """A limit order too far from the market to fill."""
    price = price_of(exchange) / 2
    given = {"order_type": "limit", "limit_price": price.quantize(Decimal("0.01")), **more}
    return await broker.place_order("AAPL", 1, "buy", time_in_force="gtc", **given)


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


async def test_fills_and_activities_tell_the_same(exchange, broker):
    order = await bought(exchange, broker)

    fills = [fill async for fill in broker.iter_fills(page_size=1)]
    types = {activity.type async for activity in broker.iter_activities()}
    by_type = [each.order_id async for each in broker.iter_activities_of("FILL", page_size=2)]

    assert sum(fill.qty for fill in fills) == 10
    assert {fill.order_id for fill in fills} == {order.id} == set(by_type)
    assert "FILL" in types


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
async def test_an_order_that_never_arrived_is_not_taken_for_placed(exchange, broker):
    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await resting(exchange, broker)

    assert await caught.value.handle.resolve() is None
    assert await broker.get_orders(status="all") == []


@pytest.mark.exchange(
    faults=[FaultRule(kind="drop_after", method="POST", path="/v2/orders", times=1)]
)
async def test_a_lost_order_is_found_under_alpacas_own_spelling_of_its_symbol(exchange, broker):
    order = await broker.place_order("BTCUSD", "0.001", "buy", time_in_force="gtc")

    assert order.symbol == "BTC/USD"


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("get_order", "00000000-0000-4000-8000-000000000000"),
        ("get_order_by_client_id", "nobodys"),
        ("get_position", "AAPL"),
        ("get_asset", "NOSUCHTHING"),
        ("get_option_contract", "AAPL200101C00000001"),
        ("get_watchlist_named", "nobodys"),
        ("cancel_order", "00000000-0000-4000-8000-000000000000"),
    ],
)
async def test_what_is_not_there_is_not_found(broker, name, argument):
    with pytest.raises(errors.NotFoundError):
        await getattr(broker, name)(argument)


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


async def test_a_position_is_closed_in_parts(exchange, broker):
    await bought(exchange, broker)
    part = await broker.close_position("AAPL", qty="2.5")
    await exchange.settle()
    half = await broker.close_position("AAPL", percentage=50)
    await exchange.settle()

    assert part.side is OrderSide.SELL
    assert half.qty == Decimal("3.75")
    assert (await broker.get_position("AAPL")).qty == Decimal("3.75")


async def test_closing_all_tells_of_each(exchange, broker):
    await bought(exchange, broker)
    await bought(exchange, broker, symbol="MSFT")

    results = await broker.close_all_positions(cancel_orders=True)
    await exchange.settle()

    assert {result.symbol for result in results} == {"AAPL", "MSFT"}
    assert all(result.accepted and result.order is not None for result in results)
    assert await broker.get_positions() == []


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


async def test_assets_are_listed_by_class(broker):
    stocks = await broker.get_assets(status="active", asset_class=AssetClass.STOCK)
    coins = await broker.get_assets(asset_class="crypto")

    assert "AAPL" in {asset.symbol for asset in stocks}
    assert {asset.asset_class for asset in coins} == {AssetClass.CRYPTO}


async def test_option_contracts_come_in_pages_and_one_by_one(broker):
    page = await broker.get_option_contracts(underlyings=["AAPL"], limit=3)
    contract = await broker.get_option_contract(page.items[0].symbol)

    assert len(page.items) == 3
    assert page.next is not None
    assert contract == page.items[0]


async def test_an_option_that_is_not_held_cannot_be_exercised(broker):
    page = await broker.get_option_contracts(underlyings=["AAPL"], limit=1)

    with pytest.raises(errors.PermissionError):
        await broker.exercise_option(page.items[0].symbol)
    with pytest.raises(errors.PermissionError):
        await broker.do_not_exercise_option(page.items[0].symbol)


async def test_options_that_are_held_are_exercised(exchange, broker):
    page = await broker.get_option_contracts(underlyings=["AAPL"], right="call", limit=1)
    contract = page.items[0].symbol
    order = await bought(exchange, broker, qty=1, symbol=contract)
    await broker.exercise_option(contract)
    await exchange.settle()

    assert order.asset_class is AssetClass.OPTION
    assert (await broker.get_position("AAPL")).qty == 100


async def test_bonds_and_announcements_are_lists(exchange, broker):
    today = exchange.state.clock.now().date()
    since = today - timedelta(days=60)

    treasuries = await broker.get_us_treasuries(subtype="bond")
    corporates = await broker.get_us_corporates(tickers=["AAPL"])
    announced = await broker.get_announcements(["dividend", "split"], since, today)

    assert all(bond.cusip for bond in [*treasuries, *corporates])
    for each in announced:
        assert await broker.get_announcement(each.id) == each


async def test_other_markets_have_clocks_and_calendars(exchange, broker):
    clocks = await broker.get_market_clocks(["NYSE"])
    today = clocks[0].at.date()
    days = await broker.get_market_calendar("NYSE", today - timedelta(days=10), today)

    assert [clock.market for clock in clocks] == ["NYSE"]
    assert all(day.opens_at < day.closes_at for day in days)


async def test_the_clock_and_the_calendar_are_in_utc(broker):
    clock = await broker.get_clock()
    today = clock.at.date()
    days = await broker.get_calendar(today - timedelta(days=10), today)

    assert clock.is_open
    assert clock.at.utcoffset() == timedelta(0)
    assert days
    assert all(day.opens_at < day.closes_at for day in days)


async def test_history_has_a_point_for_every_day(exchange, broker):
    history = await broker.get_portfolio_history(period="1W", timeframe="1D")

    assert history.timeframe == "1D"
    assert all(point.at.utcoffset() == timedelta(0) for point in history.points)


async def test_settings_are_changed_and_kept(broker):
    changed = await broker.change_account_settings(AccountSettingsChange(no_shorting=True))

    assert changed.is_shorting_refused
    assert (await broker.get_account_settings()).is_shorting_refused


async def test_a_watchlist_lives_and_dies(broker):
    made = await broker.create_watchlist("mine", ["AAPL"])
    await broker.add_to_watchlist(made.id, "MSFT")
    await broker.add_to_watchlist_named("mine", "TSLA")
    after_removal = await broker.remove_from_watchlist(made.id, "MSFT")
    await broker.update_watchlist(made.id, name="ours", symbols=["NVDA"])
    renamed = await broker.update_watchlist_named("ours", new_name="theirs", symbols=["AAPL"])

    assert after_removal.symbols == ("AAPL", "TSLA")
    assert (renamed.name, renamed.symbols) == ("theirs", ("AAPL",))
    assert [each.name for each in await broker.get_watchlists()] == ["theirs"]
    assert (await broker.get_watchlist(made.id)) == (await broker.get_watchlist_named("theirs"))

    await broker.delete_watchlist_named("theirs")
    other = await broker.create_watchlist("other")
    await broker.delete_watchlist(other.id)
    assert await broker.get_watchlists() == []


async def test_a_healthy_account_says_so(broker):
    report = await broker.health_check()

    assert report.status.value == "healthy"
    assert report.latency is not None
