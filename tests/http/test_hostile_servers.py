"""A server that means harm gets a typed error, in time, for little memory."""

import asyncio
import time
import zlib

import psutil
import pytest

from sentio_async import errors
from sentio_async.sim.exchange import Exchange
from sentio_async.sim.faults import FaultRule
from session_calls import a_session, thing, write_with_key

pytestmark = pytest.mark.usefixtures("door")

MEGABYTE = 1 << 20

HOSTILE = [
    ("bomb", {}, errors.DecodeError),
    ("endless_headers", {}, errors.ConnectionError),
    ("endless_body", {}, errors.ResponseTooLargeError),
    ("deep_json", {}, errors.DecodeError),
    ("nan_json", {}, errors.DecodeError),
    ("truncated_json", {}, errors.DecodeError),
    ("bad_gzip", {}, errors.DecodeError),
    ("garbage", {}, errors.ConnectionError),
    ("dribble", {"delay": 0.02}, errors.DeadlineExceededError),
    ("cut", {}, errors.ConnectionError),
    *(("redirect", {"status": status}, errors.APIError) for status in (301, 302, 303, 307, 308)),
]


@pytest.mark.parametrize(("kind", "more", "expected"), HOSTILE)
async def test_it_gets_a_typed_error_in_time_for_little_memory(kind, more, expected):
    async with Exchange(venues=("webhook",)) as exchange:
        exchange.state.sink.body = '{"a long enough": "answer to be cut in two"}'
        exchange.add_fault(FaultRule(kind=kind, venue="webhook", **more))
        session, resources = a_session(exchange.addresses.webhook)
        process = psutil.Process()
        before, started = process.memory_info().rss, time.monotonic()

        with pytest.raises(expected) as caught:
            await session.send(write_with_key(1), timeout=1.0, retry=None)
        elapsed, grown = time.monotonic() - started, process.memory_info().rss - before
        await resources.close()

    assert caught.value.outcome is not errors.Outcome.NOT_SENT
    assert elapsed < 1.5
    assert grown < 32 * MEGABYTE


def a_gzip_of_spaces(megabytes):
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    pieces = [packer.compress(b" " * MEGABYTE) for _ in range(megabytes)]
    return b"".join(pieces) + packer.flush()


async def test_a_gzip_that_grows_a_thousandfold_is_stopped_at_the_limit():
    body = a_gzip_of_spaces(200)

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    session, resources = a_session(f"http://127.0.0.1:{port}", max_body_bytes=MEGABYTE)
    before = psutil.Process().memory_info().rss

    with pytest.raises(errors.ResponseTooLargeError):
        await session.send(thing(), retry=None)
    grown = psutil.Process().memory_info().rss - before
    await resources.close()
    server.close()
    await server.wait_closed()

    assert len(body) < MEGABYTE
    assert grown < 8 * MEGABYTE


@pytest.mark.own_pool
async def test_an_answer_that_nobody_asked_for_is_given_to_nobody(door):
    if door == "stock":
        pytest.skip("httpx gives it to the next request; our own pool is the reason why we do not")
    async with Exchange(venues=("webhook",)) as exchange:
        exchange.state.sink.body = '{"mine": true}'
        exchange.add_fault(FaultRule(kind="unsolicited", venue="webhook"))
        session, resources = a_session(exchange.addresses.webhook)

        answers = [await session.send(write_with_key(number)) for number in range(5)]
        await resources.close()

    assert answers == [{"mine": True}] * 5


async def test_keys_do_not_follow_a_redirect():
    async with Exchange(venues=("webhook",)) as exchange:
        exchange.add_fault(FaultRule(kind="redirect", venue="webhook", status=307, times=1))
        session, resources = a_session(exchange.addresses.webhook)

        with pytest.raises(errors.APIError, match="redirected"):
            await session.send(write_with_key(1))
        await resources.close()

    assert len(exchange.requests) == 1


async def test_headers_that_drip_end_with_the_deadline():
    async def drip(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
        for _ in range(200):
            if writer.is_closing():
                break
            writer.write(b"a")
            await asyncio.sleep(0.02)
        writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    session, resources = a_session(f"http://127.0.0.1:{port}")
    started = time.monotonic()

    with pytest.raises(errors.DeadlineExceededError) as caught:
        await session.send(thing(), timeout=0.2, retry=None)
    elapsed = time.monotonic() - started
    # Its task has ended as well, not only its caller.
    await asyncio.sleep(0.05)
    still_running = list(resources.tasks)
    await resources.close()
    server.close()

    assert caught.value.outcome is errors.Outcome.UNKNOWN
    assert elapsed < 0.4
    assert not still_running


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "endless"),
    [
        ("chunks of two bytes", b"2\r\nab\r\n"),
        ("a chunk extension", b"x" * 8),
        ("a trailer", b"y" * 8),
        ("trailers", b"a:b\r\n" * 2),
    ],
)
async def test_endless_framing_costs_little_memory_and_ends(kind, endless):
    starts = {"a chunk extension": b"2;e=", "a trailer": b"0\r\nx-more: "}
    starts["trailers"] = b"%x\r\n%b\r\n0\r\n" % (MEGABYTE // 2, bytes(MEGABYTE // 2))

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        writer.write(starts.get(kind, b""))
        for _ in range(400):
            if writer.is_closing():
                break
            writer.write(endless * 4096)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    session, resources = a_session(f"http://127.0.0.1:{port}", max_body_bytes=MEGABYTE // 2)
    before = psutil.Process().memory_info().rss

    with pytest.raises((errors.ResponseTooLargeError, errors.ConnectionError)):
        await session.send(thing(), retry=None, timeout=10)
    grown = psutil.Process().memory_info().rss - before
    await resources.close()
    server.close()
    await server.wait_closed()

    assert grown < 8 * MEGABYTE
