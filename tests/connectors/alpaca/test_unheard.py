"""A stream of order updates that has gone silent is noticed, and nobody is asked in vain."""

import asyncio

import pytest

from connectors.alpaca.order_scene import Scene, raw_order
from sentio_async import errors
from sentio_async.connectors.alpaca.wire.orders import read_order
from streams.fake_venue import until

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def test_a_stream_that_has_gone_silent_is_noticed_while_an_order_is_open():
    scene = Scene().listen()
    scene.books.orders = {"1": raw_order("1")}
    await until(lambda: scene.stream.is_current)
    scene.books.fill("1", "10", "10", "e1")

    await asyncio.sleep(31)
    assert scene.missed() == []
    await asyncio.sleep(4)
    await until(lambda: scene.stream.is_current)

    assert scene.missed() == [1]
    assert scene.venue.connections == 2
    assert [(u.event, u.execution_id) for u in scene.updates[1:]] == [
        ("fill", "e1"),
        ("reconciled", None),
    ]
    assert scene.updates[-1].order.is_final
    await scene.stream.aclose()


async def test_somebody_elses_order_that_begins_and_ends_in_the_silence_is_noticed():
    scene = Scene().listen()
    scene.books.orders = {"1": raw_order("1")}
    await until(lambda: scene.stream.is_current)
    await asyncio.sleep(40)
    assert scene.missed() == []
    scene.books.fill("2", "10", "10", "e2")

    await asyncio.sleep(30)
    await until(lambda: scene.stream.is_current)

    assert scene.missed() == [1]
    assert [u.execution_id for u in scene.updates if u.is_fill] == ["e2"]
    assert scene.updates[-1].order.is_final
    await asyncio.sleep(120)
    assert scene.venue.connections == 2
    await scene.stream.aclose()


async def test_an_order_that_was_placed_here_and_never_told_of_is_noticed():
    scene = Scene().listen()
    await until(lambda: scene.stream.is_current)
    scene.books.orders = {"5": raw_order("5")}
    scene.stream.expect(read_order(scene.books.orders["5"]))
    scene.books.fill("5", "10", "10", "e5")

    await asyncio.sleep(40)

    assert scene.missed() == [1]
    assert [u.execution_id for u in scene.updates if u.is_fill] == ["e5"]
    assert scene.updates[-1].order.is_final
    await scene.stream.aclose()


async def test_nobody_is_asked_while_no_order_is_open_and_not_often_otherwise():
    scene = Scene(check_orders_every=10.0).listen()
    await until(lambda: scene.stream.is_current)
    asked = scene.books.asked
    await asyncio.sleep(3600)
    assert scene.books.asked == asked

    scene.books.orders = {"1": raw_order("1")}
    await scene.tell("new", scene.books.orders["1"])
    await asyncio.sleep(100)

    # Open orders, and those that were placed since the last look.
    assert 18 <= scene.books.asked - asked <= 22
    assert scene.missed() == []
    assert scene.venue.connections == 1
    await scene.stream.aclose()


async def test_an_order_that_the_venue_has_forgotten_holds_nothing_up():
    scene = Scene(check_orders_every=10.0).listen()
    scene.books.orders = {"1": raw_order("1"), "2": raw_order("2")}
    await until(lambda: scene.stream.is_current)

    async def get_order(order_id, *, nested=False):
        scene.books.asked += 1
        raise errors.NotFoundError("no such order")

    scene.books.get_order, scene.books.orders = get_order, {}
    await asyncio.sleep(15)
    asked = scene.books.asked
    await asyncio.sleep(60)
    assert scene.books.asked == asked

    scene.books.orders = {"3": raw_order("3")}
    await scene.tell("new", scene.books.orders["3"])
    scene.books.orders = {}
    scene.venue.drop()
    await asyncio.sleep(0.1)
    await asyncio.wait_for(until(lambda: scene.stream.is_current), 5)
    await scene.stream.aclose()


async def test_a_look_that_fails_is_made_again():
    scene = Scene(check_orders_every=10.0).listen()
    scene.books.orders = {"1": raw_order("1")}
    await until(lambda: scene.stream.is_current)
    scene.books.is_down = True
    await asyncio.sleep(25)
    scene.books.is_down = False
    scene.books.fill("1", "10", "10", "e1")
    await asyncio.sleep(15)

    assert scene.missed() == [1]
    await scene.stream.aclose()


async def test_an_update_that_is_a_little_later_than_the_answer_was_not_missed():
    scene = Scene(check_orders_every=10.0).listen()
    scene.books.orders = {"1": raw_order("1")}
    await until(lambda: scene.stream.is_current)
    await until(lambda: scene.clock.utcnow().second % 10 == 9)
    scene.books.fill("1", "10", "10", "e1")
    await asyncio.sleep(1.5)
    told = {"execution_id": "e1", "price": "1.5", "qty": "10"}
    await scene.tell("fill", scene.books.orders["1"], **told)
    await asyncio.sleep(60)

    assert scene.missed() == []
    assert scene.venue.connections == 1
    await scene.stream.aclose()


async def test_the_held_exits_of_a_bracket_are_in_no_list_and_nothing_is_wrong():
    scene = Scene().listen()
    scene.books.orders = {"1": raw_order("1")}
    await until(lambda: scene.stream.is_current)
    scene.books.orders["2"] = raw_order("2", "held")
    await scene.tell("new", scene.books.orders["2"])
    await asyncio.sleep(120)

    assert scene.missed() == []
    assert scene.venue.connections == 1
    await scene.stream.aclose()
