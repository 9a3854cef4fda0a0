"""Downloads from vendors: the same bars as `get_bars`, and from whoever has `iter_bars`."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from history.books import START, bars_of, rows_in
from sentio_async import errors
from sentio_async.base import DataProviderConnector
from sentio_async.config import ConnectorConfig
from sentio_async.connectors.alpaca.data import AlpacaData
from sentio_async.connectors.polygon.data import PolygonData
from sentio_async.events import BarsStored

pytest.importorskip("pyarrow")

SPAN = {"start": datetime(2025, 3, 10, tzinfo=UTC), "end": datetime(2025, 3, 19, tzinfo=UTC)}


@pytest.fixture(params=["alpaca", "polygon"])
def data(request, exchange):
    kind = {"alpaca": AlpacaData, "polygon": PolygonData}[request.param]
    return kind(exchange.settings(request.param))


def times_of(rows):
    return [int(datetime.fromisoformat(str(row["time"])).timestamp()) * 10**9 for row in rows]


@pytest.mark.exchange(venues=["alpaca_trading", "alpaca_data", "polygon"])
async def test_what_is_stored_is_what_get_bars_gives(data, tmp_path):
    heard = []
    async with data:
        stored = await data.download_bars(
            ["AAPL", "NOPE", "MSFT", "not one"],
            "1Min",
            tmp_path,
            rows_per_file=1_000,
            on_progress=heard.append,
            **SPAN,
        )
        bars = {symbol: await data.get_bars(symbol, "1Min", **SPAN) for symbol in ("AAPL", "MSFT")}

    assert list(stored) == ["AAPL", "NOPE", "MSFT", "not one"]
    assert isinstance(stored.errors["not one"], errors.InvalidRequestError)
    found = rows_in(tmp_path)
    for symbol, wanted in bars.items():
        assert stored[symbol].rows == len(wanted) > 1_000
        assert times_of(found[symbol]) == list(wanted.times_ns)
        assert [row["close"] for row in found[symbol]] == list(wanted.close)
    assert {event.symbol for event in heard if event.is_complete} >= {"AAPL", "MSFT"}
    assert all(isinstance(event, BarsStored) for event in heard)


@pytest.mark.exchange(venues=["alpaca_trading", "alpaca_data", "polygon"])
async def test_a_download_that_is_broken_off_ends_with_the_same_bars(data, tmp_path):
    async def store(folder, **more):
        return await data.download_bars(["AAPL", "MSFT"], "1Min", tmp_path / folder, **SPAN, **more)

    async with data:
        await store("whole")
        task = asyncio.create_task(store("broken", on_progress=lambda _: task.cancel()))
        await asyncio.wait((task,))
        assert task.cancelled()
        before = rows_in(tmp_path / "broken")
        assert (await store("broken")).is_complete

    assert sum(map(len, before.values())) > 0
    assert rows_in(tmp_path / "broken") == rows_in(tmp_path / "whole")


@pytest.mark.exchange(venues=["alpaca_trading", "alpaca_data", "polygon"])
async def test_alpaca_is_asked_for_many_symbols_in_few_requests(exchange, tmp_path):
    symbols = ["AAPL", "MSFT", "NVDA", "AMZN", "TSLA", "KO", "B@D", "SPY", "BTC/USD", "ETH/USD"]
    async with AlpacaData(exchange.settings("alpaca")) as data:
        exchange.state.requests.clear()
        stored = await data.download_bars(symbols, "1Hour", tmp_path, pages_at_once=2, **SPAN)
        paths = [seen.path for seen in exchange.state.requests]
        alone = {symbol: await data.get_bars(symbol, "1Hour", **SPAN) for symbol in stored.found}

    # All stocks, all but the bad one, the bad one alone, all pairs.
    assert len(paths) == 4
    assert list(stored.errors) == ["B@D"]
    found = rows_in(tmp_path)
    assert {symbol: times_of(rows) for symbol, rows in found.items()} == {
        symbol: list(bars.times_ns) for symbol, bars in alone.items()
    }


class OneByOne(DataProviderConnector):
    """Somebody's connector, which has bars one by one."""

    vendor = "own"
    Config = ConnectorConfig

    async def iter_bars(self, symbol, timeframe="1Day", *, start, end):
        for bar in bars_of(symbol, range(25_000)):
            if start <= bar.time < end:
                yield bar


async def test_bars_that_come_one_by_one_are_stored_too(tmp_path):
    data = OneByOne()
    span = {"start": START, "end": START + timedelta(minutes=21_000)}

    pages = [page async for page in data.iter_bar_pages("AAPL", "1Min", **span)]
    stored = await data.download_bars(["AAPL"], "1Min", tmp_path, **span)

    assert [len(page) for page in pages] == [10_000, 10_000, 1_000]
    assert pages[0].feed == "sip"
    assert stored["AAPL"].rows == 21_000


async def test_who_has_no_bars_says_so(tmp_path):
    class Quotes(DataProviderConnector):
        vendor = "own"

    with pytest.raises(errors.NotSupportedError):
        await Quotes().download_bars(["AAPL"], "1Day", tmp_path, **SPAN)
