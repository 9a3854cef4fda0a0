"""massive's own RESTClient, unmodified, reads the exchange's markets.

It is sync, so each call runs in a thread while the exchange serves from the loop. It follows
every `next_url` by itself.
"""

import asyncio
import contextlib
from datetime import UTC, datetime
from itertools import islice

import pytest

from sentio_async.sim.clock import SimClock
from sentio_async.sim.exchange import Exchange

pytest.importorskip("massive", reason="massive is not installed: pip install '.[peers]'")

from massive import RESTClient
from massive.exceptions import BadResponse

NOW = datetime(2025, 6, 18, 18, 30, 15, tzinfo=UTC)
OPTION = "O:AAPL250718C00265000"


class Peer:
    """Calls massive's client by name, in a thread; what it iterates over becomes a list."""

    def __init__(self, exchange, client):
        self.exchange = exchange
        self._client = client

    def of(self, part):
        return Peer(self.exchange, getattr(self._client, part))

    def __getattr__(self, name):
        async def call(*args, at_most=None, **kwargs):
            def work():
                found = getattr(self._client, name)(*args, **kwargs)
                return list(islice(found, at_most)) if name.startswith("list_") else found

            return await asyncio.to_thread(work)

        return call


@contextlib.asynccontextmanager
async def a_peer(key=None):
    clock = SimClock(NOW, is_running=False)
    async with Exchange(clock=clock, venues=["polygon"]) as exchange:
        client = RESTClient(key or exchange.polygon_key, base=exchange.addresses.polygon, retries=0)
        try:
            yield Peer(exchange, client)
        finally:
            client.client.clear()
            client.vx.client.clear()


async def test_aggregates_come_over_several_pages():
    async with a_peer() as peer:
        rows = await peer.list_aggs("AAPL", 1, "hour", "2025-06-09", "2025-06-13", limit=1800)
        asked = [seen.path for seen in peer.exchange.state.requests]

    stamps = [row.timestamp for row in rows]
    assert len(rows) == 120
    assert stamps == sorted(set(stamps))
    assert len(asked) == 4
    assert all(row.low <= row.vwap <= row.high for row in rows)


async def test_other_aggregates_read():
    async with a_peer() as peer:
        days = await peer.get_aggs("X:BTCUSD", 1, "day", "2025-06-01", "2025-06-10", sort="desc")
        grouped = await peer.get_grouped_daily_aggs("2025-06-17")
        coins = await peer.get_grouped_daily_aggs(
            "2025-06-17", locale="global", market_type="crypto"
        )
        day = await peer.get_daily_open_close_agg("AAPL", "2025-06-17")
        previous = await peer.get_previous_close_agg("AAPL")

    assert len(days) == 10
    assert {"AAPL", "SPY"} <= {row.ticker for row in grouped}
    assert {row.ticker for row in coins} >= {"X:BTCUSD", "X:ETHUSD"}
    assert day.close == previous[0].close == {row.ticker: row for row in grouped}["AAPL"].close
    assert day.pre_market == day.open


async def test_trades_and_quotes_come_over_several_pages_with_exact_nanoseconds():
    start = int(datetime(2025, 6, 18, 14, tzinfo=UTC).timestamp()) * 1_000_000_000
    bounds = {"timestamp_gte": start, "timestamp_lt": start + 180_000_000_000, "order": "asc"}
    async with a_peer() as peer:
        trades = await peer.list_trades("AAPL", **bounds, limit=20)
        quotes = await peer.list_quotes("AAPL", **bounds, limit=50)
        newest = await peer.list_trades("X:BTCUSD", limit=5, at_most=12)
        forex = await peer.list_quotes("C:EURUSD", limit=5, at_most=12)

    stamps = [trade.sip_timestamp for trade in trades]
    assert len(trades) > 60
    assert stamps == sorted(set(stamps))
    assert all(start <= stamp < start + 180_000_000_000 for stamp in stamps)
    assert any(stamp % 1_000 for stamp in stamps)
    assert len(quotes) == 2 * len(trades)
    assert len({trade.id for trade in newest}) == len(forex) == 12


