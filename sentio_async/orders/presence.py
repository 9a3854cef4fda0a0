"""Whether the files of a journal are still the ones that it was opened with.

SQLite goes on writing to a file that was taken away or replaced; no restart would find the rows.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = ["Files"]

_TICK_NS = 2_000_000_000
"""No file system's clock is coarser, in nanoseconds."""


class Files:
    """What must stay where it is, all of it in one folder.

    It is asked with each commit, and the folder tells whether anything in it was taken away or
    replaced: one look in the place of four.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        # SQLite may make its log later than it opens the journal.
        self._known = [(path, found) for path in paths if (found := _file(path))]
        self._folder = str(Path(paths[0]).parent)
        self._settled: tuple[int, int, int] | None = None

    def check(self) -> None:
        """Raise ValueError when one was taken away or replaced."""
        state = _state(self._folder)
        if state is not None and state == self._settled:
            return
        for path, known in self._known:
            if _file(path) != known:
                raise ValueError(f"{path} was taken away or replaced while it was in use")
        # Another change within one tick of the file system's clock would leave the same time.
        is_long_ago = state is not None and time.time_ns() - state[2] > _TICK_NS
        self._settled = state if is_long_ago else None


def _file(path: str) -> tuple[int, int] | None:
    state = _state(path)
    return None if state is None else state[:2]


def _state(path: str) -> tuple[int, int, int] | None:
    """Which file it is, and when it was changed: a folder, when any file came to it or left."""
    try:
        # Twice as fast as by a Path.
        found = os.stat(path)  # noqa: PTH116
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_ctime_ns
