"""alpaca-py's own data clients, unmodified, read the exchange's markets.

They are sync, so each call runs in a thread while the exchange serves from the loop.
"""

import asyncio
import contextlib
import warnings
from datetime import UTC, datetime, timedelta

import pytest

from sentio_async.sim.clock import SimClock
from sentio_async.sim.exchange import Exchange

pytest.importorskip("alpaca", reason="alpaca-py is not installed: pip install '.[peers]'")

with warnings.catch_warnings():
    # It imports websockets' old client.
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.common.exceptions import APIError
    from alpaca.data import requests
    from alpaca.data.enums import Adjustment, CorporateActionsType, MarketType, MostActivesBy
    from alpaca.data.historical import (
        CryptoHistoricalDataClient,
        NewsClient,
        OptionHistoricalDataClient,
        ScreenerClient,
        StockHistoricalDataClient,
    )
    from alpaca.data.historical.corporate_actions import CorporateActionsClient
    from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

NOW = datetime(2025, 6, 18, 18, 30, 15, tzinfo=UTC)


class Peer:
    """Calls one of alpaca-py's clients by name, in a thread."""

    def __init__(self, client):
        self._client = client

    def __getattr__(self, name):
        async def call(*args, **kwargs):
            return await asyncio.to_thread(getattr(self._client, name), *args, **kwargs)

        return call


@contextlib.asynccontextmanager
async def a_peer(kind, **more):
    clock = SimClock(NOW, is_running=False)
    async with Exchange(clock=clock, venues=["alpaca_data"]) as exchange:
        keys = {} if kind is CryptoHistoricalDataClient else keys_of(exchange)
        client = kind(**keys | more, url_override=exchange.addresses.alpaca_data)
        try:
            yield Peer(client)
        finally:
            client._session.close()


def keys_of(exchange):
    return {"api_key": exchange.alpaca_key, "secret_key": exchange.alpaca_secret}


async def test_minute_bars_come_over_several_pages():
    request = requests.StockBarsRequest(
        symbol_or_symbols=["MSFT", "AAPL"],
        timeframe=TimeFrame.Minute,
        start=NOW - timedelta(days=4),
        end=NOW,
    )
    async with a_peer(StockHistoricalDataClient) as peer:
        found = await peer.get_stock_bars(request)

    # 5,760 minutes each, and 10,000 rows to a page.
    assert {symbol: len(rows) for symbol, rows in found.data.items()} == {
        "AAPL": 5760,
        "MSFT": 5760,
    }
    times = [bar.timestamp for bar in found.data["MSFT"]]
    assert times == sorted(set(times))


@pytest.mark.parametrize(
    ("amount", "unit", "count"),
    [
        (15, TimeFrameUnit.Minute, 960),
        (4, TimeFrameUnit.Hour, 60),
        (1, TimeFrameUnit.Day, 10),
        (1, TimeFrameUnit.Week, 2),
    ],
)
async def test_every_timeframe_reads(amount, unit, count):
    request = requests.StockBarsRequest(
        symbol_or_symbols="AAPL",
        timeframe=TimeFrame(amount, unit),
        start=datetime(2025, 6, 2, tzinfo=UTC),
        end=datetime(2025, 6, 11, 23, 59, tzinfo=UTC),
        adjustment=Adjustment.ALL,
    )
    async with a_peer(StockHistoricalDataClient) as peer:
        bars = (await peer.get_stock_bars(request)).data["AAPL"]

    assert len(bars) == count
    assert all(bar.low <= min(bar.open, bar.close) <= bar.high for bar in bars)


async def test_trades_and_quotes_interleave():
    span = {"start": NOW - timedelta(minutes=5), "end": NOW}
    async with a_peer(StockHistoricalDataClient) as peer:
        trades = await peer.get_stock_trades(
            requests.StockTradesRequest(symbol_or_symbols="AAPL", **span)
        )
        quotes = await peer.get_stock_quotes(
            requests.StockQuotesRequest(symbol_or_symbols="AAPL", **span)
        )

    assert len(quotes.data["AAPL"]) >= len(trades.data["AAPL"]) > 20
    assert all(row.bid_price < row.ask_price for row in quotes.data["AAPL"])


async def test_a_limit_is_the_total_number_of_rows():
    request = requests.StockTradesRequest(
        symbol_or_symbols="AAPL", start=NOW - timedelta(hours=1), limit=25
    )
    async with a_peer(StockHistoricalDataClient) as peer:
        found = await peer.get_stock_trades(request)

    assert len(found.data["AAPL"]) == 25


async def test_latest_values_and_snapshots_agree():
    symbols = {"symbol_or_symbols": ["AAPL", "SPY", "ZZZZ"]}
    async with a_peer(StockHistoricalDataClient) as peer:
        quotes = await peer.get_stock_latest_quote(requests.StockLatestQuoteRequest(**symbols))
        trades = await peer.get_stock_latest_trade(requests.StockLatestTradeRequest(**symbols))
        bars = await peer.get_stock_latest_bar(requests.StockLatestBarRequest(**symbols))
        snapshots = await peer.get_stock_snapshot(requests.StockSnapshotRequest(**symbols))

    assert set(quotes) == set(trades) == set(bars) == set(snapshots) == {"AAPL", "SPY"}
    assert snapshots["AAPL"].latest_trade.price == trades["AAPL"].price
    assert snapshots["AAPL"].latest_quote.ask_price == quotes["AAPL"].ask_price
    assert snapshots["AAPL"].minute_bar.close == bars["AAPL"].close
    assert snapshots["AAPL"].previous_daily_bar.timestamp.day == 17


