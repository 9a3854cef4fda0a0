"""A caller of the trading venue, for its tests."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from unittest import mock

import httpx

from sentio_async.sim.clock import SimClock
from sentio_async.sim.exchange import Exchange

NOON = datetime(2026, 3, 11, 16, 0, 0, 123456, tzinfo=UTC)


MISSING = "5e6a1f0e-0000-4000-8000-000000000000"


class Caller:
    """Sends requests, keeps every answer, and lets the exchange settle."""

    def __init__(self, exchange, http):
        self.exchange = exchange
        self.http = http
        self.answers = []

    async def ask(self, method, path, **more):
        answer = await self.http.request(method, path, **more)
        self.answers.append((method, path, answer.status_code, answer.content))
        return answer

    async def get(self, path, **query):
        answer = await self.ask("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def place(self, **more):
        return await self.ask("POST", "/v2/orders", json=an_order(**more))

    async def placed(self, **more):
        answer = await self.place(**more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def filled(self, **more):
        order = await self.placed(**more)
        await self.exchange.settle()
        return await self.get(f"/v2/orders/{order['id']}")

    async def refused(self, **more):
        answer = await self.place(**more)
        return answer.status_code, answer.json()


def an_order(**more):
    base = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    return {name: value for name, value in {**base, **more}.items() if value is not None}


def a_limit(price="100", **more):
    return {"type": "limit", "limit_price": price, **more}


@asynccontextmanager
async def a_caller(*, start=NOON, **settings):
    """A caller of an exchange in which nothing happens by itself: time stands, `settle` ticks."""
    clock = SimClock(start, is_running=False)
    with mock.patch("sentio_async.sim.exchange.TICK", 3600.0):
        async with Exchange(
            seed=5, clock=clock, venues=("alpaca_trading",), **settings
        ) as exchange:
            keys = {
                "APCA-API-KEY-ID": exchange.alpaca_key,
                "APCA-API-SECRET-KEY": exchange.alpaca_secret,
            }
            base = exchange.addresses.alpaca_trading
            exchange.state.limits.per_minute["alpaca_trading"] = None
            async with httpx.AsyncClient(base_url=base, headers=keys, trust_env=False) as http:
                yield Caller(exchange, http)
