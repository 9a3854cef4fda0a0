"""Renewing the proof of who sends: once for all who need it, to its end, and never in doubt.

A vendor that gives a new refresh token for every old one has ended the old one when it answers: a
renewal that is cut short, or done twice, can cost the login.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import math
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable
from contextvars import ContextVar, copy_context
from enum import Enum
from typing import Any

from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.errors import Outcome
from sentio_async.resilience.deadline import replace_deadline
from sentio_async.resilience.ending import look_at

__all__ = ["Age", "Renewal"]

LONGEST = 60.0
"""A renewal that takes longer is given up, in seconds: others wait for it."""
PAUSE = 5.0
"""From one to the next, in seconds, while the old proof still does."""

_log = logging.getLogger("sentio_async")
_within: ContextVar[object] = ContextVar("sentio_async_renewal", default=None)
"""The sign of the renewal that this code is part of, be it by way of a task of its own."""


class Age(Enum):
    """How much longer proof will do."""

    FRESH = "fresh"
    OLD = "old"
    """It does, and not for long: it is renewed while calls go on with it."""
    OVER = "over"
    """It does no longer, or there is none: calls wait for another."""


class Renewal:
    """The renewals of one proof, whichever sessions use it.

    ``refresh`` gets new proof; it says False when there is no way.
    """

    def __init__(
        self, refresh: Callable[[], Awaitable[bool]], *, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.number = 0
        """How often it was renewed: tells whose proof is the newest."""
        self._refresh = refresh
        self._clock = clock
        self._again_at = -math.inf
        self.task: asyncio.Task[bool] | None = None
        """The one under way, or the last."""
        self._sign = object()

    async def before(self, age: Age, until: float, tasks: set[asyncio.Task[Any]]) -> None:
        """See to proof of that age before it is used; raises ConnectorError, nothing being sent."""
        if age is Age.FRESH or self.is_ours():
            return
        if age is Age.OLD:
            if self._clock.time() >= self._again_at:
                self._begin(tasks)
        elif not await self.after(self.number, until, tasks):
            raise _no_way() if self._has_ended() else _too_late()

    async def after(self, number: int, until: float, tasks: set[asyncio.Task[Any]]) -> bool:
        """Whether there is, by ``until`` (loop time), newer proof than the one of that number.

        Raises ConnectorError when renewing has failed; it is NOT_SENT, for the caller's own request
        has not been done and can be sent again.
        """
        if self.number != number:
            return True
        if self.is_ours():
            return False
        task = self._begin(tasks)
        left = None if until == math.inf else max(0.0, until - get_running_loop().time())
        # Unlike wait_for, wait never cancels what it waits for.
        await asyncio.wait((task,), timeout=left)
        if not task.done() or task.cancelled():
            return False
        error = task.exception()
        if isinstance(error, errors.ConnectorError):
            raise _not_renewed(error)
        return task.result()

    def _has_ended(self) -> bool:
        return self.task is not None and self.task.done() and not self.task.cancelled()

    def is_ours(self) -> bool:
        """Whether it is the renewal itself that asks: it may send requests like everybody."""
        task = self.task
        return task is not None and not task.done() and _within.get() is self._sign

    def _begin(self, tasks: set[asyncio.Task[Any]]) -> asyncio.Task[bool]:
        """The renewal under way, or a new one; in a task that no caller can end."""
        loop, task = get_running_loop(), self.task
        if task is None or task.done() or task.get_loop() is not loop:
            self._again_at = self._clock.time() + PAUSE
            # The deadline of whoever came first is not everybody's.
            context = copy_context()
            context.run(replace_deadline, None)
            self._sign = object()
            context.run(_within.set, self._sign)
            # Not the loop's own way: where tasks are eager (Python 3.12), it might be done already.
            task = asyncio.Task(self._renew(), loop=loop, context=context)
            self.task = task
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            task.add_done_callback(look_at)
        return task

    async def _renew(self) -> bool:
        try:
            async with asyncio.timeout(LONGEST):
                is_new = await self._refresh()
        except errors.ConnectorError:
            raise
        except Exception as exc:  # noqa: BLE001 (a vendor's or a user's own code)
            _log.exception("the proof was not renewed")
            raise errors.ConnectorError(
                f"{type(exc).__name__}, see the log", outcome=Outcome.NOT_SENT
            ) from None
        self.number += is_new
        return is_new

    def __repr__(self) -> str:
        return f"<Renewal, {self.number} so far>"


def _too_late() -> errors.ConnectorError:
    text = "the proof was not renewed in time"
    return errors.DeadlineExceededError(text, outcome=Outcome.NOT_SENT)


def _no_way() -> errors.ConnectorError:
    text = "the proof has run out, and there is no way to renew it"
    error = errors.AuthenticationError(text, outcome=Outcome.NOT_SENT)
    error.is_permanent = True
    return error


def _not_renewed(cause: errors.ConnectorError) -> errors.ConnectorError:
    """One caller's own error, for what has failed for all of them."""
    message = f"the proof was not renewed: {cause.message}"
    if cause.outcome is Outcome.REFUSED and not isinstance(cause, errors.RateLimitError):
        error: errors.ConnectorError = errors.AuthenticationError(
            message, code=getattr(cause, "code", None), body=getattr(cause, "body", None)
        )
        error.is_permanent = True
    else:
        error = copy.copy(cause)
        error.message, error.args = message, (message,)
        if isinstance(error, errors.APIError):
            # It is no answer of the host that the call was for, and that host's quota is not used.
            error.status_code = None
    error.outcome = Outcome.NOT_SENT
    # Those of the renewal's own request; the caller's are still to be filled in.
    error.operation = error.request = error.elapsed = None
    error.phase = "renewal"
    return error
