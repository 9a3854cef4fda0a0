"""Whether markets are open, and when they will not be.

https://massive.com/docs/rest/stocks/market-operations/market-status
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sentio_async import errors
from sentio_async.connectors.polygon.values import MarketHoliday
from sentio_async.connectors.polygon.wire.envelope import PROVIDER, api, member
from sentio_async.http.endpoint import Parts
from sentio_async.http.reading import ns_from_text, read_rows
from sentio_async.http.wire_json import Json
from sentio_async.models import ExchangeStatus, MarketStatus, Rows

__all__ = ["market_holidays", "market_status"]

# On a short day the regular session is on until the early close.
_OPEN = frozenset({"open", "early-close"})


def read_status(raw: Json) -> MarketStatus:
    """Stocks decide ``is_open``; older answers lack the two marks of extended hours."""
    market = member(raw, "market")
    extended = raw.get("afterHours") or raw.get("earlyHours") or market == "extended-hours"
    return MarketStatus(
        is_open=market in _OPEN,
        is_extended_hours=bool(extended),
        at_ns=ns_from_text(member(raw, "serverTime")),
        provider=PROVIDER,
        exchanges=(
            *_statuses(raw.get("exchanges")),
            *_statuses(raw.get("currencies")),
            *_statuses(raw.get("indicesGroups")),
        ),
    )


def _statuses(group: Mapping[str, Any] | None) -> list[ExchangeStatus]:
    return [
        ExchangeStatus(name=name, status=status, is_open=status in _OPEN)
        for name, status in (group or {}).items()
        if isinstance(status, str)
    ]


def read_holidays(raw: Json) -> Rows[MarketHoliday]:
    """A bare list, without any envelope."""
    if not isinstance(raw, list):
        raise errors.DecodeError(f"holidays: a list is needed, not {type(raw).__name__}")
    return read_rows(raw, MarketHoliday.read, what="holidays")


@api.get("/v1/marketstatus/now", returns=read_status)
def market_status() -> Parts:
    """Whether markets are open now."""
    return Parts()


@api.get("/v1/marketstatus/upcoming", returns=read_holidays)
def market_holidays() -> Parts:
    """The holidays and short days to come."""
    return Parts()
