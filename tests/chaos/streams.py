"""Streams of both vendors that are dropped at every step, while consumers are slow and orders fill.

Real connectors, real sockets, the embedded exchange. It knows what there was to hear, so in the end
what was heard is compared with that: each trade and quote was handed on or lies in a gap that was
reported, each execution was told of, and every subscription still brings rows.
"""

import asyncio
import itertools
import random
import time
from collections import Counter, defaultdict
from contextlib import ExitStack
from decimal import Decimal
from unittest import mock

import psutil

from sentio_async import errors
from sentio_async.connectors.alpaca import stream as alpaca_stream
from sentio_async.connectors.alpaca.broker import AlpacaBroker
from sentio_async.connectors.alpaca.data import AlpacaData
from sentio_async.connectors.polygon import stream as polygon_stream
from sentio_async.connectors.polygon.data import PolygonData
from sentio_async.sim import Exchange, FaultRule
from sentio_async.streams import FeedSettings, feed, reports, socket
from sentio_async.streams.hours import ALWAYS
from tests.chaos.subscribers import OrderWatch, Watch, until

SYMBOLS = ("AAPL", "MSFT", "SPY", "TSLA", "NVDA", "AMZN")
STEPS = ("OPEN", "WELCOMED", "AUTH", "AUTHENTICATED", "SUBSCRIBE", "SUBSCRIBED", "MESSAGE")
KINDS = ("socket_drop", "socket_reset", "socket_close", "socket_mute")
BACK_WITHIN = 15.0
"""A feed that has not come back by then counts as lost, in seconds."""
MEMORY = 96.0
"""Growth in MB that is still bounded; the witnesses' own notes are in it."""
ACCOUNT = ("PKCHAOSCHAOSCHAOSCH", "chaos-secret-chaos-secret")


def hasty(**given):
    """A feed that gives up in a second instead of a minute: the storm has no time."""
    quick = {"check_every": 0.1, "login_timeout": 0.7, "answer_timeout": 0.7, "stable_after": 1.0}
    patience = {"quotes": 1.2} if given.get("patience") else {}
    return FeedSettings(**{**given, **quick, "patience": patience})


def _in_a_hurry(stack: ExitStack) -> None:
    for module in (alpaca_stream, polygon_stream, feed):
        stack.enter_context(mock.patch.object(module, "FeedSettings", hasty))
    for module in (alpaca_stream, polygon_stream):
        # The storm comes at any hour, and the exchange is always open.
        stack.enter_context(mock.patch.object(module, "SessionHours", lambda _: ALWAYS))
    stack.enter_context(mock.patch.object(socket, "PING_AFTER", 0.5))
    # A consumer that fails is told of each time.
    stack.enter_context(mock.patch.object(feed.log, "disabled", True))


class Victim:
    """One feed: how it is hit, and whether it comes back."""

    def __init__(self, exchange: Exchange, venue: str, path: str, watch, luck) -> None:
        self.exchange, self.watch, self.luck = exchange, watch, luck
        self.venue, self.path = venue, path
        self.drops = self.lost = 0
        self.notes: list[str] = []
        self.last = ""
        self.done: Counter = Counter()
        plan = list(itertools.product(STEPS, KINDS))
        luck.shuffle(plan)
        self._plan = itertools.cycle(plan)

    def _rule(self) -> FaultRule:
        step, kind = next(self._plan)
        if self.venue == "alpaca_trading":
            if step in ("OPEN", "WELCOMED"):
                step = "OPEN"
            elif kind == "socket_mute" and step in ("SUBSCRIBED", "MESSAGE"):
                # Orders may be quiet for hours: only a socket without pongs is known to be dead.
                kind = "socket_freeze"
        delay = 2.5 if kind == "socket_freeze" else 0.0
        return FaultRule(
            kind=kind, venue=self.venue, path=self.path, method=step, times=1, delay=delay
        )

    async def hit(self) -> bool:
        """Drop it once, at any step, before those of the login too; true when it came back."""
        rule = self._rule()
        self.last = f"{rule.method} {rule.kind}"
        before = self.watch.mark()
        self.exchange.add_fault(rule)
        if rule.method != "MESSAGE":
            self._hang_up()
        applied = self.exchange.state.faults.applied
        if not await until(lambda: any(each.rule is rule for each in applied), BACK_WITHIN):
            return False
        self.drops += 1
        self.done[f"{rule.method} {rule.kind.removeprefix('socket_')}"] += 1
        is_back = await until(lambda: self.watch.is_back(before), BACK_WITHIN)
        for stale in self.exchange.streams.at(self.path)[:-1]:
            # A frozen one has not noticed that its client left; it must not meet the next rule.
            stale.socket.reset()
        return is_back

    def _hang_up(self) -> None:
        streams, way = self.exchange.streams, self.luck.randrange(3)
        code = (None, None, 1001)[way]
        self.drops += bool(streams.hang_up(self.path, code=code, reset=way == 1))

    async def torment(self, has_more) -> None:
        """Hit it until there have been enough drops."""
        while has_more():
            if not await self.hit():
                self.lost += self.watch.missing() or 1
                told = f"{self.path} after {self.last}: {self.watch.status()}"
                self.notes.append(f"{told} {self.exchange.streams.as_json()}")
                return
            _forget_spent(self.exchange)
            await asyncio.sleep(self.luck.uniform(0.0, 0.2))


def _forget_spent(exchange: Exchange) -> None:
    struck = {id(each.rule) for each in exchange.state.faults.applied}
    left = [rule for rule in exchange.state.faults.rules if id(rule) not in struck]
    exchange.clear_faults()
    for rule in left:
        exchange.add_fault(rule)


