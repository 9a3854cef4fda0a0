"""Plays recorded frames through a dialect, as the supervisor would."""

import base64
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sentio_async.streams.book import EVERYTHING, Topic
from sentio_async.streams.consumers import CallbackConsumer
from sentio_async.streams.desk import Desk
from sentio_async.streams.dialect import Dialect, Hello
from sentio_async.streams.gaps import Plan
from sentio_async.streams.routing import Router


@dataclass
class Played:
    """What came of it."""

    rows: list[Any] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)
    signals: list[Any] = field(default_factory=list)
    sent: list[Any] = field(default_factory=list)
    skipped: int = 0


def play(dialect: Dialect, frames: list[dict[str, Any]]) -> Played:
    found = Played(sent=list(dialect.opening()))
    for frame in frames:
        if frame["dir"] == "recv":
            payload = (
                base64.b64decode(frame["base64"]) if "base64" in frame else frame["data"].encode()
            )
            _hear(dialect, payload, found)
    return found


def _hear(dialect: Dialect, payload: bytes, found: Played) -> None:
    try:
        messages = dialect.decode(payload)
    except msgspec.MsgspecError:
        messages, skipped = dialect.decode_each(payload)
        found.skipped += skipped
    # As the vendor reads a frame, and message by message: that must be the same.
    heard = at_a_desk(dialect, messages)
    assert heard == at_a_desk(dialect, messages, one_by_one=True)
    found.rows += [row for _, row in heard.rows]
    found.channels += [channel for channel, _ in heard.rows]
    found.skipped += len(heard.unreadable)
    for raw in heard.control:
        signal = dialect.understand(raw)
        found.signals.append(signal)
        if isinstance(signal, Hello):
            found.sent += dialect.credentials()


@dataclass
class Heard:
    """What the messages of one frame came to."""

    rows: list[tuple[str, Any]] = field(default_factory=list)
    control: list[Any] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def at_a_desk(
    dialect: Dialect, messages: Any, *, one_by_one: bool = False, consume: Any = None
) -> Heard:
    """Rows with their channels, all symbols of all channels being wanted."""
    heard = Heard()
    names = {lane.channel for lane in dialect.lanes.values()}
    router = Router(
        {name: Plan() for name in names},
        hold_limit=10,
        failed=lambda _, exc: heard.failures.append(str(exc)),
    )
    for name in names:
        take = _taker(name, heard, consume)
        router.add([Topic(name, EVERYTHING)], CallbackConsumer(take, name=name))
    desk = Desk(
        dialect.lanes,
        router.channels,
        control=heard.control.append,
        unreadable=lambda channel, _: heard.unreadable.append(channel.name),
        failed=lambda _, exc: heard.failures.append(str(exc)),
    )
    (desk.read if one_by_one else dialect.reader(desk))(messages, 1)
    return heard


def _taker(name: str, heard: Heard, consume: Any) -> Any:
    def take(row: Any) -> None:
        heard.rows.append((name, row))
        if consume is not None:
            consume(row)

    return take
