"""Nobody knows: what the caller is told, and what goes on."""

import asyncio
import copy
import pickle

import pytest

from orders.venues import (
    HANGS,
    LATE,
    LOST,
    ScriptedVenue,
    a_gateway,
    an_answer,
    an_order,
    unknown,
)
from sentio_async import errors
from sentio_async.models.words import OrderStatus
from sentio_async.orders.entry import Verdict
from sentio_async.orders.happenings import OrderFound, OrderUnknown
from sentio_async.orders.journal import MemoryJournal, Step
from sentio_async.orders.policy import GatewayPolicy, Late
from sentio_async.orders.venue import BrokerClass
from sentio_async.resilience.deadline import with_deadline

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def a_late_order(started, **policy):
    heard = []
    venue = ScriptedVenue(BrokerClass.NONE, LATE)
    venue.late_by = 60
    policy = GatewayPolicy(timeout=5, **policy)
    gateway = await started(venue, policy=policy, listeners=[heard.append])
    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await gateway.submit(an_order(), intent_key="k")
    return gateway, venue, heard, caught.value


async def test_the_error_has_what_is_known(started):
    gateway, _, heard, error = await a_late_order(started)

    assert isinstance(error.__cause__, errors.ConnectionError)
    assert error.connector == "venue"
    assert error.attempts[0].error == "ConnectionError"
    assert error.handle.order == an_order(client_order_id=error.handle.client_order_id)
    assert isinstance(heard[0], OrderUnknown)
    assert [each.step for each in gateway.open] == [Step.UNKNOWN]


async def test_a_late_order_is_adopted(started):
    gateway, venue, heard, error = await a_late_order(started)

    order = await error.handle.resolve()

    assert order.id == "v1"
    assert await gateway.submit(an_order(), intent_key="k") == order
    assert await error.handle.resolve() == order
    assert isinstance(heard[-1], OrderFound)
    assert (heard[-1].late, heard[-1].action) == (True, "adopted")
    assert venue.sent("cancel") == []


async def test_a_late_order_is_cancelled_if_that_is_the_policy(started):
    _, venue, heard, error = await a_late_order(started, late=Late.CANCEL)

    order = await error.handle.resolve()
    await asyncio.sleep(1)

    assert venue.orders[order.id].status is OrderStatus.CANCELED
    assert heard[1].action == "cancelled"


async def test_a_late_order_that_is_filled_is_only_told(started):
    _, venue, _, error = await a_late_order(started, late=Late.CANCEL)
    filled = an_answer(an_order(), status="filled", filled_qty="10")
    venue.say("recent", lambda: [filled])

    assert await error.handle.resolve() == filled
    assert venue.sent("cancel") == []


async def test_the_time_of_a_call_counts_from_its_beginning(started):
    venue = ScriptedVenue(BrokerClass.UNIQUE, HANGS)
    gateway = await started(venue)
    await asyncio.sleep(100)

    with pytest.raises(errors.OrderOutcomeUnknownError):
        await gateway.submit(an_order())

    assert asyncio.get_running_loop().time() == 130


async def test_a_deadline_of_less_than_a_second_is_kept(started):
    gateway = await started(ScriptedVenue(BrokerClass.UNIQUE, HANGS))

    with with_deadline(0.5), pytest.raises(errors.OrderOutcomeUnknownError):
        await gateway.submit(an_order())

    assert asyncio.get_running_loop().time() == 0.5


async def test_a_handle_looks_at_once(started):
    _, venue, _, error = await a_late_order(started)
    venue.take(an_order())
    before = asyncio.get_running_loop().time()

    assert (await error.handle.resolve()).id == "v1"
    assert asyncio.get_running_loop().time() == before


async def test_a_handle_waits_no_longer_than_it_is_told(started):
    gateway, _, _, error = await a_late_order(started)

    with pytest.raises(errors.OrderOutcomeUnknownError):
        await error.handle.resolve(timeout=1)

    # Who asks again and again leaves nothing behind.
    assert [entry.watchers for entry in gateway._desk.open] == [[]]
    assert (await error.handle.resolve(timeout=100)).id == "v1"


