"""Whether the market is open, from the clocks of Alpaca's trading API."""

from __future__ import annotations

from collections.abc import Sequence

from sentio_async import errors
from sentio_async.connectors.alpaca.wire.data_rows import PROVIDER
from sentio_async.http.reading import ns_from_text
from sentio_async.models import ExchangeStatus, MarketClock, MarketStatus

__all__ = ["read_market_status"]

_EXTENDED = frozenset({"pre", "post"})


def read_market_status(clocks: Sequence[MarketClock]) -> MarketStatus:
    """What the clocks say; the first one is the main market's."""
    if not clocks:
        raise errors.DecodeError("clocks: there is none")
    main = clocks[0]
    exchanges = [
        ExchangeStatus(name=clock.market or "", status=clock.raw["phase"], is_open=clock.is_open)
        for clock in clocks
    ]
    return MarketStatus(
        is_open=main.is_open,
        is_extended_hours=main.raw["phase"] in _EXTENDED,
        at_ns=ns_from_text(main.raw["timestamp"]),
        provider=PROVIDER,
        exchanges=tuple(exchanges),
        next_open=main.next_open,
        next_close=main.next_close,
    )
