"""Gaps where clocks differ, bars come again, answers lie, and consumers leave meanwhile."""

import asyncio
from datetime import timedelta

import pytest

from sentio_async import errors
from sentio_async.models import Bar, Trade
from sentio_async.streams import Plan, Policy, Subscription, reports
from sentio_async.streams.dialect import Lane
from streams.fake_venue import Dialect, Row, Venue, VirtualClock, a_feed, topics, until
from streams.test_gaps import Scene, a_trade

pytestmark = pytest.mark.looptime
SECOND, MINUTE, DAY = 10**9, 60 * 10**9, 86_400 * 10**9


class SlowClock(VirtualClock):
    """A wall clock that is late, and may be put back."""

    late = timedelta(seconds=20)

    def utcnow(self):
        return super().utcnow() - self.late


class Shop(Scene):
    """History as a venue gives it: what happened within the time asked for."""

    def __init__(self, clock, **settings):
        super().__init__(**settings)
        self.feed._context.clock = self.wall = clock
        self.all: list[Trade] = []

    async def backfill(self, gap):
        self.asked.append(gap)
        return [row for row in self.all if gap.from_ns <= row.time_ns <= gap.to_ns + SECOND]


async def test_a_clock_that_is_late_loses_no_trade():
    shop = Shop(SlowClock())
    await shop.stream.ready()
    shop.say(1)
    at = shop.clock.ns()
    shop.venue.refuses_to_open = lambda: errors.ConnectionError("down")
    shop.venue.live.drop()
    await asyncio.sleep(8)
    shop.all = [a_trade(n, at + n * SECOND) for n in range(2, 9)]
    shop.venue.refuses_to_open = lambda: None
    await asyncio.sleep(20)

    assert shop.ids == [str(n) for n in range(1, 9)]
    await shop.feed.aclose()


async def test_a_clock_that_is_put_back_meanwhile_loses_no_trade():
    clock = SlowClock()
    clock.late = timedelta(0)
    shop = Shop(clock)
    await shop.stream.ready()
    shop.say(1)
    shop.venue.is_mute_at = "open"
    shop.venue.live.drop()
    at = shop.clock.ns()
    shop.all = [a_trade(n, at + n * SECOND) for n in range(2, 9)]
    await asyncio.sleep(9)
    clock.late = timedelta(hours=1)
    shop.venue.is_mute_at = None
    await asyncio.sleep(40)

    assert shop.ids == [str(n) for n in range(1, 9)]
    await shop.feed.aclose()


async def test_an_id_that_is_used_again_the_next_day_is_another_trade():
    scene = Scene()
    await scene.stream.ready()
    scene.say(1, 2)
    at = scene.clock.ns()
    scene.venue.live.drop()
    scene.history = [a_trade(2, at + 2000), a_trade(1, at + DAY), a_trade(2, at + DAY + 1)]
    await asyncio.sleep(2)

    assert scene.ids == ["1", "2", "1", "2"]
    await scene.feed.aclose()


def a_bar(at_ns, volume):
    return Bar("AAPL", at_ns, "scripted", 1.0, 1.0, 1.0, 1.0, volume)


class Bars:
    """A feed of minute bars, whose id is their volume."""

    def __init__(self):
        self.venue, self.clock, self.events, self.history = Venue(), VirtualClock(), [], []
        plan = Plan(self.backfill, memory=4, behind_ns=MINUTE)
        self.feed = a_feed(self.venue, clock=self.clock, plan=plan, events=self.events)
        dialect = Dialect()
        dialect.lanes = {Row: Lane("trades", lambda raw, _: a_bar(raw.t, float(raw.i)))}
        self.feed._context.dialect = dialect
        self.heard, self.asked = [], []
        self.stream = Subscription(
            [(self.feed, topics("AAPL"))],
            Policy.BLOCK,
            callback=lambda bar: self.heard.append((bar.time_ns, bar.volume)),
        )

    async def backfill(self, gap):
        self.asked.append(gap)
        await asyncio.sleep(0.5)
        return self.history

    def say(self, at_ns, volume):
        self.venue.live.say(self.venue.trade("AAPL", at_ns, id=volume))


