"""What the parts of one feed share: its settings, its state, its clock, its listeners."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.events import Event, Listener, tell
from sentio_async.streams import reports
from sentio_async.streams.backoff import BackoffPolicy
from sentio_async.streams.book import Book
from sentio_async.streams.dialect import Dialect, Remedy
from sentio_async.streams.routing import Router
from sentio_async.streams.socket import OpenSocket, open_socket

__all__ = ["Context", "Ending", "FeedSettings", "FeedState", "World"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FeedState(StrEnum):
    """What a feed is doing."""

    IDLE = "idle"
    """Nobody wants anything: there is no connection."""
    CONNECTING = "connecting"
    AUTHENTICATING = "authenticating"
    SUBSCRIBING = "subscribing"
    """The venue knows us and has not confirmed all topics yet."""
    LIVE = "live"
    STALE = "stale"
    """Silent for too long in a session: the connection is being made anew."""
    BACKOFF = "backoff"
    """Waiting before the next connection."""
    CLOSED = "closed"
    """For good, for the reason that goes with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSettings:
    """How patient a feed is.  Times are in seconds."""

    connect_timeout: float = 10.0
    login_timeout: float = 10.0
    answer_timeout: float = 10.0
    """How long the venue may take to confirm a topic."""
    ask_again_after: float = 60.0
    """When a topic is asked for again that was left without an answer."""
    backoff: BackoffPolicy = field(default_factory=BackoffPolicy)
    stable_after: float = 60.0
    """A connection that has lived so long is a good one."""
    check_every: float = 5.0
    """How often deadlines, silence and slow consumers are looked at."""
    linger: float = 1.0
    """How long a connection stays when nobody wants anything."""
    patience: Mapping[str, float] = field(default_factory=dict)
    """How long each channel may be silent in a session; a channel that is not here, for ever."""
    backfill_timeout: float = 30.0
    hold_at_most: float = 120.0
    """How long rows of one topic wait for history, which may be asked for many topics before."""
    hold_limit: int = 50_000
    """Rows of one topic that are held while history is fetched."""
    pause_at_most: float = 1.0
    """How long slow consumers of bars may hold up the socket."""
    drain_at_most: float = 30.0
    """How long a full consumer of order updates may keep the feed away."""
    topics_a_message: int = 250


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a connection is over, and what helps."""

    reason: str
    remedy: Remedy = Remedy.RETRY
    error: errors.ConnectorError | None = None


@dataclass(frozen=True, slots=True)
class World:
    """What a feed finds around it; a test brings its own."""

    clock: Clock = SYSTEM_CLOCK
    listeners: Sequence[Listener] = ()
    open_socket: OpenSocket = open_socket
    luck: Callable[[], float] = random.random
    scrub: Callable[[str], str] = str
    """Takes secrets out of a venue's own words."""


class Context:
    """What the parts of one feed share."""

    def __init__(
        self,
        name: str,
        dialect: Dialect,
        router: Router,
        settings: FeedSettings,
        world: World,
    ) -> None:
        self.name = name
        self.dialect = dialect
        self.router = router
        self.settings = settings
        self.clock = world.clock
        self.listeners = world.listeners
        self.scrub = world.scrub
        self.book = Book()
        self.state = FeedState.IDLE
        self.reason = ""

    def go(self, state: FeedState, reason: str = "") -> None:
        """Be in another state from now on."""
        old, self.state, self.reason = self.state, state, reason
        if old is not state:
            self.tell(reports.FeedChanged, old=old.value, new=state.value, reason=reason)

    def tell(self, kind: type[Event], **known: Any) -> None:
        """Tell the listeners what happened."""
        if self.listeners:
            for name, value in known.items():
                if isinstance(value, str):
                    known[name] = self.scrub(value)
            event = kind(at=self.clock.time(), connector=self.name, operation="stream", **known)
            tell(self.listeners, event)

    def wall_ns(self) -> int:
        """The wall clock in epoch nanoseconds, to the microsecond."""
        span = self.clock.utcnow() - _EPOCH
        seconds = span.days * 86_400 + span.seconds
        return (seconds * 1_000_000 + span.microseconds) * 1000
