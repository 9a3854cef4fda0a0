"""The embedded Alpaca data host keeps to what Alpaca documents."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from sentio_async.sim.clock import SimClock
from sentio_async.sim.exchange import Exchange
from sentio_async.sim.market import Bar
from tests.described import Description

# A Wednesday afternoon in New York.
NOW = datetime(2025, 6, 18, 18, 30, 15, tzinfo=UTC)

# What the description has and this exchange has not, with the reason.
UNSERVED = {
    "/v1beta1/crypto-perps/{loc}/latest/bars": "no perpetuals are listed",
    "/v1beta1/crypto-perps/{loc}/latest/orderbooks": "no perpetuals are listed",
    "/v1beta1/crypto-perps/{loc}/latest/pricing": "no perpetuals are listed",
    "/v1beta1/crypto-perps/{loc}/latest/quotes": "no perpetuals are listed",
    "/v1beta1/crypto-perps/{loc}/latest/trades": "no perpetuals are listed",
    "/v1beta1/logos/{symbol}": "an image, and nobody here has a logo",
}
OPTION = "AAPL250620C00230000"
SERVED = [
    "/v2/stocks/bars?symbols=AAPL,MSFT&timeframe=5Min&limit=100",
    "/v2/stocks/bars?symbols=AAPL&timeframe=1Week&start=2024-01-01",
    "/v2/stocks/AAPL/bars?timeframe=1Day&start=2025-01-01&currency=USD",
    "/v2/stocks/trades?symbols=AAPL,T&limit=50",
    "/v2/stocks/AAPL/trades?limit=50",
    "/v2/stocks/quotes?symbols=AAPL,BRK.B&limit=50",
    "/v2/stocks/AAPL/quotes?limit=50&sort=desc",
    "/v2/stocks/auctions?symbols=AAPL,SPY&start=2025-06-01",
    "/v2/stocks/AAPL/auctions?start=2025-06-01",
    "/v2/stocks/bars/latest?symbols=AAPL,SPY",
    "/v2/stocks/AAPL/bars/latest",
    "/v2/stocks/trades/latest?symbols=AAPL,SPY&feed=iex",
    "/v2/stocks/AAPL/trades/latest?feed=delayed_sip",
    "/v2/stocks/quotes/latest?symbols=AAPL,SPY&feed=delayed_sip",
    "/v2/stocks/AAPL/quotes/latest",
    "/v2/stocks/snapshots?symbols=AAPL,ZZZZ",
    "/v2/stocks/AAPL/snapshot",
    "/v2/stocks/meta/exchanges",
    "/v2/stocks/meta/conditions/trade?tape=A",
    "/v1beta3/crypto/us/bars?symbols=BTC/USD,ETH/USD&timeframe=1Hour",
    "/v1beta3/crypto/us/trades?symbols=BTC/USD&limit=50",
    "/v1beta3/crypto/us/quotes?symbols=BTC/USD&limit=50",
    "/v1beta3/crypto/us/latest/bars?symbols=BTC/USD",
    "/v1beta3/crypto/us/latest/trades?symbols=BTC/USD",
    "/v1beta3/crypto/us/latest/quotes?symbols=BTC/USD",
    "/v1beta3/crypto/us/latest/orderbooks?symbols=BTC/USD",
    "/v1beta3/crypto/us/snapshots?symbols=BTC/USD,XXX/USD",
    f"/v1beta1/options/bars?symbols={OPTION}&timeframe=1Hour",
    f"/v1beta1/options/trades?symbols={OPTION}&limit=50",
    f"/v1beta1/options/quotes/latest?symbols={OPTION}",
    f"/v1beta1/options/trades/latest?symbols={OPTION}",
    f"/v1beta1/options/snapshots?symbols={OPTION}",
    "/v1beta1/options/snapshots/AAPL?limit=50",
    "/v1beta1/options/meta/exchanges",
    "/v1beta1/options/meta/conditions/quote",
    "/v1beta1/news?limit=5&include_content=true",
    "/v1/corporate-actions?start=2020-01-01&end=2025-06-01&limit=1000",
    "/v1beta1/screener/stocks/movers",
    "/v1beta1/screener/stocks/most-actives?by=trades",
    "/v1beta1/forex/latest/rates?currency_pairs=EURUSD,USDJPY",
    "/v1beta1/forex/rates?currency_pairs=EURUSD&timeframe=5Sec&limit=20",
    "/v1beta1/indices/latest/values?symbols=SPX,NDX",
    "/v1beta1/indices/values?symbols=SPX&limit=20",
    "/v1beta1/fixed_income/latest/prices?isins=US912810TM09",
    "/v1beta1/fixed_income/latest/quotes?isins=US912810TM09&trade_size=1",
]


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    clock = SimClock(NOW, is_running=False)
    async with Exchange(clock=clock, venues=["alpaca_data"]) as running:
        yield running


@pytest.fixture
async def venue(exchange: Exchange) -> AsyncIterator[httpx.AsyncClient]:
    headers = {
        "APCA-API-KEY-ID": exchange.alpaca_key,
        "APCA-API-SECRET-KEY": exchange.alpaca_secret,
    }
    async with httpx.AsyncClient(
        base_url=exchange.addresses.alpaca_data, headers=headers
    ) as client:
        yield client


async def get(venue: httpx.AsyncClient, path: str, **query: Any) -> Any:
    answer = await venue.get(path, params=query or None)
    assert answer.status_code == 200, answer.text
    return answer.json(parse_float=Decimal)


async def pages(venue: httpx.AsyncClient, path: str, **query: Any) -> list[Any]:
    found = [await get(venue, path, **query)]
    while token := found[-1]["next_page_token"]:
        found.append(await get(venue, path, **query, page_token=token))
        assert len(found) < 200
    return found


async def test_every_answer_is_as_described(venue: httpx.AsyncClient, shared: Path) -> None:
    described = Description.load(shared, "alpaca-market-data.json")
    wrong = {}

    for target in SERVED:
        answer = await venue.get(target)
        found = described.check_request("GET", target)
        found += described.check_answer("GET", target, answer.status_code, answer.json())
        if answer.status_code != 200 or found:
            wrong[target] = (answer.status_code, found)

    assert wrong == {}


def test_every_described_path_is_served_or_left_out_for_a_reason(shared: Path) -> None:
    described = Description.load(shared, "alpaca-market-data.json")
    served = {described.find("GET", target.partition("?")[0]) for target in SERVED}
    all_paths = {path for _, path in described.operations()}

    assert served | set(UNSERVED) == all_paths
    assert not served & set(UNSERVED)


async def test_a_page_is_filled_symbol_by_symbol(venue: httpx.AsyncClient) -> None:
    query = {"symbols": "MSFT,AAPL", "timeframe": "1Min", "start": "2025-06-18T14:00:00Z"}
    query["end"] = "2025-06-18T14:09:00Z"

    first, second, third = await pages(venue, "/v2/stocks/bars", **query, limit=8)

    assert [len(first["bars"]["AAPL"]), list(first["bars"])] == [8, ["AAPL"]]
    assert {symbol: len(rows) for symbol, rows in second["bars"].items()} == {"AAPL": 2, "MSFT": 6}
    assert {symbol: len(rows) for symbol, rows in third["bars"].items()} == {"MSFT": 4}


@pytest.mark.parametrize("sort", ["asc", "desc"])
@pytest.mark.parametrize("kind", ["trades", "quotes"])
async def test_pages_lose_and_repeat_nothing(
    venue: httpx.AsyncClient, kind: str, sort: str
) -> None:
    query = {"symbols": "AAPL,SPY", "start": "2025-06-18T14:00:00Z", "sort": sort}
    query["end"] = "2025-06-18T14:03:00Z"

    whole = await get(venue, f"/v2/stocks/{kind}", **query, limit=10_000)
    parts = await pages(venue, f"/v2/stocks/{kind}", **query, limit=37)

    for symbol in ("AAPL", "SPY"):
        joined = [row for part in parts for row in part[kind].get(symbol, [])]
        assert joined == whole[kind][symbol]
        times = [row["t"].rstrip("Z").partition(".") for row in joined]
        keys = [(second, fraction.ljust(9, "0")) for second, _, fraction in times]
        assert keys == sorted(keys, reverse=sort == "desc")


async def test_descending_pages_are_the_ascending_ones_backwards(
    venue: httpx.AsyncClient,
) -> None:
    query = {"timeframe": "1Day", "start": "2025-01-01", "end": "2025-06-17"}

    up = await get(venue, "/v2/stocks/AAPL/bars", **query)
    down = await pages(venue, "/v2/stocks/AAPL/bars", **query, sort="desc", limit=50)

    assert [row for part in down for row in part["bars"]] == up["bars"][::-1]
    assert up["bars"][0]["t"] == "2025-01-01T05:00:00Z"
    assert up["bars"][-1]["t"] == "2025-06-17T04:00:00Z"


async def test_both_ends_are_inclusive(venue: httpx.AsyncClient) -> None:
    query = {"timeframe": "1Min", "start": "2025-06-18T14:00:00Z", "end": "2025-06-18T14:02:00Z"}

    found = await get(venue, "/v2/stocks/AAPL/bars", **query)

    assert [row["t"][11:16] for row in found["bars"]] == ["14:00", "14:01", "14:02"]


async def test_longer_bars_are_made_of_days(venue: httpx.AsyncClient) -> None:
    days = await get(venue, "/v2/stocks/AAPL/bars", timeframe="1Day", start="2025-01-01")
    months = await get(venue, "/v2/stocks/AAPL/bars", timeframe="3Month", start="2025-01-01")

    quarter = [row for row in days["bars"] if row["t"] < "2025-04-01T04:00:00Z"]
    first = months["bars"][0]
    assert [row["t"][:10] for row in months["bars"]] == ["2025-01-01", "2025-04-01"]
    assert (first["o"], first["c"]) == (quarter[0]["o"], quarter[-1]["c"])
    assert (first["h"], first["l"]) == (
        max(row["h"] for row in quarter),
        min(row["l"] for row in quarter),
    )
    assert first["v"] == sum(row["v"] for row in quarter)


async def test_one_bad_symbol_fails_the_batch_and_is_named(venue: httpx.AsyncClient) -> None:
    answer = await venue.get("/v2/stocks/quotes/latest", params={"symbols": "AAPL,BAD!,MSFT"})

    assert (answer.status_code, answer.json()) == (400, {"message": "invalid symbol: BAD!"})


@pytest.mark.parametrize("kind", ["bars", "trades", "quotes"])
async def test_a_symbol_without_data_is_absent(venue: httpx.AsyncClient, kind: str) -> None:
    latest = await get(venue, f"/v2/stocks/{kind}/latest", symbols="AAPL,ZZZZ")
    query = {"symbols": "ZZZZ", "timeframe": "1Day"}
    history = await get(venue, f"/v2/stocks/{kind}", **query)
    one = await venue.get(f"/v2/stocks/ZZZZ/{kind}/latest")

    assert list(latest[kind]) == ["AAPL"]
    assert history == {kind: {}, "next_page_token": None}
    assert one.status_code == 404


async def test_snapshots_are_a_bare_map_and_agree_with_the_latest(
    venue: httpx.AsyncClient,
) -> None:
    snapshots = await get(venue, "/v2/stocks/snapshots", symbols="AAPL,ZZZZ")
    trade = await get(venue, "/v2/stocks/AAPL/trades/latest")
    quote = await get(venue, "/v2/stocks/AAPL/quotes/latest")

    assert list(snapshots) == ["AAPL"]
    assert snapshots["AAPL"]["latestTrade"] == trade["trade"]
    assert snapshots["AAPL"]["latestQuote"] == quote["quote"]
    assert quote["quote"]["bp"] <= trade["trade"]["p"] <= quote["quote"]["ap"]
    assert snapshots["AAPL"]["dailyBar"]["c"] == trade["trade"]["p"]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("/v2/stocks/bars?timeframe=1Day", "symbols is required"),
        ("/v2/stocks/bars?symbols=AAPL&timeframe=90Min", "invalid timeframe: 90Min"),
        ("/v2/stocks/bars?symbols=AAPL&timeframe=1Day&adjustment=no", "invalid adjustment: no"),
        ("/v2/stocks/trades?symbols=AAPL&feed=moon", "invalid feed: moon"),
        ("/v2/stocks/trades?symbols=AAPL&sort=up", "invalid sort: up"),
        ("/v2/stocks/trades?symbols=AAPL&start=soon", "invalid start: soon"),
        ("/v2/stocks/trades?symbols=AAPL&page_token=%25", "invalid page_token"),
        (
            "/v2/stocks/trades?symbols=AAPL&limit=10001",
            "invalid limit: must be between 1 and 10000",
        ),
        (
            "/v2/stocks/trades?symbols=AAPL&start=2025-06-02&end=2025-06-01",
            "end should not be before start",
        ),
        ("/v2/stocks/AAPL/bars?timeframe=1Day&currency=dollar", "invalid currency: dollar"),
        ("/v1beta3/crypto/us/latest/quotes?symbols=BTCUSD", "invalid symbol: BTCUSD"),
        ("/v1beta3/crypto/mars/latest/quotes?symbols=BTC/USD", "invalid location: mars"),
        ("/v1beta1/options/trades/latest?symbols=AAPL", "invalid symbol: AAPL"),
        ("/v1beta1/options/meta/conditions/x", "invalid ticktype: x"),
        ("/v2/stocks/meta/conditions/trade", "invalid tape: must be A, B or C"),
        ("/v1beta1/news?limit=51", "invalid limit: must be between 1 and 50"),
        ("/v1beta1/screener/bonds/movers", "invalid market type: bonds"),
        ("/v1/corporate-actions?types=gift", "invalid type: gift"),
        (
            "/v1/corporate-actions?ids=1&symbols=AAPL",
            "ids cannot be combined with other filters",
        ),
    ],
)
async def test_a_bad_request_is_answered_in_words(
    venue: httpx.AsyncClient, target: str, message: str
) -> None:
    answer = await venue.get(target)

    assert (answer.status_code, answer.json()) == (400, {"message": message})


@pytest.mark.parametrize("text", ["0001-01-01", "9999-12-31", "9999-12-31T23:59:59-23:00"])
@pytest.mark.parametrize("name", ["start", "end"])
async def test_no_date_is_too_far_away(venue: httpx.AsyncClient, name: str, text: str) -> None:
    for path in ("/v2/stocks/AAPL/trades", "/v2/stocks/AAPL/bars", "/v1beta3/crypto/us/quotes"):
        query = {"symbols": "BTC/USD", "timeframe": "1Week", "limit": 1, name: text}

        assert (await venue.get(path, params=query)).status_code in (200, 400)


async def test_keys_come_as_headers_bearer_or_basic(
    exchange: Exchange, venue: httpx.AsyncClient
) -> None:
    key, secret = exchange.alpaca_key, exchange.alpaca_secret
    pair = base64.b64encode(f"{key}:{secret}".encode()).decode()
    wrong_pair = base64.b64encode(f"{key}:no".encode()).decode()
    path = f"{exchange.addresses.alpaca_data}/v2/stocks/meta/exchanges"

    async def status(headers: dict[str, str]) -> int:
        async with httpx.AsyncClient() as client:
            answer = await client.get(path, headers=headers)
        assert answer.status_code == 200 or answer.json() == {"message": "unauthorized"}
        return answer.status_code

    assert await status({"Authorization": f"Bearer {key}"}) == 200
    assert await status({"Authorization": f"Basic {pair}"}) == 200
    assert await status({}) == 401
    assert await status({"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": "no"}) == 401
    assert await status({"Authorization": "Bearer nobody"}) == 401
    assert await status({"Authorization": f"Basic {wrong_pair}"}) == 401
    assert await status({"Authorization": "Basic %"}) == 401


async def test_crypto_needs_no_key_but_refuses_a_wrong_one(exchange: Exchange) -> None:
    path = f"{exchange.addresses.alpaca_data}/v1beta3/crypto/us/latest/quotes?symbols=BTC/USD"
    async with httpx.AsyncClient() as client:
        assert (await client.get(path)).status_code == 200
        assert (await client.get(path, headers={"Authorization": "Bearer x"})).status_code == 401


async def test_the_free_plan_stays_a_quarter_of_an_hour_behind_sip(
    exchange: Exchange, venue: httpx.AsyncClient
) -> None:
    exchange.state.plans["alpaca"] = "basic"
    recent = {"symbols": "AAPL", "end": "2025-06-18T18:30:00Z"}

    refused = await venue.get("/v2/stocks/trades", params=recent)
    latest = await venue.get("/v2/stocks/quotes/latest", params={"symbols": "AAPL", "feed": "sip"})
    late = await get(venue, "/v2/stocks/trades", symbols="AAPL", sort="desc", limit=1)
    iex = await get(venue, "/v2/stocks/quotes/latest", symbols="AAPL")
    chain = await venue.get("/v1beta1/options/snapshots/AAPL", params={"feed": "opra"})

    words = {"message": "subscription does not permit querying recent SIP data"}
    assert (refused.status_code, refused.json()) == (403, words)
    assert (latest.status_code, latest.json()) == (403, words)
    assert late["trades"]["AAPL"][0]["t"] < "2025-06-18T18:15:16"
    assert iex["quotes"]["AAPL"]["ax"] == "V"
    assert chain.status_code == 403


async def test_iex_sees_a_small_part_of_the_volume(venue: httpx.AsyncClient) -> None:
    query = {"symbols": "AAPL", "timeframe": "1Day", "start": "2025-06-02", "end": "2025-06-02"}

    sip = await get(venue, "/v2/stocks/bars", **query)
    iex = await get(venue, "/v2/stocks/bars", **query, feed="iex")

    ratio = iex["bars"]["AAPL"][0]["v"] / sip["bars"]["AAPL"][0]["v"]
    assert 0.03 < ratio < 0.04


async def test_raw_prices_jump_at_a_split_and_adjusted_ones_do_not(
    venue: httpx.AsyncClient,
) -> None:
    # NVDA split ten for one on 10 June 2024.
    query = {"timeframe": "1Day", "start": "2024-06-07", "end": "2024-06-10"}

    raw = (await get(venue, "/v2/stocks/NVDA/bars", **query))["bars"]
    adjusted = (await get(venue, "/v2/stocks/NVDA/bars", **query, adjustment="all"))["bars"]

    assert raw[0]["c"] == adjusted[0]["c"] * 10
    assert raw[0]["v"] * 10 == pytest.approx(adjusted[0]["v"], abs=10)
    assert raw[-1] == adjusted[-1]


async def test_trades_before_a_split_have_the_prices_of_their_day(
    venue: httpx.AsyncClient,
) -> None:
    span = {"start": "2024-06-07T14:00:00Z", "end": "2024-06-07T14:00:59.999Z"}

    bar = (await get(venue, "/v2/stocks/NVDA/bars", **span, timeframe="1Min"))["bars"][0]
    trades = (await get(venue, "/v2/stocks/NVDA/trades", **span))["trades"]
    quotes = (await get(venue, "/v2/stocks/NVDA/quotes", **span))["quotes"]

    prices = [row["p"] for row in trades]
    assert (prices[0], max(prices), min(prices), prices[-1]) == tuple(bar[k] for k in "ohlc")
    assert all(row["bp"] <= bar["h"] and row["ap"] >= bar["l"] for row in quotes)


async def test_recorded_bars_are_told_as_they_were_recorded() -> None:
    # Five sessions around AAPL's split of June 2014, already adjusted for it.
    days = [datetime(2014, 6, day, 4, tzinfo=UTC) for day in (5, 6, 9, 10, 11)]
    price = Decimal("92.5")
    bars = [
        Bar(int(day.timestamp()) * 10**9, price, price + 1, price - 1, price, 7_000_000, 900, price)
        for day in days
    ]
    async with Exchange(replay={"AAPL": bars}, venues=["alpaca_data"]) as exchange:
        exchange.state.clock.advance(3600)
        headers = {
            "APCA-API-KEY-ID": exchange.alpaca_key,
            "APCA-API-SECRET-KEY": exchange.alpaca_secret,
        }
        base = exchange.addresses.alpaca_data
        async with httpx.AsyncClient(base_url=base, headers=headers) as client:
            found = await get(client, "/v2/stocks/AAPL/bars", timeframe="1Day", start="2014-06-01")

    assert len(found["bars"]) >= 3
    assert all(row["o"] == price for row in found["bars"])


async def test_a_chain_is_paged_and_filtered(venue: httpx.AsyncClient) -> None:
    query = {"type": "call", "expiration_date_lte": "2025-06-20", "strike_price_gte": 230}

    whole = await get(venue, "/v1beta1/options/snapshots/AAPL", **query, limit=1000)
    parts = await pages(venue, "/v1beta1/options/snapshots/AAPL", **query, limit=3)

    joined = [symbol for part in parts for symbol in part["snapshots"]]
    assert len(parts) > 1
    assert joined == list(whole["snapshots"]) == sorted(joined)
    assert {symbol[4:11] for symbol in joined} == {"250620C"}
    assert all(int(symbol[11:]) >= 230_000 for symbol in joined)


async def test_greeks_mean_what_they_should(venue: httpx.AsyncClient) -> None:
    query = {"expiration_date_gte": "2025-07-01", "limit": 1000}
    chain = (await get(venue, "/v1beta1/options/snapshots/AAPL", **query))["snapshots"]
    rows = {symbol: row for symbol, row in chain.items() if "greeks" in row}
    month = min(symbol[4:10] for symbol in rows)
    calls = [row["greeks"] for symbol, row in rows.items() if symbol[4:11] == f"{month}C"]

    assert len(calls) > 5
    assert all(earlier["delta"] >= later["delta"] for earlier, later in pairwise(calls))
    assert all(0 <= row["delta"] <= 1 and row["gamma"] >= 0 for row in calls)
    assert all(-1 <= rows[s]["greeks"]["delta"] <= 0 for s in rows if s[10] == "P")


async def test_news_is_paged_newest_first(venue: httpx.AsyncClient) -> None:
    first = await get(venue, "/v1beta1/news", symbols="AAPL,BTCUSD", limit=3)
    token = first["next_page_token"]
    second = await get(venue, "/v1beta1/news", symbols="AAPL,BTCUSD", limit=3, page_token=token)
    oldest = await get(venue, "/v1beta1/news", sort="asc", start="2025-06-17", limit=2)

    times = [each["created_at"] for each in first["news"] + second["news"]]
    assert times == sorted(times, reverse=True)
    assert len(set(times)) == 6
    assert {s for each in first["news"] for s in each["symbols"]} <= {"AAPL", "BTCUSD"}
    assert oldest["news"][0]["created_at"] < oldest["news"][1]["created_at"]


async def test_corporate_actions_page_over_all_kinds(venue: httpx.AsyncClient) -> None:
    query = {"start": "2020-08-01", "end": "2022-12-31"}

    whole = await get(venue, "/v1/corporate-actions", **query, limit=1000)
    parts = await pages(venue, "/v1/corporate-actions", **query, limit=20)
    ids = [row["id"] for rows in whole["corporate_actions"].values() for row in rows]
    one = await get(venue, "/v1/corporate-actions", ids=ids[0])
    splits = await get(venue, "/v1/corporate-actions", **query, types="forward_split")

    paged = [r["id"] for part in parts for rows in part["corporate_actions"].values() for r in rows]
    assert sorted(paged) == sorted(ids)
    assert [r["id"] for rows in one["corporate_actions"].values() for r in rows] == ids[:1]
    assert {row["symbol"] for row in splits["corporate_actions"]["forward_splits"]} >= {"AAPL"}
    assert set(whole["corporate_actions"]) == {
        "cash_dividends",
        "forward_splits",
        "name_changes",
        "reverse_splits",
    }


async def test_movers_moved_and_actives_are_ranked(venue: httpx.AsyncClient) -> None:
    movers = await get(venue, "/v1beta1/screener/stocks/movers", top=3)
    actives = await get(venue, "/v1beta1/screener/stocks/most-actives", top=5)

    gains = [row["percent_change"] for row in movers["gainers"]]
    volumes = [row["volume"] for row in actives["most_actives"]]
    assert gains == sorted(gains, reverse=True)
    assert all(row["change"] < 0 for row in movers["losers"])
    assert volumes == sorted(volumes, reverse=True)
    assert len(volumes) == 5


async def test_nothing_is_told_before_it_happened(
    exchange: Exchange, venue: httpx.AsyncClient
) -> None:
    query = {"symbols": "AAPL", "end": "2025-06-30"}

    found = await get(venue, "/v2/stocks/trades", **query, sort="desc", limit=1)
    exchange.state.clock.advance(60)
    later = await get(venue, "/v2/stocks/trades", **query, sort="desc", limit=1)

    assert found["trades"]["AAPL"][0]["t"] <= "2025-06-18T18:30:15"
    assert "2025-06-18T18:30:15" < later["trades"]["AAPL"][0]["t"] < "2025-06-18T18:31:16"


async def test_the_limit_is_told_and_enforced(exchange: Exchange, venue: httpx.AsyncClient) -> None:
    exchange.state.limits.per_minute["alpaca_data"] = 2
    path = "/v2/stocks/meta/exchanges"

    first, _, third = [await venue.get(path) for _ in range(3)]

    assert (first.headers["x-ratelimit-limit"], first.headers["x-ratelimit-remaining"]) == (
        "2",
        "1",
    )
    assert third.status_code == 429


async def test_an_unknown_path_is_a_404_in_json(venue: httpx.AsyncClient) -> None:
    answer = await venue.get("/v9/nothing")

    assert (answer.status_code, answer.json()) == (404, {"message": "endpoint not found."})


async def test_every_answer_has_an_id_of_its_own(venue: httpx.AsyncClient) -> None:
    answers = [await venue.get(path) for path in ("/v2/stocks/meta/exchanges", "/v9/nothing")]

    assert len({answer.headers["x-request-id"] for answer in answers}) == 2


async def test_silent_feeds_have_nothing(venue: httpx.AsyncClient) -> None:
    latest = await get(venue, "/v2/stocks/quotes/latest", symbols="AAPL", feed="otc")
    history = await get(venue, "/v2/stocks/trades", symbols="AAPL", feed="boats", limit=1)

    assert latest == {"quotes": {}}
    assert history == {"trades": {}, "next_page_token": None}