async def test_last_values_and_conversion_read():
    async with a_peer() as peer:
        trade = await peer.get_last_trade("AAPL")
        quote = await peer.get_last_quote("AAPL")
        coin = await peer.get_last_crypto_trade("BTC", "USD")
        forex = await peer.get_last_forex_quote("AUD", "USD")
        converted = await peer.get_real_time_currency_conversion("AUD", "USD", amount=100)

    assert quote.bid_price <= trade.price <= quote.ask_price
    assert coin.price > 0
    assert forex.last.bid < forex.last.ask
    assert converted.converted == pytest.approx(100 * forex.last.bid, abs=0.01)


async def test_snapshots_of_every_market_read():
    async with a_peer() as peer:
        some = await peer.get_snapshot_all("stocks", ["AAPL", "NOPE", "MSFT"])
        everything = await peer.get_snapshot_all("stocks")
        one = await peer.get_snapshot_ticker("stocks", "AAPL")
        coin = await peer.get_snapshot_ticker("crypto", "X:BTCUSD")
        forex = await peer.get_snapshot_all("forex")
        up = await peer.get_snapshot_direction("stocks", "gainers")
        down = await peer.get_snapshot_direction("crypto", "losers")
        book = await peer.get_snapshot_crypto_book("X:BTCUSD")

    assert [row.ticker for row in some] == ["AAPL", "MSFT"]
    assert len(everything) > 30
    assert one.day.close == one.last_trade.price
    assert one.min.accumulated_volume == one.day.volume
    assert coin.prev_day.close > 0
    assert {row.ticker for row in forex} >= {"C:EURUSD"}
    assert up[0].todays_change_percent > 0 > down[0].todays_change_percent
    assert book.asks[0].price > book.bids[0].price


async def test_universal_snapshots_summaries_and_indices_read():
    tickers = ["AAPL", "NOPE", "X:BTCUSD", "C:EURUSD", "I:SPX", OPTION]
    async with a_peer() as peer:
        found = {
            row.ticker: row for row in await peer.list_universal_snapshots(ticker_any_of=tickers)
        }
        stocks = await peer.list_universal_snapshots(type="stocks", limit=12)
        summaries = await peer.get_summaries(ticker_any_of=tickers[:3])
        indices = await peer.get_snapshot_indices(["I:SPX", "I:NDX"])
        listed = await peer.list_snapshot_indices(limit=2)

    assert set(found) == set(tickers)
    assert found["NOPE"].error == "NOT_FOUND"
    assert found["AAPL"].session.close == found["AAPL"].last_trade.price
    assert found[OPTION].details.strike_price == 265
    assert 0 < found[OPTION].greeks.delta < 1
    assert len(stocks) > 30
    assert [row.ticker for row in summaries] == tickers[:3]
    assert {row.ticker for row in indices} == {"I:SPX", "I:NDX"}
    assert len(listed) == 5


async def test_a_whole_option_chain_is_walked():
    async with a_peer() as peer:
        chain = await peer.list_snapshot_options_chain(
            "AAPL", params={"contract_type": "call", "expiration_date": "2025-07-18", "limit": 10}
        )
        one = await peer.get_snapshot_option("AAPL", OPTION)
        contracts = await peer.list_options_contracts(
            underlying_ticker="AAPL", expiration_date="2025-07-18", contract_type="call", limit=10
        )
        contract = await peer.get_options_contract(OPTION)

    assert [row.details.ticker for row in chain] == [row.ticker for row in contracts]
    assert len(chain) > 20
    assert one.underlying_asset.ticker == "AAPL"
    assert one.break_even_price == pytest.approx(265 + one.last_quote.midpoint)
    assert (contract.strike_price, contract.expiration_date) == (265, "2025-07-18")


