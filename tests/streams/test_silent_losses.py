"""What might be lost, or be awaited for ever, without a word."""

import asyncio

import pytest

from sentio_async import errors
from sentio_async.streams import EVERYTHING, Plan, Policy, Subscription, Topic, reports
from sentio_async.streams.book import Book
from streams.fake_venue import Venue, VirtualClock, a_feed, topics, until
from streams.test_gaps import Scene, a_trade

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

AAPL = Topic("trades", "AAPL")


async def test_a_symbol_without_a_row_yet_has_its_gap_from_its_confirmation_on():
    scene = Scene()
    await scene.stream.ready()
    await asyncio.sleep(5)
    scene.history = [a_trade(1, scene.clock.ns())]
    # The connection is mute, and that is noticed half a minute later only.
    await asyncio.sleep(30)
    scene.venue.live.drop()

    await asyncio.sleep(2)

    assert scene.ids == ["1"]
    await scene.feed.aclose()


async def test_the_gap_of_everything_begins_with_the_last_row():
    venue, clock, events = Venue(), VirtualClock(), []
    feed = a_feed(venue, clock=clock, events=events)
    stream = await Subscription([(feed, topics(EVERYTHING))], Policy.DROP_OLDEST).ready()
    await asyncio.sleep(3600)
    last = clock.ns()
    venue.live.say(venue.trade("AAPL", last))
    await asyncio.sleep(30)
    venue.live.drop()
    await asyncio.sleep(2)

    (gap,) = (event for event in events if isinstance(event, reports.GapUnfilled))
    assert gap.from_ns == last
    await stream.aclose()
    await feed.aclose()


async def test_rows_lost_while_history_is_handed_on_are_told_of():
    scene = Scene(hold_limit=600)
    await scene.stream.ready()
    scene.say(1)
    at = scene.clock.ns()
    scene.venue.live.drop()
    scene.history = [a_trade(id, at + id * 1000) for id in range(2, 5000)]

    def flood(trade):
        if trade.id == "700":
            scene.say(*range(10_000, 10_700))

    Subscription([(scene.feed, topics("AAPL"))], Policy.DROP_OLDEST, callback=flood)
    await until(lambda: scene.asked)
    await asyncio.sleep(2)

    assert len(scene.ids) == 4999 + 600

    assert len(scene.told(reports.GapUnfilled)) == 1
    assert scene.told(reports.GapFilled) == []
    await scene.feed.aclose()


async def test_order_updates_that_come_meanwhile_all_have_room():
    venue, clock, seen = Venue(), VirtualClock(), []

    async def slowly(gap):
        await asyncio.sleep(0.5)
        return []

    plan = Plan(slowly, memory=64, at_first=True, is_essential=True, is_unique=True)
    feed = a_feed(venue, clock=clock, plan=plan, hold_limit=10)
    stream = Subscription([(feed, topics("AAPL"))], Policy.KEEP, callback=seen.append)
    await stream.ready()
    venue.live.say(*[venue.trade("AAPL", clock.ns()) for _ in range(40)])
    await asyncio.sleep(1)

    assert [trade.id for trade in seen] == [str(n) for n in range(1, 41)]
    await feed.aclose()


async def test_an_answer_that_is_out_of_date_confirms_nothing():
    venue, clock = Venue(), VirtualClock()
    feed = a_feed(venue, clock=clock)
    other = await Subscription([(feed, topics("MSFT"))], Policy.DROP_OLDEST).ready()
    venue.unheard = {"AAPL"}
    brief = Subscription([(feed, topics("AAPL"))], Policy.DROP_OLDEST)
    brief.start()
    await asyncio.sleep(0.1)
    await brief.aclose()
    await asyncio.sleep(0.1)
    venue.live.say({"k": "word", "w": "ok", "topics": [AAPL]})
    venue.unheard = set()

    again = await Subscription([(feed, topics("AAPL"))], Policy.DROP_OLDEST).ready()

    assert AAPL in venue.live.subscribed
    await other.aclose()
    await again.aclose()
    await feed.aclose()


