"""The embedded exchange: vendors of a trading system, served from loopback.

async with Exchange(seed=7) as exchange:
    broker = AlpacaBroker(exchange.settings("alpaca"))
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sentio_async.sim.clock import SimClock
    from sentio_async.sim.exchange import Exchange
    from sentio_async.sim.faults import FaultRule
    from sentio_async.sim.replay import read_bars
    from sentio_async.sim.settings import MailSettings, SinkSettings

__all__ = ["Exchange", "FaultRule", "MailSettings", "SimClock", "SinkSettings", "read_bars"]

_HOMES = {
    "Exchange": "exchange",
    "FaultRule": "faults",
    "MailSettings": "settings",
    "SimClock": "clock",
    "SinkSettings": "settings",
    "read_bars": "replay",
}


def __getattr__(name: str) -> Any:
    """Import on first use: the servers' libraries come with the extra `sim`."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as exc:
        hint = "the embedded exchange needs the extra 'sim': pip install 'sentio-async[sim]'"
        raise ImportError(f"{hint} ({exc})", name=exc.name) from exc
