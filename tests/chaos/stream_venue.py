"""The exchange that a storm of drops hits, and somebody who trades there.

`LocalVenue` answers a few questions about an `Exchange`; `RemoteVenue` asks one in a process of
its own (`python -m tests.chaos.stream_venue`), one JSON object a line, so that what the client's
process holds is the listeners'.
"""

import asyncio
import contextlib
import itertools
import json
import random
import sys
import time
from decimal import Decimal
from typing import Self

from sentio_async import errors
from sentio_async.connectors.alpaca.broker import AlpacaBroker
from sentio_async.sim import Exchange, FaultRule
from tests.chaos.lifeline import hold_on, say

ACCOUNT = ("PKCHAOSCHAOSCHAOSCH", "chaos-secret-chaos-secret")
SYMBOLS = ("AAPL", "MSFT", "SPY", "TSLA", "NVDA", "AMZN")
LINE_LIMIT = 64 * 1024 * 1024


async def _trade(broker: AlpacaBroker, luck: random.Random, placed: list[str]) -> None:
    """Orders of all kinds, for as long as it is let."""
    while True:
        symbol, side = luck.choice(SYMBOLS), luck.choice(("buy", "buy", "sell"))
        try:
            if luck.randrange(6) == 0:
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


class LocalVenue:
    """An exchange, asked and hit."""

    def __init__(self, seed: int) -> None:
        venues = ("alpaca_trading", "alpaca_data", "polygon")
        self._exchange = Exchange(seed=seed, venues=venues)
        self._rules: dict[int, FaultRule] = {}
        self._luck = random.Random(seed)
        self._placed: list[str] = []
        self._trading: asyncio.Task[None] | None = None
        self._numbers = itertools.count(1)

    async def __aenter__(self) -> Self:
        exchange = await self._exchange.__aenter__()
        exchange.state.limits.per_minute.update(dict.fromkeys(exchange.state.limits.per_minute))
        # One that is frozen does not notice that its client has left.
        exchange.streams.settings.connections = None
        exchange.add_account(*ACCOUNT, cash=Decimal(10**10))
        return self

    async def __aexit__(self, *exc) -> None:
        await self.end_trading()
        await self._exchange.__aexit__(*exc)

    async def settings(self, connector: str) -> dict:
        """Where a connector finds it, and as whom."""
        found = {**self._exchange.settings(connector), "requests_per_minute": 1_000_000}
        if connector == "alpaca":
            found |= {"api_key": ACCOUNT[0], "api_secret": ACCOUNT[1], "breaker_failures": 1000}
        return found

    async def begin_trading(self) -> None:
        """Let somebody else trade on the account, with a connector of their own."""

        async def trade() -> None:
            async with AlpacaBroker(await self.settings("alpaca")) as broker:
                await _trade(broker, self._luck, self._placed)

        self._trading = asyncio.create_task(trade())

    async def end_trading(self) -> list[str]:
        """No more orders; those that were placed."""
        if self._trading is not None:
            self._trading.cancel()
            await asyncio.wait((self._trading,))
        return self._placed

    async def spoil(self, rule: dict) -> int:
        """One more fault; its number."""
        number = next(self._numbers)
        self._rules[number] = FaultRule.from_json(rule)
        self._exchange.add_fault(self._rules[number])
        return number

    async def struck(self, number: int, seconds: float) -> bool:
        """Wait until a fault has struck; false when it has not in time."""
        end, rule = time.monotonic() + seconds, self._rules.pop(number)
        applied = self._exchange.state.faults.applied
        while not any(each.rule is rule for each in applied):
            if time.monotonic() > end:
                return False
            await asyncio.sleep(0.005)
        return True

    async def hang_up(self, path: str, code: int | None, reset: bool) -> int:
        """End every connection of a feed."""
        return self._exchange.streams.hang_up(path, code=code, reset=reset)

    async def tidy(self, path: str) -> None:
        """Forget faults that have struck, and clients that have left without being noticed."""
        for stale in self._exchange.streams.at(path)[:-1]:
            stale.socket.reset()
        struck = {id(each.rule) for each in self._exchange.state.faults.applied}
        left = [rule for rule in self._exchange.state.faults.rules if id(rule) not in struck]
        self._exchange.clear_faults()
        for rule in left:
            self._exchange.add_fault(rule)

    async def calm(self) -> None:
        """No faults any more, and orders have done what they can."""
        self._exchange.clear_faults()
        await self._exchange.settle()

    async def advance(self, seconds: float) -> None:
        """Let time pass at the market."""
        self._exchange.state.clock.advance(seconds)

    async def topics(self, path: str) -> int:
        """How many topics the client of a feed is sent."""
        return sum(session.topics for session in self._exchange.streams.at(path)[:1])

    async def sessions(self) -> list[dict]:
        """Who is connected."""
        return self._exchange.streams.as_json()

    async def happened(self, channel: str, symbol: str, first: int, last: int) -> list[list]:
        """Time and id of each trade or quote there was, from one time up to another."""
        rows = getattr(self._exchange.state.market, channel)(symbol, first, last)
        return [[row.time_ns, str(getattr(row, "id", ""))] for row in rows]


class RemoteVenue:
    """The same exchange, in a process of its own that ends with this one."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._numbers = itertools.count(1)
        self._open: dict[int, asyncio.Future] = {}

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.chaos.stream_venue", str(self._seed)),
            stdin=pipe,
            stdout=pipe,
            limit=LINE_LIMIT,
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *exc) -> None:
        self._reader.cancel()
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    def __getattr__(self, name: str):
        async def ask(*given):
            number = next(self._numbers)
            answer = self._open[number] = asyncio.get_running_loop().create_future()
            line = json.dumps({"id": number, "ask": name, "with": given})
            self._process.stdin.write(line.encode() + b"\n")
            return await answer

        return ask

    async def _read(self) -> None:
        while line := await self._process.stdout.readline():
            said = json.loads(line)
            self._open.pop(said["id"]).set_result(said["answer"])
        for answer in self._open.values():
            answer.set_exception(RuntimeError("the exchange has ended"))


async def _answer(venue: LocalVenue, line: str) -> None:
    asked = json.loads(line)
    answer = await getattr(venue, asked["ask"])(*asked["with"])
    say(json.dumps({"id": asked["id"], "answer": answer}))


async def main() -> None:
    """Answer until the parent goes."""
    lines: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    async with LocalVenue(int(sys.argv[1])) as venue, asyncio.TaskGroup() as answering:
        hold_on(lambda line: loop.call_soon_threadsafe(lines.put_nowait, line))
        while True:
            answering.create_task(_answer(venue, await lines.get()))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
