"""What the gateway refuses by itself, under what ids it sends, and how it ends."""

import asyncio

import pytest

from orders.venues import (
    HANGS,
    LATE,
    START,
    ScriptedVenue,
    a_gateway,
    an_order,
    refused,
    unknown,
)
from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.models.trading import OrderChange
from sentio_async.orders.gateway import OpenIntent
from sentio_async.orders.intent import Intent, Kind, client_order_id
from sentio_async.orders.journal import MemoryJournal, Row, Step
from sentio_async.orders.policy import GatewayPolicy
from sentio_async.orders.rails import Rails
from sentio_async.orders.recovery import RecoveryReport
from sentio_async.orders.venue import BrokerClass
from sentio_async.resilience.deadline import with_deadline

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

MINE = an_order(client_order_id="mine")


async def test_before_its_start_nothing_is_taken():
    gateway = a_gateway(ScriptedVenue())

    for call in (
        gateway.submit(MINE),
        gateway.cancel("v1"),
        gateway.replace("v1", OrderChange(qty=1)),
    ):
        with pytest.raises(errors.InvalidRequestError) as caught:
            await call
        assert caught.value.message == "orders: the gateway is not started"
        assert caught.value.connector == "venue"


async def test_its_life():
    venue, journal = ScriptedVenue(), MemoryJournal()
    gateway = a_gateway(venue, journal)
    assert (gateway.is_started, gateway.halted, gateway.open) == (False, None, [])
    assert gateway.policy == GatewayPolicy()
    assert gateway.rails == Rails()

    assert await gateway.start() == RecoveryReport()
    await gateway.submit(MINE)
    assert gateway.is_started is True
    assert await gateway.start() == RecoveryReport()

    await gateway.stop()
    assert gateway.is_started is False
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_ending_at_once_leaves_no_task_and_no_caller_waiting():
    gateway = a_gateway(ScriptedVenue(BrokerClass.UNIQUE, HANGS))
    await gateway.start()
    submitting = asyncio.ensure_future(gateway.submit(MINE))
    await asyncio.sleep(1)

    gateway.abandon()
    await asyncio.sleep(100)

    assert gateway.is_started is False
    assert not submitting.done()
    submitting.cancel()
    await asyncio.gather(submitting, return_exceptions=True)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_stop_waits_five_seconds_for_what_is_being_sent():
    gateway = a_gateway(ScriptedVenue(BrokerClass.UNIQUE, HANGS))
    await gateway.start()
    submitting = asyncio.ensure_future(gateway.submit(MINE))
    await asyncio.sleep(1)

    stopping = asyncio.ensure_future(gateway.stop())
    await asyncio.sleep(1)
    assert gateway.is_started is False
    with pytest.raises(errors.InvalidRequestError, match="not started"):
        await gateway.submit(an_order("OTHER"))
    await stopping

    assert asyncio.get_running_loop().time() == 6
    assert asyncio.all_tasks() == {asyncio.current_task()}
    with pytest.raises(errors.OrderOutcomeUnknownError):
        await submitting


async def test_a_stop_does_not_wait_for_what_nobody_waits_for():
    gateway = a_gateway(ScriptedVenue(BrokerClass.NONE, unknown()), policy=GatewayPolicy(timeout=2))
    await gateway.start()
    with pytest.raises(errors.OrderOutcomeUnknownError):
        await gateway.submit(MINE)

    await gateway.stop()

    assert asyncio.get_running_loop().time() == 2


@pytest.mark.parametrize(("length", "is_plain"), [(39, True), (38, False)])
async def test_an_order_without_a_key_has_an_id_of_its_own(started, length, is_plain):
    gateway = await started(policy=GatewayPolicy(id_length=length))

    ids = [(await gateway.submit(an_order())).client_order_id for _ in range(2)]

    assert len(set(ids)) == 2
    for own in ids:
        assert own.startswith("sentio-")
        assert len(own) == length
        assert (set(own[7:]) <= set("0123456789abcdef")) is is_plain


async def test_the_id_of_a_key_is_that_of_account_and_strategy(started):
    policy = GatewayPolicy(strategy="momentum")
    gateway = await started(policy=policy)

    order = await gateway.submit(an_order(), intent_key="k")

    assert order.client_order_id == client_order_id(policy, "test", "k")


async def test_a_key_or_an_id_of_another_order_is_named(started):
    gateway = await started()
    await gateway.submit(an_order(), intent_key="k")
    await gateway.submit(MINE)

    for order, key, words in (
        (an_order(qty=11), "k", "intent_key 'k' was given to another order"),
        (an_order(qty=11, client_order_id="mine"), None, "id 'mine' was given to another order"),
    ):
        with pytest.raises(errors.InvalidRequestError) as caught:
            await gateway.submit(order, intent_key=key)
        assert caught.value.message == words

    with pytest.raises(errors.ConflictError) as caught:
        await gateway.submit(MINE)
    assert caught.value.message == (
        "id 'mine' was used for order v2; to ask for the same order again, give an intent_key"
    )
    assert caught.value.connector == "venue"


async def test_an_id_of_a_change_is_used_once(started):
    gateway = await started()
    order = await gateway.submit(MINE)

    with pytest.raises(errors.ConflictError) as caught:
        await gateway.replace(order.id, OrderChange(qty=1, client_order_id="mine"))

    assert caught.value.message == "id 'mine' was used before"
    assert caught.value.connector == "venue"


