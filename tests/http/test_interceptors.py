"""Mocks, recorders and tracers see our traffic: that of our client, and that of a connector."""

import contextlib
import subprocess
import sys

import httpx
import pytest
import respx

from scripted_server import always, answer, serving
from sentio_async.connectors.alpaca.data import AlpacaData
from sentio_async.http.client import PooledClient, open_client
from sentio_async.http.listening import unheard
from sentio_async.http.seam import is_own
from sentio_async.sim.exchange import Exchange

KEYS = {"api_key": "k" * 20, "api_secret": "s" * 20}
QUOTE = {
    "symbol": "AAPL",
    "quote": {"t": "2026-03-02T15:00:00Z", "ap": 101.5, "as": 3, "ax": "V", "bp": 101.25}
    | {"bs": 2, "bx": "V", "c": ["R"], "z": "C"},
}
ELSEWHERE = "https://data.alpaca.markets"
PATH = "/v2/stocks/AAPL/quotes/latest"

pytestmark = pytest.mark.own_pool


@pytest.fixture
async def client():
    async with open_client() as opened:
        assert isinstance(opened, PooledClient)
        yield opened


@pytest.fixture
async def data(client):
    """A connector on a client of ours, which goes the short way if it may."""
    assert unheard(client) is client.pool
    yield AlpacaData(KEYS, client=client)


async def bid_of(data):
    return float((await data.get_quote("AAPL")).bid)


@pytest.mark.parametrize("using", ["httpcore", "httpx"])
async def test_respx_answers_our_client_and_a_connector(client, data, using):
    with respx.mock(using=using) as mock:
        route = mock.get(url__startswith=ELSEWHERE).respond(json=QUOTE)

        response = await client.get(ELSEWHERE + PATH)
        assert response.json() == QUOTE
        assert await bid_of(data) == 101.25
        assert route.call_count == 2
    assert client.pool.opened == 0


@pytest.mark.parametrize("using", ["httpcore", "httpx"])
async def test_respx_lets_through_what_is_to_pass(client, using):
    async with serving(always(answer(b"real"))) as server:
        with respx.mock(using=using) as mock:
            route = mock.get(url__startswith=server.url).pass_through()

            assert (await client.get(server.url)).text == "real"
            assert route.called
        assert (await client.get(server.url)).text == "real"
        assert len(server.requests) == 2


async def test_pytest_httpx_answers_our_client_and_a_connector(client, data, request):
    pytest.importorskip("pytest_httpx")
    mock = request.getfixturevalue("httpx_mock")
    mock.add_response(json=QUOTE, is_reusable=True)

    response = await client.get(ELSEWHERE + PATH)
    assert response.json() == QUOTE
    assert await bid_of(data) == 101.25
    assert [each.url.path for each in mock.get_requests()] == [PATH, PATH]
    assert client.pool.opened == 0


async def test_pytest_httpx_sees_the_errors_that_it_raises_arrive(client, request):
    pytest.importorskip("pytest_httpx")
    mock = request.getfixturevalue("httpx_mock")
    mock.add_exception(httpx.ReadTimeout("mocked"))

    with pytest.raises(httpx.ReadTimeout, match="mocked"):
        await client.get(ELSEWHERE)


async def test_vcrpy_records_a_connector_and_plays_it_back(tmp_path):
    vcr = pytest.importorskip("vcr")
    recorder = vcr.VCR(filter_headers=["apca-api-key-id", "apca-api-secret-key"])
    cassette = tmp_path / "quotes.yaml"

    async with Exchange(venues=("alpaca_data",)) as exchange:
        settings, page = exchange.settings("alpaca"), f"{exchange.addresses.alpaca_data}/nothing"
        with recorder.use_cassette(str(cassette), record_mode="once") as recorded:
            async with AlpacaData(settings) as live:
                first = await live.get_quote("AAPL")
            async with open_client() as client:
                status = (await client.get(page)).status_code
        assert len(recorded) >= 2
        asked = len(exchange.requests)

    # The exchange is gone: only the cassette can answer.
    with recorder.use_cassette(str(cassette), record_mode="none") as played:
        async with AlpacaData(settings) as replayed:
            again = await replayed.get_quote("AAPL")
        async with open_client() as client:
            assert (await client.get(page)).status_code == status
        assert played.all_played
    assert asked >= 2
    assert (again.bid, again.ask, again.time) == (first.bid, first.ask, first.time)
    assert settings["api_secret"] not in cassette.read_text()


def test_a_wrapper_that_claims_to_be_what_it_wraps_is_not_taken_for_it():
    wrapt = pytest.importorskip("wrapt")
    wrapped = httpx.AsyncHTTPTransport.handle_async_request
    wrapper = wrapt.FunctionWrapper(wrapped, lambda call, _, rest, more: call(*rest, **more))

    assert wrapper == wrapped
    assert is_own(wrapped)
    assert not is_own(wrapper)


@contextlib.contextmanager
def spans():
    """The spans that OpenTelemetry has finished."""
    pytest.importorskip("opentelemetry.instrumentation.httpx")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    seen, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(seen))
    yield seen, provider
    provider.shutdown()


@pytest.mark.parametrize("one", [False, True], ids=["all clients", "one client"])
async def test_opentelemetry_traces_our_client_and_a_connector(client, one):
    with spans() as (seen, provider):
        from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor

        instrumentor = HTTPXClientInstrumentor()
        if one:
            instrumentor.instrument_client(client, tracer_provider=provider)
        else:
            instrumentor.instrument(tracer_provider=provider)
        try:
            async with Exchange(venues=("alpaca_data",)) as exchange:
                data = AlpacaData(exchange.settings("alpaca"), client=client)
                await data.get_quote("AAPL")
                await client.get(f"{exchange.addresses.alpaca_data}/nothing")
                [*asked] = exchange.requests
        finally:
            if one:
                instrumentor.uninstrument_client(client)
            else:
                instrumentor.uninstrument()
        found = seen.get_finished_spans()

    assert [each.name for each in found] == ["GET", "GET"]
    assert [each.attributes["http.status_code"] for each in found] == [200, 404]
    assert len(asked) == 2


EARLY = """
import asyncio
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
HTTPXClientInstrumentor().instrument()
from sentio_async.http.client import open_client
from sentio_async.http.listening import unheard
from sentio_async.http.seam import is_as_written
async def main():
    async with open_client() as client:
        print(unheard(client), is_as_written())
asyncio.run(main())
"""


def test_a_tracer_that_was_there_before_this_library_is_noticed():
    pytest.importorskip("opentelemetry.instrumentation.httpx")

    told = subprocess.run([sys.executable, "-c", EARLY], capture_output=True, text=True, check=True)

    assert told.stdout.split() == ["None", "False"]


async def test_hooks_auth_and_cookies_of_the_client_work_and_are_kept_in_order(client):
    seen = []

    async def before(request):
        seen.append(request.headers["authorization"])

    async def after(response):
        await response.aread()
        seen.append(response.text)

    async with serving(always(answer(b"hello", b"set-cookie: a=b"))) as server:
        client.event_hooks = {"request": [before], "response": [after]}
        await client.get(server.url, auth=("user", "pass"))
        client.event_hooks = {"request": [], "response": []}
        await client.get(server.url)

    assert seen == ["Basic dXNlcjpwYXNz", "hello"]
    assert b"cookie: a=b" in server.requests[1].lower()
    assert b"cookie" not in server.requests[0].lower()
