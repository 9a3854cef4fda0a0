"""Cancels and replacements."""

import asyncio

import pytest

from orders.venues import (
    HANGS,
    LATE,
    LOST,
    REPEATED,
    ScriptedVenue,
    an_answer,
    an_order,
    not_sent,
    refused,
    throttled,
    unknown,
)
from sentio_async import errors
from sentio_async.models.trading import OrderChange
from sentio_async.models.words import OrderStatus
from sentio_async.orders.intent import Kind
from sentio_async.orders.journal import MemoryJournal, Step
from sentio_async.orders.policy import GatewayPolicy
from sentio_async.orders.rails import Rails
from sentio_async.orders.venue import BrokerClass

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

ALL = list(BrokerClass)


def a_limit(**more):
    return an_order(**{"type": "limit", "limit_price": "9", **more})


CHANGE = OrderChange(limit_price="10")


async def with_an_order(started, kind=BrokerClass.UNIQUE, **more):
    venue, journal = ScriptedVenue(kind), MemoryJournal()
    gateway = await started(venue, journal, **more)
    return gateway, venue, journal, await gateway.submit(a_limit())


async def test_a_cancel_is_asked_for_until_it_is_heard(started):
    gateway, venue, journal, order = await with_an_order(started)
    open_breaker = errors.CircuitOpenError("failing", retry_in=3.0)
    venue.say("cancel", not_sent(), throttled(2.0), unknown(), open_breaker)

    await gateway.cancel(order.id)

    assert venue.orders[order.id].status is OrderStatus.CANCELED
    assert asyncio.get_running_loop().time() > 5
    assert journal.rows[-1].step is Step.ACKED


async def test_a_cancel_does_not_wait_as_long_as_a_broken_venue_would_like(started):
    gateway, venue, _, order = await with_an_order(started)
    venue.say("cancel", errors.ServerError("down", status_code=503, retry_after=3600.0))
    begun = asyncio.get_running_loop().time()

    await gateway.cancel(order.id)

    assert venue.orders[order.id].status is OrderStatus.CANCELED
    assert asyncio.get_running_loop().time() - begun < 5


async def test_a_cancel_can_be_asked_for_again(started):
    gateway, venue, _, order = await with_an_order(started)
    venue.say("cancel", lambda: None)
    await gateway.cancel(order.id)

    await gateway.cancel(order.id)

    assert venue.orders[order.id].status is OrderStatus.CANCELED


async def test_two_who_cancel_at_once_send_one_cancel(started):
    gateway, venue, _, order = await with_an_order(started)

    await asyncio.gather(gateway.cancel(order.id), gateway.cancel(order.id))

    assert len(venue.sent("cancel")) == 1


async def test_a_cancel_that_cannot_be_done_is_refused(started):
    gateway, venue, _, order = await with_an_order(started)
    venue.change(order.id, status=OrderStatus.FILLED)

    with pytest.raises(errors.BadRequestError, match="not cancelable"):
        await gateway.cancel(order.id)


@pytest.mark.parametrize("kind", ALL)
async def test_a_cancel_refused_because_it_was_done_is_done(started, kind):
    gateway, venue, _, order = await with_an_order(started, kind)
    venue.say("cancel", LOST)

    await gateway.cancel(order.id)

    assert len(venue.sent("cancel")) == 2


async def test_a_cancel_refused_because_of_a_fill_is_refused(started):
    gateway, venue, _, order = await with_an_order(started)

    def filled():
        venue.change(order.id, status=OrderStatus.FILLED)
        raise unknown()

    venue.say("cancel", filled)
    venue.say("find", unknown(), lambda: None)

    with pytest.raises(errors.BadRequestError):
        await gateway.cancel(order.id)


async def test_a_cancel_of_an_order_from_elsewhere_is_read_from_the_listing(started):
    gateway, venue, _, _ = await with_an_order(started)
    other = venue.take(an_order("OTHER", client_order_id="by hand"))
    venue.say("cancel", LOST)

    await gateway.cancel(other.id)

    assert venue.orders[other.id].status is OrderStatus.CANCELED


