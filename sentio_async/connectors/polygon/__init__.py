"""Polygon.io, since October 2025 Massive: stocks, options, indices, crypto, currencies."""

from sentio_async.connectors.polygon.config import PolygonConfig
from sentio_async.connectors.polygon.data import PolygonData

__all__ = ["PolygonConfig", "PolygonData"]
