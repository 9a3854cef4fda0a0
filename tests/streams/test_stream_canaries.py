"""No secret of a stream's login is seen: in logs, events, errors, reprs, tracebacks, pickles."""

import asyncio
import traceback
from collections import deque

import pytest

from canary_watch import Canaries, Watch
from sentio_async import errors
from sentio_async.connectors.alpaca.broker import AlpacaBroker
from sentio_async.connectors.alpaca.data import AlpacaData
from sentio_async.connectors.polygon.data import PolygonData
from sentio_async.sim import Exchange, FaultRule
from sentio_async.streams import FeedState
from sentio_async.streams import feed as feeds
from sentio_async.streams.backoff import BackoffPolicy

SECRETS = {
    "alpaca key": "PKCANARY+key/one=%7",
    "alpaca secret": "canary+secret/two=&%7",
    "alpaca token": "canary-oauth+token/3==",
    "polygon key": "canary_polygon+key/4=",
}
ALPACA = (SECRETS["alpaca key"], SECRETS["alpaca secret"])
WRONG = {
    "alpaca": {"api_key": "PKwrong", "api_secret": "wrong-canary-secret-5"},
    "polygon": {"api_key": "wrong-canary-key-6"},
}
LOGIN = ("OPEN", "WELCOMED", "AUTH", "AUTHENTICATED", "SUBSCRIBE", "SUBSCRIBED")


class CanaryExchange(Exchange):
    alpaca_key, alpaca_secret = ALPACA
    polygon_key = SECRETS["polygon key"]


@pytest.fixture
def canaries():
    """Fails the test that has used it if anything was seen."""
    wrong = {value: value for each in WRONG.values() for value in each.values()}
    found = Canaries({**SECRETS, **wrong})
    with Watch() as watch:
        # What the venue itself writes down is not ours.
        watch.addFilter(lambda record: not record.name.startswith("sentio_async.sim"))
        yield found
    for text in watch.texts:
        found.see("log", text)
    assert not found.leaks(), "\n\n".join(found.leaks()[:8])
    assert found.seen


@pytest.fixture
async def exchange(monkeypatch):
    hasty = feeds.FeedSettings(
        login_timeout=0.3,
        answer_timeout=0.3,
        check_every=0.1,
        backoff=BackoffPolicy(first=0.02, most=0.05, slow=0.05),
    )
    given = feeds.Feed.__init__

    def begin(self, *parts, **options):
        given(self, *parts, **{**options, "settings": hasty})

    monkeypatch.setattr(feeds.Feed, "__init__", begin)
    async with CanaryExchange(seed=1) as running:
        yield running


def listen(connector):
    if isinstance(connector, AlpacaBroker):
        return connector.stream_order_updates()
    return connector.stream_quotes("AAPL")


def connector_of(kind, exchange, listeners, **more):
    vendor = "polygon" if kind is PolygonData else "alpaca"
    return kind({**exchange.settings(vendor), **more}, listeners=listeners)


OURS = ("sentio_async.streams", "sentio_async.connectors")


def parts_of(thing, seen):
    """Everything of the streams and connectors that hangs on a thing, however deep."""
    waiting, found = [thing], []
    while waiting:
        each = waiting.pop()
        kind = type(each)
        if id(each) in seen:
            continue
        seen[id(each)] = each
        if isinstance(each, dict):
            waiting += [*each.keys(), *each.values()]
        elif isinstance(each, list | tuple | set | frozenset | deque):
            waiting += each
        elif kind.__module__.startswith(("sentio_async", "picows", "asyncio", "_asyncio")):
            members = dict(getattr(each, "__dict__", {}))
            for base in kind.__mro__:
                names = base.__dict__.get("__slots__", ())
                members |= {n: getattr(each, n, None) for n in names if n[:2] != "__"}
            waiting += members.values()
            if kind.__module__.startswith(OURS):
                found.append((each, members))
    return found


def look_at(canaries, *things):
    seen: dict[int, object] = {}
    count = 0
    for thing in things:
        for part, members in parts_of(thing, seen):
            canaries.see(f"a {type(part).__qualname__}", part, str(part))
            canaries.see(f"members of a {type(part).__qualname__}", members)
            count += 1
    assert count > 10


