"""The connector against the embedded exchange, over a real socket."""

from __future__ import annotations

import asyncio
import inspect
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from sentio_async import errors
from sentio_async.connectors.polygon import PolygonData

pytest.importorskip("starlette", reason="the embedded exchange needs the extra sim")

DAY = date(2025, 3, 14)
OPTIONS = {"underlying_ticker": "AAPL"}


@pytest.fixture
async def data(exchange):
    async with PolygonData(exchange.settings("polygon")) as connector:
        yield connector


async def taken(rows, most=5):
    """The first rows of a walk."""
    found = []
    async for row in rows:
        found.append(row)
        if len(found) == most:
            break
    await rows.aclose()
    return found


async def test_a_batch_has_a_quote_or_an_error_for_each_symbol(data):
    quotes = await data.get_quotes(["AAPL", "MSFT", "NOPE"])

    assert list(quotes) == ["AAPL", "MSFT", "NOPE"]
    assert 0 < quotes["AAPL"].bid <= quotes["AAPL"].ask
    assert quotes["MSFT"].provider == "polygon"
    assert isinstance(quotes.errors["NOPE"], errors.SymbolNotFoundError)


async def test_a_mixed_batch_has_every_market(data):
    quotes = await data.get_quotes(["AAPL", "C:EURUSD", "NOPE", "X:NOPE"])

    assert set(quotes.found) == {"AAPL", "C:EURUSD"}
    assert {type(error) for error in quotes.errors.values()} == {errors.SymbolNotFoundError}


async def test_fifty_callers_cause_one_request(exchange, data):
    before = len(exchange.state.requests)

    quotes = await asyncio.gather(*(data.get_quote("AAPL") for _ in range(50)))

    assert len({quote.time_ns for quote in quotes}) == 1
    assert len(exchange.state.requests) - before == 1


async def test_bars_over_several_pages_are_all_there_and_in_order(data):
    start = datetime(2025, 3, 14, 14, tzinfo=UTC)
    end = start + timedelta(minutes=59)
    whole = await data.get_bars("AAPL", "1Min", start=start, end=end)

    pages = [
        page async for page in data._pages(data._bars_call("AAPL", "1Min", start, end, limit=20))
    ]
    assert len(pages) == 3
    assert [bar for page in pages for bar in page] == list(whole)
    assert list(whole.times_ns) == sorted(whole.times_ns)
    assert len(whole) == 60


async def test_the_latest_bars_are_the_latest(data):
    latest = await data.get_bars("AAPL", "1Day", limit=5)
    longer = await data.get_bars("AAPL", "1Day", limit=10)

    assert list(latest.times_ns) == list(longer.times_ns)[-5:]


async def test_a_limit_cuts_bars_that_have_a_start(data):
    start = DAY - timedelta(days=30)
    whole = await data.get_bars("AAPL", start=start, end=DAY)

    assert list(await data.get_bars("AAPL", start=start, end=DAY, limit=3)) == list(whole[:3])
    assert [bar async for bar in data.iter_bars("AAPL", start=start, end=DAY)] == list(whole)
    assert await taken(data.iter_bars("AAPL", limit=2), most=9)


async def test_bars_of_what_is_not_there_are_truly_none(data):
    bars = await data.get_bars("NOPE", start=DAY, end=DAY)

    assert len(bars) == 0
    assert (bars.symbol, bars.step) == ("NOPE", "1Day")


async def test_ticks_are_walked_over_pages_to_the_nanosecond(data):
    end = datetime.now(UTC)
    start = end - timedelta(minutes=2)
    trades = [trade async for trade in data.iter_trades("AAPL", start=start, end=end)]

    few = await taken(data.iter_trades("AAPL", start=start, end=end, limit=7), most=99)
    assert few == trades[:7]
    assert [t.time_ns for t in trades] == sorted(t.time_ns for t in trades)
    back = [trade async for trade in data.iter_trades("AAPL", start=start, end=end, order="desc")]
    assert back == trades[::-1]
    assert await taken(data.iter_quotes("AAPL", start=start, end=end))


