"""One supervised connection: it comes back, and nothing is lost silently."""

import asyncio
import gc
from datetime import datetime

import pytest

from sentio_async import errors
from sentio_async.models import Trade
from sentio_async.streams import FeedState, Plan, Policy, Subscription, reports
from streams.fake_venue import Venue, VirtualClock, a_feed, topics

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


def a_subscription(feed, *symbols, policy=Policy.DROP_OLDEST, **more) -> Subscription[Trade]:
    return Subscription([(feed, topics(*symbols))], policy, **more)


async def settle(seconds: float = 0.1) -> None:
    await asyncio.sleep(seconds)


def states(events) -> list[str]:
    return [event.new for event in events if isinstance(event, reports.FeedChanged)]


async def test_a_feed_goes_through_its_states_to_live_and_back_to_idle():
    venue, events = Venue(), []
    feed = a_feed(venue, events=events)

    async with a_subscription(feed, "AAPL") as stream:
        await stream.ready()
        assert feed.state is FeedState.LIVE
    await settle(2)

    assert states(events) == ["connecting", "authenticating", "subscribing", "live", "idle"]
    assert venue.live.is_open is False


async def test_rows_come_to_every_consumer_over_one_connection():
    venue, clock = Venue(), VirtualClock()
    feed = a_feed(venue, clock=clock)
    one, two = a_subscription(feed, "AAPL"), a_subscription(feed, "AAPL", "MSFT")
    await one.ready()
    await two.ready()

    venue.live.say(venue.trade("AAPL", clock.ns()), venue.trade("MSFT", clock.ns()))

    assert (await anext(one)).symbol == "AAPL"
    assert [(await anext(two)).symbol for _ in range(2)] == ["AAPL", "MSFT"]
    assert len(venue.connections) == 1
    await feed.aclose()


async def test_what_is_wanted_is_asked_for_again_after_a_loss():
    venue = Venue()
    feed = a_feed(venue)
    stream = await a_subscription(feed, "AAPL", "MSFT").ready()

    venue.live.drop()
    await settle(2)

    assert len(venue.connections) == 2
    assert venue.live.subscribed == set(topics("AAPL", "MSFT"))
    assert stream.is_current
    await feed.aclose()


@pytest.mark.parametrize("step", ["hello", "welcome", "ok"])
async def test_a_drop_at_any_step_loses_no_subscription(step):
    venue = Venue()
    venue.drops_at = step
    feed = a_feed(venue)
    stream = a_subscription(feed, "AAPL")
    stream.start()
    await settle(20)
    tries = len(venue.connections)

    venue.drops_at = None
    await settle(31)

    assert 4 <= tries <= 8
    assert venue.live.subscribed == set(topics("AAPL"))
    assert feed.state is FeedState.LIVE
    await feed.aclose()


@pytest.mark.parametrize("step", ["hello", "welcome"])
async def test_a_venue_that_says_nothing_is_left(step):
    venue = Venue()
    venue.is_mute_at = step
    feed = a_feed(venue)
    stream = a_subscription(feed, "AAPL")
    stream.start()

    await settle(12)

    assert len(venue.connections) == 2
    await feed.aclose()


async def test_close_codes_of_a_venue_that_is_going_away_are_no_end():
    venue = Venue()
    feed = a_feed(venue)
    await a_subscription(feed, "AAPL").ready()
    stream = a_subscription(feed, "AAPL")
    await stream.ready()

    for code in (1000, 1001):
        venue.live.drop(code, "going away")
        await settle(2)
        assert feed.state is FeedState.LIVE
    await feed.aclose()


async def test_a_refused_login_is_final_and_everybody_hears_of_it():
    venue = Venue()
    feed = a_feed(venue)
    stream = a_subscription(feed, "AAPL")
    await stream.ready()

    venue.live.say({"k": "word", "w": "problem", "remedy": "final"})

    with pytest.raises(errors.AuthenticationError):
        await anext(stream)
    with pytest.raises(errors.AuthenticationError):
        await anext(a_subscription(feed, "MSFT"))
    await settle(100)
    assert len(venue.connections) == 1
    assert feed.state is FeedState.CLOSED


