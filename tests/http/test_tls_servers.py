"""TLS with servers that many people run, by every way to them."""

import ssl

import httpx
import pytest
import trustme

import tls_servers
from sentio_async import errors
from sentio_async.http import client as client_module
from sentio_async.http.client import PooledClient, open_client
from sentio_async.http.endpoint import Parts
from session_calls import a_session, api

SERVERS = ("nginx", "uvicorn", "aiohttp", "node")
WAYS = ("short", "ordinary", "stock")


@api.get("/{page}", returns=lambda raw: raw)
def page(name):
    """One of the server's pages."""
    return Parts(path={"page": name})


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module", params=SERVERS)
def server(request, authority):
    name = request.param
    if (reason := tls_servers.missing(name)) is not None:
        pytest.skip(reason)
    if name == "aiohttp":
        pytest.importorskip("aiohttp")
    with tls_servers.running(name, authority.issue_cert("127.0.0.1")) as url:
        yield name, url


@pytest.fixture
def trusted(authority, monkeypatch):
    """Our clients trust this authority and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    context.set_alpn_protocols(["http/1.1"])
    monkeypatch.setattr(client_module, "_ssl_context", lambda: context)


@pytest.fixture(params=WAYS)
async def client(request, trusted):
    """A client of ours; one with a hook; httpx as it is."""

    async def hook(_):
        pass

    async with open_client(stock=request.param == "stock") as opened:
        assert isinstance(opened, PooledClient) is (request.param != "stock")
        if request.param == "ordinary":
            opened.event_hooks["request"].append(hook)
        yield opened


def opened_by(client):
    """How many connections a client of ours has opened; None for a stock one."""
    return client.pool.opened if isinstance(client, PooledClient) else None


async def test_a_connection_is_kept_and_speaks_http_1(server, client):
    answers = [await client.get(f"{server[1]}/small") for _ in range(3)]
    ours = answers[-1].extensions["network_stream"].get_extra_info("ssl_object")

    assert [each.json() for each in answers] == [{}, {}, {}]
    assert opened_by(client) in (1, None)
    assert ours.selected_alpn_protocol() == "http/1.1"
    assert ours.version() == "TLSv1.3"


@pytest.mark.parametrize("path", ["/large", "/gzip"])
async def test_a_megabyte_arrives_whole_packed_or_not(server, client, path):
    for _ in range(2):
        response = await client.get(server[1] + path)
        assert response.content == tls_servers.LINES
        assert response.headers.get("content-encoding") == ("gzip" if path == "/gzip" else None)
    async with client.stream("GET", server[1] + path) as streamed:
        assert b"".join([piece async for piece in streamed.aiter_bytes()]) == tls_servers.LINES
    assert opened_by(client) in (1, None)


async def test_a_megabyte_is_sent_whole_or_in_pieces(server, client):
    if server[0] == "nginx":
        pytest.skip("nginx runs no code that could count what came")

    async def pieces():
        for start in range(0, len(tls_servers.LINES), 100_000):
            yield tls_servers.LINES[start : start + 100_000]

    for content in (tls_servers.LINES, pieces()):
        response = await client.post(f"{server[1]}/size", content=content)
        assert int(response.text) == len(tls_servers.LINES)
    assert opened_by(client) in (1, None)


async def test_a_connection_that_the_server_ends_is_left(server, client):
    for count in (1, 2):
        response = await client.get(f"{server[1]}/close")
        assert response.json() == {}
        assert opened_by(client) in (count, None)
        if isinstance(client, PooledClient):
            assert (client.pool.idle, client.pool.busy) == (0, 0)


@pytest.mark.own_pool
async def test_a_certificate_of_another_authority_is_refused(server):
    async with open_client() as wary:
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await wary.get(f"{server[1]}/small")
        session, _ = a_session(server[1], client=wary)
        with pytest.raises(errors.CertificateError) as caught:
            await session.send(page("small"), retry=None)
        assert wary.pool.busy == 0

    assert caught.value.outcome is errors.Outcome.NOT_SENT


async def test_a_certificate_for_another_name_is_refused(server, client):
    with pytest.raises(httpx.ConnectError, match="certificate"):
        await client.get(f"{server[1]}/small".replace("127.0.0.1", "localhost"))


@pytest.mark.own_pool
async def test_a_session_goes_there_directly(server, trusted):
    async with open_client() as client:
        session, _ = a_session(server[1], client=client)

        for name in ("small", "close", "small"):
            assert await session.send(page(name), retry=None) == {}
        assert client.pool.opened == 2