async def test_a_bar_that_comes_again_while_history_is_asked_for_is_handed_on():
    bars = Bars()
    await bars.stream.ready()
    at = bars.clock.ns() // MINUTE * MINUTE
    bars.say(at, 10)
    bars.venue.live.drop()
    await until(lambda: bars.asked)
    bars.history = [a_bar(at, 11.0), a_bar(at + MINUTE, 20.0), a_bar(at + 2 * MINUTE, 30.0)]
    # As told before, as history tells it, older than that, and with more in it.
    for offset, volume in ((0, 10), (1, 20), (2, 25), (1, 21)):
        bars.say(at + offset * MINUTE, volume)
    await asyncio.sleep(1)

    assert bars.heard == [
        (at, 10.0),
        (at, 11.0),
        (at + MINUTE, 20.0),
        (at + 2 * MINUTE, 30.0),
        (at + MINUTE, 21.0),
    ]
    await bars.feed.aclose()


async def test_the_bar_of_the_minute_in_which_a_symbol_was_confirmed_is_not_lost():
    bars = Bars()
    await asyncio.sleep(30)
    await bars.stream.ready()
    at = bars.clock.ns() // MINUTE * MINUTE
    bars.venue.live.drop()
    bars.history = [a_bar(at, 10.0)]
    await asyncio.sleep(2)

    assert bars.heard == [(at, 10.0)]
    await bars.feed.aclose()


async def test_what_comes_before_the_answer_waits_for_history_too():
    scene = Scene()
    await scene.stream.ready()
    scene.say(1)
    at = scene.clock.ns()
    scene.venue.is_mute_at = "ok"
    scene.venue.live.drop()
    await until(lambda: len(scene.venue.connections) == 2 and scene.venue.live.subscribed)
    scene.say(5)
    scene.history = [a_trade(n, at + n * 1000) for n in (2, 3, 4)]
    scene.venue.live.say({"k": "word", "w": "ok", "topics": topics("AAPL")})
    await asyncio.sleep(1)

    assert scene.ids == ["1", "2", "3", "4", "5"]
    await scene.feed.aclose()


async def test_state_that_is_asked_for_first_comes_before_what_comes_before_the_answer():
    venue, clock, seen = Venue(), VirtualClock(), []

    async def state(gap):
        await asyncio.sleep(0.1)
        return [a_trade(1, gap.to_ns)]

    plan = Plan(state, memory=64, at_first=True, is_essential=True, is_unique=True)
    feed = a_feed(venue, clock=clock, plan=plan)
    venue.is_mute_at = "ok"
    stream = Subscription([(feed, topics("AAPL"))], Policy.KEEP, callback=seen.append)
    await until(lambda: venue.connections and venue.live.subscribed)
    venue.live.say(venue.trade("AAPL", clock.ns(), id=2))
    venue.live.say({"k": "word", "w": "ok", "topics": topics("AAPL")})
    await asyncio.sleep(1)

    assert [trade.id for trade in seen] == ["1", "2"]
    await stream.aclose()
    await feed.aclose()


