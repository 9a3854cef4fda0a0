"""What happens on streams, told to the same listeners as every other event."""

from __future__ import annotations

from dataclasses import dataclass

from sentio_async.events import Event

__all__ = [
    "ConsumerFailed",
    "FeedChanged",
    "FeedSilent",
    "FrameSkipped",
    "GapFilled",
    "GapFound",
    "GapUnfilled",
    "RowsDropped",
    "TopicRefused",
    "UpdatesMissed",
]


@dataclass(frozen=True, slots=True)
class FeedChanged(Event):
    """A feed went from one state to another."""

    old: str
    new: str
    reason: str


@dataclass(frozen=True, slots=True)
class TopicRefused(Event):
    """The venue does not send a topic, by its own words or by its silence."""

    channel: str
    symbol: str
    reason: str


@dataclass(frozen=True, slots=True)
class FeedSilent(Event):
    """A channel brought nothing for longer than it should in a session."""

    channel: str
    seconds: float


@dataclass(frozen=True, slots=True)
class FrameSkipped(Event):
    """Messages of one frame could not be read; what they said is lost."""

    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class RowsDropped(Event):
    """A consumer was too slow: so many rows were dropped, or replaced by newer ones."""

    consumer: str
    dropped: int
    conflated: int


@dataclass(frozen=True, slots=True)
class ConsumerFailed(Event):
    """A consumer's own code raised; the stream goes on without it being any the wiser."""

    consumer: str
    error: str


@dataclass(frozen=True, slots=True)
class GapFound(Event):
    """Nothing came from one time to another, both epoch nanoseconds at the venue."""

    channel: str
    symbol: str
    from_ns: int
    to_ns: int


@dataclass(frozen=True, slots=True)
class GapFilled(Event):
    """History took the place of what did not come; ``rows`` of it were new."""

    channel: str
    symbol: str
    from_ns: int
    to_ns: int
    rows: int


@dataclass(frozen=True, slots=True)
class GapUnfilled(Event):
    """What did not come stays missing, and why."""

    channel: str
    symbol: str
    from_ns: int
    to_ns: int
    reason: str


@dataclass(frozen=True, slots=True)
class UpdatesMissed(Event):
    """Something happened to so many orders, and the stream said nothing although it was up."""

    orders: int
