"""A connector that offers nothing says so, call by call, and names who does."""

import asyncio
import inspect

import pytest

from sentio_async import errors
from sentio_async.base import (
    BaseConnector,
    BrokerConnector,
    Capability,
    DataProviderConnector,
    NotificationConnector,
    check_symbol,
    sorted_out,
    symbols_of,
)
from sentio_async.config import ConnectorConfig


class BareBroker(BrokerConnector):
    vendor = "bare"


class BareData(DataProviderConnector):
    vendor = "bare"


BROKER_CALLS = {
    "submit_order": lambda b: b.place_order("AAPL", 1, "buy"),
    "replace_order": lambda b: b.replace_order("1", qty=2),
    "cancel_order": lambda b: b.cancel_order("1"),
    "cancel_all_orders": lambda b: b.cancel_all_orders(),
    "get_order": lambda b: b.get_order("1"),
    "get_order_status": lambda b: b.get_order_status("1"),
    "get_order_by_client_id": lambda b: b.get_order_by_client_id("1"),
    "get_orders": lambda b: b.get_orders(),
    "iter_orders": lambda b: b.iter_orders(),
    "get_account": lambda b: b.get_account(),
    "get_positions": lambda b: b.get_positions(),
    "get_position": lambda b: b.get_position("AAPL"),
    "close_position": lambda b: b.close_position("AAPL"),
    "close_all_positions": lambda b: b.close_all_positions(),
    "get_assets": lambda b: b.get_assets(),
    "get_asset": lambda b: b.get_asset("AAPL"),
    "get_clock": lambda b: b.get_clock(),
    "get_calendar": lambda b: b.get_calendar(),
    "iter_activities": lambda b: b.iter_activities(),
    "iter_fills": lambda b: b.iter_fills(),
    "get_portfolio_history": lambda b: b.get_portfolio_history(),
    "stream_order_updates": lambda b: b.stream_order_updates(),
}
DATA_CALLS = {
    "get_quote": lambda d: d.get_quote("AAPL"),
    "get_quotes": lambda d: d.get_quotes(["AAPL"]),
    "get_trade": lambda d: d.get_trade("AAPL"),
    "get_snapshot": lambda d: d.get_snapshot("AAPL"),
    "get_snapshots": lambda d: d.get_snapshots(["AAPL"]),
    "get_bars": lambda d: d.get_bars("AAPL"),
    "iter_bars": lambda d: d.iter_bars("AAPL"),
    "iter_trades": lambda d: d.iter_trades("AAPL"),
    "iter_quotes": lambda d: d.iter_quotes("AAPL"),
    "get_market_status": lambda d: d.get_market_status(),
    "stream_quotes": lambda d: d.stream_quotes("AAPL"),
    "stream_trades": lambda d: d.stream_trades("AAPL"),
    "stream_bars": lambda d: d.stream_bars("AAPL"),
}
CALLS = [(BareBroker, *each) for each in BROKER_CALLS.items()]
CALLS += [(BareData, *each) for each in DATA_CALLS.items()]


@pytest.mark.parametrize(("kind", "name", "call"), CALLS, ids=lambda each: str(each)[:40])
async def test_what_a_vendor_does_not_offer_is_refused_by_name(kind, name, call):
    with pytest.raises(errors.NotSupportedError) as caught:
        given = call(kind())
        if inspect.isawaitable(given):
            await given

    assert caught.value.outcome is errors.Outcome.NOT_SENT
    assert caught.value.connector == kind().name
    assert all(vendor in str(caught.value) for vendor in caught.value.available_from)


def test_who_has_it_is_named():
    with pytest.raises(
        errors.NotSupportedError, match=r"bars: not offered; alpaca, .+ can"
    ) as bars:
        BareData()._unsupported(Capability.BARS)
    assert {"alpaca", "polygon"} <= set(bars.value.available_from)
    with pytest.raises(errors.NotSupportedError, match=r"quote stream: not offered; alpaca"):
        BareData()._unsupported(Capability.QUOTE_STREAM)


@pytest.mark.parametrize("symbol", ["AAPL", "BRK.B", "BTC/USD", "O:AAPL230616C00150000", "^GSPC"])
def test_symbols_of_any_venue_are_taken(symbol):
    assert check_symbol(symbol) == symbol


