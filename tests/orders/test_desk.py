"""What the parts of the gateway share: deadlines, what is remembered, and the lock of twins."""

import asyncio
from collections import deque
from decimal import Decimal

import pytest

from orders.venues import (
    HANGS,
    START,
    ScriptedVenue,
    a_gateway,
    an_order,
    not_sent,
    refused,
    unknown,
)
from sentio_async import errors
from sentio_async.models.page import Rows, SkippedRow
from sentio_async.models.trading import CancelResult
from sentio_async.models.words import OrderStatus
from sentio_async.orders.happenings import TradingHalted, TradingResumed
from sentio_async.orders.journal import MemoryJournal
from sentio_async.orders.policy import GatewayPolicy, Late
from sentio_async.orders.rails import Rails
from sentio_async.orders.recovery import RecoveryReport
from sentio_async.orders.venue import BrokerClass
from sentio_async.resilience.deadline import current_deadline, with_deadline

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

MINE = an_order(client_order_id="mine")


def now():
    return asyncio.get_running_loop().time()


async def test_after_a_call_the_deadline_around_is_that_of_before(started):
    gateway = await started()

    async def asked():
        return current_deadline()

    with with_deadline(50.0):
        assert await gateway._desk.call(asked(), 7.0) == 7.0
        assert current_deadline() == 50.0


async def test_as_many_settled_orders_are_remembered_as_the_policy_says(started):
    gateway = await started(policy=GatewayPolicy(remember=2))
    for key in ("a", "b"):
        await gateway.submit(an_order(key), intent_key=key)
    assert list(gateway._desk.by_key) == ["a", "b"]

    third = await gateway.submit(an_order("c"), intent_key="c")

    desk = gateway._desk
    assert list(desk.by_key) == ["b", "c"]
    assert len(desk.entries) == 2
    assert list(desk.by_order) == ["v2", third.id]


async def test_what_is_open_is_remembered_in_the_place_of_the_youngest(started):
    venue = ScriptedVenue(BrokerClass.UNIQUE, HANGS)
    gateway = await started(venue, policy=GatewayPolicy(remember=1))
    submitting = asyncio.ensure_future(gateway.submit(MINE))
    await asyncio.sleep(1)

    for symbol in ("A", "B"):
        await gateway.submit(an_order(symbol))

    assert [entry.id for entry in gateway._desk.open] == ["mine"]
    submitting.cancel()
    await gateway.stop()


async def unknowns(gateway, venue, *symbols):
    for symbol in symbols:
        venue.say("place", unknown())
        with pytest.raises(errors.OrderOutcomeUnknownError):
            await gateway.submit(an_order(symbol))


async def test_only_orders_of_which_nobody_knows_now_are_counted(started):
    venue = ScriptedVenue(BrokerClass.NONE)
    gateway = await started(venue, rails=Rails(max_unknown=2), policy=GatewayPolicy(timeout=2))
    order = await gateway.submit(an_order("HELD"))
    await unknowns(gateway, venue, "A")
    await gateway.settle(gateway.open[0].id, None)
    venue.say("cancel", HANGS)
    with pytest.raises(errors.OutcomeUnknownError):
        await gateway.cancel(order.id)
    hanging = asyncio.ensure_future(gateway.submit(an_order("SLOW")))
    await unknowns(gateway, venue, "B")
    assert gateway.halted is None

    await unknowns(gateway, venue, "C")

    assert gateway.halted == "of 2 orders nobody knows"
    await asyncio.gather(hanging, return_exceptions=True)


async def test_the_lock_of_twins_is_held_by_one_and_gone_in_the_end(started):
    venue = ScriptedVenue(BrokerClass.NONE, HANGS)
    gateway = await started(venue, policy=GatewayPolicy(timeout=1000))
    twins = gateway._desk._twins
    asking = [asyncio.ensure_future(gateway.submit(an_order())) for _ in range(4)]
    await asyncio.sleep(1)
    assert [users for _, users in twins.values()] == [4]
    asking[1].cancel()
    gateway._desk.open[1].task.cancel()
    await asyncio.sleep(1)
    assert [users for _, users in twins.values()] == [3]

    await gateway.settle(gateway.open[0].id, None)
    await asyncio.sleep(1)

    assert len(venue.sent()) == 3
    assert twins == {}
    await asyncio.gather(*asking, return_exceptions=True)


