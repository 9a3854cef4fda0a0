"""How long to stay away after a connection was lost.  Times are in seconds."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Backoff", "BackoffPolicy"]

Luck = Callable[[], float]


@dataclass(frozen=True, slots=True)
class BackoffPolicy:
    """Half of the delay is certain and half is luck, so that many clients do not come at once."""

    first: float = 0.5
    """The first delay is between a quarter of this and all of it."""
    most: float = 30.0
    slow: float = 30.0
    """The least delay where the venue said that there are too many connections."""


class Backoff:
    """Delays that double until something has shown that the connection is a good one."""

    def __init__(self, policy: BackoffPolicy | None = None, luck: Luck = random.random) -> None:
        self._policy = policy or BackoffPolicy()
        self._luck = luck
        self._start = luck()
        self.attempts = 0
        """Connections lost in a row."""

    def next(self, *, is_slow: bool = False) -> float:
        """How long to stay away this time."""
        policy = self._policy
        # Clients that were dropped together double from different beginnings: with the same one
        # they would still come in waves after half a minute.
        whole = min(policy.most, policy.first * math.exp2(min(self.attempts, 32) - self._start))
        self.attempts += 1
        if is_slow:
            return policy.slow * (1.0 + self._luck())
        return whole / 2.0 + self._luck() * whole / 2.0

    def reset(self) -> None:
        """The connection has lived or brought data: the next loss is the first again."""
        self.attempts, self._start = 0, self._luck()
