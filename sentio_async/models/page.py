"""One page of a longer answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["Page", "SkippedRow"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A row that could not be read, beside the good ones."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, and where the rest is; ``next`` is None on the last page."""

    items: T
    next: str | None = None
    skipped: tuple[SkippedRow, ...] = field(default=())
