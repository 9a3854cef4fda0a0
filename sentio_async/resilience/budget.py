"""A purse for retries, so that an outage is not answered with a multiple of the load."""

from __future__ import annotations

import math
from collections.abc import Hashable

__all__ = ["RetryBudget"]


class RetryBudget:
    """Retries cost, successes give back, and every lane (priority) has a purse of its own.

    A full purse pays for ten retries; when it is empty, one retry a second is still made.
    """

    def __init__(
        self,
        capacity: float = 100.0,
        *,
        retry_cost: float = 10.0,
        throttle_cost: float = 5.0,
        refund: float = 1.0,
        floor_per_second: float = 1.0,
    ) -> None:
        self.capacity = capacity
        self.retry_cost = retry_cost
        self.throttle_cost = throttle_cost
        self.refund = refund
        self._pause = 1.0 / floor_per_second if floor_per_second > 0 else math.inf
        # Lanes that are not full; all others are.
        self._left: dict[Hashable, float] = {}
        self._floor_at: dict[Hashable, float] = {}

    def left(self, lane: Hashable = None) -> float:
        """What is in the purse of this lane."""
        return self._left.get(lane, self.capacity)

    def take(self, lane: Hashable = None, *, now: float, throttled: bool = False) -> bool:
        """Pay for one retry; False when there is nothing to pay with.  Never waits."""
        cost = self.throttle_cost if throttled else self.retry_cost
        left = self.left(lane)
        if left >= cost:
            self._left[lane] = left - cost
            return True
        if self._pause == math.inf or now < self._floor_at.get(lane, -math.inf) + self._pause:
            return False
        self._floor_at[lane] = now
        return True

    def succeeded(self, lane: Hashable = None) -> None:
        """A call went well."""
        if lane in self._left:
            left = self._left[lane] + self.refund
            if left >= self.capacity:
                del self._left[lane]
            else:
                self._left[lane] = left
