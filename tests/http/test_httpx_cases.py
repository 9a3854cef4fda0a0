"""What httpx and httpcore promise of connections and calls, asked of our pool as of theirs.

The cases are those of their own tests (``test_their_cases`` says which is where); the code is ours.
"""

import asyncio
import gzip
import json
import ssl
from contextlib import asynccontextmanager

import httpx
import pytest
import trustme

from scripted_server import always, answer, serving
from sentio_async.http import client as client_module
from sentio_async.http.client import PooledClient, open_client

WAYS = ("short", "ordinary", "stock")
MEGABYTE = 1 << 20


@asynccontextmanager
async def a_client(way, **more):
    """Past httpx's layers to our pool; through them to our pool; httpx as it is."""

    async def hook(_):
        pass

    async with open_client(stock=way == "stock", **more) as opened:
        assert isinstance(opened, PooledClient) is (way != "stock")
        if way == "ordinary":
            opened.event_hooks["request"].append(hook)
        yield opened


@pytest.fixture(params=WAYS)
def way(request):
    return request.param


@pytest.fixture
async def client(way):
    async with a_client(way) as opened:
        yield opened


def free(client):
    """Nothing is under way, and nothing kept; of a stock pool, what it says of itself."""
    if isinstance(client, PooledClient):
        return (client.pool.busy, client.pool.idle) == (0, 0)
    return client._transport._pool.connections == []


async def echo(peer, server):
    """Answers with the head it got and the body, as JSON."""
    while (request := await peer.request()) is not None:
        server.requests.append(request)
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        told = {"line": first, "lines": [line.lower() for line in lines], "body": body.decode()}
        await peer.send(answer(b"" if first.startswith("HEAD") else json.dumps(told).encode()))


# httpx, tests/client/test_async_client.py


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "HEAD", "DELETE", "POST", "PUT", "PATCH"])
async def test_every_method_arrives_and_is_answered(client, method):
    async with serving(echo) as server:
        response = await client.request(method, f"{server.url}/a?b=c")

        assert response.status_code == 200
        assert response.reason_phrase == "OK"
        assert response.http_version == "HTTP/1.1"
        assert response.extensions["http_version"] == b"HTTP/1.1"
        assert response.request.method == method
        assert response.url == f"{server.url}/a?b=c"
        assert response.elapsed.total_seconds() > 0
        assert response.num_bytes_downloaded == len(response.content)
        assert server.requests[0].startswith(f"{method} /a?b=c HTTP/1.1\r\n".encode())
        has_length = method in ("POST", "PUT", "PATCH")
        assert (b"content-length: 0" in server.requests[0].lower()) is has_length


@pytest.mark.parametrize("url", ["invalid://example.org", "://example.org", "http://", "nowhere"])
async def test_an_address_that_is_none_is_refused(client, url):
    with pytest.raises((httpx.UnsupportedProtocol, httpx.LocalProtocolError)):
        await client.get(url)


async def test_bodies_arrive_as_they_were_meant(client):
    async with serving(echo) as server:
        plain = await client.post(server.url, content=b"Hello, world!")
        object_ = await client.post(server.url, json={"text": "Hello"})
        form = await client.post(server.url, data={"a": "b c"})

        assert [each.json()["body"] for each in (plain, object_, form)] == [
            "Hello, world!",
            '{"text":"Hello"}',
            "a=b+c",
        ]
        assert "content-type: application/json" in object_.json()["lines"]


async def test_a_stream_is_read_once_and_its_content_only_then(client):
    async with serving(always(answer(b"Hello, world!"))) as server:
        async with client.stream("GET", server.url) as response:
            with pytest.raises(httpx.ResponseNotRead):
                _ = response.content
            assert b"".join([piece async for piece in response.aiter_raw()]) == b"Hello, world!"
            with pytest.raises(httpx.StreamConsumed):
                [piece async for piece in response.aiter_raw()]
        async with client.stream("GET", server.url) as response:
            assert await response.aread() == b"Hello, world!"
            assert response.content == b"Hello, world!"
        assert server.connections == 1


