"""What a folder of bars holds, or is to hold: written down before the first bar.

A download that goes on must be the same as the one that was begun, so a folder belongs to one
request.  Symbols do not: they can be added later.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sentio_async import errors
from sentio_async.history.lock import LOCK

__all__ = ["HistoryRequest", "check_folder", "write_whole"]

_NAME = "_download.json"
_VERSION = 1
# Going on after the last bar that is stored needs all of them, oldest first.
_REFUSED = ("limit", "descending", "order")


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRequest:
    """Bars of which length, from when to when, and what else their vendor was told."""

    provider: str
    timeframe: str
    start: datetime | date
    end: datetime | date | None
    options: Mapping[str, Any] = field(default_factory=dict)
    feed: str | None = None
    """Where bars come from by the settings, if these say so."""

    def __post_init__(self) -> None:
        refused = [name for name in _REFUSED if self.options.get(name) is not None]
        if refused:
            raise errors.InvalidRequestError(
                f"{refused[0]}: a download takes all bars, oldest first, and no such option"
            )
        for name, moment in (("start", self.start), ("end", self.end)):
            _check_moment(name, moment)
        if self.end is not None and _is_before(self.end, self.start):
            raise errors.InvalidRequestError(
                f"end: {self.end.isoformat()} is before the start, {self.start.isoformat()}"
            )

    def settled_in(self, folder: Path, now: datetime) -> HistoryRequest:
        """The request of this folder, which becomes this one's if it is new or empty.

        Without ``end`` it ends now, and still does when it is gone on with.  Raises
        InvalidRequestError when the folder holds something else, and for an ``end`` still to come:
        what is complete is not asked for again, so bars that do not exist yet would never come.
        """
        if self.end is not None and not _is_over(self.end, now):
            raise errors.InvalidRequestError(
                f"end: {self.end.isoformat()} is not over; without an end, a download ends now"
            )
        check_folder(folder)
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / _NAME
        if _is_begun(folder):
            return self._as_begun(place)
        settled = replace(self, end=now if self.end is None else self.end)
        write_whole(place, json.dumps(settled.written(), indent=1).encode())
        return settled

    def _as_begun(self, place: Path) -> HistoryRequest:
        try:
            begun = json.loads(place.read_bytes())
            end = _read_moment(begun["end"])
        except (ValueError, KeyError, TypeError) as exc:
            raise errors.InvalidRequestError(f"{place}: cannot be read ({exc})") from exc
        settled = replace(self, end=self.end or end)
        wanted = settled.written()
        different = [name for name in wanted if begun.get(name) != wanted[name]]
        if different:
            name = different[0]
            raise errors.InvalidRequestError(
                f"{place.parent}: was begun with {name} {begun.get(name)!r}, "
                f"and {wanted[name]!r} is asked for; use another folder"
            )
        return settled

    def written(self) -> dict[str, Any]:
        """As it stands in the folder."""
        options = {name: value for name, value in self.options.items() if value is not None}
        plain: dict[str, Any] = json.loads(json.dumps(options, default=str, sort_keys=True))
        return {
            "version": _VERSION,
            "provider": self.provider,
            "timeframe": self.timeframe,
            "start": _write_moment(self.start),
            "end": _write_moment(self.end),
            "feed": self.feed,
            "options": plain,
        }


def _check_moment(name: str, moment: object) -> None:
    if isinstance(moment, datetime) and moment.tzinfo is None:
        text = f"{name}: {moment.isoformat()} has no zone; use an aware one"
        raise errors.InvalidRequestError(text)
    if moment is not None and not isinstance(moment, date):
        text = f"{name}: {moment!r} is a {type(moment).__name__}; use an aware datetime or a date"
        raise errors.InvalidRequestError(text)


def _is_before(end: datetime | date, start: datetime | date) -> bool:
    """Surely: a day is one of the exchange's, which ends up to a day away from that of a time."""
    if isinstance(end, datetime) and isinstance(start, datetime):
        return end < start
    is_mixed = isinstance(end, datetime) or isinstance(start, datetime)
    return _day(end) + timedelta(days=is_mixed) < _day(start)


def _day(moment: datetime | date) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _is_over(end: datetime | date, now: datetime) -> bool:
    return end <= now if isinstance(end, datetime) else end < now.date()


def check_folder(folder: Path) -> None:
    """Raise InvalidRequestError when a folder holds something else than a download."""
    if not folder.exists() or _is_begun(folder):
        return
    ours = (_NAME, _making(folder / _NAME).name, LOCK)
    if any(not (e.name in ours or e.name.startswith("symbol=")) for e in folder.iterdir()):
        raise errors.InvalidRequestError(
            f"{folder}: holds files of something else; a download needs a folder of its own"
        )


def _is_begun(folder: Path) -> bool:
    return (folder / _NAME).exists() and any(folder.glob("symbol=*/*.parquet"))


def _write_moment(moment: datetime | date | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _read_moment(text: str) -> datetime | date:
    is_day = len(text) == len("YYYY-MM-DD")
    return date.fromisoformat(text) if is_day else datetime.fromisoformat(text)


def _making(place: Path) -> Path:
    return place.with_name(f".{place.name}.new")


def write_whole(place: Path, data: bytes) -> None:
    """Write a file that is there as a whole or not at all."""
    making = _making(place)
    with making.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    making.replace(place)
