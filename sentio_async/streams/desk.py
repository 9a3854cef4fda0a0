"""Where messages become rows and go to whoever wants them.  No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sentio_async.streams.consumers import FAULTS
from sentio_async.streams.dialect import Lane
from sentio_async.streams.routing import Channel, Failed

__all__ = ["Desk", "Read"]

Read = Callable[[Sequence[Any], int], None]
"""Takes the messages of a frame, and the epoch nanoseconds at which it arrived."""


class Desk:
    """Reads messages of any kind, one after the other.

    What is no row goes to ``control``; a row that cannot be read is told to ``unreadable`` and
    costs no other; what a consumer raises is told to ``failed``.  A vendor that has a faster way
    for what comes most does without ``read`` for that, and leaves the rest to it.
    """

    def __init__(
        self,
        lanes: Mapping[type, Lane],
        channels: Mapping[str, Channel],
        *,
        control: Callable[[Any], None],
        unreadable: Callable[[Channel, Exception], None],
        failed: Failed,
    ) -> None:
        self.channels = channels
        self.failed = failed
        self._control = control
        self._unreadable = unreadable
        self._lane_of = {
            kind: (lane.read, channels[lane.channel]) for kind, lane in lanes.items()
        }.get

    def read(self, messages: Sequence[Any], received_ns: int) -> None:
        """Hand on the rows among messages that arrived at ``received_ns``."""
        lane_of, failed = self._lane_of, self.failed
        for raw in messages:
            lane = lane_of(type(raw))
            if lane is None:
                self._control(raw)
                continue
            read, channel = lane
            try:
                row = read(raw, received_ns)
            except Exception as exc:  # noqa: BLE001 (one bad row is told of and costs no other)
                self._unreadable(channel, exc)
                continue
            route = channel.route_of(row.symbol)
            route.last = channel.last = row
            deliver = route.deliver
            try:
                deliver(row)
            except FAULTS as exc:
                failed(deliver, exc)
