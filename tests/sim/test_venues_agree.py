"""Alpaca and Polygon tell the same market, each in its own words."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from sentio_async.sim.clock import SimClock
from sentio_async.sim.exchange import Exchange

NOW = datetime(2025, 6, 18, 18, 30, 15, tzinfo=UTC)
Get = Callable[[str], Any]


@pytest.fixture
async def both() -> AsyncIterator[tuple[Get, Get]]:
    clock = SimClock(NOW, is_running=False)
    async with Exchange(clock=clock, venues=["alpaca_data", "polygon"]) as exchange:
        alpaca_keys = {
            "APCA-API-KEY-ID": exchange.alpaca_key,
            "APCA-API-SECRET-KEY": exchange.alpaca_secret,
        }
        polygon_key = {"Authorization": f"Bearer {exchange.polygon_key}"}
        async with httpx.AsyncClient() as client:
            yield (
                getter(client, exchange.addresses.alpaca_data, alpaca_keys),
                getter(client, exchange.addresses.polygon, polygon_key),
            )


def getter(client: httpx.AsyncClient, base: str, headers: dict[str, str]) -> Get:
    async def get(target: str) -> Any:
        answer = await client.get(f"{base}{target}", headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json(parse_float=Decimal)

    return get


@pytest.mark.parametrize(
    ("span", "adjustment", "adjusted"),
    [("2024-06-01", "split", "true"), ("2024-06-01", "raw", "false")],
)
async def test_daily_bars_are_the_same(
    both: tuple[Get, Get], span: str, adjustment: str, adjusted: str
) -> None:
    alpaca, polygon = both
    ours = await alpaca(
        f"/v2/stocks/NVDA/bars?timeframe=1Day&start={span}&end=2024-06-28&adjustment={adjustment}"
    )
    theirs = await polygon(
        f"/v2/aggs/ticker/NVDA/range/1/day/{span}/2024-06-28?adjusted={adjusted}"
    )

    def told(rows: list[Any]) -> list[Any]:
        return [tuple(row[key] for key in ("o", "h", "l", "c", "v", "n")) for row in rows]

    assert told(ours["bars"]) == told(theirs["results"])
    assert len(ours["bars"]) > 15


async def test_last_trades_and_quotes_are_the_same(both: tuple[Get, Get]) -> None:
    alpaca, polygon = both
    ours = (await alpaca("/v2/stocks/snapshots?symbols=AAPL"))["AAPL"]
    trade = (await polygon("/v2/last/trade/AAPL"))["results"]
    nbbo = (await polygon("/v2/last/nbbo/AAPL"))["results"]
    coin = (await alpaca("/v1beta3/crypto/us/latest/trades?symbols=BTC/USD"))["trades"]["BTC/USD"]
    last = (await polygon("/v1/last/crypto/BTC/USD"))["last"]

    assert (ours["latestTrade"]["p"], str(ours["latestTrade"]["i"])) == (trade["p"], trade["i"])
    assert (ours["latestQuote"]["bp"], ours["latestQuote"]["ap"]) == (nbbo["p"], nbbo["P"])
    assert (coin["p"], coin["s"]) == (last["price"], last["size"])


async def test_splits_dividends_and_news_are_the_same(both: tuple[Get, Get]) -> None:
    alpaca, polygon = both
    actions = (await alpaca("/v1/corporate-actions?start=2014-01-01&symbols=NVDA&limit=1000"))[
        "corporate_actions"
    ]
    splits = (await polygon("/v3/reference/splits?ticker=NVDA"))["results"]
    paid = (await alpaca("/v1/corporate-actions?start=2025-01-01&symbols=KO&types=cash_dividend"))[
        "corporate_actions"
    ]["cash_dividends"]
    dividends = await polygon("/v3/reference/dividends?ticker=KO&pay_date.gte=2025-01-01")
    news = await alpaca("/v1beta1/news?symbols=AAPL&limit=5")
    told = await polygon("/v2/reference/news?ticker=AAPL&limit=5")

    assert {row["ex_date"] for row in actions["forward_splits"]} == {
        row["execution_date"] for row in splits
    }
    assert {row["payable_date"] for row in paid} <= {
        row["pay_date"] for row in dividends["results"]
    }
    assert [row["headline"] for row in news["news"]] == [row["title"] for row in told["results"]]


async def test_many_questions_at_once_are_all_answered(both: tuple[Get, Get]) -> None:
    alpaca, polygon = both
    symbols = ("AAPL", "MSFT", "SPY", "T", "F")

    ours = await asyncio.gather(
        *(alpaca(f"/v2/stocks/{symbol}/trades/latest") for symbol in symbols * 10)
    )
    theirs = await asyncio.gather(*(polygon(f"/v2/last/trade/{s}") for s in symbols * 10))

    assert [row["trade"]["p"] for row in ours] == [row["results"]["p"] for row in theirs]
