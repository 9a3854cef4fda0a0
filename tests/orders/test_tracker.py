"""An order's life, change by change."""

import asyncio
from decimal import Decimal

import pytest

from orders.venues import CLOCK, an_answer, an_order, refused, throttled, unknown
from sentio_async import errors
from sentio_async.orders.tracker import OrderTracker

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


class Script:
    """Orders by id, as they are read one time after the other; the last stays."""

    def __init__(self, **orders):
        self.orders = orders
        self.reads = 0

    async def __call__(self, order_id):
        self.reads += 1
        states = self.orders[order_id]
        now = states[0] if len(states) == 1 else states.pop(0)
        if isinstance(now, BaseException):
            raise now
        return now


def at(status, filled=0, **more):
    return an_answer(an_order(), status=status, filled_qty=filled, **more)


async def life(script, order="v1", **more):
    tracker = OrderTracker(script, clock=CLOCK, **more)
    return [change async for change in tracker.follow(order)]


async def test_a_life_is_told_change_by_change():
    script = Script(v1=[at("open"), at("open"), at("partially_filled", 4), at("filled", 10)])

    changes = await life(script)

    assert [change.order.status.value for change in changes] == [
        "open",
        "partially_filled",
        "filled",
    ]
    assert [change.filled for change in changes] == [0, 4, 6]
    assert [change.is_final for change in changes] == [False, False, True]
    assert changes[0].previous is None
    assert asyncio.get_running_loop().time() == 3


async def test_the_answer_is_where_it_begins():
    script = Script(v1=[at("canceled")])

    changes = await life(script, at("open"))

    assert [change.order.status.value for change in changes] == ["open", "canceled"]
    assert script.reads == 1


async def test_a_replaced_order_goes_on_as_another():
    script = Script(
        v1=[at("open"), at("replaced", replaced_by="v2")],
        v2=[at("open", id="v2", replaces="v1"), at("filled", 10, id="v2")],
    )

    changes = await life(script)

    assert [change.order.id for change in changes] == ["v1", "v1", "v2", "v2"]


async def test_a_replaced_order_without_a_successor_ends():
    changes = await life(Script(v1=[at("replaced")]))

    assert len(changes) == 1


async def test_legs_that_nobody_announces_are_told():
    held = at("held", id="leg")
    script = Script(
        v1=[
            at("open", legs=[held]),
            at("filled", 10, legs=[held]),
            at("filled", 10, legs=[at("open", id="leg")]),
            at("filled", 10, legs=[at("filled", 10, id="leg")]),
        ]
    )

    changes = await life(script)

    told = [(change.order.id, change.order.status.value, change.parent_id) for change in changes]
    assert told == [
        ("v1", "open", None),
        ("leg", "held", "v1"),
        ("v1", "filled", None),
        ("leg", "open", "v1"),
        ("leg", "filled", "v1"),
    ]


async def test_a_failure_to_ask_is_no_end():
    script = Script(v1=[at("open"), unknown(), throttled(), at("filled", 10)])

    assert len(await life(script)) == 2


@pytest.mark.parametrize("failure", [refused("403"), errors.UnknownWordError("status", "odd")])
async def test_a_refusal_to_tell_is_told(failure):
    with pytest.raises(type(failure)):
        await life(Script(v1=[at("open"), failure]))


async def test_following_ends_in_time():
    with pytest.raises(errors.DeadlineExceededError, match="v1"):
        await life(Script(v1=[at("open")]), timeout=10)

    assert asyncio.get_running_loop().time() <= 10


async def test_what_a_stream_says_counts():
    seen = []
    tracker = OrderTracker(Script(v1=[at("open"), at("filled", 10)]), clock=CLOCK, seen=seen.append)
    changes = []
    async for change in tracker.follow("v1"):
        changes.append(change)
        if len(changes) == 1:
            tracker.tell(at("partially_filled", 7))
            tracker.tell(at("partially_filled", 3))

    assert [change.filled for change in changes] == [Decimal(0), Decimal(7), Decimal(3)]
    assert [order.filled_qty for order in seen] == [0, 7, 10]


async def test_what_a_stream_says_is_told_at_once_and_an_end_is_looked_at():
    script = Script(v1=[at("open"), at("filled", 10)])
    tracker = OrderTracker(script, poll=60, clock=CLOCK)
    loop = asyncio.get_running_loop()
    loop.call_later(1, tracker.tell, at("partially_filled", 7))
    loop.call_later(2, tracker.tell, at("filled", 10, id="another"))
    loop.call_later(3, tracker.tell, at("filled", 10))

    changes = [(loop.time(), change.filled) async for change in tracker.follow("v1")]

    assert changes == [(0, 0), (1, 7), (3, 3)]
    assert script.reads == 2