async def test_a_handle_of_a_gateway_that_has_ended_says_so_and_leaves_the_journal_alone():
    venue, journal = ScriptedVenue(BrokerClass.NONE, LATE), MemoryJournal()
    gateway = a_gateway(venue, journal, policy=GatewayPolicy(timeout=5))
    await gateway.start()
    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await gateway.submit(an_order())
    await gateway.stop()
    venue.take(an_order())
    before = journal.rows

    with pytest.raises(errors.OrderOutcomeUnknownError):
        await caught.value.handle.resolve()

    assert journal.rows == before
    assert journal.halted() is None


async def test_who_asks_a_handle_may_leave(started):
    _, _, _, error = await a_late_order(started)
    asking = asyncio.ensure_future(error.handle.resolve())
    await asyncio.sleep(1)
    asking.cancel()

    assert (await error.handle.resolve()).id == "v1"


async def test_an_answer_that_comes_late_counts(started):
    venue = ScriptedVenue()
    venue.say("place", HANGS)
    gateway = await started(venue)

    async def slow(order):
        await asyncio.sleep(40)
        return venue.take(order)

    venue.place = slow
    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await gateway.submit(an_order())

    assert (await caught.value.handle.resolve()).id == "v1"


async def test_nothing_is_sent_once_the_caller_was_told(started):
    venue = ScriptedVenue()
    venue.say("place", unknown())
    venue.say("find", *[unknown() for _ in range(100)])
    gateway = await started(venue, policy=GatewayPolicy(timeout=0.1))

    with pytest.raises(errors.OrderOutcomeUnknownError):
        await gateway.submit(an_order())
    await asyncio.sleep(60)

    assert len(venue.sent()) == 1


async def test_the_time_may_run_out_while_the_journal_writes(started):
    class Slow(MemoryJournal):
        async def write(self, *rows):
            await asyncio.sleep(3)
            await super().write(*rows)

    venue = ScriptedVenue()
    gateway = await started(venue, Slow(), policy=GatewayPolicy(timeout=2))

    with pytest.raises(errors.DeadlineExceededError, match="journal is slow"):
        await gateway.submit(an_order())
    await asyncio.sleep(10)

    assert venue.sent() == []
    assert gateway.open == []


async def test_the_time_may_run_out_while_a_second_send_is_written_down(started):
    class SlowLater(MemoryJournal):
        async def write(self, *rows):
            if rows[0].attempt == 2:
                await asyncio.sleep(10)
            await super().write(*rows)

    venue = ScriptedVenue()
    venue.say("place", unknown())
    gateway = await started(venue, SlowLater(), policy=GatewayPolicy(timeout=2))

    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await gateway.submit(an_order())

    assert await caught.value.handle.resolve() is None
    assert len(venue.sent()) == 1


async def test_the_journal_may_be_slow_to_hear_that_nobody_knows(started):
    class Broken(MemoryJournal):
        async def write(self, *rows):
            if rows[0].step is Step.UNKNOWN:
                raise OSError("disk is full")
            await super().write(*rows)

    venue = ScriptedVenue(BrokerClass.NONE, LATE)
    gateway = await started(venue, Broken(), policy=GatewayPolicy(timeout=2))

    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await gateway.submit(an_order())

    assert (await caught.value.handle.resolve()).id == "v1"


async def test_a_handle_does_not_travel(started):
    _, _, _, error = await a_late_order(started)

    there = pickle.loads(pickle.dumps(error.handle))

    assert there.client_order_id == error.handle.client_order_id
    assert repr(there) == f"<OrderHandle {there.client_order_id!r}>"
    with pytest.raises(errors.OutcomeUnknownError) as caught:
        await there.resolve()
    assert caught.value.message == (
        "this handle was copied; ask a broker by get_order_by_client_id"
    )
    assert copy.copy(error).handle is not None


async def test_a_person_can_say_what_became_of_it(started):
    gateway, _, _, error = await a_late_order(started)
    mine = an_answer(an_order(), id="by hand")

    await gateway.settle(error.handle.client_order_id, mine)

    assert await error.handle.resolve() == mine
    with pytest.raises(errors.InvalidRequestError, match="not open"):
        await gateway.settle(error.handle.client_order_id, None)


async def test_a_person_can_say_that_it_was_never_placed(started):
    gateway, _, _, error = await a_late_order(started)
    waiting = asyncio.ensure_future(error.handle.resolve())
    await asyncio.sleep(1)

    await gateway.settle(error.handle.client_order_id, None)

    assert await waiting is None
    assert gateway.open == []


