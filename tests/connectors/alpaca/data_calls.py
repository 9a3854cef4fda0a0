"""One request for every call of Alpaca's market-data API, with every parameter it takes."""

from datetime import UTC, date, datetime
from decimal import Decimal

from sentio_async.connectors.alpaca.wire import (
    data_crypto,
    data_news,
    data_options,
    data_perpetuals,
    data_rates,
    data_screener,
    data_stock,
    data_stocks,
)
from sentio_async.connectors.alpaca.wire.data_api import Span
from sentio_async.models import OptionRight

STOCKS = ["AAPL", "BRK.B"]
PAIRS = ["BTC/USD", "ETH/USD"]
CONTRACTS = ["AAPL260320C00200000", "AAPL260320P00200000"]
DAY = date(2026, 3, 2)
FROM = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
SPAN = Span(start=FROM, end=DAY, limit=10_000, descending=True, page_token="QUFQTHw=")
NANOSECONDS = Span(start="2026-03-02T14:30:00.123456789Z", descending=False)
PAST = {"asof": "-", "feed": "sip", "currency": "EUR"}
NOW = {"feed": "delayed_sip", "currency": "USD"}


def every_call():
    yield from _stocks()
    yield from _crypto()
    yield from _options()
    yield from _others()


def _stocks():
    yield "bars", data_stocks.bars(STOCKS, "5Min", SPAN, adjustment="all", **PAST)
    yield "bars adjusted twice", data_stocks.bars(STOCKS, "1M", adjustment=["split", "dividend"])
    yield "bars of the delayed tape", data_stocks.bars(STOCKS, "1h", feed="delayed_sip", asof=DAY)
    yield "trades", data_stocks.trades(STOCKS, SPAN, **PAST)
    yield "trades to the nanosecond", data_stocks.trades(STOCKS, NANOSECONDS)
    yield "quotes", data_stocks.quotes(STOCKS, SPAN, **PAST)
    yield "auctions", data_stocks.auctions(STOCKS, SPAN, asof=DAY, currency="USD")
    yield "latest bars", data_stocks.latest_bars(STOCKS, **NOW)
    yield "latest trades", data_stocks.latest_trades(STOCKS, **NOW)
    yield "latest quotes", data_stocks.latest_quotes(STOCKS, **NOW)
    yield "snapshots", data_stocks.snapshots(STOCKS, feed="overnight")
    yield "bars of one", data_stock.bars_of("BRK.B", "1Day", SPAN, adjustment="split", **PAST)
    yield "trades of one", data_stock.trades_of("AAPL", SPAN, **PAST)
    yield "quotes of one", data_stock.quotes_of("AAPL", SPAN, **PAST)
    yield "auctions of one", data_stock.auctions_of("AAPL", SPAN, asof=DAY, currency="USD")
    yield "latest bar of one", data_stock.latest_bar_of("AAPL", **NOW)
    yield "latest trade of one", data_stock.latest_trade_of("AAPL", **NOW)
    yield "latest quote of one", data_stock.latest_quote_of("AAPL", **NOW)
    yield "snapshot of one", data_stock.snapshot_of("AAPL", feed="iex")


def _crypto():
    yield "crypto bars", data_crypto.crypto_bars(PAIRS, "2Hour", SPAN, location="us-1")
    yield "crypto trades", data_crypto.crypto_trades(PAIRS, SPAN, location="eu-1")
    yield "crypto quotes", data_crypto.crypto_quotes(PAIRS, SPAN)
    yield "latest crypto bars", data_crypto.latest_crypto_bars(PAIRS)
    yield "latest crypto trades", data_crypto.latest_crypto_trades(PAIRS)
    yield "latest crypto quotes", data_crypto.latest_crypto_quotes(PAIRS, location="us-1")
    yield "crypto books", data_crypto.crypto_books(PAIRS)
    yield "crypto snapshots", data_crypto.crypto_snapshots(PAIRS)
    for name in ("bars", "trades", "quotes", "books", "pricing"):
        yield f"perpetual {name}", getattr(data_perpetuals, f"perpetual_{name}")(["BTCUSDT.P"])


def _options():
    yield "option bars", data_options.option_bars(CONTRACTS, "1Week", SPAN)
    yield "option trades", data_options.option_trades(CONTRACTS, SPAN)
    yield "latest option quotes", data_options.latest_option_quotes(CONTRACTS, feed="indicative")
    yield "latest option trades", data_options.latest_option_trades(CONTRACTS, feed="opra")
    yield (
        "option snapshots",
        data_options.option_snapshots(
            CONTRACTS, Span(limit=100, page_token="t"), feed="opra", updated_since=FROM
        ),
    )
    yield (
        "option chain",
        data_options.option_chain(
            "AAPL",
            Span(limit=1000, page_token="t"),
            feed="indicative",
            right=OptionRight.CALL,
            strike_from=Decimal("150.5"),
            strike_to=200,
            expires_on=DAY,
            expires_from=DAY,
            expires_to=DAY,
            root="AAPL1",
            updated_since=DAY,
        ),
    )


def _others():
    news_span = Span(start=DAY, end=FROM, limit=50, descending=True, page_token="t")
    yield "news", data_news.news(STOCKS, news_span, content=True, only_with_content=False)
    yield "all news", data_news.news()
    actions_span = Span(start=DAY, end=DAY, limit=1000, descending=False, page_token="t")
    yield (
        "corporate actions",
        data_news.corporate_actions(
            STOCKS,
            actions_span,
            kinds=["cash_dividend", "spin_off"],
            cusips=["037833100"],
            region="all",
        ),
    )
    yield "corporate actions by id", data_news.corporate_actions(ids=["1dbc7685"])
    yield "movers", data_screener.movers("crypto", top=50)
    yield "most actives", data_screener.most_actives("trades", top=100)
    yield "stock exchanges", data_screener.stock_exchanges()
    yield "stock conditions", data_screener.stock_conditions("trade", "A")
    yield "option exchanges", data_screener.option_exchanges()
    yield "option conditions", data_screener.option_conditions("quote")
    yield "currency rates", data_rates.currency_rates(["USDJPY", "EURUSD"], "5Sec", SPAN)
    yield "latest currency rates", data_rates.latest_currency_rates(["USDJPY"])
    yield "index values", data_rates.index_values(["SPX"], SPAN)
    yield "latest index values", data_rates.latest_index_values(["SPX", "VIX"])
    yield "bond prices", data_rates.bond_prices(["US912797KJ59"])
    yield "bond quotes", data_rates.bond_quotes(["US912797KJ59"], trade_size=1000)
