"""Single symbols asked for at the same time share requests, where the vendor has such a request."""

import asyncio

import pytest

from sentio_async import errors
from sentio_async.connectors.alpaca.data import AlpacaData
from sentio_async.connectors.polygon.data import PolygonData
from sentio_async.resilience import with_deadline

pytestmark = pytest.mark.exchange(venues=["alpaca_trading", "alpaca_data", "polygon"])

SYMBOLS = ["AAPL", "MSFT", "NVDA", "AMZN", "TSLA", "KO"]


@pytest.fixture
async def alpaca(exchange):
    async with AlpacaData(exchange.settings("alpaca")) as data:
        exchange.state.requests.clear()
        yield data


def paths(exchange):
    return [seen.path for seen in exchange.state.requests]


async def together(ask, symbols):
    return await asyncio.gather(*map(ask, symbols), return_exceptions=True)


@pytest.mark.parametrize(
    ("name", "one", "many"),
    [
        ("get_quote", "/v2/stocks/AAPL/quotes/latest", "/v2/stocks/quotes/latest"),
        ("get_trade", "/v2/stocks/AAPL/trades/latest", "/v2/stocks/trades/latest"),
        ("get_latest_bar", "/v2/stocks/AAPL/bars/latest", "/v2/stocks/bars/latest"),
        ("get_snapshot", "/v2/stocks/AAPL/snapshot", "/v2/stocks/snapshots"),
    ],
)
async def test_the_first_goes_alone_and_the_others_together(alpaca, exchange, name, one, many):
    found = await together(getattr(alpaca, name), SYMBOLS)

    assert [row.symbol for row in found] == SYMBOLS
    assert sorted(paths(exchange)) == sorted([one, many])


async def test_one_who_asks_alone_asks_as_ever(alpaca, exchange):
    for symbol in SYMBOLS[:3]:
        await alpaca.get_quote(symbol)

    assert paths(exchange) == [f"/v2/stocks/{symbol}/quotes/latest" for symbol in SYMBOLS[:3]]


async def test_a_symbol_that_is_not_there_costs_the_others_nothing(alpaca, exchange):
    asked = ["AAPL", "NOPE", "MSFT", "B@D", "BTC/USD", "KO"]

    found = await together(alpaca.get_quote, asked)

    failed = {
        symbol for symbol, row in zip(asked, found, strict=True) if isinstance(row, Exception)
    }
    assert failed == {"NOPE", "B@D"}
    assert all(isinstance(found[i], errors.SymbolNotFoundError) for i in (1, 3))
    assert [found[i].symbol for i in (1, 3)] == ["NOPE", "B@D"]


async def test_how_old_a_quote_may_be_and_how_long_it_may_take_is_for_each_to_say(alpaca):
    async def hurried(symbol):
        async with with_deadline(0.0):
            return await alpaca.get_quote(symbol)

    first, stale, late, last = await asyncio.gather(
        alpaca.get_quote("AAPL"),
        alpaca.get_quote("MSFT", max_age=-1.0),
        hurried("KO"),
        alpaca.get_quote("NVDA"),
        return_exceptions=True,
    )

    assert (first.symbol, last.symbol) == ("AAPL", "NVDA")
    assert isinstance(stale, errors.StaleDataError)
    assert isinstance(late, errors.DeadlineExceededError)


async def test_who_leaves_leaves_the_others_alone(alpaca, exchange):
    tasks = [asyncio.create_task(alpaca.get_quote(symbol)) for symbol in SYMBOLS]
    await asyncio.sleep(0)
    tasks[0].cancel()
    tasks[3].cancel()
    await asyncio.wait(tasks)

    left = [task for task in tasks if not task.cancelled()]
    assert [task.result().symbol for task in left] == ["MSFT", "NVDA", "TSLA", "KO"]
    assert alpaca.get_status().in_flight == 0


async def test_it_can_be_switched_off(exchange):
    async with AlpacaData({**exchange.settings("alpaca"), "coalesce": False}) as data:
        exchange.state.requests.clear()
        await together(data.get_quote, SYMBOLS)

    assert len(paths(exchange)) == len(SYMBOLS)


async def test_stock_snapshots_of_polygon_share_a_request_and_its_quotes_do_not(exchange):
    async with PolygonData(exchange.settings("polygon")) as data:
        exchange.state.requests.clear()
        found = await together(data.get_snapshot, ["AAPL", "NOPE", "X:BTCUSD", "MSFT", "NVDA"])
        snapshots = sorted(paths(exchange))
        exchange.state.requests.clear()
        await together(data.get_quote, SYMBOLS)

        assert len(paths(exchange)) == len(SYMBOLS)
    assert isinstance(found[1], errors.SymbolNotFoundError)
    assert [found[i].symbol for i in (0, 2, 3, 4)] == ["AAPL", "X:BTCUSD", "MSFT", "NVDA"]
    assert snapshots == [
        "/v2/snapshot/locale/global/markets/crypto/tickers/X:BTCUSD",
        "/v2/snapshot/locale/us/markets/stocks/tickers",
        "/v2/snapshot/locale/us/markets/stocks/tickers/AAPL",
    ]
