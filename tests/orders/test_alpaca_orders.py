"""The whole way to Alpaca, over a real socket with faults on it: exactly one order."""

import asyncio
import contextlib

import pytest

from connectors.alpaca.trading import bought, resting
from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK
from sentio_async.connectors.alpaca.broker import AlpacaBroker
from sentio_async.connectors.alpaca.data import AlpacaData
from sentio_async.engine import TradingEngine
from sentio_async.errors import Outcome
from sentio_async.models import OrderRequest, OrderStatus
from sentio_async.orders import carrying
from sentio_async.orders.settings import BrokerConfig
from sentio_async.orders.sqlite_journal import SqliteJournal
from sentio_async.sim.faults import FaultRule

pytestmark = pytest.mark.exchange(venues=["alpaca_trading", "alpaca_data"])

FAULTS = [
    {"kind": "drop_after"},
    {"kind": "drop_before"},
    {"kind": "reset_after"},
    {"kind": "reset_before"},
    {"kind": "status_after", "status": 504},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 429},
    {"kind": "cut"},
    {"kind": "garbage"},
    {"kind": "truncated_json"},
    {"kind": "html"},
    {"kind": "bad_gzip"},
]


def connected(exchange, **more):
    return AlpacaBroker({**exchange.settings("alpaca"), "breaker_failures": 100, **more})


def fault(**more):
    return FaultRule(**{"method": "POST", "path": "/v2/orders", **more})


@pytest.mark.parametrize("what", FAULTS, ids=lambda what: "-".join(map(str, what.values())))
async def test_one_order_whatever_happens_on_the_way(exchange, what):
    exchange.add_fault(fault(**what, times=1))
    async with connected(exchange) as broker:
        order = await resting(exchange, broker)

        assert [each.id for each in await broker.get_orders(status="all")] == [order.id]


async def test_one_order_over_a_restart(exchange, tmp_path):
    settings = {"journal": tmp_path / "orders"}
    # The market goes on meanwhile, and another price would be another order.
    same = {"intent_key": "rebalance 7", "limit_price": 10}
    async with connected(exchange, **settings) as broker:
        first = await resting(exchange, broker, **same)
    async with connected(exchange, **settings) as broker:
        again = await resting(exchange, broker, **same)

        assert again.id == first.id
        assert broker.recovery.placed == ()
        assert len(await broker.get_orders(status="all")) == 1


async def test_no_order_and_no_change_makes_a_journal_unreadable(exchange, tmp_path):
    settings = {"journal": tmp_path / "orders"}
    async with connected(exchange, **settings) as broker:
        dear = OrderRequest(symbol="AAPL", side="buy", qty=1, type="limit", limit_price=1)
        with pytest.raises(errors.ConnectorError, match="takes no limit_price") as caught:
            await broker.submit_order(dear.model_copy(update={"type": "market"}))
        assert caught.value.outcome is Outcome.NOT_SENT
        by_money = await broker.place_order("AAPL", side="buy", notional=100)
        for change in ({"limit_price": 9}, {"qty": 1}):
            # The venue, too, may refuse it, or have filled the order.
            with contextlib.suppress(errors.ConnectorError):
                await broker.replace_order(by_money.id, **change)

    async with connected(exchange, **settings) as broker:
        assert broker.open_intents == []


async def test_an_order_by_money_is_known_after_a_restart(exchange, tmp_path):
    settings = {"journal": tmp_path / "orders"}
    same = {"side": "buy", "notional": 100, "intent_key": "rebalance 8"}
    async with connected(exchange, **settings) as broker:
        first = await broker.place_order("AAPL", **same)
    async with connected(exchange, **settings) as broker:
        assert (await broker.place_order("AAPL", **same)).id == first.id


@pytest.mark.parametrize("is_change", [False, True])
async def test_nothing_that_waits_for_its_turn_is_sent_once_trading_is_halted(exchange, is_change):
    async with connected(exchange, max_in_flight=1) as broker:
        old = await resting(exchange, broker)
        exchange.add_fault(fault(kind="delay", delay=1.0))
        first = asyncio.ensure_future(broker.place_order("AAPL", 1, "buy", intent_key="first"))
        await asyncio.sleep(0.2)
        waiting = asyncio.ensure_future(
            broker.replace_order(old.id, qty=2)
            if is_change
            else broker.place_order("AAPL", 2, "buy", intent_key="second")
        )
        await asyncio.sleep(0.2)
        halting = asyncio.ensure_future(broker.halt_trading("drawdown"))

        with pytest.raises(errors.TradingHaltedError, match="drawdown"):
            await waiting
        await first
        await halting
        there = await broker.get_orders(status="all")
        assert {each.qty for each in there} == {old.qty, 1}
        assert len(there) == 2