async def test_a_stream_that_was_left_cannot_be_read(client):
    async with serving(always(answer(b"Hello"))) as server:
        async with client.stream("GET", server.url) as response:
            pass
        with pytest.raises(httpx.StreamClosed):
            await response.aread()


async def test_packed_bodies_are_unpacked_and_the_raw_ones_not(client):
    packed = gzip.compress(b"hello" * 1000)
    async with serving(always(answer(packed, b"content-encoding: gzip"))) as server:
        whole = await client.get(server.url)
        async with client.stream("GET", server.url) as response:
            raw = b"".join([piece async for piece in response.aiter_raw()])

    assert whole.content == b"hello" * 1000
    assert whole.num_bytes_downloaded == len(packed)
    assert raw == packed


async def test_a_request_that_cannot_be_awaited_is_refused(client):
    def pieces():
        yield b"never"

    async with serving(echo) as server:
        with pytest.raises(RuntimeError, match="sync request"):
            await client.post(server.url, content=pieces())
        assert not server.requests


@pytest.mark.parametrize("status", [200, 404, 500])
async def test_a_status_can_be_raised(client, status):
    raw = answer(b"", status=b"%d Words" % status)
    async with serving(always(raw)) as server:
        response = await client.get(server.url)

        if status == 200:
            assert response.raise_for_status() is response
        else:
            with pytest.raises(httpx.HTTPStatusError) as caught:
                response.raise_for_status()
            assert caught.value.response is response


async def test_announcements_are_passed_over(client):
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nLink: </b.js>\r\n\r\n"
    raw = b"HTTP/1.1 100 Continue\r\n\r\n" + early + answer(b"hello", b"link: </c>")
    async with serving(always(raw)) as server:
        response = await client.post(server.url, headers={"expect": "100-continue"}, content=b"x")

    assert (response.status_code, response.text) == (200, "hello")
    assert response.headers.get_list("link") == ["</c>"]


async def test_a_closed_client_sends_nothing(way):
    async with serving(echo) as server:
        async with a_client(way) as client:
            await client.get(server.url)
            assert not client.is_closed
        assert client.is_closed
        with pytest.raises(RuntimeError, match="closed"):
            await client.get(server.url)
        with pytest.raises(RuntimeError):
            async with client:
                pass


async def test_another_transport_is_used_when_it_is_given():
    async def handler(request):
        return httpx.Response(200, text=f"mock {request.url.path}")

    async with open_client() as client:
        client._mounts = {httpx._utils.URLPattern("http://mock.test"): httpx.MockTransport(handler)}

        assert (await client.get("http://mock.test/x")).text == "mock /x"


async def test_leaving_in_the_middle_of_a_body_closes_its_connection(client):
    async def talk(peer, server):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome")
        await peer.request()

    async with serving(talk) as server:

        async def read():
            async with client.stream("GET", server.url) as response:
                async for _ in response.aiter_bytes():
                    started.set()

        started = asyncio.Event()
        task = asyncio.create_task(read())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert free(client)


# httpx, tests/test_timeouts.py


async def silent(peer, server):
    while await peer.request():
        pass


async def deaf(peer, server):
    await asyncio.sleep(10)


async def test_a_silent_server_is_a_read_timeout(client):
    async with serving(silent) as server:
        with pytest.raises(httpx.ReadTimeout) as caught:
            await client.get(server.url, timeout=httpx.Timeout(None, read=0.02))
        assert caught.value.request.url == server.url
        assert free(client)


async def test_a_server_that_takes_nothing_is_a_write_timeout(client):
    async with serving(deaf) as server:
        with pytest.raises(httpx.WriteTimeout):
            content = b"*" * (32 * MEGABYTE)
            await client.put(server.url, content=content, timeout=httpx.Timeout(None, write=0.02))
        assert free(client)


async def test_a_stalled_handshake_is_a_connect_timeout(client):
    async with serving(deaf) as server:
        url = server.url.replace("http:", "https:")
        with pytest.raises(httpx.ConnectTimeout):
            await client.get(url, timeout=httpx.Timeout(None, connect=0.02))


