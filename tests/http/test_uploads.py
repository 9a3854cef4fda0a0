"""A request's body leaves as long as it was said to be, and takes the time its maker needs."""

import asyncio

import h11
import httpx
import pytest

from scripted_server import always, answer, serving
from sentio_async.http.client import open_client


async def _nothing(*_):
    """Somebody listens, so requests pass through httpx's own layers."""


@pytest.fixture(params=["short", "ordinary", "stock"])
async def client(request):
    opened = open_client(stock=request.param == "stock")
    if request.param == "ordinary":
        opened.event_hooks = {"request": [_nothing]}
    yield opened
    await opened.aclose()


UNSENDABLE = (httpx.LocalProtocolError, h11.LocalProtocolError)
"""Stock httpx has no name of its own for what h11 finds in a body."""


async def in_pieces(*pieces, pause=0.0):
    for piece in pieces:
        await asyncio.sleep(pause)
        yield piece


@pytest.mark.parametrize("length", ["3", "9"])
@pytest.mark.parametrize("is_whole", [True, False])
async def test_a_body_of_another_length_than_was_said_never_meets_the_next_request(
    client, length, is_whole
):
    body = b"abcdef" if is_whole else in_pieces(b"abc", b"def")
    async with serving(always(answer())) as server:
        with pytest.raises(UNSENDABLE, match="declared Content-Length"):
            await client.post(server.url, content=body, headers={"content-length": length})

        assert (await client.get(server.url)).status_code == 200
        last = server.requests[-1]

    assert last.startswith(b"GET / HTTP/1.1\r\n")


@pytest.mark.parametrize("length", ["+6", "six", "-6"])
async def test_a_length_that_is_no_number_is_not_sent(client, length):
    async with serving(always(answer())) as server:
        with pytest.raises(UNSENDABLE):
            await client.post(server.url, content=b"abcdef", headers={"content-length": length})

        assert not server.requests


async def test_a_body_of_the_length_that_was_said_is_sent_as_it_is(client):
    headers = {"content-length": "6"}
    async with serving(always(answer())) as server:
        for _ in range(2):
            body = in_pieces(b"abc", b"", b"def")
            response = await client.post(server.url, content=body, headers=headers)
            assert response.status_code == 200

        assert server.connections == 1
    assert all(request.endswith(b"\r\n\r\nabcdef") for request in server.requests)


async def test_pieces_that_take_their_time_are_no_late_answer(client):
    async def talk(peer, _):
        data = b""
        while not data.endswith(b"0\r\n\r\n"):
            data += await peer.read(1000)
        await peer.send(answer())
        await peer.request()

    async with serving(talk) as server:
        body = in_pieces(b"a", b"b", b"c", pause=0.06)
        response = await client.post(server.url, content=body, timeout=0.1)

    assert response.status_code == 200


async def test_an_answer_that_does_not_come_after_a_slow_body_is_late(client):
    async def talk(peer, _):
        while await peer.read(1000):
            pass

    async with serving(talk) as server:
        with pytest.raises(httpx.ReadTimeout):
            await client.post(server.url, content=in_pieces(b"a", pause=0.06), timeout=0.05)


async def test_a_body_that_is_not_taken_is_late(client):
    async def talk(peer, _):
        await peer.read(10)
        await asyncio.sleep(5)

    async with serving(talk) as server:
        body = in_pieces(*[bytes(1 << 20)] * 64)
        with pytest.raises(httpx.WriteTimeout):
            await client.post(server.url, content=body, timeout=httpx.Timeout(5, write=0.1))


@pytest.mark.own_pool
async def test_a_body_without_an_end_ends_with_an_early_answer():
    made = 0

    async def endless():
        nonlocal made
        while True:
            made += 1
            await asyncio.sleep(0)
            yield b"x"

    async def talk(peer, _):
        await peer.read(100)
        await peer.send(answer(b"no", status=b"413 Too Large"))
        await peer.request()

    async with open_client() as client, serving(talk) as server, asyncio.timeout(5):
        response = await client.post(server.url, content=endless())
        made_before = made
        await asyncio.sleep(0.01)

    assert response.status_code == 413
    assert made == made_before


async def test_a_path_goes_to_the_base_url_of_now():
    async with open_client() as client, serving(always(answer(b"a"))) as first:
        client.base_url = first.url
        assert (await client.get("/x")).text == "a"
        async with serving(always(answer(b"b"))) as second:
            client.base_url = second.url
            assert (await client.get("/x")).text == "b"
