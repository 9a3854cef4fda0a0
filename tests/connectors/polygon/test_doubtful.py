"""Answers and questions at the edge of what can be: none of them passes for something else."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
import respx

from sentio_async import errors
from sentio_async.connectors.polygon import PolygonData

HOST = "https://api.massive.com"
DAY = date(2026, 1, 2)
AT = int(datetime(2026, 1, 2, 1, 30, tzinfo=UTC).timestamp()) * 1_000_000_000
SESSION = {"open": 1, "high": 2, "low": 1, "close": 2, "volume": 5}


A_QUOTE = (
    b'{"ask_exchange":11,"ask_price":213.36,"ask_size":200,"bid_exchange":12,"bid_price":213.35,'
    b'"bid_size":100,"conditions":[1],"indicators":[604,2],"sequence_number":123456789,'
    b'"participant_timestamp":1767317400094626560,"sip_timestamp":1767317400094626560,"tape":3}'
)


@pytest.fixture
def api():
    with respx.mock(base_url=HOST, assert_all_called=False) as router:
        yield router


@pytest.fixture
async def data():
    async with httpx.AsyncClient() as client:
        settings = {"api_key": "k", "retry_attempts": 1, "batch_size": 2}
        yield PolygonData(settings, client=client)


def a_bar(**changes: Any) -> dict[str, Any]:
    return {"T": "AAPL", "o": 1, "h": 2, "l": 1, "c": 2, "v": 5, "t": AT // 1_000_000, **changes}


def a_snapshot(ticker: str, **changes: Any) -> dict[str, Any]:
    return {"ticker": ticker, "lastTrade": {"p": 1, "s": 1, "t": AT}, "updated": AT, **changes}


def rows(*found: Any, **more: Any) -> dict[str, Any]:
    return {"status": "OK", "results": list(found), **more}


async def all_of(found: Any) -> list[Any]:
    return [each async for each in found]


async def test_a_snapshot_that_cannot_be_read_is_no_unknown_ticker(api, data):
    body = {"status": "OK", "tickers": [a_snapshot("AAPL", todaysChange="x"), a_snapshot("MSFT")]}
    api.get("/v2/snapshot/locale/us/markets/stocks/tickers").respond(json=body)

    found = await data.get_snapshots(["AAPL", "MSFT"])

    assert found["MSFT"].trade.price == 1
    with pytest.raises(errors.DecodeError, match=r"AAPL.*todaysChange"):
        found["AAPL"]


async def test_a_request_about_indices_that_fails_costs_its_own_alone(api, data):
    def answer(request):
        if "I:A" not in str(request.url):
            return httpx.Response(500)
        return httpx.Response(200, json=rows({"ticker": "I:A", "value": 7}, {"ticker": "I:B"}))

    api.get("/v3/snapshot/indices").mock(side_effect=answer)

    found = await data.get_index_values(["I:A", "I:B", "I:C", "I:D"])

    assert found["I:A"].value == 7
    assert {s: type(e) for s, e in found.errors.items() if s != "I:B"} == {
        "I:C": errors.ServerError,
        "I:D": errors.ServerError,
    }


async def test_requests_about_indices_that_all_fail_are_raised(api, data):
    api.get("/v3/snapshot/indices").respond(500)

    with pytest.raises(errors.ServerError):
        await data.get_index_values(["I:A", "I:B", "I:C"])


@pytest.mark.parametrize("count", [{"resultsCount": 10}, {"count": 1}])
async def test_no_rows_where_some_are_counted_is_no_empty_answer(api, data, count):
    api.get(url__regex=".*/range/.*").respond(json=rows(ticker="AAPL", **count))
    api.get("/v3/reference/tickers").respond(json=rows(**count))

    with pytest.raises(errors.DecodeError, match="counts"):
        await data.get_bars("AAPL", start=DAY)
    with pytest.raises(errors.DecodeError, match="counts"):
        await all_of(data.iter_tickers())


@pytest.mark.parametrize(
    ("ticker", "begins"),
    [
        ("X:BTCUSD", datetime(2026, 1, 2, tzinfo=UTC)),
        ("C:EURUSD", datetime(2026, 1, 2, tzinfo=UTC)),
        ("I:SPX", datetime(2026, 1, 1, 5, tzinfo=UTC)),
        ("O:AAPL260116C00150000", datetime(2026, 1, 1, 5, tzinfo=UTC)),
    ],
)
async def test_a_day_begins_when_its_market_says_so(api, data, ticker, begins):
    row = {"ticker": ticker, "session": SESSION, "last_updated": AT}
    api.get("/v3/snapshot").respond(json=rows(row))

    found = await data.get_snapshots([ticker])

    assert found[ticker].day_bar.time == begins


async def test_a_number_too_large_costs_one_ticker(api, data):
    row = '{"ticker": "X:BTCUSD", "last_quote": {"bid": 1%s}}' % ("0" * 400)
    body = f'{{"status": "OK", "results": [{row}, {{"ticker": "I:SPX"}}]}}'
    api.get("/v3/snapshot").respond(content=body)

    found = await data.get_snapshots(["X:BTCUSD", "I:SPX"])

    assert isinstance(found.errors["X:BTCUSD"], errors.DecodeError)
    assert found["I:SPX"].quote is None


async def test_a_trade_without_a_time_is_not_one_of_1970(api, data):
    good, bad = {"price": 1, "size": 1, "sip_timestamp": AT}, {"price": 2, "size": 1}
    api.get("/v3/trades/AAPL").respond(json=rows(good, bad))
    api.get("/v3/quotes/AAPL").respond(json=rows({"bid_price": 1}))

    assert [trade.time_ns for trade in await all_of(data.iter_trades("AAPL"))] == [AT]
    with pytest.raises(errors.DecodeError, match="time"):
        await all_of(data.iter_quotes("AAPL"))


async def test_fewer_than_no_rows_are_refused(data):
    for asked in (data.iter_trades("AAPL", limit=-1), data.iter_bars("AAPL", limit=-2)):
        with pytest.raises(errors.InvalidRequestError, match="limit"):
            await all_of(asked)
    with pytest.raises(errors.InvalidRequestError, match="limit"):
        await data.get_bars("AAPL", limit=-1)


async def test_no_bars_are_as_many_as_were_asked_for(api, data):
    route = api.get(url__regex=".*/range/.*").respond(json=rows(a_bar()))

    assert len(await data.get_bars("AAPL", limit=0)) == 0
    assert not route.called


async def test_the_beginning_of_1970_is_a_start_and_an_end(api, data):
    route = api.get(url__regex=".*/range/.*").respond(json=rows(a_bar()))

    for pages in (data.iter_bars, data.iter_bar_pages):
        await all_of(pages("AAPL", start=0, end=0))

    assert {call.request.url.path for call in route.calls} == {
        "/v2/aggs/ticker/AAPL/range/1/day/0/0"
    }


async def test_the_latest_bars_until_a_time_without_zone_are_refused(data):
    with pytest.raises(errors.InvalidRequestError, match="no zone"):
        await data.get_bars("AAPL", end=datetime(2026, 1, 2))


async def test_the_latest_bars_come_newest_first_when_that_is_asked_for(api, data):
    newest = [a_bar(t=day * 86_400_000) for day in (3, 2, 1)]
    api.get(url__regex=".*/range/.*").respond(json=rows(*newest))

    first = await data.get_bars("AAPL", limit=3, order="desc")
    last = await data.get_bars("AAPL", limit=3)

    assert [bar.time.day for bar in first] == [4, 3, 2]
    assert [bar.time.day for bar in last] == [2, 3, 4]


@pytest.mark.parametrize(
    ("path", "ask"),
    [
        (f"/v2/aggs/grouped/locale/us/market/stocks/{DAY}", lambda d: d.get_grouped_daily(DAY)),
        ("/v1/related-companies/AAPL", lambda d: d.get_related_companies("AAPL")),
        ("/v1/marketstatus/upcoming", lambda d: d.get_market_holidays()),
        (
            f"/v2/aggs/ticker/AAPL/range/1/day/{DAY}/{DAY}",
            lambda d: anext(d.iter_bar_pages("AAPL", start=DAY, end=DAY)),
        ),
    ],
)
async def test_what_two_ask_for_at_the_same_time_is_everyones_own(api, data, path, ask):
    body = rows(a_bar()) if "aggs" in path else rows({"ticker": "MSFT"})
    holidays = [{"date": "2026-01-19", "exchange": "NYSE", "name": "King", "status": "closed"}]

    async def answer(request):
        await asyncio.sleep(0)
        return httpx.Response(200, json=holidays if "upcoming" in path else body)

    route = api.get(path).mock(side_effect=answer)

    mine, yours = await asyncio.gather(ask(data), ask(data))
    mine.extend(mine[:])

    assert route.call_count == 1
    assert (len(mine), len(yours)) == (2, 1)


@pytest.mark.parametrize("number", ["NaN", "inf", "-Infinity", "1e999"])
@pytest.mark.parametrize("part", ["lastTrade", "lastQuote", "day", "min", "prevDay"])
async def test_a_text_that_is_no_finite_number_is_no_price(api, data, part, number):
    row = a_snapshot("AAPL", **{part: {"p": number, "o": number, "c": "1.5"}})
    body = {"status": "OK", "ticker": row}
    api.get("/v2/snapshot/locale/us/markets/stocks/tickers/AAPL").respond(json=body)

    with pytest.raises(errors.DecodeError):
        await data.get_snapshot("AAPL")


@pytest.mark.parametrize("other", ["MSFT", "aapl", "AAPLW", "O:AAPL230616C00150000"])
async def test_a_next_page_of_another_ticker_is_refused(api, data, other):
    stray = api.get(f"/v3/trades/{other}").respond(json=rows({"price": 9, "sip_timestamp": AT}))
    first = rows({"price": 1, "sip_timestamp": AT}, next_url=f"{HOST}/v3/trades/{other}?cursor=a")
    api.get("/v3/trades/AAPL").respond(json=first)

    with pytest.raises(errors.DecodeError, match="does not continue"):
        await all_of(data.iter_trades("AAPL"))
    assert not stray.called


async def test_a_next_page_may_spell_a_pair_in_another_way(api, data):
    first = rows({"price": 1, "sip_timestamp": AT}, next_url=f"{HOST}/v3/trades/X:BTC-USD?cursor=a")
    api.get("/v3/trades/X:BTCUSD").respond(json=first)
    api.get("/v3/trades/X:BTC-USD").respond(json=rows({"price": 2, "sip_timestamp": AT}))

    assert [t.price for t in await all_of(data.iter_trades("X:BTCUSD"))] == [1, 2]


@pytest.mark.parametrize("nothing", ["", [], (), frozenset()])
async def test_a_filter_that_is_empty_is_not_the_same_as_none(api, data, nothing):
    everything = api.get("/stocks/v1/dividends").respond(json=rows())

    with pytest.raises(errors.InvalidRequestError, match="ticker_any_of: nothing"):
        data.iter_dividends(ticker_any_of=nothing)
    await all_of(data.iter_dividends(ticker_any_of=None))
    assert "ticker" not in str(everything.calls.last.request.url)


async def test_times_of_tickers_and_holidays_are_in_utc(api, data):
    delisted = "2026-11-26T23:00:00-05:00"
    api.get("/v3/reference/tickers").respond(
        json=rows(
            {"ticker": "A", "delisted_utc": delisted},
            {"ticker": "B", "delisted_utc": "2026-11-26T23:00:00"},
        )
    )
    day = {"exchange": "NYSE", "name": "Friday", "status": "early-close", "date": "2026-11-27"}
    short = [{**day, "open": "2026-11-27T09:30:00-05:00", "close": "2026-11-27T13:00:00-05:00"}]
    api.get("/v1/marketstatus/upcoming").respond(json=[*short, {**day, "open": "2026-11-27T09:30"}])

    tickers = await all_of(data.iter_tickers())
    holidays = await data.get_market_holidays()

    assert [ticker.delisted_utc for ticker in tickers] == [datetime(2026, 11, 27, 4, tzinfo=UTC)]
    assert [(h.open, h.close) for h in holidays] == [
        (datetime(2026, 11, 27, 14, 30, tzinfo=UTC), datetime(2026, 11, 27, 18, tzinfo=UTC))
    ]
    assert tickers[0].delisted_utc.tzinfo is holidays[0].open.tzinfo is UTC
    assert [row.index for row in holidays.skipped] == [1]


async def test_a_whole_page_of_ticks_fits_with_the_settings_as_they_are(api, data):
    body = b'{"status":"OK","results":[' + b",".join([A_QUOTE] * 50_000) + b"]}"
    assert len(body) > 12_000_000
    api.get("/v3/quotes/AAPL").respond(content=body)

    quotes = data.iter_quotes("AAPL", limit=50_000)

    assert sum([1 async for _ in quotes]) == 50_000


async def test_whole_markets_and_long_bars_fit_too_and_short_lists_need_not(api):
    long = {"status": "OK", "ticker": "AAPL", "resultsCount": 0, "count": 0, "more": "x" * 3_000}
    api.get(url__regex=".*").respond(json=long)

    async with httpx.AsyncClient() as client:
        data = PolygonData({"api_key": "k", "max_body_bytes": 2_000}, client=client)
        assert await data.get_market_snapshots() == []
        assert await all_of(data.iter_news()) == []
        assert len(await data.get_bars("AAPL", start=DAY)) == 0
        with pytest.raises(errors.ResponseTooLargeError):
            await data.get_ticker_types()


@pytest.mark.parametrize("tickers", [["AAPL"], ["AAPL", "X:BTCUSD"]])
async def test_quotes_of_many_say_when_they_came(api, data, tickers):
    quote = {"lastQuote": {"p": 1, "P": 2, "t": AT}, "last_quote": {"bid": 1, "last_updated": AT}}
    found = [a_snapshot(ticker, **quote) for ticker in tickers]
    api.get(url__regex=".*snapshot.*").respond(json=rows(*found, tickers=found))

    quotes = await data.get_quotes(tickers)

    assert all(quote.received_ns > quote.time_ns for quote in quotes.found.values())
    assert len(quotes.found) == len(tickers)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (rows(error="upstream is down"), errors.APIError),
        ({"status": "error", "count": 0, "resultsCount": 0, "error": "x"}, errors.APIError),
        ({"status": "not_authorized", "count": 0, "resultsCount": 0}, errors.PermissionError),
        ({"status": "Error", "results": [], "tickers": []}, errors.APIError),
    ],
)
async def test_a_failure_beside_no_rows_is_no_empty_answer(api, data, body, kind):
    api.get(url__regex=".*").respond(json=body)

    for asked in (data.iter_tickers(), data.iter_trades("AAPL"), data.iter_sma("AAPL")):
        with pytest.raises(kind):
            await all_of(asked)
    with pytest.raises(kind):
        await data.get_bars("AAPL", start=DAY)
    with pytest.raises(kind):
        await data.get_snapshots(["AAPL"])


NOON = datetime(2026, 1, 2, 17, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end"), [(DAY, DAY), (DAY, date(2026, 1, 1)), (NOON, NOON), (NOON, AT), (AT, AT - 1)]
)
async def test_ticks_until_before_their_start_are_refused_and_not_none(data, start, end):
    options = {"start": start, "end": end}
    for ask in (data.iter_trades, data.iter_quotes, data.iter_option_trades):
        with pytest.raises(errors.InvalidRequestError, match=r"end: .* is not after"):
            await all_of(ask("AAPL", **options))


@pytest.mark.parametrize(
    ("start", "end"),
    [(DAY, date(2026, 1, 3)), (DAY, NOON), (AT, AT + 1), (None, DAY)],
)
async def test_ticks_from_start_until_before_end_are_asked_for(api, data, start, end):
    api.get("/v3/trades/AAPL").respond(json=rows())

    assert await all_of(data.iter_trades("AAPL", start=start, end=end)) == []


async def test_a_list_that_has_no_pages_and_names_one_is_not_taken_for_whole(api, data):
    api.get(url__regex=".*").respond(
        json=rows(a_bar(), tickers=[a_snapshot("AAPL")], next_url=f"{HOST}/v3/more?cursor=a")
    )

    for ask in (
        data.get_grouped_daily(DAY),
        data.get_market_snapshots(),
        data.get_snapshots(["AAPL", "MSFT"]),
    ):
        with pytest.raises(errors.DecodeError, match="more than one page"):
            await ask
