"""The life of one connection: login, topics, rows, and the end.

Everything the venue says is handled at once, on the event loop, without awaiting.  The one task
wakes up every few seconds to look at deadlines and silence, never once a message.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK
from sentio_async.streams import reports
from sentio_async.streams.book import Topic
from sentio_async.streams.context import Context, Ending, FeedState
from sentio_async.streams.desk import Desk
from sentio_async.streams.dialect import (
    Authenticated,
    Confirmed,
    Frame,
    Hello,
    Problem,
    Refused,
    Remedy,
)
from sentio_async.streams.healing import Healer
from sentio_async.streams.hours import Hours
from sentio_async.streams.routing import Channel
from sentio_async.streams.silence import Silence
from sentio_async.streams.socket import Closing, OpenSocket, Socket

__all__ = ["Life", "Owner"]

log = logging.getLogger("sentio_async.streams")

_SILENCE = "the venue did not answer"
_FINAL = (errors.AuthenticationError, errors.PermissionError, errors.ConfigurationError)


class Owner(Protocol):
    """Whose connection it is."""

    def refused(self, topic: Topic, error: errors.ConnectorError, /) -> None:
        """The venue will not send a topic."""
        ...

    def failed(self, target: Callable[[Any], object], exc: BaseException, /) -> None:
        """A consumer's own code raised."""
        ...

    def changed(self) -> None:
        """What is confirmed or current may have changed."""
        ...


