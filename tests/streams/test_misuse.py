"""Streams that are opened, closed and read in the wrong place or at the wrong time."""

import asyncio
import threading
import time
from datetime import datetime

import pytest

from eager import eager_tasks
from sentio_async import errors
from sentio_async.streams import EVERYTHING, Policy, Subscription, reports
from sentio_async.streams.feeds import Tap
from sentio_async.streams.hours import SessionHours
from streams.fake_venue import Venue, VirtualClock, a_feed, topics

pytestmark = pytest.mark.looptime


def a_stream(feed, *symbols, **options):
    return Subscription([(feed, topics(*symbols or ("AAPL",)))], Policy.DROP_OLDEST, **options)


async def test_a_stream_that_is_closed_in_another_thread_leaves_the_feed_whole():
    venue = Venue()
    feed = a_feed(venue)
    stream = await a_stream(feed, "AAPL").ready()

    # As the collector of garbage does, in whatever thread it runs.
    thread = threading.Thread(target=stream.close)
    thread.start()
    thread.join()

    other = a_stream(feed, "NVDA")
    async with asyncio.timeout(1):
        await other.ready()
    await asyncio.sleep(0.1)
    assert venue.live.subscribed == set(topics("NVDA"))
    await feed.aclose()


def test_a_stream_that_needs_a_loop_and_has_none_leaves_nothing_behind():
    venue, rows = Venue(), []
    feed = a_feed(venue)
    early = a_stream(feed, "MSFT")
    with pytest.raises(RuntimeError):
        early.start()
    with pytest.raises(RuntimeError):
        a_stream(feed, callback=rows.append)

    async def later():
        async with asyncio.timeout(2):
            await early.ready()
            await a_stream(feed, callback=rows.append).ready()
        venue.live.say(venue.trade("AAPL", 1))
        assert venue.live.subscribed == set(topics("AAPL", "MSFT"))
        await feed.aclose()

    asyncio.run(later())
    assert len(rows) == 1


def test_a_feed_lives_again_in_another_loop():
    venue = Venue()
    feed = a_feed(venue)

    async def read_one(symbol):
        stream = a_stream(feed, symbol)
        async with asyncio.timeout(2):
            await stream.ready()
            venue.live.say(venue.trade(symbol, 1))
            return (await anext(stream)).symbol

    for symbol in ("AAPL", "MSFT", "NVDA"):
        assert asyncio.run(read_one(symbol)) == symbol


async def test_a_callback_that_awaits_what_was_cancelled_goes_on():
    venue, feed_rows = Venue(), []
    feed = a_feed(venue)

    async def callback(row):
        feed_rows.append(row.id)
        lost = asyncio.get_running_loop().create_future()
        lost.cancel()
        await lost

    stream = await a_stream(feed, callback=callback).ready()
    venue.live.say(venue.trade("AAPL", 1), venue.trade("AAPL", 2))
    await asyncio.sleep(0.1)

    assert feed_rows == ["1", "2"]
    assert stream.failures == 2
    await stream.aclose()
    await feed.aclose()


@pytest.mark.parametrize("symbols", [("AAPL",), ("AAPL", EVERYTHING)])
async def test_a_function_that_asks_for_what_was_cancelled_harms_nobody(symbols):
    venue, rows = Venue(), []
    feed = a_feed(venue)

    def fails(row):
        raise asyncio.CancelledError

    bad = await a_stream(feed, *symbols, callback=fails).ready()
    if EVERYTHING in symbols:
        await a_stream(feed, callback=rows.append).ready()
    venue.live.say(venue.trade("AAPL", 1), venue.trade("AAPL", 2))

    assert bad.failures == 2
    assert len(rows) == (2 if EVERYTHING in symbols else 0)
    await feed.aclose()


async def test_a_callback_that_closes_its_stream_is_called_no_more():
    venue, rows = Venue(), []
    feed = a_feed(venue)

    async def once(row):
        rows.append(row.id)
        await stream.aclose()

    stream = await a_stream(feed, callback=once).ready()
    venue.live.say(*[venue.trade("AAPL", n) for n in range(5)])
    await asyncio.sleep(0.1)

    assert rows == ["1"]
    await feed.aclose()


async def test_a_listener_may_open_a_stream_when_it_hears_of_rows_that_were_dropped():
    venue, events, opened = Venue(), [], []
    feed = a_feed(venue, events=events)

    def listen(event):
        if isinstance(event, reports.RowsDropped):
            opened.append(a_stream(feed, f"MSFT{len(opened)}"))
            opened[-1].start()

    feed._context.listeners = (listen,)
    stream = await a_stream(feed, buffer=1).ready()
    venue.live.say(*[venue.trade("AAPL", n) for n in range(5)])
    await asyncio.sleep(8)

    assert len(venue.connections) == 1
    assert opened[0].is_current
    await stream.aclose()
    await feed.aclose()


