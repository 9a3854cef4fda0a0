"""Where a row goes is looked up once, and again after every change."""

from sentio_async.models import LevelValue
from sentio_async.streams import routing
from sentio_async.streams.book import EVERYTHING, Topic
from sentio_async.streams.consumers import CallbackConsumer
from sentio_async.streams.gaps import Plan
from sentio_async.streams.routing import Router


def row(symbol):
    return LevelValue(symbol=symbol, time_ns=1, provider="none", value=1.0)


def router_for(heard, plan):
    def failed(target, exc):
        heard.append((str(exc), target))

    return Router({"values": plan}, hold_limit=10, failed=failed)


def test_a_symbol_that_was_looked_up_goes_to_whoever_comes_and_leaves_later():
    heard = []
    router = router_for(heard, Plan())
    channel = router.channels["values"]
    every = CallbackConsumer(lambda _: heard.append("every"))
    one = CallbackConsumer(lambda _: heard.append("one"))
    router.add([Topic("values", EVERYTHING)], every)

    channel.route_of("A").deliver(row("A"))
    router.add([Topic("values", "A")], one)
    channel.route_of("A").deliver(row("A"))
    router.remove([Topic("values", "A")], one)
    channel.route_of("A").deliver(row("A"))

    assert heard == ["every", "one", "every", "every"]
    assert channel.routes == {"A": channel.others}


def test_symbols_without_end_are_not_all_kept(monkeypatch):
    monkeypatch.setattr(routing, "_MOST_ROUTES", 3)
    channel = router_for([], Plan()).channels["values"]

    assert {channel.route_of(f"S{number}") for number in range(10)} == {channel.others}
    assert len(channel.routes) <= 3


def test_a_row_is_remembered_although_its_consumer_raises():
    async def backfill(gap):
        return ()

    def consume(_):
        raise RuntimeError("no")

    heard = []
    router = router_for(heard, Plan(backfill, memory=4))
    router.add([Topic("values", "A")], CallbackConsumer(consume))
    route = router.route(Topic("values", "A"))

    route.deliver(row("A"))

    assert list(route.recent) == [row("A")]
    assert heard == [("no", consume)]
