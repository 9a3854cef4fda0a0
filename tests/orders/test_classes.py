"""Brokers that do not find an order by its id, or take the same one twice."""

import asyncio

import pytest

from orders.venues import (
    HANGS,
    LATE,
    LOST,
    LoopClock,
    ScriptedVenue,
    an_answer,
    an_order,
    not_sent,
    refused,
    unknown,
)
from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.orders.journal import MemoryJournal
from sentio_async.orders.policy import GatewayPolicy
from sentio_async.orders.venue import BrokerClass

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

NEVER_REPEATED = [BrokerClass.ECHO, BrokerClass.NONE]
NOT_SHOWN = [BrokerClass.WRITEONLY, BrokerClass.NONE]


def now():
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("kind", [*NEVER_REPEATED, BrokerClass.WRITEONLY])
async def test_an_order_whose_answer_was_lost_is_found_in_the_listing(started, kind):
    venue = ScriptedVenue(kind, LOST)
    venue.lag = 0.1
    gateway = await started(venue)

    order = await gateway.submit(an_order())

    assert list(venue.orders) == [order.id]


@pytest.mark.parametrize("kind", NEVER_REPEATED)
async def test_what_may_have_arrived_is_never_sent_twice(started, kind):
    venue = ScriptedVenue(kind, unknown())
    gateway = await started(venue)

    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await gateway.submit(an_order(), intent_key="k")
    assert now() == pytest.approx(30)
    assert await caught.value.handle.resolve() is None

    assert now() >= 120
    assert len(venue.sent()) == 1
    assert len(venue.sent("recent")) > 3


@pytest.mark.parametrize("kind", NEVER_REPEATED)
async def test_what_was_never_sent_goes_again_at_every_broker(started, kind):
    venue = ScriptedVenue(kind, not_sent())
    gateway = await started(venue)

    order = await gateway.submit(an_order())

    assert list(venue.orders) == [order.id]


@pytest.mark.parametrize("kind", NEVER_REPEATED)
async def test_an_order_that_arrives_late_is_not_lost(started, kind):
    venue = ScriptedVenue(kind, LATE)
    venue.late_by = 100
    gateway = await started(venue)

    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await gateway.submit(an_order())
    order = await caught.value.handle.resolve()

    assert list(venue.orders) == [order.id]


@pytest.mark.parametrize("kind", NEVER_REPEATED)
async def test_failed_listings_prove_nothing(started, kind):
    venue = ScriptedVenue(kind, unknown())
    venue.say("recent", *[refused("no") for _ in range(100)])
    gateway = await started(venue)

    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await gateway.submit(an_order())
    with pytest.raises(errors.OrderOutcomeUnknownError):
        await caught.value.handle.resolve(timeout=300)
    assert await caught.value.handle.resolve() is None

    assert now() > 330


async def test_a_refusal_of_a_repeated_id_finds_a_writeonly_order(started):
    venue = ScriptedVenue(BrokerClass.WRITEONLY, LOST)
    venue.lag = 2.0
    gateway = await started(venue)

    order = await gateway.submit(an_order())

    assert list(venue.orders) == [order.id]
    assert len(venue.sent()) == 2


async def test_a_repeated_id_is_a_plain_refusal_where_ids_are_not_checked(started):
    venue = ScriptedVenue(BrokerClass.NONE, errors.ConflictError("busy", status_code=409))
    gateway = await started(venue)

    with pytest.raises(errors.ConflictError, match="busy"):
        await gateway.submit(an_order())


@pytest.mark.parametrize("kind", NOT_SHOWN)
async def test_two_orders_just_alike_are_told_apart(started, kind):
    venue = ScriptedVenue(kind, LOST, LOST)
    venue.lag = 3.0
    gateway = await started(venue)

    first, second = await asyncio.gather(
        gateway.submit(an_order()), gateway.submit(an_order()), return_exceptions=False
    )

    assert first.id != second.id
    assert len(venue.orders) == 2


@pytest.mark.parametrize("kind", NOT_SHOWN)
async def test_an_order_of_old_is_not_taken_for_a_new_one(started, kind):
    venue = ScriptedVenue(kind, unknown(), unknown(), unknown())
    venue.take(an_order())
    venue.say("recent", *[lambda: list(venue.orders.values()) for _ in range(200)])
    await asyncio.sleep(60)
    gateway = await started(venue, policy=GatewayPolicy(timeout=0.5))

    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await gateway.submit(an_order())

    assert await caught.value.handle.resolve() is None


async def test_an_order_without_a_time_can_be_the_one(started):
    venue = ScriptedVenue(BrokerClass.NONE, LOST)
    timeless = an_answer(an_order(), submitted_at=None, id="v7")
    venue.say("recent", lambda: [timeless])
    gateway = await started(venue)

    assert (await gateway.submit(an_order())).id == "v7"