async def test_a_cancel_nobody_answers_is_unknown(started):
    gateway, venue, _, order = await with_an_order(started)
    venue.say("cancel", *[unknown() for _ in range(100)])

    with pytest.raises(errors.OutcomeUnknownError, match="does no harm") as caught:
        await gateway.cancel(order.id)

    assert isinstance(caught.value.__cause__, errors.ConnectionError)


async def test_a_refused_cancel_of_an_order_nobody_can_read_is_unknown(started):
    gateway, venue, _, order = await with_an_order(started)
    venue.say("cancel", unknown(), refused("not cancelable"))
    venue.say("find", *[unknown() for _ in range(100)])

    with pytest.raises(errors.OutcomeUnknownError, match="does no harm"):
        await gateway.cancel(order.id)


async def test_a_slow_journal_keeps_nobody_from_cancelling(started):
    class Slow(MemoryJournal):
        async def write(self, *rows):
            if rows[0].intent is not None and rows[0].intent.kind is Kind.CANCEL:
                await asyncio.sleep(20)
            await super().write(*rows)

    venue, journal = ScriptedVenue(), Slow()
    gateway = await started(venue, journal)
    order = await gateway.submit(an_order())

    async with asyncio.timeout(1):
        await gateway.cancel(order.id)

    assert venue.orders[order.id].status is OrderStatus.CANCELED


async def test_a_cancel_that_never_ends_is_unknown_in_time(started):
    gateway, venue, _, order = await with_an_order(started)
    venue.say("cancel", HANGS)

    with pytest.raises(errors.OutcomeUnknownError, match="does no harm"):
        await gateway.cancel(order.id)

    assert asyncio.get_running_loop().time() == pytest.approx(30)


async def test_a_cancel_that_is_never_sent_says_so(started):
    gateway, venue, _, order = await with_an_order(started)
    venue.say("cancel", *[not_sent() for _ in range(100)])

    with pytest.raises(errors.ConnectionError):
        await gateway.cancel(order.id)


async def test_a_broken_journal_keeps_nobody_from_cancelling(started):
    gateway, venue, journal, order = await with_an_order(started)

    async def broken(*_rows):
        raise OSError("disk is full")

    journal.write = broken

    await gateway.cancel(order.id)

    assert venue.orders[order.id].status is OrderStatus.CANCELED


@pytest.mark.parametrize("kind", ALL)
async def test_a_change_is_done_once(started, kind):
    gateway, venue, journal, order = await with_an_order(started, kind)

    new = await gateway.replace(order.id, CHANGE)

    assert new.replaces == order.id
    assert new.limit_price == 10
    assert venue.orders[order.id].status is OrderStatus.REPLACED
    assert journal.rows[-1].order == new


@pytest.mark.parametrize("kind", ALL)
async def test_a_change_whose_answer_was_lost_is_found(started, kind):
    gateway, venue, _, order = await with_an_order(started, kind)
    venue.lag = 2.0
    venue.say("replace", LOST)

    new = await gateway.replace(order.id, CHANGE)

    assert new.replaces == order.id
    assert len(venue.sent("replace")) == 1


async def test_a_change_of_a_change_follows_the_chain(started):
    gateway, _, _, order = await with_an_order(started)

    new = await gateway.replace(order.id, CHANGE)
    last = await gateway.replace(new.id, OrderChange(limit_price="11"))

    assert last.replaces == new.id


@pytest.mark.parametrize("kind", ALL)
async def test_a_change_that_may_have_arrived_is_never_sent_twice(started, kind):
    gateway, venue, _, order = await with_an_order(started, kind)
    venue.say("replace", unknown())

    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await gateway.replace(order.id, CHANGE)

    assert await caught.value.handle.resolve() is None
    assert len(venue.sent("replace")) == 1


async def test_a_late_change_is_found(started):
    gateway, venue, _, order = await with_an_order(started)
    venue.late_by = 60
    venue.say("replace", LATE)

    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await gateway.replace(order.id, CHANGE)

    assert (await caught.value.handle.resolve()).replaces == order.id


async def test_a_change_that_was_never_sent_goes_again(started):
    gateway, venue, _, order = await with_an_order(started)
    venue.say("replace", not_sent())

    assert (await gateway.replace(order.id, CHANGE)).replaces == order.id


