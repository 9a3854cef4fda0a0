"""Watches connectors in the background and remembers how they were.

One supervisor task owns a group of one task per connector.  A check that fails or hangs is a
report about its own connector and stops nobody else's.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import anyio
from anyio.abc import TaskGroup

from sentio_async import errors
from sentio_async.base import BaseConnector
from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.events import HealthChanged, Listener, tell
from sentio_async.models.health import HealthReport, HealthStatus

__all__ = ["HealthMonitor", "HealthSummary"]

_JITTER = 0.1


@dataclass(frozen=True, slots=True)
class HealthSummary:
    """How everything is, as far as the last checks know."""

    status: HealthStatus
    """The worst of all; UNKNOWN while nothing has been checked."""
    connectors: Mapping[str, HealthStatus]
    reasons: Mapping[str, str]
    """Why, for those that are not healthy."""
    last_check_at: datetime | None


@dataclass(slots=True)
class _Watched:
    connector: BaseConnector
    interval: float
    history: deque[HealthReport]
    status: HealthStatus = HealthStatus.UNKNOWN
    streak: int = 0
    """How many reports in a row differ from ``status``."""
    stop: anyio.CancelScope | None = None
    lock: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None

    def one_at_a_time(self) -> asyncio.Lock:
        """The lock of this loop: one belongs to the loop in which somebody first waited for it."""
        loop = asyncio.get_running_loop()
        if self.lock is None or self.lock[0] is not loop:
            self.lock = (loop, asyncio.Lock())
        return self.lock[1]


class HealthMonitor:
    """Checks registered connectors every ``check_interval`` seconds under ``async with``.

    A status changes after ``confirmations`` reports in a row say so, the first report at once.
    ``timeout`` bounds one check, ``history`` the reports kept per connector.
    """

    def __init__(
        self,
        check_interval: float = 60.0,
        *,
        timeout: float = 10.0,
        confirmations: int = 2,
        history: int = 100,
        listeners: Sequence[Listener] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if check_interval <= 0 or timeout <= 0 or confirmations < 1 or history < 1:
            raise errors.ConfigurationError(
                "check_interval, timeout, confirmations and history must be more than zero"
            )
        self._interval = check_interval
        self._timeout = min(timeout, check_interval)
        self._confirmations = confirmations
        self._kept = history
        self._listeners = tuple(listeners)
        self._clock = clock
        self._luck: Callable[[], float] = random.random
        self._watched: dict[str, _Watched] = {}
        self._group: TaskGroup | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()

    def register_connector(
        self, connector: BaseConnector, *, name: str | None = None, interval: float | None = None
    ) -> None:
        """Watch a connector from now on; its checks start at a random moment of the interval."""
        key = name or connector.name
        if key in self._watched:
            raise errors.ConfigurationError(f"a connector {key!r} is watched already")
        watched = _Watched(connector, interval or self._interval, deque(maxlen=self._kept))
        self._watched[key] = watched
        if self._group is not None and self.is_running:
            self._group.start_soon(self._watch, key, watched)

    def unregister_connector(self, name: str) -> None:
        """Watch it no longer, and forget its history."""
        watched = self._find(name)
        del self._watched[name]
        if watched.stop is not None:
            watched.stop.cancel()

    async def check_health(self, name: str) -> HealthReport:
        """Check one connector now."""
        return await self._check(name, self._find(name))

    async def check_all(self) -> dict[str, HealthReport]:
        """Check every connector now, all at the same time."""
        names = list(self._watched)
        reports = await asyncio.gather(*(self.check_health(name) for name in names))
        return dict(zip(names, reports, strict=True))

    def get_summary(self) -> HealthSummary:
        """How everything is, from the last checks; asks nobody."""
        statuses = {name: watched.status for name, watched in self._watched.items()}
        last = [w.history[-1].checked_at for w in self._watched.values() if w.history]
        reasons = {
            name: watched.history[-1].reason or watched.status.value
            for name, watched in self._watched.items()
            if watched.history and watched.status is not HealthStatus.HEALTHY
        }
        return HealthSummary(_worst(statuses), statuses, reasons, max(last, default=None))

    def get_unhealthy_connectors(self) -> list[str]:
        """The names of those that are unhealthy."""
        bad = HealthStatus.UNHEALTHY
        return [name for name, watched in self._watched.items() if watched.status is bad]

    def get_history(self, name: str) -> list[HealthReport]:
        """The last reports about one connector, oldest first."""
        return list(self._find(name).history)

    @property
    def is_running(self) -> bool:
        """The checks go on, in an event loop that has not ended."""
        return self._supervisor is not None and not _has_ended(self._supervisor)

    async def __aenter__(self) -> Self:
        if self.is_running:
            raise errors.ConfigurationError("this monitor is running already")
        self._stop = asyncio.Event()
        ready = asyncio.Event()
        self._supervisor = asyncio.create_task(self._supervise(ready), name="health monitor")
        await ready.wait()
        return self

    async def __aexit__(self, *exc: object) -> None:
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None and not _has_ended(supervisor):
            self._stop.set()
            await supervisor

    async def _supervise(self, ready: asyncio.Event) -> None:
        # A task group must be left by the task that entered it, and users call us from many.
        async with anyio.create_task_group() as group:
            self._group = group
            for name, watched in self._watched.items():
                group.start_soon(self._watch, name, watched)
            ready.set()
            try:
                await self._stop.wait()
            finally:
                self._group = None
            group.cancel_scope.cancel()

    async def _watch(self, name: str, watched: _Watched) -> None:
        if self._watched.get(name) is not watched:
            return  # it went before this could begin
        with anyio.CancelScope() as scope:
            watched.stop = scope
            await self._clock.sleep(self._luck() * watched.interval * _JITTER)
            while True:
                await self._check(name, watched)
                spread = 1 + _JITTER * (2 * self._luck() - 1)
                await self._clock.sleep(watched.interval * spread)

    async def _check(self, name: str, watched: _Watched) -> HealthReport:
        async with watched.one_at_a_time():
            report = await self._ask(name, watched.connector)
            watched.history.append(report)
            self._judge(name, watched, report)
            return report

    async def _ask(self, name: str, connector: BaseConnector) -> HealthReport:
        """A report whatever happens: no answer in time and a bug in a check are reports too."""
        try:
            with anyio.fail_after(self._timeout):
                report = await connector.health_check()
            return report.model_copy(update={"connector": name})
        except TimeoutError:
            reason = f"no answer within {self._timeout:g} s"
        except Exception as exc:  # noqa: BLE001 - one connector's bug must not stop the others
            reason = f"{type(exc).__name__}: {exc}"
        return HealthReport(
            connector=name,
            status=HealthStatus.UNHEALTHY,
            checked_at=self._clock.utcnow(),
            reason=reason,
        )

    def _judge(self, name: str, watched: _Watched, report: HealthReport) -> None:
        if report.status is watched.status:
            watched.streak = 0
            return
        watched.streak += 1
        is_first = watched.status is HealthStatus.UNKNOWN
        if not is_first and watched.streak < self._confirmations:
            return
        old, watched.status, watched.streak = watched.status, report.status, 0
        at = self._clock.time()
        event = HealthChanged(
            at, name, "health_check", old.value, report.status.value, report.reason or "answers"
        )
        tell(self._listeners, event)

    def _find(self, name: str) -> _Watched:
        try:
            return self._watched[name]
        except KeyError:
            known = ", ".join(self._watched) or "none"
            raise errors.ConfigurationError(
                f"no connector {name!r} is watched; there are {known}"
            ) from None


def _has_ended(task: asyncio.Task[None]) -> bool:
    """It was cancelled, or nobody runs its loop any more."""
    return task.cancelled() or task.get_loop().is_closed()


def _worst(statuses: Mapping[str, HealthStatus]) -> HealthStatus:
    order = (HealthStatus.UNHEALTHY, HealthStatus.DEGRADED, HealthStatus.UNKNOWN)
    found = set(statuses.values())
    return next(
        (status for status in order if status in found),
        HealthStatus.HEALTHY if found else HealthStatus.UNKNOWN,
    )
