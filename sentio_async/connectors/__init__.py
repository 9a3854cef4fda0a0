"""The vendors: one folder and one line each.  Nothing is imported before it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sentio_async.base import Capability, Role

__all__ = ["RETIRED", "VENDORS", "Retired", "Vendor", "load", "vendors_offering"]


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor's connectors by role, each as ``module:Class`` inside its folder."""

    name: str
    roles: Mapping[str, str]
    aliases: tuple[str, ...] = ()
    extra: str | None = None
    """The extra that its connectors need, beyond the core."""


@dataclass(frozen=True, slots=True)
class Retired:
    """A vendor whose service has ended."""

    reason: str
    replacements: tuple[str, ...] = field(default=())


VENDORS = (
    Vendor("alpaca", {"broker": "broker:AlpacaBroker", "data_provider": "data:AlpacaData"}),
    Vendor("polygon", {"data_provider": "data:PolygonData"}, aliases=("massive",)),
    Vendor("email", {"notification": "notifier:EmailNotifier"}),
    Vendor("webhook", {"notification": "notifier:WebhookNotifier"}),
)

RETIRED: Mapping[str, Retired] = {
    "iex_cloud": Retired("IEX Cloud ended on 31 August 2024", ("polygon", "alpaca")),
    "td_ameritrade": Retired(
        "TD Ameritrade became part of Charles Schwab; its API ended in May 2024", ("alpaca",)
    ),
}


def load(vendor: Vendor, role: str) -> type[Any]:
    """The class of a vendor's connector, imported now."""
    module, _, name = vendor.roles[role].partition(":")
    found = getattr(importlib.import_module(f"{__name__}.{vendor.name}.{module}"), name)
    assert isinstance(found, type)
    return found


def vendors_offering(capability: Capability, role: Role) -> list[str]:
    """The vendors whose connector of this role declares the capability."""
    return [
        vendor.name
        for vendor in VENDORS
        if role.value in vendor.roles and capability in load(vendor, role.value).capabilities
    ]
