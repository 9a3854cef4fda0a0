"""One window of a rate limit: what it has admitted, and what of it still counts."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import IntEnum

import msgspec

from sentio_async import errors

__all__ = ["Permit", "Priority", "Window", "WindowLog"]


class Priority(IntEnum):
    """Who goes first.  Cancelling an order counts as ORDERS."""

    ORDERS = 0
    ACCOUNT = 1
    QUOTES = 2
    HISTORY = 3


@dataclass(frozen=True, slots=True)
class Window:
    """At most ``limit`` in any ``seconds``."""

    limit: int
    seconds: float

    def __post_init__(self) -> None:
        if self.limit < 1 or not 0 < self.seconds < math.inf:
            raise errors.ConfigurationError(
                f"window: {self.limit} per {self.seconds} s can admit nothing"
            )


class Permit(msgspec.Struct, gc=False, eq=False):
    """Leave for one request; ``Limiter.give_back`` returns it when nothing was sent."""

    at: float
    cost: int


class WindowLog:
    """What one window has admitted, and what of it still counts."""

    __slots__ = (
        "claim",
        "claim_until",
        "configured",
        "entries",
        "limit",
        "reserve",
        "span",
        "used",
    )

    def __init__(self, window: Window, reserve: int, padding: float) -> None:
        self.configured = self.limit = window.limit
        self.span = window.seconds + padding
        self.reserve = min(reserve, window.limit - 1)
        self.entries: deque[Permit] = deque()
        self.used = 0
        # Taken by other processes with the same key, as the vendor's headers tell.
        self.claim = 0
        self.claim_until = 0.0

    def is_said(self, limit: int | None) -> bool:
        """A vendor's word for the limit that changes nothing."""
        return limit is None or limit <= 0 or min(limit, self.configured) == self.limit

    def trim(self, now: float) -> None:
        """Forget what no longer counts."""
        entries, span = self.entries, self.span
        while entries and entries[0].at + span <= now:
            self.used -= entries.popleft().cost
        if self.claim and self.claim_until <= now:
            self.claim = 0

    def capacity(self, cost: int, priority: Priority) -> int:
        """Slots open to this priority; a limit tightened below ``cost`` waits for all of them."""
        kept = self.reserve if priority else 0
        return max(cost, self.limit - kept)

    def earliest(self, demand: int, capacity: int, now: float) -> float:
        """When ``demand`` slots, one after the other, will have become free."""
        rounds, rest = divmod(max(demand, 1) - 1, capacity)
        need = self.used + self.claim + min(demand, rest + 1) - capacity
        return self._freed(need, now) + rounds * self.span

    def _freed(self, need: int, now: float) -> float:
        if need <= 0:
            return now
        claim = self.claim
        for entry in self.entries:
            at = entry.at + self.span
            if claim and self.claim_until <= at:
                need, claim = need - claim, 0
                if need <= 0:
                    return self.claim_until
            need -= entry.cost
            if need <= 0:
                return at
        return self.claim_until
