"""Order updates: nothing is lost over a loss of the connection, and nothing told twice."""

import asyncio
import gc
import weakref
from datetime import timedelta

import pytest

from connectors.alpaca.order_scene import Scene, raw_order
from sentio_async.connectors.alpaca.heard import Heard
from sentio_async.connectors.alpaca.wire.orders import read_order
from streams.fake_venue import until

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def test_what_is_open_is_told_before_anything_else():
    scene = Scene().listen()
    scene.books.orders = {"1": raw_order("1"), "2": raw_order("2", "filled", "10")}
    assert not scene.stream.is_current

    await until(lambda: scene.stream.is_current)

    assert scene.events() == [("reconciled", "1", "0", None)]
    assert scene.updates[0].is_reconciled
    await scene.stream.aclose()


async def test_executions_during_a_loss_are_told_once_and_in_order():
    scene = Scene().listen()
    scene.books.orders = {"1": raw_order("1")}
    await until(lambda: scene.stream.is_current)
    scene.books.fill("1", "2", "2", "e1")
    told = {"execution_id": "e1", "price": "1.5", "qty": "2"}
    await scene.tell("partial_fill", scene.books.orders["1"], **told)
    await scene.tell("partial_fill", scene.books.orders["1"], **told)
    scene.venue.drop()
    await asyncio.sleep(0.1)
    scene.books.fill("1", "3", "5", "e2")
    scene.books.fill("1", "5", "10", "e3")
    await until(lambda: scene.stream.is_current)

    assert [u.execution_id for u in scene.updates if u.is_fill] == ["e1", "e2", "e3"]
    assert scene.events()[-1] == ("reconciled", "1", "10", None)
    assert scene.updates[-1].order.is_final
    await scene.stream.aclose()


async def test_a_venue_whose_clock_is_ahead_hides_nothing():
    scene = Scene().listen()
    scene.ahead = timedelta(seconds=30)
    scene.books.orders = {"1": raw_order("1")}
    await until(lambda: scene.stream.is_current)
    await scene.tell("pending_cancel", raw_order("1", "pending_cancel"))
    scene.venue.drop()
    scene.books.fill("1", "10", "10", "e1")
    await asyncio.sleep(0.1)
    await until(lambda: scene.stream.is_current)

    assert [(u.event, u.execution_id) for u in scene.updates[2:]] == [
        ("fill", "e1"),
        ("reconciled", None),
    ]
    assert scene.updates[-1].order.is_final
    await scene.stream.aclose()


async def test_executions_before_the_first_that_is_heard_of_an_order_are_told():
    scene = Scene().listen()
    await until(lambda: scene.stream.is_current)
    scene.venue.drop()
    scene.books.fill("1", "2", "2", "e1")
    scene.books.fill("1", "3", "5", "e2")
    connections = scene.venue.connections
    await until(lambda: scene.venue.connections > connections)
    told = {"execution_id": "e3", "price": "1.5", "qty": "1"}
    await scene.tell("partial_fill", raw_order("1", "partially_filled", "6"), **told)

    await until(lambda: scene.stream.is_current)

    heard = [update for update in scene.updates if update.is_fill]
    assert [update.execution_id for update in heard] == ["e1", "e2", "e3"]
    await scene.stream.aclose()


async def test_updates_that_were_handed_on_are_not_kept():
    scene = Scene().listen()
    await until(lambda: scene.stream.is_current)
    for number in range(100):
        await scene.tell("new", raw_order(str(number)), execution_id=f"e{number}")
    handed_on = [weakref.ref(update) for update in scene.updates]
    assert len(handed_on) == 100

    scene.updates.clear()
    gc.collect()

    assert sum(each() is not None for each in handed_on) <= 20
    await scene.stream.aclose()


async def test_the_end_of_an_order_is_told_when_it_ended_while_it_was_asked_for():
    scene = Scene().listen()
    scene.books.orders = {"1": raw_order("1")}
    await until(lambda: scene.stream.is_current)
    scene.venue.drop()
    listed = scene.books.iter_fills

    async def iter_fills(**filters):
        # Its order has been read already, and the stream tells of the execution as well.
        scene.books.fill("1", "10", "10", "e1")
        told = {"execution_id": "e1", "price": "1.5", "qty": "10"}
        await scene.tell("fill", scene.books.orders["1"], **told)
        async for fill in listed(**filters):
            yield fill

    scene.books.iter_fills = iter_fills
    await asyncio.sleep(0.1)
    await until(lambda: scene.stream.is_current)

    assert [u.execution_id for u in scene.updates if u.is_fill] == ["e1"]
    assert scene.updates[-1].order.is_final
    await scene.stream.aclose()


async def test_an_execution_in_the_middle_of_asking_is_told_after_the_next_loss():
    scene = Scene().listen()
    scene.books.orders = {"1": raw_order("1")}
    await until(lambda: scene.stream.is_current)
    scene.venue.drop()
    scene.books.fill("1", "2", "2", "e1")
    ask, listed = scene.books.get_order, scene.books.iter_fills

    async def iter_fills(**filters):
        scene.books.fill("1", "3", "5", "e2")
        async for fill in listed(**filters):
            yield fill

    async def get_order(order_id, *, nested=False):
        # The executions have been listed without this one, but the order has it.
        scene.books.fill("1", "5", "10", "e3")
        return await ask(order_id)

    scene.books.iter_fills, scene.books.get_order = iter_fills, get_order
    await asyncio.sleep(0.1)
    await until(lambda: scene.stream.is_current)
    assert scene.updates[-1].order.is_final
    scene.books.iter_fills, scene.books.get_order = listed, ask
    scene.venue.drop()
    await asyncio.sleep(0.1)
    await until(lambda: scene.stream.is_current)

    assert [u.execution_id for u in scene.updates if u.is_fill] == ["e1", "e2", "e3"]
    await scene.stream.aclose()


