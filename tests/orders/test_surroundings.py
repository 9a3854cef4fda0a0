"""What is around an order: its caller's deadline, clocks that jump, machines that sleep."""

import asyncio
from datetime import timedelta
from decimal import localcontext

import pytest

from orders.venues import (
    CLOCK,
    LOST,
    BrokerClass,
    LoopClock,
    ScriptedVenue,
    a_gateway,
    an_order,
    not_sent,
    unknown,
)
from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.models.words import OrderStatus
from sentio_async.orders.intent import Intent, Kind
from sentio_async.orders.journal import MemoryJournal, Row, Step
from sentio_async.orders.policy import GatewayPolicy, Late
from sentio_async.orders.rails import Rails
from sentio_async.resilience.deadline import check_deadline, current_deadline, with_deadline

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

HOUR = 3600.0


class StrictVenue(ScriptedVenue):
    """Cancels nothing when no time is left, as a connector does."""

    async def cancel(self, order_id):
        check_deadline("cancel", CLOCK)
        await super().cancel(order_id)


class JumpingClock(LoopClock):
    """Its wall clock is set forward, or goes on while the loop's stands still."""

    ahead = 0.0

    def utcnow(self):
        return super().utcnow() + timedelta(seconds=self.ahead)


class WatchedJournal(MemoryJournal):
    halt_poll = 1.0


async def test_a_late_order_is_cancelled_long_after_its_callers_deadline(started):
    venue = StrictVenue(BrokerClass.UNIQUE, LOST)
    venue.lag = 10.0
    gateway = await started(venue, policy=GatewayPolicy(late=Late.CANCEL))
    with with_deadline(0.2, clock=CLOCK), pytest.raises(errors.OrderOutcomeUnknownError):
        await gateway.submit(an_order())

    await asyncio.sleep(30)

    assert venue.orders["v1"].status is OrderStatus.CANCELED


async def test_a_halt_by_itself_cancels_long_after_the_deadline_of_its_cause(started):
    venue = StrictVenue()
    gateway = await started(venue, rails=Rails(max_unknown=1))
    order = await gateway.submit(an_order())
    venue.say("place", unknown())
    venue.say("find", *[unknown()] * 9)
    venue.lag = 60.0
    venue.say("recent", unknown())

    with with_deadline(0.1, clock=CLOCK), pytest.raises(errors.OrderOutcomeUnknownError):
        await gateway.submit(an_order("OTHER"))
    await asyncio.sleep(5)

    assert gateway.halted == "of 1 orders nobody knows"
    assert venue.orders[order.id].status is OrderStatus.CANCELED


async def test_a_halt_from_elsewhere_cancels_long_after_the_deadline_of_the_start():
    venue, journal = StrictVenue(), WatchedJournal()
    gateway = a_gateway(venue, journal)
    with with_deadline(1.0, clock=CLOCK):
        await gateway.start()
        around = current_deadline()
        assert around is not None
    order = await gateway.submit(an_order())
    await asyncio.sleep(5)

    journal.set_halted("drawdown")
    await asyncio.sleep(5)
    await gateway.stop()

    assert venue.orders[order.id].status is OrderStatus.CANCELED


async def test_the_deadline_around_a_submit_is_the_same_after_it(started):
    gateway = await started()
    with with_deadline(9.0, clock=CLOCK):
        around = current_deadline()
        await gateway.submit(an_order())
        assert current_deadline() == around


async def test_a_caller_that_leaves_between_two_tries_takes_the_order_back(started):
    venue, journal = ScriptedVenue(BrokerClass.UNIQUE, *[not_sent()] * 3), MemoryJournal()
    gateway = await started(venue, journal)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await gateway.submit(an_order())
    tries = len(venue.sent())

    await asyncio.sleep(30)

    assert len(venue.sent()) == tries
    assert journal.rows[-1].step is Step.NOT_PLACED
    assert gateway.open == []


async def test_a_caller_that_leaves_an_order_on_its_way_does_not_take_it_back(started):
    venue, journal = ScriptedVenue(), MemoryJournal()
    gateway = await started(venue, journal)

    async def on_its_way(order):
        gateway.check_turn()
        await asyncio.sleep(1)
        raise unknown()

    place, venue.place = venue.place, on_its_way
    submitting = asyncio.ensure_future(gateway.submit(an_order()))
    await asyncio.sleep(0.5)
    submitting.cancel()
    await asyncio.sleep(0.1)
    venue.place = place
    await asyncio.sleep(5)

    # Sent again under its id, which finds out what became of the first.
    assert journal.rows[-1].step is Step.ACKED


async def after_a_night(started, answer):
    """A venue that has answered once, and an order under way when the machine fell asleep."""
    clock, venue = JumpingClock(), ScriptedVenue(BrokerClass.UNIQUE, answer)
    gateway = await started(venue, clock=clock)
    submitting = asyncio.ensure_future(gateway.submit(an_order()))
    await asyncio.sleep(0.05)
    clock.ahead = 8 * HOUR
    return venue, submitting