async def test_finished_work_is_forgotten(started):
    gateway = await started()

    await gateway.submit(MINE)
    await asyncio.sleep(0)

    assert gateway._desk.tasks == set()


# ── halting ───────────────────────────────────────────────────────────────────────────────────


class CancelsAllVenue(ScriptedVenue):
    def __init__(self):
        super().__init__()
        self.script["cancel_all"] = deque()

    async def cancel_all(self):
        return await self._do("cancel_all", None, lambda: None)


async def test_all_is_cancelled_within_the_time_of_one_look(started, caplog):
    seen = []

    def fail():
        seen.append(current_deadline())
        raise unknown("no word")

    venue = CancelsAllVenue()
    gateway = await started(venue)
    await gateway.submit(MINE)
    venue.say("cancel_all", fail)
    venue.say("recent", lambda: seen.append(current_deadline()) or list(venue.orders.values()))
    await asyncio.sleep(3)

    await gateway.halt("drawdown")

    assert seen == [13.0, 13.0]
    assert venue.sent("cancel") == ["v1"]
    assert "venue: cancelling one by one, because all: no word" in caplog.messages


@pytest.mark.parametrize("is_read", [True, False])
async def test_what_is_not_cancelled_with_all_is_cancelled_one_by_one(started, caplog, is_read):
    venue = CancelsAllVenue()
    gateway = await started(venue)
    await gateway.submit(MINE)
    good = CancelResult(order_id="v0", accepted=True, status_code=200)
    results = Rows([good, good.model_copy(update={"accepted": False})])
    venue.say("cancel_all", lambda: results if is_read else Rows([good], [SkippedRow(1, "no id")]))
    venue.say("cancel_all", lambda: Rows([good]))

    await gateway.halt("drawdown")
    assert venue.sent("cancel") == ["v1"]
    assert "venue: cancelling one by one what was not cancelled with all" in caplog.messages

    await gateway.halt("once more")
    assert venue.sent("cancel") == ["v1"]


async def test_open_orders_are_looked_for_a_day_before_the_first_that_is_open(started):
    venue = ScriptedVenue()
    gateway = await started(venue)
    for symbol in ("FILLED", "OPEN", "LATER"):
        order = await gateway.submit(an_order(symbol))
        if symbol == "FILLED":
            gateway.observe(venue.change(order.id, status=OrderStatus.FILLED))
        await asyncio.sleep(3600)

    await gateway.halt("drawdown")
    (since,) = venue.sent("recent")
    assert (START - since).total_seconds() == 86_400 - 3600
    for number in venue.orders:
        gateway.observe(venue.orders[number])
    await gateway.halt("again")

    assert (START - venue.sent("recent")[1]).total_seconds() == 86_400 - 3 * 3600


async def test_a_halt_that_was_there_at_the_start_is_not_told_again(started):
    class Shared(MemoryJournal):
        halt_poll = 1.0

    heard, journal = [], Shared()
    journal.set_halted("by hand")
    gateway = await started(ScriptedVenue(), journal, listeners=[heard.append])
    await asyncio.sleep(3)
    assert heard == []

    gateway.resume()
    await asyncio.sleep(3)

    assert heard == [TradingResumed(3.0, "venue", "orders")]


async def test_what_halts_by_itself_is_told_with_its_reason(started):
    heard = []
    gateway = await started(listeners=[heard.append])
    order = await gateway.submit(MINE)
    heard.clear()

    gateway.observe(order.model_copy(update={"filled_qty": Decimal(11)}))

    why = "ACME: 11 was filled for an order of 10"
    assert heard == [TradingHalted(0.0, "venue", "orders", why)]


