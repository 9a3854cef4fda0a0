"""A journal whose disk outlives the process that writes to it."""

import asyncio
from itertools import groupby

from sentio_async.orders.journal import MemoryJournal

from .world import Process


class Disk:
    """What is left when a process is killed."""

    def __init__(self) -> None:
        self.rows = []
        self.halted = None

    def last(self) -> dict:
        """The last row of each id."""
        return {row.id: row for row in self.rows}

    def known_orders(self) -> set[str]:
        """The venue's ids of the orders that the journal tells of."""
        return {row.order.id for row in self.rows if row.order is not None}

    def rows_of(self) -> dict:
        ordered = sorted(self.rows, key=lambda row: row.id)
        return {id: list(rows) for id, rows in groupby(ordered, key=lambda row: row.id)}


class SimJournal(MemoryJournal):
    """Writes take a moment, in order; a process killed meanwhile finds them done, or not.

    ``pace`` is "instant", "early" (durable at once, told later) or "late" (the other way round).
    """

    def __init__(self, process: Process, disk: Disk, pace: str) -> None:
        super().__init__(disk.rows)
        self._process = process
        self._disk = disk
        self._pace = pace
        self._free_at = 0.0
        self._is_closed = False

    async def write(self, *rows) -> None:
        self._process.check()
        if self._is_closed:
            raise RuntimeError("the journal is closed")
        if self._pace == "early":
            self._disk.rows.extend(rows)
        if self._pace != "instant":
            world = self._process.world
            self._free_at = max(self._free_at, world.now()) + world.luck.uniform(0.0, 0.01)
            await asyncio.sleep(self._free_at - world.now())
            self._process.check()
        if self._pace != "early":
            self._disk.rows.extend(rows)
        await super().write(*rows)
        if self._process.world.trace is not None:
            for row in rows:
                self._process.world.say(f"p{self._process.number}: journal: {_words(row)}")

    def halted(self):
        return self._disk.halted

    def set_halted(self, reason) -> None:
        self._process.check()
        self._disk.halted = reason

    async def close(self) -> None:
        self._is_closed = True


def _words(row) -> str:
    order = "" if row.order is None else f" {row.order.id} {row.order.status.value}"
    return f"{row.id[:18]} {row.step.value}{order} {row.reason}".rstrip()
