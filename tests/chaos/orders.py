"""Orders on the real stack: connector, journal file, a bad network, an exchange, and kill -9.

Three processes: the exchange, the trader that is killed, and this one with the proxy between them.
In the end the exchange's book is compared with the journal and with what the trader was told.
"""

import asyncio
import json
import math
import random
import tempfile
import time
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

from sentio_async.orders.journal import Step
from sentio_async.orders.sqlite_journal import read_journal
from tests.chaos.lifeline import Child
from tests.chaos.proxy import LATEST, Proxy
from tests.chaos.trader import CHANGED, FILLED, has_key, price_of, trade
from tests.chaos.venue_process import KEY, SECRET, serve

FAULT_RATE = 0.2
SETTINGS = {
    "api_key": KEY,
    "api_secret": SECRET,
    "timeouts": {"connect": 1.0, "read": 0.7, "write": 1.0, "pool": 2.0, "total": 3.0},
    "order_horizon": LATEST + 2.0,
    "max_unknown_orders": 1_000_000,
    "breaker_failures": 1_000,
    "requests_per_minute": 1_000_000,
}
"""Short times, so that a fault costs little; the horizon still outlasts the latest request."""
KINDS = ("duplicates", "ghosts", "phantoms", "lost", "unresolved", "odd")


class Run:
    """One run: what is left to do, and what was told."""

    def __init__(self, intents: int, kills: int, seed: int) -> None:
        self.left = list(range(intents))
        self.kills_left = kills
        self.luck = random.Random(seed)
        self.told: dict[int, list[tuple[str, str]]] = defaultdict(list)
        self.changed: dict[int, list[tuple[str, str]]] = defaultdict(list)
        self.cancelled: set[str] = set()
        self.odd: list[str] = []
        """Gaps in positions, and ends of the trader that nobody wanted."""
        self.lives = self.kills = 0

    def hear(self, line: str) -> bool:
        """Take note of what the trader says; true when it is the verdict on an intent."""
        word, *rest = line.split(" ", 3)
        if word == "began":
            number = int(rest[0])
            if not has_key(number) and number in self.left:
                self.left.remove(number)
        if word == "told":
            number = int(rest[0])
            self.told[number].append((rest[1], rest[2]))
            if number in self.left:
                self.left.remove(number)
        if word == "changed":
            self.changed[int(rest[0])].append((rest[1], rest[2]))
        if word == "cancel" and rest[1] == "heard":
            self.cancelled.add(rest[0])
        if word in ("gap", "broke"):
            self.odd.append(line)
        return word == "told"

    async def live(self, settings: dict) -> bool:
        """One life of the trader; true when it has ended by itself."""
        trader = await Child.start(trade, settings, self.left)
        self.lives += 1
        after, longest = self._when_to_kill()
        try:
            while (line := await trader.line()) is not None:
                after -= self.hear(line)
                if line == "done":
                    return True
                if after <= 0 or (line == "worked" and self.kills_left):
                    break
            else:
                self.odd.append("the trader ended before it was done")
            await asyncio.sleep(self.luck.uniform(0.0, longest))
        finally:
            for said in await trader.kill():
                self.hear(said)
        self.kills_left -= 1
        self.kills += 1
        return False

    def _when_to_kill(self) -> tuple[float, float]:
        """After how many verdicts, and at most how many seconds later."""
        if not self.kills_left:
            return math.inf, 0.0
        if self.luck.random() < 0.15:
            # While it finds out what the life before has left.
            return 0, 0.2
        return self.luck.randint(1, max(1, 2 * len(self.left) // (self.kills_left + 1))), 0.05


async def storm(intents: int, kills: int, seed: int, folder: Path) -> dict[str, object]:
    """Trade, kill, restart, compare."""
    started = time.perf_counter()
    run = Run(intents, kills, seed)
    exchange = await Child.start(serve)
    try:
        at = urlsplit(json.loads(await exchange.line())["url"])
        proxy = Proxy(at.hostname, at.port, FAULT_RATE, seed)
        async with proxy as url:
            journal = str(folder / "orders.journal")
            while not await run.live({**SETTINGS, "base_url": url, "journal": journal}):
                pass
        exchange.ask()
        book = json.loads(await exchange.line())
    finally:
        await exchange.kill()
    _, rows = read_journal(folder / "orders.journal")
    wrong, notes = compare(run, book, rows)
    return {
        "violations": wrong.total(),
        "intents": intents,
        "kills": run.kills,
        "lives": run.lives,
        "seed": seed,
        **{kind: wrong[kind] for kind in KINDS},
        "placed": sum(not CHANGED <= Decimal(order["limit_price"]) < FILLED for order in book),
        "changed": sum(CHANGED <= Decimal(order["limit_price"]) < FILLED for order in book),
        "filled": sum(order["status"] == "filled" for order in book),
        "journal_rows": len(rows),
        "faults": dict(sorted(proxy.done.items())),
        "seconds": round(time.perf_counter() - started, 1),
        "notes": notes[:10],
    }


def compare(run: Run, book: list[dict], rows) -> tuple[Counter, list[str]]:
    """What is wrong, and where."""
    wrong, notes = Counter(), []

    def found(kind: str, note: str) -> None:
        wrong[kind] += 1
        notes.append(f"{kind}: {note}")

    by_price: dict[Decimal, list[str]] = defaultdict(list)
    for order in book:
        by_price[Decimal(order["limit_price"])].append(order["id"])
    last = {row.id: row for row in rows}
    known = {row.order.id for row in rows if row.order is not None}
    status = {order["id"]: order["status"] for order in book}
    for price, ids in by_price.items():
        if len(ids) > 1:
            found("duplicates", f"{price}: {ids}")
    for order in book:
        if order["id"] not in known:
            found("lost", f"{order['id']} lives, and the journal does not know")
        row = last.get(order["client_order_id"])
        if row is not None and row.step in (Step.REJECTED, Step.NOT_PLACED):
            found("ghosts", f"{order['id']} lives, and the journal says {row.step} {row.reason}")
    for id, row in last.items():
        if row.step is Step.ACKED and row.order is not None and row.order.id not in status:
            found("phantoms", f"{id}: the journal has {row.order.id}, the exchange has not")
        if not row.step.is_final:
            found("unresolved", f"{id} is {row.step}")
    for offset, told in ((Decimal(0), run.told), (CHANGED, run.changed)):
        for number, heard in told.items():
            _compare_told(number, heard, by_price.get(price_of(number) + offset, []), found)
    for id in run.cancelled:
        if status.get(id) not in ("canceled", "filled", "replaced", "pending_cancel"):
            found("phantoms", f"cancel of {id} was heard, and it is {status.get(id)}")
    for number in run.left:
        found("unresolved", f"intent {number} was never answered")
    for line in run.odd:
        found("odd", line)
    return wrong, notes


def _compare_told(number: int, heard, ids: list[str], found) -> None:
    for kind, what in heard:
        if kind == "placed" and what not in ids:
            found("phantoms", f"{number}: was told {what}, lives as {ids}")
    if heard[-1][0] == "failed" and ids:
        found("ghosts", f"{number}: was told {heard[-1][1]}, lives as {ids}")


def run(intents: int, kills: int, seed: int) -> dict[str, object]:
    """The whole storm; one JSON-ready object.  It ends by itself, whatever happens."""

    async def bounded(folder: Path) -> dict[str, object]:
        async with asyncio.timeout(60 + 3 * kills + intents):
            return await storm(intents, kills, seed, folder)

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(bounded(Path(folder)))
