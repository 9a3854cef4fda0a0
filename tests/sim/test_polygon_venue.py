"""The embedded Polygon host keeps to what Polygon (Massive) documents."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from sentio_async.sim.clock import SimClock
from sentio_async.sim.exchange import Exchange
from tests.described import Description

# A Wednesday afternoon in New York.
NOW = datetime(2025, 6, 18, 18, 30, 15, tzinfo=UTC)
OPTION = "O:AAPL250620C00230000"

# Beginnings of described paths that are not served, with the reason.
UNSERVED = {
    "/benzinga/": "a partner's data",
    "/etf-global/": "a partner's data",
    "/tmx/": "a partner's data",
    "/consumer-spending/": "a partner's data",
    "/fed/": "the economy: nothing that trades here",
    "/futures/": "no futures are listed",
    "/stocks/filings/": "texts filed with the SEC; companies here file nothing",
    "/stocks/taxonomies/": "belongs to the filings",
    "/stocks/dev/": "a preview of /v3/trades",
    "/v1/historic/": "retired, replaced by /v3/trades and /v3/quotes",
    "/v2/ticks/": "retired, replaced by /v3/trades and /v3/quotes",
}
SERVED = [
    "/v2/aggs/ticker/AAPL/range/1/day/2025-01-01/2025-03-01",
    "/v2/aggs/ticker/AAPL/range/5/minute/2025-06-17/2025-06-18?limit=1000&sort=desc",
    "/v2/aggs/ticker/X:BTCUSD/range/1/hour/2025-06-17/2025-06-18",
    "/v2/aggs/ticker/C:EURUSD/range/1/day/2025-06-01/2025-06-18",
    "/v2/aggs/ticker/I:SPX/range/1/week/2025-06-01/2025-06-18",
    f"/v2/aggs/ticker/{OPTION}/range/1/day/2025-06-01/2025-06-18",
    "/v2/aggs/ticker/NOPE/range/1/day/2025-06-01/2025-06-18",
    "/v2/aggs/ticker/AAPL/prev",
    "/v2/aggs/ticker/X:BTCUSD/prev",
    "/v2/aggs/ticker/I:SPX/prev",
    "/v2/aggs/grouped/locale/us/market/stocks/2025-06-17",
    "/v2/aggs/grouped/locale/global/market/crypto/2025-06-17",
    "/v2/aggs/grouped/locale/global/market/fx/2025-06-17",
    "/v1/open-close/AAPL/2025-06-17",
    "/v1/open-close/I:SPX/2025-06-17",
    f"/v1/open-close/{OPTION}/2025-06-17",
    "/v1/open-close/crypto/BTC/USD/2025-06-17",
    "/v3/trades/AAPL?limit=5",
    "/v3/trades/X:BTCUSD?limit=5",
    f"/v3/trades/{OPTION}?limit=5",
    "/v3/quotes/AAPL?limit=5",
    "/v3/quotes/C:EURUSD?limit=5",
    f"/v3/quotes/{OPTION}?limit=5",
    f"/options/v3/trades/{OPTION}?limit=5",
    f"/options/v3/quotes/{OPTION}?limit=5",
    "/v2/last/trade/AAPL",
    f"/v2/last/trade/{OPTION}",
    "/v2/last/nbbo/AAPL",
    "/v1/last/crypto/BTC/USD",
    "/v1/last_quote/currencies/AUD/USD",
    "/v1/conversion/AUD/USD?amount=100&precision=2",
    "/v2/snapshot/locale/us/markets/stocks/tickers?tickers=AAPL,NOPE",
    "/v2/snapshot/locale/us/markets/stocks/tickers/AAPL",
    "/v2/snapshot/locale/us/markets/stocks/gainers",
    "/v2/snapshot/locale/global/markets/crypto/tickers",
    "/v2/snapshot/locale/global/markets/crypto/tickers/X:BTCUSD",
    "/v2/snapshot/locale/global/markets/crypto/tickers/X:BTCUSD/book",
    "/v2/snapshot/locale/global/markets/crypto/losers",
    "/v2/snapshot/locale/global/markets/forex/tickers",
    "/v2/snapshot/locale/global/markets/forex/tickers/C:EURUSD",
    "/v2/snapshot/locale/global/markets/forex/gainers",
    f"/v3/snapshot?ticker.any_of=AAPL,NOPE,X:BTCUSD,C:EURUSD,I:SPX,{OPTION}",
    "/v3/snapshot/indices?ticker.any_of=I:SPX,AAPL",
    "/v3/snapshot/options/AAPL?limit=20&contract_type=call",
    f"/v3/snapshot/options/AAPL/{OPTION}",
    f"/v1/summaries?ticker.any_of=AAPL,NOPE,X:BTCUSD,C:EURUSD,{OPTION}",
    "/v3/reference/tickers?limit=1000",
    "/v3/reference/tickers?active=false",
    "/v3/reference/tickers/AAPL",
    "/v3/reference/tickers/X:BTCUSD",
    "/v3/reference/tickers/types",
    "/v3/reference/exchanges",
    "/v3/reference/conditions?limit=100",
    "/v3/reference/splits?ticker=AAPL",
    "/v3/reference/dividends?ticker=AAPL&limit=5",
    "/v3/reference/options/contracts?underlying_ticker=AAPL&limit=5",
    f"/v3/reference/options/contracts/{OPTION}",
    "/vX/reference/tickers/META/events",
    "/vX/reference/financials?ticker=AAPL",
    "/vX/reference/ipos?limit=5",
    "/v1/reference/ipos?limit=5",
    "/v1/related-companies/AAPL",
    "/v1/marketstatus/now",
    "/v1/marketstatus/upcoming",
    "/v2/reference/news?ticker=AAPL",
    "/stocks/v1/splits?limit=5",
    "/stocks/v1/dividends?ticker=KO&limit=5",
    "/stocks/v1/short-interest?ticker=AAPL",
    "/stocks/v1/short-volume?ticker=AAPL",
    "/stocks/v1/exchanges",
    "/stocks/vX/float?ticker=AAPL",
    "/stocks/financials/v1/income-statements?tickers=AAPL",
    "/stocks/financials/v1/balance-sheets?tickers=AAPL",
    "/stocks/financials/v1/cash-flow-statements?tickers=AAPL",
    "/stocks/financials/v1/ratios?ticker=AAPL",
    "/crypto/v1/exchanges",
    "/forex/v1/exchanges",
    "/options/v1/exchanges",
    *(
        f"/v1/indicators/{kind}/{ticker}?limit=3"
        for kind in ("sma", "ema", "rsi", "macd")
        for ticker in ("AAPL", "X:BTCUSD", "C:EURUSD", "I:SPX", OPTION)
    ),
]


# Where a recorded answer contradicts the description, the recording wins.
RECORDED_OTHERWISE = {
    r"/v1/open-close/[^/]+/.*: answer\.preMarket: .*not of type 'integer'": (
        "rest_open_close_AAPL.json has 123.45"
    ),
    r"/v1/open-close/crypto/.*: answer\.day: .*not a 'date'": (
        "rest_spec_open_close_crypto.json has 2020-10-09T00:00:00.000Z"
    ),
    r".*/crypto/(losers|tickers/[^/]+/book): answer: \{'status': .*": (
        "the description asks for an object that is a string; rest_snapshot_crypto_book.json"
    ),
    r"/v3/snapshot.*: answer.*\.greeks: '\w+' is a required property": (
        "rest_go_options_chain.json has empty greeks where there are none"
    ),
    r"/v3/snapshot\?.*: answer.*\.last_trade\.size: 0\.\d+ is not of type 'integer'": (
        "one schema for every asset, but coins trade in fractions: rest_last_crypto_BTC_USD.json"
    ),
}


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    clock = SimClock(NOW, is_running=False)
    async with Exchange(clock=clock, venues=["polygon"]) as running:
        yield running


@pytest.fixture
async def venue(exchange: Exchange) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {exchange.polygon_key}"}
    async with httpx.AsyncClient(base_url=exchange.addresses.polygon, headers=headers) as client:
        yield client


async def get(venue: httpx.AsyncClient, path: str, **query: Any) -> Any:
    answer = await venue.get(path, params=query or None)
    assert answer.status_code == 200, answer.text
    return answer.json(parse_float=Decimal)


async def pages(venue: httpx.AsyncClient, path: str, **query: Any) -> list[Any]:
    found = [await get(venue, path, **query)]
    while url := found[-1].get("next_url"):
        found.append(await get(venue, url))
        assert len(found) < 200
    return found


async def test_every_answer_is_as_described(venue: httpx.AsyncClient, shared: Path) -> None:
    described = Description.load(shared, "massive.json")
    wrong = []

    for target in SERVED:
        answer = await venue.get(target)
        found = described.check_answer("GET", target, answer.status_code, answer.json())
        if answer.status_code != 200:
            found.append(answer.text)
        wrong += [f"{target}: {each}" for each in found]
    unexplained = [
        each for each in wrong if not any(re.fullmatch(known, each) for known in RECORDED_OTHERWISE)
    ]
    unused = [
        known for known in RECORDED_OTHERWISE if not any(re.fullmatch(known, w) for w in wrong)
    ]

    assert unexplained == []
    assert unused == []


def test_every_described_path_is_served_or_left_out_for_a_reason(shared: Path) -> None:
    described = Description.load(shared, "massive.json")
    served: set[str] = set()
    for target in SERVED:
        served.update(_templates(described, target.partition("?")[0]))
    missing = {path for _, path in described.operations()} - served

    assert {path for path in missing if not path.startswith(tuple(UNSERVED))} == set()


def _templates(described: Description, path: str) -> set[str]:
    """The templates that differ only in how they call a parameter."""
    found = described.find("GET", path)
    assert found is not None, path
    shape = re.sub(r"\{[^}]*\}", "{}", found)
    return {p for _, p in described.operations() if re.sub(r"\{[^}]*\}", "{}", p) == shape}


@pytest.mark.parametrize("sort", ["asc", "desc"])
async def test_aggregate_pages_lose_and_repeat_nothing(venue: httpx.AsyncClient, sort: str) -> None:
    path = "/v2/aggs/ticker/AAPL/range/1/hour/2025-06-10/2025-06-12"

    whole = await get(venue, path, sort=sort, limit=50_000)
    # An hour is sixty base bars: 600 of them are ten rows.
    parts = await pages(venue, path, sort=sort, limit=600)

    assert [row for part in parts for row in part["results"]] == whole["results"]
    assert len(parts[0]["results"]) == 10
    assert parts[0]["queryCount"] == 600
    assert len(whole["results"]) == 72


async def test_next_urls_lead_to_the_host_that_gave_them_and_carry_no_key(
    exchange: Exchange,
) -> None:
    base = exchange.addresses.polygon
    async with httpx.AsyncClient(base_url=base) as client:
        answer = await client.get(f"/v3/trades/AAPL?limit=2&apiKey={exchange.polygon_key}")
        url = answer.json()["next_url"]
        refused = await client.get(url)
        second = await client.get(url, headers={"Authorization": f"Bearer {exchange.polygon_key}"})

    assert urlsplit(url).netloc == urlsplit(base).netloc
    assert exchange.polygon_key not in url
    assert refused.status_code == 401
    assert len(second.json()["results"]) == 2


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize(
    "kind", ["trades/AAPL", "quotes/AAPL", "trades/X:BTCUSD", "quotes/C:EURUSD"]
)
async def test_tick_pages_lose_and_repeat_nothing(
    venue: httpx.AsyncClient, kind: str, order: str
) -> None:
    start = int(datetime(2025, 6, 18, 14, tzinfo=UTC).timestamp()) * 1_000_000_000
    bounds = {"timestamp.gte": start, "timestamp.lt": start + 120_000_000_000, "order": order}

    whole = await get(venue, f"/v3/{kind}", **bounds, limit=50_000)
    parts = await pages(venue, f"/v3/{kind}", **bounds, limit=7)

    rows = [row for part in parts for row in part["results"]]
    times = [row["participant_timestamp"] for row in rows]
    assert rows == whole["results"]
    assert len(rows) > 20
    assert times == sorted(times, reverse=order == "desc")


async def test_timestamp_filters_are_exact_to_the_nanosecond(venue: httpx.AsyncClient) -> None:
    newest = (await get(venue, "/v3/trades/AAPL", limit=3))["results"]
    stamps = [row["sip_timestamp"] for row in newest]

    async def count(**bound: int) -> list[int]:
        query = {name.replace("_", "."): value for name, value in bound.items()}
        rows = (await get(venue, "/v3/trades/AAPL", **query, limit=3))["results"]
        return [row["sip_timestamp"] for row in rows]

    assert all(isinstance(stamp, int) and stamp % 1_000_000 for stamp in stamps)
    assert await count(timestamp=stamps[1]) == [stamps[1]]
    assert await count(timestamp_gt=stamps[1]) == [stamps[0]]
    assert await count(timestamp_gte=stamps[1]) == stamps[:2]
    assert (await count(timestamp_lt=stamps[1]))[0] == stamps[2]
    assert (await count(timestamp_lte=stamps[1]))[0] == stamps[1]


async def test_a_date_means_the_whole_new_york_day(venue: httpx.AsyncClient) -> None:
    first = await get(venue, "/v3/trades/AAPL", timestamp="2025-06-17", order="asc", limit=1)
    last = await get(venue, "/v3/trades/AAPL", timestamp="2025-06-17", limit=1)
    after = await get(
        venue, "/v3/trades/AAPL", **{"timestamp.gt": "2025-06-17", "order": "asc", "limit": 1}
    )

    def moment(answer: Any) -> str:
        stamp = answer["results"][0]["sip_timestamp"]
        return datetime.fromtimestamp(stamp // 1_000_000_000, UTC).isoformat()

    assert moment(first).startswith("2025-06-17T04:00")
    assert moment(last).startswith("2025-06-18T03:59")
    assert moment(after).startswith("2025-06-18T04:00")


async def test_an_empty_range_has_no_results_key(venue: httpx.AsyncClient) -> None:
    found = await get(venue, "/v2/aggs/ticker/NOPE/range/1/day/2025-06-01/2025-06-05")

    assert (found["status"], found["resultsCount"]) == ("OK", 0)
    assert "results" not in found


async def test_tickers_are_case_sensitive(venue: httpx.AsyncClient) -> None:
    answer = await venue.get("/v2/last/trade/aapl")

    assert answer.status_code == 404
    assert answer.json()["status"] == "NOT_FOUND"


async def test_days_begin_in_new_york_or_utc(venue: httpx.AsyncClient) -> None:
    async def first(ticker: str, span: str = "day") -> str:
        path = f"/v2/aggs/ticker/{ticker}/range/1/{span}/2025-06-10/2025-06-17"
        stamp = (await get(venue, path))["results"][0]["t"]
        return datetime.fromtimestamp(stamp / 1000, UTC).strftime("%a %m-%d %H:%M")

    assert await first("AAPL") == "Tue 06-10 04:00"
    assert await first("I:SPX") == "Tue 06-10 04:00"
    assert await first("X:BTCUSD") == "Tue 06-10 00:00"
    assert await first("C:EURUSD") == "Tue 06-10 00:00"
    # Ranges are stretched to whole windows, and weeks begin on Sunday.
    assert await first("AAPL", "week") == "Sun 06-08 04:00"
    assert await first("X:BTCUSD", "month") == "Sun 06-01 00:00"
    assert await first("C:EURUSD", "year") == "Wed 01-01 00:00"


async def test_unadjusted_prices_jump_at_a_split(venue: httpx.AsyncClient) -> None:
    # NVDA split ten for one on 10 June 2024.
    path = "/v2/aggs/ticker/NVDA/range/1/day/2024-06-07/2024-06-10"

    adjusted = await get(venue, path)
    raw = await get(venue, path, adjusted="false")

    assert raw["results"][0]["c"] == adjusted["results"][0]["c"] * 10
    assert raw["results"][-1] == adjusted["results"][-1]
    assert (raw["adjusted"], adjusted["adjusted"]) == (False, True)


async def test_unknown_tickers_are_silently_missing_from_v2_snapshots(
    venue: httpx.AsyncClient,
) -> None:
    path = "/v2/snapshot/locale/us/markets/stocks/tickers"

    some = await get(venue, path, tickers="AAPL,NOPE,X:BTCUSD,MSFT")
    one = await venue.get(f"{path}/NOPE")

    assert [row["ticker"] for row in some["tickers"]] == ["AAPL", "MSFT"]
    assert (one.status_code, one.json()["message"]) == (404, "Ticker not found.")


async def test_a_snapshot_agrees_with_last_trade_nbbo_and_previous_close(
    venue: httpx.AsyncClient,
) -> None:
    row = (await get(venue, "/v2/snapshot/locale/us/markets/stocks/tickers/AAPL"))["ticker"]
    trade = (await get(venue, "/v2/last/trade/AAPL"))["results"]
    nbbo = (await get(venue, "/v2/last/nbbo/AAPL"))["results"]
    prev = (await get(venue, "/v2/aggs/ticker/AAPL/prev"))["results"][0]
    day = await get(venue, "/v1/open-close/AAPL/2025-06-17")

    assert row["lastTrade"]["p"] == trade["p"] == row["day"]["c"]
    assert (row["lastQuote"]["p"], row["lastQuote"]["P"]) == (nbbo["p"], nbbo["P"])
    assert row["prevDay"]["c"] == prev["c"] == day["close"]
    assert row["todaysChange"] == trade["p"] - prev["c"]
    assert row["updated"] == max(trade["t"], nbbo["t"])


async def test_gainers_gain_and_losers_lose(venue: httpx.AsyncClient) -> None:
    base = "/v2/snapshot/locale/us/markets/stocks"

    up = [r["todaysChangePerc"] for r in (await get(venue, f"{base}/gainers"))["tickers"]]
    down = [r["todaysChangePerc"] for r in (await get(venue, f"{base}/losers"))["tickers"]]

    assert up == sorted(up, reverse=True)
    assert down == sorted(down)
    assert 0 < len(up) <= 20
    assert up[-1] > 0 > down[-1]


async def test_universal_snapshots_are_ten_to_a_page_unless_asked(
    venue: httpx.AsyncClient,
) -> None:
    parts = await pages(venue, "/v3/snapshot", type="stocks")
    whole = await get(venue, "/v3/snapshot", type="stocks", limit=250)

    assert [len(part["results"]) for part in parts[:2]] == [10, 10]
    joined = [row["ticker"] for part in parts for row in part["results"]]
    assert joined == [row["ticker"] for row in whole["results"]] == sorted(joined)


async def test_an_unknown_item_is_an_error_among_the_results(venue: httpx.AsyncClient) -> None:
    error = {"error": "NOT_FOUND", "message": "Ticker not found.", "ticker": "NOPE"}

    universal = await get(venue, "/v3/snapshot", **{"ticker.any_of": "AAPL,NOPE"})
    summaries = await get(venue, "/v1/summaries", **{"ticker.any_of": "NOPE,AAPL"})
    indices = await get(venue, "/v3/snapshot/indices", **{"ticker.any_of": "NOPE,I:SPX"})

    assert error in universal["results"]
    assert error in summaries["results"]
    assert error in indices["results"]
    assert len(universal["results"]) == len(summaries["results"]) == 2


async def test_more_than_250_tickers_are_refused(venue: httpx.AsyncClient) -> None:
    query = {"ticker.any_of": ",".join(f"T{n}" for n in range(251))}

    assert (await venue.get("/v3/snapshot", params=query)).status_code == 400


async def test_a_chain_is_paged_and_filtered(venue: httpx.AsyncClient) -> None:
    query = {"contract_type": "put", "strike_price.gte": 230, "expiration_date": "2025-07-18"}

    whole = await get(venue, "/v3/snapshot/options/AAPL", **query, limit=250)
    parts = await pages(venue, "/v3/snapshot/options/AAPL", **query)
    listed = await get(
        venue, "/v3/reference/options/contracts", **query, underlying_ticker="AAPL", limit=1000
    )

    joined = [row["details"]["ticker"] for part in parts for row in part["results"]]
    assert joined == [row["details"]["ticker"] for row in whole["results"]]
    assert joined == [row["ticker"] for row in listed["results"]] == sorted(joined)
    assert len(parts) > 1
    assert all(row["details"]["strike_price"] >= 230 for row in whole["results"])
    assert any(-1 < row["greeks"].get("delta", 0) < 0 for row in whole["results"])


async def test_reference_lists_page_sort_and_filter(venue: httpx.AsyncClient) -> None:
    parts = await pages(venue, "/v3/reference/tickers", market="stocks", limit=10)
    down = await get(venue, "/v3/reference/tickers", market="crypto", order="desc")
    middle = await get(
        venue, "/v3/reference/tickers", **{"ticker.gte": "B", "ticker.lt": "D", "market": "stocks"}
    )
    found = await get(venue, "/v3/reference/tickers", search="apple")
    gone = await get(venue, "/v3/reference/tickers", active="false")

    tickers = [row["ticker"] for part in parts for row in part["results"]]
    assert tickers == sorted(set(tickers))
    assert [part["count"] for part in parts[:-1]] == [10] * (len(parts) - 1)
    coins = [row["ticker"] for row in down["results"]]
    assert coins == sorted(coins, reverse=True)
    assert all("B" <= row["ticker"] < "D" for row in middle["results"])
    assert [row["ticker"] for row in found["results"]] == ["AAPL"]
    assert [row["ticker"] for row in gone["results"]] == ["TWTR"]


async def test_a_renamed_company_tells_both_names(venue: httpx.AsyncClient) -> None:
    events = (await get(venue, "/vX/reference/tickers/META/events"))["results"]["events"]

    assert [each["ticker_change"]["ticker"] for each in events] == ["META", "FB"]


async def test_splits_and_dividends_are_told_old_and_new(venue: httpx.AsyncClient) -> None:
    old = await get(venue, "/v3/reference/splits", ticker="NVDA")
    new = await get(venue, "/stocks/v1/splits", ticker="NVDA")
    reverse = await get(venue, "/v3/reference/splits", reverse_split="true")
    dividends = await get(venue, "/v3/reference/dividends", ticker="KO", limit=4)
    some = await get(venue, "/stocks/v1/dividends", **{"ticker.any_of": "KO,T", "limit": 5000})

    assert [row["execution_date"] for row in old["results"]] == ["2024-06-10", "2021-07-20"]
    assert [row["historical_adjustment_factor"] for row in new["results"]] == [
        Decimal("0.1"),
        Decimal("0.025"),
    ]
    assert [row["ticker"] for row in reverse["results"]] == ["GE"]
    dates = [row["ex_dividend_date"] for row in dividends["results"]]
    assert dates == sorted(dates, reverse=True)
    assert {row["ticker"] for row in some["results"]} == {"KO", "T"}


async def test_news_pages_go_back_in_time(venue: httpx.AsyncClient) -> None:
    first = await get(venue, "/v2/reference/news", ticker="AAPL", limit=3)
    second = await get(venue, first["next_url"])
    oldest = await get(
        venue,
        "/v2/reference/news",
        **{"order": "asc", "published_utc.gte": "2025-06-01", "limit": 2},
    )

    times = [each["published_utc"] for each in first["results"] + second["results"]]
    assert times == sorted(set(times), reverse=True)
    assert len(times) == 6
    assert all(each["tickers"] == ["AAPL"] for each in first["results"])
    assert oldest["results"][0]["published_utc"].startswith("2025-06-01T00:")


async def test_upcoming_holidays_are_a_bare_array(venue: httpx.AsyncClient) -> None:
    holidays = await get(venue, "/v1/marketstatus/upcoming")

    assert holidays[0] == {
        "exchange": "NYSE",
        "name": "Juneteenth",
        "date": "2025-06-19",
        "status": "closed",
    }
    early = next(row for row in holidays if row["status"] == "early-close")
    assert (early["date"], early["close"]) == ("2025-07-03", "2025-07-03T17:00:00.000Z")


@pytest.mark.parametrize(
    ("moment", "market", "early", "after"),
    [
        (datetime(2025, 6, 18, 18, tzinfo=UTC), "open", False, False),
        (datetime(2025, 6, 18, 9, tzinfo=UTC), "extended-hours", True, False),
        (datetime(2025, 6, 18, 21, tzinfo=UTC), "extended-hours", False, True),
        (datetime(2025, 6, 19, 18, tzinfo=UTC), "closed", False, False),
    ],
)
async def test_the_market_status_follows_new_york(
    moment: datetime, market: str, early: bool, after: bool
) -> None:
    clock = SimClock(moment, is_running=False)
    async with (
        Exchange(clock=clock, hours="nyse", venues=["polygon"]) as exchange,
        httpx.AsyncClient(base_url=exchange.addresses.polygon) as client,
    ):
        headers = {"Authorization": f"Bearer {exchange.polygon_key}"}
        status = (await client.get("/v1/marketstatus/now", headers=headers)).json()

    assert (status["market"], status["earlyHours"], status["afterHours"]) == (market, early, after)
    assert status["currencies"] == {"fx": "open", "crypto": "open"}
    assert status["serverTime"].endswith("-04:00")


async def test_indicators_are_computed_from_the_aggregates(venue: httpx.AsyncClient) -> None:
    bars = await get(venue, "/v2/aggs/ticker/AAPL/range/1/day/2025-05-01/2025-06-18", sort="desc")
    closes = [float(row["c"]) for row in bars["results"]]

    sma = (await get(venue, "/v1/indicators/sma/AAPL", window=5, limit=3))["results"]
    rsi = (await get(venue, "/v1/indicators/rsi/AAPL", limit=3))["results"]
    macd = (await get(venue, "/v1/indicators/macd/AAPL", limit=1))["results"]["values"][0]
    underlying = await venue.get(
        urlsplit(sma["underlying"]["url"])._replace(scheme="", netloc="").geturl()
    )

    means = [sum(closes[n : n + 5]) / 5 for n in range(3)]
    assert [float(row["value"]) for row in sma["values"]] == pytest.approx(means)
    assert [row["timestamp"] for row in sma["values"]] == [row["t"] for row in bars["results"][:3]]
    assert all(0 <= row["value"] <= 100 for row in rsi["values"])
    assert float(macd["histogram"]) == pytest.approx(float(macd["value"] - macd["signal"]))
    assert underlying.status_code == 200


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_indicator_pages_lose_and_repeat_nothing(
    venue: httpx.AsyncClient, order: str
) -> None:
    query = {"window": 5, "order": order, "timestamp.gte": "2025-06-01"}

    whole = await get(venue, "/v1/indicators/sma/AAPL", **query, limit=5000)
    parts = await pages(venue, "/v1/indicators/sma/AAPL", **query, limit=7)

    joined = [row["timestamp"] for part in parts for row in part["results"]["values"]]
    assert joined == [row["timestamp"] for row in whole["results"]["values"]]
    assert len(joined) == 18


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (
            "/v2/aggs/ticker/AAPL/range/1/day/2025-06-05/2025-06-04",
            "The parameter 'to' cannot be a time that occurs before 'from'",
        ),
        ("/v2/aggs/ticker/AAPL/range/1/day/soon/2025-06-04", "parse the time parameter: 'from'"),
        ("/v2/aggs/ticker/AAPL/range/1/eon/2025-06-04/2025-06-04", "'timespan' must be one of"),
        ("/v2/aggs/ticker/AAPL/range/0/day/2025-06-04/2025-06-04", "'multiplier' must be"),
        ("/v2/aggs/grouped/locale/us/market/stocks/soon", "Use YYYY-MM-DD"),
        ("/v3/trades/AAPL?limit=50001", "'limit' must be an integer between 1 and 50000"),
        ("/v3/trades/AAPL?order=up", "'order' must be one of asc, desc"),
        ("/v3/trades/AAPL?timestamp.gte=soon", "parse the parameter 'timestamp.gte'"),
        ("/v3/trades/AAPL?cursor=%25%25", "Invalid cursor"),
        ("/v3/trades/AAPL?cursor=cGFnZV9tYXJrZXI9eA", "Invalid cursor"),
        ("/v3/reference/tickers?active=maybe", "'active' must be true or false"),
        ("/v3/snapshot/options/AAPL?strike_price.gte=high", "Could not parse 'high' as a number"),
        ("/v1/conversion/AUD/USD?amount=much", "'amount' must be a number"),
        ("/v1/summaries", "'ticker.any_of' is required"),
        ("/v2/snapshot/locale/us/markets/stocks/sideways", "'direction' must be one of"),
    ],
)
async def test_a_bad_request_is_answered_under_error(
    venue: httpx.AsyncClient, target: str, text: str
) -> None:
    answer = await venue.get(target)

    assert (answer.status_code, answer.json()["status"]) == (400, "ERROR")
    assert text in answer.json()["error"]


@pytest.mark.parametrize(
    "target",
    [
        "/v1/open-close/AAPL/2030-01-02",
        "/v1/open-close/crypto/XXX/USD/2025-06-17",
        "/v2/last/trade/NOPE",
        "/v2/last/nbbo/X:BTCUSD",
        "/v1/last/crypto/XXX/USD",
        "/v1/last_quote/currencies/XXX/USD",
        "/v1/conversion/XXX/USD",
        "/v2/snapshot/locale/global/markets/crypto/tickers/X:NOPE/book",
        "/v3/snapshot/options/AAPL/O:NOPE",
        "/v3/reference/tickers/NOPE",
        "/v3/reference/options/contracts/O:NOPE",
        "/v1/related-companies/NOPE",
        "/vX/reference/tickers/NOPE/events",
    ],
)
async def test_what_is_not_there_is_answered_under_message(
    venue: httpx.AsyncClient, target: str
) -> None:
    answer = await venue.get(target)

    assert (answer.status_code, answer.json()["status"]) == (404, "NOT_FOUND")
    assert answer.json()["message"].endswith("not found.")


@pytest.mark.parametrize("text", ["0001-01-01", "9999-12-31", "99999999999999999999"])
async def test_no_date_is_too_far_away(venue: httpx.AsyncClient, text: str) -> None:
    for target in (
        f"/v2/aggs/ticker/AAPL/range/1/month/{text}/{text}",
        f"/v2/aggs/ticker/C:EURUSD/range/1/year/{text}/{text}",
        f"/v1/open-close/crypto/BTC/USD/{text}",
        f"/v3/trades/AAPL?timestamp.gte={text}",
        f"/v3/quotes/C:EURUSD?timestamp.lt={text}&limit=2",
        f"/v1/indicators/rsi/AAPL?timestamp={text}",
    ):
        assert (await venue.get(target)).status_code in (200, 400, 404)


async def test_keys_come_as_bearer_or_in_the_query(exchange: Exchange) -> None:
    path = f"{exchange.addresses.polygon}/v1/marketstatus/now"
    async with httpx.AsyncClient() as client:
        query = await client.get(path, params={"apiKey": exchange.polygon_key})
        none = await client.get(path)
        wrong = await client.get(path, headers={"Authorization": "Bearer nobody"})

    assert query.status_code == 200
    assert (none.status_code, none.json()["error"]) == (401, "API Key was not provided")
    assert (wrong.status_code, wrong.json()["error"]) == (401, "Unknown API Key")
    assert none.json()["status"] == "ERROR"
    assert none.headers["x-request-id"] == none.json()["request_id"]


async def test_a_delayed_plan_is_told_so_and_still_gets_data(
    exchange: Exchange, venue: httpx.AsyncClient
) -> None:
    exchange.state.plans["polygon"] = "delayed"

    bars = await get(venue, "/v2/aggs/ticker/AAPL/range/1/day/2025-06-01/2025-06-10")
    item = await get(venue, "/v3/snapshot", **{"ticker.any_of": "AAPL"})

    assert (bars["status"], bars["resultsCount"]) == ("DELAYED", 10)
    assert item["results"][0]["last_quote"]["timeframe"] == "DELAYED"


@pytest.mark.parametrize(
    "target",
    [
        "/v3/trades/AAPL",
        "/v2/last/nbbo/AAPL",
        "/v2/snapshot/locale/us/markets/stocks/tickers",
        "/v3/snapshot",
        "/v1/summaries?ticker.any_of=AAPL",
        "/v2/aggs/grouped/locale/us/market/stocks/2025-06-18",
        "/v2/aggs/ticker/AAPL/range/1/day/2026-01-01/2026-02-01",
    ],
)
async def test_the_free_plan_does_not_cover_everything(
    exchange: Exchange, venue: httpx.AsyncClient, target: str
) -> None:
    exchange.state.plans["polygon"] = "basic"

    answer = await venue.get(target)

    assert (answer.status_code, answer.json()["status"]) == (403, "NOT_AUTHORIZED")
    assert "upgrade" in answer.json()["message"]


async def test_a_limit_shows_only_in_the_refusal(
    exchange: Exchange, venue: httpx.AsyncClient
) -> None:
    exchange.state.limits.per_minute["polygon"] = 5

    answers = [await venue.get("/v1/marketstatus/now") for _ in range(6)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert "maximum requests per minute" in answers[-1].json()["error"]
    assert not any("retry-after" in a.headers or "x-ratelimit-limit" in a.headers for a in answers)


async def test_an_unknown_path_is_a_404_in_json(venue: httpx.AsyncClient) -> None:
    answer = await venue.get("/v9/nothing")

    assert (answer.status_code, answer.json()["status"]) == (404, "ERROR")
