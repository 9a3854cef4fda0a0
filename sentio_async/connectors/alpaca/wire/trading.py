"""Every call of Alpaca's trading API, by subject."""

from sentio_async.connectors.alpaca.wire import (
    account,
    assets,
    orders,
    positions,
    sessions,
    watchlists,
)
from sentio_async.connectors.alpaca.wire.api import api

__all__ = ["account", "api", "assets", "orders", "positions", "sessions", "watchlists"]
