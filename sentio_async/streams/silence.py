"""Tells a silent channel from a closed market and from a quiet symbol.  No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sentio_async.streams.routing import Channel

__all__ = ["Silence", "Silent"]


@dataclass(frozen=True, slots=True)
class Silent:
    """A channel that has brought nothing for so many seconds."""

    channel: str
    seconds: float


class Silence:
    """Watches when each channel last brought a row; asked from time to time, not per message.

    Each time that a channel stays silent although the connection was made anew, it is given twice
    as long: then it is the symbols that are quiet.  The first row ends that.
    """

    def __init__(self, patience: Mapping[str, float], *, most: float = 3600.0) -> None:
        self._patience = dict(patience)
        self._most = most
        self._seen: dict[str, object] = {}
        self._since: dict[str, float] = {}
        self._factor: dict[str, float] = {}

    def begin(self, channels: Iterable[str], now: float) -> None:
        """The connection is new: everybody has as long as they usually have."""
        for name in channels:
            self._since[name] = now

    def check(self, channels: Iterable[Channel], now: float, *, is_open: bool) -> Silent | None:
        """The first channel that has been silent too long, while the market is open."""
        silent: Silent | None = None
        for channel in channels:
            if channel.last is not self._seen.get(channel.name) or not is_open:
                if channel.last is not self._seen.get(channel.name):
                    self._factor.pop(channel.name, None)
                self._seen[channel.name] = channel.last
                self._since[channel.name] = now
                continue
            quiet = now - self._since.setdefault(channel.name, now)
            if silent is None and quiet >= self._allowed(channel.name):
                silent = Silent(channel.name, quiet)
        return silent

    def _allowed(self, name: str) -> float:
        patience = self._patience.get(name, float("inf"))
        return min(max(self._most, patience), patience * self._factor.get(name, 1.0))

    def was_reconnected(self, name: str) -> None:
        """It was silent and the connection is being made anew; next time, wait twice as long."""
        self._factor[name] = min(64.0, 2.0 * self._factor.get(name, 1.0))
