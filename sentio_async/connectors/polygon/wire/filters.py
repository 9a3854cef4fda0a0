"""Filters by keyword: ``ex_dividend_date_gte=...`` becomes ``ex_dividend_date.gte``.

The vendor ignores a parameter that it does not know and answers unfiltered, so a name that the
endpoint does not have is refused here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sentio_async import errors
from sentio_async.http.endpoint import QueryValue

__all__ = ["at_most", "chosen", "lists", "ranges"]

_RANGE = ("gt", "gte", "lt", "lte")


def ranges(*fields: str) -> frozenset[str]:
    """Fields that can be asked for exactly, and from and to."""
    return frozenset(fields) | {f"{field}.{op}" for field in fields for op in _RANGE}


def lists(*fields: str) -> frozenset[str]:
    """As ``ranges``, and by a list of values."""
    return ranges(*fields) | {f"{field}.any_of" for field in fields}


def chosen(known: Iterable[str], given: Mapping[str, QueryValue]) -> dict[str, QueryValue]:
    """The query for the filters given; raises InvalidRequestError for one not known."""
    names = {name.replace(".", "_"): name for name in known}
    unknown = [name for name in given if name not in names]
    if unknown:
        raise errors.InvalidRequestError(
            f"{', '.join(unknown)}: no such filter; there are {', '.join(sorted(names))}"
        )
    return {names[name]: value for name, value in given.items()}


def at_most(most: int, wanted: int | None) -> int:
    """How many rows to ask for at once: as many as the vendor gives, and no more than wanted."""
    return most if wanted is None else max(1, min(wanted, most))
