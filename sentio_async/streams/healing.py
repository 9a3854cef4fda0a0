"""Fills the gaps of one feed while its live rows are held."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sentio_async.streams import reports
from sentio_async.streams.book import Topic
from sentio_async.streams.context import Context, Ending
from sentio_async.streams.gaps import Gap, Plan, ahead_of, is_fillable, merged, start_of
from sentio_async.streams.routing import Route

__all__ = ["Healer"]

AT_ONCE = 4
"""Gaps whose history is asked for at the same time."""
PIECE = 500
"""Rows handed on before consumers have their turn."""


class Healer:
    """Knows where each topic's gap began, and gets what was missed.

    ``settled`` is told when something was dealt with.
    """

    def __init__(self, context: Context, settled: Callable[[], None] = lambda: None) -> None:
        self._context = context
        self._settled = settled
        self._tasks: dict[Topic, asyncio.Task[None]] = {}
        self._slots: asyncio.Semaphore | None = None
        self._end: Callable[[Ending], None] = lambda _: None

    def begin(self, end: Callable[[Ending], None]) -> None:
        """A new connection; ``end`` ends it."""
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._end = end
        self.wanted(self._context.book.wanted)

    def wanted(self, topics: Iterable[Topic]) -> None:
        """Somebody wants these: what the venue sends already, it sends to them from now on."""
        sent = self._context.book.confirmed
        for topic in topics:
            route = self._context.router.route(topic)
            if route is None:
                continue
            if topic in sent:
                route.confirmed_ns = route.confirmed_ns or self._context.wall_ns()
            elif self._context.router.channels[topic.channel].plan.at_first:
                route.hold()

    def lost(self, topics: Iterable[Topic]) -> None:
        """The connection is gone: from here on those that were sent miss something."""
        confirmed = self._context.book.confirmed
        self.missing(topic for topic in topics if topic in confirmed or self._has_come(topic))
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()

    def missing(self, topics: Iterable[Topic]) -> None:
        """The venue does not send these, whatever it sends besides."""
        now = self._context.wall_ns()
        for topic in topics:
            route = self._context.router.route(topic)
            if route is None:
                continue
            channel = self._context.router.channels[topic.channel]
            if is_fillable(topic, channel.plan):
                # The venue may send before it confirms.
                route.hold()
            if route.gap_from_ns is not None:
                continue
            told = channel.others if channel.plan.has_many_symbols else route
            # A connection may be dead for a while before that is noticed.
            since = (route.confirmed_ns or now) - channel.plan.behind_ns
            route.gap_from_ns = start_of(told.recent, since)
            ahead = max(0, ahead_of(told.recent))
            route.lost_at = (now + ahead, self._context.clock.time())

    def _has_come(self, topic: Topic) -> bool:
        """The venue has sent it, be it that it has not said so yet."""
        route = self._context.router.route(topic)
        return route is not None and route.last is not None

    def not_sent(self, topic: Topic, reason: str) -> None:
        """The venue does not send this any more: what was missed so far stays missing."""
        route = self._context.router.route(topic)
        if route is None:
            return
        if route.gap_from_ns is None:
            _deliver(route, route.release())
            return
        gap = self._span(route, route.gap_from_ns, self._context.wall_ns())
        self._tell(reports.GapFound, gap)
        _deliver(route, merged(route.known, (), route.release(), gap.from_ns))
        self._give_up(route, gap, reason)
        route.gap_from_ns = gap.to_ns

    def confirmed(self, topics: Iterable[Topic]) -> None:
        """The venue sends these again: deal with what was missed."""
        for topic in topics:
            route = self._context.router.route(topic)
            if route is not None:
                route.confirmed_ns = self._context.wall_ns()
                self._deal_with(route, self._context.router.channels[topic.channel].plan)

    def _deal_with(self, route: Route, plan: Plan) -> None:
        now = self._context.wall_ns()
        start = route.gap_from_ns
        if start is None and not plan.at_first:
            return
        gap = Gap(route.topic, now, now) if start is None else self._span(route, start, now)
        if start is not None:
            self._tell(reports.GapFound, gap)
        if not is_fillable(route.topic, plan):
            self._give_up(route, gap, plan.reason)
            return
        route.gap_from_ns = gap.from_ns
        route.hold()
        if (earlier := self._tasks.get(route.topic)) is not None:
            earlier.cancel()
        task = asyncio.get_running_loop().create_task(self._fill(route, gap, plan))
        self._tasks[route.topic] = task
        task.add_done_callback(lambda done: self._forget(route.topic, done))

    def _span(self, route: Route, start: int, now: int) -> Gap:
        # The venue's clock may be ahead of ours, and ours may have been put back meanwhile.
        lost_ns, lost_at = route.lost_at
        away_ns = int((self._context.clock.time() - lost_at) * 1e9)
        return Gap(route.topic, start, max(now, lost_ns + away_ns, start + 1))

    def _forget(self, topic: Topic, task: asyncio.Task[None]) -> None:
        if self._tasks.get(topic) is task:
            del self._tasks[topic]
        if not task.cancelled() and (exc := task.exception()) is not None:
            self._end(Ending(f"{topic}: {type(exc).__name__}"))
        self._settled()

    async def _fill(self, route: Route, gap: Gap, plan: Plan) -> None:
        try:
            history = await self._history(gap, plan)
        except Exception as exc:  # noqa: BLE001 (whatever it is, the gap stays, and is told of)
            reason = f"{type(exc).__name__}: {exc}"[:200]
            if plan.is_essential:
                self._end(Ending(f"{gap.topic}: what was missed is not known ({reason})"))
                return
            await self._hand_on(route, gap, ())
            self._give_up(route, gap, reason)
            return
        count = await self._hand_on(route, gap, history)
        if route.has_lost:
            self._give_up(route, gap, "more came meanwhile than there was room for")
        else:
            route.gap_from_ns = None
            self._tell(reports.GapFilled, gap, rows=count)

    async def _history(self, gap: Gap, plan: Plan) -> Sequence[Any]:
        assert self._slots is not None
        assert plan.backfill is not None
        settings = self._context.settings
        # A long list that nothing goes on without has all the time that there is.
        patience = settings.hold_at_most if plan.is_essential else settings.backfill_timeout
        async with asyncio.timeout(settings.hold_at_most):
            async with self._slots, asyncio.timeout(patience):
                return await plan.backfill(gap)

    async def _hand_on(self, route: Route, gap: Gap, history: Sequence[Any]) -> int:
        """History and what was held, in order, a piece at a time; the number of rows."""
        rows = merged(route.known, history, route.take_all_held(), gap.from_ns)
        route.tell_no_more(history)
        count, done = len(rows), 0
        try:
            while done < len(rows):
                _deliver(route, rows[done : done + PIECE])
                done += PIECE
                await asyncio.sleep(0)
                if done >= len(rows) and route.held:
                    rows, done = route.take_held(), 0
        except asyncio.CancelledError:
            # The connection was lost meanwhile: the rest waits for the next one.
            route.gap_from_ns = start_of(route.recent, gap.from_ns)
            if route.held is not None:
                route.held.extendleft(reversed(rows[done:]))
            raise
        _deliver(route, route.release())
        return count

    def _give_up(self, route: Route, gap: Gap, reason: str) -> None:
        route.gap_from_ns = None
        self._tell(reports.GapUnfilled, gap, reason=reason)

    def _tell(self, kind: type[Any], gap: Gap, **known: Any) -> None:
        self._context.tell(
            kind,
            channel=gap.topic.channel,
            symbol=gap.topic.symbol,
            from_ns=gap.from_ns,
            to_ns=gap.to_ns,
            **known,
        )


def _deliver(route: Route, rows: Iterable[Any]) -> None:
    for row in rows:
        route.hand_on(row)