async def test_an_end_is_not_undone_by_what_comes_late():
    tracker = OrderTracker(Script(v1=[at("open")]), clock=CLOCK)
    known = [*tracker._changes(at("filled", 10), None)]

    assert len(known) == 1
    assert [*tracker._changes(at("open"), None)] == []


async def test_the_first_news_of_an_order_may_come_before_its_first_answer():
    script = Script(v1=[at("open"), at("filled", 10)])
    tracker = OrderTracker(script, clock=CLOCK)
    stream = tracker.follow("v1")
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    tracker.tell(at("partially_filled", 4))
    tracker.tell(at("filled", 9, id="of another"))

    told = [await first] + [change async for change in stream]

    assert [(change.order.id, change.filled) for change in told] == [
        ("v1", 0),
        ("v1", 4),
        ("v1", 6),
    ]


async def test_the_end_that_a_stream_tells_is_asked_for_at_once_and_other_news_wait():
    script = Script(v1=[at("open"), at("filled", 10)])
    tracker = OrderTracker(script, clock=CLOCK, poll=60.0)
    loop = asyncio.get_running_loop()
    loop.call_later(1.0, tracker.tell, at("partially_filled", 4))
    loop.call_later(2.0, tracker.tell, at("filled", 10))

    seen = [(each.filled, loop.time(), script.reads) async for each in tracker.follow("v1")]

    assert seen == [(0, 0.0, 1), (4, 1.0, 1), (6, 2.0, 1)]
    assert (loop.time(), script.reads) == (2.0, 2)


async def test_news_do_not_put_off_the_next_question():
    script = Script(v1=[at("open"), at("filled", 10)])
    tracker = OrderTracker(script, clock=CLOCK, poll=2.0)
    loop = asyncio.get_running_loop()
    loop.call_later(1.5, tracker.tell, at("partially_filled", 4))

    ends = [(change.filled, loop.time()) async for change in tracker.follow("v1")]

    assert ends == [(0, 0.0), (4, 1.5), (6, 2.0)]


async def test_listening_leaves_nothing_running():
    await life(Script(v1=[at("open"), at("open"), at("filled", 10)]), poll=5.0)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}

    tracker = OrderTracker(Script(v1=[at("open")]), clock=CLOCK)
    stream = tracker.follow("v1")
    await anext(stream)
    asking = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.5)
    asking.cancel()
    await asyncio.wait([asking])
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize(("timeout", "reads"), [(2.0, 3), (1.9, 2)])
async def test_it_is_asked_once_more_at_the_end_of_its_time(timeout, reads):
    script = Script(v1=[at("open")])
    await asyncio.sleep(100)

    with pytest.raises(errors.DeadlineExceededError) as caught:
        await life(script, timeout=timeout)

    assert script.reads == reads
    assert caught.value.message == "order v1: has not ended in time"


async def test_each_step_names_what_it_was_before():
    changes = await life(Script(v1=[at("open"), at("partially_filled", 4), at("filled", 10)]))

    assert [change.previous for change in changes] == [None, changes[0].order, changes[1].order]


@pytest.mark.parametrize(
    "change",
    [
        {"venue_status": "pending"},
        {"qty": Decimal(9)},
        {"limit_price": Decimal(5)},
        {"stop_price": Decimal(5)},
    ],
)
async def test_a_change_of_what_was_ordered_is_a_step_too(change):
    changes = await life(Script(v1=[at("open"), at("open", **change), at("filled", 10)]))

    assert len(changes) == 3


async def test_news_of_a_leg_count_like_those_of_its_order():
    leg = at("open", id="leg")
    script = Script(
        v1=[at("open", legs=[leg]), at("filled", 10, legs=[at("filled", 10, id="leg")])]
    )
    tracker = OrderTracker(script, clock=CLOCK, poll=60.0)
    loop = asyncio.get_running_loop()
    loop.call_later(1.0, tracker.tell, at("partially_filled", 4, id="leg"))

    told = [(each.order.id, each.filled, loop.time()) async for each in tracker.follow("v1")]

    assert told == [
        ("v1", 0, 0.0),
        ("leg", 0, 0.0),
        ("leg", 4, 1.0),
        ("v1", 10, 60.0),
        ("leg", 6, 60.0),
    ]