@pytest.mark.parametrize(
    "symbol", ["", " ", "A A", "A,B", "A\n", "x" * 41, None, 5, b"AAPL", "A\u200b"]
)
def test_what_is_no_symbol_anywhere_is_refused(symbol):
    with pytest.raises(errors.InvalidRequestError, match="is not one"):
        check_symbol(symbol)


@pytest.mark.parametrize("bad", ["", " ", "A,B", "x" * 41, None, b"AAPL"])
def test_one_that_is_no_symbol_costs_only_itself(bad):
    asked = sorted_out(["AAPL", bad, "MSFT", "BRK.B"])

    assert [name for name, refusal in asked.items() if refusal is None] == ["AAPL", "MSFT", "BRK.B"]
    assert sorted_out(["AAPL", "MSFT", "AAPL"]) == {"AAPL": None, "MSFT": None}
    assert sorted_out([]) == {}


def test_symbols_are_asked_once_each_in_order():
    assert symbols_of(s for s in ("B", "A", "B")) == ["B", "A"]
    with pytest.raises(errors.InvalidRequestError, match=r"a list is needed, such as \['AAPL'\]"):
        symbols_of("AAPL")


class Toy(BaseConnector):
    vendor = "toy"
    problem = None

    async def _check(self):
        if self.problem:
            raise self.problem


class ToyNotifier(Toy, NotificationConnector):
    pass


async def test_a_failed_connect_leaves_nothing_and_may_be_repeated():
    toy = ToyNotifier()
    toy.problem = errors.AuthenticationError("no")
    with pytest.raises(errors.AuthenticationError):
        await toy.connect()
    assert not toy.is_connected
    assert toy._resources._users == 0

    toy.problem = None
    async with toy:
        assert toy._resources._users == 1
    assert toy._resources._users == 0


async def test_disconnecting_one_never_closes_what_another_uses():
    first = ToyNotifier()
    second = ToyNotifier(resources=first._resources)
    async with first:
        client = first._resources.client
        await second.disconnect()
        async with second:
            pass
        assert not client.is_closed
    assert client.is_closed


async def test_a_vendor_that_throttles_is_degraded_and_not_broken():
    toy = ToyNotifier()
    toy.problem = errors.RateLimitError("slow down", status_code=429)
    assert (await toy.health_check()).status == "degraded"
    toy.problem = errors.ServerError("failed")
    report = await toy.health_check()

    assert report.status == "unhealthy"
    assert report.reason == "ServerError: failed"
    assert report.latency is None


def test_a_name_is_what_the_settings_say():
    assert ToyNotifier(ConnectorConfig(name="desk")).name == "desk"
    assert repr(ToyNotifier({"name": "desk"})) == "<ToyNotifier 'desk' not connected>"
    with pytest.raises(errors.ConfigurationError, match="client or resources"):
        ToyNotifier(client=object(), resources=object())


class Slow(BareBroker):
    """Its check takes a turn of the loop, so that two tasks can be inside it."""

    async def _check(self):
        await asyncio.sleep(0)


async def test_tasks_that_connect_at_once_leave_nothing_open():
    broker = Slow()
    await asyncio.gather(broker.connect(), broker.connect(), broker.connect())
    client = broker._resources.client
    await broker.disconnect()

    assert client.is_closed


async def test_disconnecting_while_connecting_ends_disconnected():
    broker = Slow()
    connecting = asyncio.create_task(broker.connect())
    await asyncio.sleep(0)
    await broker.disconnect()
    await connecting

    assert not broker.is_connected
    assert broker._resources._users == 0


async def test_leaving_an_inner_block_disconnects_for_the_outer_as_well():
    broker = Slow()
    async with broker:
        async with broker:
            pass

        assert not broker.is_connected
    assert broker._resources._users == 0


class SlowToClose(Slow):
    async def _close(self):
        await super()._close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)


@pytest.mark.parametrize("turns", range(6))
async def test_a_disconnect_that_is_cancelled_closes_all_the_same(turns):
    broker = SlowToClose()
    await broker.connect()
    client = broker._resources.client
    leaving = asyncio.create_task(broker.disconnect())
    for _ in range(turns):
        await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    if turns == 0:
        # It has not begun.
        await broker.disconnect()

    assert client.is_closed
    assert broker._resources._users == 0
