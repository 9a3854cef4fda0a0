"""A slow consumer costs what its policy says, and nobody else anything."""

import asyncio
from dataclasses import dataclass

import pytest

from sentio_async import errors
from sentio_async.models import Quote
from sentio_async.streams import Plan, Policy, Subscription, fanout
from sentio_async.streams.consumers import (
    BlockingQueue,
    ConflatingQueue,
    DroppingQueue,
    KeepingQueue,
)
from streams.fake_venue import Venue, VirtualClock, a_feed, topics

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


@dataclass(frozen=True)
class Row:
    symbol: str
    n: int
    time_ns: int = 0


async def drain(queue):
    return [await queue.get() for _ in range(len(queue))]


async def test_quotes_keep_the_latest_of_each_symbol():
    queue = ConflatingQueue(4)
    for n in range(10):
        queue.put(Row("A", n))
        queue.put(Row("B", n))

    rows = [await queue.get(), await queue.get()]

    assert {row.symbol: row.n for row in rows} == {"A": 9, "B": 9}
    assert (queue.conflated, queue.dropped, len(queue)) == (18, 0, 0)


async def test_quotes_that_are_read_in_time_all_come():
    queue = ConflatingQueue(100)
    for n in range(10):
        queue.put(Row("A", n))
    assert [queue.rows.popleft().n for _ in range(10)] == list(range(10))


async def test_trades_lose_the_oldest_and_count():
    queue = DroppingQueue(3)
    for n in range(5):
        queue.put(Row("A", n))
    assert [row.n for row in await drain(queue)] == [2, 3, 4]
    assert queue.dropped == 2


async def test_bars_hold_up_the_socket_then_lose_the_oldest_and_the_last_word_counts():
    acts = []
    queue = BlockingQueue(
        2, pause=lambda _: acts.append("pause"), resume=lambda _: acts.append("resume")
    )
    for n in range(6):
        queue.put(Row("A", n, time_ns=n))
    queue.put(Row("A", 55, time_ns=5))

    assert [row.n for row in await drain(queue)] == [2, 3, 4, 55]
    assert acts == ["pause", "resume"]
    assert (queue.dropped, queue.conflated) == (2, 1)


async def test_order_updates_are_never_dropped():
    acts = []
    queue = KeepingQueue(2, overflowed=lambda: acts.append("over"))
    for n in range(6):
        queue.put(Row("A", n))
    assert queue.is_behind
    assert [row.n for row in await drain(queue)] == list(range(6))
    assert acts == ["over"]
    assert not queue.is_behind


async def test_an_end_comes_after_what_was_there():
    queue = DroppingQueue(3)
    queue.put(Row("A", 1))
    queue.finish(errors.ConnectionError("gone"))

    assert (await queue.get()).n == 1
    with pytest.raises(errors.ConnectionError):
        await queue.get()


async def test_a_reader_that_is_cancelled_loses_no_row():
    queue = DroppingQueue(3)
    readers = [asyncio.create_task(queue.get()) for _ in range(2)]
    await asyncio.sleep(0)
    queue.put(Row("A", 1))
    readers[0].cancel()
    assert (await readers[1]).n == 1
    assert len(queue) == 0


async def test_a_full_order_consumer_makes_the_feed_start_over_once_it_has_caught_up():
    venue, clock = Venue(), VirtualClock()

    async def nothing(gap):
        return []

    feed = a_feed(venue, clock=clock, plan=Plan(nothing, is_essential=True, memory=64))
    stream = Subscription([(feed, topics("AAPL"))], Policy.KEEP, buffer=4)
    await stream.ready()
    venue.live.say(*[venue.trade("AAPL", clock.ns()) for _ in range(8)])
    await asyncio.sleep(5)
    assert len(venue.connections) == 1

    ids = [(await anext(stream)).id for _ in range(8)]
    await asyncio.sleep(5)

    assert ids == [str(n) for n in range(1, 9)]
    assert len(venue.connections) == 2
    assert stream.is_current
    await feed.aclose()


async def test_an_order_consumer_that_never_reads_is_told_so_and_holds_up_nobody():
    venue, clock, seen = Venue(), VirtualClock(), []

    async def nothing(gap):
        return []

    feed = a_feed(venue, clock=clock, plan=Plan(nothing, is_essential=True, memory=64))
    stuck = Subscription([(feed, topics("AAPL"))], Policy.KEEP, buffer=4)
    good = Subscription([(feed, topics("AAPL"))], Policy.KEEP, callback=seen.append)
    await stuck.ready()
    await good.ready()
    venue.live.say(*[venue.trade("AAPL", clock.ns()) for _ in range(8)])
    await asyncio.sleep(40)
    venue.live.say(venue.trade("AAPL", clock.ns()))

    assert len(seen) == 9
    assert len([await anext(stuck) for _ in range(8)]) == 8
    with pytest.raises(errors.StaleDataError):
        await anext(stuck)
    await feed.aclose()


async def test_rows_travel_to_other_processes_and_back():
    bus = fanout.MemoryBus()
    quote = Quote(
        symbol="AAPL", time_ns=1, provider="x", bid=1.0, ask=2.0, bid_size=3.0, ask_size=4.0
    )

    async def rows():
        yield quote

    listener = asyncio.create_task(anext(fanout.listen(bus, "quote.*")))
    await asyncio.sleep(0)
    await fanout.relay(rows(), bus)

    assert await listener == quote
    with pytest.raises(errors.DecodeError):
        fanout.decode_row(b"\xff")
    with pytest.raises(errors.InvalidRequestError):
        fanout.encode_row(object())
