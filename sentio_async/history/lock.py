"""One download at a time for a folder: two would take each other's files for leftovers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

from sentio_async import errors

__all__ = ["LOCK", "Hold"]

LOCK = ".lock"
"""The file's name; readers of Parquet pass over names that begin with a dot."""


class Hold:
    """Keeps a folder for one download, from ``take`` to ``let_go`` or the end of the process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[bytes] | None = None

    def take(self) -> None:
        """Hold it; InvalidRequestError while another download does, here or in another process."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file = (self._folder / LOCK).open("ab")
        try:
            _lock(self._file.fileno())
        except (BlockingIOError, PermissionError):
            raise errors.InvalidRequestError(
                f"{self._folder}: another download writes into it; wait for its end, "
                "or use another folder"
            ) from None
        except OSError:
            return  # some network drives know no locks

    def let_go(self) -> None:
        """Let others have it, if it was held."""
        if self._file is not None:
            self._file.close()


if sys.platform == "win32":
    import msvcrt

    def _lock(number: int) -> None:
        msvcrt.locking(number, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(number: int) -> None:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
