"""A call of every declared endpoint, for every kind of instrument, with every filter."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from sentio_async.connectors.polygon.wire import (
    aggregates,
    corporate,
    fundamentals,
    indicators,
    last,
    news,
    reference,
    snapshots,
    status,
    ticks,
    universal,
)
from sentio_async.http.endpoint import Call

STOCK, OPTION, CRYPTO, FOREX, INDEX = (
    "BRK.A",
    "O:AAPL230616C00150000",
    "X:BTCUSD",
    "C:EURUSD",
    "I:SPX",
)
EVERY = (STOCK, OPTION, CRYPTO, FOREX, INDEX)
DAY = date(2025, 3, 14)
START = datetime(2025, 3, 14, 9, 30, 0, 123456, tzinfo=timezone(timedelta(hours=-4)))
END = datetime(2025, 3, 14, 20, 0, tzinfo=UTC)


def every_call() -> Iterator[tuple[str, Call[Any]]]:
    """Name and call."""
    for group in (_bars, _ticks, _latest, _snapshots, _reference, _filtered, _indicators):
        for index, call in enumerate(group()):
            yield f"{call.endpoint.name}-{group.__name__[1:]}-{index}", call


def _bars() -> Iterator[Call[Any]]:
    for ticker in EVERY:
        adjusted = None if ticker == INDEX else False
        yield aggregates.aggregates(ticker, "5Min", START, END, adjusted=adjusted)
        yield aggregates.aggregates(ticker, "1Day", DAY, DAY, order="desc", limit=10)
        yield aggregates.previous_day(ticker, adjusted=adjusted)
    for ticker in (STOCK, OPTION, INDEX):
        yield aggregates.open_close(ticker, DAY, adjusted=None if ticker == INDEX else True)
    yield aggregates.crypto_open_close("BTC", "USD", DAY, adjusted=True)
    yield aggregates.grouped_stocks(DAY, adjusted=True, include_otc=True)
    yield aggregates.grouped_crypto(DAY, adjusted=True)
    yield aggregates.grouped_forex(DAY, adjusted=True)


def _ticks() -> Iterator[Call[Any]]:
    for ticker in (STOCK, OPTION, CRYPTO):
        yield ticks.trades(ticker, START, END)
    for ticker in (STOCK, OPTION, FOREX):
        yield ticks.quotes(ticker, DAY, order="desc", limit=1)
    yield ticks.option_trades(OPTION, START, END)
    yield ticks.option_quotes(OPTION, START, END, order="desc")


def _latest() -> Iterator[Call[Any]]:
    yield last.last_trade(STOCK)
    yield last.last_trade(OPTION)
    yield last.last_quote(STOCK)
    yield last.last_crypto_trade("BTC", "USD")
    yield last.last_forex_quote(FOREX)
    yield last.conversion("AUD", "USD", Decimal("100.5"), precision=2)
    yield status.market_status()
    yield status.market_holidays()


def _snapshots() -> Iterator[Call[Any]]:
    yield snapshots.stock_snapshots([STOCK, "KIMpL"], include_otc=True)
    yield snapshots.stock_snapshots()
    yield snapshots.stock_snapshot(STOCK)
    yield snapshots.crypto_snapshots([CRYPTO])
    yield snapshots.crypto_snapshot(CRYPTO)
    yield snapshots.crypto_book(CRYPTO)
    yield snapshots.forex_snapshots([FOREX])
    yield snapshots.forex_snapshot(FOREX)
    for direction in ("gainers", "losers"):
        yield snapshots.stock_movers(direction, include_otc=False)
        yield snapshots.crypto_movers(direction)
        yield snapshots.forex_movers(direction)
    yield universal.universal_snapshots(EVERY)
    yield universal.index_values([INDEX])
    yield universal.option_chain("AAPL", order="asc", sort="strike_price")
    yield universal.option_snapshot("AAPL", OPTION)
    yield universal.summaries(EVERY)


def _reference() -> Iterator[Call[Any]]:
    yield reference.ticker_details(STOCK, on=DAY)
    yield reference.ticker_types(asset_class="stocks", locale="us")
    yield reference.exchanges(asset_class="options", locale="us")
    for market in ("stocks", "options", "crypto", "forex"):
        yield reference.exchanges_of(market)
    yield reference.option_contract(OPTION, as_of=DAY)
    yield reference.related_companies(STOCK)
    yield reference.ticker_events("META", types="ticker_change")


# For filters whose values the vendor limits.
_WORDS: dict[str, Any] = {
    "type": "stocks",
    "market": "stocks",
    "active": True,
    "expired": True,
    "reverse_split": True,
    "include_sources": True,
    "contract_type": "call",
    "asset_class": "stocks",
    "data_type": "trade",
    "sip": "UTP",
    "id": 1,
    "timeframe": "quarterly",
    "ipo_status": "pending",
    "dividend_type": "CD",
    "frequency": 4,
    "distribution_type": "recurring",
    "adjustment_type": "forward_split",
    "order": "asc",
    "sort": "ticker",
}
# For filters that one endpoint reads in its own way.
_OWN: dict[Any, dict[str, Any]] = {
    reference.tickers: {"type": "CS"},
    reference.conditions: {"sort": "id"},
    fundamentals.financial_reports: {"sort": "filing_date"},
}
FILTERED: dict[Any, frozenset[str]] = {
    reference.tickers: reference._TICKERS,
    reference.conditions: reference._CONDITIONS,
    reference.option_contracts: reference._CONTRACTS,
    corporate.dividends: corporate._DIVIDENDS,
    corporate.splits: corporate._SPLITS,
    corporate.ipos: corporate._IPOS,
    corporate.dividends_v3: corporate._OLD_DIVIDENDS,
    corporate.splits_v3: corporate._OLD_SPLITS,
    corporate.ipos_vx: corporate._OLD_IPOS,
    fundamentals.balance_sheets: fundamentals._STATEMENTS,
    fundamentals.cash_flow_statements: fundamentals._STATEMENTS,
    fundamentals.income_statements: fundamentals._STATEMENTS,
    fundamentals.ratios: fundamentals._RATIOS,
    fundamentals.short_interest: fundamentals._SHORT_INTEREST,
    fundamentals.short_volume: fundamentals._SHORT_VOLUME,
    fundamentals.floats: fundamentals._FLOATS,
    fundamentals.financial_reports: fundamentals._REPORTS,
    news.news: news._NEWS,
    universal.universal_snapshots: universal._BY_TICKER,
    universal.index_values: universal._INDICES,
}


def _filtered() -> Iterator[Call[Any]]:
    for build, known in FILTERED.items():
        own = _OWN.get(build, {})
        filters = {name.replace(".", "_"): _value(name, own) for name in sorted(known)}
        yield build(**filters)
        yield build()
    filters = {name.replace(".", "_"): _value(name, {}) for name in sorted(universal._CHAIN)}
    yield universal.option_chain("AAPL", **filters)


def _value(name: str, own: dict[str, Any]) -> Any:
    field = name.partition(".")[0]
    if field in own or field in _WORDS:
        return own.get(field) or _WORDS[field]
    if "date" in field or field.endswith(("_utc", "_end")) or field == "as_of":
        return DAY
    is_number = field.startswith(("price", "strike", "fiscal", "days", "avg", "cash_amount"))
    return Decimal(4) if is_number or field in _NUMBERS else "4"


_NUMBERS = frozenset({"short_volume_ratio", "free_float_percent"})


def _indicators() -> Iterator[Call[Any]]:
    for ticker in EVERY:
        adjusted = None if ticker == CRYPTO else True
        for build in (indicators.sma, indicators.ema, indicators.rsi):
            yield build(ticker, "1Hour", start=START, end=END, window=10, adjusted=adjusted)
        yield indicators.macd(
            ticker, "1Day", start=DAY, end=DAY, adjusted=adjusted, order="asc", limit=9
        )
