"""The files of one symbol's bars: where they end, and how more are added."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from operator import sub
from pathlib import Path
from urllib.parse import quote

from sentio_async import errors
from sentio_async.history.parquet import Facts, Part, read_facts
from sentio_async.models.bars import Bars
from sentio_async.models.rows import utc_from_ns

__all__ = ["Shelf", "StoredBars", "folder_of"]


@dataclass(frozen=True, slots=True)
class StoredBars:
    """What is stored of one symbol; ``skipped`` rows of the vendor could not be read."""

    symbol: str
    rows: int
    skipped: int
    files: tuple[Path, ...]


def folder_of(symbol: str) -> str:
    """The name of a symbol's folder, as partitions are named in Hive and read everywhere.

    Small letters are escaped too: not all file systems tell them from capital ones.
    """
    safe = quote(symbol, safe="")
    return "symbol=" + "".join(f"%{ord(c):02X}" if c.islower() else c for c in safe)


class Shelf:
    """One symbol's files, part after part.  Its methods block: call them in a thread."""

    def __init__(self, folder: Path, symbol: str, about: dict[str, str], *, rows: int) -> None:
        self._folder = folder / folder_of(symbol)
        self._complete = self._folder / "_complete"
        self.symbol = symbol
        self.is_complete = False
        """The whole history is there."""
        self._about = {**about, "symbol": symbol}
        self._rows = rows
        self._facts = Facts()
        self._files: list[Path] = []
        self._part: Part | None = None
        self._skipped = 0
        """Rows left out since the part was begun."""
        self._overlaps = False

    def open(self) -> None:
        """Find what is there; what a broken-off download left unfinished is taken away."""
        self._folder.mkdir(parents=True, exist_ok=True)
        # A last file that is gone leaves no gap, so it says how many there are.
        counted = self._complete.read_text() if self._complete.exists() else ""
        for unfinished in self._folder.glob(".part-*.new"):
            unfinished.unlink()
        for place in sorted(self._folder.glob("part-*.parquet")):
            # What follows a gap would hide it: all from there on is fetched again.
            facts = read_facts(place) if place == self._next_place() else None
            if facts is None:
                place.unlink()
                continue
            self._files.append(place)
            self._take_in(facts)
        self.is_complete = counted == str(len(self._files))
        if not self.is_complete:
            # It would come true again with as many files that hold less.
            self._complete.unlink(missing_ok=True)
        self.go_on()

    def _next_place(self) -> Path:
        return self._folder / f"part-{len(self._files):05}.parquet"

    def _take_in(self, facts: Facts) -> None:
        before = self._facts
        self._facts = Facts(
            rows=before.rows + facts.rows,
            skipped=before.skipped + facts.skipped,
            last_ns=before.last_ns if facts.last_ns is None else facts.last_ns,
        )

    @property
    def is_begun(self) -> bool:
        """Some bars are there."""
        return self._facts.last_ns is not None

    @property
    def stored(self) -> StoredBars:
        """What is there, the part in the making included."""
        part = 0 if self._part is None else self._part.rows
        rows, skipped = self._facts.rows + part, self._facts.skipped + self._skipped
        return StoredBars(self.symbol, rows, skipped, tuple(self._files))

    def go_on(self) -> datetime | None:
        """Where to ask on from: the last bar that is stored, once more; None for the beginning."""
        last = self._facts.last_ns
        self._overlaps = last is not None
        return None if last is None else utc_from_ns(last)

    def add(self, bars: Bars) -> None:
        """Store some more bars; those that are stored already, or come twice, are left out.

        Raises DecodeError when they do not come oldest first: going on could not be right.
        """
        self._skipped += len(bars.skipped)
        bars = self._without_overlap(self._in_order(bars))
        if not bars:
            return
        if self._part is not None and self._part.rows >= self._rows:
            self._close()
        part = self._part
        if part is None:
            feed = {} if bars.feed is None else {"feed": bars.feed}
            part = self._part = Part(self._next_place(), {**self._about, **feed})
        part.write(bars)
        self._facts = replace(self._facts, last_ns=bars.times_ns[-1])

    def _in_order(self, bars: Bars) -> Bars:
        """The bars of a page, each once; the one that ended the page before may begin this one."""
        times, last = bars.times_ns, self._facts.last_ns
        if not bars:
            return bars
        least = min(map(sub, times[1:], times), default=1)
        if self._overlaps:
            last = None
        if least < 0 or (last is not None and times[0] < last):
            raise errors.DecodeError(f"{self.symbol}: bars do not come oldest first")
        if least == 0:
            bars = _once_each(bars)
        return bars[1:] if times[0] == last else bars

    def _without_overlap(self, bars: Bars) -> Bars:
        last = self._facts.last_ns
        if not self._overlaps or last is None or not bars:
            return bars
        fresh = bars[bisect_right(bars.times_ns, last) :]
        self._overlaps = not fresh
        return fresh

    def complete(self) -> None:
        """There are no more; without a single one, an empty file says so."""
        if self._part is None and (self._skipped or not self._files):
            self._part = Part(self._next_place(), self._about)
        self.pause()
        # Half of it, or none, only means that the end is asked for once more.
        self._complete.write_text(str(len(self._files)))
        self.is_complete = True

    def _close(self) -> None:
        part = self._part
        assert part is not None
        facts = Facts(part.rows, self._skipped, self._facts.last_ns)
        part.finish(facts)
        self._part, self._skipped = None, 0
        self._files.append(self._next_place())
        self._take_in(facts)

    def pause(self) -> None:
        """Keep what there is, for a download that goes on another time."""
        if self._part is not None:
            self._close()

    def discard(self) -> None:
        """Let go of the part in the making."""
        part, self._part = self._part, None
        if part is not None:
            part.discard()


def _once_each(bars: Bars) -> Bars:
    """The bars without those that have the time of the one before."""
    times = bars.times_ns
    twice = [place for place in range(1, len(times)) if times[place - 1] == times[place]]
    if not twice:
        return bars
    kept = bars[: twice[0]]
    for start, end in pairwise([*twice, len(bars)]):
        kept.extend(bars[start + 1 : end])
    return kept
