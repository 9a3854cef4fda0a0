"""A change that was refused may have been done before that; a kill meanwhile is no long wait."""

import asyncio

import pytest

from orders.venues import REPEATED, ScriptedVenue, a_gateway, an_order, refused, unknown
from sentio_async import errors
from sentio_async.models.trading import OrderChange
from sentio_async.orders.journal import MemoryJournal, Step
from sentio_async.orders.settings import BrokerConfig
from sentio_async.orders.venue import BrokerClass

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

ALL = list(BrokerClass)


async def killed_after_a_refused_change(venue, answer):
    """The rows of a process that was told no, and was killed while it made sure."""
    journal = MemoryJournal()
    gateway = a_gateway(venue, journal)
    await gateway.start()
    order = await gateway.submit(an_order(type="limit", limit_price="9"))
    venue.say("replace", answer)
    calling = asyncio.ensure_future(gateway.replace(order.id, OrderChange(limit_price="10")))
    await asyncio.sleep(0.1)
    gateway.abandon()
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    return MemoryJournal(journal.rows)


@pytest.mark.parametrize("kind", ALL)
async def test_a_change_that_was_refused_before_the_kill_is_refused_within_seconds(kind):
    venue = ScriptedVenue(kind)
    journal = await killed_after_a_refused_change(venue, refused("order is pending_new"))
    started_at = asyncio.get_running_loop().time()

    gateway = a_gateway(venue, journal)
    report = await gateway.start()

    assert len(report.rejected) == 1
    assert journal.rows[-1].reason == "order is pending_new"
    assert len(venue.sent("replace")) == 1
    assert asyncio.get_running_loop().time() - started_at < 2
    await gateway.stop()


@pytest.mark.parametrize("kind", ALL)
async def test_a_change_refused_because_it_was_done_is_found_after_the_kill(kind):
    venue = ScriptedVenue(kind)
    venue.lag = 1.0
    journal = await killed_after_a_refused_change(venue, REPEATED)

    gateway = a_gateway(venue, journal)
    report = await gateway.start()

    assert [order.id for order in report.placed] == ["v2"]
    await gateway.stop()


async def test_a_refused_change_that_recovery_cannot_look_for_is_refused_in_the_end():
    venue = ScriptedVenue()
    journal = await killed_after_a_refused_change(venue, refused("order is filled"))
    venue.say("find", unknown())

    gateway = a_gateway(venue, journal)
    report = await gateway.start()

    assert len(report.rejected) == 1
    assert journal.rows[-1].reason == "order is filled"
    await gateway.stop()


async def test_a_journal_that_cannot_keep_a_refusal_hides_no_refusal(started):
    venue, journal = ScriptedVenue(), MemoryJournal()
    gateway = await started(venue, journal)
    order = await gateway.submit(an_order(type="limit", limit_price="9"))
    venue.say("replace", refused("order is filled"))
    written, write = [], journal.write

    async def fails_once(*rows):
        written.append(rows[-1])
        if rows[-1].step is Step.SENT and rows[-1].reason:
            raise OSError("disk is full")
        await write(*rows)

    journal.write = fails_once

    with pytest.raises(errors.OrderRejectedError, match="filled"):
        await gateway.replace(order.id, OrderChange(limit_price="10"))
    assert [row.step for row in written] == [Step.SENT, Step.SENT, Step.REJECTED]


async def test_a_short_horizon_is_looked_beyond_without_long_pauses():
    policy = BrokerConfig(order_horizon=4.0).policy()

    assert policy.pause(100) == 0.4
    assert BrokerConfig().policy().pause(100) == 5.0