async def test_who_gives_up_waiting_again_and_again_leaves_nothing_behind():
    venue = Venue()
    feed = a_feed(venue)
    stream = await a_stream(feed).ready()
    for _ in range(50):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), 0.01)
    venue.is_mute_at = "open"
    venue.live.drop()
    await asyncio.sleep(1)
    for _ in range(50):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(stream.ready(), 0.01)

    assert not stream._queue._waiters
    assert not feed._waiters
    await stream.aclose()
    await feed.aclose()


async def test_a_stream_that_begins_after_the_end_opens_nothing():
    venue = Venue()
    feed = a_feed(venue)
    tap = Tap(feed)
    late = Subscription([(tap, topics("AAPL"))], Policy.DROP_OLDEST)
    tap.close()
    await feed.aclose()

    assert [row async for row in late] == []
    with pytest.raises(errors.ConnectionError):
        await late.ready()
    await asyncio.sleep(1)
    assert venue.connections == []


async def test_a_calendar_without_time_zones_costs_no_connection():
    class Naive:
        async def sessions(self, start, end):
            return [(datetime(2026, 11, 24, 9, 30), datetime(2026, 11, 24, 16))]

    venue = Venue()
    feed = a_feed(venue, clock=VirtualClock(), hours=SessionHours(Naive()))
    stream = await a_stream(feed).ready()
    await asyncio.sleep(60)

    assert len(venue.connections) == 1
    await stream.aclose()
    await feed.aclose()


@pytest.mark.slow
async def test_thousands_of_symbols_are_wanted_in_a_moment():
    venue = Venue()
    feed = a_feed(venue)
    names = [f"S{n}" for n in range(5000)]
    began = time.process_time()
    stream = a_stream(feed, *names)
    stream.start()
    stream.close()

    # It took 25 seconds when each symbol was told to all of them.
    assert time.process_time() - began < 2
    await feed.aclose()


class Slow:
    """A coroutine function that takes a while, or will not be cancelled."""

    def __init__(self, seconds: float, *, is_stubborn: bool = False) -> None:
        self.ids, self.seconds, self.is_stubborn = [], seconds, is_stubborn
        self.may_end = asyncio.Event()

    async def __call__(self, row):
        self.ids.append(row.id)
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            if not self.is_stubborn:
                raise
            await self.may_end.wait()


async def test_at_the_end_callbacks_have_a_second_for_what_they_were_given():
    venue = Venue()
    feed = a_feed(venue)
    tap, quick, slow = Tap(feed), Slow(0.1), Slow(0.4)
    for callback in (quick, slow):
        await Subscription([(tap, topics("AAPL"))], Policy.DROP_OLDEST, callback=callback).ready()
    venue.live.say(*[venue.trade("AAPL", n) for n in range(5)])
    await asyncio.sleep(0.01)
    async with asyncio.timeout(2):
        await tap.aclose()
        await feed.aclose()

    assert quick.ids == ["1", "2", "3", "4", "5"]
    assert slow.ids == ["1", "2", "3"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_callback_that_will_not_be_cancelled_is_not_waited_for():
    venue = Venue()
    feed = a_feed(venue)
    stubborn = Slow(100.0, is_stubborn=True)
    stream = await a_stream(feed, callback=stubborn).ready()
    venue.live.say(*[venue.trade("AAPL", n) for n in range(5)])
    await asyncio.sleep(0.01)
    async with asyncio.timeout(2):
        await stream.aclose()
    stubborn.may_end.set()
    await feed.aclose()
    await asyncio.sleep(0.1)

    assert stubborn.ids == ["1"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("what", ["its stream", "its connector"])
async def test_a_callback_may_end_what_it_belongs_to(what):
    venue, ended = Venue(), []
    feed = a_feed(venue)
    tap = Tap(feed)

    async def once(row):
        # Each of these runs it in a task of its own.
        if what == "its stream":
            await asyncio.wait_for(stream.aclose(), 1)
        else:
            await asyncio.gather(tap.aclose(), feed.aclose())
        ended.append(row.id)

    stream = await Subscription([(tap, topics("AAPL"))], Policy.DROP_OLDEST, callback=once).ready()
    began = asyncio.get_running_loop().time()
    venue.live.say(venue.trade("AAPL", 1))
    await asyncio.sleep(0.1)

    assert ended == ["1"]
    assert stream.failures == 0
    await feed.aclose()
    assert asyncio.get_running_loop().time() - began < 0.5
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_callback_may_end_its_stream_where_tasks_begin_at_once():
    venue, ended = Venue(), []
    feed = a_feed(venue)

    async def once(row):
        await stream.aclose()
        ended.append(row.id)

    with eager_tasks():
        stream = await a_stream(feed, callback=once).ready()
    venue.live.say(venue.trade("AAPL", 1))
    await asyncio.sleep(0.1)

    assert ended == ["1"]
    await feed.aclose()
