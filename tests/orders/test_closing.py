"""Connectors that are closed before they have begun."""

import asyncio
import gc

import pytest

from connectors.alpaca.trading import resting
from sentio_async import errors
from sentio_async.connectors.alpaca.broker import AlpacaBroker
from sentio_async.errors import Outcome
from sentio_async.models import OrderStatus
from sentio_async.orders.policy import GatewayPolicy
from sentio_async.orders.settings import BrokerConfig
from sentio_async.orders.sqlite_journal import SqliteJournal
from sentio_async.resilience.ending import outlast
from sentio_async.sim.faults import FaultRule

pytestmark = pytest.mark.exchange(venues=["alpaca_trading", "alpaca_data"])

SOON = 20.0


def a_broker(exchange, journal, **more):
    return AlpacaBroker({**exchange.settings("alpaca"), "journal": journal, **more})


async def leave_open(exchange, journal):
    """An order of which nobody knew when the process ended."""
    exchange.add_fault(FaultRule(kind="silence_after", method="POST", path="/v2/orders", times=1))
    async with a_broker(exchange, journal, timeouts={"total": 0.3}) as broker:
        finding = FaultRule(kind="silence", path="/v2/orders:by_client_order_id")
        exchange.add_fault(finding)
        with pytest.raises(errors.OrderOutcomeUnknownError):
            await broker.place_order("AAPL", 1, "buy", intent_key="k")


@pytest.mark.slow
async def test_a_connector_that_is_closed_while_it_starts_lets_its_journal_go(exchange, tmp_path):
    journal = tmp_path / "orders"
    await leave_open(exchange, journal)
    broker = a_broker(exchange, journal)
    connecting = asyncio.ensure_future(broker.connect())
    await asyncio.sleep(0.1)
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    placing = asyncio.ensure_future(broker.place_order("AAPL", 1, "buy"))
    await asyncio.sleep(0.1)

    await asyncio.wait_for(broker.disconnect(), SOON)

    with pytest.raises(errors.ConnectorError, match="closed before") as caught:
        await asyncio.wait_for(placing, SOON)
    assert caught.value.outcome is Outcome.NOT_SENT
    exchange.clear_faults()
    async with asyncio.timeout(SOON), a_broker(exchange, journal) as broker:
        assert len(broker.recovery.placed) == 1
        assert len(await broker.get_orders(status="all")) == 1


async def hammered(task):
    """Cancelled at every turn of the loop, as by the scopes of anyio."""
    await asyncio.sleep(0)
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)


async def is_free(exchange, journal):
    async with asyncio.timeout(SOON), a_broker(exchange, journal):
        return True


@pytest.mark.slow
@pytest.mark.parametrize("again_and_again", [False, True])
async def test_a_connect_that_is_cancelled_leaves_no_lock(exchange, tmp_path, again_and_again):
    journal = tmp_path / "orders"
    await leave_open(exchange, journal)
    entering = asyncio.ensure_future(a_broker(exchange, journal).__aenter__())
    await asyncio.sleep(0.1)

    if again_and_again:
        await hammered(entering)
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering

    exchange.clear_faults()
    assert await is_free(exchange, journal)


@pytest.mark.slow
async def test_who_leaves_a_start_stops_nobody_else_from_waiting_for_it(exchange, tmp_path):
    journal = tmp_path / "orders"
    await leave_open(exchange, journal)
    async with a_broker(exchange, tmp_path / "other"):
        pass
    broker = a_broker(exchange, journal)
    first = asyncio.ensure_future(broker.connect())
    second = asyncio.ensure_future(broker.place_order("AAPL", 2, "buy"))
    await asyncio.sleep(0.1)
    first.cancel()
    exchange.clear_faults()

    assert (await asyncio.wait_for(second, SOON)).qty == 2
    await broker.disconnect()


@pytest.mark.parametrize("turns", [1, 2, 3])
async def test_who_comes_while_a_start_is_dropped_begins_after_its_end(exchange, tmp_path, turns):
    journal = tmp_path / "orders"
    await leave_open(exchange, journal)
    broker = a_broker(exchange, journal)
    dropped = [asyncio.ensure_future(broker.connect()) for _ in range(2)]
    await asyncio.sleep(0.1)
    exchange.clear_faults()
    for connecting in dropped:
        connecting.cancel()
        for _ in range(turns):
            await asyncio.sleep(0)

    order = await asyncio.wait_for(broker.place_order("AAPL", 2, "buy"), SOON)

    assert order.qty == 2
    assert len(broker.recovery.placed) == 1
    await broker.disconnect()


async def test_a_disconnect_that_is_cancelled_again_and_again_leaves_no_lock(exchange, tmp_path):
    journal = tmp_path / "orders"
    broker = a_broker(exchange, journal)
    await broker.connect()
    async with broker.stream_order_updates() as updates:
        await broker.place_order("AAPL", 1, "buy")
        await anext(updates)

        leaving = asyncio.ensure_future(broker.disconnect())
        await hammered(leaving)

    assert leaving.cancelled()
    assert await is_free(exchange, journal)


async def test_an_end_is_waited_for_however_it_comes_and_whoever_cancels():
    async def ends(failure):
        await asyncio.sleep(0.05)
        if failure:
            raise failure

    await outlast(asyncio.ensure_future(ends(None)))
    for failure in (None, KeyError()):
        work = asyncio.ensure_future(ends(failure))
        waiting = asyncio.ensure_future(outlast(work))
        await asyncio.sleep(0)
        await hammered(waiting)
        assert waiting.cancelled()
        assert work.exception() is failure


async def test_nobody_complains_of_a_failure_that_was_waited_for(caplog):
    async def fails():
        raise KeyError

    await outlast(asyncio.ensure_future(fails()))
    gc.collect()

    assert not caplog.records


@pytest.mark.slow
@pytest.mark.parametrize("has_failed", [False, True])
async def test_a_halt_waits_for_no_recovery(exchange, tmp_path, monkeypatch, has_failed):
    journal = tmp_path / "orders"
    async with a_broker(exchange, tmp_path / "elsewhere" / "orders") as other:
        working = await resting(exchange, other)
    await leave_open(exchange, journal)
    if has_failed:
        monkeypatch.setattr(BrokerConfig, "policy", lambda _: GatewayPolicy(recovery_timeout=0.1))
    broker = a_broker(exchange, journal)
    connecting = asyncio.ensure_future(broker.connect())
    await asyncio.sleep(0.3)
    assert connecting.done() is has_failed
    assert [each.kind for each in broker.open_intents] == ["place"]

    async with asyncio.timeout(SOON / 4):
        await broker.halt_trading("drawdown")
    await exchange.settle()

    assert await broker.get_order_status(working.id) is OrderStatus.CANCELED
    assert SqliteJournal(journal).halted() == broker.trading_halted == "drawdown"
    with pytest.raises(errors.TradingHaltedError):
        # What recovery sends once more may have waited for its turn.
        broker._check_turn()
    connecting.cancel()
    await asyncio.wait((connecting,))
    assert not has_failed or isinstance(connecting.exception(), errors.OrderOutcomeUnknownError)
    await broker.disconnect()


async def test_who_waits_for_a_start_may_be_dropped_with_its_loop(exchange, tmp_path):
    broker = a_broker(exchange, tmp_path / "orders")
    dropped = broker._ready()
    dropped.send(None)

    # As at the end of a loop that nobody has closed: nothing can be awaited any more.
    dropped.close()

    await broker.connect()
    await broker.disconnect()
