"""Long histories of both vendors: a page ahead of the reader, no more, and none left behind."""

import asyncio
import json
from contextlib import aclosing
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from scripted_server import answer, serving
from sentio_async.connectors.alpaca.data import AlpacaData
from sentio_async.connectors.polygon.data import PolygonData

START, END = datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 3, 2, tzinfo=UTC)
PAGES, ROWS = 5, 10


def _alpaca(page, more, _):
    rows = [
        {"t": f"2024-01-{2 + page:02}T15:{row:02}:00Z", "o": 1, "h": 2, "l": 1, "c": page, "v": row}
        for row in range(ROWS)
    ]
    token = f"page={page + 1}" if more else None
    return {"bars": rows, "symbol": "AAPL", "next_page_token": token}


def _polygon(page, more, url):
    rows = [
        {"t": 1_704_200_000_000 + (page * ROWS + row) * 60_000, "o": 1, "h": 2, "l": 1, "c": page}
        for row in range(ROWS)
    ]
    further = {"next_url": f"{url}?cursor=page%3D{page + 1}&limit=9"} if more else {}
    return {"status": "OK", "results": rows, "ticker": "AAPL", **further}


class Vendor:
    """Serves five pages of bars, and makes its client."""

    def __init__(self, name):
        self.name = name
        self.asked = []
        self.mute_from = PAGES
        self.url = ""

    async def talk(self, peer, _):
        while (request := await peer.request()) is not None:
            target = urlsplit(request.split(b" ")[1].decode())
            query = parse_qs(target.query)
            token = query.get("page_token", query.get("cursor", ["page=0"]))[0]
            page = int(token.removeprefix("page="))
            self.asked.append(page)
            if page >= self.mute_from:
                await peer.read(1)
                return
            shape = _alpaca if self.name == "alpaca" else _polygon
            body = shape(page, page + 1 < PAGES, self.url + target.path)
            await peer.send(answer(json.dumps(body).encode()))

    def client(self, **settings):
        if self.name == "alpaca":
            key = {"api_key": "PK" + "K" * 18, "api_secret": "S" * 40}
            return AlpacaData({**key, "data_url": self.url, "base_url": self.url, **settings})
        return PolygonData({"api_key": "K" * 20, "base_url": self.url, **settings})


@pytest.fixture(params=["alpaca", "polygon"])
async def vendor(request):
    vendor = Vendor(request.param)
    async with serving(vendor.talk) as server:
        vendor.url = server.url
        yield vendor


def bars_of(data, **options):
    return data.iter_bars("AAPL", "1Min", start=START, end=END, **options)


async def busy(data):
    await asyncio.sleep(0.02)
    return data._resources.client.pool.busy, data.get_status().in_flight


async def test_all_rows_come_in_order_by_every_way(vendor):
    data = vendor.client()
    one_by_one = [bar async for bar in bars_of(data)]
    at_once = await data.get_bars("AAPL", "1Min", start=START, end=END)
    pages = [page async for page in data.iter_bar_pages("AAPL", "1Min", start=START, end=END)]

    assert vendor.asked == list(range(PAGES)) * 3
    assert one_by_one == list(at_once) == [bar for page in pages for bar in page]
    assert [bar.close for bar in one_by_one] == [p for p in range(PAGES) for _ in range(ROWS)]
    await data.disconnect()


@pytest.mark.parametrize("ahead", [0, 1, 3])
async def test_so_many_pages_are_asked_for_ahead_of_the_first_row(vendor, ahead):
    data = vendor.client(pages_at_once=1 + ahead)
    async with aclosing(bars_of(data)) as bars:
        await anext(bars)
        await asyncio.sleep(0.1)

        assert vendor.asked == list(range(1 + ahead))
    await data.disconnect()


@pytest.mark.own_pool
async def test_a_reader_that_breaks_off_leaves_no_request(vendor):
    vendor.mute_from = 1
    data = vendor.client()
    async for _ in bars_of(data):
        await asyncio.sleep(0.05)
        break

    assert await busy(data) == (0, 0)
    assert vendor.asked == [0, 1]
    await data.disconnect()


@pytest.mark.own_pool
async def test_a_reader_that_fails_leaves_no_request(vendor):
    vendor.mute_from = 1
    data = vendor.client()

    async def read():
        async for _ in bars_of(data):
            await asyncio.sleep(0.05)
            raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        await read()
    assert await busy(data) == (0, 0)
    await data.disconnect()


@pytest.mark.own_pool
async def test_a_reader_that_is_cancelled_leaves_no_request(vendor):
    vendor.mute_from = 2
    data = vendor.client()

    async def read():
        return [bar async for bar in bars_of(data)]

    reader = asyncio.create_task(read())
    await asyncio.sleep(0.1)
    assert vendor.asked == [0, 1, 2]
    reader.cancel()
    await asyncio.wait((reader,))

    assert await busy(data) == (0, 0)
    await data.disconnect()


async def test_no_page_is_asked_for_that_a_limit_makes_needless(vendor):
    data = vendor.client()

    bars = await data.get_bars("AAPL", "1Hour", start=START, end=END, limit=2 * ROWS)

    assert len(bars) == 2 * ROWS
    assert vendor.asked == [0, 1]
    await data.disconnect()


async def test_two_who_read_the_same_history_share_its_requests(vendor):
    data = vendor.client()

    async def read():
        return [bar async for bar in bars_of(data)]

    one, other = await asyncio.gather(read(), read())

    assert one == other
    assert len(one) == PAGES * ROWS
    assert vendor.asked == list(range(PAGES))
    await data.disconnect()
