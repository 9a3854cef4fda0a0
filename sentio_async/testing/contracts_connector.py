"""What every connector promises, whatever its role."""

from __future__ import annotations

import asyncio
import gc
import inspect
import logging
import pickle
import traceback
import warnings
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar
from urllib.parse import unquote

import pytest

from sentio_async import errors
from sentio_async.base import BaseConnector, Capability
from sentio_async.models import HealthStatus

__all__ = ["ConnectorContract", "Probe", "Rig", "needs", "refuses"]

C = TypeVar("C", bound=BaseConnector)

Probe = Callable[[Any], Any]
"""A call on a connector: what it gives is awaited, or asked for its first item."""


class Rig(ABC, Generic[C]):
    """The vendor as the contract sees it: a server of the test's own, and connectors to it.

    Give one from a fixture named ``rig`` in the class that subclasses a contract.
    """

    wrong_credentials: ClassVar[Mapping[str, Any]] = {}
    """Settings that the vendor refuses; empty where there are no credentials."""
    secrets: Sequence[str] = ()
    """The secret texts in the settings."""

    @abstractmethod
    def new(self, settings: Mapping[str, Any] | None = None, **options: Any) -> C:
        """A connector that is not connected; ``settings`` on top of the ones that work."""

    @abstractmethod
    def fail(self) -> None:
        """From now on every request is answered with 503, or what comes nearest."""

    @abstractmethod
    def heal(self) -> None:
        """Answer as before."""

    @property
    @abstractmethod
    def requests(self) -> int:
        """How many requests (or connections) have arrived so far."""


def needs(connector: BaseConnector, *capabilities: Capability) -> None:
    """Skip the test when the connector does not declare one of these."""
    missing = [each.value for each in capabilities if not connector.supports(each)]
    if missing:
        pytest.skip(f"{connector.name} does not declare {', '.join(missing)}")


async def refuses(connector: BaseConnector, undeclared: Mapping[Capability, Probe]) -> None:
    """Each of these that is not declared is refused by name, and the error names who has it."""
    for capability, probe in undeclared.items():
        if connector.supports(capability):
            continue
        with pytest.raises(errors.NotSupportedError) as caught:
            await _ask(probe, connector)
        error = caught.value
        assert error.outcome is errors.Outcome.NOT_SENT
        assert capability.value.replace("_", " ") in str(error)
        assert connector.vendor not in error.available_from
        assert all(vendor in str(error) for vendor in error.available_from)


async def _ask(probe: Probe, connector: BaseConnector) -> Any:
    given = probe(connector)
    if inspect.isawaitable(given):
        return await given
    async for item in given:
        return item
    return None


