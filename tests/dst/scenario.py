"""One scenario from beginning to end: an application, its network, its broker, its deaths."""

import asyncio
import random

from .broker import Broker
from .checker import Findings, check
from .clients import CLIENTS
from .journal import Disk
from .loop import VirtualLoop
from .network import Wire
from .plan import Plan, Wish, draw
from .world import Process, World

SETTLES_WITHIN = 900.0
"""Virtual seconds after the last caller within which everything must be known."""


class Scenario:
    """Lives the plan of one seed and keeps what everybody was told."""

    def __init__(self, plan: Plan, world: World, client: str) -> None:
        self.plan = plan
        self.world = world
        self.disk = Disk()
        self.broker = Broker(world, plan.kind, lag=plan.lag, skew=plan.skew, moody=plan.moody)
        self.told: dict[str, list] = {}
        """By tag: what its callers were told, in order."""
        self.cancels: list = []
        """Order id and what the caller of a cancel was told."""
        self.gone_on: set[str] = set()
        """The wishes whose orders were changed or cancelled by one caller, and by no other."""
        self.open: list[str] = []
        """What the client does not know in the end."""
        self.client = None
        self._make = CLIENTS[client]
        for order in plan.foreign:
            self.broker.enter_foreign(order, -60.0)

    async def run(self) -> Findings:
        number, wall_step = 1, 0.0
        for end in self.plan.ends:
            process = Process(self.world, number, wall_step)
            life = process.start(self._live(process))
            await asyncio.wait((life,), timeout=end.after)
            await self._end(process, end)
            await asyncio.sleep(end.downtime)
            number, wall_step = number + 1, end.wall_step
        process = Process(self.world, number, wall_step)
        life = process.start(self._live(process))
        await asyncio.wait((life,), timeout=SETTLES_WITHIN)
        await self._settle()
        self.open = list(self.client.open)
        findings = check(self)
        process.kill()
        self.client.kill()
        return findings

    async def _end(self, process, end) -> None:
        how = "is killed" if end.is_killed else "is stopped"
        self.world.say(f"---- process {process.number} {how}")
        if not end.is_killed and self.client is not None:
            await self.client.stop()
            await asyncio.sleep(0)
        process.kill()
        if self.client is not None:
            self.client.kill()

    async def _settle(self) -> None:
        until = self.world.now() + SETTLES_WITHIN
        while self.world.in_flight or self.client.open:
            if self.world.now() > until:
                return
            await asyncio.sleep(5.0)
        # What has just become known is still being written down.
        await asyncio.sleep(1.0)

    # The application

    async def _live(self, process: Process) -> None:
        wire = Wire(self.world, self.broker, process, self.plan)
        self.client = client = self._make(process, wire, self.disk, self.plan.setting)
        self.world.say(f"---- process {process.number} starts")
        await self._start(client, process)
        self.world.say(f"---- process {process.number} is ready")
        callers = [
            process.start(self._ask(process, client, wish))
            for wish in self.plan.wishes
            for _ in range(2 if wish.is_asked_twice else 1)
            if self._is_wanted(wish)
        ]
        await asyncio.gather(*callers, return_exceptions=True)

    async def _start(self, client, process) -> None:
        while True:
            try:
                await client.start()
                return
            except Exception as exc:
                self.world.say(f"p{process.number}: does not start: {exc}")
            await asyncio.sleep(5.0)

    def _is_wanted(self, wish: Wish) -> bool:
        """It was not asked for yet; or it has a key, so that asking again does no harm."""
        told = self.told.get(wish.tag)
        if not told:
            return True
        return wish.key is not None and told[-1][0] in ("died", "left", "unknown")

    async def _ask(self, process, client, wish: Wish) -> None:
        told = self.told.setdefault(wish.tag, [])
        wait = wish.at - self.world.now()
        if wait > 0:
            await asyncio.sleep(wait)
        mark = ["died", None, client]
        told.append(mark)
        asking = asyncio.ensure_future(client.submit(wish))
        process.tasks.append(asking)
        if wish.leaves_after is not None:
            self.world.loop.call_later(wish.leaves_after, asking.cancel)
        try:
            mark[0], mark[1] = await asking
        except asyncio.CancelledError:
            process.check()
            mark[0] = "left"
            return
        except Exception as exc:
            mark[0], mark[1] = "broken", repr(exc)
        self.world.say(f"told: {wish.tag} {mark[0]} {mark[1]}")
        if mark[0] == "unknown" and mark[1] is not None and wish.waits_for_handle:
            mark[0], mark[1] = await client.resolve(mark[1])
            self.world.say(f"told later: {wish.tag} {mark[0]} {mark[1]}")
        if mark[0] == "placed" and wish.then is not None and wish.tag not in self.gone_on:
            self.gone_on.add(wish.tag)
            await self._go_on(client, wish, mark[1])

    async def _go_on(self, client, wish: Wish, order_id: str) -> None:
        await asyncio.sleep(wish.then_after)
        if wish.then == "cancel":
            answer = await client.cancel(order_id)
            self.world.say(f"told: cancel of {order_id} {answer[0]} {answer[1]}")
            self.cancels.append((order_id, *answer))
            return
        mark = ["died", None, client]
        tag = wish.change.instructions["tag"]
        self.told.setdefault(tag, []).append(mark)
        mark[0], mark[1] = await client.replace(order_id, wish.change)
        self.world.say(f"told: {tag} {mark[0]} {mark[1]}")


def run(seed: int, client: str = "gateway", *, trace: list[str] | None = None) -> Findings:
    """Live one seed; gives what is wrong afterwards."""
    plan, luck = draw(seed)
    # The gateway spreads its waits by the global luck.
    random.seed(seed)
    loop = VirtualLoop()
    scenario = Scenario(plan, World(loop, luck, trace), client)
    try:
        return loop.run_until_complete(scenario.run())
    finally:
        loop.finish()
