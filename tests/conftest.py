"""What every test may use."""

from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recorded payloads and vendors' descriptions beside the checkout."""
    found = CHECKOUT.parent / "shared"
    if not (found / "openapi").is_dir():
        pytest.skip("no ../shared: recorded payloads and API descriptions are not at hand")
    return found
