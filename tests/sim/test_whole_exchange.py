"""All venues together: one market behind them, and the truth about every order."""

import asyncio
import json
import time
from decimal import Decimal

import pytest

from raw_client import ask, request
from sentio_async.sim.clock import SimClock
from sentio_async.sim.exchange import Exchange
from sentio_async.sim.faults import DELAYS, EXECUTED, NOT_EXECUTED, FaultRule

ORDER = {"symbol": "AAPL", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}


@pytest.fixture
async def exchange():
    async with Exchange(seed=1) as exchange:
        yield exchange


def alpaca(exchange, method, path, body=None, *, key=None, secret=None):
    headers = [
        ("APCA-API-KEY-ID", key or exchange.alpaca_key),
        ("APCA-API-SECRET-KEY", secret or exchange.alpaca_secret),
    ]
    data = b"" if body is None else json.dumps(body).encode()
    return request(method, path, data, headers=headers)


async def trade(exchange, method, path, body=None, **keys):
    heard = await ask(
        exchange.addresses.alpaca_trading, alpaca(exchange, method, path, body, **keys)
    )
    return heard.status, json.loads(heard.body)


async def test_an_order_fills_and_moves_the_account(exchange):
    _, before = await trade(exchange, "GET", "/v2/account")
    status, order = await trade(exchange, "POST", "/v2/orders", ORDER)
    await exchange.settle()
    _, filled = await trade(exchange, "GET", f"/v2/orders/{order['id']}")
    _, after = await trade(exchange, "GET", "/v2/account")

    assert (status, filled["status"], filled["filled_qty"]) == (200, "filled", "10")
    spent = Decimal(filled["filled_avg_price"]) * 10
    assert Decimal(before["cash"]) - Decimal(after["cash"]) == spent


async def test_orders_fill_by_themselves_in_a_blink(exchange):
    _, order = await trade(exchange, "POST", "/v2/orders", ORDER)
    async with asyncio.timeout(2):
        while order["status"] != "filled":
            await asyncio.sleep(0.01)
            _, order = await trade(exchange, "GET", f"/v2/orders/{order['id']}")


@pytest.mark.parametrize("kind", sorted(DELAYS | EXECUTED | NOT_EXECUTED))
async def test_an_order_is_there_exactly_if_the_fault_says_it_was_executed(exchange, kind):
    # The silent ones would say nothing for a minute, the big ones too much.
    more = {"delay": 0.0001 if kind == "dribble" else 0.01, "size": 5000}
    exchange.add_fault(FaultRule(kind=kind, method="POST", path="/v2/orders", **more))
    url = exchange.addresses.alpaca_trading
    await ask(url, alpaca(exchange, "POST", "/v2/orders", ORDER), patience=0.2)

    (applied,) = exchange.state.faults.applied
    (account,) = exchange.state.engine.accounts.values()
    assert applied.is_executed == bool(account.orders) == (kind not in NOT_EXECUTED)


async def test_prices_are_one_at_every_venue():
    async with Exchange(clock=SimClock(is_running=False)) as exchange:
        get = alpaca(exchange, "GET", "/v2/stocks/trades/latest?symbols=AAPL")
        headers = [("Authorization", f"Bearer {exchange.polygon_key}")]
        last = request("GET", "/v2/last/trade/AAPL", b"", headers=headers)
        stocks = json.loads((await ask(exchange.addresses.alpaca_data, get)).body)
        polygon = json.loads((await ask(exchange.addresses.polygon, last)).body)
        trade = exchange.state.market.last_trade("AAPL")

    assert Decimal(str(stocks["trades"]["AAPL"]["p"])) == trade.price
    assert Decimal(str(polygon["results"]["p"])) == trade.price
    assert polygon["results"]["t"] == trade.time_ns


async def test_accounts_do_not_see_one_another(exchange):
    exchange.add_account("OTHER", "SECRET", cash=Decimal(5000))
    other = {"key": "OTHER", "secret": "SECRET"}
    await trade(exchange, "POST", "/v2/orders", ORDER)
    _, account = await trade(exchange, "GET", "/v2/account", **other)
    _, orders = await trade(exchange, "GET", "/v2/orders?status=all", **other)

    assert Decimal(account["cash"]) == 5000
    assert orders == []


async def test_a_wrong_secret_opens_nothing(exchange):
    status, _ = await trade(exchange, "GET", "/v2/account", secret="wrong")

    assert status in (401, 403)


async def test_the_limit_counts_aloud_and_refuses_in_the_vendor_s_words(exchange):
    exchange.state.limits.per_minute["alpaca_trading"] = 2
    data = alpaca(exchange, "GET", "/v2/account")
    heard = [await ask(exchange.addresses.alpaca_trading, data) for _ in range(3)]

    assert [each.status for each in heard] == [200, 200, 429]
    assert [
        b"x-ratelimit-remaining: %d" % n in each.head
        for n, each in zip((1, 0, 0), heard, strict=True)
    ]
    assert json.loads(heard[2].body) == {"code": 42910000, "message": "rate limit exceeded."}


async def test_everything_starts_and_stops_at_once():
    starts, stops = [], []
    for _ in range(3):
        began = time.perf_counter()
        async with Exchange() as exchange:
            starts.append(time.perf_counter() - began)
            await trade(exchange, "POST", "/v2/orders", ORDER)
            began = time.perf_counter()
        stops.append(time.perf_counter() - began)

    # The best of three: a busy computer may be late for reasons of its own.
    assert min(starts) < 0.3
    assert min(stops) < 0.3
    assert len(asyncio.all_tasks()) == 1


async def test_the_same_seed_is_the_same_exchange():
    seen = []
    for _ in range(2):
        async with Exchange(seed=9, venues=["alpaca_trading"]) as exchange:
            _, account = await trade(exchange, "GET", "/v2/account")
            seen.append((account["id"], account["account_number"]))

    assert seen[0] == seen[1]
