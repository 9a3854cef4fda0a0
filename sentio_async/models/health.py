"""How connectors are: what a check found, and what is known without asking."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from sentio_async.models.value import Value

__all__ = ["ConnectorStatus", "HealthReport", "HealthStatus"]


class HealthStatus(StrEnum):
    """How well a connector works."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    """It answers, and something about it is not right: slow, throttled, its clock is off."""
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"
    """Not checked yet."""


class HealthReport(Value):
    """What one health check found."""

    connector: str
    status: HealthStatus
    checked_at: datetime
    latency: float | None = None
    """How long the check took, in seconds; None when it got no answer."""
    reason: str | None = None
    """Why it is not healthy, in one line."""
    details: Mapping[str, Any] = Field(default_factory=dict)

    @property
    def is_healthy(self) -> bool:
        """Nothing is wrong."""
        return self.status is HealthStatus.HEALTHY


class ConnectorStatus(Value):
    """What is known of a connector without asking the vendor."""

    connector: str
    vendor: str
    role: str
    is_connected: bool
    connected_at: datetime | None = None
    breakers: Mapping[str, str] = Field(default_factory=dict)
    """The state of each circuit breaker, by host and kind of call."""
    in_flight: int = 0
    """Requests that are under way now."""
    last_success_at: datetime | None = None
    last_error: str | None = None
