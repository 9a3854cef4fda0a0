"""A rate limit around a function."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar, overload

from sentio_async import errors
from sentio_async.resilience.deadline import DEADLINE
from sentio_async.resilience.fusing import Gate, put_gate
from sentio_async.resilience.limiter import Limiter
from sentio_async.resilience.retry_after import as_seconds
from sentio_async.resilience.window import Permit, Priority, Window
from sentio_async.resilience.wrapping import Decorator, check_coroutine_function, name_of

__all__ = ["rate_limit", "settle"]

P = ParamSpec("P")
T = TypeVar("T")

# For a vendor that does not say how long to wait.
_DEFAULT_BLOCK = 1.0


@overload
def rate_limit(
    limit: Limiter, /, *, cost: int = 1, priority: Priority = Priority.QUOTES
) -> Decorator: ...


@overload
def rate_limit(
    limit: int, seconds: float, /, *, cost: int = 1, priority: Priority = Priority.QUOTES
) -> Decorator: ...


def rate_limit(
    limit: Limiter | int,
    seconds: float = 1.0,
    /,
    *,
    cost: int = 1,
    priority: Priority = Priority.QUOTES,
) -> Decorator:
    """Let calls through at most ``limit`` in any ``seconds``, or as a shared Limiter says.

    Calls wait their turn; within ``with_deadline`` a wait that cannot fit raises RateLimitError.
    A vendor's 429 raised by the function holds the others back too.
    """

    def decorate(
        function: Callable[P, Coroutine[Any, Any, T]],
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        check_coroutine_function("rate_limit", function)
        limiter = limit if isinstance(limit, Limiter) else _limiter_for(function, limit, seconds)

        try_acquire, time = limiter.try_acquire, limiter.time

        @wraps(function)
        async def limited(*args: P.args, **kwargs: P.kwargs) -> T:
            # As nearly always it can go at once, and nothing need be awaited.
            permit = try_acquire(cost, priority, time())
            if permit is None:
                permit = await limiter.acquire(cost, priority=priority, deadline=DEADLINE.get())
            try:
                return await function(*args, **kwargs)
            except BaseException as exc:
                settle(limiter, permit, exc)
                raise

        enter, failed = partial(try_acquire, cost, priority), partial(settle, limiter)
        put_gate(limited, Gate(function, enter, failed, time=time))
        return limited

    return decorate


def _limiter_for(function: Callable[..., Any], limit: int, seconds: float) -> Limiter:
    return Limiter([Window(limit, seconds)], name=name_of(function))


def settle(limiter: Limiter, permit: Permit, error: BaseException) -> None:
    """Tell a limiter how a call it admitted has failed."""
    if not isinstance(error, errors.ConnectorError):
        return
    # Some vendors say it in an answer of status 200; without a status it is our own limit.
    if isinstance(error, errors.RateLimitError) and error.status_code is not None:
        asked = as_seconds(error.retry_after)
        limiter.block(_DEFAULT_BLOCK if asked is None else asked)
    elif error.outcome is errors.Outcome.NOT_SENT:
        limiter.give_back(permit)
