"""alpaca-py's own TradingClient, unmodified, trades on the exchange.

It is sync, so each call runs in a thread while the exchange serves from the loop.
"""

import asyncio
import warnings
from contextlib import asynccontextmanager
from datetime import date, timedelta
from uuid import UUID

import pytest

from sentio_async.sim.exchange import Exchange

pytest.importorskip("alpaca", reason="alpaca-py is not installed: pip install '.[peers]'")

with warnings.catch_warnings():
    # It imports websockets' old client.
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.common.exceptions import APIError
    from alpaca.trading import enums, requests
    from alpaca.trading.client import TradingClient

BUY, SELL = enums.OrderSide.BUY, enums.OrderSide.SELL
DAY, GTC, IOC = enums.TimeInForce.DAY, enums.TimeInForce.GTC, enums.TimeInForce.IOC


class Peer:
    """Calls alpaca-py by name, in a thread."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._client = TradingClient(
            exchange.alpaca_key,
            exchange.alpaca_secret,
            url_override=exchange.addresses.alpaca_trading,
        )

    def __getattr__(self, name):
        async def call(*args, **kwargs):
            return await asyncio.to_thread(getattr(self._client, name), *args, **kwargs)

        return call

    async def buy(self, symbol="AAPL", qty=10.0, **more):
        return await self.submit_order(a_market_order(symbol=symbol, qty=qty, **more))

    async def filled(self, order):
        await self.exchange.settle()
        return await self.get_order_by_id(order.id)


def a_market_order(*, symbol="AAPL", side=BUY, time_in_force=DAY, **more):
    return requests.MarketOrderRequest(
        symbol=symbol, side=side, time_in_force=time_in_force, **more
    )


def a_limit_order(price=100.0, *, symbol="AAPL", side=BUY, time_in_force=DAY, qty=5, **more):
    return requests.LimitOrderRequest(
        symbol=symbol, side=side, time_in_force=time_in_force, limit_price=price, qty=qty, **more
    )


@asynccontextmanager
async def a_peer(**settings):
    async with Exchange(seed=7, venues=("alpaca_trading",), **settings) as exchange:
        # Its session has no close; its sockets end with the garbage.
        peer = Peer(exchange)
        yield peer
        peer._client._session.close()


async def test_it_reads_its_account_and_configurations():
    async with a_peer() as peer:
        account = await peer.get_account()
        settings = await peer.get_account_configurations()
        settings.no_shorting = True
        changed = await peer.set_account_configurations(settings)

        assert account.status is enums.AccountStatus.ACTIVE
        assert (account.cash, account.buying_power) == ("100000", "400000")
        assert changed.no_shorting is True


async def test_a_market_order_fills_and_becomes_a_position():
    async with a_peer() as peer:
        order = await peer.buy("AAPL", 10)
        filled = await peer.filled(order)
        position = await peer.get_open_position("AAPL")

        assert order.status is enums.OrderStatus.PENDING_NEW
        assert filled.status is enums.OrderStatus.FILLED
        assert filled.filled_qty == "10"
        assert position.qty == "10"
        assert position.avg_entry_price == filled.filled_avg_price
        assert [each.symbol for each in await peer.get_all_positions()] == ["AAPL"]


async def test_fractions_and_amounts_of_money_are_bought():
    async with a_peer() as peer:
        fraction = await peer.filled(await peer.buy("SPY", 0.25))
        amount = await peer.submit_order(a_market_order(symbol="SPY", notional=50))
        amount = await peer.filled(amount)

        assert fraction.filled_qty == "0.25"
        assert amount.notional == "50"
        assert amount.qty is None
        spent = float(amount.filled_qty) * float(amount.filled_avg_price)
        assert 49.99 < spent <= 50


ORDERS = {
    "limit": a_limit_order(),
    "stop": requests.StopOrderRequest(
        symbol="AAPL", qty=1, side=BUY, time_in_force=DAY, stop_price=900
    ),
    "stop limit": requests.StopLimitOrderRequest(
        symbol="AAPL", qty=1, side=BUY, time_in_force=GTC, stop_price=900, limit_price=910
    ),
    "trailing price": requests.TrailingStopOrderRequest(
        symbol="AAPL", qty=1, side=BUY, time_in_force=DAY, trail_price=50
    ),
    "trailing percent": requests.TrailingStopOrderRequest(
        symbol="AAPL", qty=1, side=BUY, time_in_force=GTC, trail_percent=20
    ),
    "extended hours": a_limit_order(extended_hours=True),
    "crypto": a_limit_order(1000, symbol="BTC/USD", time_in_force=GTC, qty=0.5),
}


@pytest.mark.parametrize("kind", ORDERS)
async def test_each_kind_of_order_rests_and_is_cancelled(kind):
    async with a_peer() as peer:
        order = await peer.submit_order(ORDERS[kind])
        resting = await peer.filled(order)
        await peer.cancel_order_by_id(order.id)
        ended = await peer.filled(order)

        assert resting.status is enums.OrderStatus.NEW
        assert ended.status is enums.OrderStatus.CANCELED
        if "trailing" in kind:
            assert float(resting.stop_price) > float(resting.hwm)


async def test_a_bracket_leaves_a_working_and_a_held_exit():
    async with a_peer() as peer:
        order = await peer.buy(
            "AAPL",
            4,
            order_class=enums.OrderClass.BRACKET,
            take_profit=requests.TakeProfitRequest(limit_price=900),
            stop_loss=requests.StopLossRequest(stop_price=10, limit_price=9),
        )
        await peer.exchange.settle()
        nested = requests.GetOrdersRequest(status=enums.QueryOrderStatus.ALL, nested=True)
        (parent,) = await peer.get_orders(nested)

        assert len(order.legs) == 2
        assert parent.status is enums.OrderStatus.FILLED
        assert [leg.status.value for leg in parent.legs] == ["new", "held"]
        assert len(await peer.get_orders()) == 1


async def test_oto_and_oco_exits_are_accepted():
    async with a_peer() as peer:
        await peer.filled(await peer.buy("MSFT", 3))
        oco = await peer.submit_order(
            a_limit_order(
                900,
                symbol="MSFT",
                side=SELL,
                qty=3,
                order_class=enums.OrderClass.OCO,
                take_profit=requests.TakeProfitRequest(limit_price=900),
                stop_loss=requests.StopLossRequest(stop_price=10),
            )
        )
        oto = await peer.buy(
            "F",
            2,
            order_class=enums.OrderClass.OTO,
            stop_loss=requests.StopLossRequest(stop_price=1),
        )

        assert [leg.type.value for leg in oco.legs] == ["stop"]
        assert [leg.status.value for leg in oto.legs] == ["held"]


async def test_a_spread_of_options_fills_leg_by_leg():
    async with a_peer() as peer:
        low, high = await some_calls(peer)
        order = await peer.submit_order(
            requests.MarketOrderRequest(
                qty=2,
                time_in_force=DAY,
                order_class=enums.OrderClass.MLEG,
                legs=[
                    requests.OptionLegRequest(symbol=low, ratio_qty=1, side=BUY),
                    requests.OptionLegRequest(symbol=high, ratio_qty=1, side=SELL),
                ],
            )
        )
        filled = await peer.filled(order)
        held = {each.symbol: each.qty for each in await peer.get_all_positions()}

        assert filled.status is enums.OrderStatus.FILLED
        assert held == {low: "2", high: "-2"}


async def some_calls(peer):
    page = await peer.get_option_contracts(
        requests.GetOptionContractsRequest(
            underlying_symbols=["AAPL"],
            type=enums.ContractType.CALL,
            strike_price_gte="180",
            strike_price_lte="250",
        )
    )
    found = [each.symbol for each in page.option_contracts]
    return found[0], found[-1]


async def test_an_option_is_bought_and_exercised():
    async with a_peer() as peer:
        symbol, _ = await some_calls(peer)
        await peer.filled(await peer.buy(symbol, 1))
        await peer.exercise_options_position(symbol)

        assert {p.symbol: p.qty for p in await peer.get_all_positions()} == {"AAPL": "100"}


async def test_option_contracts_come_in_pages_and_one_by_one():
    async with a_peer() as peer:
        ask = requests.GetOptionContractsRequest(underlying_symbols=["SPY"], limit=3)
        first = await peer.get_option_contracts(ask)
        ask.page_token = first.next_page_token
        second = await peer.get_option_contracts(ask)
        one = await peer.get_option_contract(first.option_contracts[0].symbol)

        assert len(first.option_contracts) == len(second.option_contracts) == 3
        assert one.id == first.option_contracts[0].id
        assert one.symbol not in {each.symbol for each in second.option_contracts}


async def test_a_replaced_order_has_a_new_id():
    async with a_peer() as peer:
        old = await peer.filled(await peer.submit_order(a_limit_order(100, qty=5)))
        new = await peer.replace_order_by_id(
            old.id, requests.ReplaceOrderRequest(qty=7, limit_price=101.5)
        )
        new, old = await peer.filled(new), await peer.get_order_by_id(old.id)

        assert (new.qty, new.limit_price, new.status.value) == ("7", "101.5", "new")
        assert new.replaces == old.id
        assert (old.status.value, old.replaced_by) == ("replaced", new.id)


async def test_a_used_client_order_id_is_refused_and_found():
    async with a_peer() as peer:
        order = await peer.buy("AAPL", 1, client_order_id="strategy-1")
        await peer.filled(order)
        with pytest.raises(APIError) as again:
            await peer.buy("AAPL", 1, client_order_id="strategy-1")
        found = await peer.get_order_by_client_id("strategy-1")

        assert again.value.status_code == 422
        assert again.value.code == 40010001
        assert again.value.message == "client_order_id must be unique"
        assert found.id == order.id


async def test_refusals_are_errors_with_alpacas_codes():
    async with a_peer() as peer:
        with pytest.raises(APIError) as poor:
            await peer.buy("AAPL", 1_000_000)
        with pytest.raises(APIError) as absent:
            await peer.get_order_by_id(UUID(int=7))
        with pytest.raises(APIError) as flat:
            await peer.get_open_position("TSLA")

        assert (poor.value.status_code, poor.value.code) == (403, 40310000)
        assert poor.value.message == "insufficient buying power"
        assert (absent.value.status_code, absent.value.code) == (404, 40410000)
        assert flat.value.message == "position does not exist"


async def test_wrong_keys_are_refused():
    async with a_peer() as peer:
        peer._client = TradingClient(
            "PKWRONG", "wrong", url_override=peer.exchange.addresses.alpaca_trading
        )
        with pytest.raises(APIError) as refused:
            await peer.get_account()

        assert refused.value.status_code == 401
        assert refused.value.code == 40110000


async def test_all_orders_are_cancelled_at_once():
    async with a_peer() as peer:
        orders = [await peer.submit_order(a_limit_order(100 + n)) for n in range(3)]
        answers = await peer.cancel_orders()
        await peer.exchange.settle()

        assert {each.id for each in answers} == {order.id for order in orders}
        assert {each.status for each in answers} == {200}
        assert await peer.get_orders() == []


async def test_positions_are_closed_in_part_and_all_together():
    async with a_peer() as peer:
        for symbol in ("AAPL", "F", "BTC/USD"):
            await peer.buy(symbol, 1, time_in_force=GTC)
        await peer.exchange.settle()
        half = await peer.close_position("AAPL", requests.ClosePositionRequest(percentage="50"))
        await peer.filled(half)
        left = await peer.get_open_position("AAPL")
        answers = await peer.close_all_positions(cancel_orders=True)
        await peer.exchange.settle()

        assert left.qty == "0.5"
        assert {each.symbol for each in answers} == {"AAPL", "F", "BTCUSD"}
        assert {each.status for each in answers} == {200}
        assert await peer.get_all_positions() == []


async def test_it_reads_assets():
    async with a_peer() as peer:
        stocks = await peer.get_all_assets()
        coins = await peer.get_all_assets(
            requests.GetAssetsRequest(asset_class=enums.AssetClass.CRYPTO)
        )
        one = await peer.get_asset("BRK.B")
        coin = await peer.get_asset("BTC/USD")

        assert len(stocks) > 25
        assert {each.symbol for each in coins} >= {"BTC/USD", "ETH/USD"}
        assert (await peer.get_asset(str(one.id))).symbol == "BRK.B"
        assert coin.asset_class is enums.AssetClass.CRYPTO


async def test_it_reads_clock_calendar_and_history():
    async with a_peer() as peer:
        clock = await peer.get_clock()
        days = await peer.get_calendar(
            requests.GetCalendarRequest(start=date(2026, 11, 23), end=date(2026, 11, 30))
        )
        history = await peer.get_portfolio_history(
            requests.GetPortfolioHistoryRequest(period="1W", timeframe="1D")
        )

        assert clock.is_open is True
        assert clock.next_open > clock.timestamp
        # Thanksgiving is closed, and the day after it ends at one o'clock.
        assert [each.date.day for each in days] == [23, 24, 25, 27, 30]
        assert days[3].close.hour == 13
        assert history.equity[-1] == 100_000
        assert len(history.timestamp) == len(history.profit_loss)


async def test_watchlists_live_their_whole_life():
    async with a_peer() as peer:
        made = await peer.create_watchlist(
            requests.CreateWatchlistRequest(name="mine", symbols=["AAPL"])
        )
        await peer.add_asset_to_watchlist_by_id(made.id, "SPY")
        await peer.update_watchlist_by_id(made.id, requests.UpdateWatchlistRequest(name="yours"))
        await peer.remove_asset_from_watchlist_by_id(made.id, "AAPL")
        found = await peer.get_watchlist_by_id(made.id)
        names = [each.name for each in await peer.get_watchlists()]
        await peer.delete_watchlist_by_id(made.id)

        assert names == ["yours"]
        assert [each.symbol for each in found.assets] == ["SPY"]
        assert await peer.get_watchlists() == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_it_reads_announcements():
    async with a_peer() as peer:
        found = await peer.get_corporate_announcements(
            requests.GetCorporateAnnouncementsRequest(
                ca_types=[enums.CorporateActionType.DIVIDEND],
                since=date(2026, 9, 1),
                until=date(2026, 9, 1) + timedelta(days=30),
                symbol="KO",
            )
        )
        one = await peer.get_corporate_announcement_by_id(found[0].id)

        assert one.target_symbol == "KO"
