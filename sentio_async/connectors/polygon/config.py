"""Settings of the Polygon.io (now Massive) connector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from sentio_async.config import ConnectorConfig, check_url

__all__ = ["PolygonConfig"]


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
    batch_size: int = Field(default=250, ge=1, le=250)
    """Symbols in one snapshot request."""
    max_pages: int = Field(default=10_000, ge=1)
    """Pages of one walk after which it is given up as endless."""

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, value: str, info: ValidationInfo) -> str:
        return check_url(value, allow_plain_http=info.data.get("allow_plain_http", False))
