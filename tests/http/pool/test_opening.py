"""How a connection is made: every address gets its turn, and no socket is left behind."""

import asyncio
import gc
import socket
import warnings
from contextlib import asynccontextmanager, contextmanager, suppress

import httpcore
import psutil
import pytest

from scripted_server import always, answer, serving
from sentio_async import dialling
from sentio_async.http.client import open_client
from sentio_async.http.pool import Origin, Pool, Request, Waits

REQUEST = b"GET /x HTTP/1.1\r\nhost: h\r\n\r\n"


@asynccontextmanager
async def a_pool(addresses):
    async def judge(host, port, timeout):
        return addresses

    async with open_client() as client:
        pool = Pool(tls=client._transport._pool._ssl_context, limit=9, keep_alive=9, judge=judge)
        yield pool
        await pool.close()


def ask(pool, port, connect=5.0):
    request = Request(REQUEST, waits=Waits(connect=connect, read=5.0))
    return pool.exchange(Origin("http", "name.example.test", port), request)


@asynccontextmanager
async def no_socket_left():
    """As many descriptors after as before, and none that only the garbage collector closed."""
    process = psutil.Process()
    before = process.num_fds()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", ResourceWarning)
        yield
        gc.collect()
    # The server's ends of them close a little later.
    for _ in range(100):
        if process.num_fds() == before:
            break
        await asyncio.sleep(0.005)
    assert [str(each.message) for each in seen] == []
    assert process.num_fds() == before


async def test_the_next_address_is_tried_when_one_refuses():
    async with (
        serving(always(answer(b"hello"))) as server,
        no_socket_left(),
        a_pool(["127.0.0.9", "::1", "127.0.0.1"]) as pool,
    ):
        assert (await ask(pool, server.port)).body == b"hello"


async def test_when_all_refuse_the_last_of_their_errors_is_told():
    async with no_socket_left(), a_pool(["127.0.0.9", "127.0.0.8"]) as pool:
        with pytest.raises(httpcore.ConnectError, match=r"127\.0\.0\.8"):
            await ask(pool, 1)
        assert pool.busy == 0


async def test_a_name_without_an_address_is_a_connect_error():
    async with a_pool([]) as pool:
        with pytest.raises(httpcore.ConnectError, match="no address"):
            await ask(pool, 1)


@contextmanager
def deaf(address, port):
    """Takes no connection: its queue is full."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind((address, port))
        listener.listen(0)
        for each in (first, second):
            each.setblocking(False)
            each.connect_ex((address, port))
        yield


async def test_an_address_that_says_nothing_does_not_hold_up_the_next(monkeypatch):
    monkeypatch.setattr(dialling, "NEXT_ADDRESS", 0.01)
    async with serving(always(answer(b"hello"))) as server:
        with deaf("127.0.0.9", server.port):
            async with no_socket_left(), a_pool(["127.0.0.9", "127.0.0.1"]) as pool:
                async with asyncio.timeout(0.5):
                    assert (await ask(pool, server.port)).body == b"hello"


async def test_a_deaf_address_is_a_connect_timeout_and_leaves_nothing():
    async with serving(always(answer())) as server:
        with deaf("127.0.0.9", server.port):
            async with no_socket_left(), a_pool(["127.0.0.9"]) as pool:
                with pytest.raises(httpcore.ConnectTimeout):
                    await ask(pool, server.port, connect=0.02)


@pytest.mark.parametrize("way", ["judged", "resolved"])
async def test_leaving_at_any_moment_of_opening_leaves_no_socket_behind(way, monkeypatch):
    async def resolved(host, port, **more):
        hosts = ("127.0.0.1", "127.0.0.2")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in hosts]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolved)
    listener = await asyncio.start_server(lambda r, w: w.close(), "0.0.0.0", 0)
    port = listener.sockets[0].getsockname()[1]
    # Some event loops notice that it hangs up before the request is written, some after.
    hung_up = httpcore.ConnectError, httpcore.RemoteProtocolError
    async with listener, no_socket_left(), a_pool(["127.0.0.1", "127.0.0.2"]) as pool:
        if way == "resolved":
            pool._judge = None
        for turns in range(48):
            asking = asyncio.create_task(ask(pool, port))
            for _ in range(turns % 16):
                await asyncio.sleep(0)
            asking.cancel()
            with suppress(asyncio.CancelledError, *hung_up):
                await asking
        assert pool.busy == 0


def test_families_take_turns_and_the_preferred_one_begins():
    six, four = socket.AF_INET6, socket.AF_INET
    found = [(six, 1), (six, 2), (six, 3), (four, 4)]

    assert dialling._alternating(found) == [(six, 1), (four, 4), (six, 2), (six, 3)]


async def test_small_writes_are_sent_at_once():
    async with serving(always(answer())) as server, a_pool(["127.0.0.1"]) as pool:
        await ask(pool, server.port)
        lane = pool.lane(Origin("http", "name.example.test", server.port))
        [connection] = lane._idle
        ours = connection.transport.get_extra_info("socket")

        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.fixture
async def looked_up(monkeypatch):
    """Every look-up takes 20 ms; the list of them.  Some event loops look up addresses too."""
    loop, asked = asyncio.get_running_loop(), []
    as_ever = loop.getaddrinfo

    async def slowly(host, *rest, **more):
        asked.append(host)
        await asyncio.sleep(0.02)
        return await as_ever(host, *rest, **more)

    monkeypatch.setattr(loop, "getaddrinfo", slowly)
    return asked


@pytest.mark.own_pool
async def test_a_name_is_looked_up_once_for_all_who_need_it_at_the_same_time(looked_up):
    async with serving(always(answer(b"hello"))) as server, open_client() as client:
        pool = client.pool
        there = Origin("http", "localhost", server.port)
        leaving = [asyncio.create_task(pool.exchange(there, a_request())) for _ in range(20)]
        staying = [asyncio.create_task(pool.exchange(there, a_request())) for _ in range(20)]
        await asyncio.sleep(0.005)
        for each in leaving:
            each.cancel()
        replies = await asyncio.gather(*staying)

        assert [reply.body for reply in replies] == [b"hello"] * 20
        assert looked_up.count("localhost") == 1
        # Later it may be another address.
        for connection in tuple(pool.lane(there)._connections):
            connection.end()
        await pool.exchange(there, a_request())
        assert looked_up.count("localhost") == 2


@pytest.mark.own_pool
async def test_a_look_up_that_fails_fails_for_all_and_is_done_anew(monkeypatch, looked_up):
    async with serving(always(answer())) as server, open_client() as client:
        there = Origin("http", "localhost", server.port)
        with monkeypatch.context() as patch:
            patch.setattr(asyncio.get_running_loop(), "getaddrinfo", _no_such_name)
            failed = await asyncio.gather(
                *(client.pool.exchange(there, a_request()) for _ in range(3)),
                return_exceptions=True,
            )
        assert [type(each) for each in failed] == [httpcore.ConnectError] * 3
        assert (await client.pool.exchange(there, a_request())).status == 200


@pytest.mark.own_pool
async def test_a_look_up_nobody_waits_for_leaves_no_task(looked_up):
    async with open_client() as client:
        there = Origin("http", "localhost", 1)
        before = asyncio.all_tasks()
        for turns in (0, 1, 2, 3, 10):
            asking = asyncio.create_task(client.pool.exchange(there, a_request()))
            for _ in range(turns):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.wait((asking,))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert asyncio.all_tasks() == before


async def _no_such_name(*_, **__):
    raise socket.gaierror(-2, "Name or service not known")


def a_request():
    return Request(REQUEST, waits=Waits(connect=5.0, read=5.0))
