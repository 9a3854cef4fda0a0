"""Connectors that are closed before they have begun."""

import asyncio

import pytest

from sentio_async import errors
from sentio_async.connectors.alpaca.broker import AlpacaBroker
from sentio_async.errors import Outcome
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
