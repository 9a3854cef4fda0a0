"""Connectors that share one client, their quotas and their health."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Self

from sentio_async import errors
from sentio_async.base import (
    BaseConnector,
    BrokerConnector,
    DataProviderConnector,
    NotificationConnector,
)
from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.events import Listener
from sentio_async.factory import ConnectorFactory, Settings
from sentio_async.health import HealthMonitor
from sentio_async.http.client import AsyncClient, Resources

__all__ = ["ConnectorHub"]


class ConnectorHub:
    """Owns one ``httpx.AsyncClient``, the quotas, and the health checks of its connectors.

    ``async with ConnectorHub() as hub`` opens it; create connectors, then ``await hub.connect()``
    connects all of them at the same time.  Leaving the block disconnects them.  A ``client`` that
    is given is used and never closed.
    """

    def __init__(
        self,
        *,
        client: AsyncClient | None = None,
        check_interval: float = 60.0,
        listeners: Sequence[Listener] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._resources = Resources(client=client, listeners=listeners, clock=clock)
        self._connectors: dict[str, BaseConnector] = {}
        self.health = HealthMonitor(check_interval, listeners=listeners, clock=clock)

    def create_broker(self, name: str, config: Settings = None) -> BrokerConnector:
        """A broker that belongs to this hub."""
        made = ConnectorFactory.create_broker(name, config, resources=self._resources)
        self.add(made)
        return made

    def create_data_provider(self, name: str, config: Settings = None) -> DataProviderConnector:
        """A data provider that belongs to this hub."""
        made = ConnectorFactory.create_data_provider(name, config, resources=self._resources)
        self.add(made)
        return made

    def create_notification(self, name: str, config: Settings = None) -> NotificationConnector:
        """A notifier that belongs to this hub."""
        made = ConnectorFactory.create_notification(name, config, resources=self._resources)
        self.add(made)
        return made

    def add(self, connector: BaseConnector) -> str:
        """Let this hub connect, watch and disconnect a connector; gives its name here."""
        name = connector.name
        if name in self._connectors:
            # A vendor may serve two roles: alpaca, and alpaca.data_provider beside it.
            name = f"{name}.{connector.role.value}"
        if name in self._connectors:
            raise errors.ConfigurationError(
                f"this hub has a connector {name!r}; give one of them a `name` in its settings"
            )
        self._connectors[name] = connector
        self.health.register_connector(connector, name=name)
        return name

    @property
    def connectors(self) -> Mapping[str, BaseConnector]:
        """The connectors by name."""
        return dict(self._connectors)

    async def connect(self) -> None:
        """Connect all at the same time, then start the health checks.

        If one cannot connect, all are disconnected and its error is raised, with a note for each
        other one that failed.
        """
        failures = await self._failures_of(lambda each: each.connect())
        if failures:
            failures += await self._failures_of(lambda each: each.disconnect())
            raise _first(failures)
        if not self.health.is_running:
            await self.health.__aenter__()

    async def disconnect(self) -> None:
        """Stop the checks, disconnect all, close the client; a second call does nothing.

        If one will not go, the others do; its error is raised at the end.
        """
        await self.health.__aexit__(None, None, None)
        try:
            failures = await self._failures_of(lambda each: each.disconnect())
        finally:
            await self._resources.close()
        if failures:
            raise _first(failures)

    async def _failures_of(
        self, act: Callable[[BaseConnector], Awaitable[None]]
    ) -> list[BaseException]:
        """Do it to all at the same time, and to the end; gives what went wrong."""
        acts = map(act, self._connectors.values())
        results = await asyncio.gather(*acts, return_exceptions=True)
        return [each for each in results if isinstance(each, BaseException)]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.disconnect()

    def __repr__(self) -> str:
        return f"<ConnectorHub {', '.join(self._connectors) or 'empty'}>"


def _first(failures: Sequence[BaseException]) -> BaseException:
    """The first one, with a note for each of the others."""
    for other in failures[1:]:
        failures[0].add_note(f"also: {type(other).__name__}: {other}")
    return failures[0]
