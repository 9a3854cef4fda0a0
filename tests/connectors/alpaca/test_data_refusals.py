"""What Alpaca says when it says no, and answers that no exchange would give."""

import json

import httpx
import pytest
import respx

from sentio_async import errors
from sentio_async.connectors.alpaca.data import AlpacaData
from sentio_async.connectors.alpaca.wire.data_api import api
from sentio_async.connectors.alpaca.wire.data_problems import read_data_problem

HOST = "https://data.alpaca.markets"
QUOTE = {"t": "2026-03-02T15:04:05Z", "bp": 9.9, "ap": 10, "bs": 1, "as": 2}
BAR = {"t": "2026-03-02T15:04:00Z", "o": 1, "h": 2, "l": 1, "c": 2, "v": 5}


@pytest.fixture
async def data():
    async with httpx.AsyncClient() as client:
        keys = {"api_key": "PKTEST", "api_secret": "secret", "retry_attempts": 1}
        yield AlpacaData({**keys, "feed": "iex"}, client=client)


@pytest.fixture
def alpaca():
    with respx.mock(base_url=HOST) as mock:
        yield mock


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"message": "invalid feed: x"}, errors.BadRequestError),
        (401, {"message": "unauthorized"}, errors.AuthenticationError),
        (
            403,
            {"message": "subscription does not permit querying recent SIP data"},
            errors.PermissionError,
        ),
        (422, {"code": 42210000, "message": "your subscription"}, errors.PermissionError),
        (422, {"message": "limit is too large"}, errors.BadRequestError),
        (429, {"message": "too many requests."}, errors.RateLimitError),
        (500, {"message": "internal server error"}, errors.ServerError),
        (504, {"message": "upstream request timeout"}, errors.ServerError),
    ],
)
async def test_a_refusal_is_an_error_of_its_kind_in_alpacas_words(data, alpaca, status, body, kind):
    alpaca.get("/v2/stocks/AAPL/bars").respond(status, json=body)

    with pytest.raises(kind) as caught:
        await data.get_bars("AAPL")

    assert caught.value.message == body["message"]
    assert caught.value.code == body.get("code")
    assert caught.value.status_code == status


OUTAGE = {"message": "internal server error"}


async def test_an_outage_that_says_success_does_not_make_a_symbol_unknown(data, alpaca):
    alpaca.get("/v2/stocks/snapshots").respond(200, json=OUTAGE)

    found = await data.get_snapshots(["AAPL", "MSFT"])

    for symbol in ("AAPL", "MSFT"):
        with pytest.raises(errors.DecodeError, match="internal server error"):
            found[symbol]


@pytest.mark.parametrize(
    ("path", "name", "arguments"),
    [
        ("/v2/stocks/meta/exchanges", "get_stock_exchanges", ()),
        ("/v2/stocks/meta/conditions/trade", "get_stock_conditions", ("trade", "A")),
        ("/v1beta1/options/meta/exchanges", "get_option_exchanges", ()),
        ("/v1beta1/options/meta/conditions/trade", "get_option_conditions", ("trade",)),
    ],
)
async def test_names_are_not_read_from_an_error_or_from_nothing(
    data, alpaca, path, name, arguments
):
    answers = [httpx.Response(200, json=OUTAGE), httpx.Response(200)]
    alpaca.get(path).mock(side_effect=answers)

    for said in ("internal server error", "empty"):
        with pytest.raises(errors.DecodeError, match=said):
            await getattr(data, name)(*arguments)


async def test_a_page_of_html_is_no_reason_and_no_data(data, alpaca):
    alpaca.get("/v2/stocks/AAPL/bars").respond(403, html="<html>403 Forbidden</html>")

    with pytest.raises(errors.PermissionError, match="HTML"):
        await data.get_bars("AAPL")


@pytest.mark.parametrize(
    ("message", "symbol"),
    [
        ("invalid symbol: BAD", "BAD"),
        ('invalid symbol: "BRK-B"', "BRK-B"),
        ("code=400, message=invalid symbol: AAPL does not match ^[A-Z]+/[A-Z]+$", "AAPL"),
        ("Invalid symbol: BTC/USD, see the documentation", "BTC/USD"),
    ],
)
def test_the_symbol_that_alpaca_names_is_found_in_its_words(message, symbol):
    problem = read_data_problem(400, {"message": message}, api.endpoints[0])

    assert problem.details == {"symbol": symbol}