@pytest.mark.parametrize("wait", [0.02, 0.0])
async def test_no_free_connection_is_a_pool_timeout(way, wait):
    # Larger than what is read ahead: the connection is busy until somebody reads it.
    raw, patience = answer(b"x" * (8 * MEGABYTE)), httpx.Timeout(None, pool=wait)
    async with serving(always(raw)) as server, a_client(way, connections=1) as client:
        async with client.stream("GET", server.url):
            with pytest.raises(httpx.PoolTimeout):
                await client.get(server.url, timeout=patience)
        async with client.stream("GET", server.url, timeout=patience) as response:
            assert response.status_code == 200


async def test_a_request_made_by_hand_gets_the_client_s_timeout(client):
    client.timeout = httpx.Timeout(0.02)
    async with serving(silent) as server:
        with pytest.raises(httpx.ReadTimeout):
            await client.send(httpx.Request("GET", server.url))


# httpx, tests/client/test_redirects.py


def redirecting(status=b"301 Moved", to=b"/there", times=1):
    async def talk(peer, server):
        while (request := await peer.request()) is not None:
            server.requests.append(request)
            if len(server.requests) <= times:
                await peer.send(answer(b"", b"location: " + to, status=status))
            else:
                await peer.send(answer(b"arrived"))

    return talk


@pytest.mark.parametrize(
    ("status", "method"),
    [
        (b"301 M", b"GET"),
        (b"302 F", b"GET"),
        (b"303 S", b"GET"),
        (b"307 T", b"POST"),
        (b"308 P", b"POST"),
    ],
)
async def test_a_redirect_is_followed_when_asked_for(client, status, method):
    async with serving(redirecting(status)) as server:
        response = await client.post(f"{server.url}/here", content=b"x", follow_redirects=True)

        assert response.text == "arrived"
        assert [each.status_code for each in response.history] == [int(status[:3])]
        assert response.url == f"{server.url}/there"
        assert server.requests[1].startswith(method + b" /there ")
        assert server.connections == 1


async def test_a_redirect_is_shown_when_it_is_not_followed(client):
    async with serving(redirecting()) as server:
        first = await client.get(f"{server.url}/here")

        assert (first.status_code, first.history) == (301, [])
        assert first.next_request.url == f"{server.url}/there"
        second = await client.send(first.next_request)
        assert (second.text, second.next_request) == ("arrived", None)


async def test_redirects_without_an_end_end(client):
    client.max_redirects = 3
    async with serving(redirecting(times=99)) as server:
        with pytest.raises(httpx.TooManyRedirects):
            await client.get(server.url, follow_redirects=True)
        assert len(server.requests) == 4


@pytest.mark.parametrize("to", [b"https://\xf0\x9f\x98\x87/", b"https://:invalid:/"])
async def test_a_redirect_to_nowhere_is_an_error_and_keeps_nothing(client, to):
    async with serving(redirecting(to=to)) as server:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(server.url)


async def test_keys_stay_with_their_origin(client):
    async with serving(echo) as other, serving(redirecting(to=other.url.encode())) as server:
        response = await client.get(
            server.url, headers={"authorization": "secret"}, follow_redirects=True
        )

    assert b"secret" in server.requests[0]
    assert not any("secret" in line for line in response.json()["lines"])


async def test_a_body_in_pieces_cannot_be_sent_twice(client):
    async def pieces():
        yield b"once"

    async def talk(peer, server):
        head = await peer.request()
        await peer.read(1000)
        server.requests.append(head)
        await peer.send(answer(b"", b"location: /there", status=b"308 P"))

    async with serving(talk) as server:
        with pytest.raises(httpx.StreamConsumed):
            await client.post(server.url, content=pieces(), follow_redirects=True)


# httpx, test_event_hooks.py and test_cookies.py


