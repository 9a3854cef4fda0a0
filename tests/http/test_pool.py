"""What our connections promise, over real sockets."""

import asyncio
import gc
import gzip
import os
import socket
import ssl
import time
import warnings
from contextlib import asynccontextmanager, suppress

import httpcore
import pytest
import trustme

from scripted_server import always, answer, serving
from sentio_async import errors
from sentio_async.http.guard import AddressRefusedError, GuardedBackend, Guardrail
from sentio_async.http.pool import Origin, Pool, Request, Waits
from sentio_async.resilience.limiter import Priority

TRUSTING = ssl.create_default_context()


@asynccontextmanager
async def a_pool(limit=10, **settings):
    pool = Pool(**{"tls": TRUSTING, "limit": limit, "keep_alive": 30.0, **settings})
    try:
        yield pool
    finally:
        await pool.close()


def a_request(method="GET", body=b"", *, within=5.0, **settings):
    head = f"{method} /x HTTP/1.1\r\nhost: h\r\ncontent-length: {len(body)}\r\n\r\n"
    waits = {step: settings.pop(step, 2.0) for step in ("connect", "read", "write", "pool")}
    until = asyncio.get_running_loop().time() + within
    return Request(
        head.encode() + body, waits=Waits(**waits), expires_at=until, method=method, **settings
    )


def origin(server, scheme="http"):
    return Origin(scheme, "127.0.0.1", server.port)


async def ask(pool, server, *rest, **more):
    return await pool.exchange(origin(server), a_request(*rest, **more))


# Framing.

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"

