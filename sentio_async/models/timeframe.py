"""How long a bar is, in words: ``5Min``, ``1Day``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from sentio_async import errors

__all__ = ["Timeframe"]

_TEXT = re.compile(r"\s*(\d{0,6})\s*([A-Za-z]+)\s*")
# "M" alone is a month, as everywhere; the other letters do not care about case.
_UNITS: Mapping[str, str] = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "Sec"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes", "t"), "Min"),
    **dict.fromkeys(("h", "hour", "hours"), "Hour"),
    **dict.fromkeys(("d", "day", "days"), "Day"),
    **dict.fromkeys(("w", "wk", "week", "weeks"), "Week"),
    **dict.fromkeys(("mo", "mon", "month", "months"), "Month"),
    **dict.fromkeys(("q", "quarter", "quarters"), "Quarter"),
    **dict.fromkeys(("y", "year", "years"), "Year"),
}
_DAYS = {"Day": 1, "Week": 7, "Month": 31, "Quarter": 92, "Year": 366}
_SECONDS = {
    "Sec": 1,
    "Min": 60,
    "Hour": 3_600,
    **{unit: days * 86_400 for unit, days in _DAYS.items()},
}


@dataclass(frozen=True, slots=True)
class Timeframe:
    """So many of a unit: ``Sec Min Hour Day Week Month Quarter Year``.

    What of it a vendor has is the vendor's to say.
    """

    count: int
    unit: str

    @classmethod
    def read(cls, text: str) -> Self:
        """From ``5Min``, ``5m``, ``1h``, ``day``, ``2 weeks``, ``1M``; raises InvalidRequestError.

        ``m`` is a minute and ``M`` a month.
        """
        found = _TEXT.fullmatch(str(text))
        word = found[2] if found else ""
        unit = "Month" if word == "M" else _UNITS.get(word.lower())
        count = int(found[1] or 1) if found else 0
        if unit is None or count < 1:
            raise errors.InvalidRequestError(
                f"timeframe: {text!r} is not one; write 1Sec, 5Min, 1Hour, 1Day, 1Week, 1Month"
            )
        return cls(count, unit)

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"

    def reach(self, bars: int) -> timedelta:
        """A time in which there should be so many bars, nights and holidays and all."""
        # A session is 6.5 of 24 hours on 5 of 7 days, less holidays.
        try:
            return timedelta(seconds=_SECONDS[self.unit] * self.count * bars * 6, days=5)
        except OverflowError:
            return timedelta.max
