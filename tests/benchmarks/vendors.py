"""The same work by alpaca-py, by massive and by our connectors, all resilience on.

The peers are synchronous and called as their documentation shows.  They make an object of every
bar, ours are columns.  Every figure is CPU of this process, whatever the server in the other does.
"""

import asyncio
import os
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from decimal import Decimal

from tests.benchmarks import memory
from tests.benchmarks.measure import interleaved, row
from tests.benchmarks.transport import raw_calls
from tests.benchmarks.venues import symbols, venue

KEY, SECRET = "PK" + "K" * 18, "S" * 40
START, END = datetime(2024, 1, 2, tzinfo=UTC), datetime(2025, 1, 2, tzinfo=UTC)
QUOTA = 100_000_000

TARGETS = {
    "alpaca.quote.1": 0.17,
    "alpaca.quotes.100": 0.125,
    "alpaca.quotes.1000": 0.085,
    "alpaca.bars.10000": 0.067,
    "alpaca.bars.100000": 0.085,
    "alpaca.place_order": 0.15,
    "massive.snapshot.1": 0.25,
    "massive.snapshots.100": 0.125,
    "massive.snapshots.10000": 0.125,
    "massive.aggregates.10000": 0.125,
    "massive.aggregates.100000": 0.2,
}
LIMIT, LIMIT_TARGET = "vendors.alpaca.quote.raw", 2.0
SHARES = {"1": 100, "100": 40, "1000": 10, "10000": 2, "100000": 1, "place_order": 100}
"""Calls of a client in a round, in a hundredth of those asked for; long ones need fewer."""


def alpaca_py(url):
    """What alpaca-py does, by the name of its row."""
    from alpaca.data.historical import StockHistoricalDataClient
    from alpaca.data.requests import StockBarsRequest, StockLatestQuoteRequest
    from alpaca.data.timeframe import TimeFrame
    from alpaca.trading.client import TradingClient
    from alpaca.trading.enums import OrderSide, TimeInForce
    from alpaca.trading.requests import LimitOrderRequest

    data = StockHistoricalDataClient(KEY, SECRET, url_override=url)
    trading = TradingClient(KEY, SECRET, paper=True, url_override=url)

    def quotes(names):
        return data.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=names))

    def bars(symbol):
        asked = StockBarsRequest(
            symbol_or_symbols=symbol, timeframe=TimeFrame.Minute, start=START, end=END
        )
        return data.get_stock_bars(asked)

    def order():
        asked = LimitOrderRequest(
            symbol="KO", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, limit_price=78.19
        )
        return trading.submit_order(asked)

    hundred, thousand = symbols(100), symbols(1000)
    return {
        "alpaca.quote.1": lambda: quotes("AAPL"),
        "alpaca.quotes.100": lambda: quotes(hundred),
        "alpaca.quotes.1000": lambda: quotes(thousand),
        "alpaca.bars.10000": lambda: bars("AAPL"),
        "alpaca.bars.100000": lambda: bars("SPY"),
        "alpaca.place_order": order,
    }


def _massive(url):
    from massive import RESTClient

    client = RESTClient(KEY, base=url)
    hundred = symbols(100)

    def aggregates(symbol):
        found = client.list_aggs(symbol, 1, "minute", START, END, limit=50_000)
        return list(found)

    return {
        "massive.snapshot.1": lambda: client.get_snapshot_ticker("stocks", "AAPL"),
        "massive.snapshots.100": lambda: client.get_snapshot_all("stocks", tickers=hundred),
        "massive.snapshots.10000": lambda: client.get_snapshot_all("stocks"),
        "massive.aggregates.10000": lambda: aggregates("AAPL"),
        "massive.aggregates.100000": lambda: aggregates("SPY"),
    }