async def test_reference_data_reads():
    async with a_peer() as peer:
        tickers = await peer.list_tickers(market="stocks", limit=10)
        details = await peer.get_ticker_details("AAPL")
        types = await peer.get_ticker_types()
        related = await peer.get_related_companies("AAPL")
        events = await peer.get_ticker_events("META")
        exchanges = await peer.get_exchanges("stocks")
        conditions = await peer.list_conditions("stocks", limit=5)
        news = await peer.list_ticker_news("AAPL", limit=3, at_most=8)

    assert len(tickers) > 30
    assert details.primary_exchange == "XNAS"
    assert details.market_cap > 0
    assert {row.code for row in types} >= {"CS", "ETF"}
    assert related[0].ticker == "MSFT"
    assert [each["ticker_change"]["ticker"] for each in events.events] == ["META", "FB"]
    assert {row.mic for row in exchanges} >= {"XNAS", "XNYS", "IEXG"}
    assert {row.id for row in conditions} >= {12, 37}
    assert len({article.id for article in news}) == 8
    assert news[0].insights[0].ticker == "AAPL"


async def test_corporate_actions_and_short_selling_read():
    async with a_peer() as peer:
        splits = await peer.list_splits("NVDA", limit=1)
        new_splits = await peer.list_stocks_splits(ticker="NVDA", limit=1)
        dividends = await peer.list_dividends("KO", limit=50)
        new_dividends = await peer.list_stocks_dividends(ticker="KO", limit=50)
        interest = await peer.list_short_interest(ticker="AAPL", limit=5)
        volume = await peer.list_short_volume(ticker="AAPL", limit=5)
        floats = await peer.list_stocks_floats(ticker="AAPL")

    assert [split.execution_date for split in splits] == ["2024-06-10", "2021-07-20"]
    assert [split.split_to for split in new_splits] == [10, 4]
    assert len(dividends) == len(new_dividends) > 80
    assert len(interest) > 20
    assert len(volume) == 10
    assert floats[0].free_float_percent == 90


async def test_financials_read():
    async with a_peer() as peer:
        income = await peer.list_financials_income_statements(tickers="AAPL", limit=3)
        balance = await peer.list_financials_balance_sheets(tickers="AAPL")
        cash = await peer.list_financials_cash_flow_statements(tickers="AAPL")
        ratios = await peer.list_financials_ratios(ticker="AAPL")
        reports = await peer.of("vx").list_stock_financials(ticker="AAPL", limit=3)
        offerings = await peer.of("vx").list_ipos(ticker="AAPL")

    assert len(income) == len(balance) == len(cash) == 8
    assert balance[0].total_assets == balance[0].total_liabilities_and_equity
    assert ratios[0].price_to_earnings > 0
    assert [report.fiscal_period for report in reports[:2]] == ["Q1", "Q4"]
    assert reports[0].financials.income_statement.revenues.value > 0
    assert offerings[0].issuer_name.startswith("Apple")


async def test_market_status_and_holidays_read():
    async with a_peer() as peer:
        status = await peer.get_market_status()
        holidays = await peer.get_market_holidays()

    assert (status.market, status.exchanges.nyse) == ("open", "open")
    assert holidays[0].name == "Juneteenth"


@pytest.mark.parametrize("ticker", ["AAPL", "X:BTCUSD", "C:EURUSD"])
async def test_indicators_read(ticker):
    async with a_peer() as peer:
        sma = await peer.get_sma(ticker, window=5, limit=4)
        ema = await peer.get_ema(ticker, window=5, limit=4, expand_underlying=True)
        rsi = await peer.get_rsi(ticker, limit=4)
        macd = await peer.get_macd(ticker, limit=4)

    assert [len(each.values) for each in (sma, ema, rsi, macd)] == [4] * 4
    assert ema.underlying.aggregates
    assert all(0 <= row.value <= 100 for row in rsi.values)
    assert macd.values[0].histogram == pytest.approx(macd.values[0].value - macd.values[0].signal)


async def test_refusals_carry_the_words_of_the_vendor():
    async with a_peer(key="nobody") as peer:
        with pytest.raises(BadResponse, match="Unknown API Key"):
            await peer.get_last_trade("AAPL")
    async with a_peer() as peer:
        with pytest.raises(BadResponse, match="NOT_FOUND"):
            await peer.get_last_trade("NOPE")
        peer.exchange.state.plans["polygon"] = "basic"
        with pytest.raises(BadResponse, match="NOT_AUTHORIZED"):
            await peer.get_last_trade("AAPL")
