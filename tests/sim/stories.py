"""An engine whose market's prices are written down beforehand."""

from datetime import UTC, datetime
from decimal import Decimal

from sentio_async.sim.clock import SimClock, ns_of
from sentio_async.sim.instruments import Instruments
from sentio_async.sim.market import Market
from sentio_async.sim.matching import Engine
from sentio_async.sim.orders import Order
from sentio_async.sim.prices import MINUTE
from sentio_async.sim.replay import Replay
from sentio_async.sim.rows import Bar

OPEN = datetime(2026, 3, 11, 14, 0, tzinfo=UTC)


def a_story(*prices, symbol="XYZ", start=OPEN):
    """An engine whose market stands at each of these prices for a minute, a second each."""
    bars = [
        Bar(ns_of(start) + n * MINUTE, *[Decimal(str(price))] * 4, 100_000, 0, Decimal(1))
        for n, price in enumerate(prices)
    ]
    clock = SimClock(is_running=False)
    market = Market(clock, Instruments(), seed=1, replay=Replay({symbol: bars}, pace=1.0))
    return Desk(Engine(market, clock, seed=1))


class Desk:
    """One account, its orders, and time that passes when told."""

    def __init__(self, engine):
        self.engine = engine
        self.account = engine.account(engine.add_account())
        self.told = []
        engine.listen(lambda event: self.told.append((event.kind, event.order.type)))

    def an_order(self, side="buy", kind="market", *, qty=10, parent=None, symbol="XYZ", **more):
        names = ("limit_price", "stop_price", "trail_price", "trail_percent", "notional")
        values = {k: Decimal(str(v)) if k in names else v for k, v in more.items()}
        id = self.engine.new_id()
        return Order(
            id=id,
            client_order_id=id,
            account=self.account.number,
            number=self.engine.new_number(),
            instrument=self.engine.market.instruments.get(symbol),
            side=side,
            type=kind,
            created_ns=self.engine.clock.now_ns(),
            qty=None if qty is None else Decimal(str(qty)),
            parent=parent,
            **{"time_in_force": "day", **values},
        )

    def place(self, *args, **more):
        order = self.an_order(*args, **more)
        self.engine.submit(order)
        return order

    def place_bracket(self, *, take=110, stop=95, **more):
        order = self.an_order(order_class="bracket", **more)
        exits = [("limit", {"limit_price": take}), ("stop", {"stop_price": stop})]
        order.legs = [
            self.an_order("sell", kind, parent=order, order_class="bracket", **prices)
            for kind, prices in exits
        ]
        self.engine.submit(order)
        return order, *order.legs

    def tick(self, seconds=0.0):
        self.engine.clock.advance(seconds)
        self.engine.tick()

    @property
    def shares(self):
        position = self.account.position("XYZ")
        return position.qty if position else 0
