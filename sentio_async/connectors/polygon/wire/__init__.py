"""Massive's REST API on the wire: every call declared, every answer read, no I/O.

https://massive.com/docs/rest
"""

from sentio_async.connectors.polygon.wire import (
    aggregates,
    corporate,
    fundamentals,
    indicators,
    last,
    latest,
    news,
    reference,
    snapshots,
    status,
    ticks,
    universal,
)
from sentio_async.connectors.polygon.wire.envelope import api, next_target
from sentio_async.connectors.polygon.wire.paging import Walk

__all__ = [
    "Walk",
    "aggregates",
    "api",
    "corporate",
    "fundamentals",
    "indicators",
    "last",
    "latest",
    "news",
    "next_target",
    "reference",
    "snapshots",
    "status",
    "ticks",
    "universal",
]
