"""A day in the life of a stream, in virtual time: nothing drifts, nothing grows."""

import asyncio
from datetime import UTC, date, datetime, time, timedelta

import pytest

from sentio_async.models import Trade, TradingDay
from sentio_async.streams import FeedState, Policy, Subscription, reports
from sentio_async.streams.hours import SessionHours, VendorCalendar, days_without
from streams.fake_venue import STARTED, Venue, VirtualClock, a_feed, topics

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


def a_subscription(feed, *symbols, **more) -> Subscription[Trade]:
    return Subscription([(feed, topics(*symbols))], Policy.DROP_OLDEST, **more)


async def test_a_day_of_stream_life_neither_drifts_nor_grows():
    venue, clock, events = Venue(), VirtualClock(STARTED), []
    feed = a_feed(venue, clock=clock, events=events, patience={"trades": 120.0}, check_every=30.0)
    count = 0

    def take(_: Trade) -> None:
        nonlocal count
        count += 1

    stream = a_subscription(feed, "AAPL", "MSFT", callback=take)
    await stream.ready()
    began = asyncio.get_running_loop().time()
    sent = 0
    for minute in range(24 * 60):
        await asyncio.sleep(60)
        if minute % 37 == 0:
            venue.live.drop()
        elif venue.live.is_open and feed.state is FeedState.LIVE:
            venue.live.say(venue.trade("AAPL", clock.ns()), venue.trade("MSFT", clock.ns()))
            sent += 2
        if minute % 240 == 0:
            assert len(asyncio.all_tasks()) <= 3

    assert asyncio.get_running_loop().time() - began == pytest.approx(86_400)
    assert clock.utcnow() - STARTED < timedelta(days=1, seconds=60)
    assert count == sent
    assert venue.live.subscribed == set(topics("AAPL", "MSFT"))
    found = [e for e in events if isinstance(e, reports.GapFound)]
    unfilled = [e for e in events if isinstance(e, reports.GapUnfilled)]
    assert len(found) == len(unfilled) == 2 * (24 * 60 // 37 + 1)
    await feed.aclose()
    assert len(asyncio.all_tasks()) == 1


async def test_a_half_day_with_its_silences_its_closing_and_midnight():
    async def read(start: date, end: date) -> list[TradingDay]:
        friday = date(2026, 11, 27)
        return list(days_without(start, end, [date(2026, 11, 26)], {friday: time(13)}))

    began_at = datetime(2026, 11, 27, 6, tzinfo=UTC)
    opens, closes = began_at.replace(hour=14, minute=30), began_at.replace(hour=18)
    quiet = (opens + timedelta(hours=1), opens + timedelta(hours=1, minutes=30))
    venue, clock, events = Venue(), VirtualClock(began_at), []
    hours = SessionHours(VendorCalendar(read))
    patience = {"trades": 120.0}
    feed = a_feed(
        venue, clock=clock, events=events, hours=hours, patience=patience, check_every=30.0
    )
    stuck = await a_subscription(feed, "AAPL", buffer=10).ready()
    sent = 0
    for minute in range(24 * 60):
        await asyncio.sleep(60)
        now = clock.utcnow()
        if opens < now < closes and not quiet[0] < now < quiet[1]:
            venue.live.say(venue.trade("AAPL", clock.ns()))
            sent += feed.state is FeedState.LIVE
        if minute % 360 == 0:
            venue.live.drop()
            assert len(asyncio.all_tasks()) <= 4

    silences = [event for event in events if isinstance(event, reports.FeedSilent)]
    # After two minutes, and then twice as long each time: 2, 4, 8, and the 16 end too late.
    assert 3 <= len(silences) <= 4
    assert len(venue.connections) == 1 + 24 // 6 + len(silences)
    assert stuck.dropped == sent - 10
    assert clock.utcnow() - began_at == timedelta(days=1, seconds=0.01)
    await feed.aclose()
    assert len(asyncio.all_tasks()) == 1
