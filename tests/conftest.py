"""What every test may use."""

import asyncio
import functools
from pathlib import Path

import pytest

from sentio_async.http import client

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


def pytest_addoption(parser: pytest.Parser) -> None:
    """``pytest --stock``: everything once more on httpx's own pool."""
    parser.addoption("--stock", action="store_true", help="run on stock httpx, not on our pool")


def pytest_configure(config: pytest.Config) -> None:
    """Let clients of the library be stock ones, if that was asked for."""
    if config.getoption("stock"):
        client.open_client = functools.partial(client.open_client, stock=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What only our pool does is not asked of another."""
    if config.getoption("stock"):
        for item in items:
            if item.get_closest_marker("own_pool"):
                item.add_marker(pytest.mark.skip(reason="only our pool does this"))


def pytest_sessionstart() -> None:
    """Keep pytest-asyncio from making a loop to put back, which nobody would close."""
    asyncio.set_event_loop(None)