async def test_hooks_see_each_request_and_a_hook_s_error_closes_the_connection(client):
    seen = []

    async def on_request(request):
        seen.append(request.url.path)

    async def on_response(response):
        seen.append(response.status_code)
        if response.status_code == 200:
            response.raise_for_status()
            raise RuntimeError("the hook's own")

    client.event_hooks = {"request": [on_request], "response": [on_response]}
    async with serving(redirecting()) as server:
        with pytest.raises(RuntimeError, match="own"):
            await client.get(f"{server.url}/here", follow_redirects=True)

    assert seen == ["/here", 301, "/there", 200]


async def test_cookies_are_kept_sent_and_expire(client):
    raw = [
        answer(b"", b"set-cookie: example-name=example-value"),
        answer(b"", b"Set-Cookie: example-name=; expires=Thu, 01 Jan 1970 00:00:00 GMT"),
        answer(b""),
    ]

    async def talk(peer, server):
        for each in raw:
            server.requests.append(await peer.request())
            await peer.send(each)

    async with serving(talk) as server:
        cookies = [(await client.get(server.url), dict(client.cookies))[1] for _ in raw]

    assert cookies == [{"example-name": "example-value"}, {}, {}]
    assert [b"cookie:" in each.lower() for each in server.requests] == [False, True, False]


async def test_headers_are_merged_as_httpx_does(client):
    client.headers["x-mine"] = "client"
    async with serving(echo) as server:
        first = (await client.get(server.url)).json()["lines"]
        second = (await client.get(server.url, headers={"X-Mine": "call", "x-more": "1"})).json()

    assert "x-mine: client" in first
    assert {"x-mine: call", "x-more: 1"} <= set(second["lines"])
    assert f"host: 127.0.0.1:{server.port}" in first
    assert "accept-encoding: gzip" in first


async def test_a_user_in_the_address_is_basic_auth(client):
    async with serving(echo) as server:
        url = server.url.replace("http://", "http://user:pass@")
        told = (await client.get(url)).json()

    assert "authorization: basic dxnlcjpwyxnz" in told["lines"]


# httpcore, tests/_async/test_connection_pool.py, test_connection.py, test_http11.py


TRACED = [
    f"{step}.{end}"
    for step in (
        "connection.connect_tcp",
        "connection.start_tls",
        "http11.send_request_headers",
        "http11.send_request_body",
        "http11.receive_response_headers",
        "http11.receive_response_body",
        "http11.response_closed",
    )
    for end in ("started", "complete")
]


@pytest.fixture
def tls(monkeypatch):
    """A server's side of TLS, trusted by clients of ours."""
    authority, server = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(ours)
    monkeypatch.setattr(client_module, "_ssl_context", lambda: ours)
    return server


async def test_each_step_is_told_to_a_trace(way, tls):
    seen = []

    async def trace(event, info):
        seen.append(event)

    async with serving(always(answer(b"hello")), tls=tls) as server, a_client(way) as client:
        await client.get(server.url, extensions={"trace": trace})
        first, seen = seen, []
        await client.post(server.url, content=b"x", extensions={"trace": trace})

    assert first == TRACED
    assert seen == TRACED[4:]


async def test_a_step_that_fails_is_told_to_a_trace(client):
    seen = []

    async def trace(event, info):
        seen.append(event)

    async with serving(always(b"nonsense\r\n\r\n")) as server:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(server.url, extensions={"trace": trace})

    assert "http11.receive_response_headers.failed" in seen
    assert seen[-1] == "http11.response_closed.complete"


async def test_what_a_connection_knows_is_told(way, tls):
    async with serving(always(answer(b"")), tls=tls) as server, a_client(way) as client:
        response = await client.get(server.url)
        stream = response.extensions["network_stream"]

        assert stream.get_extra_info("server_addr") == ("127.0.0.1", server.port)
        assert stream.get_extra_info("client_addr")[0] == "127.0.0.1"
        assert stream.get_extra_info("ssl_object").version() == "TLSv1.3"
        assert stream.get_extra_info("socket").fileno() > 0
        assert stream.get_extra_info("nonsense") is None


