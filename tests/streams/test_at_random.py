"""A venue that drops, goes mute, answers late and twice; whatever happens, every trade is told."""

import asyncio
import random
from bisect import bisect_left, bisect_right
from collections import defaultdict

import msgspec
import pytest

from sentio_async.models import Trade
from sentio_async.streams import Plan, Policy, Subscription, reports
from streams.fake_venue import Connection, Venue, VirtualClock, a_feed, topics

pytestmark = pytest.mark.looptime
SYMBOLS = ["A", "B", "C", "D", "E"]
SECOND = 10**9


class Moody(Venue):
    """Sends before it answers, answers late, topic by topic or with all of them."""

    def __init__(self, luck: random.Random, clock: VirtualClock) -> None:
        super().__init__()
        self.luck, self.clock = luck, clock
        self.lists_all = luck.random() < 0.5
        self.trouble = 0.0
        self.mute: set[int] = set()
        self.answered_at: dict[int, float] = {}
        self.tape: dict[str, list[tuple[int, int]]] = defaultdict(list)

    def trades(self, symbol: str, from_ns: int, to_ns: int) -> list[tuple[int, int]]:
        tape = self.tape[symbol]
        first, last = bisect_left(tape, (from_ns, 0)), bisect_right(tape, (to_ns, 10**9))
        return tape[first:last]

    def happen(self) -> None:
        symbol, at_ns = self.luck.choice(SYMBOLS), self.clock.ns()
        message = self.trade(symbol, at_ns)
        self.tape[symbol].append((at_ns, message["i"]))
        for each in self.connections:
            if ("trades", symbol) in each.subscribed and id(each) not in self.mute:
                each.say(message)

    def _step(self, made: Connection, name: str, *messages) -> None:
        luck = self.luck.random()
        if luck < self.trouble:
            made.drop(self.luck.choice([None, 1000, 1001, 1011]))
        elif luck < 1.3 * self.trouble:
            self.mute.add(id(made))
        elif id(made) not in self.mute:
            made.say(*messages)

    def answer(self, made: Connection, text: str) -> None:
        if text == "login":
            super().answer(made, text)
            return
        asked = [tuple(each) for each in msgspec.json.decode(text[1:])]
        change = made.subscribed.update if text[0] == "+" else made.subscribed.difference_update
        change(asked)
        if self.lists_all:
            self._later(made, {"k": "word", "w": "all", "topics": sorted(made.subscribed)})
        elif text[0] == "+":
            for topic in asked:
                self._later(made, {"k": "word", "w": "ok", "topics": [topic]})

    def _later(self, made: Connection, message) -> None:
        loop = asyncio.get_running_loop()
        at = loop.time() + self.luck.choice([0.0, 0.0, 0.001, 0.05])
        at = self.answered_at[id(made)] = max(at, self.answered_at.get(id(made), 0.0))
        loop.call_at(at, self._step, made, "ok", message)

    async def live_on(self) -> None:
        while True:
            self.happen()
            await asyncio.sleep(self.luck.choice([0.001, 0.01, 0.05]))

    async def misbehave(self) -> None:
        while True:
            await asyncio.sleep(self.luck.expovariate(1 / 3))
            self.trouble = self.luck.choice([0.0, 0.0, 0.3])
            if self.luck.random() < 0.3:
                self.mute.add(id(self.live))
                await asyncio.sleep(3 * self.luck.random())
            self.live.drop(self.luck.choice([None, 1001, 1011]))


class Day:
    """Consumers that come and go while the venue misbehaves, and what each of them heard."""

    def __init__(self, seed: int) -> None:
        self.luck, self.clock = random.Random(seed), VirtualClock()
        self.venue, self.events = Moody(self.luck, self.clock), []
        self.delay = self.luck.choice([0.0, 0.1, 1.0, 6.0])
        self.fails = self.luck.choice([0.0, 0.1])
        self.heard: list[tuple[str, list[int]]] = []
        plan = Plan(self.history, memory=64)
        self.feed = a_feed(
            self.venue,
            clock=self.clock,
            plan=plan,
            events=self.events,
            luck=self.luck.random,
            answer_timeout=2.0,
            check_every=1.0,
            linger=self.luck.choice([0.05, 1.0]),
        )

    async def history(self, gap):
        await asyncio.sleep(self.delay * self.luck.random())
        if self.luck.random() < self.fails:
            raise ValueError("no history")
        symbol = gap.topic.symbol
        rows = [
            Trade(symbol, at_ns, "scripted", 1.0, 1.0, str(id))
            for at_ns, id in self.venue.trades(symbol, gap.from_ns, gap.to_ns + SECOND)
        ]
        self.luck.shuffle(rows)
        return rows

    async def come_and_go(self) -> None:
        while True:
            heard: dict[str, list[int]] = defaultdict(list)
            stream = Subscription(
                [(self.feed, topics(*self.luck.sample(SYMBOLS, 2)))],
                Policy.DROP_OLDEST,
                callback=lambda row, heard=heard: heard[row.symbol].append(int(row.id)),
            )
            await asyncio.wait({asyncio.ensure_future(stream.ready())}, timeout=5)
            await asyncio.sleep(self.luck.expovariate(1 / 4))
            await stream.aclose()
            self.heard += heard.items()
            await asyncio.sleep(self.luck.choice([0.0, 0.0, 0.01, 2.0]))

    async def pass_by(self, seconds: float) -> None:
        what = [self.venue.live_on(), self.come_and_go(), self.come_and_go(), self.come_and_go()]
        tasks = [asyncio.ensure_future(each) for each in what]
        await asyncio.sleep(0.1)
        tasks.append(asyncio.ensure_future(self.venue.misbehave()))
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(each) for each in ended} == {asyncio.CancelledError}
        await self.feed.aclose()

    def is_told_to_be_missing(self, symbol: str, at_ns: int) -> bool:
        return any(
            isinstance(event, reports.GapUnfilled)
            and event.symbol == symbol
            and event.from_ns <= at_ns <= event.to_ns
            for event in self.events
        )


@pytest.mark.parametrize("seed", [1, 16, 23, 63, 106])
async def test_every_trade_is_told_once_in_order_or_is_in_a_gap_that_was_told(seed):
    day = Day(seed)
    await day.pass_by(40)

    assert len(day.venue.connections) > 5
    assert sum(len(ids) for _, ids in day.heard) > 500
    for symbol, ids in day.heard:
        assert ids == sorted(set(ids))
        told = set(ids)
        for at_ns, id in day.venue.tape[symbol]:
            if ids[0] < id < ids[-1] and id not in told:
                assert day.is_told_to_be_missing(symbol, at_ns)
    assert not any(each.is_open for each in day.venue.connections)
