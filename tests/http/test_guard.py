"""Other people's URLs reach the public internet and nothing else."""

import asyncio
import ssl

import httpcore
import httpx
import pytest
import trustme

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.http.client import open_client
from sentio_async.http.guard import (
    AddressRefusedError,
    GuardedBackend,
    Guardrail,
    guarded_client,
    guarded_transport,
    resolve,
    why_refused,
)

# Written so that no name server is asked: each is an address in some notation.
NOTATIONS = (
    *("127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1"),
    *("0", "0.0.0.0", "00000", "127.255.255.254", "localhost", "[::1]", "[::]"),
    *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[0:0:0:0:0:0:0:1]"),
    *("10.0.0.1", "10.255.255.255", "0xa000001", "167772161", "172.16.0.1", "172.31.255.254"),
    *("192.168.0.1", "192.168.257", "3232235521", "169.254.169.254", "0xa9fea9fe"),
    *("[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[fec0::1]", "100.64.0.1", "100.100.100.200"),
    *("224.0.0.1", "239.255.255.255", "[ff02::1]", "240.0.0.1", "255.255.255.255"),
    *("192.0.0.8", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "192.88.99.1"),
    *("[64:ff9b::7f00:1]", "[64:ff9b::a00:1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::1]"),
    *("[2002:7f00:1::]", "[2002:a00:1::1]", "[2002:c0a8:1::1]", "[2002:a9fe:a9fe::]"),
    *("[2002:808:808::1]", "[2001:4:112::1]", "[2001:20::1]"),
    *("[2001:0:7f00:1::]", "[2001::5efe:127.0.0.1]", "[2a00::5efe:10.0.0.1]"),
    *("[2001:db8::1]", "[100::1]", "[5f00::1]", "[3fff::1]", "[2001:10::1]"),
)
PUBLIC = ("93.184.216.34", "8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808")


class Recorder(httpcore.AsyncNetworkBackend):
    """Connects to nothing and remembers where it should have."""

    def __init__(self):
        self.connected = []

    async def connect_tcp(self, host, port, *rest, **more):
        self.connected.append((host, port))
        raise httpcore.ConnectError("nobody is there")


def names(**table):
    """A resolver with fixed answers; each list of lists is answered in turn."""

    async def answer(host, port):
        found = table[host.replace(".", "_").replace("-", "_")]
        return found.pop(0) if found and isinstance(found[0], list) else found

    return answer


async def attempt(host, *, port=443, rail=None, resolve=resolve):
    recorder = Recorder()
    client = open_client(backend=GuardedBackend(rail, resolve=resolve, backend=recorder))
    async with client:
        try:
            await client.post(f"https://{host}:{port}/hook")
        except (httpx.HTTPError, httpx.InvalidURL, errors.ConnectorError) as exc:
            return exc, recorder.connected
    raise AssertionError("it should have failed")


def test_the_corpus_is_large_enough():
    assert len(set(NOTATIONS)) >= 60


@pytest.mark.parametrize("host", NOTATIONS)
async def test_no_notation_of_a_private_address_is_connected_to(host):
    error, connected = await attempt(host)

    assert connected == []
    # Some never get so far: httpx, or the resolver, does not take them for addresses at all.
    is_no_address = isinstance(error, httpx.InvalidURL) or "cannot be resolved" in str(error)
    assert isinstance(error, AddressRefusedError) or is_no_address
    if isinstance(error, AddressRefusedError):
        assert error.outcome is Outcome.NOT_SENT
        assert error.is_permanent


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_not_refused(address):
    assert why_refused(address) is None


async def test_a_name_that_leads_to_a_private_address_is_refused():
    error, connected = await attempt(
        "innocent.example", resolve=names(innocent_example=["10.0.0.7"])
    )

    assert connected == []
    assert "private" in str(error)
    assert "10.0.0.7" not in str(error)


