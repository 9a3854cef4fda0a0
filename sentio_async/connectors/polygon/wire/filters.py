"""Filters by keyword: ``ex_dividend_date_gte=...`` becomes ``ex_dividend_date.gte``.

The vendor ignores a parameter that it does not know, or that is empty, and answers unfiltered, so
these are refused here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized

from sentio_async import errors
from sentio_async.http.endpoint import QueryValue

__all__ = ["ORDERED", "at_most", "choices", "chosen", "lists", "page_query", "ranges"]

_RANGE = ("gt", "gte", "lt", "lte")

ORDERED = frozenset({"order", "sort"})
"""How a list may be sorted: which way, by what.  The newer endpoints say both in ``sort``."""


def ranges(*fields: str) -> frozenset[str]:
    """Fields that can be asked for exactly, and from and to."""
    return frozenset(fields) | {f"{field}.{op}" for field in fields for op in _RANGE}


def choices(*fields: str) -> frozenset[str]:
    """Fields that can be asked for exactly, and by a list of values."""
    return frozenset(fields) | {f"{field}.any_of" for field in fields}


def lists(*fields: str) -> frozenset[str]:
    """Both: fields that are ``ranges`` and ``choices``."""
    return ranges(*fields) | choices(*fields)


def chosen(known: Iterable[str], given: Mapping[str, QueryValue]) -> dict[str, QueryValue]:
    """The query for the filters given; raises InvalidRequestError for one not known."""
    names = {name.replace(".", "_"): name for name in known}
    unknown = [name for name in given if name not in names]
    if unknown:
        raise errors.InvalidRequestError(
            f"{', '.join(unknown)}: no such filter; there are {', '.join(sorted(names))}"
        )
    for name, value in given.items():
        if isinstance(value, Sized) and not value:
            raise errors.InvalidRequestError(f"{name}: nothing is asked for; None is no filter")
    return {names[name]: value for name, value in given.items()}


def page_query(
    known: Iterable[str], filters: Mapping[str, QueryValue], *, limit: int | None, most: int
) -> dict[str, QueryValue]:
    """The query for a page of a list: what is ``chosen``, and rows as ``at_most`` has it."""
    return {**chosen(known, filters), "limit": at_most(most, limit)}


def at_most(most: int, wanted: int | None) -> int:
    """How many rows to ask for at once: as many as the vendor gives, and no more than wanted."""
    return most if wanted is None else max(1, min(wanted, most))
