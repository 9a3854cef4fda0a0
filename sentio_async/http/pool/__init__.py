"""HTTP/1.1 connections of our own: close to what a socket and a parser cost, and no more.

``Pool`` holds the connections to every origin, ``door`` lets httpx use it, and whoever has a
``Request`` already made uses ``Pool.exchange``.  Its failures are those of httpcore.
"""

from __future__ import annotations

from sentio_async.http.pool.message import Origin, Reply, Request, Waits
from sentio_async.http.pool.pool import Pool

__all__ = ["Origin", "Pool", "Reply", "Request", "Waits"]