@pytest.mark.parametrize("body", [None, [], "no", {}, {"message": ""}, {"code": 1}])
def test_a_body_that_says_nothing_is_no_problem_of_alpacas(body):
    assert read_data_problem(403, body, api.endpoints[0]) is None


async def test_an_empty_page_with_a_token_is_not_the_end(data, alpaca):
    pages = [
        {"bars": [BAR], "symbol": "AAPL", "next_page_token": "a"},
        {"bars": None, "symbol": "AAPL", "next_page_token": "b"},
        {"bars": [{**BAR, "t": "2026-03-02T15:05:00Z"}], "symbol": "AAPL", "next_page_token": None},
    ]
    route = alpaca.get("/v2/stocks/AAPL/bars")
    route.side_effect = [httpx.Response(200, json=page) for page in pages]

    bars = await data.get_bars("AAPL", "1Min", start="2026-03-02")

    assert len(bars) == 2
    assert [call.request.url.params.get("page_token") for call in route.calls] == [None, "a", "b"]
    assert {call.request.url.params["feed"] for call in route.calls} == {"iex"}


async def test_pages_that_go_in_a_circle_are_an_error(data, alpaca):
    page = {"bars": [BAR], "symbol": "AAPL", "next_page_token": "again"}
    route = alpaca.get("/v2/stocks/AAPL/bars").respond(json=page)

    with pytest.raises(errors.DecodeError, match="twice"):
        await data.get_bars("AAPL", "1Min", start="2026-03-02")
    assert route.call_count == 2


ANOTHER = {"symbol": "MSFT", "next_page_token": None}
TRADE = {"t": "2026-03-02T15:04:05Z", "p": 10, "s": 1, "x": "V"}


async def all_of(rows):
    return [row async for row in rows]


@pytest.mark.parametrize(
    ("path", "body", "ask"),
    [
        (
            "/v2/stocks/AAPL/quotes/latest",
            {"quote": QUOTE, **ANOTHER},
            lambda d: d.get_quote("AAPL"),
        ),
        (
            "/v2/stocks/AAPL/trades/latest",
            {"trade": TRADE, **ANOTHER},
            lambda d: d.get_trade("AAPL"),
        ),
        (
            "/v2/stocks/AAPL/snapshot",
            {"latestQuote": QUOTE, **ANOTHER},
            lambda d: d.get_snapshot("AAPL"),
        ),
        (
            "/v2/stocks/AAPL/bars",
            {"bars": [BAR], **ANOTHER},
            lambda d: d.get_bars("AAPL", "1Min", start="2026-03-02"),
        ),
        (
            "/v2/stocks/AAPL/trades",
            {"trades": [TRADE], **ANOTHER},
            lambda d: all_of(d.iter_trades("AAPL", start="2026-03-02")),
        ),
        (
            "/v1beta3/crypto/us/bars",
            {"bars": {"ETH/USD": [BAR]}, "next_page_token": None},
            lambda d: all_of(d.iter_bars("BTC/USD", "1Min", start="2026-03-02")),
        ),
    ],
)
async def test_an_answer_about_another_symbol_is_no_answer(data, alpaca, path, body, ask):
    alpaca.get(path).respond(json=body)

    with pytest.raises(
        errors.DecodeError, match=r"asked about \S+, the answer is about (MSFT|ETH)"
    ):
        await ask(data)


@pytest.mark.parametrize("named", [{"symbol": "AAPL"}, {"symbol": "aapl"}, {}])
async def test_a_snapshot_may_leave_out_whose_it_is(data, alpaca, named):
    alpaca.get("/v2/stocks/aapl/snapshot").respond(json={"latestQuote": QUOTE, **named})

    assert (await data.get_snapshot("aapl")).quote.bid == 9.9


async def test_bars_of_many_symbols_may_start_and_end_in_the_middle_of_a_page(data, alpaca):
    later = {**BAR, "t": "2026-03-02T15:05:00Z"}
    pages = [
        {"bars": {"A": [BAR]}, "next_page_token": "a"},
        {"bars": {"A": [later], "C": [BAR]}, "next_page_token": "b"},
        {"bars": {"C": [later]}, "next_page_token": None},
    ]
    route = alpaca.get("/v2/stocks/bars")
    route.side_effect = [httpx.Response(200, json=page) for page in pages]

    found = await data.get_many_bars(["A", "B", "C"], "1Min")

    assert {symbol: len(bars) for symbol, bars in found.items()} == {"A": 2, "B": 0, "C": 2}


