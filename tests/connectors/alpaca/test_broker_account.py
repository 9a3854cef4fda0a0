"""What the broker says of account, positions and instruments, over a real socket."""

from datetime import timedelta
from decimal import Decimal

import pytest

from connectors.alpaca.trading import bought
from sentio_async import errors
from sentio_async.connectors.alpaca.broker import AlpacaBroker
from sentio_async.connectors.alpaca.values import AccountSettingsChange
from sentio_async.models import (
    AssetClass,
    OrderSide,
)

pytestmark = pytest.mark.exchange(venues=["alpaca_trading", "alpaca_data"])


@pytest.fixture
async def broker(exchange):
    async with AlpacaBroker(exchange.settings("alpaca")) as connected:
        yield connected


async def test_fills_and_activities_tell_the_same(exchange, broker):
    order = await bought(exchange, broker)

    fills = [fill async for fill in broker.iter_fills(page_size=1)]
    types = {activity.type async for activity in broker.iter_activities()}
    by_type = [each.order_id async for each in broker.iter_activities_of("FILL", page_size=2)]

    assert sum(fill.qty for fill in fills) == 10
    assert {fill.order_id for fill in fills} == {order.id} == set(by_type)
    assert "FILL" in types


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