class ConnectorContract(Generic[C]):
    """Life, health and discretion.  Subclasses give a fixture ``rig``."""

    pytestmark: ClassVar[list[Any]] = [pytest.mark.asyncio]

    @pytest.fixture
    def rig(self) -> Rig[C]:
        """The vendor; to be overridden."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `rig` that gives a Rig")

    async def test_connecting_and_disconnecting_twice_is_as_once(self, rig: Rig[C]) -> None:
        """The second call does nothing and asks nobody."""
        connector = rig.new()

        await connector.connect()
        asked = rig.requests
        await connector.connect()
        assert connector.is_connected
        assert rig.requests == asked

        await connector.disconnect()
        await connector.disconnect()
        assert not connector.is_connected

    async def test_it_is_a_context_and_can_be_used_again(self, rig: Rig[C]) -> None:
        """Leaving the block disconnects; connecting once more works."""
        connector = rig.new()

        for _ in range(2):
            async with connector as entered:
                assert entered is connector
                assert connector.is_connected
            assert not connector.is_connected

    async def test_nothing_is_left_behind(self, rig: Rig[C]) -> None:
        """After the block there is no task and no socket more than before."""
        before = asyncio.all_tasks()

        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", ResourceWarning)
            async with rig.new():
                pass
            await _all_ended(before)
            gc.collect()
        assert not [str(each.message) for each in told if each.category is ResourceWarning]

    async def test_wrong_credentials_are_told_at_connect(self, rig: Rig[C]) -> None:
        """AuthenticationError (or PermissionError) at once, nothing left open, no second try."""
        if not rig.wrong_credentials:
            pytest.skip("this vendor has no credentials")
        before = asyncio.all_tasks()
        connector = rig.new(rig.wrong_credentials)

        with pytest.raises((errors.AuthenticationError, errors.PermissionError)) as caught:
            await connector.connect()

        assert not connector.is_connected
        assert caught.value.connector == connector.name
        assert len(caught.value.attempts) <= 1
        await _all_ended(before)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", ResourceWarning)
            del connector
            gc.collect()
        assert not [str(each.message) for each in told if each.category is ResourceWarning]

    async def test_a_health_check_is_a_report(self, rig: Rig[C]) -> None:
        """Healthy when it answers; a failure is a report with its reason, not an exception."""
        async with rig.new({"retry_attempts": 1}) as connector:
            good = await connector.health_check()
            assert good.status is HealthStatus.HEALTHY, good.reason
            assert good.latency is not None
            assert good.checked_at.utcoffset() is not None

            rig.fail()
            bad = await connector.health_check()
            rig.heal()

        assert bad.status in (HealthStatus.UNHEALTHY, HealthStatus.DEGRADED)
        assert bad.reason
        assert bad.connector == good.connector == connector.name

    async def test_wrong_credentials_are_unhealthy(self, rig: Rig[C]) -> None:
        """A health check needs no connection, and does not raise even then."""
        if not rig.wrong_credentials:
            pytest.skip("this vendor has no credentials")
        connector = rig.new(rig.wrong_credentials)

        report = await connector.health_check()
        await connector.disconnect()

        assert report.status is HealthStatus.UNHEALTHY
        assert report.reason

    async def test_a_vendor_that_fails_does_not_connect(self, rig: Rig[C]) -> None:
        """A typed error, and it is not connected."""
        rig.fail()
        connector = rig.new({"retry_attempts": 1})

        with pytest.raises(errors.ConnectorError):
            await connector.connect()
        rig.heal()

        assert not connector.is_connected
        assert connector.get_status().last_error

    async def test_status_asks_nobody(self, rig: Rig[C]) -> None:
        """It is known without I/O, before, while and after being connected."""
        connector = rig.new()
        assert not connector.get_status().is_connected

        async with connector:
            asked = rig.requests
            status = connector.get_status()
            assert rig.requests == asked

        assert status.is_connected
        assert status.connected_at is not None
        assert status.vendor == connector.vendor
        assert status.in_flight == 0
        assert not connector.get_status().is_connected

    async def test_secrets_are_not_shown(
        self, rig: Rig[C], caplog: pytest.LogCaptureFixture
    ) -> None:
        """Not by a repr, status, error, pickle, event or log, be they in a URL or a header."""
        caplog.set_level(logging.DEBUG)
        shown: list[str] = []
        settings = {"retry_attempts": 1}
        connector = rig.new(settings, listeners=[lambda event: shown.append(repr(event))])
        async with connector:
            shown += _shown_by(connector)
        rig.fail()
        with pytest.raises(errors.ConnectorError) as caught:
            await connector.connect()
        rig.heal()
        report = await connector.health_check()
        await connector.disconnect()

        shown += [*_shown_by(connector), *_shown_of(caught.value), repr(report)]
        shown += [text for each in caplog.records for text in (each.getMessage(), repr(each.args))]
        shown += [unquote(text) for text in shown]
        for secret in rig.secrets:
            assert not [text for text in shown if secret in text]

    async def test_its_settings_are_checked(self, rig: Rig[C]) -> None:
        """An unknown setting is one line that names it, and is no secret."""
        with pytest.raises(errors.ConfigurationError, match="no_such_setting") as caught:
            rig.new({"no_such_setting": "value of it"})

        assert "value of it" not in str(caught.value)
        assert "\n" not in str(caught.value)


def _shown_by(connector: BaseConnector) -> list[str]:
    """What a connector, its parts, their parts and its status show of themselves."""
    parts = [*vars(connector).values(), *getattr(connector, "_sessions", ())]
    parts += [part for each in parts if hasattr(each, "__dict__") for part in vars(each).values()]
    return [repr(each) for each in (connector, connector.get_status(), *parts)]


def _shown_of(error: BaseException) -> list[str]:
    """What an error shows: its text, members, notes, pickle, and the locals of its frames."""
    stack = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    frames = [repr(each.locals) for each in stack if each.filename != __file__]
    return [str(error), repr(error.__dict__), pickle.dumps(error).decode("latin-1"), *frames]


async def _all_ended(before: set[asyncio.Task[Any]]) -> None:
    """Fail if a task has come to stay."""
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        _, left = await asyncio.wait(left, timeout=1.0)
    assert not left


async def first_of(rows: AsyncIterator[Any], most: int) -> list[Any]:
    """The first rows of a walk, which is then ended."""
    found = []
    async for row in rows:
        found.append(row)
        if len(found) == most:
            break
    if hasattr(rows, "aclose"):
        closing: Awaitable[None] = rows.aclose()
        await closing
    return found
