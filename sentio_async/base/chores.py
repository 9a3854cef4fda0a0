"""What a connector does again and again while it is connected, such as keeping a login alive."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from sentio_async import errors
from sentio_async.clock import Clock

__all__ = ["Chore", "Chores"]

Chore = Callable[[], Awaitable[object]]

END_WITHIN = 2.0
"""Seconds that a chore has to end when it is told to."""

_log = logging.getLogger("sentio_async")


class Chores:
    """One task for each; a failure ends none of them, and is told until it goes well again."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._wanted: list[tuple[float, Chore]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._problems: dict[Chore, str] = {}

    def add(self, every: float, chore: Chore) -> None:
        """Do it every so many seconds, counted from the end of the last time."""
        if every <= 0:
            raise errors.ConfigurationError(f"every: {every:g} s is no time to wait")
        self._wanted.append((every, chore))

    @property
    def problem(self) -> str | None:
        """Why one of them did not go well the last time; None if all did."""
        return next(iter(self._problems.values()), None)

    def begin(self) -> None:
        """Start all of them, unless they run; what an earlier loop has left has ended with it."""
        loop = asyncio.get_running_loop()
        if any(task.get_loop() is loop and not task.done() for task in self._tasks):
            return
        self._problems = {}
        # Not the loop's own way: where tasks are eager (Python 3.12), they would begin before.
        self._tasks = {asyncio.Task(self._repeat(*each), loop=loop) for each in self._wanted}

    async def _repeat(self, every: float, chore: Chore) -> None:
        task = asyncio.current_task()
        while task is not None and task in self._tasks:
            await self._clock.sleep(every)
            try:
                await chore()
                self._problems.pop(chore, None)
            except errors.ConnectorError as exc:
                self._problems[chore] = f"{type(exc).__name__}: {exc}"
            except asyncio.CancelledError:
                if task.cancelling():
                    raise
                self._problems[chore] = "CancelledError: what it waited for was cancelled"
            except Exception as exc:  # noqa: BLE001 (a vendor's mistake must not end it)
                _log.exception("%s: a chore failed in an unexpected way", self._name)
                self._problems[chore] = f"{type(exc).__name__}, see the log"

    def end(self) -> set[asyncio.Task[None]]:
        """Tell all to end, and give those that somebody can wait for."""
        loop, tasks = asyncio.get_running_loop(), self._tasks
        self._tasks = set()
        # One that disconnects its own connector sees to that first, and then ends by itself.
        told = {task for task in tasks if task.get_loop() is loop} - {asyncio.current_task()}
        for task in told:
            task.cancel()
        return told
