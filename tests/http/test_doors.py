"""Whoever wants to see our requests sees them; when nobody does, they take the short way."""

import asyncio
import gzip

import httpcore
import httpx
import pytest
import respx

from scripted_server import always, answer, serving
from sentio_async import errors
from sentio_async.http import client as client_module
from sentio_async.http import listening
from sentio_async.http.client import PooledClient, open_client
from sentio_async.http.listening import unheard
from session_calls import a_session, thing, write_once

MEGABYTE = 1 << 20


@pytest.fixture
async def client():
    opened = open_client()
    yield opened
    await opened.aclose()


def test_the_short_way_is_open_at_all():
    assert listening._IS_UNTOUCHED


@pytest.mark.own_pool
async def test_nobody_listens_to_a_client_of_ours(client):
    assert unheard(client) is client.pool


def hooked(client, _):
    client.event_hooks = {"request": [print]}


def appended(client, _):
    client.event_hooks["response"].append(print)


def with_cookie(client, _):
    client.cookies.set("a", "b")


def with_header(client, _):
    client.headers["x-mine"] = "1"


def other_agent(client, _):
    client.headers["user-agent"] = "mine"


def other_transport(client, _):
    client._transport = httpx.MockTransport(lambda request: httpx.Response(200))


def watched_client(client, _):
    client.send = print


def watched_transport(client, _):
    client._transport.handle_async_request = print


def watched(kind, name):
    def watch(client, monkeypatch):
        async def other(*rest, **more):
            raise AssertionError

        monkeypatch.setattr(kind, name, other)

    return watch


LISTENERS = [
    hooked,
    appended,
    with_cookie,
    with_header,
    other_agent,
    other_transport,
    watched_client,
    watched_transport,
    watched(httpx.AsyncClient, "send"),
    watched(httpx.AsyncClient, "_transport_for_url"),
    watched(httpx.AsyncHTTPTransport, "handle_async_request"),
    watched(httpcore.AsyncConnectionPool, "handle_async_request"),
]


@pytest.mark.parametrize("listen", LISTENERS)
async def test_a_listener_is_noticed(client, listen, monkeypatch):
    listen(client, monkeypatch)

    assert unheard(client) is None


async def test_a_client_of_the_users_own_is_used_as_it_is():
    async with httpx.AsyncClient() as theirs:
        assert unheard(theirs) is None


@pytest.mark.parametrize("using", ["httpcore", "httpx"])
async def test_respx_answers_instead(using):
    session, resources = a_session("https://api.example.test")
    with respx.mock(using=using) as mock:
        route = mock.get("https://api.example.test/thing").respond(json={"mocked": True})

        assert await session.send(thing()) == {"mocked": True}
        assert route.called
    await resources.close()


async def test_hooks_see_a_session_call(client):
    seen = []

    async def hook(request):
        seen.append(request.url.path)

    client.event_hooks["request"].append(hook)
    async with serving(always(answer())) as server:
        session, _ = a_session(server.url, client=client)
        await session.send(thing())

    assert seen == ["/thing"]


async def test_a_client_without_its_private_pool_is_stock_httpx(monkeypatch):
    monkeypatch.setattr(client_module, "pool_under", lambda transport: None)
    async with serving(always(answer())) as server, open_client() as client:
        assert not isinstance(client, PooledClient)
        session, _ = a_session(server.url, client=client)
        assert await session.send(thing()) == {}


async def test_every_door_sends_the_same(door):
    async with serving(always(answer(b'{"a": 1}'))) as server:
        session, resources = a_session(server.url)
        values = await session.send(thing()), await session.send(write_once(1))
        await resources.close()

    assert values == ({"a": 1}, {"a": 1})
    read, write = server.requests
    assert read.startswith(b"GET /thing HTTP/1.1\r\n")
    assert write.startswith(b"POST /hook HTTP/1.1\r\n")
    for request in server.requests:
        lines = request.lower().split(b"\r\n\r\n")[0].split(b"\r\n")[1:]
        names = [line.split(b":")[0] for line in lines]
        assert len(names) == len(set(names))
        assert {b"host", b"accept", b"accept-encoding", b"user-agent"} <= set(names)
        assert f"host: 127.0.0.1:{server.port}".encode() in lines
    assert write.endswith(b'{"n":1}')
    assert b"content-length: 7" in write.lower()


async def test_every_door_unpacks_and_bounds(door):
    body = gzip.compress(b'{"a": "%b"}' % (b"x" * 5000))
    async with serving(always(answer(body, b"content-encoding: gzip"))) as server:
        session, resources = a_session(server.url)
        whole = await session.send(thing())
        small, others = a_session(server.url, max_body_bytes=2000)
        with pytest.raises(errors.ResponseTooLargeError):
            await small.send(thing(), retry=None)
        await resources.close()
        await others.close()

    assert len(whole["a"]) == 5000


