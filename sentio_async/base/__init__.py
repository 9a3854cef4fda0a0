"""What every connector is, and the calls of each role."""

from sentio_async.base.asking import about, one_each
from sentio_async.base.broker import BrokerConnector
from sentio_async.base.connector import BaseConnector, Capability, Role
from sentio_async.base.data import DataProviderConnector
from sentio_async.base.notification import NotificationConnector
from sentio_async.base.placing import before_order, placed_order
from sentio_async.base.symbols import check_symbol, sorted_out, symbols_of

__all__ = [
    "BaseConnector",
    "BrokerConnector",
    "Capability",
    "DataProviderConnector",
    "NotificationConnector",
    "Role",
    "about",
    "before_order",
    "check_symbol",
    "one_each",
    "placed_order",
    "sorted_out",
    "symbols_of",
]