async def test_a_failing_page_costs_the_whole_request_and_says_so(data, alpaca):
    route = alpaca.get("/v2/stocks/bars")
    route.side_effect = [
        httpx.Response(200, json={"bars": {"A": [BAR]}, "next_page_token": "a"}),
        httpx.Response(500, json={"message": "internal server error"}),
    ]

    found = await data.get_many_bars(["A", "B"], "1Min")

    assert {type(error) for error in found.errors.values()} == {errors.ServerError}
    assert len(found.errors) == 2


async def test_a_bad_symbol_is_dropped_from_the_request(data, alpaca):
    def answer(request):
        names = request.url.params["symbols"].split(",")
        if "BAD" in names:
            return httpx.Response(400, json={"message": "invalid symbol: BAD"})
        return httpx.Response(200, json={"quotes": dict.fromkeys(names, QUOTE)})

    route = alpaca.get("/v2/stocks/quotes/latest").mock(side_effect=answer)

    quotes = await data.get_quotes(["A", "BAD", "B"])

    assert set(quotes.found) == {"A", "B"}
    assert isinstance(quotes.errors["BAD"], errors.SymbolNotFoundError)
    assert route.call_count == 2


async def test_perpetual_futures_are_read(data, alpaca):
    base = "/v1beta1/crypto-perps/global/latest"
    name = "BTCUSDT.P"
    trade = {"t": "2026-03-02T15:04:05Z", "p": 64000, "s": 1, "tks": "S", "i": 1}
    book = {"t": "2026-03-02T15:04:05Z", "b": [{"p": 1, "s": 2}], "a": []}
    pricing = {"t": BAR["t"], "ft": BAR["t"], "oi": 1, "ip": 2, "mp": 3, "fr": 0.1}
    alpaca.get(f"{base}/quotes").respond(json={"quotes": {name: QUOTE}})
    alpaca.get(f"{base}/trades").respond(json={"trades": {name: trade}})
    alpaca.get(f"{base}/bars").respond(json={"bars": {name: BAR}})
    alpaca.get(f"{base}/orderbooks").respond(json={"orderbooks": {name: book}})
    alpaca.get(f"{base}/pricing").respond(json={"pricing": {name: pricing}})

    assert (await data.get_perpetual_quotes([name]))[name].feed == "global"
    assert (await data.get_perpetual_trades([name]))[name].taker_side == "sell"
    assert (await data.get_perpetual_bars([name]))[name].close == 2
    assert (await data.get_perpetual_order_books([name]))[name].asks == ()
    assert (await data.get_perpetual_pricing([name]))[name].mark_price == 3


async def test_a_quote_too_old_is_not_passed_off_as_new(data, alpaca):
    alpaca.get("/v2/stocks/AAPL/quotes/latest").respond(json={"symbol": "AAPL", "quote": QUOTE})

    with pytest.raises(errors.StaleDataError):
        await data.get_quote("AAPL", max_age=5)


async def test_keys_go_in_headers_and_nowhere_else(data, alpaca):
    route = alpaca.get("/v2/stocks/AAPL/quotes/latest")
    route.respond(content=json.dumps({"symbol": "AAPL", "quote": QUOTE}).encode())

    await data.get_quote("AAPL")

    request = route.calls.last.request
    assert request.headers["apca-api-key-id"] == "PKTEST"
    assert request.headers["apca-api-secret-key"] == "secret"
    assert "secret" not in str(request.url)


async def test_a_bar_that_cannot_be_read_is_reported_with_the_bars(data, alpaca):
    page = {"bars": [{**BAR, "o": "?"}, BAR], "symbol": "AAPL", "next_page_token": None}
    alpaca.get("/v2/stocks/AAPL/bars").respond(json=page)

    for start in (None, "2026-03-02"):
        bars = await data.get_bars("AAPL", "1Min", start=start)

        assert len(bars) == 1
        assert [row.index for row in bars.skipped] == [0]
