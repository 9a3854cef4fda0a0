"""Answers that no venue should give, and clocks that are wrong."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from orders.venues import LOST, LoopClock, ScriptedVenue, an_answer, an_order, unknown
from sentio_async import errors
from sentio_async.models.trading import OrderChange
from sentio_async.models.words import OrderStatus
from sentio_async.orders.venue import BrokerClass

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

LIMITED = an_order(type="limit", limit_price="5")
HIGHER = OrderChange(limit_price=Decimal(6))


class Ahead(LoopClock):
    """A clock that is a minute ahead of the venue's."""

    def utcnow(self):
        return super().utcnow() + timedelta(minutes=1)


class TwiceVenue(ScriptedVenue):
    """Behind a proxy that sends every order twice, and passes on the second answer."""

    async def place(self, order):
        if order.client_order_id not in self.ids:
            self.take(order)
        return self.take(order)


async def test_an_order_with_an_id_of_its_own_is_ours_whatever_the_clock_says(started):
    venue = TwiceVenue()
    gateway = await started(venue, clock=Ahead())

    assert (await gateway.submit(an_order())).id == "v1"
    assert (await gateway.submit(an_order(), intent_key="k")).id == "v2"


async def test_an_id_that_the_caller_gave_may_be_of_an_order_of_before(started):
    venue = ScriptedVenue()
    gateway = await started(venue, clock=Ahead())
    venue.take(an_order(client_order_id="mine"))

    with pytest.raises(errors.ConflictError):
        await gateway.submit(an_order(client_order_id="mine"))


@pytest.mark.parametrize("broker_class", [BrokerClass.UNIQUE, BrokerClass.NONE])
async def test_an_answer_to_a_change_that_is_about_another_order(started, broker_class):
    venue = ScriptedVenue(broker_class)
    gateway = await started(venue)
    order = await gateway.submit(LIMITED)
    other = await gateway.submit(an_order("OTHER"))
    replace = venue.replace

    async def swapped(order_id, change):
        await replace(order_id, change)
        return other

    venue.replace = swapped
    changed = await gateway.replace(order.id, HIGHER)

    # Where no id is shown, nothing tells one answer from the other.
    assert (changed.replaces == order.id) is (broker_class is BrokerClass.UNIQUE)
    assert (changed.id == other.id) is (broker_class is BrokerClass.NONE)


@pytest.mark.parametrize("own", ["id", "replaces", "client_order_id"])
async def test_an_answer_to_a_change_is_known_by_any_of_its_ids(started, own):
    venue = ScriptedVenue()
    gateway = await started(venue)
    order = await gateway.submit(LIMITED)
    ids = {"id": "v7", "replaces": None, "client_order_id": "theirs"}
    change = OrderChange(limit_price=Decimal(6), client_order_id="mine")
    answer = an_answer(LIMITED, **{**ids, own: "mine" if own == "client_order_id" else order.id})
    venue.say("replace", lambda: answer)

    assert await gateway.replace(order.id, change) is answer
    assert venue.sent("find") == []


async def test_a_fill_beyond_all_numbers_halts_and_stays_placed(started):
    venue = ScriptedVenue()
    gateway = await started(venue)
    huge = {"filled_qty": Decimal("1e9999999"), "client_order_id": "mine"}
    venue.say("place", lambda: an_answer(an_order(), **huge))

    order = await gateway.submit(an_order(client_order_id="mine"))
    await asyncio.sleep(1)

    assert order.id == "v1"
    assert gateway.open == []
    assert gateway.halted == "ACME: what was filled cannot be added up"


async def test_a_look_that_is_told_of_another_order_finds_nothing(started):
    venue = ScriptedVenue()
    gateway = await started(venue)
    twin = await gateway.submit(an_order())
    venue.say("place", LOST)
    venue.say("find", lambda: twin)

    order = await gateway.submit(an_order())

    assert order.id == "v2"
    assert len(venue.orders) == 2


async def test_a_change_is_not_taken_for_done_because_of_another_order(started):
    venue = ScriptedVenue()
    gateway = await started(venue)
    twin, order = await gateway.submit(an_order()), await gateway.submit(an_order())
    venue.say("replace", LOST)
    venue.say("find", lambda: twin)

    changed = await gateway.replace(order.id, OrderChange(qty="3"))

    assert (changed.id, changed.replaces) == ("v3", order.id)


async def test_a_cancel_is_not_taken_for_done_because_of_another_order(started):
    venue = ScriptedVenue()
    gateway = await started(venue)
    twin, order = await gateway.submit(an_order()), await gateway.submit(an_order())
    venue.say("cancel", unknown(), errors.BadRequestError("filled", status_code=422))
    venue.say("find", lambda: twin.model_copy(update={"status": OrderStatus.CANCELED}))
    venue.change(order.id, status=OrderStatus.FILLED)

    with pytest.raises(errors.BadRequestError):
        await gateway.cancel(order.id)


async def test_what_a_venue_has_made_of_an_order_with_an_id_of_its_own_is_ours(started):
    venue = ScriptedVenue()
    gateway = await started(venue)

    def round_off():
        venue.take(venue.sent()[-1], notional=Decimal("99.99"))
        raise unknown()

    venue.say("place", round_off)

    assert (await gateway.submit(an_order(notional="99.994"))).notional == Decimal("99.99")
    assert len(venue.orders) == 1
