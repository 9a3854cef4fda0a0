"""Never more than n in any window: an exact log of what was admitted.

A token bucket lets up to 2n-1 through around a refill, and vendors count exactly.  The log is
padded by a moment, because requests sent apart can arrive bunched.  Several windows are taken
together or not at all; whoever waits does so in the order of ``Priority``.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.resilience.window import Permit, Priority, Window, WindowLog

__all__ = ["Limiter", "Limiters", "Permit", "Priority", "Window"]

# A timer may fire early by the resolution of the loop's clock; asking again at once would spin.
_LEAST_DELAY = 0.001
_LONGEST_BLOCK = 86_400.0  # no quota is of more than a day: a date in 9999 must not end all trading
# Headers tell of seconds, minutes, at most an hour; never of a day's quota.
_LONGEST_TOLD = 4000.0


class _Waiter:
    __slots__ = ("cost", "deadline", "future", "priority", "queued", "seq", "since")

    def __init__(self, cost: int, priority: Priority, deadline: float, since: float) -> None:
        self.future: asyncio.Future[Permit | None] = asyncio.get_running_loop().create_future()
        self.cost = cost
        self.priority = priority
        self.deadline = deadline
        self.since = since
        self.seq = 0
        self.queued = False

    @property
    def is_gone(self) -> bool:
        """Nobody is there to be told: it was cancelled, or its loop ended without it."""
        return self.future.cancelled() or self.future.get_loop().is_closed()


def _span(log: WindowLog) -> float:
    return log.span


def _as_told(log: WindowLog) -> tuple[bool, float]:
    """The longest up to an hour is the largest."""
    return log.span < _LONGEST_TOLD, log.span


class Limiter:
    """Admits at most what every window allows, most important first.

    ``reserve`` slots of each window are kept for ``Priority.ORDERS``.  A HISTORY call that has
    waited ``ageing`` seconds is treated as a quote of the same age, so it is never starved.
    Limits are only ever tightened by what a vendor answers.
    """

    def __init__(
        self,
        windows: Iterable[Window],
        *,
        name: str = "",
        clock: Clock = SYSTEM_CLOCK,
        reserve: int = 0,
        padding: float = 0.05,
        ageing: float = 30.0,
    ) -> None:
        self.name = name
        self.windows = tuple(windows)
        self.time = clock.time
        """What it reads the time with."""
        self._reserve = max(reserve, 0)
        self._padding = padding
        self._ageing = ageing
        self._logs = [WindowLog(window, self._reserve, padding) for window in self.windows]
        self._queues: tuple[deque[_Waiter], ...] = tuple(deque() for _ in Priority)
        self._demand = [0 for _ in Priority]
        self._waiting = self._seq = 0
        self._timer: asyncio.TimerHandle | None = None
        self._blocked_until = -math.inf
        self._paced_until = -math.inf
        self._gap = 0.0

    @property
    def waiting(self) -> int:
        """How many callers wait."""
        return self._waiting

    async def acquire(
        self,
        cost: int = 1,
        *,
        priority: Priority = Priority.QUOTES,
        deadline: float | None = None,
    ) -> Permit:
        """Wait for ``cost`` slots in every window; ``deadline`` is absolute ``clock.time()``.

        Raises RateLimitError at once when the wait cannot fit, and at the deadline when more
        important calls came in between.
        """
        now = self.time()
        permit = self.try_acquire(cost, priority, now)
        if permit is not None:
            return permit
        self._check_cost(cost, priority)
        return await self._queue(cost, priority, deadline, now)

    def try_acquire(self, cost: int, priority: Priority, now: float) -> Permit | None:
        """The slots, if they are free ``now`` and nobody as important waits; None otherwise."""
        if self._waiting and any(self._queues[: priority + 1]):
            return None
        return self._take(cost, priority, now)

    def _take(self, cost: int, priority: Priority, now: float) -> Permit | None:
        """The slots, if every window has them ``now``; whoever waits is not looked at."""
        if now < self._blocked_until:
            return None
        for log in self._logs:
            entries, span = log.entries, log.span
            # ``trim`` written out: this runs with every call.
            while entries and entries[0].at + span <= now:
                log.used -= entries.popleft().cost
            taken, kept = log.used, log.reserve if priority else 0
            if log.claim:
                log.trim(now)
                taken += log.claim
            if taken + cost > log.limit - kept and (taken or cost > log.configured - kept):
                return None
        permit = Permit(now, cost)
        for log in self._logs:
            log.entries.append(permit)
            log.used += cost
        if now < self._paced_until:
            self._blocked_until = max(self._blocked_until, now + self._gap * cost)
        return permit

    def _check_cost(self, cost: int, priority: Priority) -> None:
        for log in self._logs:
            most = log.configured - (log.reserve if priority else 0)
            if cost > most:
                raise errors.InvalidRequestError(
                    f"{self.name or 'limiter'}: a cost of {cost} can never fit into {most}"
                )

    async def _queue(
        self, cost: int, priority: Priority, deadline: float | None, now: float
    ) -> Permit:
        ready = self._ready_at(sum(self._demand[: priority + 1]) + cost, cost, priority, now)
        if deadline is not None and ready > deadline:
            raise self._too_long(ready - now)
        waiter = _Waiter(cost, priority, math.inf if deadline is None else deadline, now)
        self._enter(waiter)
        expiry = None
        if deadline is not None:
            loop = asyncio.get_running_loop()
            expiry = loop.call_later(deadline - now, self._expire, waiter)
        try:
            permit = await waiter.future
        except asyncio.CancelledError:
            self._abandon(waiter)
            raise
        finally:
            if expiry is not None:
                expiry.cancel()
        if permit is None:
            now = self.time()
            raise self._too_long(self._ready_at(cost, cost, priority, now) - now)
        return permit

    def _ready_at(self, demand: int, cost: int, priority: Priority, now: float) -> float:
        ready = max(now, self._blocked_until)
        for log in self._logs:
            log.trim(now)
            ready = max(ready, log.earliest(demand, log.capacity(cost, priority), now))
        return ready

    def _too_long(self, wait: float) -> errors.RateLimitError:
        limits = ", ".join(f"{log.limit} per {log.span - self._padding:g} s" for log in self._logs)
        if self.time() + wait < self._blocked_until + _LEAST_DELAY:
            limits = "the vendor has asked for a pause"
        return errors.RateLimitError(
            f"{self.name or 'limiter'}: {limits}; a wait of {wait:.3f} s does not fit",
            retry_after=max(wait, 0.0),
            scope=self.name or None,
            outcome=errors.Outcome.NOT_SENT,
        )

    def _enter(self, waiter: _Waiter) -> None:
        self._seq += 1
        waiter.seq = self._seq
        waiter.queued = True
        self._queues[waiter.priority].append(waiter)
        self._demand[waiter.priority] += waiter.cost
        self._waiting += 1
        self._pump()

    def _leave(self, waiter: _Waiter) -> None:
        if waiter.queued:
            waiter.queued = False
            self._queues[waiter.priority].remove(waiter)
            self._demand[waiter.priority] -= waiter.cost
            self._waiting -= 1

    def _expire(self, waiter: _Waiter) -> None:
        if waiter.queued and not waiter.future.done():
            self._leave(waiter)
            if not waiter.is_gone:
                waiter.future.set_result(None)
            self._pump()

    def _abandon(self, waiter: _Waiter) -> None:
        """The caller left: a waiter is forgotten, a permit it never saw is given back."""
        if waiter.future.cancelled():
            self._leave(waiter)
            self._pump()
            return
        permit = waiter.future.result()
        if permit is not None:
            self.give_back(permit)

    def _first(self, now: float) -> _Waiter:
        """The next in line; there is one."""
        quotes, history = self._queues[Priority.QUOTES], self._queues[Priority.HISTORY]
        for queue in self._queues[: Priority.QUOTES]:
            if queue:
                return queue[0]
        if not quotes:
            return history[0]
        aged = history and now - history[0].since >= self._ageing
        return history[0] if aged and history[0].seq < quotes[0].seq else quotes[0]

    def _pump(self) -> None:
        """Admit whoever can be, and wake up again when the next one can."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self.time()
        while self._waiting:
            waiter = self._first(now)
            if waiter.is_gone:
                self._leave(waiter)
                continue
            permit = self._take(waiter.cost, waiter.priority, now)
            if permit is None:
                self._wake_at(self._ready_at(waiter.cost, waiter.cost, waiter.priority, now), now)
                return
            self._leave(waiter)
            waiter.future.set_result(permit)

    def _wake_at(self, ready: float, now: float) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(max(ready - now, _LEAST_DELAY), self._pump)

    def give_back(self, permit: Permit) -> None:
        """The request was never sent: its slots are free again.  Twice does nothing."""
        now = self.time()
        self._free(permit, now)
        if self._waiting and now >= self._blocked_until:
            self._pump()

    def _free(self, permit: Permit, now: float) -> None:
        for log in self._logs:
            log.trim(now)
            if permit.at + log.span > now:
                log.used -= permit.cost
        permit.cost = 0

    def renew(self, permit: Permit, priority: Priority, now: float) -> Permit | None:
        """The same slots counted from ``now`` on, for a request that could not leave at once.

        None when they are not free now; the permit is given back.
        """
        cost = permit.cost
        self._free(permit, now)
        renewed = self._take(cost, priority, now)
        if renewed is None and self._waiting:
            self._pump()
        return renewed

    def observe(
        self,
        *,
        limit: int | None = None,
        remaining: int | None = None,
        reset_in: float | Callable[[], float | None] | None = None,
    ) -> None:
        """Take over what a vendor told of its longest window, up to an hour; it only tightens ours.

        ``reset_in`` may be a function: most answers tell nothing new, and it is not called.
        """
        if not self._logs:
            return
        log = self._logs[0]
        if len(self._logs) > 1:
            log = max(self._logs, key=_as_told)
        if remaining and remaining >= log.limit - log.used - log.claim and log.is_said(limit):
            return  # as nearly always: nothing that was not known
        now = self.time()
        log.trim(now)
        if limit is not None and limit > 0:
            log.limit = min(limit, log.configured)
        if remaining is None or remaining < 0:
            return
        taken = log.limit - log.used - remaining
        if taken <= log.claim and remaining:
            return
        if callable(reset_in):
            reset_in = reset_in()
        wait = log.span if reset_in is None or not reset_in >= 0 else min(reset_in, log.span)
        if taken > log.claim:
            log.claim, log.claim_until = taken, now + wait
        if remaining == 0 and reset_in is not None:
            self._block_until(now + wait)

    def block(self, seconds: float) -> None:
        """The vendor answered 429: admit nobody for so long, then one by one for as long again."""
        if not 0 < seconds < math.inf:
            return
        seconds = min(seconds, _LONGEST_BLOCK)
        until = self.time() + seconds
        longest = max((log.span for log in self._logs), default=0.0)
        self._paced_until = max(self._paced_until, until + min(seconds, longest))
        if until > self._blocked_until:
            self._gap = self._gap_after(seconds)
        self._block_until(until)

    def _block_until(self, until: float) -> None:
        if until <= self._blocked_until:
            return
        self._blocked_until = until
        if not self._waiting:
            return
        late = [each for queue in self._queues for each in queue if each.deadline < until]
        for waiter in late:
            self._expire(waiter)
        self._pump()

    def _gap_after(self, seconds: float) -> float:
        """Between two calls after a block: by the longest window that was over by then.

        A minute's refusal says nothing of the day's quota.
        """
        gap = 0.0
        for log in sorted(self._logs, key=_span):
            if gap and log.span - self._padding > seconds:
                break
            gap = log.span / log.limit
        return gap

    def tighten(self, windows: Iterable[Window]) -> None:
        """Keep these windows too; of two windows of the same length the smaller limit counts."""
        for window in windows:
            span = window.seconds + self._padding
            for log in self._logs:
                if log.span == span:
                    log.configured = min(log.configured, window.limit)
                    log.limit = min(log.limit, log.configured)
                    log.reserve = min(log.reserve, log.configured - 1)
                    break
            else:
                self._logs.append(self._copied(window))
        self.windows = tuple(Window(log.configured, log.span - self._padding) for log in self._logs)

    def _copied(self, window: Window) -> WindowLog:
        """A new window that knows what was admitted before it was."""
        log = WindowLog(window, self._reserve, self._padding)
        longest = max(self._logs, key=lambda each: each.span, default=log)
        log.entries = deque(longest.entries)
        log.used = longest.used
        return log


class Limiters:
    """One limiter per (host, credential, bucket), shared by everyone who uses that key."""

    def __init__(self) -> None:
        self._limiters: dict[tuple[str, ...], Limiter] = {}

    def get(
        self,
        key: tuple[str, ...],
        windows: Sequence[Window],
        *,
        name: str = "",
        clock: Clock = SYSTEM_CLOCK,
        reserve: int = 0,
    ) -> Limiter:
        """The limiter under this key; who asks with smaller windows tightens it for all."""
        limiter = self._limiters.get(key)
        if limiter is None:
            limiter = Limiter(windows, name=name, clock=clock, reserve=reserve)
            self._limiters[key] = limiter
        elif limiter.windows != tuple(windows):
            limiter.tighten(windows)
        return limiter