async def test_a_refused_change_is_refused(started):
    gateway, venue, _, order = await with_an_order(started)
    venue.say("replace", refused("order is filled"))

    with pytest.raises(errors.OrderRejectedError, match="filled"):
        await gateway.replace(order.id, CHANGE)


@pytest.mark.parametrize("kind", ALL)
async def test_a_change_refused_because_a_proxy_repeated_it_is_done(started, kind):
    gateway, venue, journal, order = await with_an_order(started, kind)
    venue.say("replace", REPEATED)

    changed = await gateway.replace(order.id, CHANGE)

    assert changed.replaces == order.id
    assert len(venue.sent("replace")) == 1
    assert journal.rows[-1].step is Step.ACKED


async def test_a_refused_change_nobody_can_look_for_is_looked_for_until_it_is_found(started):
    gateway, venue, _, order = await with_an_order(started)
    venue.say("replace", REPEATED)
    venue.say("find", unknown(), unknown())

    changed = await gateway.replace(order.id, CHANGE)

    assert changed.replaces == order.id
    assert len(venue.sent("replace")) == 1


async def test_a_refused_change_that_is_not_there_is_refused_in_the_end(started):
    gateway, venue, _, order = await with_an_order(started)
    venue.say("replace", refused("order is filled"))
    venue.say("find", unknown())

    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await gateway.replace(order.id, CHANGE)

    assert await caught.value.handle.resolve() is None


async def test_the_same_change_twice_at_once_is_one(started):
    gateway, venue, _, order = await with_an_order(started)

    one, two = await asyncio.gather(
        gateway.replace(order.id, CHANGE), gateway.replace(order.id, CHANGE)
    )

    assert one == two
    assert len(venue.sent("replace")) == 1


async def test_another_change_waits_for_the_first(started):
    gateway, venue, _, order = await with_an_order(started)
    venue.say("replace", LATE)
    first = asyncio.ensure_future(gateway.replace(order.id, CHANGE))
    await asyncio.sleep(1)

    with pytest.raises(errors.ConflictError, match="not resolved yet"):
        await gateway.replace(order.id, OrderChange(limit_price="11"))

    other = await gateway.submit(an_order("OTHER"))
    await gateway.replace(other.id, OrderChange(qty="3"))
    assert (await first).replaces == order.id


async def test_a_change_may_bring_its_own_id_once(started):
    gateway, _, _, order = await with_an_order(started)
    mine = OrderChange(limit_price="10", client_order_id="mine")

    new = await gateway.replace(order.id, mine)

    assert new.client_order_id == "mine"
    with pytest.raises(errors.ConflictError, match="'mine'"):
        await gateway.replace(new.id, mine)


async def test_a_change_must_keep_within_the_rails(started):
    rails = Rails(max_qty=20, max_notional=150)
    gateway, venue, _, order = await with_an_order(started, rails=rails)
    foreign = venue.take(an_order("OTHER", client_order_id="by hand"))

    for change in (OrderChange(qty=21), OrderChange(limit_price=16)):
        with pytest.raises(errors.OrderLimitError):
            await gateway.replace(order.id, change)
    with pytest.raises(errors.OrderLimitError):
        await gateway.replace(foreign.id, OrderChange(qty=21))

    assert (await gateway.replace(foreign.id, OrderChange(qty=11))).qty == 11


async def test_a_change_of_an_order_from_elsewhere_is_found_too(started):
    gateway, venue, _, _ = await with_an_order(started, BrokerClass.NONE)
    foreign = venue.take(an_order("OTHER"))
    venue.say("replace", LOST)

    assert (await gateway.replace(foreign.id, OrderChange(qty=11))).qty == 11


async def test_an_open_change_is_listed(started):
    gateway, venue, _, order = await with_an_order(started, policy=GatewayPolicy(timeout=5))
    venue.say("replace", LATE)
    asking = asyncio.ensure_future(gateway.replace(order.id, CHANGE))
    await asyncio.sleep(1)

    (left,) = gateway.open

    assert (left.kind.value, left.attempts) == ("replace", 1)
    with pytest.raises(errors.OrderOutcomeUnknownError):
        await asking
    assert an_answer(an_order()).replaces is None
