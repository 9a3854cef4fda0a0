"""A second request for a read whose answer takes unusually long; the first answer counts.

Now and then one request of many is slow for no reason of its own: a connection that lost a packet,
a server that collects its garbage.  Asked again, it is answered in the usual time.  When everything
is slow that would only add load, so it is paid for from a budget that successes fill.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.resilience.budget import RetryBudget
from sentio_async.resilience.wrapping import Decorator, check_coroutine_function

__all__ = ["HedgePolicy", "Hedging", "hedge", "wait_before"]

P = ParamSpec("P")
T = TypeVar("T")

_REMEMBERED = 100
_FEWEST = 20
"""Answers before anything can be said of how long they take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgePolicy:
    """When to ask a second time: after so many seconds, or later than that part of answers came.

    ``percentile`` 0.95 asks again when 95 of the last 100 answers would have come.
    """

    after: float | None = None
    percentile: float | None = None

    def __post_init__(self) -> None:
        if (self.after is None) == (self.percentile is None):
            raise errors.ConfigurationError("hedge: give after or percentile, one of them")
        if self.after is not None and not self.after >= 0:
            raise errors.ConfigurationError(f"hedge: {self.after} s cannot be waited")
        if self.percentile is not None and not 0.5 <= self.percentile < 1:
            raise errors.ConfigurationError(f"hedge: percentile {self.percentile} is not in 0.5..1")


def wait_before(policy: HedgePolicy, took: Iterable[float]) -> float | None:
    """How long to wait for an answer before asking again; None while too little is known."""
    if policy.percentile is None:
        return policy.after
    known = sorted(took)
    return None if len(known) < _FEWEST else known[int(policy.percentile * len(known))]


class Hedging:
    """Asks again when an answer takes too long, at most once, if ``may`` and the budget allow it.

    ``on_hedge`` is told how long the first had taken.
    """

    def __init__(
        self,
        policy: HedgePolicy,
        *,
        may: Callable[[], bool] = lambda: True,
        budget: RetryBudget | None = None,
        on_hedge: Callable[[float], None] = lambda _: None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._policy = policy
        self._may = may
        self._budget = budget or RetryBudget()
        self._on_hedge = on_hedge
        self._clock = clock
        self._took: deque[float] = deque(maxlen=_REMEMBERED)

    async def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The first answer of at most two; with two failures, the first one's error.

        Whoever is slower is cancelled, and has ended when this returns or raises.
        """
        started = self._clock.time()
        wait = wait_before(self._policy, self._took)
        value = await (work() if wait is None else self._race(work, wait))
        self._took.append(self._clock.time() - started)
        self._budget.succeeded()
        return value

    async def _race(self, work: Callable[[], Coroutine[Any, Any, T]], wait: float) -> T:
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(work())]
        try:
            await asyncio.wait(tasks, timeout=wait)
            if not tasks[0].done() and self._may() and self._budget.take(now=self._clock.time()):
                self._on_hedge(wait)
                tasks.append(loop.create_task(work()))
            return await _first_good(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for task in tasks:
                if not task.cancelled():
                    task.exception()  # seen: it is raised already, or nobody's any more


async def _first_good(tasks: list[asyncio.Task[T]]) -> T:
    """The value of the task that is first to have one; otherwise what the first task raises."""
    pending = set(tasks)
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task in done and not task.cancelled() and task.exception() is None:
                return task.result()
    return tasks[0].result()


def hedge(
    *,
    after: float | None = None,
    percentile: float | None = None,
    budget: RetryBudget | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Decorator:
    """Call an ``async def`` that reads a second time when it takes long; the first answer counts.

    ``after`` is in seconds; ``percentile`` goes by how long the last 100 answers took.  Only for
    what may be done twice, never for orders.  About one call in ten can be hedged for long.
    """
    policy = HedgePolicy(after=after, percentile=percentile)

    def decorate(
        function: Callable[P, Coroutine[Any, Any, T]],
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        check_coroutine_function("hedge", function)
        hedging = Hedging(policy, budget=budget, clock=clock)

        @wraps(function)
        async def hedged(*args: P.args, **kwargs: P.kwargs) -> T:
            return await hedging.run(partial(function, *args, **kwargs))

        return hedged

    return decorate
