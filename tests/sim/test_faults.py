"""Every fault over a real socket, and whether the venue's word about it is true."""

import asyncio
import gzip
import json
import zlib
from collections import Counter

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from raw_client import Heard, ask, connect, request
from sentio_async.sim.clock import SimClock
from sentio_async.sim.exchange import Exchange
from sentio_async.sim.faults import (
    DELAYS,
    EXECUTED,
    ON_HTTP,
    SILENT,
    FaultRule,
    FaultScript,
)
from sentio_async.sim.faulty import HTML, Faulty
from sentio_async.sim.limits import ALPACA, Limited, Limits
from sentio_async.sim.serving import Recorded, Server
from sentio_async.sim.state import State

ANSWER = json.dumps({"id": "x" * 40, "status": "accepted"})


def is_whole(heard: Heard) -> bool:
    return heard.status == 200 and heard.body.decode() == ANSWER


def is_nothing(heard: Heard) -> bool:
    return heard.raw == b""


def is_cut(heard: Heard) -> bool:
    announced = b"content-length: %d" % len(ANSWER) in heard.head
    return announced and heard.body == ANSWER[: len(ANSWER) // 2].encode()


def is_half(heard: Heard) -> bool:
    return heard.raw.startswith(b"HTTP/1.1 200") and b"\r\n\r\n" not in heard.raw


def is_refusal(heard: Heard) -> bool:
    return heard.status == 503 and json.loads(heard.body) == {"message": "service unavailable"}


def is_redirect(heard: Heard) -> bool:
    return heard.status == 307 and b"location: http://localhost:" in heard.head


def is_bomb(heard: Heard) -> bool:
    opened = gzip.decompress(gzip.decompress(heard.body))
    return len(heard.body) < 2000 and len(opened) == 1 << 20 and opened.isspace()


def is_bad_gzip(heard: Heard) -> bool:
    with pytest.raises((gzip.BadGzipFile, zlib.error)):
        gzip.decompress(heard.body)
    return b"content-encoding: gzip" in heard.head


def is_twice(heard: Heard) -> bool:
    return heard.raw.count(b"HTTP/1.1 200 OK") == 2 and b"nobody asked" in heard.raw


# kind -> further members of the rule, how the connection ends, what the client has seen
CASES = {
    "delay": ({"delay": 0.02}, "fin", is_whole),
    "delay_after": ({"delay": 0.02}, "fin", is_whole),
    "drop_before": ({}, "fin", is_nothing),
    "reset_before": ({}, "rst", is_nothing),
    "reset_upload": ({}, "rst", is_nothing),
    "silence": ({}, "open", is_nothing),
    "status": ({}, "fin", is_refusal),
    "redirect": ({}, "fin", is_redirect),
    "bomb": ({"size": 1 << 20}, "fin", is_bomb),
    "deep_json": ({"size": 5000}, "fin", lambda heard: heard.body == b"[" * 5000 + b"]" * 5000),
    "nan_json": ({}, "fin", lambda heard: b"NaN" in heard.body and b"1e999" in heard.body),
    "endless_headers": (
        {"size": 200_000},
        "fin",
        lambda heard: len(heard.raw) > 200_000 and b"\r\n\r\n" not in heard.raw,
    ),
    "endless_body": (
        {"size": 200_000},
        "fin",
        lambda heard: len(heard.body) > 200_000 and not heard.body.endswith(b"0\r\n\r\n"),
    ),
    "drop_after": ({}, "fin", is_nothing),
    "reset_after": ({}, "rst", is_nothing),
    "silence_after": ({}, "open", is_nothing),
    "status_after": ({}, "fin", is_refusal),
    "unsolicited": ({}, "open", is_twice),
    "half": ({}, "fin", is_half),
    "cut": ({}, "fin", is_cut),
    "cut_reset": ({}, "rst", lambda heard: is_nothing(heard) or is_cut(heard)),
    "dribble": ({"delay": 0.0001}, "fin", is_whole),
    "garbage": ({}, "fin", lambda heard: not heard.raw.startswith(b"HTTP/")),
    "bad_gzip": ({}, "fin", is_bad_gzip),
    "html": ({}, "fin", lambda heard: heard.status == 200 and heard.body == HTML),
    "truncated_json": (
        {},
        "fin",
        lambda heard: heard.body.decode() == ANSWER[: len(ANSWER) // 2],
    ),
    # What the client had already sent turns the FIN into a RST.
    "drop_accept": ({}, "fin rst", is_nothing),
    "reset_accept": ({}, "rst", is_nothing),
}


@pytest.fixture
async def sink():
    async with Exchange(venues=["webhook"]) as exchange:
        exchange.state.sink.body = ANSWER
        yield exchange


def test_every_kind_of_fault_is_tried_here():
    assert set(CASES) == ON_HTTP


@pytest.mark.parametrize("kind", sorted(ON_HTTP))
async def test_a_fault_is_what_it_says_and_tells_the_truth_about_execution(sink, kind):
    more, end, is_seen = CASES[kind]
    sink.add_fault(FaultRule(kind=kind, **more))
    # Only a kept connection can carry an answer nobody asked for; the silent ones never end.
    patience = 0.05 if end == "open" else 2.0
    heard = await ask(sink.addresses.webhook, request(keep=end == "open"), patience)

    assert heard.end in end.split()
    assert is_seen(heard), heard.raw[:300]
    (applied,) = sink.state.faults.applied
    assert applied.is_executed == bool(sink.hooks) == (kind in EXECUTED | DELAYS)


@pytest.mark.parametrize("kind", ["status", "status_after"])
async def test_a_429_with_its_headers_comes_before_or_after_the_work(sink, kind):
    rule = FaultRule(kind=kind, status=429, headers={"Retry-After": "7"}, body='{"code": 1}')
    sink.add_fault(rule)
    heard = await ask(sink.addresses.webhook)

    assert heard.status == 429
    assert b"retry-after: 7" in heard.head
    assert heard.body == b'{"code": 1}'
    assert len(sink.hooks) == (kind == "status_after")


async def test_a_delay_is_waited_out_before_the_answer(sink):
    sink.add_fault(FaultRule(kind="delay", delay=0.03))
    began = asyncio.get_running_loop().time()
    await ask(sink.addresses.webhook)

    assert asyncio.get_running_loop().time() - began >= 0.03


@pytest.mark.parametrize("kind", sorted(SILENT))
async def test_silence_lasts_as_long_as_it_is_told_to(sink, kind):
    sink.add_fault(FaultRule(kind=kind, delay=0.02))
    began = asyncio.get_running_loop().time()
    heard = await ask(sink.addresses.webhook)

    assert (heard.raw, heard.end) == (b"", "fin")
    assert 0.02 <= asyncio.get_running_loop().time() - began < 1


async def test_a_request_read_whole_is_executed_although_its_client_left(sink):
    sink.add_fault(FaultRule(kind="delay", delay=0.03))
    await ask(sink.addresses.webhook, patience=0.01)
    assert not sink.hooks
    (applied,) = sink.state.faults.applied
    assert not applied.is_executed
    await asyncio.sleep(0.045)

    assert applied.is_executed


async def test_a_request_cut_short_by_its_client_is_not_executed(sink):
    sink.add_fault(FaultRule(kind="delay_after"))
    _, writer = await connect(sink.addresses.webhook)
    writer.write(request()[:-3])
    await asyncio.sleep(0.01)
    writer.transport.abort()
    await asyncio.sleep(0.01)

    (applied,) = sink.state.faults.applied
    assert not applied.is_executed
    assert not sink.hooks


async def test_a_delay_before_a_lost_request_did_not_execute_it(sink):
    for kind in ("delay", "drop_before"):
        sink.add_fault(FaultRule(kind=kind, delay=0.001))
    await ask(sink.addresses.webhook)

    assert [each.is_executed for each in sink.state.faults.applied] == [False, False]
    assert sink.requests[0].fault == "delay+drop_before"
    assert sink.requests[0].status is None


async def test_what_the_rate_limit_refused_was_not_executed():
    calls = []

    async def order(request):
        calls.append(request.url.path)
        return JSONResponse({})

    clock = SimClock()
    limits = Limits(clock.wall_ns, {"v": 1})
    state = State(clock, None, None, limits, FaultScript([FaultRule(kind="drop_after")]))
    app = Limited(Starlette(routes=[Route("/o", order)]), "v", limits, ALPACA)
    faulty = Faulty(app, "v", state)
    server = Server(Recorded(faulty, "v", state), now=clock.now, greet=faulty.greet)
    url = await server.start("127.0.0.1")
    try:
        for _ in range(2):
            await ask(url, request("GET", "/o", b""))
    finally:
        await server.stop()

    assert calls == ["/o"]
    assert [each.is_executed for each in state.faults.applied] == [True, False]


async def test_a_connection_survives_faults_that_answer_in_good_http(sink):
    sink.add_fault(FaultRule(kind="status", times=1))
    reader, writer = await connect(sink.addresses.webhook)
    answers = []
    for _ in range(2):
        writer.write(request(keep=True))
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        answers.append((head.split()[1], await reader.readexactly(length)))
    writer.transport.abort()

    assert answers[0][0] == b"503"
    assert answers[1] == (b"200", ANSWER.encode())


def fired(rule, calls, seed=0):
    script = FaultScript([rule], seed=seed)
    return [
        n for n in range(1, calls + 1) if script.strikes("alpaca_trading", "POST", "/v2/orders")
    ]


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({"nth": 2}, [2]),
        ({"every": 3}, [3, 6, 9]),
        ({"times": 2}, [1, 2]),
        ({"every": 2, "times": 2}, [2, 4]),
        ({"probability": 0.0}, []),
        ({"method": "get"}, []),
        ({"method": "p*", "nth": 1}, [1]),
        ({"venue": "polygon"}, []),
        ({"path": "/v2/*", "nth": 3}, [3]),
        ({"path": "/v2"}, []),
        ({"path": r"re:/v\d/orders", "nth": 1}, [1]),
        ({"path": r"re:/v\d/ord", "nth": 1}, []),
    ],
)
def test_a_rule_strikes_where_and_when_it_says(when, expected):
    assert fired(FaultRule(kind="drop_after", **when), 10) == expected