async def test_a_fault_of_our_own_leaves_the_order_open(started, monkeypatch):
    venue = ScriptedVenue()
    gateway = await started(venue)
    monkeypatch.setattr("sentio_async.orders.placement.Placement.is_ours", lambda *_: 1 / 0)

    with pytest.raises(errors.OrderOutcomeUnknownError):
        await gateway.submit(an_order())

    assert len(venue.orders) == 1
    assert len(gateway.open) == 1


async def test_a_caller_that_leaves_changes_nothing(started):
    venue, journal = ScriptedVenue(), MemoryJournal()
    venue.say("place", LOST)
    venue.lag = 1.0
    gateway = await started(venue, journal)
    submitting = asyncio.ensure_future(gateway.submit(an_order(), intent_key="k"))
    await asyncio.sleep(0.1)

    submitting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await submitting
    await asyncio.sleep(5)

    assert journal.rows[-1].step is Step.ACKED
    assert (await gateway.submit(an_order(), intent_key="k")).id == "v1"


async def test_a_caller_that_leaves_before_anything_was_sent_takes_the_order_back(started):
    class Slow(MemoryJournal):
        async def write(self, *rows):
            await asyncio.sleep(1)
            await super().write(*rows)

    venue = ScriptedVenue()
    gateway = await started(venue, Slow())
    submitting = asyncio.ensure_future(gateway.submit(an_order()))
    await asyncio.sleep(0.5)

    submitting.cancel()
    await asyncio.sleep(5)

    assert venue.sent() == []
    assert gateway.open == []


async def test_stopping_gives_an_order_under_way_a_moment():
    venue = ScriptedVenue()
    venue.say("place", LOST)
    venue.lag = 1.0
    gateway = a_gateway(venue)
    await gateway.start()
    submitting = asyncio.ensure_future(gateway.submit(an_order()))
    await asyncio.sleep(0.1)

    await gateway.stop()

    assert (await submitting).id == "v1"
    assert not gateway.is_started
    await gateway.stop()


async def test_stopping_does_not_wait_for_ever():
    venue, journal = ScriptedVenue(), MemoryJournal()
    venue.say("place", HANGS)
    gateway = a_gateway(venue, journal)
    await gateway.start()
    submitting = asyncio.ensure_future(gateway.submit(an_order()))
    await asyncio.sleep(0.1)

    await gateway.stop()

    with pytest.raises(errors.OrderOutcomeUnknownError):
        await submitting
    assert [row.step for row in journal.rows] == [Step.INTENT, Step.SENT]


async def test_a_stopped_gateway_takes_nothing():
    gateway = a_gateway(ScriptedVenue())

    for call in (gateway.submit(an_order()), gateway.cancel("1")):
        with pytest.raises(errors.InvalidRequestError, match="not started"):
            await call


async def test_the_time_may_run_out_while_an_answer_is_written_down(started):
    class SlowAtTheEnd(MemoryJournal):
        async def write(self, *rows):
            if rows[0].step is Step.ACKED:
                await asyncio.sleep(5)
            await super().write(*rows)

    gateway = await started(ScriptedVenue(), SlowAtTheEnd(), policy=GatewayPolicy(timeout=2))

    assert (await gateway.submit(an_order())).id == "v1"


async def test_two_may_ask_one_handle(started):
    _, venue, _, error = await a_late_order(started)
    venue.take(an_order())

    one, two = await asyncio.gather(error.handle.resolve(), error.handle.resolve())

    assert one == two


async def test_the_first_verdict_counts(started):
    gateway, _, _, error = await a_late_order(started)
    order = await error.handle.resolve()
    entry = gateway._desk.by_key["k"]

    await gateway._carrier.end(entry, Verdict(Step.NOT_PLACED, error=error))

    assert await gateway.submit(an_order(), intent_key="k") == order


async def test_a_twin_that_waits_ends_with_the_gateway():
    venue = ScriptedVenue(BrokerClass.NONE, HANGS)
    gateway = a_gateway(venue)
    await gateway.start()
    asking = [asyncio.ensure_future(gateway.submit(an_order())) for _ in range(3)]
    await asyncio.sleep(1)

    await gateway.stop()

    ended = await asyncio.gather(*asking, return_exceptions=True)
    assert {type(each) for each in ended} == {errors.OrderOutcomeUnknownError}
    assert len(venue.sent()) == 1
