"""Where the examples trade: the vendors when keys are in the environment, else right here."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sentio_async.config import ConnectorConfig, variables_of
from sentio_async.connectors.alpaca.config import AlpacaConfig
from sentio_async.connectors.email.config import EmailConfig
from sentio_async.connectors.polygon.config import PolygonConfig
from sentio_async.connectors.webhook.config import WebhookConfig
from sentio_async.sim import Exchange

NEEDED: dict[str, tuple[type[ConnectorConfig], tuple[str, ...]]] = {
    "alpaca": (AlpacaConfig, ("api_key", "api_secret")),
    "polygon": (PolygonConfig, ("api_key",)),
    "email": (EmailConfig, ("host", "username", "password")),
    "webhook": (WebhookConfig, ("webhook_url",)),
}


def has_keys(vendor: str) -> bool:
    """Whether the environment has what this vendor needs."""
    kind, fields = NEEDED[vendor]
    return all(any(map(os.environ.get, variables_of(kind, field))) for field in fields)


@asynccontextmanager
async def settings_for(*vendors: str) -> AsyncIterator[dict[str, dict[str, Any] | None]]:
    """Settings by vendor; None means: all of it stands in the environment."""
    for vendor in vendors:
        where = "from the environment" if has_keys(vendor) else "embedded exchange"
        print(f"{vendor}: {where}")
    async with Exchange(seed=7) as exchange:
        found = {v: None if has_keys(v) else exchange.settings(v) for v in vendors}
        if found.get("email"):
            found["email"] = {**exchange.settings("email"), "recipients": ["desk@example.com"]}
        yield found
