"""What listeners, logs and errors say of orders, to the word."""

import asyncio
import logging

import pytest
from msgspec.structs import replace

from orders.venues import (
    CLOCK,
    HANGS,
    LATE,
    LOST,
    ScriptedVenue,
    a_gateway,
    an_answer,
    an_order,
    not_sent,
    refused,
    unknown,
)
from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.orders import happenings
from sentio_async.orders.journal import MemoryJournal, Row, Step
from sentio_async.orders.policy import GatewayPolicy
from sentio_async.orders.venue import BrokerClass

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

MINE = an_order(client_order_id="mine")
WHERE = ("venue", "orders")


class Failing(MemoryJournal):
    """Fails to write rows of one step."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    async def write(self, *rows):
        if rows[-1].step is self.step:
            raise OSError("disk is full")
        await super().write(*rows)


async def told(started, venue, journal=None, **more):
    heard = []
    return await started(venue, journal, listeners=[heard.append], **more), heard


def logged(caplog):
    return [(each.levelno, each.getMessage()) for each in caplog.records]


async def test_an_order_that_was_placed_at_the_second_try(started):
    journal = MemoryJournal()
    gateway, heard = await told(started, ScriptedVenue(BrokerClass.UNIQUE, not_sent()), journal)

    order = await gateway.submit(MINE)

    at = CLOCK.utcnow().timestamp()
    assert journal.rows[-1] == Row("mine", Step.ACKED, at, 2, order=order)

    now = asyncio.get_running_loop().time()
    assert heard == [happenings.OrderPlaced(now, *WHERE, "mine", "v1", 2)]


async def test_an_order_that_was_found(started):
    gateway, heard = await told(started, ScriptedVenue(BrokerClass.UNIQUE, LOST))

    await gateway.submit(MINE)

    now = asyncio.get_running_loop().time()
    assert heard == [happenings.OrderFound(now, *WHERE, "mine", "v1", 1, False, "adopted")]


async def test_an_order_that_was_refused(started):
    gateway, heard = await told(started, ScriptedVenue(BrokerClass.UNIQUE, refused("no money")))

    with pytest.raises(errors.OrderRejectedError) as caught:
        await gateway.submit(MINE)

    assert heard == [happenings.OrderRejected(0.0, *WHERE, "mine", "no money")]
    assert caught.value.attempts == (
        errors.AttemptRecord(1, "OrderRejectedError", Outcome.REFUSED, 0.0, 0.0),
    )


async def test_an_order_that_was_not_placed(started):
    journal = MemoryJournal()
    policy = GatewayPolicy(attempts=1)
    venue = ScriptedVenue(BrokerClass.UNIQUE, not_sent("refused to connect"))
    gateway, heard = await told(started, venue, journal, policy=policy)

    with pytest.raises(errors.ConnectionError):
        await gateway.submit(MINE)

    assert heard == [happenings.OrderNotPlaced(0.0, *WHERE, "mine", "refused to connect")]
    assert journal.rows[-1] == Row(
        "mine", Step.NOT_PLACED, CLOCK.utcnow().timestamp(), 1, reason="refused to connect"
    )


async def test_an_order_of_which_nobody_knows(started):
    venue, journal = ScriptedVenue(BrokerClass.NONE, LATE), MemoryJournal()
    venue.late_by = 60
    policy = GatewayPolicy(timeout=5)
    gateway, heard = await told(started, venue, journal, policy=policy)

    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await gateway.submit(MINE)
    await asyncio.sleep(0)

    error = caught.value
    assert error.message == (
        "order mine: it may have been placed and is being looked for; ask "
        "`await error.handle.resolve()`, and do not send it under a new id"
    )
    assert (error.connector, error.operation) == ("venue", None)
    assert [record.number for record in error.attempts] == [1]
    assert (error.handle.client_order_id, error.handle.order) == ("mine", MINE)
    assert heard == [happenings.OrderUnknown(5.0, *WHERE, "mine", "the venue does not show it")]
    at = CLOCK.utcnow().timestamp()
    assert journal.rows[-1] == Row("mine", Step.UNKNOWN, at, 1, reason="the venue does not show it")

    assert (await error.handle.resolve()).id == "v1"
    assert heard[1:] == [
        happenings.OrderFound(heard[1].at, *WHERE, "mine", "v1", 1, True, "adopted")
    ]


async def test_the_call_that_nobody_knows_of_is_named(started):
    lost = errors.ConnectionError("no answer", outcome=Outcome.UNKNOWN, operation="POST /orders")
    gateway = await started(ScriptedVenue(BrokerClass.NONE, lost), policy=GatewayPolicy(timeout=5))

    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await gateway.submit(MINE)

    assert caught.value.operation == "POST /orders"
    assert caught.value.__cause__ is lost


async def test_a_cancel_of_which_nobody_knows(started):
    venue = ScriptedVenue()
    gateway = await started(venue)
    order = await gateway.submit(MINE)
    venue.say("cancel", HANGS)

    with pytest.raises(errors.OutcomeUnknownError) as caught:
        await gateway.cancel(order.id)

    assert caught.value.message == (
        "cancel of order v1: nobody knows whether it was heard; cancelling again does no harm"
    )
    assert caught.value.connector == "venue"
    assert not isinstance(caught.value, errors.OrderOutcomeUnknownError)


async def test_an_order_that_had_no_time(started):
    class Slow(MemoryJournal):
        async def write(self, *rows):
            await asyncio.sleep(9)

    gateway = await started(ScriptedVenue(), Slow(), policy=GatewayPolicy(timeout=2))

    with pytest.raises(errors.DeadlineExceededError) as caught:
        await gateway.submit(MINE)

    assert caught.value.message == (
        "order mine: never sent; another order just like it is not resolved yet, "
        "or the journal is slow"
    )
    assert (caught.value.outcome, caught.value.connector) == (Outcome.NOT_SENT, "venue")
    await gateway.stop()


async def test_a_journal_that_cannot_be_written_before_a_send(started, caplog):
    venue = ScriptedVenue()
    gateway, heard = await told(started, venue, Failing(Step.SENT))

    with pytest.raises(errors.ConnectorError, match="journal: disk is full") as caught:
        await gateway.submit(MINE)

    assert (caught.value.outcome, caught.value.connector) == (Outcome.NOT_SENT, "venue")
    assert isinstance(caught.value.__cause__, OSError)
    assert heard == [
        happenings.JournalFailed(0.0, *WHERE, "mine", "OSError: disk is full"),
        happenings.OrderNotPlaced(0.0, *WHERE, "mine", "journal: disk is full"),
    ]
    assert logged(caplog) == [(logging.ERROR, "venue: the journal cannot be written")]
    assert caplog.records[0].exc_info[0] is OSError
    assert (venue.calls, gateway.open, gateway.halted) == ([], [], None)


async def test_a_journal_that_cannot_be_written_after_a_send_halts(started, caplog):
    venue = ScriptedVenue()
    gateway, heard = await told(started, venue, Failing(Step.ACKED))

    order = await gateway.submit(MINE)
    await asyncio.sleep(1)

    why = "the journal cannot be written: journal: disk is full"
    assert gateway.halted == why
    assert [type(each) for each in heard][:2] == [
        happenings.JournalFailed,
        happenings.TradingHalted,
    ]
    assert heard[1] == happenings.TradingHalted(0.0, *WHERE, why)
    assert venue.orders[order.id].is_final
    assert (logging.ERROR, f"venue: trading is halted: {why}") in logged(caplog)


async def test_a_journal_that_cannot_say_that_nobody_knows(started, caplog):
    venue = ScriptedVenue(BrokerClass.NONE, LATE)
    gateway = await started(venue, Failing(Step.UNKNOWN), policy=GatewayPolicy(timeout=2))

    with pytest.raises(errors.OrderOutcomeUnknownError):
        await gateway.submit(MINE)
    await asyncio.sleep(0)

    assert logged(caplog)[-1] == (logging.WARNING, "venue: order mine stays open as sent")
    assert gateway.halted is None


async def test_a_fault_of_our_own(started, caplog, monkeypatch):
    gateway, heard = await told(started, ScriptedVenue())
    monkeypatch.setattr("sentio_async.orders.placement.Placement.is_ours", lambda *_: 1 / 0)

    with pytest.raises(errors.OrderOutcomeUnknownError):
        await gateway.submit(MINE)

    assert logged(caplog) == [(logging.ERROR, "venue: order mine is left to the next start")]
    assert caplog.records[0].exc_info[0] is ZeroDivisionError
    assert heard == [happenings.OrderUnknown(0.0, *WHERE, "mine", "division by zero")]
    (left,) = gateway.open
    assert (left.step, left.id, left.attempts) == (Step.UNKNOWN, "mine", 1)


async def test_a_fault_of_a_connector(started, caplog):
    venue = ScriptedVenue(BrokerClass.NONE, KeyError("id"))
    gateway = await started(venue, policy=GatewayPolicy(timeout=2))

    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await gateway.submit(MINE)

    assert logged(caplog) == [(logging.ERROR, "venue: a call failed in an unexpected way")]
    cause = caught.value.__cause__
    assert isinstance(cause, errors.OutcomeUnknownError)
    assert cause.message == "KeyError: 'id'"
    assert isinstance(cause.__cause__, KeyError)


async def test_halting_and_going_on(started, caplog):
    venue = ScriptedVenue()
    gateway, heard = await told(started, venue)
    orders = [await gateway.submit(an_order()) for _ in range(2)]
    venue.say("cancel", refused("too late"))
    heard.clear()

    await gateway.halt("drawdown")
    gateway.resume()

    assert heard[0] == happenings.TradingHalted(0.0, *WHERE, "drawdown")
    assert heard[-1] == happenings.TradingResumed(0.0, *WHERE)
    assert logged(caplog) == [
        (logging.ERROR, "venue: trading is halted: drawdown"),
        (logging.WARNING, f"venue: order {orders[0].id} is not cancelled: too late"),
        (logging.WARNING, "venue: trading is resumed"),
    ]


async def test_a_venue_that_cannot_list_what_is_open(started, caplog):
    venue = ScriptedVenue()
    gateway = await started(venue)
    venue.say("recent", unknown("no word"))

    await gateway.halt("drawdown")

    assert logged(caplog)[-1] == (
        logging.WARNING,
        "venue: cancelling what is known only: no word",
    )


async def test_new_orders_while_trading_is_halted(started):
    gateway = await started()
    await gateway.halt("drawdown")

    with pytest.raises(errors.TradingHaltedError) as caught:
        await gateway.submit(MINE)

    assert caught.value.message == "trading is halted: drawdown"
    assert caught.value.connector == "venue"


async def test_a_word_by_hand_is_written_down(started):
    venue, journal = ScriptedVenue(BrokerClass.NONE, unknown()), MemoryJournal()
    gateway, heard = await told(started, venue, journal, policy=GatewayPolicy(timeout=2))
    with pytest.raises(errors.OrderOutcomeUnknownError):
        await gateway.submit(MINE)

    await gateway.settle("mine", None)

    at = CLOCK.utcnow().timestamp()
    assert journal.rows[-1] == Row("mine", Step.NOT_PLACED, at, 1, reason="settled by hand")
    assert heard[-1] == happenings.OrderNotPlaced(2.0, *WHERE, "mine", "settled by hand")


async def test_an_order_settled_by_hand_counts_as_found(started):
    venue, journal = ScriptedVenue(BrokerClass.NONE, unknown()), MemoryJournal()
    gateway, heard = await told(started, venue, journal, policy=GatewayPolicy(timeout=2))
    with pytest.raises(errors.OrderOutcomeUnknownError):
        await gateway.submit(MINE)
    order = an_answer(MINE, id="by hand")

    await gateway.settle("mine", order)

    assert heard[-1] == happenings.OrderFound(2.0, *WHERE, "mine", "by hand", 1, True, "adopted")
    assert journal.rows[-1].order == order


async def test_what_cannot_be_read_at_a_start(caplog):
    journal = MemoryJournal()
    first = a_gateway(ScriptedVenue(), journal)
    await first.start()
    await first.submit(MINE)
    await first.stop()
    venue = ScriptedVenue()
    venue.say("recent", unknown("no word"))

    again = a_gateway(venue, MemoryJournal(journal.rows))
    await again.start()

    assert logged(caplog) == [
        (logging.WARNING, "venue: what has changed meanwhile cannot be read: no word")
    ]
    await again.stop()


async def killed_twice_alike(venue):
    """Rows of an order that a killed process left, at a venue that shows two like it."""
    journal = MemoryJournal()
    first = a_gateway(venue, journal)
    await first.start()
    asking = asyncio.ensure_future(first.submit(MINE))
    await asyncio.sleep(0.1)
    first.abandon()
    asking.cancel()
    venue.lag = 0.0
    venue.take(an_order())
    return MemoryJournal(journal.rows)


async def test_a_start_that_cannot_find_out():
    venue = ScriptedVenue(BrokerClass.NONE, LOST)
    venue.lag = 0.2
    journal = await killed_twice_alike(venue)
    again = a_gateway(venue, journal)
    before = asyncio.get_running_loop().time()

    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await again.start()

    error = caught.value
    assert asyncio.get_running_loop().time() == before + 300
    assert error.message == (
        "recovery: nobody knows what became of mine (2 orders look like it); look at the venue, "
        "then say so by `sentio-async orders settle`"
    )
    assert error.connector == "venue"
    assert (error.handle.client_order_id, error.handle.order) == ("mine", MINE)
    with pytest.raises(errors.OrderOutcomeUnknownError):
        await error.handle.resolve()


async def test_a_start_that_cannot_find_out_says_why():
    venue = ScriptedVenue(BrokerClass.NONE, unknown())
    journal = await killed_twice_alike(venue)
    failure = unknown("no word")
    venue.say("recent", *[failure for _ in range(200)])

    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await a_gateway(venue, journal).start()

    assert "mine (looking for it failed: no word)" in caught.value.message
    assert caught.value.__cause__ is failure


async def test_what_a_start_has_found_out():
    venue = ScriptedVenue(BrokerClass.UNIQUE, LOST)
    venue.lag = 0.2
    journal = MemoryJournal()
    first = a_gateway(venue, journal)
    await first.start()
    asking = asyncio.ensure_future(first.submit(MINE))
    await asyncio.sleep(0.1)
    first.abandon()
    asking.cancel()
    venue.lag = 0.0
    at = CLOCK.utcnow().timestamp()
    intent = replace(journal.rows[0].intent, id="unsent")
    unsent = Row("unsent", Step.INTENT, at, intent=intent)
    heard = []
    again = a_gateway(venue, MemoryJournal([*journal.rows, unsent]), listeners=[heard.append])

    await again.start()

    assert heard[-1] == happenings.OrdersRecovered(heard[-1].at, *WHERE, 1, 1, 0, 0)
    await again.stop()


async def test_who_waits_is_told_what_was_settled_by_hand(started):
    gateway = await started(ScriptedVenue(BrokerClass.NONE, unknown()))
    submitting = asyncio.ensure_future(gateway.submit(MINE))
    await asyncio.sleep(1)

    await gateway.settle("mine", None)

    with pytest.raises(errors.ConnectorError) as caught:
        await submitting
    assert (caught.value.message, caught.value.outcome) == ("settled by hand", Outcome.NOT_SENT)
    assert [record.number for record in caught.value.attempts] == [1]
