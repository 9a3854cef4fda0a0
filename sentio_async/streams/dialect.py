"""What a vendor's feed says and understands, told to the supervisor.  No I/O.

A vendor describes its feed as a ``Dialect``: where it is, what is sent when, and what its control
messages mean.  Data messages are Structs, decoded from a frame in one step, with a reader each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from sentio_async import errors
from sentio_async.streams.book import Topic

if TYPE_CHECKING:
    from sentio_async.streams.desk import Desk, Read

__all__ = [
    "Authenticated",
    "Confirmed",
    "Dialect",
    "Frame",
    "Hello",
    "Lane",
    "Problem",
    "Refused",
    "Remedy",
    "Signal",
]

Frame = str | bytes
"""What is sent: text, or bytes in a binary frame."""


class Remedy(Enum):
    """What helps after a problem."""

    FINAL = "final"
    """Nothing does: the key, the plan or the account is wrong."""
    RETRY = "retry"
    """Another connection."""
    SLOWLY = "slowly"
    """Another connection, but not soon: there are too many already."""
    NONE_NEEDED = "none_needed"
    """It is worth telling, and that is all."""


@dataclass(frozen=True, slots=True)
class Hello:
    """The venue is ready to hear who is there."""


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The venue knows who is there."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Topics that the venue will send."""

    topics: tuple[Topic, ...]
    is_all: bool = False
    """These are all that it sends, not only the new ones."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The venue will not send what was last asked for."""

    error: errors.ConnectorError


@dataclass(frozen=True, slots=True)
class Problem:
    """Something is wrong with the whole connection."""

    error: errors.ConnectorError
    remedy: Remedy


Signal = Hello | Authenticated | Confirmed | Refused | Problem


class Lane(NamedTuple):
    """One kind of data message: which channel it belongs to, and what row it is."""

    channel: str
    read: Callable[[Any, int], Any]
    """The row, from the message and the epoch nanoseconds at which it arrived."""


class Dialect(Protocol):
    """One vendor's feed."""

    @property
    def url(self) -> str:
        """Where to connect."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """What the opening request carries besides the usual."""
        ...

    @property
    def lanes(self) -> Mapping[type, Lane]:
        """The data messages; every other message is a control message."""
        ...

    def decode(self, payload: bytes, /) -> Sequence[Any]:
        """The messages of a frame; raises ValueError when one of them cannot be read."""
        ...

    def decode_each(self, payload: bytes, /) -> tuple[Sequence[Any], int]:
        """The messages that can be read, and how many cannot; kinds never heard of are neither."""
        ...

    def reader(self, desk: Desk, /) -> Read:
        """What reads the messages of a frame; ``desk.read`` where nothing is faster."""
        ...

    def opening(self) -> Sequence[Frame]:
        """What is sent as soon as the connection stands."""
        ...

    def credentials(self) -> Sequence[Frame]:
        """What is sent after ``Hello``."""
        ...

    def understand(self, raw: Any, /) -> Signal | None:
        """What a control message means; None when nothing follows from it."""
        ...

    def subscribe(self, topics: Sequence[Topic], /) -> Sequence[Frame]:
        """What asks for topics, in one message or several."""
        ...

    def unsubscribe(self, topics: Sequence[Topic], /) -> Sequence[Frame]:
        """What gives topics up."""
        ...
