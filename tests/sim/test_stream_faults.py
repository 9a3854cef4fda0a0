"""What goes wrong on an open socket, at every step, as a raw client sees it."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sentio_async.sim.clock import SimClock
from sentio_async.sim.exchange import Exchange
from sentio_async.sim.faults import ON_SOCKET, STEPS, FaultRule

NOW = datetime(2025, 6, 18, 18, 30, 15, tzinfo=UTC)
PATH = "/v2/sip"


@pytest.fixture
async def exchange():
    clock = SimClock(NOW, is_running=False)
    async with Exchange(clock=clock, venues=["alpaca_data", "polygon"], seed=3) as exchange:
        yield exchange


def a_client(exchange, path=PATH):
    return connect(exchange.addresses.alpaca_data_stream + path, proxy=None, close_timeout=0.2)


async def hear(ws, patience=0.15):
    """What comes next; None for silence."""
    try:
        return await asyncio.wait_for(ws.recv(), patience)
    except TimeoutError:
        return None


async def talk(exchange, ws):
    """The whole conversation, and ten seconds of trading after it."""
    said = [await hear(ws)]
    keys = {"key": exchange.alpaca_key, "secret": exchange.alpaca_secret}
    await ws.send(json.dumps({"action": "auth", **keys}))
    said.append(await hear(ws))
    await ws.send(json.dumps({"action": "subscribe", "quotes": ["AAPL"]}))
    said.append(await hear(ws))
    exchange.streams.settings.rows_per_frame = 1
    exchange.state.clock.advance(10)
    while (frame := await hear(ws)) is not None:
        said.append(frame)
    return said


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", ["socket_drop", "socket_reset", "socket_close"])
async def test_a_connection_ends_at_any_step(exchange, kind, step):
    exchange.add_fault(FaultRule(kind=kind, method=step, times=1))
    with pytest.raises(ConnectionClosed) as caught:
        async with a_client(exchange) as ws:
            await talk(exchange, ws)
    (applied,) = exchange.state.faults.applied
    async with a_client(exchange) as ws:
        said = await talk(exchange, ws)

    assert (applied.method, applied.path) == (step, PATH)
    code = caught.value.rcvd.code if caught.value.rcvd else None
    assert code == (1001 if kind == "socket_close" else None)
    assert len(said) > 8
    assert exchange.streams.sessions == []


@pytest.mark.parametrize("kind", ["socket_mute", "socket_freeze"])
async def test_a_mute_socket_stays_open_and_says_nothing(exchange, kind):
    exchange.add_fault(FaultRule(kind=kind, method="SUBSCRIBED", delay=0.4))
    async with a_client(exchange) as ws:
        said = await talk(exchange, ws)
        pong = await ws.ping()
        await asyncio.wait([pong], timeout=0.1)
        is_answered = pong.done()

    assert len(said) == 3
    assert is_answered == (kind == "socket_mute")


async def frames_with(exchange, **rule):
    exchange.add_fault(FaultRule(method="MESSAGE", nth=2, **rule))
    async with a_client(exchange) as ws:
        said = await talk(exchange, ws)
    return said[3:]


@pytest.mark.parametrize(
    ("kind", "more", "order"),
    [
        ("socket_lose", {}, [0, 2, 3]),
        ("socket_duplicate", {}, [0, 1, 1, 2]),
        ("socket_reorder", {}, [0, 2, 1, 3]),
        ("socket_burst", {"size": 3}, [0, 1, 1, 1, 2]),
        ("socket_stall", {"delay": 0.05}, [0, 1, 2, 3]),
    ],
)
async def test_messages_are_lost_doubled_or_out_of_order(exchange, kind, more, order):
    frames = await frames_with(exchange, kind=kind, **more)
    distinct = sorted(set(frames), key=lambda frame: json.loads(frame)[0]["t"])
    if kind == "socket_lose":
        assert len(distinct) == exchange_count(exchange) - 1
        return

    assert frames[: len(order)] == [distinct[n] for n in order]


def exchange_count(exchange):
    now = exchange.state.clock.now_ns()
    return len(exchange.state.market.quotes("AAPL", now - 10**10 + 1, now + 1))


async def test_garbage_comes_between_good_messages(exchange):
    frames = await frames_with(exchange, kind="socket_garbage")

    assert isinstance(frames[1], bytes)
    assert len(frames) == exchange_count(exchange) + 1


@pytest.mark.parametrize("kind", ["socket_broken", "socket_cut"])
async def test_a_broken_frame_ends_the_connection(exchange, kind):
    with pytest.raises(ConnectionClosed):
        await frames_with(exchange, kind=kind)


@pytest.mark.parametrize(
    ("kind", "code"), [("socket_evict", 407), ("socket_limit", 406), ("socket_error", 500)]
)
async def test_the_vendor_says_why(exchange, kind, code):
    more = {"status": 500} if kind == "socket_error" else {}
    exchange.add_fault(FaultRule(kind=kind, method="SUBSCRIBED", **more))
    async with a_client(exchange) as ws:
        for message in ({}, {"action": "subscribe", "quotes": ["AAPL"]}):
            keys = {"key": exchange.alpaca_key, "secret": exchange.alpaca_secret}
            await hear(ws)
            await ws.send(json.dumps(message or {"action": "auth", **keys}))
        await hear(ws)
        (row,) = json.loads(await hear(ws))

    assert (row["T"], row["code"]) == ("error", code)


async def test_a_handshake_can_be_refused_with_any_status(exchange):
    exchange.add_fault(FaultRule(kind="status", path=PATH, status=429, times=1))
    with pytest.raises(InvalidStatus) as caught:
        async with a_client(exchange):
            pass
    async with a_client(exchange) as ws:
        assert await hear(ws)

    assert caught.value.response.status_code == 429
    assert [seen.status for seen in exchange.requests] == [429, 101]


async def test_who_reads_too_slowly_is_evicted(exchange):
    exchange.streams.settings.buffer_bytes = 100_000
    async with a_client(exchange) as ws:
        await talk(exchange, ws)
        ws.transport.pause_reading()
        for _ in range(200):
            if not exchange.streams.burst(PATH, frames=1000):
                break
            await asyncio.sleep(0)

    assert exchange.streams.sessions == []


def test_a_rule_for_a_socket_names_a_step():
    for kind in ON_SOCKET:
        with pytest.raises(ValueError, match="none of the steps"):
            FaultRule(kind=kind, method="POST")