class Life:
    """One connection.  Its ``run`` returns when it is over, and says why."""

    def __init__(
        self,
        context: Context,
        healer: Healer,
        silence: Silence,
        hours: Hours,
        owner: Owner,
    ) -> None:
        self._context = context
        self._healer = healer
        self._silence = silence
        self._hours = hours
        self._owner = owner
        self._ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._socket: Socket | None = None
        self._login_by = float("inf")
        self._known_since: float | None = None
        """When the venue said that it knows us."""
        self._chore: asyncio.Task[None] | None = None
        self._time: Callable[[], float] = context.clock.time
        self._arrival_ns: Callable[[], int] = self._wall_ns
        if context.clock is SYSTEM_CLOCK:
            # It is asked once a frame: without the detour.
            self._time = asyncio.get_running_loop().time
            self._arrival_ns = time.time_ns
        self._offset_ns = 0
        self._decode = context.dialect.decode
        channels = context.router.channels
        desk = Desk(
            context.dialect.lanes,
            channels,
            control=self._control,
            unreadable=self._unreadable,
            failed=owner.failed,
        )
        self._read = context.dialect.reader(desk)
        self._before = {name: channel.last for name, channel in channels.items()}

    @property
    def socket(self) -> Socket | None:
        """The connection, while it stands."""
        return None if self._ended.done() else self._socket

    @property
    def has_proven_itself(self) -> bool:
        """It brought data, or lived long enough."""
        channels = self._context.router.channels.values()
        if any(channel.last is not self._before[channel.name] for channel in channels):
            return True
        since, stable = self._known_since, self._context.settings.stable_after
        return since is not None and self._time() - since >= stable

    async def run(self, open_socket: OpenSocket) -> Ending:
        """Connect, and stay until something ends it."""
        context = self._context
        context.go(FeedState.CONNECTING)
        self._set_clock()
        self._healer.begin(self.end)
        try:
            dialect, timeout = context.dialect, context.settings.connect_timeout
            await open_socket(dialect.url, dialect.headers, self, timeout=timeout)
            while not self._ended.done():
                await asyncio.wait((self._ended,), timeout=self._until_check())
                if not self._ended.done():
                    self._check()
            return self._ended.result()
        except errors.ConnectorError as exc:
            return _ending_of(exc)
        finally:
            self._hang_up()

    def end(self, ending: Ending) -> None:
        """Be over, for this reason; the first one counts."""
        if not self._ended.done():
            reason = self._context.scrub(ending.reason)
            self._ended.set_result(Ending(reason, ending.remedy, ending.error))

    def _hang_up(self) -> None:
        self.end(Ending("left"))
        if self._socket is not None:
            self._socket.close()
        if self._chore is not None:
            self._chore.cancel()
        self._healer.lost(self._context.book.wanted)
        self._context.book.connection_lost()

    # What the socket tells

    def opened(self, socket: Socket) -> None:
        """The connection stands."""
        self._socket = socket
        self._login_by = self._time() + self._context.settings.login_timeout
        self._context.go(FeedState.AUTHENTICATING)
        self._send(self._context.dialect.opening())

    def frame(self, payload: bytes) -> None:
        """One message of the venue; most hold one row, some a hundred."""
        try:
            messages = self._decode(payload)
        except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
            messages = self._decode_each(payload, exc)
        self._read(messages, self._arrival_ns())

    def closed(self, closing: Closing) -> None:
        """The connection is gone."""
        code, reason = closing
        words = f"closed by the venue ({code} {reason}".rstrip() + ")"
        self.end(Ending("the connection was lost" if code is None else words))

    # What follows from it

    def _send(self, frames: Sequence[Frame]) -> None:
        if self._socket is not None and not self._ended.done():
            for frame in frames:
                self._socket.send(frame)

    def _decode_each(self, payload: bytes, problem: Exception) -> Sequence[Any]:
        messages, unreadable = self._context.dialect.decode_each(payload)
        if unreadable:
            self._skip(unreadable, problem)
            if any(channel.plan.is_essential for channel in self._context.router.channels.values()):
                self.end(Ending("a message cannot be read"))
        return messages

    def _skip(self, count: int, exc: Exception) -> None:
        reason = f"{type(exc).__name__}: {exc}"[:200]
        self._context.tell(reports.FrameSkipped, count=count, reason=reason)

    def _unreadable(self, channel: Channel, exc: Exception) -> None:
        self._skip(1, exc)
        if channel.plan.is_essential:
            self.end(Ending(f"{channel.name}: a row cannot be read"))

    def _control(self, raw: Any) -> None:
        if self._ended.done():
            return
        match self._context.dialect.understand(raw):
            case Hello():
                self._send(self._context.dialect.credentials())
            case Authenticated():
                self._authenticated()
            case Confirmed(topics, is_all):
                self._confirmed(topics, is_all=is_all)
            case Refused(error):
                self._topic_refused(error)
            case Problem(error, Remedy.NONE_NEEDED):
                log.warning("%s: %s", self._context.name, error)
            case Problem(error, remedy):
                self.end(Ending(error.message, remedy, error))

    def _authenticated(self) -> None:
        if self._known_since is not None:
            return
        self._known_since = self._time()
        self._login_by = float("inf")
        self._silence.begin(self._context.router.channels, self._known_since)
        self._context.go(FeedState.SUBSCRIBING)
        self.sync()
        self._live_if_settled()

    def sync(self) -> None:
        """Ask for what is wanted and not asked for yet; give up what is wanted no more."""
        if self._known_since is None or self._ended.done():
            return
        book, dialect = self._context.book, self._context.dialect
        difference = book.difference()
        if difference.remove:
            self._send(dialect.unsubscribe(difference.remove))
            book.was_given_up(difference.remove)
        size = self._context.settings.topics_a_message
        for start in range(0, len(difference.add), size):
            self._ask(difference.add[start : start + size])

    def renew(self, topics: Sequence[Topic]) -> None:
        """Let the venue begin again with those that begin whole; ``sync`` then asks for them."""
        book, channels = self._context.book, self._context.router.channels
        sent = book.confirmed.intersection(topics)
        again = [topic for topic in sent if channels[topic.channel].plan.begins_whole]
        if again and not self._ended.done():
            self._send(self._context.dialect.unsubscribe(again))
            book.was_given_up(again)

    def _ask(self, topics: Sequence[Topic]) -> None:
        deadline = self._time() + self._context.settings.answer_timeout
        self._context.book.was_asked(topics, deadline)
        self._send(self._context.dialect.subscribe(topics))

    def _confirmed(self, topics: Sequence[Topic], *, is_all: bool) -> None:
        book = self._context.book
        if is_all:
            self._healer.missing(book.confirmed.difference(topics))
            fresh = book.confirm_exactly(topics)
            # What is wanted and not in the list is asked for again.
            self.sync()
        else:
            fresh = book.confirm(topics)
        self._healer.confirmed(fresh)
        self._live_if_settled()
        self._owner.changed()

    def _topic_refused(self, error: errors.ConnectorError) -> None:
        if self._known_since is None:
            self.end(Ending(error.message, Remedy.RETRY, error))
            return
        topics = self._context.book.refuse(error.message)
        if len(topics) > 1:
            # Only one of them may be wrong: which one is found out by asking for each alone.
            for topic in topics:
                self._ask((topic,))
            return
        for topic in topics:
            self._tell_refused(topic, error.message)
            self._healer.not_sent(topic, error.message)
            self._owner.refused(topic, error)
        self._live_if_settled()
        self._owner.changed()

    def _tell_refused(self, topic: Topic, reason: str) -> None:
        self._context.tell(
            reports.TopicRefused, channel=topic.channel, symbol=topic.symbol, reason=reason
        )

    def _live_if_settled(self) -> None:
        if self._context.state is FeedState.SUBSCRIBING and not self._context.book.is_waiting:
            self._context.go(FeedState.LIVE)
            self._owner.changed()

    # What is looked at from time to time

    def _until_check(self) -> float:
        deadlines = [self._login_by, self._time() + self._context.settings.check_every]
        if (due := self._context.book.next_deadline) is not None:
            deadlines.append(due)
        return max(0.001, min(deadlines) - self._time())

    def _wall_ns(self) -> int:
        return int(self._time() * 1e9) + self._offset_ns

    def _set_clock(self) -> None:
        self._offset_ns = self._context.wall_ns() - int(self._time() * 1e9)

    def _check(self) -> None:
        now = self._time()
        self._set_clock()
        if now >= self._login_by:
            self.end(Ending("the venue did not answer to the login"))
            return
        overdue = self._context.book.overdue(now)
        for topic in overdue:
            self._tell_refused(topic, _SILENCE)
        if overdue and not self._context.book.confirmed:
            # It is not that topic: nothing at all was ever answered.
            self.end(Ending(f"{_SILENCE} to any subscription"))
            return
        for topic in overdue:
            self._healer.not_sent(topic, _SILENCE)
        if self._context.book.forgive(now - self._context.settings.ask_again_after):
            self.sync()
        self._live_if_settled()
        self._owner.changed()
        if self._known_since is not None:
            self._look_for_silence(now)

    def _look_for_silence(self, now: float) -> None:
        wall = self._context.clock.utcnow()
        if self._chore is None or self._chore.done():
            self._chore = asyncio.get_running_loop().create_task(self._hours.refresh(wall))
        wanted = {topic.channel for topic in self._context.book.confirmed}
        channels = [self._context.router.channels[name] for name in sorted(wanted)]
        silent = self._silence.check(channels, now, is_open=self._hours.is_open(wall))
        if silent is None:
            return
        reason = f"{silent.channel}: nothing for {silent.seconds:.0f} s"
        self._context.tell(reports.FeedSilent, channel=silent.channel, seconds=silent.seconds)
        self._context.go(FeedState.STALE, reason)
        self._silence.was_reconnected(silent.channel)
        self.end(Ending(reason))


def _ending_of(exc: errors.ConnectorError) -> Ending:
    if isinstance(exc, errors.RateLimitError):
        return Ending(exc.message, Remedy.SLOWLY, exc)
    if isinstance(exc, _FINAL):
        return Ending(exc.message, Remedy.FINAL, exc)
    return Ending(exc.message, Remedy.RETRY, exc)
