"""What everything in one scenario shares: time, luck, and what is written down of it."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


class World:
    """Time and luck of one scenario; ``trace`` collects lines when somebody wants to read them."""

    __slots__ = ("in_flight", "loop", "luck", "trace")

    def __init__(self, loop, luck: random.Random, trace: list[str] | None = None) -> None:
        self.loop = loop
        self.luck = luck
        self.trace = trace
        self.in_flight = 0
        """Requests that have left and not arrived."""

    def now(self) -> float:
        return self.loop.time()

    def wall(self) -> datetime:
        return EPOCH + timedelta(seconds=self.loop.time())

    def say(self, text: str) -> None:
        if self.trace is not None:
            self.trace.append(f"{self.loop.time():9.3f}  {text}")


class Process:
    """A process that can be killed: what it does after that has no effect."""

    def __init__(self, world: World, number: int, wall_step: float) -> None:
        self.world = world
        self.number = number
        self.is_alive = True
        self.tasks: list[asyncio.Task] = []
        self._start = EPOCH + timedelta(seconds=wall_step)

    def check(self) -> None:
        """End the task that asks, if its process has been killed."""
        if not self.is_alive:
            raise asyncio.CancelledError

    def start(self, work) -> asyncio.Task:
        task = self.world.loop.create_task(work)
        self.tasks.append(task)
        return task

    def kill(self) -> None:
        self.is_alive = False
        for task in self.tasks:
            task.cancel()

    # The clock of its machine

    def time(self) -> float:
        return self.world.loop.time()

    def utcnow(self) -> datetime:
        return self._start + timedelta(seconds=self.world.loop.time())

    async def sleep(self, seconds: float, /) -> None:
        self.check()
        await asyncio.sleep(seconds)
        self.check()
