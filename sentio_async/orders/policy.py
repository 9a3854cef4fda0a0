"""How long the gateway tries, how long it looks, and what becomes of an order that is late."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sentio_async import errors

__all__ = ["GatewayPolicy", "Late"]

_SHORTEST_DIGEST = 15
"""Letters of base32: 75 bits, so that a billion orders share no id."""


class Late(StrEnum):
    """What to do with an order that turns up after its caller was told that nobody knows."""

    ADOPT = "adopt"
    """It is an order like any other."""

    CANCEL = "cancel"
    """Ask for it to be cancelled; what was filled until then stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPolicy:
    """The gateway's patience.  Times are in seconds."""

    timeout: float = 30.0
    """How long a caller waits at most; after it nothing is sent, only looked for."""
    attempts: int = 4
    """How often an order that was certainly not taken is sent in all."""
    horizon: float = 120.0
    """How long a request may linger on its way and still arrive."""
    clean_looks: int = 3
    """How many complete listings after the horizon prove that an order is not there."""
    first_delay: float = 0.25
    max_delay: float = 5.0
    """Between two looks, or two sends, at most."""
    call_timeout: float = 10.0
    """One look in the background."""
    recovery_timeout: float = 300.0
    """How long ``start`` looks for what an earlier life left open, before it gives up."""
    clock_skew: float = 5.0
    """How far the venue's clock may be behind ours."""
    late: Late = Late.ADOPT
    strategy: str = ""
    """Part of every id: two strategies may use the same intent keys."""
    id_prefix: str = "sentio-"
    id_length: int = 48
    """Of an order's id as a whole; 20 with an empty prefix where a venue takes 20 letters."""
    id_is_uuid: bool = False
    """A venue takes nothing but a UUID; ``id_prefix`` and ``id_length`` do not count then."""
    remember: int = 100_000
    """How many settled orders are kept in memory for repeated intent keys, at some 6 kB each."""

    def __post_init__(self) -> None:
        if self.id_length - len(self.id_prefix) < _SHORTEST_DIGEST:
            raise errors.ConfigurationError(
                f"id_length: {self.id_length} leaves fewer than {_SHORTEST_DIGEST} letters "
                f"after {self.id_prefix!r}"
            )
        if "|" in self.strategy:
            # It stands between the parts that an id is made of.
            raise errors.ConfigurationError(f"strategy: {self.strategy!r} must have no '|' in it")
        times = (self.timeout, self.horizon, self.first_delay, self.max_delay, self.call_timeout)
        if min(times) <= 0 or min(self.attempts, self.clean_looks, self.remember) < 1:
            raise errors.ConfigurationError(f"orders: {self} cannot be kept")

    def evolve(self, **changes: Any) -> GatewayPolicy:
        """The same with changes."""
        return replace(self, **changes)

    def pause(self, number: int) -> float:
        """The most that is waited after so many tries."""
        return min(self.max_delay, self.first_delay * 2.0 ** min(number, 30))
