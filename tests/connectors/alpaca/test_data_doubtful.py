"""Answers and questions at the edge of what can be: none of them passes for something else."""

import asyncio
import json
from datetime import date, datetime

import httpx
import pytest
import respx

from sentio_async import errors
from sentio_async.connectors.alpaca.broker import AlpacaBroker
from sentio_async.connectors.alpaca.data import AlpacaData
from sentio_async.connectors.alpaca.wire import data_stock, data_stocks
from sentio_async.connectors.alpaca.wire.data_api import Span
from sentio_async.connectors.alpaca.wire.data_pages import MOST_EMPTY, SpanPages
from sentio_async.models import Page

HOST = "https://data.alpaca.markets"
DAY = date(2026, 3, 2)


@pytest.fixture
async def data():
    async with httpx.AsyncClient() as client:
        keys = {"api_key": "PKTEST", "api_secret": "secret", "retry_attempts": 1}
        yield AlpacaData(keys, client=client)


@pytest.fixture
def alpaca():
    with respx.mock(base_url=HOST, assert_all_called=False) as mock:
        yield mock


def a_bar(**changes):
    return {"t": "2026-03-02T15:04:00Z", "o": 1, "h": 2, "l": 1, "c": 2, "v": 5, **changes}


def read(call, body):
    return call.read(call.endpoint.decode(json.dumps(body).encode()))


def bars_in(*rows):
    call = data_stock.bars_of("KO", "1Min")
    return read(call, {"symbol": "KO", "bars": list(rows)}).items["KO"]


@pytest.mark.parametrize(
    "bad",
    [
        a_bar(t="0001-01-01T00:00:00Z"),
        a_bar(t="9999-12-31T00:00:00Z"),
        a_bar(n=10**19),
        a_bar(n=-(10**19)),
        a_bar(n=-2),
    ],
)
def test_a_bar_that_no_column_can_hold_costs_only_itself(bad):
    bars = bars_in(a_bar(), bad, a_bar(t="2026-03-02T15:05:00Z"))

    assert [f"{bar.time:%H:%M}" for bar in bars] == ["15:04", "15:05"]
    assert [row.index for row in bars.skipped] == [1]


def test_bars_of_which_no_time_can_be_held_are_no_empty_series():
    with pytest.raises(errors.DecodeError, match="no row can be read"):
        bars_in(a_bar(t="0001-01-01T00:00:00Z"))


@pytest.mark.parametrize("words", [{"error": "upstream"}, {"code": 50010000, "status": 504}])
def test_a_map_of_which_nothing_can_be_read_is_no_answer_about_others(words):
    with pytest.raises(errors.DecodeError, match="no row can be read"):
        read(data_stocks.snapshots(["KO", "PEP"]), words)


async def test_bars_under_a_name_that_was_not_asked_for_leave_no_empty_series(data, alpaca):
    alpaca.get("/v2/stocks/bars").respond(json={"bars": {"KO": [a_bar()], "PEP": [a_bar()]}})

    found = await data.get_many_bars(["ko", "PEP"], start=DAY)

    for symbol in ("ko", "PEP"):
        with pytest.raises(errors.DecodeError, match="KO: its bars came, and were not asked for"):
            found[symbol]


@pytest.mark.parametrize(
    "end",
    [datetime(2026, 3, 2), "2026-03-02T14:30:00", "2026-13-45", "soon", 1_772_463_845],
)
async def test_the_latest_bars_until_what_is_no_time_are_refused(data, end):
    with pytest.raises(errors.InvalidRequestError, match="time"):
        await data.get_bars("KO", end=end)


@pytest.mark.parametrize("nothing", ["", 0])
async def test_an_empty_time_is_none_and_not_today_or_now(data, alpaca, nothing):
    answered = alpaca.get(url__regex=".*").respond(json={"symbol": "KO", "bars": [], "trades": []})

    for asked in ({"end": nothing}, {"start": DAY, "end": nothing}, {"start": nothing}):
        with pytest.raises(errors.InvalidRequestError, match="time"):
            await data.get_bars("KO", **asked)
        with pytest.raises(errors.InvalidRequestError, match="time"):
            _ = [each async for each in data.iter_trades("KO", **asked)]
    assert not answered.called


