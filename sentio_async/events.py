"""What happened, told to whoever listens: metrics, logs, tests.

A listener is any callable that takes one event.  It is called on the event loop, must not block,
and cannot hurt the call it hears of: what it raises is logged and dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from sentio_async.errors import Outcome

__all__ = [
    "AttemptEnded",
    "BarsStored",
    "BreakerChanged",
    "BudgetExhausted",
    "CallEnded",
    "Event",
    "HealthChanged",
    "Hedged",
    "LimitObserved",
    "Listener",
    "Retrying",
    "RowSkipped",
    "tell",
]

log = logging.getLogger("sentio_async")


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events.  ``at`` is loop time in seconds."""

    at: float
    connector: str
    operation: str


@dataclass(frozen=True, slots=True)
class AttemptEnded(Event):
    """One exchange with a vendor is over.  ``error`` is a class name, or None when it went well."""

    number: int
    elapsed: float
    status: int | None
    error: str | None
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class CallEnded(Event):
    """A whole call is over, retries included."""

    attempts: int
    elapsed: float
    error: str | None


@dataclass(frozen=True, slots=True)
class Retrying(Event):
    """A call failed and will be tried again after ``delay`` seconds."""

    number: int
    delay: float
    error: str
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Hedged(Event):
    """A read was sent a second time, because there was no answer after ``waited`` seconds."""

    waited: float


@dataclass(frozen=True, slots=True)
class BudgetExhausted(Event):
    """A call was not tried again because too many others are being retried."""

    error: str


@dataclass(frozen=True, slots=True)
class BreakerChanged(Event):
    """A circuit breaker went from one state to another."""

    old: str
    new: str
    reason: str
    generation: int


@dataclass(frozen=True, slots=True)
class LimitObserved(Event):
    """A vendor told how much of a quota is left."""

    bucket: str
    limit: int | None
    remaining: int | None
    reset_in: float | None


@dataclass(frozen=True, slots=True)
class HealthChanged(Event):
    """A connector's health went from one status to another."""

    old: str
    new: str
    reason: str


@dataclass(frozen=True, slots=True)
class RowSkipped(Event):
    """One row of an answer could not be read; the others were."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class BarsStored(Event):
    """A download has stored more bars of a symbol: ``rows`` in all, or has ended with it.

    ``ended`` of ``total`` symbols are complete or have failed, with ``error``, a class name.
    """

    symbol: str
    rows: int
    is_complete: bool
    error: str | None
    ended: int
    total: int


class Listener(Protocol):
    """Hears of events."""

    def __call__(self, event: Event, /) -> None:
        """Hear of one event."""
        ...


def tell(listeners: Iterable[Listener], event: Event) -> None:
    """Tell everyone; one listener's failure is logged and is nobody else's."""
    for listener in listeners:
        try:
            listener(event)
        except Exception:
            log.exception("a listener failed on %s", type(event).__name__)