async def test_instructions_that_cannot_be_sent_leave_nothing_unknown(exchange):
    async with connected(exchange) as broker:
        order = await resting(exchange, broker)
        for instructions in ({"x": object()}, {"x": {(1, 2): 3}}):
            with pytest.raises(errors.InvalidRequestError, match="cannot be sent"):
                await resting(exchange, broker, instructions=instructions)
            with pytest.raises(errors.InvalidRequestError, match="cannot be sent"):
                await broker.replace_order(order.id, instructions=instructions)

        assert broker.open_intents == []
        assert [each.id for each in await broker.get_orders(status="all")] == [order.id]


async def test_who_leaves_while_an_order_waits_for_its_turn_takes_it_back(exchange):
    async with connected(exchange, max_in_flight=1) as broker:
        exchange.add_fault(fault(kind="delay", delay=0.5, times=1))
        first = asyncio.ensure_future(broker.place_order("AAPL", 1, "buy"))
        await asyncio.sleep(0.1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await broker.place_order("AAPL", 2, "buy", intent_key="second")
        await first
        await broker.get_account()

        assert [each.qty for each in await broker.get_orders(status="all")] == [1]
        assert (await broker.place_order("AAPL", 2, "buy", intent_key="second")).qty == 2


async def test_to_connect_again_is_no_restart(exchange):
    broker = connected(exchange, timeouts={"total": 0.3})
    same = {"symbol": "AAPL", "qty": 1, "side": "buy", "intent_key": "k"}
    async with broker:
        exchange.add_fault(fault(kind="silence_after", delay=1.0, times=1))
        finding = FaultRule(kind="status", status=503, path="/v2/orders:by_client_order_id")
        exchange.add_fault(finding)
        with pytest.raises(errors.OrderOutcomeUnknownError):
            await broker.place_order(**same)
        await broker.halt_trading("drawdown")
    exchange.clear_faults()

    async with broker:
        (found,) = broker.recovery.placed
        assert broker.trading_halted == "drawdown"
        assert (await broker.place_order(**same)).id == found.id
        with pytest.raises(errors.TradingHaltedError):
            await broker.place_order("AAPL", 1, "buy")


async def test_an_order_on_its_way_when_the_broker_is_closed_is_unknown_and_found(
    exchange, tmp_path, monkeypatch
):
    monkeypatch.setattr(carrying, "DRAIN", 0.05)
    settings = {"journal": tmp_path / "orders"}
    exchange.add_fault(fault(kind="silence_after", delay=0.5, times=1))
    async with connected(exchange, **settings) as first:
        placing = asyncio.create_task(resting(exchange, first))
        await asyncio.sleep(0.2)
        assert [each.step.value for each in first.open_intents] == ["sent"]
    with pytest.raises(errors.OrderOutcomeUnknownError):
        await placing

    async with connected(exchange, **settings) as broker:
        (found,) = broker.recovery.placed

        assert [each.id for each in await broker.get_orders(status="all")] == [found.id]
        assert broker.open_intents == []


async def test_what_a_killed_process_left_is_found_at_connect(exchange, tmp_path):
    settings = {"journal": tmp_path / "orders"}
    first = connected(exchange, **settings)
    await first.connect()
    exchange.add_fault(fault(kind="silence_after", delay=0.5, times=1))
    leaving = asyncio.ensure_future(resting(exchange, first))
    await asyncio.sleep(0.2)
    first._gateway.abandon()
    leaving.cancel()
    await first._gateway._desk.journal.close()

    async with connected(exchange, **settings) as broker:
        (found,) = broker.recovery.placed

        assert [each.id for each in await broker.get_orders(status="all")] == [found.id]
        assert broker.open_intents == []
    await first.disconnect()


async def test_a_journal_is_for_one_account_and_one_process(exchange, tmp_path):
    settings = {"journal": tmp_path / "orders"}
    async with connected(exchange, **settings):
        with pytest.raises(errors.ConfigurationError, match="another process"):
            await connected(exchange, **settings).connect()


async def test_many_at_once_with_the_same_key_are_one(exchange):
    async with connected(exchange) as broker:
        orders = await asyncio.gather(
            *(resting(exchange, broker, intent_key="k", limit_price=10) for _ in range(5))
        )

        assert len({order.id for order in orders}) == 1


async def test_a_halt_cancels_what_is_open(exchange):
    async with connected(exchange) as broker:
        assert broker.trading_halted is None
        order = await resting(exchange, broker)
        await broker.halt_trading("drawdown")
        await exchange.settle()

        assert await broker.get_order_status(order.id) is OrderStatus.CANCELED
        assert broker.trading_halted == "drawdown"
        with pytest.raises(errors.TradingHaltedError):
            await resting(exchange, broker)
        await broker.resume_trading()
        await resting(exchange, broker)


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
async def test_a_cancel_is_heard(exchange, kind):
    async with connected(exchange) as broker:
        order = await resting(exchange, broker)
        exchange.add_fault(FaultRule(kind=kind, method="DELETE", path="/v2/orders/*", times=1))
        await broker.cancel_order(order.id)
        await exchange.settle()

        assert await broker.get_order_status(order.id) is OrderStatus.CANCELED


async def test_a_change_whose_answer_was_lost_is_found(exchange):
    async with connected(exchange) as broker:
        order = await resting(exchange, broker)
        await exchange.settle()
        exchange.add_fault(FaultRule(kind="drop_after", method="PATCH", times=1))
        new = await broker.replace_order(order.id, qty=2)

        assert new.replaces == order.id


async def test_a_rail_comes_from_the_settings(exchange):
    async with connected(exchange, max_order_qty="5") as broker:
        with pytest.raises(errors.OrderLimitError, match="rail of 5"):
            await broker.place_order("AAPL", 6, "buy")


async def test_an_order_is_followed_to_its_end(exchange):
    async with connected(exchange) as broker:
        order = await bought(exchange, broker)
        seen = [change async for change in broker.track_order(order.id, poll=0.01)]

        assert seen[-1].order.status is OrderStatus.FILLED
        assert sum(change.filled for change in seen) == order.qty


async def test_a_cancel_needs_nothing_but_the_keys(exchange):
    async with connected(exchange) as broker:
        order = await resting(exchange, broker)
    alone = connected(exchange)

    await alone.cancel_order(order.id)

    assert alone.open_intents == []
    await alone.disconnect()


async def test_settings_make_the_journal(tmp_path):
    settings = BrokerConfig(journal=tmp_path / "orders", journal_durability="power")

    assert isinstance(settings.open_journal(SYSTEM_CLOCK), SqliteJournal)


async def test_a_market_order_in_shares_is_held_against_the_price_that_the_caller_knows(exchange):
    async with connected(exchange, max_order_notional="1000") as broker:
        with pytest.raises(errors.OrderLimitError, match="no price"):
            await broker.place_order("AAPL", 10, "buy")

        broker.price_of = {"AAPL": 100.5}.get
        with pytest.raises(errors.OrderLimitError, match="notional: 1005"):
            await broker.place_order("AAPL", 10, "buy")
        assert (await broker.place_order("AAPL", 9, "buy")).qty == 9
        with pytest.raises(errors.OrderLimitError, match="no price"):
            await broker.place_order("MSFT", 1, "buy")


class _Wants:
    name = "wants"
    symbols = ("AAPL", "MSFT")

    async def decide(self, quotes, desk):
        symbols = (*quotes.found, "TSLA")
        return [OrderRequest(symbol=symbol, side="buy", qty=1) for symbol in symbols]


async def test_an_engine_gives_its_broker_the_prices_of_the_round(exchange):
    settings = exchange.settings("alpaca")
    async with (
        connected(exchange, max_order_notional="300") as broker,
        AlpacaData(settings) as data,
    ):
        engine = TradingEngine(strategies=[_Wants()], broker=broker, data_provider=data)
        cycle = await engine.run_once()

        assert broker.price_of("AAPL") == pytest.approx(cycle.quotes["AAPL"].ask)
        assert [order.symbol for order in cycle.orders] == ["AAPL"]
        refusals = {key: error.message for key, error in cycle.failures.items()}
        assert "notional" in refusals["wants #2"]
        assert "no price" in refusals["wants #3"]


async def test_an_engine_leaves_a_price_of_alone(exchange):
    broker = connected(exchange)
    broker.price_of = known = {}.get
    TradingEngine(strategies=[_Wants()], broker=broker, data_provider=None)

    assert broker.price_of is known