@pytest.mark.parametrize("answer", ["no", "nothing"])
async def test_rows_that_wait_are_handed_on_when_their_symbol_is_sent_no_more(answer):
    scene = Scene(delay=30.0, backfill_timeout=60.0)
    other = await Subscription([(scene.feed, topics("MSFT"))], Policy.DROP_OLDEST).ready()
    await scene.stream.ready()
    scene.say(1)
    scene.venue.live.drop()
    await until(lambda: scene.asked)
    scene.say(2)
    (scene.venue.bad if answer == "no" else scene.venue.unheard).add("AAPL")
    scene.venue.live.drop()
    await asyncio.sleep(30)

    assert scene.ids == ["1", "2"]
    unfilled = [gap for gap in scene.told(reports.GapUnfilled) if gap.symbol == "AAPL"]
    assert len(unfilled) == 1
    # What it brings one day is a gap of its own.
    scene.venue.bad, scene.venue.unheard = set(), set()
    scene.venue.live.drop()
    again = await Subscription([(scene.feed, topics("AAPL"))], Policy.DROP_OLDEST).ready()
    await until(lambda: unfilled[0].to_ns in [gap.from_ns for gap in scene.asked])
    for stream in (other, again):
        await stream.aclose()
    await scene.feed.aclose()


async def test_a_callback_that_has_left_hears_nothing_of_what_was_missed():
    scene = Scene()
    other = await Subscription([(scene.feed, topics("MSFT"))], Policy.DROP_OLDEST).ready()
    await scene.stream.ready()
    scene.say(1)
    at = scene.clock.ns()
    scene.venue.live.drop()
    scene.history = [a_trade(2, at + 2000)]
    await until(lambda: scene.asked)
    await scene.stream.aclose()
    await asyncio.sleep(2)

    assert scene.ids == ["1"]
    await other.aclose()
    await scene.feed.aclose()


async def test_a_stream_that_takes_the_place_of_another_at_once_has_its_gap_from_then_on():
    scene = Scene()
    await scene.stream.ready()
    await asyncio.sleep(100)
    begun = scene.clock.ns()
    scene.stream.close()
    stream = await Subscription([(scene.feed, topics("AAPL"))], Policy.DROP_OLDEST).ready()
    # The connection is mute, which is noticed half a minute later only.
    await asyncio.sleep(30)
    scene.venue.live.drop()
    await until(lambda: scene.asked)

    assert abs(scene.asked[0].from_ns - begun) < SECOND
    await stream.aclose()
    await scene.feed.aclose()


async def test_many_symbols_do_not_wait_for_ever_for_a_history_that_hangs():
    scene = Scene(delay=1000.0, backfill_timeout=30.0, hold_at_most=60.0)
    names = [f"S{n}" for n in range(100)]
    stream = await Subscription([(scene.feed, topics(*names))], Policy.DROP_OLDEST).ready()
    await scene.stream.ready()
    scene.venue.live.drop()
    await asyncio.sleep(65)

    assert stream.is_current
    assert len(scene.told(reports.GapUnfilled)) == 101
    await stream.aclose()
    await scene.feed.aclose()


async def test_what_came_before_an_answer_that_never_came_has_a_gap_after_it():
    scene = Scene()
    scene.venue.is_mute_at = "ok"
    await until(lambda: scene.venue.connections and scene.venue.live.subscribed)
    scene.say(1)
    at = scene.clock.ns()
    scene.venue.live.drop()
    scene.venue.is_mute_at = None
    scene.history = [a_trade(2, at + 2000)]
    await asyncio.sleep(2)

    assert scene.ids == ["1", "2"]
    await scene.feed.aclose()


async def test_rows_that_wait_are_handed_on_before_a_stream_ends_for_good():
    scene = Scene(delay=30.0, backfill_timeout=60.0)
    stream = await Subscription([(scene.feed, topics("AAPL"))], Policy.DROP_OLDEST).ready()
    scene.say(1)
    scene.venue.live.drop()
    await until(lambda: scene.asked)
    scene.say(2)
    scene.venue.refuses_to_open = lambda: errors.AuthenticationError("another key is needed")
    scene.venue.live.drop()
    await asyncio.sleep(2)

    assert [(await anext(stream)).id for _ in range(2)] == ["1", "2"]
    with pytest.raises(errors.AuthenticationError):
        await anext(stream)
    assert len(scene.told(reports.GapUnfilled)) == 1
    await stream.aclose()
    await scene.feed.aclose()
