"""Settings of the Polygon.io (now Massive) connector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, InstanceOf, SecretStr, field_validator

from sentio_async.config import (
    ConnectorConfig,
    check_stream_url,
    is_loopback,
    read_hedge,
    stream_url_of,
)
from sentio_async.resilience.hedging import HedgePolicy
from sentio_async.streams.hours import Calendar

__all__ = ["PolygonConfig"]

_REAL_TIME = "wss://socket.massive.com"
_DELAYED = "wss://delayed.massive.com"


class PolygonConfig(ConnectorConfig):
    """A key, and where to send it.

    The free plan allows 5 requests a minute: set ``requests_per_minute=5``.  Paid plans have no
    limit; the default of 100 a second is what the vendor advises to stay under.
    """

    vendor: ClassVar[str] = "polygon"
    environment: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "api_key": ("MASSIVE_API_KEY", "POLYGON_API_KEY"),
    }

    api_key: SecretStr = Field(min_length=1)
    base_url: str = "https://api.massive.com"
    """``https://api.polygon.io`` is still served under the same keys."""
    stream_url: str | None = None
    """Where streams are, ``wss://``; if None the vendor's own host, or that of a ``base_url`` on
    this machine."""
    delayed_stream: bool = False
    """Streams that are 15 minutes late, for plans without real-time data."""
    calendar: InstanceOf[Calendar] | str | None = Field(default=None, repr=False)
    """When stocks are in session, so that silence counts: an exchange's calendar by name, such as
    ``XNYS`` (needs the extra ``calendars``), or one of your own; the vendor's if None."""
    batch_size: int = Field(default=250, ge=1, le=250)
    """Symbols in one snapshot request."""
    hedge_after: Annotated[float, Field(ge=0)] | Literal["p90", "p95", "p99"] | None = None
    """Ask for the latest of something a second time when no answer has come after so many seconds,
    or when 95 of 100 would have (``p95``; ``p90`` and ``p99`` too); the first one counts.  Off if
    None."""
    coalesce: bool = True
    """Calls about the snapshot of one stock each, made in one turn of the loop, share a request;
    the first of them goes alone, at once."""
    pages_at_once: int = Field(default=2, ge=1)
    """Pages of one walk that are held or under way; 1 asks for none ahead."""
    max_pages: int = Field(default=10_000, ge=1)
    """Pages of one walk after which it is given up as endless."""

    @field_validator("stream_url")
    @classmethod
    def _check_stream_url(cls, value: str | None) -> str | None:
        return None if value is None else check_stream_url(value)

    @property
    def hedge_policy(self) -> HedgePolicy | None:
        """When slow reads of prices are sent a second time."""
        return read_hedge(self.hedge_after)

    @property
    def is_stream_delayed(self) -> bool:
        """Whether streamed rows are late."""
        return self.delayed_stream or "delayed." in (self.stream_url or "")

    @property
    def stream(self) -> str:
        """What the URLs of all streams begin with."""
        if self.stream_url is not None:
            return self.stream_url
        if is_loopback(urlsplit(self.base_url).hostname):
            return stream_url_of(self.base_url)
        return _DELAYED if self.delayed_stream else _REAL_TIME