@pytest.mark.parametrize(
    "raw", [b"Wait, this isn't valid HTTP!", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhe", b""]
)
async def test_a_failed_exchange_leaves_the_pool_empty(client, raw):
    async def talk(peer, server):
        await peer.request()
        await peer.send(raw)

    async with serving(talk) as server:
        for _ in range(2):
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get(server.url)
            assert free(client)


async def test_a_failed_connect_leaves_the_pool_empty(client):
    with pytest.raises(httpx.ConnectError):
        await client.get("http://127.0.0.1:1")
    assert free(client)


async def test_connections_are_shared_by_turns_and_reused(way):
    async def talk(peer, server):
        while await peer.request():
            await asyncio.sleep(0.001)
            await peer.send(answer(b"%d" % peer.number))

    async with serving(talk) as server, a_client(way, connections=3) as client:
        answers = await asyncio.gather(*(client.get(server.url) for _ in range(20)))

        assert {int(each.text) for each in answers} <= {1, 2, 3}
        assert server.connections == 3


async def test_connections_that_close_make_room_for_others(way):
    raw = answer(b"x", b"connection: close")
    async with serving(always(raw)) as server, a_client(way, connections=1) as client:
        answers = await asyncio.gather(*(client.get(server.url) for _ in range(5)))

        assert [each.text for each in answers] == ["x"] * 5
        assert server.connections == 5
        assert free(client)


async def test_a_body_that_is_not_read_gives_its_connection_back_closed(client):
    async with serving(always(answer(b"x" * 300_000))) as server:
        async with client.stream("GET", server.url):
            pass
        assert free(client)
        assert (await client.get(server.url)).content == b"x" * 300_000


async def test_closing_while_a_request_is_under_way_ends_it(way):
    arrived = asyncio.Event()

    async def talk(peer, server):
        await peer.request()
        arrived.set()
        await peer.request()

    async with serving(talk) as server:
        async with a_client(way) as client:
            task = asyncio.create_task(client.get(server.url, timeout=1))
            await arrived.wait()
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await task


async def test_an_early_answer_to_a_large_upload_is_read(client):
    async def talk(peer, server):
        await peer.read(1000)
        await peer.send(answer(b"too large", b"connection: close", status=b"413 Large"))
        while await peer.read(65536):
            pass

    async def pieces():
        for _ in range(40):
            yield b"x" * 100_000

    async with serving(talk) as server:
        response = await client.post(server.url, content=pieces())

        assert (response.status_code, response.text) == (413, "too large")


async def test_a_server_that_leaves_during_an_upload_is_an_error(client):
    async def talk(peer, server):
        await peer.read(1000)
        peer.reset()

    async with serving(talk) as server:
        with pytest.raises((httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)):
            await client.post(server.url, content=b"x" * (10 * MEGABYTE))
        assert free(client)


async def test_a_protocol_can_be_switched_and_what_came_with_it_is_kept(client):
    async def talk(peer, server):
        await peer.request()
        head = b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: custom\r\n\r\n"
        await peer.send(head + b"first")
        await peer.send(await peer.read(100))

    async with serving(talk) as server:
        headers = {"connection": "upgrade", "upgrade": "custom"}
        async with client.stream("GET", server.url, headers=headers) as response:
            stream = response.extensions["network_stream"]
            assert response.status_code == 101
            assert await stream.read(5) == b"first"
            await stream.write(b"echo")
            assert await stream.read(4) == b"echo"


async def test_a_head_of_nearly_100_kilobytes_is_read(client):
    raw = answer(b"", b"cookie: " + b"x" * (100 * 1024 - 80))
    async with serving(always(raw)) as server:
        assert len((await client.get(server.url)).headers["cookie"]) == 100 * 1024 - 80


async def test_a_header_that_cannot_be_is_refused_before_it_is_sent(client):
    async with serving(echo) as server:
        for headers in ({"x\n": "a"}, {"x": "a\nb"}, {"": "a"}, {"x y": "a"}):
            with pytest.raises(httpx.LocalProtocolError):
                await client.get(server.url, headers=headers)
        assert not server.requests
        assert (await client.get(server.url)).status_code == 200