async def trade(broker: AlpacaBroker, luck: random.Random, placed: list[str]) -> None:
    """Orders of all kinds, for as long as it is let."""
    while True:
        symbol, side = luck.choice(SYMBOLS), luck.choice(("buy", "buy", "sell"))
        way = luck.randrange(6)
        try:
            if way == 0:
                order = await broker.place_order(
                    symbol, 1, "buy", order_type="limit", limit_price=Decimal(1)
                )
                placed.append(order.id)
                await broker.cancel_order(order.id)
            else:
                # The large ones fill in several executions.
                qty = luck.choice((1, 2, 5, 4_000))
                placed.append((await broker.place_order(symbol, qty, side)).id)
        except errors.ConnectorError:
            pass
        await asyncio.sleep(0.05)


async def _sample(process: psutil.Process, peak: list[int]) -> None:
    while True:
        peak[0] = max(peak[0], process.memory_info().rss)
        await asyncio.sleep(0.1)


class Storm:
    """One run: who listens, what is hit, what came of it."""

    def __init__(self, drops: int, seed: int, exchange: Exchange) -> None:
        self.exchange = exchange
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

    def has_more(self) -> bool:
        """Whether there are drops to come."""
        return sum(each.drops for each in self.victims) < self.drops

    def connectors(self):
        """The three connectors, each with a feed of its own."""
        self.exchange.add_account(*ACCOUNT, cash=Decimal(10**10))
        ours = {"api_key": ACCOUNT[0], "api_secret": ACCOUNT[1], "breaker_failures": 1000}
        generous = {"requests_per_minute": 1_000_000}
        alpaca = {**self.exchange.settings("alpaca"), **ours, **generous}
        polygon = {**self.exchange.settings("polygon"), **generous}
        listeners = [self.hear]
        return (
            AlpacaData(
                {**alpaca, "feed": "sip", "data_requests_per_minute": 1_000_000},
                listeners=listeners,
            ),
            PolygonData(polygon, listeners=listeners),
            AlpacaBroker(alpaca, listeners=listeners),
        )

    def victim(self, venue: str, path: str, watch) -> None:
        """One more feed that is to be hit."""
        luck = random.Random(self.luck.random())
        self.victims.append(Victim(self.exchange, venue, path, watch, luck))


async def _weather(storm: Storm) -> dict[str, object]:
    alpaca, polygon, broker = storm.connectors()
    placed: list[str] = []
    process, peak = psutil.Process(), [0]
    async with alpaca, polygon, broker:
        watches = [Watch("alpaca", alpaca, SYMBOLS), Watch("polygon", polygon, SYMBOLS)]
        orders = OrderWatch(broker)
        for watch in (*watches, orders):
            await watch.begin()
        storm.victim("alpaca_data", "/v2/sip", watches[0])
        storm.victim("polygon", "/stocks", watches[1])
        storm.victim("alpaca_trading", "/stream", orders)
        before = process.memory_info().rss
        aside = [
            asyncio.create_task(trade(broker, storm.luck, placed)),
            asyncio.create_task(_sample(process, peak)),
        ]
        await asyncio.gather(*(each.torment(storm.has_more) for each in storm.victims))
        storm.exchange.clear_faults()
        for task in aside:
            task.cancel()
        await asyncio.gather(*aside, return_exceptions=True)
        notes = [note for each in storm.victims for note in each.notes]
        silent: list[str] = []
        for watch, path in zip(watches, ("/v2/sip", "/stocks"), strict=True):
            silent += await watch.silent(next(iter(storm.exchange.streams.at(path)), None))
        missed = await orders.missed(placed, storm.exchange)
        market = storm.exchange.state.market
        unreported = [row for watch in watches for row in watch.unreported(market, storm.spans)]
        repeated = [row for watch in (*watches, orders) for row in watch.repeated]
        unaccounted = sum(watch.unaccounted() for watch in watches)
    return {
        "lost_subscriptions": sum(each.lost for each in storm.victims) + len(silent),
        "unreported_gaps": len(unreported),
        "lost_order_updates": len(missed),
        "repeated_rows": len(repeated),
        "unaccounted_rows": unaccounted,
        "peak_memory_growth_mb": round((max(peak[0], before) - before) / 1e6, 1),
        "drops": sum(each.drops for each in storm.victims),
        "orders": len(placed),
        "rows": sum(watch.rows for watch in watches),
        "slow_consumers": {
            w.name: {"dropped": w.dropped, "conflated": w.conflated} for w in watches
        },
        "steps": dict(sorted(sum((each.done for each in storm.victims), Counter()).items())),
        "reported": dict(sorted(storm.reported.items())),
        "notes": [*notes, *silent[:5], *unreported[:5], *missed[:5], *repeated[:5]],
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
    return not any(result[name] for name in VIOLATIONS) and (
        result["peak_memory_growth_mb"] <= MEMORY
    )


async def storm(drops: int, seed: int) -> dict[str, object]:
    """Drop connections, and compare what was heard with what there was."""
    started = time.perf_counter()
    with ExitStack() as stack:
        _in_a_hurry(stack)
        async with Exchange(seed=seed, venues=("alpaca_trading", "alpaca_data", "polygon")) as at:
            at.state.limits.per_minute.update(dict.fromkeys(at.state.limits.per_minute))
            # One that is frozen does not notice that its client has left.
            at.streams.settings.connections = None
            result = await _weather(Storm(drops, seed, at))
    return {**result, "seed": seed, "seconds": round(time.perf_counter() - started, 1)}


def run(drops: int, seed: int) -> dict[str, object]:
    """The whole storm; one JSON-ready object.  It ends by itself, whatever happens."""

    async def bounded() -> dict[str, object]:
        async with asyncio.timeout(90 + 5 * drops):
            return await storm(drops, seed)

    return asyncio.run(bounded())
