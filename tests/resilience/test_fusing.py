"""Which decorators run as one coroutine, and what they leave as it was."""

import asyncio
import contextlib
import functools
import gc
import inspect
import sys
import weakref

import pytest

from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK, SystemClock
from sentio_async.resilience import (
    BreakerPolicy,
    CircuitBreaker,
    Limiter,
    Priority,
    RetryPolicy,
    Verdict,
    Window,
    circuit_breaker,
    rate_limit,
    retry,
)


def passed_through(function):
    """A foreign decorator, with the manners that decorators have."""

    @functools.wraps(function)
    async def through(*args, **kwargs):
        return await function(*args, **kwargs)

    return through


class Shy(CircuitBreaker):
    """May refuse while it is closed."""

    def acquire(self):
        raise errors.CircuitOpenError("not today", retry_in=1.0)


async def caller():
    """The name of the coroutine that awaits this one."""
    return sys._getframe(1).f_code.co_name


async def called_by(*layers):
    function = caller
    for layer in reversed(layers):
        function = layer(function)
    return await function()


def limited(clock=SYSTEM_CLOCK):
    return rate_limit(Limiter([Window(100, 1.0)], clock=clock))


@pytest.mark.parametrize(
    "layers",
    [
        (retry, circuit_breaker, limited()),
        (retry, circuit_breaker),
        (retry, limited()),
    ],
)
async def test_what_is_passed_at_once_is_one_coroutine(layers):
    assert await called_by(*layers) == "retried"


@pytest.mark.parametrize(
    ("layers", "name"),
    [
        ((retry, limited(), circuit_breaker), "guarded"),
        ((circuit_breaker, limited()), "limited"),
        ((retry, circuit_breaker, circuit_breaker), "guarded"),
        ((retry, passed_through, circuit_breaker, limited()), "limited"),
        ((retry, circuit_breaker, passed_through, limited()), "limited"),
        ((retry(clock=SystemClock()), circuit_breaker, limited()), "limited"),
        ((retry, circuit_breaker, limited(SystemClock())), "limited"),
    ],
)
async def test_other_stacks_run_as_they_are_written(layers, name):
    assert await called_by(*layers) == name


async def test_what_takes_no_attributes_can_be_decorated():
    class Call:
        __slots__ = ()

        async def __call__(self):
            return await caller()

    assert await retry(circuit_breaker(Call()))() == "__call__"


async def test_a_breaker_with_a_will_of_its_own_is_asked_first():
    limiter = Limiter([Window(1, 60.0)])
    function = retry(circuit_breaker(Shy())(rate_limit(limiter)(caller)))

    with pytest.raises(errors.CircuitOpenError):
        await function()

    assert limiter.try_acquire(1, Priority.QUOTES, SYSTEM_CLOCK.time()) is not None


async def test_a_late_success_from_before_a_trip_changes_nothing():
    circuit = CircuitBreaker(BreakerPolicy(failures=2))
    answer = asyncio.Event()

    @retry(RetryPolicy(attempts=1))
    @circuit_breaker(circuit)
    async def fetch(is_late=False):
        if not is_late:
            raise errors.ConnectionError("x")
        await answer.wait()

    late = asyncio.create_task(fetch(is_late=True))
    await asyncio.sleep(0)
    for is_closed_by_hand in (False, True, False):
        with pytest.raises(errors.ConnectionError):
            await fetch()
        if is_closed_by_hand:
            circuit.close()
    answer.set()
    await late

    assert circuit.stats().failures == 1


async def test_a_cancellation_is_judged_too():
    circuit = CircuitBreaker()

    @retry
    @circuit_breaker(circuit, verdict=lambda _: Verdict.FAIL)
    @limited()
    async def fetch():
        await asyncio.sleep(60.0)

    task = asyncio.create_task(fetch())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert circuit.stats().failed == 1


def test_the_function_looks_like_the_one_inside():
    async def fetch(symbol: str, /, *, limit: int = 5) -> list[str]:
        """Get it."""
        return [symbol] * limit

    inner = circuit_breaker(limited()(fetch))
    decorated = retry(inner)

    assert inspect.iscoroutinefunction(decorated)
    assert inspect.signature(decorated) == inspect.signature(fetch)
    assert (decorated.__name__, decorated.__doc__) == ("fetch", "Get it.")
    assert decorated.__wrapped__ is inner
    assert inspect.unwrap(decorated) is fetch


def test_a_decorated_function_is_let_go_of():
    async def fetch():
        return fetch

    decorated = weakref.ref(retry(circuit_breaker(limited()(fetch))))
    gc.collect()

    assert decorated() is None


async def test_an_error_leaves_no_circle_behind():
    class Unseen(errors.NotFoundError):
        """Of this test alone."""

    @retry(RetryPolicy(attempts=1))
    @circuit_breaker
    @limited()
    async def fetch():
        raise Unseen("x")

    gc.collect()
    gc.disable()
    try:
        with contextlib.suppress(Unseen):
            await fetch()
        kept = [each for each in gc.get_objects() if isinstance(each, Unseen)]
    finally:
        gc.enable()

    assert kept == []
