"""Connectors by name: the built-in vendors, and whatever else is registered."""

from __future__ import annotations

import difflib
import weakref
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, ClassVar

from sentio_async import connectors, errors
from sentio_async.base import (
    BaseConnector,
    BrokerConnector,
    DataProviderConnector,
    NotificationConnector,
    Role,
)
from sentio_async.config import ConnectorConfig

__all__ = ["ConnectorFactory", "Settings"]

ENTRY_POINTS = "sentio_async.connectors"

Settings = Mapping[str, Any] | ConnectorConfig | None
"""What a connector is made with; None is the environment alone."""


class ConnectorFactory:
    """Makes connectors by vendor name.

    Third parties add theirs with ``register_broker`` and its siblings, or by an entry point in
    the group ``sentio_async.connectors``, which is loaded only when it is named.
    """

    _registered: ClassVar[dict[tuple[Role, str], type[BaseConnector]]] = {}
    _instances: ClassVar[weakref.WeakValueDictionary[str, BaseConnector]] = (
        weakref.WeakValueDictionary()
    )

    @classmethod
    def register_broker(cls, name: str, connector: type[BrokerConnector]) -> None:
        """Let ``create_broker(name)`` make this class; the last registration counts."""
        cls._register(Role.BROKER, name, connector, BrokerConnector)

    @classmethod
    def register_data_provider(cls, name: str, connector: type[DataProviderConnector]) -> None:
        """Let ``create_data_provider(name)`` make this class; the last registration counts."""
        cls._register(Role.DATA, name, connector, DataProviderConnector)

    @classmethod
    def register_notification(cls, name: str, connector: type[NotificationConnector]) -> None:
        """Let ``create_notification(name)`` make this class; the last registration counts."""
        cls._register(Role.NOTIFICATION, name, connector, NotificationConnector)

    @classmethod
    def create_broker(
        cls, name: str, config: Settings = None, *, instance_id: str | None = None, **options: Any
    ) -> BrokerConnector:
        """A broker; not connected yet.  ``options`` are those of ``BaseConnector``."""
        made = cls._create(Role.BROKER, name, config, instance_id, options)
        assert isinstance(made, BrokerConnector)
        return made

    @classmethod
    def create_data_provider(
        cls, name: str, config: Settings = None, *, instance_id: str | None = None, **options: Any
    ) -> DataProviderConnector:
        """A data provider; not connected yet.  ``options`` are those of ``BaseConnector``."""
        made = cls._create(Role.DATA, name, config, instance_id, options)
        assert isinstance(made, DataProviderConnector)
        return made

    @classmethod
    def create_notification(
        cls, name: str, config: Settings = None, *, instance_id: str | None = None, **options: Any
    ) -> NotificationConnector:
        """A notifier; not connected yet.  ``options`` are those of ``BaseConnector``."""
        made = cls._create(Role.NOTIFICATION, name, config, instance_id, options)
        assert isinstance(made, NotificationConnector)
        return made

    @classmethod
    def get_instance(cls, instance_id: str) -> BaseConnector:
        """A connector made earlier that somebody still holds."""
        try:
            return cls._instances[instance_id]
        except KeyError:
            known = ", ".join(cls.list_instances()) or "none"
            raise errors.ConfigurationError(
                f"no connector {instance_id!r} is alive; there are {known}"
            ) from None

    @classmethod
    def list_instances(cls) -> list[str]:
        """The ids of all connectors made here that somebody still holds."""
        return sorted(cls._instances)

    @classmethod
    def list_registered_brokers(cls) -> list[str]:
        """The names ``create_broker`` takes."""
        return cls._names(Role.BROKER)

    @classmethod
    def list_registered_data_providers(cls) -> list[str]:
        """The names ``create_data_provider`` takes."""
        return cls._names(Role.DATA)

    @classmethod
    def list_registered_notifications(cls) -> list[str]:
        """The names ``create_notification`` takes."""
        return cls._names(Role.NOTIFICATION)

    @classmethod
    def connector_class(cls, role: Role, name: str) -> type[BaseConnector]:
        """The class behind a name, imported now; raises ConfigurationError or RetiredError."""
        key = str(name).strip().lower()  # a variable that is not set comes as None
        if key in connectors.RETIRED:
            retired = connectors.RETIRED[key]
            raise errors.RetiredError(
                f"{retired.reason}; use {' or '.join(retired.replacements)}",
                replacements=retired.replacements,
                connector=key,
            )
        found = cls._registered.get((role, key)) or _built_in(role, key) or _plugged_in(role, key)
        if found is None:
            raise errors.ConfigurationError(_unknown(role, key, {r: cls._names(r) for r in Role}))
        return found

    @classmethod
    def _register(cls, role: Role, name: str, connector: object, base: type[BaseConnector]) -> None:
        if not (isinstance(connector, type) and issubclass(connector, base)):
            raise errors.ConfigurationError(f"{name}: a subclass of {base.__name__} is needed")
        cls._registered[role, name.strip().lower()] = connector

    @classmethod
    def _create(
        cls,
        role: Role,
        name: str,
        config: Settings,
        instance_id: str | None,
        options: Mapping[str, Any],
    ) -> BaseConnector:
        kind = cls.connector_class(role, name)
        if settings := sorted(kind.Config.model_fields.keys() & options):
            told = f"{', '.join(settings)}: settings go into a dict: {{'{settings[0]}': ...}}"
            raise errors.ConfigurationError(told, connector=kind.vendor)
        made = kind(config, **options)
        if instance_id is not None and instance_id in cls._instances:
            raise errors.ConfigurationError(f"a connector {instance_id!r} is alive already")
        cls._instances[instance_id or _free(made.name, cls._instances)] = made
        return made

    @classmethod
    def _names(cls, role: Role) -> list[str]:
        built_in = {v.name for v in connectors.VENDORS if role.value in v.roles}
        aliases = {a for v in connectors.VENDORS if role.value in v.roles for a in v.aliases}
        return sorted(built_in | aliases | {n for r, n in cls._registered if r is role})


def _free(name: str, taken: Mapping[str, Any]) -> str:
    numbered = (name if n == 1 else f"{name}-{n}" for n in range(1, len(taken) + 2))
    return next(each for each in numbered if each not in taken)


def _built_in(role: Role, name: str) -> type[BaseConnector] | None:
    for vendor in connectors.VENDORS:
        if name in (vendor.name, *vendor.aliases) and role.value in vendor.roles:
            return connectors.load(vendor, role.value)
    return None


def _plugged_in(role: Role, name: str) -> type[BaseConnector] | None:
    for entry in entry_points(group=ENTRY_POINTS, name=name):
        found = entry.load()
        for each in found if isinstance(found, list | tuple) else (found,):
            if isinstance(each, type) and issubclass(each, BaseConnector) and each.role is role:
                return each
    return None


def _unknown(role: Role, name: str, names: Mapping[Role, list[str]]) -> str:
    what = {Role.BROKER: "broker", Role.DATA: "data provider", Role.NOTIFICATION: "notifier"}
    close = difflib.get_close_matches(name, names[role], n=1)
    guess = f"; did you mean {close[0]!r}" if close else ""
    elsewhere = "".join(f"; it is a {what[each]}" for each in Role if name in names[each])
    return f"no {what[role]} {name!r}{guess}{elsewhere} (there are {', '.join(names[role])})"
