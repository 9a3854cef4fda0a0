"""Lists that come from outside: pages of a longer answer, rows of which some were unreadable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Page", "Rows", "SkippedRow"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A row that could not be read, beside the good ones."""

    index: int
    reason: str


class Rows(list[T]):
    """The rows that could be read; ``skipped`` says which could not, and why."""

    def __init__(self, rows: Iterable[T] = (), skipped: Iterable[SkippedRow] = ()) -> None:
        super().__init__(rows)
        self.skipped = tuple(skipped)


@dataclass(frozen=True, slots=True)
class Page(Generic[T_co]):
    """Some items, and where the rest is; ``next`` is None on the last page."""

    items: T_co
    next: str | None = None
