"""The times of a whole answer at once, from RFC 3339 text in UTC; none of their digits is lost.

A time costs more than all else of a row when it is read alone.  Here the digits of all rows are
taken by column, and read as one JSON list of whole numbers.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime
from operator import add
from struct import error as struct_error
from struct import pack
from typing import Any

import msgspec

from sentio_async.http.reading import ns_from_text

__all__ = ["ns_from_milliseconds", "ns_from_starts", "ns_from_texts", "ns_from_times"]

_MILLION, _BILLION = 1_000_000, 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = datetime.resolution
_FEW = 40
"""Fewer than this are read faster one by one."""
_MOST_KEPT = 4096

# "2026-01-02T15:04:05.123456789Z\n" becomes "202601021504,105123456789,": the minute, and what
# comes after it behind a one, because JSON knows no leading zeros.
_WIDTH, _NUMBERS = 31, b"            ,1           ,"
_SIGNS = ((4, b"-"), (7, b"-"), (10, b"T"), (13, b":"), (16, b":"), (19, b"."), (29, b"Z"))
_TENS_OF_SECONDS = 17
_MINUTE = (0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15)
_REST = (17, 18, 20, 21, 22, 23, 24, 25, 26, 27, 28)
_PLACES = (*enumerate(_MINUTE), *enumerate(_REST, start=14))
_LEADING_ONE = 10**11

_numbers = msgspec.json.Decoder(list[int])
_MOST = 8
"""What the sixth byte of milliseconds stays below, so that their nanoseconds have room."""
_stamps = msgspec.msgpack.Encoder()
_STAMP = 6
"""A whole second in MessagePack, the shortest that a time can be: two signs, then four bytes."""


def _ns(time: datetime) -> int:
    return int(time.replace(tzinfo=UTC).timestamp()) * _BILLION


def _kept(kept: dict[Any, int], key: Any, ns: int) -> int:
    if len(kept) >= _MOST_KEPT:
        kept.clear()  # time goes on, and what was read long ago does not come again
    kept[key] = ns
    return ns


class _Minutes(dict[int, int]):
    """Epoch nanoseconds of ``YYYYMMDDHHMM``, less the one that leads the rest."""

    def __missing__(self, minute: int) -> int:
        day, time = divmod(minute, 10_000)
        year, month = divmod(day // 100, 100)
        hour, minutes = divmod(time, 100)
        start = _ns(datetime(year, month, day % 100, hour, minutes, tzinfo=UTC)) - _LEADING_ONE
        return _kept(self, minute, start)


class _Days(dict[str, int]):
    """Epoch nanoseconds of ``YYYY-MM-DD``."""

    def __missing__(self, day: str) -> int:
        start = _ns(datetime.fromisoformat(day))
        return _kept(self, day, start)


class _Clock(dict[str, int]):
    """Nanoseconds since midnight of ``THH:MM:SSZ``."""

    def __missing__(self, text: str) -> int:
        if len(text) != len("THH:MM:SSZ"):
            raise ValueError("not a whole second")
        since = (datetime.fromisoformat(f"1970-01-01{text}") - _EPOCH) // _MICROSECOND * 1000
        return _kept(self, text, since)


_minutes, _days, _clock = _Minutes(), _Days(), _Clock()


def ns_from_texts(texts: Sequence[str]) -> list[int]:
    """``ns_from_text`` of each; raises DecodeError if any of them is no time."""
    if len(texts) >= _FEW:
        try:
            return _by_column(texts)
        except ValueError:
            pass  # another way of writing them, or a bad one: that is told one by one
    return list(map(ns_from_text, texts))


def _by_column(texts: Sequence[str]) -> list[int]:
    count = len(texts)
    text = "\n".join(texts)
    if len(text) != _WIDTH * count - 1:
        same = _WIDTH - 1
        text = "\n".join([t if len(t) == same else _with_nine_digits(t) for t in texts])
    data = text.encode("ascii") + b"\n"
    if len(data) != _WIDTH * count or data[_WIDTH - 1 :: _WIDTH] != b"\n" * count:
        raise ValueError("lengths differ")
    if any(data[place::_WIDTH] != sign * count for place, sign in _SIGNS):
        raise ValueError("a sign is not in its place")
    if data[_TENS_OF_SECONDS::_WIDTH].strip(b"012345"):
        raise ValueError("too many seconds")
    numbers = bytearray(_NUMBERS * count)
    for to, place in _PLACES:
        digits = data[place::_WIDTH]
        if not digits.isdigit():
            raise ValueError("a digit is none")
        numbers[to :: len(_NUMBERS)] = digits
    numbers[-1:] = b"]"
    found = _numbers.decode(b"[" + numbers)
    return list(map(add, map(_minutes.__getitem__, found[::2]), found[1::2]))


def _with_nine_digits(text: str) -> str:
    if text[-1:] != "Z" or text[19:20] not in (".", "Z"):
        raise ValueError("another way of writing it")
    return f"{text[:19]}.{text[20:-1]:0<9}Z"


def ns_from_starts(texts: list[str]) -> list[int]:
    """``ns_from_text`` of each, fast for whole seconds in order: the starts of bars.

    Raises DecodeError if any of them is no time.
    """
    try:
        ordered = sorted(texts)
        if ordered == texts:
            return _by_day(texts)
        if ordered == texts[::-1]:
            return _by_day(ordered)[::-1]
        return [_days[text[:10]] + _clock[text[10:]] for text in texts]
    except ValueError:
        return list(map(ns_from_text, texts))


def _by_day(texts: list[str]) -> list[int]:
    """Times in order: each day is looked up once."""
    clock, found = _clock, []
    begin = 0
    while begin < len(texts):
        day = texts[begin][:10]
        end = bisect_right(texts, day + "U", lo=begin)  # comes after any "T"
        start = _days[day]
        found += [clock[text[10:]] + start for text in texts[begin:end]]
        begin = end
    return found


def ns_from_times(times: Sequence[datetime]) -> array[int]:
    """Epoch nanoseconds of aware times, fast for whole seconds from 1970 to 2106.

    The seconds are taken by column from their MessagePack.
    """
    count = len(times)
    data = _stamps.encode(times)
    head = 1 if count < 16 else 3 if count < 65_536 else 5
    if len(data) != head + _STAMP * count:
        return array("q", [(time - _EPOCH) // _MICROSECOND * 1000 for time in times])
    seconds = bytearray(8 * count)
    for place in range(4):
        seconds[place::8] = data[head + 5 - place :: _STAMP]
    return _times(seconds, _BILLION)


def ns_from_milliseconds(times: Sequence[int]) -> array[int]:
    """Epoch nanoseconds of epoch milliseconds, fast for those from 1970 to 2248.

    Raises OverflowError for a time whose nanoseconds are more than 64 bits hold.
    """
    try:
        data = pack(f"<{len(times)}Q", *times)
    except struct_error:
        pass  # one of them is before 1970, or far away
    else:
        if not (data[6::8] + data[7::8]).strip(b"\0") and max(data[5::8], default=0) < _MOST:
            return _times(data, _MILLION)
    return array("q", [time * _MILLION for time in times])


def _times(numbers: bytes | bytearray, factor: int) -> array[int]:
    """Each of the numbers, 64 bits from the lowest on, as many times as ``factor``.

    They are multiplied as one long number, in which each of them has room for the result.
    """
    product = int.from_bytes(numbers, "little") * factor
    found = array("q", product.to_bytes(len(numbers), "little"))
    if sys.byteorder == "big":
        found.byteswap()
    return found
