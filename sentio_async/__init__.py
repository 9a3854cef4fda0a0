"""Brokers, market data and notifications behind one typed asyncio interface."""

from sentio_async import errors
from sentio_async.base import (
    BaseConnector,
    BrokerConnector,
    Capability,
    DataProviderConnector,
    NotificationConnector,
)
from sentio_async.engine import Strategy, TradingEngine
from sentio_async.factory import ConnectorFactory
from sentio_async.health import HealthMonitor
from sentio_async.hub import ConnectorHub
from sentio_async.models import (
    Account,
    Attachment,
    Bar,
    Bars,
    Batch,
    HealthReport,
    HealthStatus,
    Order,
    OrderChange,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
    Position,
    Quote,
    Receipt,
    Snapshot,
    TimeInForce,
    Trade,
    TradeNotice,
)
from sentio_async.resilience import (
    RetryPolicy,
    circuit_breaker,
    rate_limit,
    retry,
)

__version__ = "0.1.0"

__all__ = [
    "Account",
    "Attachment",
    "Bar",
    "Bars",
    "BaseConnector",
    "Batch",
    "BrokerConnector",
    "Capability",
    "ConnectorFactory",
    "ConnectorHub",
    "DataProviderConnector",
    "HealthMonitor",
    "HealthReport",
    "HealthStatus",
    "NotificationConnector",
    "Order",
    "OrderChange",
    "OrderRequest",
    "OrderSide",
    "OrderStatus",
    "OrderType",
    "Position",
    "Quote",
    "Receipt",
    "RetryPolicy",
    "Snapshot",
    "Strategy",
    "TimeInForce",
    "Trade",
    "TradeNotice",
    "TradingEngine",
    "circuit_breaker",
    "errors",
    "rate_limit",
    "retry",
]