async def test_fills_of_a_change_and_of_its_order_count_together(started):
    gateway = await started()
    order = await gateway.submit(MINE)
    entry = gateway._desk.by_order[order.id]

    gateway.observe(order.model_copy(update={"filled_qty": Decimal(6)}))
    gateway._desk.claim(entry, order.model_copy(update={"id": "other"}))
    gateway.observe(order.model_copy(update={"id": "other", "filled_qty": Decimal(5)}))

    assert gateway.halted == "ACME: 11 was filled for an order of 10"


@pytest.mark.parametrize("late", list(Late))
async def test_an_order_that_was_in_time_is_never_cancelled_as_late(started, late):
    venue = ScriptedVenue()
    gateway = await started(venue, policy=GatewayPolicy(late=late))

    await gateway.submit(MINE)
    await asyncio.sleep(1)

    assert venue.sent("cancel") == []


async def test_more_filled_at_once_than_was_wanted_halts(started):
    venue = ScriptedVenue()
    venue.say("place", lambda: venue.take(MINE, filled_qty=Decimal(11)))
    gateway = await started(venue)

    await gateway.submit(MINE)

    assert gateway.halted == "ACME: 11 was filled for an order of 10"


# ── starting ──────────────────────────────────────────────────────────────────────────────────


async def left_by(venue, order=MINE, after=0.1, ask=None, **more):
    """The rows that a process leaves that is killed so many seconds after it asked."""
    journal = MemoryJournal()
    gateway = a_gateway(venue, journal, **more)
    await gateway.start()
    asking = asyncio.ensure_future(ask(gateway) if ask else gateway.submit(order))
    await asyncio.sleep(after)
    gateway.abandon()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    return MemoryJournal(journal.rows)


async def test_what_was_never_sent_is_written_down_as_such():
    rows = (await left_by(ScriptedVenue(BrokerClass.UNIQUE, HANGS))).rows
    heard, journal = [], MemoryJournal(rows[:1])
    gateway = a_gateway(ScriptedVenue(), journal, listeners=[heard.append])

    report = await gateway.start()

    assert report.not_placed == ("mine",)
    assert heard[0].reason == "it was never sent"
    assert gateway.open == []
    await gateway.stop()


async def test_a_send_before_a_kill_is_on_its_way_for_a_timeout_and_a_horizon():
    venue = ScriptedVenue(BrokerClass.NONE, HANGS)
    policy = GatewayPolicy(timeout=30, horizon=50, max_delay=1)
    journal = await left_by(venue, policy=policy)
    venue.script["place"].clear()
    await asyncio.sleep(9.9)
    gateway = a_gateway(venue, journal, policy=policy)

    report = await gateway.start()

    # Sent at 0, so it may have left until 30, although killed before; that is not after now.
    assert report.not_placed == ("mine",)
    assert now() == pytest.approx(10 + 50 + 2, abs=1)
    await gateway.stop()


async def test_a_cancel_of_an_earlier_life_has_all_its_time_again():
    venue = ScriptedVenue()

    async def ask(gateway):
        order = await gateway.submit(MINE)
        venue.say("cancel", HANGS)
        await gateway.cancel(order.id)

    journal = await left_by(venue, ask=ask)
    await asyncio.sleep(3600)
    seen = []
    venue.say("cancel", not_sent(), lambda: seen.append(current_deadline() - now()))
    begun = now()

    gateway = a_gateway(venue, journal)
    await gateway.start()

    assert seen == [pytest.approx(30.0 - 0.25)]
    assert now() == begun + 0.25
    await gateway.stop()


class HoldingVenue(ScriptedVenue):
    def __init__(self, *answers):
        super().__init__()
        self.script["positions"] = deque(answers)

    async def positions(self):
        return await self._do("positions", None, list)


async def test_what_changed_and_what_is_held_is_read_within_the_time_of_one_look(caplog):
    seen = []

    def held():
        seen.append(current_deadline() - now())
        raise unknown("no word")

    venue = HoldingVenue(held)
    journal = MemoryJournal()
    first = a_gateway(venue, journal)
    await first.start()
    order = await first.submit(MINE)
    await first.stop()
    filled = venue.change(order.id, status=OrderStatus.FILLED, filled_qty=Decimal(10))
    venue.say("recent", lambda: seen.append(current_deadline() - now()) or [filled])
    await asyncio.sleep(60)

    again = a_gateway(venue, MemoryJournal(journal.rows))
    report = await again.start()

    assert seen == [10.0, 10.0]
    assert (START - venue.sent("recent")[0]).total_seconds() == 5.0
    assert report.changed == (filled,)
    assert again._desk.journal.rows[-1].order == filled
    assert caplog.messages == ["venue: positions cannot be read: no word"]
    await again.stop()


