"""Retry, circuit breaker, rate limit and the rest, each usable on its own."""

from sentio_async.resilience.deadline import (
    check_deadline,
    current_deadline,
    remaining,
    with_deadline,
)
from sentio_async.resilience.limiter import Limiter, Limiters, Permit, Priority, Window, rate_limit

__all__ = [
    "Limiter",
    "Limiters",
    "Permit",
    "Priority",
    "Window",
    "check_deadline",
    "current_deadline",
    "rate_limit",
    "remaining",
    "with_deadline",
]