async def test_too_many_connections_means_half_a_minute_at_least():
    venue = Venue()
    feed = a_feed(venue, luck=lambda: 0.0)
    stream = a_subscription(feed, "AAPL")
    await stream.ready()

    venue.live.say({"k": "word", "w": "problem", "remedy": "slowly"})
    await settle(29)
    assert len(venue.connections) == 1
    await settle(2)

    assert len(venue.connections) == 2
    await feed.aclose()


async def test_the_wait_grows_until_a_connection_has_proven_itself():
    venue = Venue()
    feed = a_feed(venue)
    stream = a_subscription(feed, "AAPL")
    await stream.ready()

    waits = []
    for _ in range(9):
        at = asyncio.get_running_loop().time()
        seen = len(venue.opened_at)
        venue.live.drop()
        while len(venue.opened_at) == seen:
            await settle(0.05)
        waits.append(round(venue.opened_at[-1] - at, 3))
        await settle(1)
    assert waits[0] < 0.51
    assert waits == sorted(waits)
    assert 22 < waits[-1] < 31

    await settle(61)
    venue.live.drop()
    await settle(0.6)
    assert feed.state in (FeedState.LIVE, FeedState.CONNECTING)
    await feed.aclose()


async def test_a_symbol_that_the_venue_refuses_costs_no_other():
    venue, events = Venue(), []
    venue.bad = {"NONSENSE"}
    feed = a_feed(venue, events=events)
    good, bad = a_subscription(feed, "AAPL", "MSFT"), a_subscription(feed, "NONSENSE")
    good.start()
    bad.start()

    await good.ready()
    with pytest.raises(errors.BadRequestError):
        await bad.ready()

    with pytest.raises(errors.BadRequestError):
        await anext(bad)
    assert [e.symbol for e in events if isinstance(e, reports.TopicRefused)] == ["NONSENSE"]
    await feed.aclose()


async def test_a_symbol_without_an_answer_is_told_of():
    venue, events = Venue(), []
    venue.unheard = {"NONSENSE"}
    feed = a_feed(venue, events=events)
    stream = a_subscription(feed, "AAPL", "NONSENSE")
    stream.start()

    await settle(12)

    told = [e for e in events if isinstance(e, reports.TopicRefused)]
    assert [(e.symbol, e.reason) for e in told] == [("NONSENSE", "the venue did not answer")]
    assert feed.state is FeedState.LIVE
    assert not stream.is_current
    await feed.aclose()


async def test_a_venue_that_answers_no_subscription_is_left():
    venue, clock = Venue(), VirtualClock()
    venue.unheard = {"AAPL"}
    feed = a_feed(venue, clock=clock)
    stream = a_subscription(feed, "AAPL")
    stream.start()

    await settle(12)
    venue.unheard = set()
    await settle(40)

    assert feed.status().connections > 1
    assert stream.is_current
    await feed.aclose()


async def test_leaving_gives_up_what_nobody_else_wants():
    venue = Venue()
    feed = a_feed(venue)
    one, two = a_subscription(feed, "AAPL", "MSFT"), a_subscription(feed, "AAPL")
    await one.ready()
    await two.ready()

    await one.aclose()
    await settle()

    assert venue.live.subscribed == set(topics("AAPL"))
    await feed.aclose()


async def test_breaking_out_of_a_loop_ends_the_subscription():
    venue, clock = Venue(), VirtualClock()
    feed = a_feed(venue, clock=clock)
    keeper = a_subscription(feed, "MSFT")
    await keeper.ready()

    async def take_one() -> Trade:
        async for trade in a_subscription(feed, "AAPL"):
            return trade
        raise AssertionError

    task = asyncio.create_task(take_one())
    await settle()
    venue.live.say(venue.trade("AAPL", clock.ns()))
    assert (await task).symbol == "AAPL"
    del task
    gc.collect()
    await settle()

    assert venue.live.subscribed == set(topics("MSFT"))
    await feed.aclose()


