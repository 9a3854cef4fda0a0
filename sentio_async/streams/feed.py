"""One supervised connection to one feed of a vendor, made again for as long as it is wanted."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sentio_async import errors
from sentio_async.streams import reports
from sentio_async.streams.backoff import Backoff
from sentio_async.streams.book import Topic
from sentio_async.streams.consumers import Consumer, KeepingQueue
from sentio_async.streams.context import Context, Ending, FeedSettings, FeedState, World
from sentio_async.streams.dialect import Dialect, Remedy
from sentio_async.streams.gaps import Plan
from sentio_async.streams.healing import Healer
from sentio_async.streams.hours import ALWAYS, Hours
from sentio_async.streams.life import Life
from sentio_async.streams.routing import Router
from sentio_async.streams.silence import Silence

__all__ = ["Feed", "FeedSettings", "FeedState", "FeedStatus", "World"]

log = logging.getLogger("sentio_async.streams")

CLOSE_WITHIN = 1.5
"""How long ``aclose`` waits for the task to end, in seconds."""


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """What is known about a feed without asking anybody."""

    name: str
    state: FeedState
    reason: str
    wanted: int
    confirmed: int
    connections: int
    """Connections begun so far."""
    last_error: str | None


class Feed:
    """Keeps one connection up for as long as anybody wants anything of it.

    ``channels`` names the channels of the feed, and says how their gaps are dealt with.
    """

    def __init__(
        self,
        dialect: Dialect,
        channels: Mapping[str, Plan],
        *,
        name: str,
        settings: FeedSettings | None = None,
        hours: Hours = ALWAYS,
        world: World | None = None,
    ) -> None:
        world = world or World()
        self.name = name
        self.settings = settings or FeedSettings()
        router = Router(channels, hold_limit=self.settings.hold_limit, failed=self.failed)
        self._context = Context(name, dialect, router, self.settings, world)
        self._router = router
        self._book = self._context.book
        self._open = world.open_socket
        self._hours = hours
        self._clock = world.clock
        self._backoff = Backoff(self.settings.backoff, world.luck)
        self._silence = Silence(self.settings.patience)
        self._healer = Healer(self._context, settled=self._wake)
        self._topics: dict[Consumer[Any], list[Topic]] = {}
        self._life: Life | None = None
        self._task: asyncio.Task[None] | None = None
        self._leaving: asyncio.TimerHandle | None = None
        self._holding_up: dict[Consumer[Any], asyncio.TimerHandle] = {}
        self._told: dict[Consumer[Any], tuple[int, int]] = {}
        self._waiters: list[asyncio.Future[None]] = []
        self._is_syncing = False
        self._final: errors.ConnectorError | None = None
        self._last_error: str | None = None
        self._connections = 0

    @property
    def state(self) -> FeedState:
        """What the feed is doing."""
        return self._context.state

    def status(self) -> FeedStatus:
        """What is known about it now."""
        return FeedStatus(
            name=self.name,
            state=self._context.state,
            reason=self._context.reason,
            wanted=len(self._book.wanted),
            confirmed=len(self._book.confirmed),
            connections=self._connections,
            last_error=self._last_error,
        )

    def is_current(self, topics: Iterable[Topic]) -> bool:
        """All of these are confirmed, and nothing that was missed is still being fetched."""
        if self._life is None or self._life.socket is None:
            return False
        for topic in topics:
            route = self._router.route(topic)
            if route is None or route.held is not None or topic not in self._book.confirmed:
                return False
        return True

    async def ready(self, topics: Sequence[Topic]) -> None:
        """Return when the venue has confirmed these; raises what it said if it refused one.

        Where the state at the beginning is asked for, as of orders, it has been told then too.
        ConnectionError if nobody wants one of them any more.
        """
        while True:
            if self._final is not None:
                raise copy.copy(self._final)
            if not self._book.wanted.issuperset(topics):
                raise errors.ConnectionError("stream: closed", connector=self.name)
            for topic in topics:
                if (reason := self._book.refusal(topic)) is not None:
                    raise _refusal(topic, reason, self.name)
            if self._book.confirmed.issuperset(topics) and not self._has_to_begin(topics):
                return
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)

    def _has_to_begin(self, topics: Sequence[Topic]) -> bool:
        """The state at the beginning of one of these is still being asked for."""
        return any(
            self._router.channels[topic.channel].plan.at_first
            and (route := self._router.route(topic)) is not None
            and route.held is not None
            for topic in topics
        )

    def attach(self, consumer: Consumer[Any], topics: Sequence[Topic]) -> None:
        """Let a consumer have topics; connects if there is no connection yet."""
        if self._final is not None:
            consumer.finish(self._final)
            return
        # Without a loop nothing has happened yet.
        loop = asyncio.get_running_loop()
        self._topics.setdefault(consumer, []).extend(topics)
        self._book.want(topics)
        self._router.add(topics, consumer)
        self._healer.wanted(topics)
        if self._life is not None:
            self._life.renew(topics)
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        if self._task is None or self._task.done() or self._task.cancelling():
            self._task = loop.create_task(self._run(), name=f"feed {self.name}")
        self._sync_soon()

    def detach(self, consumer: Consumer[Any]) -> None:
        """A consumer is gone; the last one takes the connection along, after a moment."""
        topics = self._topics.pop(consumer, None)
        if topics is None:
            return
        self._router.remove(topics, consumer)
        self._book.release(topics)
        self._told.pop(consumer, None)
        self.let_go(consumer)
        self._sync_soon()
        self._wake()
        if not self._book.is_wanted and self._task is not None and self._leaving is None:
            loop = self._task.get_loop()
            self._leaving = loop.call_later(self.settings.linger, self._leave)

    async def aclose(self) -> None:
        """End the connection and every consumer; what they have not read yet they still can."""
        task, self._task = self._task, None
        for consumer in list(self._topics):
            consumer.finish()
            self.detach(consumer)
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait((task,), timeout=CLOSE_WITHIN)
        if self._final is None:
            self._context.go(FeedState.CLOSED, "closed here")
        self.changed()

    # What consumers ask for

    def hold_up(self, consumer: Consumer[Any]) -> None:
        """Read nothing until this consumer has caught up, at most a second."""
        socket = self._life.socket if self._life is not None else None
        if socket is None or consumer in self._holding_up or consumer not in self._topics:
            return
        if not self._holding_up:
            socket.pause()
        loop = asyncio.get_running_loop()
        self._holding_up[consumer] = loop.call_later(
            self.settings.pause_at_most, self.let_go, consumer
        )

    def let_go(self, consumer: Consumer[Any]) -> None:
        """Read again, unless another consumer holds it up."""
        timer = self._holding_up.pop(consumer, None)
        if timer is None:
            return
        timer.cancel()
        socket = self._life.socket if self._life is not None else None
        if socket is not None and not self._holding_up:
            socket.resume()

    def start_over(self, reason: str) -> None:
        """Make the connection anew, and find out what happened meanwhile."""
        if self._life is not None:
            self._life.end(Ending(reason))

    # How it goes on

    async def _run(self) -> None:
        try:
            while True:
                ending = await self._live()
                if ending.remedy is Remedy.FINAL:
                    self._close(ending)
                    return
                await self._stay_away(ending)
        finally:
            if self._task is asyncio.current_task():
                self._task = None
                if self._context.state is not FeedState.CLOSED:
                    self._context.go(FeedState.IDLE)

    async def _live(self) -> Ending:
        self._connections += 1
        self._is_syncing = False
        life = self._life = Life(
            self._context,
            self._healer,
            self._silence,
            self._hours,
            self,
        )
        try:
            ending = await life.run(self._open)
        except Exception as exc:
            log.exception("feed %s: this should not happen", self.name)
            ending = Ending(f"{type(exc).__name__}: {exc}")
        finally:
            if self._life is life:
                self._life = None
            for consumer in list(self._holding_up):
                self.let_go(consumer)
            self._tell_dropped()
        if life.has_proven_itself:
            self._backoff.reset()
        return ending

    async def _stay_away(self, ending: Ending) -> None:
        self._last_error = ending.reason
        delay = self._backoff.next(is_slow=ending.remedy is Remedy.SLOWLY)
        self._context.go(FeedState.BACKOFF, f"{ending.reason}; again in {delay:.1f} s")
        await self._clock.sleep(delay)
        behind = [
            each for each in self._topics if isinstance(each, KeepingQueue) and each.is_behind
        ]
        if not behind:
            return
        waits = [asyncio.ensure_future(each.drained()) for each in behind]
        try:
            await asyncio.wait(waits, timeout=self.settings.drain_at_most)
        finally:
            for wait in waits:
                wait.cancel()
        for each in behind:
            if each.is_behind:
                text = f"{len(each)} rows wait to be read; the stream went on without them"
                each.finish(errors.StaleDataError(text, connector=self.name))
                self.detach(each)

    def _close(self, ending: Ending) -> None:
        """The venue will not have us: nobody need wait any longer."""
        self._final = ending.error or errors.ConnectionError(ending.reason, connector=self.name)
        self._last_error = ending.reason
        self._context.go(FeedState.CLOSED, ending.reason)
        for topic in self._book.wanted:
            self._healer.not_sent(topic, ending.reason)
        for consumer in list(self._topics):
            consumer.finish(self._final)
        self.changed()

    def _leave(self) -> None:
        self._leaving = None
        if not self._book.is_wanted and self._task is not None:
            self._task.cancel()

    def _sync_soon(self) -> None:
        if self._life is None or self._is_syncing:
            return
        asyncio.get_running_loop().call_soon(self._sync)
        self._is_syncing = True

    def _sync(self) -> None:
        self._is_syncing = False
        if self._life is not None:
            self._life.sync()

    def refused(self, topic: Topic, error: errors.ConnectorError) -> None:
        """Consumers of which nothing is left hear of it; the others have an event."""
        for consumer, topics in list(self._topics.items()):
            if topic in topics and all(self._book.refusal(each) for each in topics):
                consumer.finish(error)

    def failed(self, target: Callable[[Any], object], exc: BaseException) -> None:
        """A consumer's own code raised: it is told of, and nobody else is the worse for it."""
        owner = next((each for each in self._topics if each.deliver == target), None)
        if owner is None:
            log.error("%s: a consumer that has left failed", self.name, exc_info=exc)
            return
        owner.failures += 1
        if owner.failures == 1:
            log.error("a consumer of %s failed: %s", self.name, owner.name, exc_info=exc)
        error = f"{type(exc).__name__}: {exc}"[:200]
        self._context.tell(reports.ConsumerFailed, consumer=owner.name, error=error)

    def changed(self) -> None:
        """Whoever waits for a topic has another look."""
        self._wake()
        self._tell_dropped()

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _tell_dropped(self) -> None:
        # Whoever hears of it may open and close streams.
        for consumer in list(self._topics):
            now = (consumer.dropped, consumer.conflated)
            before = self._told.get(consumer, (0, 0))
            if now != before:
                self._told[consumer] = now
                self._context.tell(
                    reports.RowsDropped,
                    consumer=consumer.name,
                    dropped=now[0] - before[0],
                    conflated=now[1] - before[1],
                )


def _refusal(topic: Topic, reason: str, name: str) -> errors.ConnectorError:
    return errors.BadRequestError(f"{topic}: {reason}", connector=name)