async def test_nothing_is_sent_by_a_machine_that_has_slept(started):
    venue, submitting = await after_a_night(started, not_sent())

    with pytest.raises(errors.DeadlineExceededError) as caught:
        await submitting
    assert caught.value.outcome is Outcome.NOT_SENT
    assert venue.orders == {}


async def test_what_may_have_arrived_is_only_looked_for_by_a_machine_that_has_slept(started):
    venue, submitting = await after_a_night(started, unknown())

    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await submitting
    assert await caught.value.handle.resolve() is None
    assert len(venue.sent()) == 1


@pytest.mark.parametrize("back", [1.0, HOUR])
async def test_an_order_of_unknown_age_is_looked_for_and_not_sent(back):
    at = CLOCK.utcnow().timestamp() + back
    intent = Intent(
        id="a", kind=Kind.PLACE, at=at, until=at + 30, order=an_order(client_order_id="a")
    )
    rows = [Row("a", Step.INTENT, at, intent=intent), Row("a", Step.SENT, at, 1)]
    venue = ScriptedVenue()
    gateway = a_gateway(venue, MemoryJournal(rows))

    report = await gateway.start()
    await gateway.stop()

    assert report.not_placed == ("a",)
    assert venue.sent() == []


async def test_what_changed_is_asked_for_since_the_venue_had_it_whatever_our_clock_said():
    # The venue's clock is an hour behind ours.
    venue, journal = ScriptedVenue(), MemoryJournal()
    first = a_gateway(venue, journal)
    await first.start()
    hour_ago = CLOCK.utcnow() - timedelta(seconds=HOUR)
    venue.say("place", lambda: venue.take(venue.sent()[-1], submitted_at=hour_ago))
    order = await first.submit(an_order())
    await first.stop()
    venue.change(order.id, status=OrderStatus.FILLED, filled_qty=order.qty)

    second = a_gateway(venue, journal)
    report = await second.start()
    await second.stop()

    assert [each.id for each in report.changed] == [order.id]


async def test_a_start_on_a_full_disk_still_tells_what_changed(caplog):
    class FullDisk(MemoryJournal):
        async def write(self, *rows):
            raise OSError("disk is full")

    venue, journal = ScriptedVenue(), MemoryJournal()
    first = a_gateway(venue, journal)
    await first.start()
    order = await first.submit(an_order())
    await first.stop()
    venue.change(order.id, status=OrderStatus.FILLED, filled_qty=order.qty)

    second = a_gateway(venue, FullDisk(journal.rows))
    report = await second.start()

    assert [each.status for each in report.changed] == [OrderStatus.FILLED]
    assert "venue: the journal cannot be written" in caplog.messages
    with pytest.raises(errors.ConnectorError, match="disk is full"):
        await second.submit(an_order())
    await second.stop()


async def test_a_halt_from_elsewhere_is_noticed_again_after_somebody_has_cancelled_all():
    venue, journal = ScriptedVenue(), WatchedJournal()
    gateway = a_gateway(venue, journal)
    await gateway.start()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.sleep(5)
    order = await gateway.submit(an_order())

    journal.set_halted("drawdown")
    await asyncio.sleep(5)

    assert venue.orders[order.id].status is OrderStatus.CANCELED
    await gateway.stop()
    with pytest.raises(errors.InvalidRequestError, match="not started"):
        await gateway.submit(an_order())
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("qty", ["0.123456789", "1234567"])
async def test_fills_add_up_whatever_the_program_reckons_in(started, qty):
    venue = ScriptedVenue()
    gateway = await started(venue)
    with localcontext() as six:
        six.prec = 6
        order = await gateway.submit(an_order(qty=qty))
        gateway.observe(venue.change(order.id, filled_qty=order.qty))

    assert gateway.halted is None


async def test_an_order_for_the_id_of_an_instrument_is_found_under_its_symbol(started):
    venue = ScriptedVenue()
    gateway = await started(venue)

    def lose():
        taken = venue.take(venue.sent()[-1])
        venue.orders[taken.id] = taken.model_copy(update={"symbol": "ACME"})
        raise unknown()

    venue.say("place", lose)
    wanted = an_order("B0B6DD9D-8b9b-48a9-ba46-b9d54906e415")
    order = await gateway.submit(wanted, intent_key="k")

    assert (order.id, order.symbol) == ("v1", "ACME")
    assert len(venue.sent()) == 1


async def test_an_id_belongs_to_the_key_that_it_was_given_with(started):
    venue = ScriptedVenue()
    gateway = await started(venue)
    order = await gateway.submit(an_order(client_order_id="x"), intent_key="one")

    with pytest.raises(errors.InvalidRequestError, match="'x' was given to intent_key 'one'"):
        await gateway.submit(an_order(client_order_id="x"), intent_key="two")

    assert await gateway.submit(an_order(client_order_id="x"), intent_key="one") == order
    assert len(venue.sent()) == 1