async def test_garbage_is_counted_and_costs_only_itself():
    venue, clock, events = Venue(), VirtualClock(), []
    feed = a_feed(venue, clock=clock, events=events)
    stream = a_subscription(feed, "AAPL")
    await stream.ready()

    venue.live.say_bytes(b"\x00garbage")
    venue.live.say({"k": "never heard of"}, venue.trade("AAPL", clock.ns()))

    assert (await anext(stream)).symbol == "AAPL"
    assert len([e for e in events if isinstance(e, reports.FrameSkipped)]) == 2
    await feed.aclose()


async def test_a_consumer_that_raises_is_nobody_elses_problem():
    venue, clock, events, seen = Venue(), VirtualClock(), [], []
    feed = a_feed(venue, clock=clock, events=events)

    def bad(trade: Trade) -> None:
        raise ValueError("mine")

    async def also_bad(trade: Trade) -> None:
        raise ValueError("mine too")

    broken = a_subscription(feed, "AAPL", callback=bad)
    late = a_subscription(feed, "AAPL", callback=also_bad)
    good = a_subscription(feed, "AAPL", callback=seen.append)
    await good.ready()

    for _ in range(20):
        venue.live.say(venue.trade("AAPL", clock.ns()))
    await settle()

    assert len(seen) == 20
    assert (broken.failures, late.failures, good.failures) == (20, 20, 0)
    assert len([e for e in events if isinstance(e, reports.ConsumerFailed)]) == 20
    await feed.aclose()


async def test_a_silent_channel_in_session_is_connected_anew_and_a_quiet_symbol_is_left_alone():
    venue, events = Venue(), []
    feed = a_feed(venue, events=events, patience={"trades": 60.0})
    stream = a_subscription(feed, "AAPL")
    await stream.ready()

    await settle(3600)

    silent = [e for e in events if isinstance(e, reports.FeedSilent)]
    assert 4 <= len(silent) <= 7
    assert "stale" in states(events)
    await feed.aclose()


async def test_no_trades_at_night_is_no_silence():
    class Closed:
        def is_open(self, at: datetime) -> bool:
            return False

        async def refresh(self, now: datetime) -> None:
            return

    venue, events = Venue(), []
    feed = a_feed(venue, events=events, patience={"trades": 60.0}, hours=Closed())
    await a_subscription(feed, "AAPL", callback=lambda _: None).ready()

    await settle(36_000)

    assert len(venue.connections) == 1
    await feed.aclose()


@pytest.mark.parametrize(
    "state", ["connecting", "authenticating", "subscribing", "live", "backoff", "held"]
)
@pytest.mark.parametrize("how", ["aclose", "cancel", "leave"])
async def test_it_ends_within_two_seconds_in_every_state(state, how):
    venue, clock = Venue(), VirtualClock()
    asleep = asyncio.Event()

    async def never(gap):
        await asleep.wait()

    feed = a_feed(venue, clock=clock, plan=Plan(never, memory=64))
    stream = a_subscription(feed, "AAPL")
    venue.is_mute_at = {"connecting": "open", "authenticating": "welcome", "subscribing": "ok"}.get(
        state
    )
    reader = asyncio.create_task(anext(stream))
    await settle(0.5)
    if state in ("backoff", "held"):
        venue.live.drop()
        await settle(0.01 if state == "backoff" else 3)
    before = asyncio.get_running_loop().time()

    if how == "aclose":
        await feed.aclose()
    reader.cancel()
    await asyncio.wait((reader,))
    if how == "leave":
        await stream.aclose()
    del stream, reader
    gc.collect()
    while len(asyncio.all_tasks()) > 1:
        await settle(0.01)

    assert asyncio.get_running_loop().time() - before < 2
    assert feed.state in (FeedState.CLOSED, FeedState.IDLE)
    assert not any(each.is_open for each in venue.connections)