async def test_an_end_that_is_read_at_a_start_is_not_read_again():
    venue, journal = ScriptedVenue(), MemoryJournal()
    first = a_gateway(venue, journal)
    await first.start()
    order = await first.submit(MINE)
    await first.stop()
    venue.change(order.id, status=OrderStatus.CANCELED)
    for _ in range(2):
        again = a_gateway(venue, journal := MemoryJournal(journal.rows))
        await again.start()
        await again.stop()

    assert len(venue.sent("recent")) == 1


async def test_a_refused_start_can_be_tried_again():
    class Torn(MemoryJournal):
        opened = 0

        async def open(self, account):
            self.opened += 1
            if self.opened == 1:
                raise errors.ConfigurationError("torn")
            return await super().open(account)

    gateway = a_gateway(ScriptedVenue(), Torn())
    with pytest.raises(errors.ConfigurationError):
        await gateway.start()
    assert not gateway.is_started

    await gateway.start()

    assert (await gateway.submit(MINE)).id == "v1"
    await gateway.stop()


async def test_a_rejected_order_of_an_earlier_life_keeps_its_words(started):
    venue, journal = ScriptedVenue(BrokerClass.UNIQUE, refused("no money")), MemoryJournal()
    first = a_gateway(venue, journal)
    await first.start()
    with pytest.raises(errors.OrderRejectedError):
        await first.submit(MINE, intent_key="k")
    await first.stop()
    again = await started(venue, MemoryJournal(journal.rows))

    for _ in range(2):
        with pytest.raises(errors.OrderRejectedError) as caught:
            await again.submit(MINE, intent_key="k")
        assert (caught.value.message, caught.value.connector) == ("no money", "venue")


async def test_a_start_that_hears_nothing_says_so():
    venue = ScriptedVenue(BrokerClass.NONE, HANGS)
    journal = await left_by(venue)
    venue.say("recent", HANGS)

    with pytest.raises(errors.OrderOutcomeUnknownError, match=r"became of mine \(no word\); look"):
        await a_gateway(venue, journal, policy=GatewayPolicy(recovery_timeout=2)).start()

    assert now() == pytest.approx(2.1)


async def test_before_its_start_a_gateway_has_nothing_to_resume():
    heard = []
    gateway = a_gateway(ScriptedVenue(), listeners=[heard.append])

    gateway.resume()

    assert heard == []


@pytest.mark.parametrize(
    "found", [{"placed": (1,)}, {"not_placed": ("i",)}, {"rejected": ("i",)}, {"changed": (1,)}]
)
async def test_a_report_with_anything_in_it_is_not_empty(found):
    assert RecoveryReport().is_empty is True
    assert RecoveryReport(**found).is_empty is False


async def test_all_of_which_nothing_is_known_are_named():
    venue = ScriptedVenue(BrokerClass.NONE, HANGS, HANGS)

    async def ask(gateway):
        await asyncio.gather(
            gateway.submit(MINE), gateway.submit(an_order("B", client_order_id="b"))
        )

    journal = await left_by(venue, ask=ask)
    venue.say("recent", HANGS, HANGS)

    with pytest.raises(errors.OrderOutcomeUnknownError, match=r"mine \(no word\), b \(no word\);"):
        await a_gateway(venue, journal, policy=GatewayPolicy(recovery_timeout=2)).start()


async def test_what_was_sent_long_ago_cannot_be_on_its_way():
    venue = ScriptedVenue(BrokerClass.NONE, HANGS)
    journal = await left_by(venue)
    await asyncio.sleep(3600)
    begun = now()

    gateway = a_gateway(venue, journal)
    report = await gateway.start()

    assert report.not_placed == ("mine",)
    assert now() == begun + 0.75
    await gateway.stop()
