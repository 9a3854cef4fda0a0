"""What an order costs beyond the call that places it, and what writing it down costs."""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from sentio_async.models.trading import Order, OrderRequest
from sentio_async.models.words import OrderStatus
from sentio_async.orders.gateway import OrderGateway
from sentio_async.orders.intent import Intent, Kind
from sentio_async.orders.journal import MemoryJournal, Row, Step
from sentio_async.orders.sqlite_journal import SqliteJournal
from sentio_async.orders.venue import BrokerClass
from tests.benchmarks import measure
from tests.benchmarks.measure import Settings, interleaved, spread

OVERHEAD = "gateway.overhead"
SETTLED = 2.1
"""Seconds after which a folder that has not changed is looked at once a commit."""
COMMITS = {"process": 0.1, "power": 5.0}
WANTED = OrderRequest(symbol="ACME", qty=Decimal(10), side="buy")


class Prompt:
    """A venue that answers at once and remembers nothing."""

    broker_class = BrokerClass.UNIQUE

    def __init__(self) -> None:
        self._count = 0

    async def place(self, order: OrderRequest) -> Order:
        """The order as placed."""
        self._count += 1
        return Order.model_construct(
            id=str(self._count),
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            type=order.type,
            status=OrderStatus.OPEN,
            venue_status="new",
            qty=order.qty,
            filled_qty=Decimal(0),
            time_in_force=order.time_in_force,
        )


async def _overhead(settings):
    """The gateway's microseconds an order: what placing costs with it, less what it does without.

    Both make an order with an id of its own, which a caller without a gateway has to do too.
    """
    venue = Prompt()
    gateway = OrderGateway(venue, journal=MemoryJournal(), account="bench")
    await gateway.start()

    async def through(count, _):
        for _ in range(count):
            await gateway.submit(WANTED)

    async def direct(count, _):
        for number in range(count):
            await venue.place(WANTED.model_copy(update={"client_order_id": f"id-{number}"}))

    clients = {"gateway": (through, 1000), "direct": (direct, 1000)}
    figures = await interleaved(clients, settings, 1)
    await gateway.stop()
    pairs = zip(figures["gateway"], figures["direct"], strict=True)
    beyond = [one - other for one, other in pairs]
    middle = statistics.median(beyond)
    return measure.Row(OVERHEAD, middle, None, "us CPU/order", 60, spread(beyond))


async def _commit(durability, most, settings):
    """Milliseconds until the two rows of one order are durable, one order after the other."""
    with tempfile.TemporaryDirectory() as folder:
        journal = SqliteJournal(Path(folder) / "orders", durability)
        await journal.open("bench")
        await asyncio.sleep(SETTLED)
        took = []
        for number in range(100 + settings.calls * settings.rounds):
            rows = _rows(f"sentio-{number:032}")
            started = time.perf_counter()
            await journal.write(*rows)
            took.append((time.perf_counter() - started) * 1000)
        await journal.close()
    took = took[100:]
    return measure.Row(
        f"gateway.journal.{durability}", statistics.median(took), None, "ms p50", most, spread(took)
    )


def _rows(name):
    at = 1_772_463_600.0
    order = WANTED.model_copy(update={"client_order_id": name})
    intent = Intent(id=name, kind=Kind.PLACE, at=at, until=at + 30, order=order)
    return Row(name, Step.INTENT, at, intent=intent), Row(name, Step.SENT, at, 1)


def rows(settings):
    """All rows of this set."""
    if settings.wants(OVERHEAD):
        yield asyncio.run(_overhead(settings))
    for durability, most in COMMITS.items():
        if settings.wants(f"gateway.journal.{durability}"):
            yield asyncio.run(_commit(durability, most, settings))


def run() -> list[dict]:
    """The rows as they are printed."""
    return [json.loads(row.json()) for row in rows(Settings((), 5, 300, pin=False))]


if __name__ == "__main__":
    for each in run():
        sys.stdout.write(f"{json.dumps(each)}\n")
