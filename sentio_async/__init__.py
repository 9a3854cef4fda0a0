"""Brokers, market data and notifications behind one typed asyncio interface.

A name is imported when it is first used: ``import sentio_async`` alone costs next to nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from sentio_async.resilience.guard import circuit_breaker
    from sentio_async.resilience.hedging import hedge
    from sentio_async.resilience.retry import RetryPolicy, retry
    from sentio_async.resilience.throttle import rate_limit

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
    "hedge",
    "rate_limit",
    "retry",
]

_HOMES = {
    "Account": "models",
    "Attachment": "models",
    "Bar": "models",
    "Bars": "models",
    "BaseConnector": "base",
    "Batch": "models",
    "BrokerConnector": "base",
    "Capability": "base",
    "ConnectorFactory": "factory",
    "ConnectorHub": "hub",
    "DataProviderConnector": "base",
    "HealthMonitor": "health",
    "HealthReport": "models",
    "HealthStatus": "models",
    "NotificationConnector": "base",
    "Order": "models",
    "OrderChange": "models",
    "OrderRequest": "models",
    "OrderSide": "models",
    "OrderStatus": "models",
    "OrderType": "models",
    "Position": "models",
    "Quote": "models",
    "Receipt": "models",
    "RetryPolicy": "resilience.retry",
    "Snapshot": "models",
    "Strategy": "engine",
    "TimeInForce": "models",
    "Trade": "models",
    "TradeNotice": "models",
    "TradingEngine": "engine",
    "circuit_breaker": "resilience.guard",
    "hedge": "resilience.hedging",
    "rate_limit": "resilience.throttle",
    "retry": "resilience.retry",
    "errors": "errors",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use, and keep it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_HOMES[name]}")
    found = module if name == "errors" else getattr(module, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
