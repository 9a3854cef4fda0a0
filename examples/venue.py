"""Where the examples trade: the vendors when keys are in the environment, else right here."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sentio_async.sim import Exchange

NEEDED = {
    "alpaca": ("ALPACA_API_KEY", "ALPACA_API_SECRET"),
    "polygon": ("MASSIVE_API_KEY",),
    "email": ("EMAIL_HOST", "EMAIL_USERNAME", "EMAIL_PASSWORD", "EMAIL_RECIPIENTS"),
    "webhook": ("WEBHOOK_URL",),
}


@asynccontextmanager
async def settings_for(*vendors: str) -> AsyncIterator[dict[str, dict[str, Any] | None]]:
    """Settings by vendor; None means: all of it stands in the environment."""
    has_keys = {v: all(name in os.environ for name in NEEDED[v]) for v in vendors}
    for vendor in vendors:
        print(f"{vendor}: {'from the environment' if has_keys[vendor] else 'embedded exchange'}")
    async with Exchange(seed=7) as exchange:
        found = {v: None if has_keys[v] else exchange.settings(v) for v in vendors}
        if found.get("email"):
            found["email"] = {**exchange.settings("email"), "recipients": ["desk@example.com"]}
        yield found
