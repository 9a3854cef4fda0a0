"""The pytest fixture `exchange`: a fresh embedded exchange for one test.

    async def test_it_buys(exchange):
        async with AlpacaBroker(exchange.settings("alpaca")) as broker: ...

`@pytest.mark.exchange(seed=7, faults=[FaultRule(kind="drop_after")], replay="bars.csv")` says
otherwise what `Exchange` would be told; `replay` may be a file. A mark on a class or module
holds for its tests, and the one nearest to the test wins, setting by setting.

pytest loads this module in every project that has the package, so it imports nothing heavy.
"""

from collections.abc import AsyncIterator
from importlib.util import find_spec
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from sentio_async.sim.exchange import Exchange

MARK = (
    "exchange(seed=, replay=, faults=, venues=, ...): what the embedded exchange of the "
    "fixture `exchange` is told"
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known, also under `--strict-markers`."""
    config.addinivalue_line("markers", MARK)


def _told(request: pytest.FixtureRequest) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for mark in reversed(list(request.node.iter_markers("exchange"))):
        if mark.args:
            _fail("@pytest.mark.exchange takes its settings by name only")
        told |= mark.kwargs
    if isinstance(told.get("replay"), str | PathLike):
        from sentio_async.sim.replay import read_bars

        told["replay"] = read_bars(Path(fspath(told["replay"])))
    return told


async def _exchange(request: pytest.FixtureRequest) -> "AsyncIterator[Exchange]":
    """A fresh embedded exchange, on ports of its own, as `@pytest.mark.exchange` has it."""
    try:
        from sentio_async.sim.exchange import Exchange
    except ImportError as exc:
        _fail(f"the fixture `exchange`: {exc}; pip install 'sentio-async[sim]'")
    async with Exchange(**_told(request)) as exchange:
        yield exchange


def _without_asyncio() -> None:
    """Say what is missing: there is nothing that could run the exchange."""
    _fail("the fixture `exchange` needs pytest-asyncio: pip install pytest-asyncio")


def _fail(reason: str) -> NoReturn:
    pytest.fail(reason, pytrace=False)


def _fixture() -> Any:
    if find_spec("pytest_asyncio") is None:
        return pytest.fixture(_without_asyncio, name="exchange")
    import pytest_asyncio

    # Its own decorator works in its auto and strict mode, pytest's only in auto mode.
    return pytest_asyncio.fixture(_exchange, name="exchange")


exchange = _fixture()