# httpx's own surface, on our pool.


async def test_a_streamed_body_is_read_no_faster_than_it_is_used(client):
    sent = 0

    async def talk(peer, server):
        nonlocal sent
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (16 * MEGABYTE))
        for _ in range(256):
            await peer.send(b"x" * (MEGABYTE // 16))
            sent += MEGABYTE // 16
        await peer.request()

    async with serving(talk) as server, client.stream("GET", server.url) as response:
        await asyncio.sleep(0.05)
        before = sent
        got = 0
        async for piece in response.aiter_raw():
            got += len(piece)

    assert before < 12 * MEGABYTE
    assert got == 16 * MEGABYTE


@pytest.mark.own_pool
async def test_a_stream_left_early_closes_its_connection(client):
    async with serving(always(answer(b"x" * MEGABYTE))) as server:
        async with client.stream("GET", server.url) as response:
            assert response.status_code == 200
        assert (client.pool.busy, client.pool.idle) == (0, 0)
        assert len((await client.get(server.url)).content) == MEGABYTE
        assert client.pool.idle == 1


async def test_a_body_in_pieces_is_sent_in_chunks(client):
    async def pieces():
        for number in range(3):
            yield b"%d" % number

    async def talk(peer, server):
        head = await peer.request()
        server.requests.append(head + await peer.read(1000))
        await asyncio.sleep(0.01)
        await peer.send(answer())
        await peer.request()

    async with serving(talk) as server:
        response = await client.post(server.url, content=pieces())

    assert response.status_code == 200
    assert b"1\r\n0\r\n" in server.requests[0]


async def test_what_httpx_tells_of_an_answer_is_there(client):
    raw = answer(b"", b"set-cookie: a=b", b"set-cookie: c=d", status=b"404 Gone Fishing")
    async with serving(always(raw)) as server:
        response = await client.get(server.url)
        stream = response.extensions["network_stream"]

        assert stream.get_extra_info("server_addr")[1] == server.port
    assert (response.status_code, response.reason_phrase) == (404, "Gone Fishing")
    assert response.http_version == "HTTP/1.1"
    assert response.headers.get_list("set-cookie") == ["a=b", "c=d"]
    assert dict(client.cookies) == {"a": "b", "c": "d"}


@pytest.mark.own_pool
@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "a\x00b"])
async def test_a_header_cannot_end_early(client, value):
    async with serving(always(answer())) as server:
        with pytest.raises(httpx.LocalProtocolError) as caught:
            await client.get(server.url, headers={"x-key": value})

        assert value not in str(caught.value)
        assert server.connections == 0


async def test_failures_are_those_of_httpx(client):
    async def silent(peer, server):
        await peer.request()
        await peer.request()

    with pytest.raises(httpx.ConnectError):
        await client.get("http://127.0.0.1:1")
    async with serving(silent) as server:
        with pytest.raises(httpx.ReadTimeout):
            await client.get(server.url, timeout=0.03)
    async with serving(always(b"nonsense\r\n\r\n")) as server:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(server.url)


@pytest.mark.own_pool
async def test_a_read_needs_no_task_and_a_write_has_one():
    async def slow(peer, server):
        while await peer.request():
            await asyncio.sleep(0.02)
            await peer.send(answer())

    async with serving(slow) as server:
        session, resources = a_session(server.url)
        read = asyncio.create_task(session.send(thing()))
        await asyncio.sleep(0.01)
        assert not resources.tasks
        await read
        write = asyncio.create_task(session.send(write_once(1)))
        await asyncio.sleep(0.005)
        assert len(resources.tasks) == 1
        await write
        await resources.close()


@pytest.mark.own_pool
async def test_a_write_of_a_task_that_sees_to_its_end_needs_no_other():
    came, gone = asyncio.Event(), asyncio.Event()

    async def silent(peer, server):
        await peer.request()
        came.set()
        await peer.request()
        gone.set()

    async with serving(silent) as server:
        session, resources = a_session(server.url)
        write = asyncio.create_task(session.send(write_once(1), in_task=True))
        await came.wait()
        assert not resources.tasks
        assert session.in_flight == 1
        write.cancel()
        with pytest.raises(asyncio.CancelledError):
            await write
        # Nobody would look at the answer: the connection ends, and holds no place.
        async with asyncio.timeout(1):
            await gone.wait()
        assert session.in_flight == 0
        await resources.close()