async def test_latest_of_one(data):
    assert (await data.get_quote("X:BTCUSD")).bid > 0
    assert (await data.get_quote("C:EURUSD")).bid > 0
    assert (await data.get_trade("X:BTCUSD")).price > 0
    assert (await data.get_trade("AAPL")).time_ns > 0
    assert (await data.get_snapshot("AAPL")).day_bar is not None
    assert (await data.get_snapshot("I:SPX")).symbol == "I:SPX"
    assert (await data.get_last_crypto_trade("BTC")).symbol == "X:BTCUSD"
    with pytest.raises(errors.SymbolNotFoundError):
        await data.get_quote("NOPE")
    with pytest.raises(errors.SymbolNotFoundError):
        await data.get_snapshot("NOPE")


async def test_whole_markets_and_days(data):
    assert await data.get_market_snapshots()
    assert await data.get_market_snapshots("crypto")
    assert await data.get_gainers()
    assert await data.get_losers("forex")
    assert await data.get_grouped_daily(DAY)
    assert await data.get_grouped_daily(DAY, "fx")
    assert (await data.get_previous_day("AAPL")).symbol == "AAPL"
    assert (await data.get_open_close("AAPL", DAY)).on == DAY
    assert (await data.get_crypto_open_close("BTC", "USD", DAY)).on == DAY
    assert (await data.get_order_book("X:BTCUSD")).bids
    assert (await data.convert("EUR", "USD", Decimal("10.5"))).converted > 0
    assert await data.get_market_holidays()
    assert (await data.get_market_status()).is_open


async def test_options_from_their_list_to_their_ticks(data):
    (contract,) = await taken(data.iter_option_contracts(limit=1, **OPTIONS))
    option = contract.ticker

    assert (await data.get_option_contract(option)).strike_price == contract.strike_price
    assert (await data.get_option_snapshot(option)).symbol == option
    assert (await data.get_quote(option)).symbol == option
    assert await taken(data.iter_option_chain("AAPL", strike_price=contract.strike_price))
    assert await taken(data.iter_option_trades(option, limit=2))
    assert await taken(data.iter_option_quotes(option, limit=2))


async def test_indices_and_summaries_have_errors_of_their_own(data):
    values = await data.get_index_values(["I:SPX", "I:NOPE"])
    summaries = await data.get_summaries(["AAPL", "X:BTCUSD", "NOPE"])

    assert values["I:SPX"].value
    assert list(values.errors) == ["I:NOPE"]
    assert set(summaries.found) == {"AAPL", "X:BTCUSD"}


@pytest.mark.parametrize("name", ["sma", "ema", "rsi", "macd"])
async def test_indicators_have_values(data, name):
    walk = getattr(data, f"iter_{name}")("AAPL", start=DAY - timedelta(days=20), end=DAY)

    assert await taken(walk)


LISTS = sorted(
    name
    for name, function in inspect.getmembers(PolygonData)
    if name.startswith("iter_") and "filters" in inspect.signature(function).parameters
    if name != "iter_option_chain"
)


@pytest.mark.parametrize("name", LISTS)
async def test_every_list_has_rows_and_refuses_unknown_filters(data, name):
    assert await taken(getattr(data, name)(limit=2))
    with pytest.raises(errors.InvalidRequestError):
        await taken(getattr(data, name)(colour="red"))


async def test_a_list_goes_on_after_its_first_page(data):
    from sentio_async.connectors.polygon.wire import reference

    pages = [page async for page in data._pages(reference.tickers(limit=10, market="stocks"))]

    assert len(pages) > 1
    names = [row.ticker for page in pages for row in page]
    assert names == sorted(set(names))


async def test_reference_of_one(data):
    assert (await data.get_ticker("AAPL")).ticker == "AAPL"
    assert await data.get_ticker_types()
    assert await data.get_exchanges(asset_class="options")
    assert await data.get_related_companies("AAPL")
    assert (await data.get_ticker_events("META"))[0].events
    for market in ("stocks", "options", "crypto", "forex"):
        assert await taken(data.iter_exchanges(market))
    with pytest.raises(errors.SymbolNotFoundError):
        await data.get_ticker("NOPE")


async def test_a_wrong_key_is_refused_when_connecting(exchange):
    settings = {**exchange.settings("polygon"), "api_key": "wrong"}

    with pytest.raises(errors.AuthenticationError, match="Unknown API Key"):
        await PolygonData(settings).connect()


async def test_its_health_is_seen(data):
    report = await data.health_check()

    assert report.status.value == "healthy"
    assert data.get_status().is_connected