def test_luck_follows_from_the_seed():
    rule = FaultRule(kind="drop_after", probability=0.3)

    assert fired(rule, 1000, seed=7) == fired(rule, 1000, seed=7)
    assert fired(rule, 1000, seed=7) != fired(rule, 1000, seed=8)
    assert 240 < len(fired(rule, 1000, seed=7)) < 360


def test_a_certain_rule_does_not_shift_the_luck_of_others():
    lucky = FaultRule(kind="drop_after", probability=0.5)
    script = FaultScript([FaultRule(kind="delay"), lucky], seed=3)
    struck = [n for n in range(1, 101) if lucky in script.strikes("v", "GET", "/")]

    assert struck == fired(lucky, 100, seed=3)


def test_delays_add_up_and_the_first_other_fault_wins():
    kinds = ["drop_after", "delay", "garbage", "delay_after"]
    script = FaultScript([FaultRule(kind=kind) for kind in kinds])
    found = Counter(rule.kind for rule in script.strikes("v", "GET", "/"))

    assert found == Counter(["delay", "delay_after", "drop_after"])


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        ({"kind": "explode"}, "kind: 'explode' is none of"),
        ({}, "kind: missing"),
        ({"kind": "delay", "nht": 1}, "nht: no such member"),
        ({"kind": "delay", "nth": 0}, "nth: 0 is not a whole number from 1 up"),
        ({"kind": "delay", "probability": 2}, "probability: 2 is not between 0 and 1"),
        ({"kind": "delay", "probability": "x"}, "wrong type"),
        ({"kind": "status", "status": 5}, "status: 5 is not an HTTP or SMTP status"),
        ({"kind": "delay", "delay": -1}, "delay: -1 is not a number of seconds from 0 up"),
        ({"kind": "delay", "delay": float("nan")}, "delay: nan is not"),
        ({"kind": "delay", "delay": float("inf")}, "delay: inf is not"),
        ({"kind": "bomb", "size": -1}, "size: must not be negative"),
        ({"kind": "delay", "path": "re:("}, r"path: 're:\(' is not a pattern"),
        ({"kind": "delay", "path": 7}, "path: 7 is not a text"),
        ({"kind": "delay", "venue": None}, "venue: None is not a text"),
        ({"kind": "socket_drop", "method": ["OPEN"]}, r"method: \['OPEN'\] is not a text"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused_with_a_reason(raw, complaint):
    with pytest.raises(ValueError, match=complaint):
        FaultRule.from_json(raw)


def test_a_rule_reads_back_from_what_it_shows():
    rule = FaultRule(kind="status", status=429, headers={"Retry-After": "1"}, nth=3)

    assert FaultRule.from_json(json.loads(json.dumps(rule.as_json()))) == rule
    assert rule.as_json() == {
        "kind": "status",
        "status": 429,
        "headers": {"Retry-After": "1"},
        "nth": 3,
    }
