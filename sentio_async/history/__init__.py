"""Long histories of many symbols, to files: resumable, in bounded memory."""

from __future__ import annotations

from sentio_async.history.download import BarSource, Download
from sentio_async.history.request import HistoryRequest
from sentio_async.history.shelf import StoredBars

__all__ = ["BarSource", "Download", "HistoryRequest", "StoredBars"]
