"""Retry, circuit breaker, rate limit and the rest, each usable on its own."""

from sentio_async.resilience.batch import chunks, gather_batches
from sentio_async.resilience.breaker import (
    BreakerPolicy,
    BreakerState,
    BreakerStats,
    CircuitBreaker,
    Verdict,
)
from sentio_async.resilience.bulkhead import Bulkhead
from sentio_async.resilience.cache import SingleFlight, TTLCache
from sentio_async.resilience.deadline import (
    check_deadline,
    current_deadline,
    remaining,
    with_deadline,
)
from sentio_async.resilience.guard import circuit_breaker
from sentio_async.resilience.hedging import HedgePolicy, hedge
from sentio_async.resilience.limiter import Limiter, Limiters, Permit, Priority, Window
from sentio_async.resilience.pipeline import LAYERS, Pipeline, Work
from sentio_async.resilience.retry import (
    UNSET,
    RetryBudget,
    RetryPolicy,
    Unset,
    may_repeat,
    override_retry,
    retry,
    retry_after_from,
)
from sentio_async.resilience.throttle import rate_limit

__all__ = [
    "LAYERS",
    "UNSET",
    "BreakerPolicy",
    "BreakerState",
    "BreakerStats",
    "Bulkhead",
    "CircuitBreaker",
    "HedgePolicy",
    "Limiter",
    "Limiters",
    "Permit",
    "Pipeline",
    "Priority",
    "RetryBudget",
    "RetryPolicy",
    "SingleFlight",
    "TTLCache",
    "Unset",
    "Verdict",
    "Window",
    "Work",
    "check_deadline",
    "chunks",
    "circuit_breaker",
    "current_deadline",
    "gather_batches",
    "hedge",
    "may_repeat",
    "override_retry",
    "rate_limit",
    "remaining",
    "retry",
    "retry_after_from",
    "with_deadline",
]
