"""What an earlier life has left is found out before anything new."""

import asyncio

import pytest

from orders.venues import (
    CLOCK,
    HANGS,
    LATE,
    LOST,
    ScriptedVenue,
    a_gateway,
    an_answer,
    an_order,
    refused,
    throttled,
    unknown,
)
from sentio_async import errors
from sentio_async.models.trading import OrderChange
from sentio_async.models.words import OrderStatus
from sentio_async.orders.happenings import OrdersRecovered
from sentio_async.orders.intent import Intent, Kind
from sentio_async.orders.journal import MemoryJournal, Row, Step
from sentio_async.orders.policy import GatewayPolicy, Late
from sentio_async.orders.venue import BrokerClass

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

ALL = list(BrokerClass)


async def killed(venue, what="submit", after=0.1, **policy):
    """The rows that a process leaves when it is killed so many seconds after it began."""
    journal = MemoryJournal()
    gateway = a_gateway(venue, journal, policy=GatewayPolicy(**policy))
    await gateway.start()
    if what == "submit":
        asked = gateway.submit(an_order(), intent_key="k")
    else:
        order = await gateway.submit(an_order(type="limit", limit_price="9"))
        venue.say(what, HANGS)
        if what == "cancel":
            asked = gateway.cancel(order.id)
        else:
            asked = gateway.replace(order.id, OrderChange(limit_price="10"))
    calling = asyncio.ensure_future(asked)
    await asyncio.sleep(after)
    gateway.abandon()
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    return MemoryJournal(journal.rows)


@pytest.mark.parametrize("kind", ALL)
async def test_an_order_whose_answer_nobody_heard_is_found(started, kind):
    heard = []
    venue = ScriptedVenue(kind, LOST)
    venue.lag = 0.2
    journal = await killed(venue)
    venue.lag = 0.0

    gateway = a_gateway(venue, journal, listeners=[heard.append])
    report = await gateway.start()

    assert [order.id for order in report.placed] == list(venue.orders) == ["v1"]
    assert (await gateway.submit(an_order(), intent_key="k")).id == "v1"
    assert isinstance(heard[-1], OrdersRecovered)
    assert not report.is_empty
    await gateway.stop()


@pytest.mark.parametrize("kind", ALL)
async def test_an_order_that_is_still_on_its_way_is_not_lost(kind):
    venue = ScriptedVenue(kind, LATE)
    journal = await killed(venue, timeout=1)

    gateway = a_gateway(venue, journal)
    report = await gateway.start()
    await asyncio.sleep(60)

    assert [order.id for order in report.placed] == list(venue.orders) == ["v1"]
    await gateway.stop()


@pytest.mark.parametrize("kind", ALL)
async def test_an_order_of_long_ago_is_looked_for_and_not_sent(kind):
    venue = ScriptedVenue(kind, unknown())
    journal = await killed(venue)
    await asyncio.sleep(3600)

    gateway = a_gateway(venue, journal)
    report = await gateway.start()

    assert report.placed == ()
    assert len(report.not_placed) == 1
    assert len(venue.sent()) == 1
    assert (await gateway.submit(an_order(), intent_key="k")).id == "v1"
    await gateway.stop()


async def test_a_fresh_order_goes_again_under_its_id():
    venue = ScriptedVenue(BrokerClass.UNIQUE, unknown())
    journal = await killed(venue)

    gateway = a_gateway(venue, journal)
    report = await gateway.start()

    assert [order.id for order in report.placed] == ["v1"]
    assert len({order.client_order_id for order in venue.sent()}) == 1
    assert asyncio.get_running_loop().time() < 5
    await gateway.stop()


async def test_a_refusal_stays_refused_after_a_restart(started):
    venue, journal = ScriptedVenue(), MemoryJournal()
    venue.say("place", refused())
    gateway = a_gateway(venue, journal)
    await gateway.start()
    with pytest.raises(errors.OrderRejectedError):
        await gateway.submit(an_order(), intent_key="k")
    await gateway.stop()

    again = await started(venue, MemoryJournal(journal.rows))

    with pytest.raises(errors.OrderRejectedError, match="buying power"):
        await again.submit(an_order(), intent_key="k")
    assert len(venue.sent()) == 1


async def test_an_order_refused_at_recovery_is_reported():
    venue = ScriptedVenue(BrokerClass.UNIQUE, unknown())
    journal = await killed(venue)
    venue.say("place", refused())

    gateway = a_gateway(venue, journal)
    report = await gateway.start()

    assert len(report.rejected) == 1
    await gateway.stop()


async def test_an_intent_that_was_never_sent_was_not_placed():
    at = CLOCK.utcnow().timestamp()
    intent = Intent(id="i", kind=Kind.PLACE, at=at, until=at + 30, order=an_order())
    journal = MemoryJournal([Row("i", Step.INTENT, at, intent=intent)])
    venue = ScriptedVenue()

    gateway = a_gateway(venue, journal)
    report = await gateway.start()

    assert report.not_placed == ("i",)
    assert venue.calls == []
    await gateway.stop()


async def test_rows_without_an_intent_tell_nothing():
    gateway = a_gateway(ScriptedVenue(), MemoryJournal([Row("i", Step.ACKED, 1.0)]))

    assert (await gateway.start()).is_empty
    await gateway.stop()


async def test_no_order_is_accepted_before_everything_is_known():
    venue = ScriptedVenue(BrokerClass.NONE, unknown())
    journal = await killed(venue)
    gateway = a_gateway(venue, journal)
    starting = asyncio.ensure_future(gateway.start())
    await asyncio.sleep(1)

    with pytest.raises(errors.InvalidRequestError, match="not started"):
        await gateway.submit(an_order())

    assert len((await starting).not_placed) == 1
    assert (await gateway.start()).is_empty
    await gateway.stop()


