"""What every connector is, and the calls of each role."""

from sentio_async.base.asking import about, one_each
from sentio_async.base.broker import BrokerConnector
from sentio_async.base.connector import (
    BaseConnector,
    Capability,
    Role,
    check_symbol,
    sorted_out,
    symbols_of,
)
from sentio_async.base.data import DataProviderConnector
from sentio_async.base.notification import NotificationConnector

__all__ = [
    "BaseConnector",
    "BrokerConnector",
    "Capability",
    "DataProviderConnector",
    "NotificationConnector",
    "Role",
    "about",
    "check_symbol",
    "one_each",
    "sorted_out",
    "symbols_of",
]