async def test_what_a_venue_lists_no_more_is_asked_for_again_and_has_a_gap():
    scene = Scene()
    await scene.stream.ready()
    scene.say(1)
    scene.venue.live.say({"k": "word", "w": "all", "topics": []})
    scene.history = [a_trade(2, scene.clock.ns() + 2000)]
    await asyncio.sleep(2)

    assert scene.stream.is_current
    assert sum(text.startswith("+") for text in scene.venue.live.sent) == 2
    assert scene.ids == ["1", "2"]
    await scene.feed.aclose()


async def test_a_late_answer_still_counts():
    book = Book()
    book.want([AAPL])
    book.was_asked([AAPL], 1.0)
    assert book.overdue(2.0) == [AAPL]

    assert book.confirm([AAPL]) == [AAPL]
    assert book.confirmed == {AAPL}


async def test_a_full_order_consumer_that_leaves_keeps_nobody_waiting():
    venue, clock, seen = Venue(), VirtualClock(), []

    async def nothing(gap):
        return []

    feed = a_feed(venue, clock=clock, plan=Plan(nothing, is_essential=True, memory=64))
    stuck = Subscription([(feed, topics("AAPL"))], Policy.KEEP, buffer=4)
    good = Subscription([(feed, topics("AAPL"))], Policy.KEEP, callback=seen.append)
    await stuck.ready()
    await good.ready()
    venue.live.say(*[venue.trade("AAPL", clock.ns()) for _ in range(8)])
    await asyncio.sleep(2)
    await stuck.aclose()
    await asyncio.sleep(1)

    assert len(venue.connections) == 2
    assert good.is_current
    await feed.aclose()


@pytest.mark.parametrize("how", ["the subscription", "the feed"])
async def test_whoever_waits_for_a_topic_hears_that_it_is_wanted_no_more(how):
    venue = Venue()
    venue.is_mute_at = "open"
    feed = a_feed(venue)
    stream = Subscription([(feed, topics("AAPL"))], Policy.DROP_OLDEST)
    waiting = asyncio.create_task(stream.ready())
    await asyncio.sleep(0.1)

    await (stream if how == "the subscription" else feed).aclose()

    async with asyncio.timeout(1):
        with pytest.raises(errors.ConnectionError):
            await waiting
    await feed.aclose()


async def test_nothing_is_current_from_the_moment_that_something_could_not_be_read():
    venue, current = Venue(), []

    async def nothing(gap):
        return []

    feed = a_feed(venue, plan=Plan(nothing, is_essential=True, memory=64))
    stream = Subscription([(feed, topics("AAPL"))], Policy.KEEP)
    await stream.ready()
    assert stream.is_current

    venue.live.say_bytes(b"[1]")
    current.append(stream.is_current)
    await asyncio.sleep(2)
    current.append(stream.is_current)

    assert current == [False, True]
    await stream.aclose()
    await feed.aclose()


async def test_a_symbol_without_an_answer_is_asked_for_again_after_a_minute():
    venue, events = Venue(), []
    feed = a_feed(venue, events=events)
    await Subscription([(feed, topics("MSFT"))], Policy.DROP_OLDEST, callback=print).ready()
    venue.unheard = {"AAPL"}
    stream = Subscription([(feed, topics("AAPL"))], Policy.DROP_OLDEST)
    stream.start()
    await asyncio.sleep(60)
    venue.unheard = set()
    async with asyncio.timeout(30):
        await stream.ready()

    assert len(venue.connections) == 1
    assert len([event for event in events if isinstance(event, reports.TopicRefused)]) == 1
    await stream.aclose()
    await feed.aclose()


async def test_a_long_list_that_nothing_goes_on_without_has_time():
    venue, seen = Venue(), []

    async def slowly(gap):
        await asyncio.sleep(100)
        return [a_trade(1, gap.to_ns)]

    plan = Plan(slowly, memory=64, at_first=True, is_essential=True, is_unique=True)
    feed = a_feed(venue, plan=plan)
    stream = Subscription([(feed, topics("AAPL"))], Policy.KEEP, callback=seen.append)
    async with asyncio.timeout(101):
        await stream.ready()

    assert [trade.id for trade in seen] == ["1"]
    assert len(venue.connections) == 1
    await feed.aclose()