async def test_a_bad_symbol_is_an_api_error_that_names_it():
    request = requests.StockLatestQuoteRequest(symbol_or_symbols=["AAPL", "B@D"])
    async with a_peer(StockHistoricalDataClient) as peer:
        with pytest.raises(APIError, match="invalid symbol: B@D") as caught:
            await peer.get_stock_latest_quote(request)

    assert caught.value.status_code == 400


async def test_a_wrong_secret_is_an_api_error():
    request = requests.StockLatestQuoteRequest(symbol_or_symbols="AAPL")
    async with a_peer(StockHistoricalDataClient, secret_key="wrong") as peer:
        with pytest.raises(APIError, match="unauthorized"):
            await peer.get_stock_latest_quote(request)


async def test_basic_authentication_works():
    request = requests.StockLatestQuoteRequest(symbol_or_symbols="AAPL")
    async with a_peer(StockHistoricalDataClient, use_basic_auth=True) as peer:
        assert set(await peer.get_stock_latest_quote(request)) == {"AAPL"}


async def test_crypto_reads_without_keys():
    symbols = {"symbol_or_symbols": ["BTC/USD", "ETH/USD"]}
    span = {"start": NOW - timedelta(minutes=30), "end": NOW}
    async with a_peer(CryptoHistoricalDataClient) as peer:
        bars = await peer.get_crypto_bars(
            requests.CryptoBarsRequest(**symbols, **span, timeframe=TimeFrame.Minute)
        )
        trades = await peer.get_crypto_trades(requests.CryptoTradesRequest(**symbols, **span))
        quotes = await peer.get_crypto_quotes(requests.CryptoQuoteRequest(**symbols, **span))
        books = await peer.get_crypto_latest_orderbook(
            requests.CryptoLatestOrderbookRequest(**symbols)
        )
        last = await peer.get_crypto_latest_trade(requests.CryptoLatestTradeRequest(**symbols))
        quote = await peer.get_crypto_latest_quote(requests.CryptoLatestQuoteRequest(**symbols))
        bar = await peer.get_crypto_latest_bar(requests.CryptoLatestBarRequest(**symbols))
        snapshots = await peer.get_crypto_snapshot(requests.CryptoSnapshotRequest(**symbols))

    both = {"BTC/USD", "ETH/USD"}
    assert set(bars.data) == set(trades.data) == set(quotes.data) == both
    assert set(books) == set(last) == set(quote) == set(bar) == set(snapshots) == both
    assert books["BTC/USD"].bids[0].price == quote["BTC/USD"].bid_price
    assert snapshots["ETH/USD"].latest_trade.price == last["ETH/USD"].price


async def test_a_whole_option_chain_and_its_history():
    async with a_peer(OptionHistoricalDataClient) as peer:
        chain = await peer.get_option_chain(requests.OptionChainRequest(underlying_symbol="AAPL"))
        symbols = {"symbol_or_symbols": sorted(chain)[:3]}
        some = await peer.get_option_snapshot(requests.OptionSnapshotRequest(**symbols))
        quotes = await peer.get_option_latest_quote(requests.OptionLatestQuoteRequest(**symbols))
        trades = await peer.get_option_latest_trade(requests.OptionLatestTradeRequest(**symbols))
        span = {"start": NOW - timedelta(hours=6), "end": NOW}
        bars = await peer.get_option_bars(
            requests.OptionBarsRequest(**symbols, **span, timeframe=TimeFrame.Hour)
        )
        history = await peer.get_option_trades(requests.OptionTradesRequest(**symbols, **span))
        codes = await peer.get_option_exchange_codes()

    assert len(chain) > 250
    assert any(row.greeks is not None and row.implied_volatility for row in chain.values())
    assert set(some) == set(quotes) == set(trades) == set(symbols["symbol_or_symbols"])
    assert set(bars.data) <= set(some)
    assert set(history.data) <= set(some)
    assert codes["C"].startswith("CBOE")


async def test_news_come_over_several_pages():
    request = requests.NewsRequest(
        start=NOW - timedelta(days=2), end=NOW, limit=120, include_content=True
    )
    async with a_peer(NewsClient) as peer:
        found = await peer.get_news(request)

    articles = found.data["news"]
    assert len(articles) == 120
    assert len({article.id for article in articles}) == 120
    assert all(article.content and article.symbols for article in articles)


async def test_screeners_read():
    async with a_peer(ScreenerClient) as peer:
        movers = await peer.get_market_movers(
            requests.MarketMoversRequest(top=3, market_type=MarketType.STOCKS)
        )
        actives = await peer.get_most_actives(
            requests.MostActivesRequest(top=4, by=MostActivesBy.VOLUME)
        )

    assert movers.gainers[0].percent_change > 0 > movers.losers[0].percent_change
    assert len(actives.most_actives) == 4


async def test_corporate_actions_of_every_kind_read():
    request = requests.CorporateActionsRequest(
        start=datetime(2020, 1, 1, tzinfo=UTC).date(), end=NOW.date()
    )
    async with a_peer(CorporateActionsClient) as peer:
        found = await peer.get_corporate_actions(request)
        splits = await peer.get_corporate_actions(
            request.model_copy(update={"types": [CorporateActionsType.FORWARD_SPLIT]})
        )

    assert set(found.data) == {
        "cash_dividends",
        "forward_splits",
        "name_changes",
        "reverse_splits",
    }
    assert {split.symbol for split in splits.data["forward_splits"]} >= {"AAPL", "NVDA", "TSLA"}
