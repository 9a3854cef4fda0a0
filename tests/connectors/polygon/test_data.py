"""What no simulator says: bad pages, foreign hosts, failures among good answers."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from sentio_async import errors
from sentio_async.connectors.polygon import PolygonData
from sentio_async.events import RowSkipped

HOST = "https://api.massive.com"
KEY = "k-canary-71"
PAYLOADS = {
    name: body
    for path in sorted((Path(__file__).parent / "payloads").glob("*.json"))
    for name, body in json.loads(path.read_text()).items()
}


@pytest.fixture
def api():
    with respx.mock(base_url=HOST, assert_all_called=False) as router:
        yield router


@pytest.fixture
async def data():
    async with httpx.AsyncClient() as client:
        yield PolygonData({"api_key": KEY, "retry_attempts": 1}, client=client)


def a_page(*prices: float, cursor: str | None = None, host: str = HOST, **more: Any) -> Any:
    rows = [{"price": price, "size": 1, "sip_timestamp": 1} for price in prices]
    url = None if cursor is None else f"{host}/v3/trades/AAPL?cursor={cursor}"
    return {"status": "OK", "results": rows, **({"next_url": url} if url else {}), **more}


def answers(*bodies: Any) -> Any:
    return [httpx.Response(200, json=body) for body in bodies]


async def prices_of(rows: Any) -> list[float]:
    return [row.price async for row in rows]


async def test_the_key_goes_in_a_header_and_never_in_the_url(api, data):
    route = api.get("/v2/last/nbbo/AAPL").respond(json=PAYLOADS["last_quote"])

    quote = await data.get_quote("AAPL")

    request = route.calls.last.request
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in str(request.url)
    assert quote.bid == 213.35


async def test_pages_are_walked_to_the_last(api, data):
    api.get("/v3/trades/AAPL").mock(
        side_effect=answers(a_page(1, 2, cursor="a"), a_page(3, cursor="b"), a_page(4))
    )

    assert await prices_of(data.iter_trades("AAPL")) == [1, 2, 3, 4]


async def test_the_key_does_not_follow_a_next_url_to_another_host(api, data):
    with respx.mock(assert_all_called=False) as elsewhere:
        evil = elsewhere.get(host="evil.example").respond(json=a_page(66))
        api.get("/v3/trades/AAPL").mock(
            side_effect=answers(a_page(1, cursor="a", host="https://evil.example"), a_page(2))
        )

        assert await prices_of(data.iter_trades("AAPL")) == [1, 2]
        assert not evil.called


@pytest.mark.parametrize(
    "second",
    [
        httpx.Response(200, json={"status": "ERROR", "error": "bad cursor"}),
        httpx.Response(400, json={"status": "ERROR", "error": "'to' is before 'from'"}),
        httpx.Response(500),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, json={"status": "OK"}),
        httpx.Response(200, json={}),
    ],
)
async def test_a_second_page_that_fails_is_raised_and_is_not_the_end(api, data, second):
    api.get("/v3/trades/AAPL").mock(
        side_effect=[httpx.Response(200, json=a_page(1, cursor="a")), second]
    )

    with pytest.raises(errors.ConnectorError):
        await prices_of(data.iter_trades("AAPL"))


async def test_pages_in_a_circle_are_left(api, data):
    route = api.get("/v3/trades/AAPL").mock(
        side_effect=lambda request: httpx.Response(200, json=a_page(1, cursor="same"))
    )

    with pytest.raises(errors.DecodeError, match="already read"):
        await prices_of(data.iter_trades("AAPL"))
    assert route.call_count == 2


async def test_a_next_url_to_another_endpoint_is_refused(api, data):
    other = api.get("/v1/marketstatus/now").respond(json=PAYLOADS["market_status"])
    body = {**a_page(1), "next_url": f"{HOST}/v1/marketstatus/now"}
    api.get("/v3/trades/AAPL").respond(json=body)

    with pytest.raises(errors.DecodeError, match="does not continue"):
        await prices_of(data.iter_trades("AAPL"))
    assert not other.called


async def test_a_limit_asks_for_no_page_that_is_not_needed(api, data):
    route = api.get("/v3/trades/AAPL").respond(json=a_page(1, 2, cursor="a"))

    assert await prices_of(data.iter_trades("AAPL", limit=2)) == [1, 2]
    assert route.call_count == 1
    assert "limit=2" in str(route.calls.last.request.url)
    assert await prices_of(data.iter_trades("AAPL", limit=0)) == []


async def test_bars_are_gathered_from_all_pages(api, data):
    first = PAYLOADS["aggregates"]
    rows = [{"o": 1, "h": 1, "l": 1, "c": 1, "v": 1, "t": 1742342400000}]
    api.get(path__startswith="/v2/aggs/ticker/AAPL/range/1/day/").mock(
        side_effect=answers(first, {"status": "DELAYED", "results": rows})
    )

    bars = await data.get_bars("AAPL", "1Day", start=date(2025, 3, 14), end=date(2025, 3, 19))

    assert len(bars) == 3
    assert bars.is_delayed
    assert bars.times_ns[-1] == 1742342400000 * 1_000_000


async def test_a_bar_that_cannot_be_read_is_told_to_listeners(api):
    rows = PAYLOADS["aggregates"]["results"]
    broken = {"status": "OK", "results": [*rows, {"t": "soon"}]}
    api.get(path__startswith="/v2/aggs/ticker/AAPL/").respond(json=broken)
    heard = []
    async with httpx.AsyncClient() as client:
        data = PolygonData({"api_key": KEY}, client=client, listeners=[heard.append])
        bars = await data.get_bars("AAPL", start=date(2025, 3, 14), end=date(2025, 3, 19))

    assert len(bars) == 2
    assert [row.index for row in bars.skipped] == [2]
    assert [event.index for event in heard if isinstance(event, RowSkipped)] == [2]


async def test_without_a_start_the_latest_bars_come_oldest_first(api, data):
    rows = [{"o": n, "h": n, "l": n, "c": n, "v": 1, "t": n * 1000} for n in (9, 8, 7)]
    route = api.get(path__startswith="/v2/aggs/ticker/AAPL/range/1/day/").respond(
        json={"status": "OK", "results": rows}
    )

    bars = await data.get_bars("AAPL", limit=2, end=datetime(2025, 3, 14, tzinfo=UTC))

    assert list(bars.close) == [8.0, 9.0]
    assert "sort=desc" in str(route.calls.last.request.url)
    assert "limit=2" in str(route.calls.last.request.url)


async def test_fifty_callers_who_ask_the_same_cause_one_request(api, data):
    async def late(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.01)
        return httpx.Response(200, json=PAYLOADS["last_quote"])

    route = api.get("/v2/last/nbbo/AAPL").mock(side_effect=late)

    quotes = await asyncio.gather(*(data.get_quote("AAPL") for _ in range(50)))

    assert route.call_count == 1
    assert {quote.bid for quote in quotes} == {213.35}


async def test_many_quotes_take_one_request_and_have_no_hole(api, data):
    route = api.get("/v2/snapshot/locale/us/markets/stocks/tickers").respond(
        json=PAYLOADS["stock_snapshots"]
    )

    quotes = await data.get_quotes(["AAPL", "KIMpL", "NOPE", "AAPL"])

    assert route.call_count == 1
    assert "tickers=AAPL,KIMpL,NOPE" in str(route.calls.last.request.url)
    assert list(quotes) == ["AAPL", "KIMpL", "NOPE"]
    assert list(quotes.found) == ["AAPL"]
    assert isinstance(quotes.errors["NOPE"], errors.SymbolNotFoundError)


async def test_mixed_kinds_take_one_request(api, data):
    route = api.get("/v3/snapshot").respond(json=PAYLOADS["universal_snapshots"])

    quotes = await data.get_quotes(["AAPL", "O:AAPL230616C00150000", "TSLAAPL", "C:EURUSD"])

    assert route.call_count == 1
    assert quotes["AAPL"].ask == 213.5
    assert quotes["O:AAPL230616C00150000"].is_delayed
    assert isinstance(quotes.errors["TSLAAPL"], errors.SymbolNotFoundError)
    assert isinstance(quotes.errors["C:EURUSD"], errors.PermissionError)


async def test_a_failed_request_costs_its_own_symbols_only(api, data):
    def reply(request: httpx.Request) -> httpx.Response:
        names = request.url.params["tickers"].split(",")
        if "T0" in names:
            return httpx.Response(500)
        rows = [{"ticker": n, "lastQuote": {"p": 1, "P": 2, "t": 1}} for n in names]
        return httpx.Response(200, json={"status": "OK", "tickers": rows})

    api.get("/v2/snapshot/locale/us/markets/stocks/tickers").mock(side_effect=reply)

    quotes = await data.get_quotes([f"T{n}" for n in range(400)])

    assert len(quotes.found) == 150
    assert len(quotes.errors) == 250
    assert all(isinstance(error, errors.ServerError) for error in quotes.errors.values())


async def test_when_nothing_was_answered_it_is_raised(api, data):
    api.get("/v2/snapshot/locale/us/markets/stocks/tickers").respond(
        401, json={"status": "ERROR", "error": "Unknown API Key"}
    )

    with pytest.raises(errors.AuthenticationError, match="Unknown API Key"):
        await data.get_quotes(["AAPL", "MSFT"])


async def test_no_symbols_are_no_request(data):
    assert len(await data.get_quotes([])) == 0
    with pytest.raises(errors.InvalidRequestError):
        await data.get_quotes("AAPL")


async def test_a_symbol_that_is_not_there_is_named(api, data):
    api.get("/v2/last/nbbo/NOPE").respond(
        404, json={"status": "NOT_FOUND", "message": "No data found for ticker."}
    )

    with pytest.raises(errors.SymbolNotFoundError) as caught:
        await data.get_quote("NOPE")
    assert caught.value.symbol == "NOPE"
    assert "No data found" in str(caught.value)


async def test_each_kind_of_instrument_has_its_own_quote_and_trade(api, data):
    api.get("/v1/last_quote/currencies/EUR/USD").respond(json=PAYLOADS["last_forex_quote"])
    api.get("/v3/snapshot").respond(json=PAYLOADS["universal_snapshots"])
    api.get("/v2/last/trade/AAPL").respond(json=PAYLOADS["last_trade"])
    bitcoin = "/v2/snapshot/locale/global/markets/crypto/tickers/X:BTCUSD"
    api.get(bitcoin).respond(json=PAYLOADS["crypto_snapshot"])
    euro = "/v2/snapshot/locale/global/markets/forex/tickers/C:EURUSD"
    api.get(euro).respond(json=PAYLOADS["forex_snapshot"])

    assert (await data.get_quote("C:EURUSD")).ask == 1.0882
    assert (await data.get_quote("O:AAPL230616C00150000")).bid == 28.9
    assert (await data.get_trade("AAPL")).price == 213.3512
    assert (await data.get_trade("X:BTCUSD")).price == 83969.12
    with pytest.raises(errors.SymbolNotFoundError, match="no trade"):
        await data.get_trade("C:EURUSD")


async def test_an_old_quote_is_not_accepted_as_fresh(api, data):
    api.get("/v2/last/nbbo/AAPL").respond(json=PAYLOADS["last_quote"])

    with pytest.raises(errors.StaleDataError):
        await data.get_quote("AAPL", max_age=60)


async def test_a_refusal_carries_the_vendors_request_id(api, data):
    api.get("/v1/marketstatus/now").respond(
        403,
        json={"status": "NOT_AUTHORIZED", "message": "You are not entitled."},
        headers={"X-Request-Id": "abc, abc"},
    )

    with pytest.raises(errors.PermissionError) as caught:
        await data.get_market_status()
    assert caught.value.request_id == "abc"
    assert KEY not in repr(caught.value.__dict__)


async def test_the_free_plan_is_kept_to_five_a_minute(api):
    api.get("/v1/marketstatus/now").respond(json=PAYLOADS["market_status"])
    async with httpx.AsyncClient() as client:
        settings = {"api_key": KEY, "requests_per_minute": 5, "timeouts": {"total": 1}}
        free = PolygonData(settings, client=client)

        results = await asyncio.gather(
            *(free.get_bars("A", start=date(2025, 1, n + 1)) for n in range(7)),
            return_exceptions=True,
        )

    assert sum(isinstance(result, errors.RateLimitError) for result in results) >= 2
