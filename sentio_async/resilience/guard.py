"""A circuit breaker around a function."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar, overload

from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.events import Listener
from sentio_async.resilience.breaker import BreakerPolicy, CircuitBreaker
from sentio_async.resilience.fusing import gate_in, put_gate
from sentio_async.resilience.verdict import Verdict, verdict_of
from sentio_async.resilience.wrapping import Decorator, check_coroutine_function, name_of

__all__ = ["circuit_breaker"]

P = ParamSpec("P")
T = TypeVar("T")


@overload
def circuit_breaker(
    function: Callable[P, Coroutine[Any, Any, T]], /
) -> Callable[P, Coroutine[Any, Any, T]]: ...


@overload
def circuit_breaker(
    breaker: CircuitBreaker | BreakerPolicy | None = ...,
    /,
    *,
    verdict: Callable[[BaseException], Verdict] = ...,
    clock: Clock = ...,
    listeners: Sequence[Listener] = ...,
) -> Decorator: ...


def circuit_breaker(
    breaker: Any = None,
    /,
    *,
    verdict: Callable[[BaseException], Verdict] = verdict_of,
    clock: Clock = SYSTEM_CLOCK,
    listeners: Sequence[Listener] = (),
) -> Any:
    """Stop calling a function whose service fails; give a CircuitBreaker to share one."""
    if breaker is not None and not isinstance(breaker, CircuitBreaker | BreakerPolicy):
        return circuit_breaker(verdict=verdict, clock=clock, listeners=listeners)(breaker)

    def decorate(
        function: Callable[P, Coroutine[Any, Any, T]],
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        check_coroutine_function("circuit_breaker", function)
        if isinstance(breaker, CircuitBreaker):
            circuit = breaker
        else:
            circuit = CircuitBreaker(
                breaker, name=name_of(function), clock=clock, listeners=listeners
            )

        acquire, release, ok = circuit.acquire, circuit.release, Verdict.OK

        @wraps(function)
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            permit = acquire()
            try:
                value = await function(*args, **kwargs)
            except BaseException as exc:
                release(permit, verdict(exc))
                raise
            release(permit, ok)
            return value

        if type(circuit) is CircuitBreaker:  # another kind may refuse when it is closed
            put_gate(guarded, circuit.gate(gate_in(function), verdict))
        return guarded

    return decorate