async def test_two_changes_at_once_are_refused(started):
    venue = ScriptedVenue()
    gateway = await started(venue)
    order = await gateway.submit(MINE)
    venue.say("replace", LATE)
    first = asyncio.ensure_future(gateway.replace(order.id, OrderChange(qty=3)))
    await asyncio.sleep(1)

    with pytest.raises(errors.ConflictError) as caught:
        await gateway.replace(order.id, OrderChange(qty=4))

    assert caught.value.message == "another change of order v1 is not resolved yet"
    assert (caught.value.outcome, caught.value.connector) == (Outcome.NOT_SENT, "venue")
    assert (await first).qty == 3


async def test_a_change_without_an_id_gets_one(started):
    venue = ScriptedVenue()
    gateway = await started(venue)
    order = await gateway.submit(MINE)

    new = await gateway.replace(order.id, OrderChange(qty=3))

    assert new.client_order_id.startswith("sentio-")
    (sent,) = venue.sent("replace")
    assert sent == ("v1", OrderChange(qty=3, client_order_id=new.client_order_id))


@pytest.mark.parametrize(("around", "until"), [(2.0, 2.0), (60.0, 30.0), (None, 30.0)])
async def test_nothing_is_sent_after_the_earlier_deadline(started, around, until):
    journal = MemoryJournal()
    gateway = await started(ScriptedVenue(), journal)
    await asyncio.sleep(10)

    with with_deadline(around):
        await gateway.submit(MINE)

    intent = journal.rows[0].intent
    assert intent.at == START.timestamp() + 10
    assert intent.until - intent.at == until
    assert (intent.id, intent.kind, intent.order_id) == ("mine", Kind.PLACE, None)


async def test_what_is_open_is_listed(started):
    gateway = await started(ScriptedVenue(BrokerClass.UNIQUE, HANGS))
    submitting = asyncio.ensure_future(gateway.submit(MINE))
    await asyncio.sleep(1)

    assert gateway.open == [OpenIntent("mine", Kind.PLACE, Step.SENT, 1, START.timestamp(), "")]
    submitting.cancel()
    await gateway.stop()


async def test_only_what_is_open_can_be_settled(started):
    gateway = await started()
    await gateway.submit(MINE)

    for name in ("mine", "other"):
        with pytest.raises(errors.InvalidRequestError) as caught:
            await gateway.settle(name, None)
        assert caught.value.message == f"{name!r} is not open"


async def test_a_check_may_refuse_what_is_new_and_not_what_is_known(started):
    venue, journal = ScriptedVenue(), MemoryJournal()
    gateway = await started(venue, journal)

    def refuse():
        raise errors.StaleDataError("nobody listens")

    order = await gateway.submit(MINE, intent_key="k", check=lambda: None)
    assert await gateway.submit(MINE, intent_key="k", check=refuse) == order
    with pytest.raises(errors.StaleDataError):
        await gateway.submit(an_order("OTHER"), check=refuse)

    assert len(venue.sent()) == 1
    assert {row.id for row in journal.rows} == {"mine"}


async def test_the_rate_of_orders_is_that_of_their_times(started):
    gateway = await started(rails=Rails(orders_per_second=1))
    await asyncio.sleep(10)
    order = await gateway.submit(MINE)
    await asyncio.sleep(1)
    await gateway.replace(order.id, OrderChange(qty=3))

    with pytest.raises(errors.RateLimitError) as caught:
        await gateway.submit(an_order())

    assert caught.value.retry_after == 1.0


async def test_a_key_counts_more_than_an_id(started):
    venue = ScriptedVenue()
    gateway = await started(venue)
    order = await gateway.submit(an_order(client_order_id="a"), intent_key="k")

    assert await gateway.submit(an_order(client_order_id="b"), intent_key="k") == order
    assert len(venue.sent()) == 1


async def test_an_id_that_was_refused_is_free_and_so_is_its_key(started):
    venue = ScriptedVenue(BrokerClass.UNIQUE, refused())
    gateway = await started(venue)
    with pytest.raises(errors.OrderRejectedError):
        await gateway.submit(MINE, intent_key="k")

    order = await gateway.submit(MINE)

    assert await gateway.submit(MINE, intent_key="k") == order


async def test_an_order_is_sent_as_it_was_given_but_for_its_id(started):
    venue = ScriptedVenue()
    gateway = await started(venue)
    given = an_order(type="limit", limit_price="9")

    order = await gateway.submit(given)

    (sent,) = venue.sent()
    assert sent == given.model_copy(update={"client_order_id": order.client_order_id})
    assert sent.model_fields_set == {*given.model_fields_set, "client_order_id"}
    assert given.client_order_id is None


async def test_what_is_written_down_cannot_be_changed():
    intent = Intent(id="i", kind=Kind.PLACE, at=1.0, until=2.0)
    row = Row("i", Step.INTENT, 1.0, intent=intent)

    for value, name in ((intent, "id"), (row, "step")):
        with pytest.raises(AttributeError):
            setattr(value, name, "x")
    assert (intent.intent_key, intent.order, intent.change, intent.order_id) == (None,) * 4
    assert (row.attempt, row.order, row.reason) == (0, None, "")