async def test_what_takes_the_place_of_another_order_was_not_placed(started):
    venue = ScriptedVenue(BrokerClass.NONE, unknown())
    other = an_answer(an_order(), replaces="v0", id="v7")
    venue.say("recent", *[lambda: [other] for _ in range(200)])
    gateway = await started(venue)

    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await gateway.submit(an_order())

    assert await caught.value.handle.resolve() is None


async def test_of_several_candidates_none_is_guessed(started):
    venue = ScriptedVenue(BrokerClass.NONE, LOST)
    venue.take(an_order())
    gateway = await started(venue)

    with pytest.raises(errors.OrderOutcomeUnknownError):
        await gateway.submit(an_order())
    await asyncio.sleep(300)

    (left,) = gateway.open
    assert left.reason == "2 orders look like it"


async def test_the_answer_of_another_order_is_not_taken(started):
    venue = ScriptedVenue(BrokerClass.NONE)
    gateway = await started(venue)
    first = await gateway.submit(an_order())
    venue.say("place", lambda: venue.take(venue.sent()[1]) and first)

    second = await gateway.submit(an_order())

    assert first.id != second.id


async def test_a_twin_waits_until_the_first_is_resolved(started):
    venue = ScriptedVenue(BrokerClass.NONE, LATE)
    venue.late_by = 10
    gateway = await started(venue)
    first = asyncio.ensure_future(gateway.submit(an_order()))
    await asyncio.sleep(1)

    second = await gateway.submit(an_order())

    assert now() >= 10
    assert (await first).id != second.id


async def test_a_twin_that_waits_too_long_is_never_sent(started):
    venue = ScriptedVenue(BrokerClass.NONE, unknown())
    gateway = await started(venue)
    first = asyncio.ensure_future(gateway.submit(an_order()))
    await asyncio.sleep(1)

    with pytest.raises(errors.DeadlineExceededError, match="just like it") as caught:
        await gateway.submit(an_order(), intent_key="second")
    with pytest.raises(errors.DeadlineExceededError):
        await gateway.submit(an_order(), intent_key="second")

    assert caught.value.outcome is Outcome.NOT_SENT
    with pytest.raises(errors.OrderOutcomeUnknownError):
        await first
    await asyncio.sleep(300)
    assert len(venue.sent()) == 1
    assert gateway.open == []


async def test_a_twin_whose_caller_leaves_is_never_sent(started):
    venue, journal = ScriptedVenue(BrokerClass.NONE, HANGS), MemoryJournal()
    gateway = await started(venue, journal, policy=GatewayPolicy(timeout=1000))
    first = asyncio.ensure_future(gateway.submit(an_order()))
    twins = [asyncio.ensure_future(gateway.submit(an_order())) for _ in range(2)]
    await asyncio.sleep(1)

    twins[0].cancel()
    twins[1].cancel()
    await asyncio.sleep(1)
    first.cancel()
    await gateway.settle(gateway.open[0].id, None)
    await asyncio.sleep(10)

    assert len(venue.sent()) == 1
    assert gateway.open == []
    assert {row.id for row in journal.rows} == {venue.sent()[0].client_order_id}


async def test_a_twin_that_somebody_else_wants_is_sent_all_the_same(started):
    venue = ScriptedVenue(BrokerClass.NONE, LATE)
    gateway = await started(venue)
    first = asyncio.ensure_future(gateway.submit(an_order()))
    await asyncio.sleep(1)
    leaves = asyncio.ensure_future(gateway.submit(an_order(), intent_key="k"))
    await asyncio.sleep(1)
    leaves.cancel()
    await asyncio.sleep(0)

    second = await gateway.submit(an_order(), intent_key="k")

    assert (await first).id != second.id


async def test_other_orders_do_not_wait(started):
    venue = ScriptedVenue(BrokerClass.NONE, LATE)
    gateway = await started(venue)
    first = asyncio.ensure_future(gateway.submit(an_order()))
    await asyncio.sleep(1)

    await gateway.submit(an_order(qty=11))
    await gateway.submit(an_order(side="sell"))

    assert now() == pytest.approx(1)
    await first


async def test_a_venues_clock_may_be_a_little_behind(started):
    venue = ScriptedVenue(BrokerClass.NONE)
    behind = LoopClock(behind=4.0)

    def lose():
        venue.take(venue.sent()[0], submitted_at=behind.utcnow())
        raise unknown()

    venue.say("place", lose)
    gateway = await started(venue)

    assert (await gateway.submit(an_order())).id == "v1"
