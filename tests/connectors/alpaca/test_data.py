"""Alpaca's data over a real socket: the embedded exchange answers."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest

from sentio_async import errors
from sentio_async.connectors.alpaca.data import AlpacaData
from sentio_async.models import NewsArticle, Quote, Trade
from sentio_async.sim.faults import FaultRule

pytestmark = pytest.mark.exchange(venues=["alpaca_trading", "alpaca_data"])


@pytest.fixture
async def data(exchange):
    async with AlpacaData(exchange.settings("alpaca")) as data:
        exchange.state.requests.clear()
        yield data


def paths(exchange):
    return [seen.path for seen in exchange.state.requests]


def a_while_ago(**back):
    return datetime.now(UTC) - timedelta(**back)


async def test_a_quote_of_every_market(data):
    chain = await data.get_option_chain(
        "AAPL", right="call", expires_to=a_while_ago(days=-30).date()
    )
    contract = next(iter(chain))

    stock = await data.get_quote("AAPL", max_age=60)
    pair = await data.get_quote("BTC/USD")
    option = await data.get_quote(contract)

    assert 0 < stock.bid < stock.ask
    assert pair.feed == "us"
    assert option.symbol == contract
    assert {quote.provider for quote in (stock, pair, option)} == {"alpaca"}


async def test_a_batch_takes_one_request_for_each_market(data, exchange):
    quotes = await data.get_quotes(["AAPL", "MSFT", "BTC/USD", "ETH/USD", "AAPL"])

    assert quotes.is_complete
    assert list(quotes) == ["AAPL", "MSFT", "BTC/USD", "ETH/USD"]
    assert sorted(paths(exchange)) == [
        "/v1beta3/crypto/us/latest/quotes",
        "/v2/stocks/quotes/latest",
    ]


async def test_bad_and_absent_symbols_do_not_cost_the_others(data, exchange):
    quotes = await data.get_quotes(["AAPL", "B@D", "NOPE", "MSFT", "not one"])

    assert set(quotes.found) == {"AAPL", "MSFT"}
    assert isinstance(quotes.errors["B@D"], errors.SymbolNotFoundError)
    assert isinstance(quotes.errors["NOPE"], errors.SymbolNotFoundError)
    assert isinstance(quotes.errors["not one"], errors.InvalidRequestError)
    assert len(paths(exchange)) == 2


@pytest.mark.parametrize("symbol", ["NOPE", "B@D", "NOPE/USD"])
async def test_an_unknown_symbol_is_not_found(data, symbol):
    for ask in (data.get_quote, data.get_trade, data.get_snapshot, data.get_latest_bar):
        with pytest.raises(errors.SymbolNotFoundError) as caught:
            await ask(symbol)
        assert caught.value.symbol == symbol


async def test_fifty_who_ask_for_the_same_quote_at_once_cause_one_request(data, exchange):
    quotes = await asyncio.gather(*(data.get_quote("AAPL") for _ in range(50)))

    assert len(quotes) == 50
    assert paths(exchange) == ["/v2/stocks/AAPL/quotes/latest"]


async def test_trades_bars_and_snapshots_are_the_latest(data):
    trade = await data.get_trade("AAPL", max_age=60)
    bar = await data.get_latest_bar("BTC/USD")
    snapshot = await data.get_snapshot("MSFT")
    many = await data.get_snapshots(["AAPL", "BTC/USD"])
    trades = await data.get_trades(["AAPL", "ETH/USD"])
    bars = await data.get_latest_bars(["AAPL", "ETH/USD"])

    assert trade.price > 0
    assert bar.high >= bar.low
    assert snapshot.quote.symbol == snapshot.day_bar.symbol == "MSFT"
    assert many.is_complete and trades.is_complete and bars.is_complete


async def test_options_have_a_chain_snapshots_trades_and_bars(data):
    chain = await data.get_option_chain("AAPL")
    contracts = list(chain)[:150]

    snapshots = await data.get_option_snapshots(contracts)
    snapshot = await data.get_snapshot(contracts[0])
    bars = await data.get_bars(contracts[0], "1Day", start=a_while_ago(days=5))

    assert snapshots.is_complete
    assert list(snapshots) == contracts
    assert snapshots[contracts[0]].underlying == "AAPL"
    assert snapshot.symbol == contracts[0]
    assert len(bars) > 0
    with pytest.raises(errors.NotSupportedError):
        await anext(data.iter_quotes(contracts[0]))


async def test_bars_come_from_as_many_pages_as_there_are(data, exchange):
    start, end = a_while_ago(days=8), a_while_ago(minutes=30)
    bars = await data.get_bars("AAPL", "1Min", start=start, end=end)

    assert len(bars) > 10_000
    assert len(paths(exchange)) > 1
    assert list(bars.times_ns) == sorted(set(bars.times_ns))
    assert bars.step == "1Min"


async def test_a_limit_is_the_most_there_is_of_anything(data):
    start = a_while_ago(days=2)

    assert len(await data.get_bars("BTC/USD", "1Min", start=start, limit=7)) == 7
    assert len([b async for b in data.iter_bars("AAPL", "1Min", start=start, limit=5)]) == 5
    assert len([t async for t in data.iter_trades("AAPL", start=start, limit=5)]) == 5
    assert len([q async for q in data.iter_quotes("BTC/USD", start=start, limit=5)]) == 5


async def test_without_a_start_the_latest_bars_are_given(data):
    bars = await data.get_bars("AAPL", "1Day", limit=30)
    few = [bar async for bar in data.iter_bars("BTC/USD", "1Min", limit=3)]
    newest_first = await data.get_bars("AAPL", "1Hour", end=a_while_ago(days=3), descending=True)

    assert len(bars) == 30
    assert list(bars.times_ns) == sorted(bars.times_ns)
    assert bars[-1].age(datetime.now(UTC)) < 5 * 86_400
    assert len(few) == 3 and few[-1].age(datetime.now(UTC)) < 600
    assert len(newest_first) == 100
    assert newest_first[0].time <= a_while_ago(days=3)
    assert newest_first[0].time > newest_first[-1].time


async def test_ticks_come_oldest_first_within_the_time_asked_for(data):
    start, end = a_while_ago(minutes=40), a_while_ago(minutes=30)
    trades = [trade async for trade in data.iter_trades("AAPL", start=start, end=end)]
    quotes = [quote async for quote in data.iter_quotes("AAPL", start=start, end=end)]

    for rows, kind in ((trades, Trade), (quotes, Quote)):
        assert rows and all(isinstance(row, kind) for row in rows)
        assert [row.time_ns for row in rows] == sorted(row.time_ns for row in rows)
        assert all(start - timedelta(seconds=1) <= row.time <= end for row in rows)


async def test_newest_first_on_request(data):
    bars = await data.get_bars(
        "AAPL", "1Day", start=a_while_ago(days=20), end=a_while_ago(minutes=30), descending=True
    )

    assert list(bars.times_ns) == sorted(bars.times_ns, reverse=True)


async def test_bars_of_many_symbols_are_merged_page_by_page(data):
    names = ["AAPL", "MSFT", "BTC/USD", "B@D"]
    found = await data.get_many_bars(
        names, "1Min", start=a_while_ago(days=4), end=a_while_ago(minutes=30)
    )

    assert list(found) == names
    assert set(found.errors) == {"B@D"}
    alone = await data.get_bars(
        "MSFT", "1Min", start=found["MSFT"][0].time, end=found["MSFT"][-1].time
    )
    assert list(alone.times_ns) == list(found["MSFT"].times_ns)


@pytest.mark.exchange(
    venues=["alpaca_trading", "alpaca_data"],
    faults=[
        FaultRule(kind="status", path="/v2/stocks/AAPL/bars", nth=2, times=1, status=403, body="{}")
    ],
)
async def test_a_page_that_fails_is_an_error_and_not_the_end(data):
    with pytest.raises(errors.PermissionError):
        await data.get_bars("AAPL", "1Min", start=a_while_ago(days=8), end=a_while_ago(minutes=30))


@pytest.mark.exchange(
    venues=["alpaca_trading", "alpaca_data"],
    faults=[FaultRule(kind="cut", path="/v2/stocks/quotes/latest", nth=1)],
)
async def test_a_quote_that_was_cut_short_is_asked_for_again(data):
    assert (await data.get_quotes(["AAPL"])).is_complete


async def test_callers_that_share_an_answer_do_not_share_their_bars(data):
    start, end = a_while_ago(days=8), a_while_ago(minutes=30)

    one, other = await asyncio.gather(
        *(data.get_bars("AAPL", "1Min", start=start, end=end) for _ in range(2))
    )

    assert len(one) == len(other) == len(set(one.times_ns))
    assert one is not other


async def test_what_else_there_is(data):
    day = date.today()
    news = [article async for article in data.iter_news(["AAPL"], limit=60)]
    actions = data.iter_corporate_actions(start=day - timedelta(days=400), end=day, limit=3)
    auctions = data.iter_auctions("AAPL", start=day - timedelta(days=10), limit=2)

    assert all(isinstance(article, NewsArticle) for article in news)
    assert len({article.id for article in news}) == len(news) > 0
    assert len([action async for action in actions]) == 3
    assert len([auction async for auction in auctions]) == 2
    assert (await data.get_movers(top=3)).gainers
    assert len(await data.get_most_actives(top=3)) == 3
    assert (await data.get_stock_exchanges())["Q"]
    assert await data.get_option_exchanges()
    assert await data.get_stock_conditions("trade", "A")
    assert await data.get_option_conditions("quote")
    assert (await data.get_order_books(["BTC/USD"]))["BTC/USD"].bids


async def test_rates_indices_and_bonds(data):
    rates = await data.get_currency_rates(["USDJPY", "NOTONE"])
    values = await data.get_index_values(["SPX"])
    past_rates = [rate async for rate in data.iter_currency_rates("USDJPY", limit=2)]
    past_values = [value async for value in data.iter_index_values("SPX", limit=2)]

    assert rates["USDJPY"].bid <= rates["USDJPY"].mid <= rates["USDJPY"].ask
    assert values["SPX"].value > 0
    assert len(past_rates) == len(past_values) == 2
    assert (await data.get_bond_prices(["US912797KJ59"])).is_complete
    assert (await data.get_bond_quotes(["US912797KJ59"], trade_size=1000)).is_complete


async def test_market_hours_are_asked_of_the_trading_host(data, exchange):
    status = await data.get_market_status()

    assert status.is_open and not status.is_extended_hours
    assert status.exchanges[0].name == "NYSE"
    assert [seen.venue for seen in exchange.state.requests] == ["alpaca_trading"]


async def test_wrong_keys_are_told_at_connect(exchange):
    settings = {**exchange.settings("alpaca"), "api_secret": "wrong"}

    with pytest.raises(errors.AuthenticationError):
        await AlpacaData(settings).connect()


async def test_health_is_one_cheap_request(data, exchange):
    report = await data.health_check()

    assert report.status == "healthy"
    assert paths(exchange) == ["/v2/stocks/meta/exchanges"]