KINDS = [AlpacaData, PolygonData, AlpacaBroker]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_login_that_works_shows_nothing(canaries, exchange, kind):
    events = []
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    async with connector_of(kind, exchange, [events.append]) as connector, asyncio.timeout(10):
        stream = listen(connector)
        await stream.ready()
        look_at(canaries, connector, stream, stream.feeds)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            canaries.see("task", task)
            shown = traceback.StackSummary.extract(
                ((frame, frame.f_lineno) for frame in task.get_stack()), capture_locals=True
            )
            canaries.see("stack of a task", "".join(shown.format()))
        await stream.aclose()
    look_at(canaries, connector, stream, events)
    loop.set_debug(False)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_login_that_is_refused_shows_nothing(canaries, exchange, kind):
    events = []
    wrong = WRONG["polygon" if kind is PolygonData else "alpaca"]
    connector = connector_of(kind, exchange, [events.append], **wrong)
    stream = listen(connector)
    async with asyncio.timeout(10):
        with pytest.raises(errors.AuthenticationError) as refused:
            await stream.ready()
        canaries.see_error("ready", refused.value)
        with pytest.raises(errors.AuthenticationError) as refused:
            await anext(stream)
        canaries.see_error("anext", refused.value)
        look_at(canaries, connector, stream, stream.feeds, events)
        await connector.disconnect()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", ["socket_drop", "socket_reset", "socket_mute", "socket_broken"])
async def test_a_connection_that_ends_while_logging_in_shows_nothing(
    canaries, exchange, kind, fault
):
    events = []
    connector = connector_of(kind, exchange, [events.append])
    async with asyncio.timeout(20):
        for step in LOGIN:
            exchange.add_fault(FaultRule(kind=fault, method=step, times=1))
        stream = listen(connector)
        await stream.ready()
        look_at(canaries, connector, stream, stream.feeds, events)
        await connector.disconnect()
    assert any(event.__class__.__name__ == "FeedChanged" for event in events)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
async def test_a_venue_that_repeats_the_key_is_not_quoted(canaries, exchange, kind):
    events = []
    secret = SECRETS["polygon key" if kind is PolygonData else "alpaca secret"]
    quoted = f"who is {secret}?"
    for number, fault in enumerate(
        (
            FaultRule(kind="status", status=503, body=quoted, headers={"x-echo": secret}),
            FaultRule(kind="status", status=429, body=quoted),
            FaultRule(kind="socket_close", method="AUTH", status=4000, body=quoted),
            FaultRule(kind="socket_error", method="AUTH", status=500, body=quoted),
            FaultRule(kind="socket_error", method="AUTHENTICATED", status=406, body=quoted),
            FaultRule(kind="socket_error", method="AUTHENTICATED", status=407, body=quoted),
            FaultRule(kind="socket_garbage", method="AUTHENTICATED", body=f'[{{"T":"{quoted}'),
            FaultRule(kind="socket_garbage", method="AUTHENTICATED", body=quoted),
        )
    ):
        exchange.clear_faults()
        exchange.add_fault(fault)
        connector = connector_of(kind, exchange, [events.append])
        stream = listen(connector)
        stream.start()
        begun = len(exchange.state.faults.applied)
        async with asyncio.timeout(10):
            while len(exchange.state.faults.applied) == begun:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        look_at(canaries, connector, stream, stream.feeds, events)
        if stream.feeds[0].state is FeedState.CLOSED:
            with pytest.raises(errors.ConnectorError) as refused:
                await stream.ready()
            canaries.see_error(f"fault {number}", refused.value)
        await connector.disconnect()


async def test_a_token_is_as_secret_as_a_key(canaries, exchange):
    events = []
    settings = {**exchange.settings("alpaca"), "oauth_token": SECRETS["alpaca token"]}
    del settings["api_key"], settings["api_secret"]
    for kind in (AlpacaData, AlpacaBroker):
        connector = kind(settings, listeners=[events.append])
        stream = listen(connector)
        async with asyncio.timeout(10):
            with pytest.raises(errors.AuthenticationError) as refused:
                await stream.ready()
        canaries.see_error("token", refused.value)
        look_at(canaries, connector, stream, events)
        await connector.disconnect()


async def test_the_watch_sees_a_secret_in_a_part_of_a_part():
    watched = Canaries({"key": SECRETS["polygon key"]})
    connector = PolygonData({"api_key": "another"})
    stream = connector.stream_quotes("AAPL")
    stream._parts[0][0].feed._context.dialect.notes = [SECRETS["polygon key"]]
    look_at(watched, connector, stream)

    assert watched.leaks()
    await stream.aclose()
