"""What every test may use."""

import asyncio
from pathlib import Path

import pytest

# Named here too, for a checkout that is not installed.
pytest_plugins = ["sentio_async.testing.plugin"]

CHECKOUT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recorded payloads and vendors' descriptions beside the checkout."""
    found = CHECKOUT.parent / "shared"
    if not (found / "openapi").is_dir():
        pytest.skip("no ../shared: recorded payloads and API descriptions are not at hand")
    return found


def pytest_sessionstart() -> None:
    """Keep pytest-asyncio from making a loop to put back, which nobody would close."""
    asyncio.set_event_loop(None)