async def _ours(url, stack):
    from sentio_async.connectors.alpaca.broker import AlpacaBroker
    from sentio_async.connectors.alpaca.data import AlpacaData
    from sentio_async.connectors.polygon.data import PolygonData

    key = {"api_key": KEY, "api_secret": SECRET, "requests_per_minute": QUOTA}
    broker = await stack.enter_async_context(AlpacaBroker({**key, "base_url": url}))
    alpaca = await stack.enter_async_context(AlpacaData({**key, "data_url": url, "base_url": url}))
    settings = {"api_key": KEY, "base_url": url, "requests_per_minute": QUOTA}
    massive = await stack.enter_async_context(PolygonData(settings))
    hundred, thousand = symbols(100), symbols(1000)
    price = Decimal("78.19")
    return {
        "alpaca.quote.1": lambda: alpaca.get_quote("AAPL"),
        "alpaca.quotes.100": lambda: alpaca.get_quotes(hundred),
        "alpaca.quotes.1000": lambda: alpaca.get_quotes(thousand),
        "alpaca.bars.10000": lambda: alpaca.get_bars("AAPL", "1Min", start=START, end=END),
        "alpaca.bars.100000": lambda: alpaca.get_bars("SPY", "1Min", start=START, end=END),
        "alpaca.place_order": lambda: broker.place_order(
            "KO", qty=1, side="buy", order_type="limit", limit_price=price
        ),
        "massive.snapshot.1": lambda: massive.get_snapshot("AAPL"),
        "massive.snapshots.100": lambda: massive.get_snapshots(hundred),
        "massive.snapshots.10000": lambda: massive.get_market_snapshots("stocks"),
        "massive.aggregates.10000": lambda: massive.get_bars("AAPL", "1Min", start=START, end=END),
        "massive.aggregates.100000": lambda: massive.get_bars("SPY", "1Min", start=START, end=END),
    }


def _one_by_one(call):
    async def run(count, _):
        for _ in range(count):
            await call()

    return run


def _in_this_thread(call):
    async def run(count, _):
        for _ in range(count):
            call()

    return run


async def _limit(url, settings, quote):
    """A whole quote against the least that a GET of the same bytes costs."""
    async with AsyncExitStack() as stack:
        clients = {
            "ours": (_one_by_one(quote), SHARES["1"]),
            "raw": (await raw_calls(url, 1, stack, "/v2/stocks/AAPL/quotes/latest"), SHARES["1"]),
        }
        return row(LIMIT, await interleaved(clients, settings, 1), "ours", "raw", LIMIT_TARGET)


def _check(bench, found, theirs):
    """Both have as much; a client that left something out would look fast."""
    size = bench.rsplit(".", 1)[-1]
    if not size.isdigit() or size == "1":
        return
    for one in (found, theirs):
        rows = getattr(one, "data", one)
        rows = next(iter(rows.values())) if "bars" in bench and isinstance(rows, dict) else rows
        if len(rows) != int(size):
            raise RuntimeError(f"{bench}: {len(rows)} rows instead of {size}")


async def _compare(url, settings, wanted):
    rows = []
    async with AsyncExitStack() as stack:
        ours = await _ours(url, stack)
        peers = {**alpaca_py(url), **_massive(url)}
        for bench in wanted:
            _check(bench, await ours[bench](), peers[bench]())
            share = SHARES[bench.rsplit(".", 1)[-1]]
            clients = {
                "ours": (_one_by_one(ours[bench]), share),
                "peer": (_in_this_thread(peers[bench]), share),
            }
            figures = await interleaved(clients, settings, 1)
            rows.append(row(f"vendors.{bench}", figures, "ours", "peer", TARGETS[bench]))
        if settings.wants(LIMIT):
            rows.append(await _limit(url, settings, ours["alpaca.quote.1"]))
    return rows


def rows(settings):
    """All rows of this set."""
    wanted = [bench for bench in TARGETS if settings.wants(f"vendors.{bench}")]
    measures_memory = settings.wants(memory.BENCH)
    if not (wanted or measures_memory or settings.wants(LIMIT)):
        return
    if settings.pin:
        os.sched_setaffinity(0, {0})
    with venue(pin=settings.pin) as url:
        yield from asyncio.run(_compare(url, settings, wanted))
        if measures_memory:
            yield from memory.rows(url)
