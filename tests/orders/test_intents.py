"""What makes two calls the same order, and what its id is."""

import asyncio
from decimal import Decimal
from uuid import UUID

import pytest

from orders.venues import LOST, ScriptedVenue, an_answer, an_order, not_sent, refused
from sentio_async import errors
from sentio_async.orders.intent import (
    bare_symbol,
    client_order_id,
    is_same,
    is_same_payload,
    looks_like,
)
from sentio_async.orders.journal import MemoryJournal
from sentio_async.orders.policy import GatewayPolicy

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

LEGS = ({"symbol": "A", "ratio_qty": 1}, {"symbol": "B", "ratio_qty": 1})


def mleg(*legs):
    return an_order("", "1", None, order_class="mleg", legs=legs or LEGS)


async def test_an_intent_has_one_id_for_ever():
    policy = GatewayPolicy()

    own = client_order_id(policy, "paper 1", "rebalance 7")

    assert own == "sentio-xbcv3xkireptanlnrvmixoxqfunkjiim4ouuqm4wr"
    assert own == client_order_id(policy, "paper 1", "rebalance 7")
    others = {
        client_order_id(policy, "paper 2", "rebalance 7"),
        client_order_id(policy, "paper 1", "rebalance 8"),
        client_order_id(policy, "paper 1", "rebalance 7", seq=1),
        client_order_id(policy.evolve(strategy="b"), "paper 1", "rebalance 7"),
    }
    assert len(others | {own}) == 5


async def test_a_venue_may_want_short_ids():
    own = client_order_id(GatewayPolicy(id_prefix="", id_length=20), "a", "b")

    assert len(own) == 20
    assert own.isalnum()


async def test_orders_without_a_key_get_short_ids_too(started):
    venue = ScriptedVenue()
    gateway = await started(venue, policy=GatewayPolicy(id_prefix="", id_length=20))

    first, second = await gateway.submit(an_order()), await gateway.submit(an_order())

    assert first.client_order_id != second.client_order_id
    assert len(first.client_order_id) == 20


async def test_a_venue_may_want_uuids(started):
    policy = GatewayPolicy(id_is_uuid=True)
    gateway = await started(ScriptedVenue(), policy=policy)
    keys = ("one", "two", None, None)
    ids = [(await gateway.submit(an_order(), intent_key=key)).client_order_id for key in keys]

    assert [str(UUID(own)) for own in ids] == ids
    assert len(set(ids)) == 4
    assert client_order_id(policy, "a", "b") == client_order_id(policy, "a", "b")


async def test_an_id_that_says_too_little_is_refused():
    with pytest.raises(errors.ConfigurationError, match="id_length"):
        GatewayPolicy(id_length=20)


@pytest.mark.parametrize(
    "wrong", [{"timeout": 0}, {"horizon": -1}, {"attempts": 0}, {"clean_looks": 0}]
)
async def test_a_policy_that_cannot_be_kept_is_refused(wrong):
    with pytest.raises(errors.ConfigurationError):
        GatewayPolicy(**wrong)


async def test_the_same_key_gives_the_same_order(started):
    venue = ScriptedVenue()
    gateway = await started(venue)

    orders = await asyncio.gather(
        *(gateway.submit(an_order(), intent_key="k") for _ in range(5)),
    )
    later = await gateway.submit(an_order(qty="10.0"), intent_key="k")

    assert {order.id for order in (*orders, later)} == {"v1"}
    assert len(venue.sent()) == 1


@pytest.mark.parametrize("key", ["", " \n", 5, b"k", "half \ud800"])
async def test_a_key_that_tells_nothing_apart_is_refused(started, key):
    venue = ScriptedVenue()
    gateway = await started(venue)

    with pytest.raises(errors.InvalidRequestError, match="intent_key: a text is needed, not"):
        await gateway.submit(an_order(), intent_key=key)

    assert venue.sent() == []
    assert (await gateway.submit(an_order(), intent_key="Käufe 日本")).id == "v1"


async def test_the_same_key_with_another_order_is_refused(started):
    gateway = await started()
    await gateway.submit(an_order(), intent_key="k")

    with pytest.raises(errors.InvalidRequestError, match="intent_key 'k'"):
        await gateway.submit(an_order(qty=11), intent_key="k")


async def test_without_a_key_each_call_is_an_order(started):
    gateway = await started()

    assert (await gateway.submit(an_order())).id != (await gateway.submit(an_order())).id


async def test_an_id_of_the_callers_own_is_used_once(started):
    venue = ScriptedVenue()
    gateway = await started(venue)
    await gateway.submit(an_order(client_order_id="mine"))

    with pytest.raises(errors.ConflictError, match="intent_key"):
        await gateway.submit(an_order(client_order_id="mine"))
    with pytest.raises(errors.InvalidRequestError, match="id 'mine'"):
        await gateway.submit(an_order("OTHER", client_order_id="mine"))

    assert len(venue.sent()) == 1


async def test_an_id_under_way_is_waited_for(started):
    venue = ScriptedVenue()
    gateway = await started(venue)
    mine = an_order(client_order_id="mine")

    first, second = await asyncio.gather(gateway.submit(mine), gateway.submit(mine))

    assert first == second


async def test_an_id_that_was_refused_is_free(started):
    venue = ScriptedVenue()
    venue.say("place", refused())
    gateway = await started(venue)
    with pytest.raises(errors.OrderRejectedError):
        await gateway.submit(an_order(client_order_id="mine"))

    order = await gateway.submit(an_order(qty=1, client_order_id="mine"))

    assert order.qty == 1


