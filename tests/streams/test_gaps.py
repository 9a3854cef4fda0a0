"""What was missed is found, filled from history, and handed on once and in order."""

import asyncio
import random
from collections import Counter

import pytest

from sentio_async import errors
from sentio_async.models import Trade
from sentio_async.streams import Plan, Policy, Subscription, reports
from streams.fake_venue import Venue, VirtualClock, a_feed, topics, until

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


def a_trade(id: int, at_ns: int) -> Trade:
    return Trade(
        symbol="AAPL", time_ns=at_ns, provider="scripted", price=1.0 + id, size=1.0, id=str(id)
    )


class Scene:
    """A venue, a feed whose history is told, and a callback that remembers ids."""

    def __init__(self, *, delay: float = 0.5, fails: bool = False, **settings) -> None:
        self.venue, self.clock, self.events = Venue(), VirtualClock(), []
        self.history: list[Trade] = []
        self.asked = []
        self.delay, self.fails = delay, fails
        plan = Plan(self.backfill, memory=64)
        self.feed = a_feed(self.venue, clock=self.clock, events=self.events, plan=plan, **settings)
        self.ids: list[str] = []
        self.stream = Subscription(
            [(self.feed, topics("AAPL"))],
            Policy.DROP_OLDEST,
            callback=lambda trade: self.ids.append(trade.id),
        )

    async def backfill(self, gap):
        self.asked.append(gap)
        await asyncio.sleep(self.delay)
        if self.fails:
            raise ValueError("no history today")
        return self.history

    def told(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def say(self, *ids: int) -> None:
        self.venue.live.say(
            *(self.venue.trade("AAPL", self.clock.ns() + i * 1000, id=i) for i in ids)
        )


async def test_missed_trades_come_before_live_ones_and_none_twice():
    scene = Scene()
    await scene.stream.ready()
    scene.say(1, 2)
    scene.venue.live.drop()
    at = scene.clock.ns()
    await asyncio.sleep(0.4)
    scene.history = [a_trade(id, at + id * 1000) for id in (2, 3, 4, 5)]
    await until(lambda: scene.asked)
    scene.say(5, 6)
    assert scene.ids == ["1", "2"]
    assert not scene.stream.is_current

    await asyncio.sleep(1)
    scene.say(7)

    assert scene.ids == ["1", "2", "3", "4", "5", "6", "7"]
    (filled,) = scene.told(reports.GapFilled)
    assert (filled.symbol, filled.rows) == ("AAPL", 4)
    assert scene.stream.is_current
    await scene.feed.aclose()


async def test_history_that_is_ahead_of_the_stream_is_not_told_twice():
    scene = Scene()
    await scene.stream.ready()
    scene.venue.live.drop()
    at = scene.clock.ns()
    await asyncio.sleep(0.4)
    scene.history = [a_trade(id, at + id * 1000) for id in (1, 2)]

    await asyncio.sleep(1)
    scene.say(2, 3)
    await asyncio.sleep(2)
    scene.say(4, 5)

    assert scene.ids == ["1", "2", "3", "4", "5"]
    await scene.feed.aclose()


async def test_what_cannot_be_filled_is_told_and_live_rows_go_on():
    scene = Scene(fails=True)
    await scene.stream.ready()
    scene.say(1)
    scene.venue.live.drop()
    await until(lambda: scene.asked)
    scene.say(9)

    await asyncio.sleep(1)

    assert scene.ids == ["1", "9"]
    (unfilled,) = scene.told(reports.GapUnfilled)
    assert "no history today" in unfilled.reason
    await scene.feed.aclose()


async def test_a_second_loss_while_filling_loses_nothing():
    scene = Scene(delay=2.0)
    await scene.stream.ready()
    scene.say(1)
    scene.venue.live.drop()
    await until(lambda: scene.asked)
    scene.say(5)
    scene.venue.live.drop()
    at = scene.clock.ns()
    scene.history = [a_trade(3, at), a_trade(4, at + 1)]

    await asyncio.sleep(6)

    assert sorted(scene.ids) == ["1", "3", "4", "5"]
    assert [gap.from_ns for gap in scene.asked] == [scene.asked[0].from_ns] * len(scene.asked)
    await scene.feed.aclose()


async def test_history_that_takes_too_long_is_given_up():
    scene = Scene(delay=1000.0, backfill_timeout=5.0)
    await scene.stream.ready()
    scene.say(1)
    scene.venue.live.drop()
    await asyncio.sleep(2)
    scene.say(2)

    await asyncio.sleep(6)

    assert scene.ids == ["1", "2"]
    assert len(scene.told(reports.GapUnfilled)) == 1
    await scene.feed.aclose()


async def test_what_is_held_is_bounded_and_an_overflow_is_told():
    scene = Scene(hold_limit=10)
    await scene.stream.ready()
    scene.say(1)
    scene.venue.live.drop()
    await until(lambda: scene.asked)
    scene.say(*range(2, 40))

    await asyncio.sleep(2)

    assert scene.ids == ["1", *map(str, range(30, 40))]
    assert len(scene.told(reports.GapUnfilled)) == 1
    await scene.feed.aclose()


async def test_essential_history_is_asked_for_until_there_is_some():
    venue, clock, asked = Venue(), VirtualClock(), []

    async def backfill(gap):
        asked.append(gap)
        if len(asked) < 3:
            raise ValueError("not now")
        return [a_trade(1, gap.to_ns)]

    plan = Plan(backfill, at_first=True, is_essential=True, is_unique=True, memory=64)
    feed = a_feed(venue, clock=clock, plan=plan)
    stream = Subscription([(feed, topics("AAPL"))], Policy.KEEP)
    stream.start()

    first = await anext(stream)
    venue.live.say(*[venue.trade("AAPL", clock.ns(), id=2)] * 3)

    assert first.id == "1"
    assert len(venue.connections) == 3
    assert (await anext(stream)).id == "2"
    await stream.aclose()
    assert [trade async for trade in stream] == []
    await feed.aclose()


async def test_two_hundred_drops_lose_no_subscription_and_hide_no_gap():
    scene = Scene(delay=0.05)
    await scene.stream.ready()
    steps = [None, "hello", "welcome", "ok"]

    for number in range(200):
        scene.say(1000 + number)
        scene.venue.drops_at = steps[number % 4]
        scene.venue.live.drop()
        await asyncio.sleep(1.5)
        scene.venue.drops_at = None
        await until(lambda: scene.stream.is_current)

    assert scene.ids == [str(1000 + number) for number in range(200)]
    assert scene.venue.live.subscribed == set(topics("AAPL"))
    found = {(gap.from_ns) for gap in scene.told(reports.GapFound)}
    assert len(found) == 200
    assert len(scene.told(reports.GapFilled)) + len(scene.told(reports.GapUnfilled)) >= 200
    await scene.feed.aclose()


async def test_five_hundred_clients_do_not_come_back_at_once():
    venue, luck = Venue(), random.Random(1)
    feeds = [a_feed(venue, luck=luck.random, check_every=600.0) for _ in range(500)]
    streams = [Subscription([(f, topics("AAPL"))], Policy.DROP_OLDEST) for f in feeds]
    for stream in streams:
        await stream.ready()
    venue.refuses_to_open = lambda: errors.ConnectionError("down")
    for connection in list(venue.connections):
        connection.drop()
    await asyncio.sleep(10)
    venue.refuses_to_open = lambda: None
    back_at, before = asyncio.get_running_loop().time(), len(venue.opened_at)
    while not all(stream.is_current for stream in streams):  # noqa: ASYNC110 (time is virtual)
        await asyncio.sleep(0.5)
    window = asyncio.get_running_loop().time() - back_at
    late = [at - back_at for at in venue.opened_at[before:]]

    # A few were on their way when it ended.
    assert 490 <= len(late) <= 500
    seconds = Counter(int(at) for at in late)
    assert max(seconds.values()) <= 3 * len(late) / window
    for feed in feeds:
        await feed.aclose()