async def test_one_private_address_among_public_ones_refuses_the_name():
    table = names(mixed_example=["93.184.216.34", "127.0.0.1"])

    error, connected = await attempt("mixed.example", resolve=table)

    assert isinstance(error, AddressRefusedError)
    assert connected == []


async def test_a_name_that_changes_its_mind_is_connected_to_where_it_was_judged():
    table = names(rebind_example=[["93.184.216.34"], ["127.0.0.1"]])

    first, connected = await attempt("rebind.example", resolve=table)
    second, then_connected = await attempt("rebind.example", resolve=table)

    assert isinstance(first, httpx.ConnectError)
    assert connected == [("93.184.216.34", 443)]
    assert isinstance(second, AddressRefusedError)
    assert then_connected == []


async def test_every_judged_address_is_tried_before_giving_up():
    table = names(two_example=["93.184.216.34", "93.184.216.35"])

    error, connected = await attempt("two.example", resolve=table)

    assert isinstance(error, httpx.ConnectError)
    assert [host for host, _ in connected] == ["93.184.216.34", "93.184.216.35"]


@pytest.mark.parametrize("port", [22, 25, 6379, 8080, 9200, 1])
async def test_ports_that_are_not_the_webs_are_refused(port):
    error, connected = await attempt("93.184.216.34", port=port)

    assert isinstance(error, AddressRefusedError)
    assert connected == []


async def test_what_the_operator_allows_is_let_through():
    by_network = Guardrail.of(allowed=["10.1.0.0/16"], ports=[8080])
    by_name = Guardrail.of(allowed=["Hooks.Internal."], ports=[443])
    table = names(hooks_internal=["10.9.9.9"], other_internal=["10.2.0.1"])

    _, connected = await attempt("10.1.2.3", port=8080, rail=by_network)
    assert connected == [("10.1.2.3", 8080)]
    _, connected = await attempt("hooks.internal", rail=by_name, resolve=table)
    assert connected == [("10.9.9.9", 443)]
    error, connected = await attempt("other.internal", rail=by_name, resolve=table)
    assert isinstance(error, AddressRefusedError)
    assert connected == []


async def test_socket_files_are_refused():
    with pytest.raises(AddressRefusedError):
        await GuardedBackend().connect_unix_socket("/run/docker.sock")


async def test_a_resolver_that_hangs_is_not_waited_for_longer_than_a_connection():
    async def hang(host, port):
        await asyncio.get_running_loop().create_future()

    backend = GuardedBackend(resolve=hang)

    with pytest.raises(httpcore.ConnectTimeout):
        await backend.connect_tcp("slow.example", 443, timeout=0.01)


async def test_a_name_without_an_address_is_a_failure_to_connect():
    error, connected = await attempt("void.example", resolve=names(void_example=[]))

    assert isinstance(error, httpx.ConnectError)
    assert connected == []


async def test_redirects_are_not_followed():
    async with guarded_client() as client:
        assert client.follow_redirects is False


async def test_host_header_and_certificate_keep_the_name():
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("hooks.example.test").configure_cert(context)
    asked, seen = [], []
    context.sni_callback = lambda sock, name, ctx: asked.append(name)

    async def answer(reader, writer):
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    rail = Guardrail.of(ports=[port], allowed=["127.0.0.1"])
    backend = GuardedBackend(rail, resolve=names(hooks_example_test=["127.0.0.1"]))
    transport = httpx.AsyncHTTPTransport(verify=trusting)
    transport._pool._network_backend = backend

    async with server, httpx.AsyncClient(transport=transport) as client:
        answered = await client.post(f"https://hooks.example.test:{port}/x", content=b"{}")

    assert answered.status_code == 204
    assert asked == ["hooks.example.test"]
    assert f"Host: hooks.example.test:{port}".encode() in seen[0]


async def test_a_transport_for_a_client_of_ones_own_is_guarded_too():
    async with httpx.AsyncClient(transport=guarded_transport()) as client:
        with pytest.raises(AddressRefusedError):
            await client.get("https://127.0.0.1/")