@pytest.mark.parametrize("start", [None, DAY])
@pytest.mark.parametrize("limit", [0, -1])
async def test_less_than_one_bar_is_refused_whether_it_is_the_latest_or_not(data, start, limit):
    for pages in (data.get_bars, data.iter_bar_pages):
        with pytest.raises(errors.InvalidRequestError, match="limit"):
            asked = pages("KO", start=start, limit=limit)
            await (anext(asked) if hasattr(asked, "__anext__") else asked)


async def test_pages_asked_for_at_the_same_time_are_everyones_own(data, alpaca):
    async def answer(request):
        await asyncio.sleep(0)
        return httpx.Response(200, json={"symbol": "KO", "bars": [a_bar()]})

    route = alpaca.get("/v2/stocks/KO/bars").mock(side_effect=answer)

    async def first_page():
        return await anext(data.iter_bar_pages("KO", "1Min", start=DAY))

    mine, yours = await asyncio.gather(first_page(), first_page())
    mine.extend(mine[:])

    assert route.call_count == 1
    assert (len(mine), len(yours)) == (2, 1)


@pytest.mark.parametrize("name", ["iter_news", "iter_corporate_actions"])
async def test_a_text_or_nothing_is_no_list_of_symbols(data, alpaca, name):
    asked = getattr(data, name)
    everything = alpaca.get(url__regex=".*").respond(json={"news": [], "corporate_actions": {}})

    with pytest.raises(errors.InvalidRequestError, match=r"such as \['KO'\]"):
        asked("KO")
    for bad in ([], ["KO", ""], ["A,B"]):
        with pytest.raises(errors.InvalidRequestError, match="symbol"):
            asked(bad)
    assert [each async for each in asked(None)] == []
    assert "symbols" not in everything.calls.last.request.url.params


async def test_a_folder_of_bars_is_not_gone_on_with_from_another_feed(alpaca, tmp_path):
    pytest.importorskip("pyarrow")
    alpaca.get("/v2/stocks/KO/bars").respond(json={"symbol": "KO", "bars": [a_bar()]})
    span = {"start": DAY, "end": date(2026, 3, 3)}

    async def store(**settings):
        keys = {"api_key": "PKTEST", "api_secret": "secret", "retry_attempts": 1}
        async with httpx.AsyncClient() as client:
            data = AlpacaData({**keys, **settings}, client=client)
            return await data.download_bars(["KO"], "1Min", tmp_path, **span)

    assert (await store(feed="iex"))["KO"].rows == 1
    assert (await store(feed="iex"))["KO"].rows == 1
    for other in ({"feed": "sip"}, {}):
        with pytest.raises(errors.InvalidRequestError, match="was begun with feed 'iex'"):
            await store(**other)


async def test_the_list_of_all_instruments_is_longer_than_other_answers():
    asset = {"id": "1", "class": "us_equity", "status": "active", "tradable": True, "exchange": "N"}
    every = [{**asset, "symbol": f"S{number}", "name": "x" * 300} for number in range(30_000)]
    body = json.dumps(every, separators=(",", ":")).encode()
    assert len(body) > 11_000_000
    with respx.mock(base_url="https://paper-api.alpaca.markets") as trading:
        trading.get("/v2/assets").respond(content=body)
        async with httpx.AsyncClient() as client:
            keys = {"api_key": "PKTEST", "api_secret": "secret", "retry_attempts": 1}
            found = await AlpacaBroker(keys, client=client).get_assets()

    assert len(found) == 30_000


def test_pages_without_rows_do_not_go_on_for_ever():
    pages = SpanPages(Span())
    for number in range(MOST_EMPTY):
        pages.take(Page({}, f"a{number}"), 0)
    pages.take(Page({}, "one with rows"), 1)
    for number in range(MOST_EMPTY):
        pages.take(Page({}, f"b{number}"), 0)

    with pytest.raises(errors.DecodeError, match=f"{MOST_EMPTY} in a row are empty"):
        pages.take(Page({}, "more"), 0)
