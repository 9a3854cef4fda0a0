"""A stream of order updates whose venue is a few lines of Python, in virtual time."""

import asyncio
import json
from datetime import timedelta
from decimal import Decimal

from sentio_async.connectors.alpaca.config import AlpacaConfig
from sentio_async.connectors.alpaca.order_stream import AlpacaOrderStream
from sentio_async.connectors.alpaca.wire.orders import read_order
from sentio_async.http.client import Resources
from sentio_async.http.reading import utc_from_ns
from sentio_async.models import Fill
from sentio_async.streams import Policy, Subscription, reports
from streams.fake_venue import VirtualClock


def raw_order(id: str, status: str = "new", filled: str = "0", **more):
    return {
        "id": id,
        "client_order_id": f"c{id}",
        "symbol": "AAPL",
        "side": "buy",
        "type": "market",
        "status": status,
        "qty": "10",
        "filled_qty": filled,
        "time_in_force": "day",
        **more,
    }


class Books:
    """Orders and executions at the venue."""

    def __init__(self, clock) -> None:
        self.clock = clock
        self.orders: dict[str, dict] = {}
        self.fills: list[Fill] = []
        self.is_down = False
        self.asked = 0

    async def get_order(self, order_id, *, nested=False):
        self.asked += 1
        return read_order(self.orders[order_id])

    async def iter_orders(self, *, status="all", **filters):
        self.asked += 1
        if self.is_down:
            raise OSError("no answer")
        for raw in list(self.orders.values()):
            order = read_order(raw)
            if status == "all" or not (order.is_final or order.venue_status == "held"):
                yield order

    async def iter_fills(self, **filters):
        for fill in self.fills:
            if fill.at >= filters["after"]:
                yield fill

    def fill(self, order_id: str, qty: str, total: str, execution: str) -> None:
        at_ns = self.clock.ns()
        self.fills.insert(
            0,
            Fill(
                id=f"2026::{execution}",
                order_id=order_id,
                symbol="AAPL",
                side="buy",
                qty=Decimal(qty),
                price=Decimal("1.5"),
                at=utc_from_ns(at_ns),
                cumulative_qty=Decimal(total),
                nanoseconds={"at": at_ns},
                raw={},
            ),
        )
        done = Decimal(total) == 10
        self.orders[order_id] = raw_order(order_id, "filled" if done else "partially_filled", total)


class Venue:
    """The stream, on a socket that is none."""

    def __init__(self) -> None:
        self.receiver = None
        self.connections = 0

    async def open(self, url, headers, receiver, *, timeout):
        await asyncio.sleep(0.01)
        self.connections += 1
        self.receiver = receiver
        receiver.opened(self)

    def send(self, text):
        action = json.loads(text)["action"]
        if action == "auth":
            self.say("authorization", {"status": "authorized", "action": "authenticate"})
        else:
            self.say("listening", json.loads(text)["data"])

    def say(self, stream, data):
        receiver, frame = self.receiver, json.dumps({"stream": stream, "data": data}).encode()
        asyncio.get_running_loop().call_soon(receiver.frame, frame)

    def close(self):
        pass

    def pause(self):
        pass

    def resume(self):
        pass

    def drop(self):
        self.receiver.closed((None, ""))


class Scene:
    def __init__(self, **settings) -> None:
        self.clock, self.events_told = VirtualClock(), []
        self.ahead = timedelta(0)
        """How much the venue's clock is ahead of ours."""
        self.books, self.venue, self.updates = Books(self.clock), Venue(), []
        config = AlpacaConfig(api_key="PK" + "K" * 18, api_secret="S" * 20, **settings)
        resources = Resources(clock=self.clock, listeners=[self.events_told.append])
        self.stream = AlpacaOrderStream(config, resources, self.books)

    def listen(self) -> "Scene":
        tap, _ = self.stream.part
        tap.feed._open = self.venue.open
        self.subscription = Subscription(
            [self.stream.part], Policy.KEEP, callback=self.updates.append
        )
        return self

    async def tell(self, event: str, order: dict, **more) -> None:
        stamp = (self.clock.utcnow() + self.ahead).isoformat()
        self.venue.say(
            "trade_updates", {"event": event, "timestamp": stamp, "order": order, **more}
        )
        await asyncio.sleep(0.01)

    def missed(self) -> list[int]:
        return [e.orders for e in self.events_told if isinstance(e, reports.UpdatesMissed)]

    def events(self):
        return [
            (u.event, u.order.id, str(u.order.filled_qty), u.execution_id) for u in self.updates
        ]
