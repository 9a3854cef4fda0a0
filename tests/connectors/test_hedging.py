"""Slow reads of prices are asked for once more, if that is wished; nothing else ever is."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from scripted_server import answer, serving
from sentio_async import errors
from sentio_async.connectors.alpaca.broker import AlpacaBroker
from sentio_async.connectors.alpaca.config import AlpacaConfig
from sentio_async.connectors.alpaca.data import AlpacaData
from sentio_async.connectors.polygon.config import PolygonConfig
from sentio_async.connectors.polygon.data import PolygonData
from sentio_async.events import Hedged

KEY = {"api_key": "PK" + "K" * 18, "api_secret": "S" * 40}
ROW = {"t": "2026-01-02T15:04:05.5Z", "ap": 2, "as": 1, "bp": 1, "bs": 1}
NBBO = {"T": "AAPL", "P": 2, "S": 1, "p": 1, "s": 1, "t": 1_742_342_400_000_000_000}
QUOTES = {
    "alpaca": {"symbol": "AAPL", "quote": ROW},
    "polygon": {"status": "OK", "request_id": "r", "results": NBBO},
}


class Vendor:
    """Answers the requests from ``slow`` on; those before it wait for ever."""

    def __init__(self, body, slow=1):
        self.body = json.dumps(body).encode()
        self.slow = slow
        self.asked = 0
        self.left = 0

    async def talk(self, peer, _):
        while (request := await peer.request()) is not None:
            self.asked += 1
            if self.asked <= self.slow:
                await peer.read(1)
                self.left += 1
                return
            symbol = request.split(b"/stocks/")[-1].split(b"/")[0]
            await peer.send(answer(self.body.replace(b"SYMBOL", symbol)))


def a_client(name, url, **settings):
    if name == "alpaca":
        return AlpacaData({**KEY, "data_url": url, "base_url": url, **settings})
    return PolygonData({"api_key": "K" * 20, "base_url": url, **settings})


@pytest.mark.own_pool
@pytest.mark.parametrize("name", ["alpaca", "polygon"])
async def test_a_slow_quote_is_asked_for_again_and_the_first_request_is_left(name):
    heard, vendor = [], Vendor(QUOTES[name])
    async with serving(vendor.talk) as server:
        data = a_client(name, server.url, hedge_after=0.05)
        data._resources.listeners.append(heard.append)

        quote = await data.get_quote("AAPL")
        await asyncio.sleep(0.2)

        assert quote.ask == 2
        assert (vendor.asked, vendor.left) == (2, 1)
        assert data.get_status().in_flight == data._resources.client.pool.busy == 0
        hedged = [event for event in heard if isinstance(event, Hedged)]
        assert [(event.waited, event.operation) for event in hedged] == [
            (0.05, "GET /v2/stocks/{symbol}/quotes/latest")
            if name == "alpaca"
            else (0.05, "GET /v2/last/nbbo/{ticker}")
        ]
        await data.disconnect()


async def test_it_is_off_unless_it_is_asked_for():
    vendor = Vendor(QUOTES["alpaca"])
    timeouts = {"read": 0.3, "total": 0.3}
    async with serving(vendor.talk) as server:
        data = a_client("alpaca", server.url, timeouts=timeouts, retry_attempts=1)
        with pytest.raises(errors.ConnectorError):
            await data.get_quote("AAPL")

        assert vendor.asked == 1
        await data.disconnect()


async def test_histories_are_not_hedged():
    bars = {"bars": [], "symbol": "AAPL", "next_page_token": None}
    vendor = Vendor(bars)
    settings = {"hedge_after": 0.01, "retry_attempts": 1, "timeouts": {"read": 0.3, "total": 0.3}}
    async with serving(vendor.talk) as server:
        data = a_client("alpaca", server.url, **settings)
        with pytest.raises(errors.ConnectorError):
            await data.get_bars("AAPL", start=datetime(2024, 1, 2, tzinfo=UTC))

        assert vendor.asked == 1
        await data.disconnect()


async def test_what_is_asked_of_a_broker_is_never_hedged():
    vendor = Vendor({})
    settings = {"hedge_after": 0.01, "retry_attempts": 1, "timeouts": {"read": 0.3, "total": 0.3}}
    async with serving(vendor.talk) as server:
        broker = AlpacaBroker({**KEY, "base_url": server.url, **settings})
        for ask in (broker.get_account, broker.get_positions):
            vendor.slow += 1
            with pytest.raises(errors.ConnectorError):
                await ask()

        assert vendor.asked == 2
        await broker.disconnect()


async def test_a_quota_that_others_wait_for_is_not_spent_on_asking_twice():
    vendor = Vendor({"symbol": "SYMBOL", "quote": ROW})
    settings = {"hedge_after": 0.3, "coalesce": False, "data_requests_per_minute": 2}
    async with serving(vendor.talk) as server:
        data = a_client("alpaca", server.url, **settings, timeouts={"read": 100, "total": 100})
        slow = asyncio.create_task(data.get_quote("AAPL"))
        async with asyncio.timeout(5):
            while not vendor.asked:  # noqa: ASYNC110 (a real server)
                await asyncio.sleep(0.01)
        await data.get_quote("MSFT")
        waiting = asyncio.create_task(data.get_quote("KO"))
        await asyncio.sleep(0.5)

        assert vendor.asked == 2
        assert data._session._limiter("default").waiting == 1
        for task in (slow, waiting):
            task.cancel()
        await asyncio.wait((slow, waiting))
        await data.disconnect()


@pytest.mark.parametrize("kind", [AlpacaConfig, PolygonConfig])
def test_the_setting_is_seconds_or_a_part_of_answers(kind):
    def policy(value):
        return kind.model_validate(
            {**KEY, "hedge_after": value}
            if kind is AlpacaConfig
            else {"api_key": "K" * 20, "hedge_after": value}
        ).hedge_policy

    assert policy(None) is None
    assert policy("0.25").after == policy(0.25).after == 0.25
    assert policy("p95").percentile == 0.95
    for wrong in ("p42", -1):
        with pytest.raises(ValueError, match="hedge_after"):
            policy(wrong)