async def test_an_order_that_ended_meanwhile_is_found_although_it_is_in_no_list():
    scene = Scene().listen()
    scene.books.orders = {"1": raw_order("1")}
    await until(lambda: scene.stream.is_current)
    scene.venue.drop()
    gone = raw_order("1", "canceled")
    scene.books.orders = {}

    async def get_order(order_id, *, nested=False):
        return read_order(gone)

    scene.books.get_order = get_order
    await asyncio.sleep(0.1)
    await until(lambda: scene.stream.is_current)

    assert [(u.event, u.order.venue_status) for u in scene.updates] == [
        ("reconciled", "new"),
        ("reconciled", "canceled"),
    ]
    await scene.stream.aclose()


async def test_nothing_is_current_while_the_venue_cannot_be_asked():
    scene = Scene().listen()
    await until(lambda: scene.stream.is_current)
    scene.books.is_down = True
    scene.venue.drop()
    await asyncio.sleep(5)
    assert not scene.stream.is_current
    await scene.tell("new", raw_order("7"))
    assert scene.updates == []

    scene.books.is_down = False
    scene.books.orders = {"7": raw_order("7")}
    await until(lambda: scene.stream.is_current)

    assert {u.order.id for u in scene.updates} == {"7"}
    await scene.stream.aclose()


async def test_an_update_that_cannot_be_read_makes_it_ask():
    scene = Scene().listen()
    await until(lambda: scene.stream.is_current)
    await scene.tell("fill", {"id": "9"})
    scene.books.orders = {"9": raw_order("9")}
    await asyncio.sleep(3)
    await until(lambda: scene.stream.is_current)

    assert scene.venue.connections == 2
    assert scene.events() == [("reconciled", "9", "0", None)]
    await scene.stream.aclose()


async def test_what_has_ended_is_not_opened_again_by_a_late_word():
    heard = Heard()
    heard.note(read_order(raw_order("1", "filled", "10")))
    heard.note(read_order(raw_order("1", "partially_filled", "5")))
    assert heard.open == {}
    assert heard.is_known(read_order(raw_order("1", "filled", "10")))


async def test_executions_before_the_stream_was_wanted_are_no_news_after_a_loss():
    scene = Scene()
    scene.books.fill("1", "10", "10", "e0")
    await asyncio.sleep(60)
    scene.listen()
    await until(lambda: scene.stream.is_current)
    scene.venue.drop()
    await asyncio.sleep(0.1)
    await until(lambda: scene.stream.is_current)

    assert [update for update in scene.updates if update.is_fill] == []
    await scene.stream.aclose()


async def test_an_order_as_it_was_before_the_stream_told_of_it_is_no_news():
    scene, seen = Scene().listen(), []
    scene.stream._source.listeners.append(seen.append)
    first, later = "2026-11-24T15:00:01Z", "2026-11-24T15:00:02Z"
    scene.books.orders = {"1": raw_order("1", updated_at=first)}
    await until(lambda: scene.stream.is_current)
    scene.venue.drop()
    scene.books.orders = {"1": raw_order("1", "pending_new", updated_at=first)}
    listed = scene.books.iter_fills

    async def iter_fills(**filters):
        await scene.tell("pending_cancel", raw_order("1", "pending_cancel", updated_at=later))
        async for fill in listed(**filters):
            yield fill

    scene.books.iter_fills = iter_fills
    await asyncio.sleep(0.1)
    await until(lambda: scene.stream.is_current)

    assert [update.event for update in scene.updates] == ["reconciled", "pending_cancel"]
    assert [order.venue_status for order in seen] == ["new", "pending_cancel"]
    await scene.stream.aclose()


async def test_a_listener_that_fails_costs_no_update():
    scene = Scene().listen()

    def fail(order):
        raise RuntimeError("this listener fails")

    scene.stream._source.listeners.insert(0, fail)
    scene.books.orders = {"1": raw_order("1")}
    await asyncio.sleep(1)
    await scene.tell("canceled", raw_order("1", "canceled"))

    assert [update.event for update in scene.updates] == ["reconciled", "canceled"]
    assert scene.venue.connections == 1
    await scene.stream.aclose()


async def test_an_execution_that_is_taken_back_is_told_although_it_is_known():
    scene = Scene().listen()
    await until(lambda: scene.stream.is_current)
    told = {"execution_id": "e1", "price": "1.5", "qty": "2"}
    await scene.tell("partial_fill", raw_order("1", "partially_filled", "2"), **told)
    await scene.tell("trade_bust", raw_order("1", "new", "0"), **told)
    await scene.tell("trade_bust", raw_order("1", "new", "0"), **told)

    assert [update.event for update in scene.updates] == ["partial_fill", "trade_bust"]
    await scene.stream.aclose()
