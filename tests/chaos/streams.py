"""Streams of both vendors that are dropped at every step, while consumers are slow and orders fill.

Real connectors, real sockets, the embedded exchange in a process of its own. It knows what there
was to hear, so in the end what was heard is compared with that: each trade and quote was handed on
or lies in a gap that was reported, each execution was told of, every subscription still brings
rows, and the client holds no more memory than after its first drops.
"""

import asyncio
import ctypes
import gc
import itertools
import random
import time
from collections import Counter, defaultdict
from contextlib import ExitStack
from unittest import mock

import psutil

from sentio_async.connectors.alpaca import stream as alpaca_stream
from sentio_async.connectors.alpaca import unheard
from sentio_async.connectors.alpaca.broker import AlpacaBroker
from sentio_async.connectors.alpaca.data import AlpacaData
from sentio_async.connectors.polygon import stream as polygon_stream
from sentio_async.connectors.polygon.data import PolygonData
from sentio_async.streams import FeedSettings, feed, reports, socket
from sentio_async.streams.backoff import BackoffPolicy
from sentio_async.streams.hours import ALWAYS
from tests.chaos.stream_venue import SYMBOLS, LocalVenue, RemoteVenue
from tests.chaos.subscribers import OrderWatch, Watch, until

STEPS = ("OPEN", "WELCOMED", "AUTH", "AUTHENTICATED", "SUBSCRIBE", "SUBSCRIBED", "MESSAGE")
KINDS = ("socket_drop", "socket_reset", "socket_close", "socket_mute", "socket_freeze")
BACK_WITHIN = 15.0
"""A feed that has not come back by then counts as lost, in seconds."""
WARM = 20
"""Drops after which a client has everything that it will ever hold."""
MEMORY = 8.0
"""What the client's process may grow by from then on, in MB; the witnesses' notes are in it."""

Venue = LocalVenue | RemoteVenue


def hasty(**given):
    """A feed that gives up in a second instead of a minute: the storm has no time."""
    quick = {"check_every": 0.1, "login_timeout": 0.7, "answer_timeout": 0.7, "stable_after": 1.0}
    patience = {"quotes": 1.2} if given.get("patience") else {}
    backoff = BackoffPolicy(first=0.1, most=1.0)
    return FeedSettings(**{**given, **quick, "patience": patience, "backoff": backoff})


def _in_a_hurry(stack: ExitStack) -> None:
    for module in (alpaca_stream, polygon_stream, feed):
        stack.enter_context(mock.patch.object(module, "FeedSettings", hasty))
    for module in (alpaca_stream, polygon_stream):
        # The storm comes at any hour, and the exchange is always open.
        stack.enter_context(mock.patch.object(module, "hours_of", lambda *_: ALWAYS))
    stack.enter_context(mock.patch.object(socket, "PING_AFTER", 0.5))
    stack.enter_context(mock.patch.object(unheard, "_ON_ITS_WAY", 0.1))
    # A consumer that fails is told of each time.
    stack.enter_context(mock.patch.object(feed.log, "disabled", True))


class Victim:
    """One feed: how it is hit, and whether it comes back."""

    def __init__(self, at: Venue, venue: str, path: str, watch, luck) -> None:
        self.at, self.watch, self.luck = at, watch, luck
        self.venue, self.path = venue, path
        self.drops = self.lost = 0
        self.notes: list[str] = []
        self.last = ""
        self.done: Counter = Counter()
        plan = list(itertools.product(STEPS, KINDS))
        luck.shuffle(plan)
        self._plan = itertools.cycle(plan)

    def _rule(self) -> dict:
        step, kind = next(self._plan)
        if self.venue == "alpaca_trading" and step == "WELCOMED":
            # It does not greet: the client speaks first.
            step = "OPEN"
        delay = 2.5 if kind == "socket_freeze" else 0.0
        where = {"venue": self.venue, "path": self.path, "method": step}
        return {"kind": kind, "times": 1, "delay": delay, **where}

    async def hit(self) -> bool:
        """Drop it once, at any step, before those of the login too; true when it came back."""
        rule = self._rule()
        self.last = f"{rule['method']} {rule['kind']}"
        before = self.watch.mark()
        number = await self.at.spoil(rule)
        if rule["method"] != "MESSAGE":
            await self._hang_up()
        if not await self.at.struck(number, BACK_WITHIN):
            return False
        self.drops += 1
        self.done[self.last.replace("socket_", "")] += 1
        is_back = await until(lambda: self.watch.is_back(before), BACK_WITHIN)
        # A frozen one has not noticed that its client left; it must not meet the next rule.
        await self.at.tidy(self.path)
        return is_back

    async def _hang_up(self) -> None:
        way = self.luck.randrange(3)
        code = (None, None, 1001)[way]
        self.drops += bool(await self.at.hang_up(self.path, code, way == 1))

    async def torment(self, has_more) -> None:
        """Hit it until there have been enough drops."""
        while has_more():
            if not await self.hit():
                self.lost += self.watch.missing() or 1
                told = f"{self.path} after {self.last}: {self.watch.status()}"
                self.notes.append(f"{told} {await self.at.sessions()}")
                return
            await asyncio.sleep(self.luck.uniform(0.0, 0.2))