WHOLE = [
    ("length", answer(b"hello"), b"hello"),
    ("nothing", answer(b""), b""),
    (
        "chunked",
        CHUNKED + b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
        b"hello",
    ),
    (
        "trailers",
        CHUNKED + b"5\r\nhello\r\n0\r\nx-end: 1\r\n\r\n",
        b"hello",
    ),
    ("204", b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ("304", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 99\r\n\r\n", b""),
    ("100", b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"hello"), b"hello"),
    (
        "103",
        b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n" * 3 + answer(b"hello", b"x-last: 1"),
        b"hello",
    ),
]


@pytest.mark.parametrize("pause", [None, 0.0])
@pytest.mark.parametrize(("raw", "body"), [row[1:] for row in WHOLE], ids=[r[0] for r in WHOLE])
async def test_every_framing_is_read_and_the_connection_kept(raw, body, pause):
    async def talk(peer, server):
        while await peer.request():
            if pause is None:
                peer.write(raw)
            else:
                await peer.dribble(raw, pause)

    async with serving(talk) as server, a_pool() as pool:
        first = await ask(pool, server)
        second = await ask(pool, server)

        assert first.body == second.body == body
        assert not {name for name, _ in first.fields} & {b"link", b"x-end"}
        assert server.connections == 1
        assert pool.idle == 1


async def test_a_body_may_end_with_the_connection():
    async def talk(peer, server):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        await peer.send(b" again")

    async with serving(talk) as server, a_pool() as pool:
        reply = await ask(pool, server)

        assert reply.body == b"hello again"
        assert pool.idle == 0


async def test_a_head_has_no_body_whatever_its_length_says():
    async with (
        serving(always(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n")) as server,
        a_pool() as pool,
    ):
        reply = await ask(pool, server, "HEAD")

        assert (reply.status, reply.body) == (200, b"")
        assert (b"content-length", b"500") in reply.fields


@pytest.mark.parametrize(
    "raw",
    [
        answer(b"{}", b"connection: close"),
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}",
    ],
)
async def test_a_connection_that_is_to_close_is_not_used_again(raw):
    async with serving(always(raw)) as server, a_pool() as pool:
        await ask(pool, server)

        assert pool.idle == 0
        await ask(pool, server)
        assert server.connections == 2


BROKEN = [
    ("garbage", b"SSH-2.0-OpenSSH_9.2\r\n"),
    ("no number", b"HTTP/1.1 OK\r\n\r\n"),
    ("two lengths", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{} "),
    (
        "length and chunks",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    ("bad chunk", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n"),
    ("bare line feeds", b"HTTP/1.1 200 OK\ncontent-length: 2\n\n{}"),
    ("space before colon", b"HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\n{}"),
    ("nul in a header", b"HTTP/1.1 200 OK\r\nx: a\x00b\r\ncontent-length: 2\r\n\r\n{}"),
    ("negative length", b"HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\n{}"),
    ("another protocol", b"HTTP/1.1 101 S\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
    ("cut head", b"HTTP/1.1 200 OK\r\ncontent-le"),
    ("cut body", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}"),
    ("cut chunks", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n"),
    ("nothing", b""),
]


@pytest.mark.parametrize("raw", [row[1] for row in BROKEN], ids=[row[0] for row in BROKEN])
async def test_what_is_not_http_or_not_whole_is_an_error_and_closes(raw):
    async def talk(peer, server):
        if await peer.request():
            await peer.send(raw)

    async with serving(talk) as server, a_pool() as pool:
        request = a_request()

        with pytest.raises(httpcore.RemoteProtocolError):
            await pool.exchange(origin(server), request)

        assert request.is_sent
        assert (pool.idle, pool.busy) == (0, 0)


async def test_a_head_without_an_end_is_cut_off():
    async def talk(peer, server):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n")
        for _ in range(1000):
            await peer.send(b"x-again: " + b"a" * 1000 + b"\r\n")

    async with serving(talk) as server, a_pool() as pool:
        with pytest.raises(httpcore.RemoteProtocolError, match="too large"):
            await ask(pool, server)


@pytest.mark.parametrize("raw", [answer(b"x" * 11), answer(b"x" * 3000)])
async def test_a_body_over_its_limit_is_refused_and_closes(raw):
    async with serving(always(raw)) as server, a_pool() as pool:
        with pytest.raises(errors.ResponseTooLargeError):
            await ask(pool, server, limit=10)

        assert pool.idle == 0


# One answer for one request.


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize(
    "extra", [answer(b"not yours"), b"HTTP/1.1 2", b"x", b"HTTP/1.1 100 Continue\r\n\r\n"]
)
async def test_bytes_after_an_answer_never_reach_the_next_request(extra, later):
    async def talk(peer, server):
        while await peer.request():
            mine = answer(b"%d" % peer.number)
            if later:
                peer.write(mine)
                await asyncio.sleep(0.005)
                peer.write(extra)
            else:
                peer.write(mine, extra)

    async with serving(talk) as server, a_pool() as pool:
        first = await ask(pool, server)
        await asyncio.sleep(0.01)
        second = await ask(pool, server)

        assert (first.body, second.body) == (b"1", b"2")


async def test_what_has_come_and_was_not_read_yet_never_reaches_the_next_request():
    async with serving(always(answer(b"mine"))) as server, a_pool() as pool:
        await ask(pool, server)
        # It is at this machine, and this loop has had no turn to read it.
        theirs = server.peers[0]._writer.get_extra_info("socket")
        os.write(theirs.fileno(), answer(b"not yours"))
        second = await ask(pool, server)

        assert (second.body, server.connections) == (b"mine", 2)


async def test_a_body_where_none_may_be_closes_the_connection():
    raw = b"HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\n{}"
    async with serving(always(raw)) as server, a_pool() as pool:
        await ask(pool, server)

        assert pool.idle == 0


# Connections that end.


async def test_an_idle_connection_leaves_the_pool_when_the_server_closes_it():
    async def talk(peer, server):
        await peer.request()
        await peer.send(answer())

    async with serving(talk) as server, a_pool() as pool:
        await ask(pool, server)
        await asyncio.sleep(0.01)

        assert (pool.idle, pool.busy) == (0, 0)
        assert (await ask(pool, server)).status == 200


def dying_after_one(requests):
    """Answers one request on each connection and closes when the second comes."""

    async def talk(peer, server):
        requests.append(await peer.request())
        await peer.send(answer())
        if await peer.request() is not None:
            requests.append(b"again")

    return talk


async def test_a_read_is_sent_once_more_when_a_used_connection_dies_without_a_byte():
    requests = []
    async with serving(dying_after_one(requests)) as server, a_pool() as pool:
        await ask(pool, server)
        reply = await ask(pool, server)

        assert reply.status == 200
        assert server.connections == 2
        assert len(requests) == 3


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH", "PUT"])
async def test_a_write_is_never_sent_again_by_itself(method):
    requests = []
    async with serving(dying_after_one(requests)) as server, a_pool() as pool:
        await ask(pool, server)

        with pytest.raises(httpcore.RemoteProtocolError):
            await ask(pool, server, method)

        assert server.connections == 1


async def test_a_new_connection_that_dies_is_not_tried_again():
    async def talk(peer, server):
        await peer.request()

    async with serving(talk) as server, a_pool() as pool:
        with pytest.raises(httpcore.RemoteProtocolError):
            await ask(pool, server)

        assert server.connections == 1


async def test_a_write_does_not_go_to_a_connection_whose_end_waits_to_be_read():
    ends = []

    def accept(listener):
        taken, _ = listener.accept()
        taken.recv(65536)
        taken.sendall(answer())
        ends.append(taken)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        there = Origin("http", "127.0.0.1", listener.getsockname()[1])
        async with a_pool() as pool:
            serving_one = asyncio.create_task(asyncio.to_thread(accept, listener))
            await pool.exchange(there, a_request())
            await serving_one
            # Its end has arrived, and this loop has had no turn to read it.
            ends[0].close()
            serving_two = asyncio.to_thread(accept, listener)
            request = a_request("POST", b"{}")
            lane = pool.lane(there)

            assert lane.take() is None
            reply, _ = await asyncio.gather(pool.exchange(there, request), serving_two)
        ends[1].close()

    assert reply.status == 200


async def test_idle_connections_are_closed_in_time():
    async with serving(always(answer())) as server, a_pool(keep_alive=0.03) as pool:
        await ask(pool, server)
        assert pool.idle == 1
        await asyncio.sleep(0.06)

        assert pool.idle == 0


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        (b"Keep-Alive: timeout=5", 4.0),
        (b"keep-alive: max=1000, Timeout = 60", 30.0),
        (b"keep-alive: timeout=1, max=5", 0.5),
        (b"keep-alive: timeout=0", 0.0),
        (b"keep-alive: max=7", 30.0),
        (b"keep-alive: timeout=-3", 30.0),
        (b"keep-alive: timeout=many, mytimeout=2", 30.0),
        (b"x-keepalive: timeout=2", 30.0),
    ],
)
async def test_a_connection_is_not_used_when_its_server_is_about_to_close_it(line, seconds):
    async with serving(always(answer(b"", line))) as server, a_pool() as pool:
        await ask(pool, server)
        now = asyncio.get_running_loop().time()
        left = [each.until - now for each in pool.lane(origin(server))._connections]

        # One that is kept no time at all may be gone by now.
        assert (left or [0.0]) == pytest.approx([seconds], abs=0.4)
        await asyncio.sleep(0.02)
        assert pool.idle == (1 if seconds else 0)


# Time.


async def silent(peer, server):
    while await peer.request():
        pass


async def test_an_answer_that_does_not_come_ends_in_time():
    async with serving(silent) as server, a_pool() as pool:
        started = time.monotonic()
        request = a_request(read=0.03)

        with pytest.raises(httpcore.ReadTimeout):
            await pool.exchange(origin(server), request)

        assert 0.03 <= time.monotonic() - started < 0.2
        assert request.is_sent
        assert pool.busy == 0


async def test_a_body_that_stalls_ends_in_time():
    async def talk(peer, server):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe")
        await peer.request()

    async with serving(talk) as server, a_pool() as pool:
        with pytest.raises(httpcore.ReadTimeout):
            await ask(pool, server, read=0.03)


async def test_a_server_that_dribbles_gains_nothing_by_it():
    async def talk(peer, server):
        await peer.request()
        await peer.dribble(b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n" + b"x" * 999, 0.004)

    async with serving(talk) as server, a_pool() as pool:
        started = time.monotonic()

        with pytest.raises(httpcore.ReadTimeout):
            await ask(pool, server, read=0.05, within=0.1)

        assert time.monotonic() - started < 0.3


async def test_each_read_has_its_own_time():
    async def talk(peer, server):
        await peer.request()
        await peer.dribble(answer(b"hello"), 0.002)

    async with serving(talk) as server, a_pool() as pool:
        reply = await ask(pool, server, read=0.04)

        assert reply.body == b"hello"


async def test_a_request_that_is_not_taken_ends_in_time():
    async def talk(peer, server):
        await asyncio.sleep(5)

    async with serving(talk) as server, a_pool() as pool:
        with pytest.raises(httpcore.WriteTimeout):
            await ask(pool, server, "POST", b"x" * 20_000_000, write=0.05)

        assert pool.busy == 0


async def test_a_handshake_that_stalls_is_a_connect_timeout():
    async with serving(silent) as server, a_pool() as pool:
        request = a_request(connect=0.03)

        with pytest.raises(httpcore.ConnectTimeout):
            await pool.exchange(origin(server, "https"), request)

        assert not request.is_sent
        assert pool.busy == 0


async def test_waiting_for_a_connection_ends_in_time_and_nothing_was_sent():
    async with serving(silent) as server, a_pool(limit=1) as pool:
        first = asyncio.create_task(ask(pool, server, read=0.1))
        await asyncio.sleep(0.01)
        request = a_request(pool=0.02)

        with pytest.raises(httpcore.PoolTimeout):
            await pool.exchange(origin(server), request)
        with pytest.raises(httpcore.ReadTimeout):
            await first

        assert not request.is_sent
        assert pool.busy == 0


async def test_one_timer_serves_all_requests(monkeypatch):
    asked, may_answer = asyncio.Semaphore(0), asyncio.Event()

    async def talk(peer, server):
        await peer.request()
        asked.release()
        await may_answer.wait()
        await peer.send(answer())

    loop, timers = asyncio.get_running_loop(), []
    as_ever = loop.call_at

    def call_at(when, callback, *rest, **more):
        timer = as_ever(when, callback, *rest, **more)
        if "_sweep" in repr(callback):
            timers.append(timer)
        return timer

    monkeypatch.setattr(loop, "call_at", call_at)
    async with serving(talk) as server, a_pool(limit=50) as pool:
        tasks = [asyncio.create_task(ask(pool, server, read=9)) for _ in range(50)]
        for _ in tasks:
            await asked.acquire()
        ours = [each for each in timers if not each.cancelled()]
        may_answer.set()
        await asyncio.gather(*tasks)

    assert len(ours) == 1


# The queue.


async def test_the_connection_used_last_is_used_first():
    async def talk(peer, server):
        while await peer.request():
            await peer.send(answer(b"%d" % peer.number))

    async with serving(talk) as server, a_pool() as pool:
        await asyncio.gather(*(ask(pool, server) for _ in range(5)))
        used = {(await ask(pool, server)).body for _ in range(10)}

        assert len(used) == 1


async def test_who_waits_is_served_in_turn_and_orders_first():
    done = []

    async def call(pool, server, name, priority):
        await ask(pool, server, priority=priority)
        done.append(name)

    async with serving(always(answer())) as server, a_pool(limit=1) as pool:
        calls = [
            ("a", Priority.QUOTES),
            ("b", Priority.HISTORY),
            ("c", Priority.QUOTES),
            ("d", Priority.ORDERS),
            ("e", Priority.ACCOUNT),
            ("f", Priority.QUOTES),
        ]
        await asyncio.gather(*(call(pool, server, *each) for each in calls))

        assert server.connections == 1
    assert done == ["a", "d", "e", "c", "f", "b"]


async def test_a_burst_on_warm_connections_opens_none():
    async with serving(always(answer())) as server, a_pool(limit=200) as pool:
        await asyncio.gather(*(ask(pool, server) for _ in range(200)))
        opened = pool.opened
        await asyncio.gather(*(ask(pool, server) for _ in range(200)))

        assert pool.opened == opened <= 200


async def test_a_place_becomes_free_when_a_connection_dies():
    async def talk(peer, server):
        await peer.request()
        if peer.number > 1:
            await peer.send(answer())

    async with serving(talk) as server, a_pool(limit=1) as pool:
        first = asyncio.create_task(ask(pool, server))
        second = asyncio.create_task(ask(pool, server))

        with pytest.raises(httpcore.RemoteProtocolError):
            await first
        assert (await second).status == 200


async def test_who_waits_gets_an_error_when_connecting_fails_for_the_one_before():
    async with a_pool(limit=1) as pool:
        nowhere = Origin("http", "127.0.0.1", 1)
        calls = [pool.exchange(nowhere, a_request()) for _ in range(5)]

        results = await asyncio.gather(*calls, return_exceptions=True)

        assert {type(each) for each in results} == {httpcore.ConnectError}
        assert pool.busy == 0


# Leaving early.


async def test_a_read_that_is_cancelled_closes_its_connection():
    async with serving(silent) as server, a_pool(limit=1) as pool:
        task = asyncio.create_task(ask(pool, server))
        await asyncio.sleep(0.01)
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task
        assert (pool.busy, pool.idle) == (0, 0)


async def test_who_leaves_the_queue_is_passed_over():
    async with serving(always(answer())) as server, a_pool(limit=1) as pool:
        tasks = [asyncio.create_task(ask(pool, server)) for _ in range(10)]
        await asyncio.sleep(0)
        for task in tasks[1:9]:
            task.cancel()

        results = await asyncio.gather(*tasks, return_exceptions=True)

        assert [type(each).__name__ for each in results[1:9]] == ["CancelledError"] * 8
        assert (results[0].status, results[9].status) == (200, 200)
        assert pool.busy == 0


async def test_leaving_while_connecting_gives_the_place_back():
    async with serving(silent) as server, a_pool(limit=1) as pool:
        task = asyncio.create_task(pool.exchange(origin(server, "https"), a_request()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert pool.busy == 0


async def test_the_answer_of_one_who_left_is_given_to_nobody():
    async def talk(peer, server):
        while request := await peer.request():
            await asyncio.sleep(0.01)
            await peer.send(answer(request.split(b"\r\n\r\n")[1]))

    async with serving(talk) as server, a_pool(limit=1) as pool:
        for number in range(20):
            task = asyncio.create_task(ask(pool, server, "POST", b"old %d" % number))
            await asyncio.sleep(0.0005 * number)
            task.cancel()
            reply = await ask(pool, server, "POST", b"new %d" % number)

            assert reply.body == b"new %d" % number


async def test_nothing_is_left_after_closing():
    asked = asyncio.Semaphore(0)

    async def talk(peer, server):
        while await peer.request():
            asked.release()

    async with serving(talk) as server:
        pool = Pool(tls=TRUSTING, limit=2, keep_alive=30.0)
        tasks = [asyncio.create_task(ask(pool, server)) for _ in range(4)]
        for _ in range(2):
            await asked.acquire()
        transports = [each.transport for each in pool.lane(origin(server))._connections]
        await pool.close()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        with pytest.raises(RuntimeError, match="closed"):
            await ask(pool, server)

    assert {type(each) for each in results} == {httpcore.ReadError, RuntimeError}
    assert [each.get_extra_info("socket").fileno() for each in transports] == [-1, -1]
    assert pool.busy == 0


# Opening.


async def test_refused_is_not_sent():
    async with a_pool() as pool:
        request = a_request()

        with pytest.raises(httpcore.ConnectError):
            await pool.exchange(Origin("http", "127.0.0.1", 1), request)

        assert not request.is_sent


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


async def test_tls_is_checked_and_asks_for_http_1(authority):
    serving_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(serving_side)
    serving_side.set_alpn_protocols(["h2", "http/1.1"])
    trusting = ssl.create_default_context()
    trusting.set_alpn_protocols(["http/1.1"])
    body = b"x" * 300_000

    async with serving(always(answer(body)), tls=serving_side) as server:
        async with a_pool() as pool:
            with pytest.raises(httpcore.ConnectError) as caught:
                await pool.exchange(origin(server, "https"), a_request())
        authority.configure_trust(trusting)
        async with a_pool(tls=trusting) as pool:
            for _ in range(3):
                reply = await pool.exchange(origin(server, "https"), a_request())
            # A client that leaves the handshake may count as a connection to the server.
            chosen = server.peers[-1]._writer.get_extra_info("ssl_object").selected_alpn_protocol()

    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
    assert reply.body == body
    assert chosen == "http/1.1"


async def test_addresses_are_judged_where_they_are_connected_to():
    async with serving(always(answer())) as server:
        rail = Guardrail.of(ports=[server.port], allowed=["127.0.0.1"])
        asked = []

        async def resolve(host, port):
            asked.append(host)
            # A name that leads elsewhere the second time it is asked for.
            return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.1", "10.0.0.7"]

        judge = GuardedBackend(rail, resolve=resolve).judge
        async with a_pool(judge=judge, limit=1) as pool:
            there = Origin("http", "hooks.example.test", server.port)
            reply = await pool.exchange(there, a_request())
            await pool.exchange(there, a_request())
            for connection in tuple(pool.lane(there)._idle):
                connection.end()
            request = a_request()
            with pytest.raises(AddressRefusedError):
                await pool.exchange(there, request)

            assert pool.busy == 0

    assert reply.status == 200
    assert asked == ["hooks.example.test"] * 2
    assert not request.is_sent


async def test_gzip_is_left_alone_by_the_pool():
    body = gzip.compress(b"hello")
    async with (
        serving(always(answer(body, b"content-encoding: gzip"))) as server,
        a_pool() as pool,
    ):
        assert (await ask(pool, server)).body == body


async def test_an_opening_that_is_cancelled_leaves_no_socket_behind():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", ResourceWarning)
        async with serving(always(answer(b"hello"))) as server, a_pool() as pool:
            for turns in range(24):
                asking = asyncio.create_task(ask(pool, server))
                for _ in range(turns % 12):
                    await asyncio.sleep(0)
                asking.cancel()
                with suppress(asyncio.CancelledError):
                    await asking
            gc.collect()

    assert [str(each.message) for each in seen] == []


async def test_many_origins_keep_few_sockets_and_no_request_is_lost(monkeypatch):
    monkeypatch.setattr("sentio_async.http.pool.pool.MOST_ORIGINS", 4)

    async def to_us(host, port, within):
        return ["127.0.0.1"]

    async def talk(peer, server):
        while (request := await peer.request()) is not None:
            if b"slow" in request:
                await asyncio.sleep(0.1)
            await peer.send(answer())

    async with serving(talk) as server, a_pool(judge=to_us) as pool:
        slow = a_request()
        slow.data = slow.data.replace(b"/x", b"/slow")
        waiting = asyncio.create_task(pool.exchange(Origin("http", "slow", server.port), slow))
        for number in range(30):
            there = Origin("http", f"host-{number}", server.port)
            assert (await pool.exchange(there, a_request())).status == 200
            assert pool.idle <= 4
        assert (await waiting).status == 200

        assert len(pool._lanes) <= 4
        assert pool.opened == server.connections == 31
