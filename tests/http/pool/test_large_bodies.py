"""A large body goes straight to its place: whole, bounded, on a connection that is kept."""

import asyncio
import os
import ssl
import tracemalloc
from contextlib import asynccontextmanager

import httpcore
import pytest
import trustme

from scripted_server import answer, serving
from sentio_async import errors
from sentio_async.http.pool import Origin, Pool, Request, Waits
from sentio_async.http.pool.incoming import AT_ONCE, LARGE
from sentio_async.http.pool.lane import Lane

REQUEST = b"GET /x HTTP/1.1\r\nhost: h\r\n\r\n"
MEGABYTE = 1024 * 1024


@asynccontextmanager
async def a_pool(tls=None):
    pool = Pool(tls=tls or ssl.create_default_context(), limit=1, keep_alive=30.0)
    try:
        yield pool
    finally:
        await pool.close()


async def ask(pool, server, *, scheme="http", limit=64 * MEGABYTE, within=10.0):
    until = asyncio.get_running_loop().time() + within
    request = Request(REQUEST, waits=Waits(read=2.0), expires_at=until, limit=limit)
    return await pool.exchange(Origin(scheme, "127.0.0.1", server.port), request)


def in_turn(*raws):
    """Answers the requests of all connections with these, one after the other."""
    left = list(raws)

    async def talk(peer, server):
        while left and await peer.request():
            await peer.send(left.pop(0))
        await peer.read(1)

    return talk


SIZES = [1, LARGE - 200, LARGE, LARGE + 1, 3 * LARGE, AT_ONCE, AT_ONCE + LARGE, 3 * AT_ONCE + 17]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_every_byte_arrives_and_the_connection_is_kept(size, scheme):
    body = os.urandom(size)
    tls, ours = certified() if scheme == "https" else (None, None)

    talk = in_turn(answer(body), answer(b"small"), answer(body), answer(b"small"))
    async with serving(talk, tls=ours) as server, a_pool(tls) as pool:
        bodies = [(await ask(pool, server, scheme=scheme)).body for _ in range(4)]

        assert bodies == [body, b"small", body, b"small"]
        assert server.connections == 1


@pytest.mark.parametrize("extra", [b"\0", b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx"])
@pytest.mark.parametrize("is_later", [False, True])
async def test_bytes_after_it_never_reach_the_next_request(extra, is_later):
    body = os.urandom(MEGABYTE)

    async def talk(peer, server):
        await peer.request()
        if peer.number > 1:
            await peer.send(answer(b"second"))
        elif is_later:
            await peer.send(answer(body))
            await peer.send(extra)
        else:
            await peer.send(answer(body) + extra)
        await peer.read(1)

    async with serving(talk) as server, a_pool() as pool:
        assert (await ask(pool, server)).body == body
        assert (await ask(pool, server)).body == b"second"
        assert server.connections == 2


async def test_a_connection_that_is_to_close_is_not_used_again():
    body = os.urandom(MEGABYTE)
    talk = in_turn(answer(body, b"connection: close"), answer(b"second"))
    async with serving(talk) as server, a_pool() as pool:
        assert (await ask(pool, server)).body == body
        assert (await ask(pool, server)).body == b"second"
        assert server.connections == 2


@pytest.mark.parametrize("missing", [1, MEGABYTE - 1])
async def test_a_part_of_it_is_an_error(missing):
    raw = answer(os.urandom(2 * MEGABYTE))

    async def talk(peer, server):
        await peer.request()
        await peer.send(raw[:-missing])

    async with serving(talk) as server, a_pool() as pool:
        with pytest.raises(httpcore.RemoteProtocolError, match="before the end"):
            await ask(pool, server)


async def test_over_the_limit_it_is_refused():
    async with serving(in_turn(answer(bytes(MEGABYTE)))) as server, a_pool() as pool:
        with pytest.raises(errors.ResponseTooLargeError):
            await ask(pool, server, limit=MEGABYTE - 1)


async def test_no_more_room_is_made_for_it_than_promises_are_worth():
    async def talk(peer, server):
        await peer.request()
        head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (60 * MEGABYTE)
        await peer.send(head + b"x" * 10)
        await peer.read(1)

    async with serving(talk) as server, a_pool() as pool:
        tracemalloc.start()
        try:
            with pytest.raises(httpcore.ReadTimeout):
                await ask(pool, server, within=0.2)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < AT_ONCE + MEGABYTE


async def test_who_leaves_in_the_middle_of_it_leaves_nothing_behind():
    async def talk(peer, server):
        await peer.request()
        if peer.number > 1:
            await peer.send(answer(b"second"))
        else:
            await peer.send(answer(bytes(MEGABYTE))[: MEGABYTE // 2])
        await peer.read(1)

    async with serving(talk) as server, a_pool() as pool:
        first = asyncio.create_task(ask(pool, server))
        await asyncio.sleep(0.05)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first

        assert (await ask(pool, server)).body == b"second"
        assert pool.busy == 0


HEAD = len(answer(b"")) + 4
"""Of an answer with a length of five digits."""


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("size", [MEGABYTE, AT_ONCE + LARGE // 4, LARGE - HEAD])
async def test_what_comes_with_it_reaches_no_request_of_the_same_turn(monkeypatch, scheme, size):
    tls, theirs = certified() if scheme == "https" else (None, None)
    body, asked, give_back = os.urandom(size), [], Lane.release

    def release(lane, connection):
        give_back(lane, connection)
        # As a task would whose turn is this one: TLS may hold bytes that no socket shows.
        taken = None if asked else lane.take()
        if taken is not None:
            asked.append(asyncio.get_running_loop().create_future())
            taken.ask(Request(REQUEST, waits=Waits(read=1.0)), asked[0])

    async def talk(peer, server):
        while await peer.request():
            await peer.send(answer(body) + answer(b"nobody's"))

    monkeypatch.setattr(Lane, "release", release)
    async with serving(talk, tls=theirs) as server, a_pool(tls) as pool:
        assert (await ask(pool, server, scheme=scheme)).body == body
        await asyncio.wait(asked, timeout=1.0) if asked else None

        assert [each.result().body for each in asked if not each.exception()] in ([], [body])


def certified():
    """Settings for a client and for a server that trust each other."""
    authority, theirs = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    return tls, theirs
