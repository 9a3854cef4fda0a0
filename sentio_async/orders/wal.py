"""Whether a write-ahead log of SQLite is whole.

SQLite reads such a log up to the first frame that does not add up and drops the rest without a
word.  After a kill that is right, the last frame was not finished; with more of the same log behind
it, rows that were durable would be lost.

https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

from __future__ import annotations

import struct
from pathlib import Path

__all__ = ["is_whole"]

_HEADER = 32
_FRAME = 24
_MAGIC = 0x377F0682


def is_whole(path: Path) -> bool:
    """Nothing but an unfinished end is missing; true when there is no log."""
    log = path.read_bytes() if path.exists() else b""
    if len(log) < _HEADER:
        return True
    magic, _version, page_size = struct.unpack(">III", log[:12])
    if magic not in (_MAGIC, _MAGIC | 1):
        return False
    order = ">" if magic & 1 else "<"
    salts = log[16:24]
    sums = _add(log[:24], order, (0, 0))
    if sums != struct.unpack(">II", log[24:32]):
        return False
    size = _FRAME + page_size
    starts = range(_HEADER, len(log) - size + 1, size)
    for start in starts:
        frame = log[start : start + size]
        if frame[8:16] != salts:
            # What an earlier round of the log has left.
            return not any(
                log[later + 8 : later + 16] == salts for later in starts if later > start
            )
        sums = _add(frame[:8] + frame[_FRAME:], order, sums)
        if sums != struct.unpack(">II", frame[16:24]):
            return start == starts[-1]
    return True


def _add(data: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    one, two = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return one, two