async def test_a_refused_intent_stays_refused(started):
    venue = ScriptedVenue()
    venue.say("place", refused())
    gateway = await started(venue)

    for _ in range(2):
        with pytest.raises(errors.OrderRejectedError, match="buying power"):
            await gateway.submit(an_order(), intent_key="k")

    assert len(venue.sent()) == 1


async def test_an_intent_that_was_not_placed_can_be_tried_again(started):
    venue = ScriptedVenue()
    venue.say("place", *[not_sent() for _ in range(4)])
    gateway = await started(venue)
    with pytest.raises(errors.ConnectionError):
        await gateway.submit(an_order(), intent_key="k")

    order = await gateway.submit(an_order(), intent_key="k")

    assert list(venue.orders) == [order.id]


async def test_the_same_key_while_nobody_knows_says_so_at_once(started):
    venue = ScriptedVenue()
    venue.lag = 1e9
    venue.say("place", LOST)
    gateway = await started(venue)
    for _ in range(2):
        with pytest.raises(errors.OrderOutcomeUnknownError):
            await gateway.submit(an_order(), intent_key="k")

    assert asyncio.get_running_loop().time() == pytest.approx(30.0)


async def test_only_so_many_settled_intents_are_remembered(started):
    venue = ScriptedVenue()
    gateway = await started(venue, policy=GatewayPolicy(remember=2))
    venue.say("place", LOST)
    venue.lag = 1e9
    slow = asyncio.ensure_future(gateway.submit(an_order(), intent_key="slow"))
    await asyncio.sleep(0.01)
    for key in ("a", "b", "c"):
        await gateway.submit(an_order(key), intent_key=key)

    assert "slow" in gateway._desk.by_key
    assert "a" not in gateway._desk.by_key
    with pytest.raises(errors.OrderOutcomeUnknownError):
        await slow


async def test_a_refused_order_is_forgotten_too(started):
    venue = ScriptedVenue()
    venue.say("place", refused())
    gateway = await started(venue, policy=GatewayPolicy(remember=1))
    with pytest.raises(errors.OrderRejectedError):
        await gateway.submit(an_order(), intent_key="a")
    await gateway.submit(an_order(), intent_key="b")

    assert list(gateway._desk.by_key) == ["b"]


async def test_a_journal_in_memory_forgets_what_is_settled_only(started):
    venue, journal = ScriptedVenue(), MemoryJournal(remember=2)
    gateway = await started(venue, journal)
    for _ in range(4):
        await gateway.submit(an_order())
    assert len({row.id for row in journal.rows}) == 2
    venue.lag = 1e9
    venue.say("place", LOST)
    slow = asyncio.ensure_future(gateway.submit(an_order(), intent_key="slow"))
    await asyncio.sleep(0.01)
    for _ in range(4):
        await gateway.submit(an_order())

    assert any(row.intent and row.intent.intent_key == "slow" for row in journal.rows)
    slow.cancel()


async def test_writing_it_differently_does_not_make_another_order():
    assert is_same_payload(an_order(qty="1"), an_order(qty="1.00", client_order_id="x"))
    assert not is_same_payload(an_order(), an_order(side="sell"))
    told = {"algorithm": "VWAP", "max_percentage": Decimal("0.10")}
    assert is_same_payload(
        an_order(instructions=told), an_order(instructions={**told, "max_percentage": "0.10"})
    )


async def test_a_venues_own_spelling_of_a_symbol_is_the_same_order():
    assert is_same(an_order("BTCUSD"), an_answer(an_order("BTC/USD")))


async def test_what_a_venue_does_not_say_cannot_differ():
    order = an_order(type="limit", limit_price="10")

    assert looks_like(order, an_answer(order, limit_price=None))
    assert not looks_like(order, an_answer(order, limit_price="11"))
    assert not looks_like(order, an_answer(order, qty="11"))


async def test_legs_tell_multi_leg_orders_apart():
    legs = [an_answer(an_order(symbol)) for symbol in ("B", "A")]

    assert looks_like(mleg(), an_answer(mleg(), legs=legs))
    assert not looks_like(mleg(), an_answer(mleg(), legs=legs[:1]))
    assert looks_like(mleg(), an_answer(mleg()))
    assert looks_like(mleg(), an_answer(mleg(), symbol="A"))


async def test_what_a_venue_leaves_empty_cannot_differ():
    assert is_same(an_order(), an_answer(an_order(), symbol=""))
    assert is_same(an_order(notional="5"), an_answer(an_order(notional="5"), qty="3"))
    assert looks_like(an_order(), an_answer(an_order(side="sell"))) is False


async def test_an_id_may_be_as_long_as_a_venue_allows():
    own = client_order_id(GatewayPolicy(id_length=99), "paper 1", "rebalance 7")

    assert own == "sentio-xbcv3xkireptanlnrvmixoxqfunkjiim4ouuqm4wronbpbxpx4dq"


async def test_instructions_tell_orders_apart():
    one, other = ({"algorithm": name} for name in ("VWAP", "TWAP"))

    assert not is_same_payload(an_order(instructions=one), an_order(instructions=other))


async def test_a_symbol_is_the_same_in_every_spelling():
    assert bare_symbol("btc/usd") == bare_symbol("BTC-USD") == "BTCUSD"


async def test_a_strategy_and_a_key_are_never_taken_for_others():
    with pytest.raises(errors.ConfigurationError, match=r"strategy: 'a\|b' must have no"):
        GatewayPolicy(strategy="a|b")
    one, other = GatewayPolicy(strategy="a"), GatewayPolicy(strategy="")
    assert client_order_id(one, "x", "b|c") != client_order_id(other, "x", "a|b|c")
