"""Plays recorded frames through a dialect, as the supervisor would."""

import base64
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sentio_async.streams.dialect import Dialect, Hello


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
    for raw in messages:
        lane = dialect.lanes.get(type(raw))
        if lane is not None:
            found.channels.append(lane.channel)
            found.rows.append(lane.read(raw, 1))
            continue
        signal = dialect.understand(raw)
        found.signals.append(signal)
        if isinstance(signal, Hello):
            found.sent += dialect.credentials()
