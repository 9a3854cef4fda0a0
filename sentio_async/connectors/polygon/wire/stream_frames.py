"""Quotes and trades of stocks and options as they usually look, read in one loop.

They are nearly all that comes, so little is called for one of them that need not be.  All else is
left to its lane, and so is a code or a symbol that comes for the first time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sentio_async.connectors.polygon.wire.envelope import PROVIDER
from sentio_async.connectors.polygon.wire.stream_messages import RawQuote, RawTrade
from sentio_async.connectors.polygon.wire.stream_rows import CODES, CONDITIONS, EXCHANGES
from sentio_async.models import Quote, Trade
from sentio_async.streams.consumers import FAULTS
from sentio_async.streams.desk import Desk, Read

__all__ = ["frame_reader"]


def frame_reader(desk: Desk, *, is_delayed: bool) -> Read:
    """What reads the frames of one market."""
    one_by_one, failed, late, provider = desk.read, desk.failed, is_delayed, PROVIDER
    exchanges, codes, conditions = EXCHANGES.known, CODES.known, CONDITIONS.known
    quotes, trades = desk.channels["quotes"], desk.channels["trades"]
    quote_routes, trade_routes = quotes.routes, trades.routes

    def read(messages: Sequence[Any], received_ns: int) -> None:
        row: Quote | Trade
        for raw in messages:
            kind, route = type(raw), None
            try:
                if kind is RawQuote:
                    quotes.last = row = Quote(
                        raw.sym, raw.t * 1_000_000, provider,
                        raw.bp, raw.ap, raw.bs, raw.size_asked,
                        exchanges[raw.bx], exchanges[raw.ax], conditions[raw.c], codes[raw.z],
                        is_delayed=late, received_ns=received_ns,
                    )  # fmt: skip
                    route = quote_routes[raw.sym]
                elif kind is RawTrade and raw.ds is None and raw.i is not None:
                    trades.last = row = Trade(
                        raw.sym, raw.t * 1_000_000, provider, raw.p, raw.s, str(raw.i),
                        codes[raw.x], conditions[raw.c], codes[raw.z],
                        is_delayed=late, received_ns=received_ns,
                    )  # fmt: skip
                    route = trade_routes[raw.sym]
            except KeyError:
                pass
            if route is None:
                one_by_one((raw,), received_ns)
                continue
            route.last = row
            deliver = route.deliver
            try:
                deliver(row)
            except FAULTS as exc:
                failed(deliver, exc)

    return read