async def test_what_cannot_be_found_out_is_told_and_stops_the_start():
    venue = ScriptedVenue(BrokerClass.NONE, LOST)
    venue.lag = 0.2
    journal = await killed(venue)
    venue.lag = 0.0
    venue.take(an_order())
    gateway = a_gateway(venue, journal)

    with pytest.raises(errors.OrderOutcomeUnknownError, match="2 orders look like it"):
        await gateway.start()

    assert journal.rows[-1].step is Step.SENT


async def test_a_halted_process_sends_nothing_at_recovery_either():
    venue = ScriptedVenue(BrokerClass.UNIQUE, unknown())
    journal = await killed(venue)
    journal.set_halted("by hand")

    gateway = a_gateway(venue, journal)
    report = await gateway.start()

    assert len(report.not_placed) == 1
    assert len(venue.sent()) == 1
    await gateway.stop()


async def test_a_late_order_found_at_recovery_follows_the_policy():
    venue = ScriptedVenue(BrokerClass.NONE, LATE)
    journal = await killed(venue, timeout=1, after=10)

    gateway = a_gateway(venue, journal, policy=GatewayPolicy(late=Late.CANCEL))
    await gateway.start()
    await asyncio.sleep(1)

    assert venue.orders["v1"].status is OrderStatus.CANCELED
    await gateway.stop()


async def test_an_order_known_before_is_not_claimed_by_another_after_a_restart():
    venue, journal = ScriptedVenue(BrokerClass.NONE), MemoryJournal()
    first = a_gateway(venue, journal)
    await first.start()
    order = await first.submit(an_order())
    venue.say("place", unknown())
    asking = asyncio.ensure_future(first.submit(an_order()))
    await asyncio.sleep(0.1)
    first.abandon()
    asking.cancel()

    gateway = a_gateway(venue, MemoryJournal(journal.rows))
    report = await gateway.start()

    assert [each.id for each in report.placed] == []
    assert list(venue.orders) == [order.id]
    await gateway.stop()


async def test_a_cancel_nobody_heard_of_is_asked_for_again():
    venue = ScriptedVenue()
    journal = await killed(venue, "cancel")

    gateway = a_gateway(venue, journal)
    report = await gateway.start()

    assert venue.orders["v1"].status is OrderStatus.CANCELED
    assert report.placed == ()
    await gateway.stop()


@pytest.mark.parametrize("kind", ALL)
async def test_a_change_nobody_heard_of_is_looked_for_and_not_sent(kind):
    venue = ScriptedVenue(kind)
    journal = await killed(venue, "replace")

    gateway = a_gateway(venue, journal)
    report = await gateway.start()

    assert len(report.not_placed) == 1
    assert len(venue.sent("replace")) == 1
    await gateway.stop()


async def test_what_was_filled_meanwhile_is_reported():
    venue, journal = ScriptedVenue(), MemoryJournal()
    first = a_gateway(venue, journal)
    await first.start()
    orders = [await first.submit(an_order()) for _ in range(3)]
    await first.stop()
    venue.change(orders[1].id, status=OrderStatus.FILLED, filled_qty=orders[1].qty)

    gateway = a_gateway(venue, MemoryJournal(journal.rows))
    report = await gateway.start()

    assert [order.id for order in report.changed] == [orders[1].id]
    assert report.changed[0].is_final
    await gateway.stop()


async def test_a_listing_that_fails_does_not_stop_the_start():
    venue, journal = ScriptedVenue(), MemoryJournal()
    first = a_gateway(venue, journal)
    await first.start()
    await first.submit(an_order())
    await first.stop()
    venue.say("recent", unknown())

    gateway = a_gateway(venue, MemoryJournal(journal.rows))

    assert (await gateway.start()).is_empty
    await gateway.stop()


async def test_a_journal_in_memory_belongs_to_one_account():
    journal = MemoryJournal()
    await a_gateway(ScriptedVenue(), journal).start()

    with pytest.raises(errors.ConfigurationError, match="account"):
        await a_gateway(ScriptedVenue(), journal, account="other").start()


async def test_a_killed_process_writes_nothing_more():
    venue, journal = ScriptedVenue(), MemoryJournal()
    venue.say("place", HANGS)
    gateway = a_gateway(venue, journal)
    await gateway.start()
    asking = asyncio.ensure_future(gateway.submit(an_order()))
    await asyncio.sleep(1)
    gateway.abandon()
    before = journal.rows

    await asyncio.sleep(100)

    assert journal.rows == before
    asking.cancel()


async def test_an_answer_heard_before_a_restart_is_kept(started):
    venue, journal = ScriptedVenue(), MemoryJournal()
    venue.say("place", throttled(0.5))
    first = a_gateway(venue, journal)
    await first.start()
    order = await first.submit(an_order(), intent_key="k")
    await first.stop()

    gateway = await started(venue, MemoryJournal(journal.rows))

    assert await gateway.submit(an_order(), intent_key="k") == an_answer(
        an_order(client_order_id=order.client_order_id), submitted_at=order.submitted_at
    )
    assert len(venue.sent()) == 2


async def test_an_order_sent_twice_is_looked_for_since_the_first_time():
    venue = ScriptedVenue(BrokerClass.WRITEONLY, LATE, *[unknown() for _ in range(9)])
    venue.late_by, venue.lag = 1.0, 9.0
    journal = await killed(venue, timeout=3, after=1.5)
    venue.lag = 0.0
    assert len(venue.sent()) > 1

    gateway = a_gateway(venue, journal)
    report = await gateway.start()

    assert [order.id for order in report.placed] == list(venue.orders) == ["v1"]
    await gateway.stop()
