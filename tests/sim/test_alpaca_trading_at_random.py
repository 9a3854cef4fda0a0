"""Whatever is asked of the trading venue, it answers, and its books balance."""

import random
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest
from starlette.applications import Starlette

from sentio_async.sim.clock import SimClock
from sentio_async.sim.faults import FaultScript
from sentio_async.sim.instruments import Instruments
from sentio_async.sim.limits import Limits
from sentio_async.sim.market import Market
from sentio_async.sim.matching import Engine, Filling
from sentio_async.sim.state import Credential, State
from sentio_async.sim.venues.alpaca.trading import routes

KEYS = {"APCA-API-KEY-ID": "PKTEST", "APCA-API-SECRET-KEY": "secret"}
SYMBOLS = ("AAPL", "F", "NXGL", "BTC/USD", "DOGE/USD", "F260313C00011000", "F260313P00011000")
START = datetime(2026, 3, 11, 15, 0, tzinfo=UTC)
CASH = Decimal(100_000)


class Fuzz:
    """A random client of one account."""

    def __init__(self, seed, hours):
        self.luck = random.Random(seed)
        clock = SimClock(START, is_running=False)
        market = Market(clock, Instruments(), seed=seed, hours=hours)
        self.engine = Engine(market, clock, seed)
        self.engine.filling = Filling(slice_value=Decimal(2000), partial_chance=0.2)
        self.state = State(
            clock=clock,
            market=market,
            engine=self.engine,
            limits=Limits(clock.wall_ns),
            faults=FaultScript(),
        )
        number = self.engine.add_account(cash=CASH)
        self.account = self.engine.account(number)
        self.state.add_credential(Credential("alpaca", "PKTEST", "secret", number))

    def pick(self, *choices):
        return self.luck.choice(choices)

    def price(self, symbol):
        price = self.engine.market.price(symbol) * Decimal(
            self.pick("0.9", "0.999", "1.001", "1.1")
        )
        return str(price.quantize(Decimal("0.01") if price > 1 else Decimal("0.0001")))

    def order(self):
        symbol = self.pick(*SYMBOLS)
        kind = self.pick("market", "market", "limit", "stop", "stop_limit", "trailing_stop")
        order = {
            "symbol": symbol,
            "qty": self.pick("1", "7", "40", "0.5"),
            "side": self.pick("buy", "buy", "sell"),
            "type": kind,
            "time_in_force": self.pick("day", "gtc", "gtc", "ioc", "fok", "opg", "cls"),
        }
        if "limit" in kind:
            order["limit_price"] = self.price(symbol)
        if kind in {"stop", "stop_limit"}:
            order["stop_price"] = self.price(symbol)
        if kind == "trailing_stop":
            order[self.pick("trail_price", "trail_percent")] = "0.5"
        if self.luck.random() < 0.2:
            order["order_class"] = self.pick("bracket", "oto", "oco", "simple")
            order["take_profit"] = {"limit_price": self.price(symbol)}
            order["stop_loss"] = {"stop_price": self.price(symbol)}
        if self.luck.random() < 0.1:
            order["notional"] = order.pop("qty").replace("0.5", "55")
        if self.luck.random() < 0.05:
            order["extended_hours"] = True
        return order

    def spread(self):
        sides = self.pick(("buy", "sell"), ("buy", "buy"))
        legs = [
            {"symbol": symbol, "ratio_qty": "1", "side": side}
            for symbol, side in zip(SYMBOLS[-2:], sides, strict=True)
        ]
        return {
            "order_class": "mleg",
            "qty": "2",
            "type": "market",
            "time_in_force": "day",
            "legs": legs,
        }

    def request(self):
        orders = list(self.account.orders)
        order = self.pick(*orders) if orders else "none"
        symbol = self.pick(*SYMBOLS).replace("/", "%2F")
        return self.pick(
            *[("POST", "/v2/orders", self.order())] * 8,
            ("POST", "/v2/orders", self.spread()),
            ("PATCH", f"/v2/orders/{order}", {"qty": self.pick("2", "9")}),
            ("PATCH", f"/v2/orders/{order}", {"limit_price": self.price("F")}),
            ("PATCH", f"/v2/orders/{order}", {"trail": "0.7"}),
            ("DELETE", f"/v2/orders/{order}", None),
            ("DELETE", f"/v2/positions/{symbol}", None),
            ("DELETE", f"/v2/positions/{symbol}?percentage=33.3", None),
            ("DELETE", f"/v2/positions?cancel_orders={self.pick('true', 'false')}", None),
            ("DELETE", "/v2/orders", None),
            ("POST", f"/v2/positions/{symbol}/exercise", None),
            ("GET", f"/v2/orders?status={self.pick('open', 'closed', 'all')}&nested=true", None),
            ("GET", "/v2/positions", None),
            ("GET", "/v2/account", None),
            ("GET", "/v2/account/activities?page_size=7", None),
            ("GET", "/v2/account/portfolio/history?period=1W&timeframe=1D", None),
        )

    def check(self):
        """Cash is what went in and came out; nothing that has ended is open."""
        assert self.account.cash == CASH + sum(move.cash for move in self.account.moves)
        for symbol, position in self.account.positions.items():
            moved = sum(
                move.qty if move.side == "buy" else -move.qty
                for move in self.account.moves
                if move.instrument.symbol == symbol
            )
            assert position.qty == moved != 0
            # Crypto and stocks that cannot be borrowed are never short.
            assert position.instrument.shortable or position.qty > 0 or "260313" in symbol
        for order in self.account.orders.values():
            assert order.is_open == (order.id in self.account.open_orders)
            assert order.qty is None or 0 <= order.filled_qty <= order.qty
            assert order.notional is None or order.filled_value <= order.notional


@pytest.mark.slow
@pytest.mark.parametrize("hours", ["always", "nyse"])
@pytest.mark.parametrize("seed", range(3))
async def test_books_balance_after_any_requests(seed, hours):
    fuzz = Fuzz(seed, hours)
    app = httpx.ASGITransport(Starlette(routes=routes(fuzz.state)))
    seen = set()
    async with httpx.AsyncClient(transport=app, base_url="http://sim", headers=KEYS) as http:
        for _ in range(250):
            method, path, body = fuzz.request()
            answer = await http.request(method, path, json=body)
            seen.add(answer.status_code)
            assert answer.status_code < 500
            if fuzz.luck.random() < 0.7:
                fuzz.state.clock.advance(fuzz.pick(0, 0.02, 3, 40, 3600))
                fuzz.engine.tick()
            fuzz.check()

    assert seen >= {200, 403, 422}