class Memory:
    """What this process holds once it is warm, and how much more in the end."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._warm = 0

    def _now(self) -> int:
        gc.collect()
        if (give_back := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
            # What is free and not given back to the system is nobody's.
            give_back(0)
        return self._process.memory_info().rss

    def begin(self) -> None:
        """It is warm."""
        self._warm = self._now()

    def growth(self) -> float:
        """Since then, in MB."""
        return round((self._now() - self._warm) / 1e6, 1)


class Storm:
    """One run: who listens, what is hit, what came of it."""

    def __init__(self, drops: int, seed: int, venue: Venue) -> None:
        self.venue = venue
        self.luck = random.Random(seed)
        self.drops = drops
        self.spans: dict[tuple[str, str, str], list[tuple[int, int]]] = defaultdict(list)
        self.reported: Counter = Counter()
        self.victims: list[Victim] = []

    def hear(self, event: object) -> None:
        """What the feeds report."""
        self.reported[type(event).__name__] += 1
        if isinstance(event, reports.GapUnfilled):
            place = (event.connector.split(".")[0], event.channel, event.symbol)
            self.spans[place].append((event.from_ns, event.to_ns))

    @property
    def done(self) -> int:
        """Drops so far."""
        return sum(each.drops for each in self.victims)

    def has_more(self) -> bool:
        """Whether there are drops to come."""
        return self.done < self.drops

    def is_warm(self) -> bool:
        """Whether what grows from now on grows for ever."""
        return self.done >= min(WARM, self.drops // 3)

    async def connectors(self):
        """The three connectors, each with a feed of its own."""
        alpaca = await self.venue.settings("alpaca")
        polygon = await self.venue.settings("polygon")
        listeners = [self.hear]
        return (
            AlpacaData(
                {**alpaca, "feed": "sip", "data_requests_per_minute": 1_000_000},
                listeners=listeners,
            ),
            PolygonData(polygon, listeners=listeners),
            AlpacaBroker({**alpaca, "check_orders_every": 0.3}, listeners=listeners),
        )

    def victim(self, venue: str, path: str, watch) -> None:
        """One more feed that is to be hit."""
        luck = random.Random(self.luck.random())
        self.victims.append(Victim(self.venue, venue, path, watch, luck))

    async def rage(self) -> tuple[list[str], float]:
        """All of it, while orders are traded: which ones, and how much memory it cost in MB."""
        memory = Memory()
        await self.venue.begin_trading()
        raging = [asyncio.create_task(each.torment(self.has_more)) for each in self.victims]
        await until(self.is_warm, 5 * BACK_WITHIN)
        memory.begin()
        await asyncio.gather(*raging)
        placed = await self.venue.end_trading()
        await self.venue.calm()
        return placed, memory.growth()


async def _weather(storm: Storm) -> dict[str, object]:
    alpaca, polygon, broker = await storm.connectors()
    async with alpaca, polygon, broker:
        watches = [Watch("alpaca", alpaca, SYMBOLS), Watch("polygon", polygon, SYMBOLS)]
        orders = OrderWatch(broker)
        for watch in (*watches, orders):
            await watch.begin()
        storm.victim("alpaca_data", "/v2/sip", watches[0])
        storm.victim("polygon", "/stocks", watches[1])
        storm.victim("alpaca_trading", "/stream", orders)
        placed, growth = await storm.rage()
        silent: list[str] = []
        for watch, path in zip(watches, ("/v2/sip", "/stocks"), strict=True):
            silent += await watch.silent(storm.venue, path)
        missed = await orders.missed(placed)
        unreported: list[str] = []
        for watch in watches:
            unreported += await watch.unreported(storm.venue, storm.spans)
        repeated = [row for watch in (*watches, orders) for row in watch.repeated]
        unaccounted = sum(watch.unaccounted() for watch in watches)
    return {
        "lost_subscriptions": sum(each.lost for each in storm.victims) + len(silent),
        "unreported_gaps": len(unreported),
        "lost_order_updates": len(missed),
        "repeated_rows": len(repeated),
        "unaccounted_rows": unaccounted,
        "memory_growth_mb": growth,
        "drops": storm.done,
        "orders": len(placed),
        "rows": sum(watch.rows for watch in watches),
        "slow_consumers": {
            w.name: {"dropped": w.dropped, "conflated": w.conflated} for w in watches
        },
        "steps": dict(sorted(sum((each.done for each in storm.victims), Counter()).items())),
        "reported": dict(sorted(storm.reported.items())),
        "notes": [
            *(note for each in storm.victims for note in each.notes),
            *(note for notes in (silent, unreported, missed, repeated) for note in notes[:5]),
        ],
    }


VIOLATIONS = (
    "lost_subscriptions",
    "unreported_gaps",
    "lost_order_updates",
    "repeated_rows",
    "unaccounted_rows",
)


def is_clean(result: dict[str, object]) -> bool:
    """Whether everything held."""
    return not any(result[name] for name in VIOLATIONS) and result["memory_growth_mb"] <= MEMORY


async def storm(drops: int, seed: int, venue: Venue) -> dict[str, object]:
    """Drop connections, and compare what was heard with what there was."""
    started = time.perf_counter()
    with ExitStack() as stack:
        _in_a_hurry(stack)
        async with venue as at:
            result = await _weather(Storm(drops, seed, at))
    return {**result, "seed": seed, "seconds": round(time.perf_counter() - started, 1)}


def run(drops: int, seed: int) -> dict[str, object]:
    """The whole storm; one JSON-ready object.  It ends by itself, whatever happens."""

    async def bounded() -> dict[str, object]:
        async with asyncio.timeout(90 + 5 * drops):
            return await storm(drops, seed, RemoteVenue(seed))

    return asyncio.run(bounded())
