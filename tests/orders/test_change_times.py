"""When a cancel or a change is asked for again, how long is looked, and what is remembered."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from orders.venues import (
    CLOCK,
    HANGS,
    LOST,
    REPEATED,
    START,
    ScriptedVenue,
    an_order,
    not_sent,
    refused,
    throttled,
    unknown,
)
from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.models.trading import OrderChange
from sentio_async.models.words import OrderStatus
from sentio_async.orders import happenings
from sentio_async.orders.journal import MemoryJournal, Row, Step
from sentio_async.orders.policy import GatewayPolicy
from sentio_async.orders.rails import Rails
from sentio_async.orders.venue import BrokerClass
from sentio_async.resilience.deadline import current_deadline

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

CHANGE = OrderChange(limit_price="10", client_order_id="new")


def now():
    return asyncio.get_running_loop().time()


def noting(times, *answers):
    """Answers that first write down when they were asked for, and until when."""

    def note(answer):
        def asked():
            times.append((now(), current_deadline()))
            if answer is not None:
                raise answer

        return asked

    return [note(each) for each in answers]


async def with_an_order(started, kind=BrokerClass.UNIQUE, **more):
    venue, journal = ScriptedVenue(kind), MemoryJournal()
    gateway = await started(venue, journal, **more)
    order = await gateway.submit(an_order(type="limit", limit_price="9", client_order_id="mine"))
    return gateway, venue, journal, order


async def test_a_cancel_is_asked_for_again_at_growing_distances(started):
    gateway, venue, _, order = await with_an_order(started)
    times = []
    venue.say("cancel", *noting(times, *[not_sent()] * 4, None))

    await gateway.cancel(order.id)

    assert times == [(at, 30.0) for at in (0.0, 0.25, 0.75, 1.75, 3.75)]


@pytest.mark.parametrize(
    ("asked", "waits"),
    [
        (throttled(2.0), 2.0),
        (throttled(None), 0.25),
        (throttled(0.1), 0.25),
        (errors.CircuitOpenError("failing", retry_in=3.0), 3.0),
    ],
)
async def test_a_cancel_waits_as_long_as_it_is_asked_to(started, asked, waits):
    gateway, venue, _, order = await with_an_order(started)
    times = []
    venue.say("cancel", *noting(times, asked, None))

    await gateway.cancel(order.id)

    assert [at for at, _ in times] == [0.0, waits]


async def test_a_cancel_that_would_come_at_the_deadline_is_not_asked_for(started):
    gateway, venue, _, order = await with_an_order(started, policy=GatewayPolicy(timeout=0.75))
    failures = [
        errors.ConnectionError(f"no {n}", outcome=Outcome.NOT_SENT, operation="DELETE")
        for n in range(9)
    ]
    venue.say("cancel", *failures)

    with pytest.raises(errors.ConnectionError, match="no 1") as caught:
        await gateway.cancel(order.id)

    assert now() == 0.25
    assert caught.value.attempts == (
        errors.AttemptRecord(1, "ConnectionError", Outcome.NOT_SENT, 0.0, 0.0),
        errors.AttemptRecord(2, "ConnectionError", Outcome.NOT_SENT, 0.0, 0.0),
    )


async def test_how_long_each_try_of_a_cancel_took_is_kept(started):
    gateway, venue, _, order = await with_an_order(started, policy=GatewayPolicy(timeout=2.5))

    async def slow(_order_id):
        await asyncio.sleep(1.0)
        raise not_sent()

    venue.cancel = slow
    await asyncio.sleep(5.0)

    with pytest.raises(errors.ConnectionError) as caught:
        await gateway.cancel(order.id)

    assert [record.elapsed for record in caught.value.attempts] == [1.0, 1.0]


async def test_a_cancel_nobody_heard_says_of_which_call(started):
    gateway, venue, _, order = await with_an_order(started, policy=GatewayPolicy(timeout=0.75))
    lost = errors.ConnectionError(
        "no answer", outcome=Outcome.UNKNOWN, connector="alpaca", operation="DELETE /orders"
    )
    venue.say("cancel", lost, lost)

    with pytest.raises(errors.OutcomeUnknownError) as caught:
        await gateway.cancel(order.id)

    assert (caught.value.connector, caught.value.operation) == ("alpaca", "DELETE /orders")
    assert caught.value.__cause__ is lost
    assert now() == 0.25


async def test_tries_count_although_the_journal_is_broken(started):
    gateway, venue, journal, order = await with_an_order(started, policy=GatewayPolicy(timeout=5))

    async def broken(*_rows):
        raise OSError("disk is full")

    journal.write = broken
    venue.say("cancel", not_sent(), not_sent(), HANGS)
    asking = asyncio.ensure_future(gateway.cancel(order.id))
    await asyncio.sleep(1.0)

    assert [(each.kind.value, each.attempts) for each in gateway.open] == [("cancel", 3)]
    with pytest.raises(errors.OutcomeUnknownError):
        await asking


async def test_a_try_of_a_cancel_waits_a_quarter_of_a_second_for_a_slow_journal(started):
    gateway, venue, journal, order = await with_an_order(started, policy=GatewayPolicy(timeout=5))
    venue.say("cancel", not_sent())
    write = journal.write

    async def slow(*rows):
        if (rows[0].step, rows[0].attempt) == (Step.SENT, 2):
            await asyncio.sleep(9.0)
        await write(*rows)

    journal.write = slow

    await gateway.cancel(order.id)

    # A pause after the first try, and a moment before the second.
    assert now() == 0.25 + 0.25
    assert venue.orders[order.id].status is OrderStatus.CANCELED


async def test_the_end_of_an_order_of_ours_is_read_by_its_id(started):
    gateway, venue, _, order = await with_an_order(started)
    await asyncio.sleep(2.0)
    venue.say("cancel", LOST)
    times = []
    venue.say("find", *noting(times, unknown(), None, None))

    await gateway.cancel(order.id)

    assert venue.sent("find") == ["mine"] * 4
    assert venue.sent("recent") == []
    assert times == [(2.25, 12.25), (2.5, 12.5), (3.0, 13.0)]
    assert now() == 4.0


async def test_the_end_that_cannot_be_read_in_time(started):
    gateway, venue, _, order = await with_an_order(started, policy=GatewayPolicy(timeout=1.0))
    failure = unknown("no word")
    venue.say("cancel", unknown(), refused("not cancelable"))
    venue.say("find", *[failure] * 9)

    with pytest.raises(errors.OutcomeUnknownError) as caught:
        await gateway.cancel(order.id)

    assert caught.value.__cause__ is failure
    assert now() == 0.5


@pytest.mark.parametrize("kind", [BrokerClass.ECHO, BrokerClass.NONE])
async def test_the_end_of_an_order_is_looked_for_since_it_was_placed(started, kind):
    gateway, venue, _, order = await with_an_order(started, kind)
    await asyncio.sleep(3600)
    venue.say("cancel", LOST)

    await gateway.cancel(order.id)

    assert venue.sent("recent") == [START]


async def test_the_end_of_an_order_from_elsewhere_is_looked_for_a_day_back(started):
    gateway, venue, _, _ = await with_an_order(started)
    other = venue.take(an_order("OTHER", client_order_id="by hand"))
    await asyncio.sleep(3600)
    venue.say("cancel", LOST)

    await gateway.cancel(other.id)

    assert venue.sent("recent") == [START + timedelta(hours=1) - timedelta(days=1)]
    assert venue.orders[other.id].status is OrderStatus.CANCELED


async def test_a_change_that_was_found_is_told_as_found(started):
    heard = []
    gateway, venue, journal, order = await with_an_order(started, listeners=[heard.append])
    venue.say("replace", LOST)

    new = await gateway.replace(order.id, CHANGE)

    assert isinstance(heard[-1], happenings.OrderFound)
    assert journal.rows[-1] == Row("new", Step.ACKED, CLOCK.utcnow().timestamp(), 1, order=new)


async def test_a_change_that_was_refused_is_looked_for_a_few_times(started):
    gateway, venue, _, order = await with_an_order(started)
    await asyncio.sleep(5.0)
    venue.say("replace", refused("order is filled"))
    times = []
    venue.say("find", *noting(times, *[None] * 9))

    with pytest.raises(errors.OrderRejectedError):
        await gateway.replace(order.id, CHANGE)

    assert times == [(5.0, 15.0), (5.25, 15.25), (5.75, 15.75), (6.75, 16.75)]


async def test_a_refused_change_is_found_a_moment_later(started):
    gateway, venue, _, order = await with_an_order(started)
    venue.lag = 0.7
    venue.say("replace", REPEATED)

    assert (await gateway.replace(order.id, CHANGE)).replaces == order.id
    assert now() == 0.75


async def test_that_a_change_was_refused_is_written_down(started):
    written = []

    class Watched(MemoryJournal):
        async def write(self, *rows):
            written.extend(rows)
            await super().write(*rows)

    for words, kept in (("filled", "filled"), ("", "OrderRejectedError")):
        venue = ScriptedVenue()
        gateway = await started(venue, Watched())
        order = await gateway.submit(an_order(type="limit", limit_price="9"))
        venue.say("replace", refused(words))
        written.clear()
        with pytest.raises(errors.OrderRejectedError):
            await gateway.replace(order.id, CHANGE)
        assert [(row.step, row.reason) for row in written] == [
            (Step.INTENT, ""),
            (Step.SENT, ""),
            (Step.SENT, kept),
            (Step.REJECTED, words),
        ]


async def test_every_answer_to_a_change_is_that_of_the_change(started):
    gateway, venue, _, order = await with_an_order(started)
    odd = venue.orders[order.id].model_copy(update={"client_order_id": "whatever"})
    venue.say("replace", lambda: odd)

    assert await gateway.replace(order.id, CHANGE) == odd
    assert venue.sent("find") == []


async def test_a_send_that_has_ended_is_not_under_way(started):
    gateway, venue, _, order = await with_an_order(started)
    venue.say("cancel", not_sent(), HANGS)
    asking = asyncio.ensure_future(gateway.cancel(order.id))
    await asyncio.sleep(0.1)
    (entry,) = gateway._desk.open
    assert entry.is_sending is False
    await asyncio.sleep(0.4)
    assert entry.is_sending is True

    asking.cancel()
    await gateway.stop()


async def test_a_change_that_is_never_sent_is_tried_as_often_as_an_order(started):
    gateway, venue, journal, order = await with_an_order(started)
    venue.say("replace", *[not_sent()] * 9)

    with pytest.raises(errors.ConnectionError):
        await gateway.replace(order.id, CHANGE)

    assert len(venue.sent("replace")) == 4
    assert journal.rows[-1].step is Step.NOT_PLACED


async def test_a_cancel_whose_end_cannot_be_read_is_over(started):
    gateway, venue, journal, order = await with_an_order(started, policy=GatewayPolicy(timeout=1.0))
    venue.say("cancel", unknown(), refused("not cancelable"))
    venue.say("find", *[unknown()] * 9)

    with pytest.raises(errors.OutcomeUnknownError):
        await gateway.cancel(order.id)

    assert gateway.open == []
    assert journal.rows[-1].step is Step.NOT_PLACED


async def test_a_change_of_a_change_is_held_against_the_rails_too(started):
    gateway, _, _, order = await with_an_order(started, rails=Rails(max_notional=Decimal(150)))
    new = await gateway.replace(order.id, CHANGE)

    with pytest.raises(errors.OrderLimitError, match="notional: 200"):
        await gateway.replace(new.id, OrderChange(qty=20))
