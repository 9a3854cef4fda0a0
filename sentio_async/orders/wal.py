"""Whether the head of a write-ahead log of SQLite is whole.

SQLite drops a log whose head does not add up without a word, and every row in it.  Of the frames
behind the head nothing can be said from outside: a killed process leaves unfinished ones, and the
next one writes over some of them only.

https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

from __future__ import annotations

import struct
from pathlib import Path

__all__ = ["is_whole"]

_HEADER = 32
_MAGIC = 0x377F0682


def is_whole(path: Path) -> bool:
    """The head adds up; true when there is no log."""
    log = path.read_bytes()[:_HEADER] if path.exists() else b""
    if len(log) < _HEADER:
        return True
    (magic,) = struct.unpack(">I", log[:4])
    if magic not in (_MAGIC, _MAGIC | 1):
        return False
    return _sum(log[:24], ">" if magic & 1 else "<") == struct.unpack(">II", log[24:])


def _sum(data: bytes, order: str) -> tuple[int, int]:
    one = two = 0
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return one, two
