"""Quotes and trades of stocks and options as they usually look, read in one loop.

They are nearly all that comes, so little is called for one of them that need not be.  All else is
left to its lane.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sentio_async.connectors.polygon.wire.envelope import PROVIDER
from sentio_async.connectors.polygon.wire.stream_messages import RawQuote, RawTrade
from sentio_async.connectors.polygon.wire.stream_rows import CODES, CONDITIONS, EXCHANGES
from sentio_async.models import Quote, Trade
from sentio_async.streams.desk import Desk, Read

__all__ = ["frame_reader"]


def frame_reader(desk: Desk, *, is_delayed: bool) -> Read:
    """What reads the frames of one market."""
    others, failed, late = desk.read, desk.failed, is_delayed
    channel, trade = desk.channels["quotes"], _trade_reader(desk, is_delayed=is_delayed)
    routes, exchanges, codes, conditions = channel.routes, EXCHANGES, CODES, CONDITIONS

    def read(messages: Sequence[Any], received_ns: int) -> None:
        for raw in messages:
            kind = type(raw)
            if kind is not RawQuote:
                if kind is RawTrade:
                    trade(raw, received_ns)
                else:
                    others((raw,), received_ns)
                continue
            row = Quote(
                raw.sym, raw.t * 1_000_000, PROVIDER, raw.bp, raw.ap, raw.bs, raw.size_asked,
                exchanges[raw.bx], exchanges[raw.ax], conditions[raw.c], codes[raw.z],
                is_delayed=late, received_ns=received_ns,
            )  # fmt: skip
            route = routes[raw.sym]
            channel.last = route.last = row
            deliver = route.deliver
            try:
                deliver(row)
            except Exception as exc:  # noqa: BLE001 (a consumer's failure is its own)
                failed(deliver, exc)

    return read


def _trade_reader(desk: Desk, *, is_delayed: bool) -> Callable[[RawTrade, int], None]:
    others, failed, late = desk.read, desk.failed, is_delayed
    channel = desk.channels["trades"]
    routes, codes, conditions = channel.routes, CODES, CONDITIONS

    def read(raw: RawTrade, received_ns: int) -> None:
        if raw.ds is not None or raw.i is None:
            others((raw,), received_ns)
            return
        row = Trade(
            raw.sym, raw.t * 1_000_000, PROVIDER, raw.p, raw.s, str(raw.i),
            codes[raw.x], conditions[raw.c], codes[raw.z],
            is_delayed=late, received_ns=received_ns,
        )  # fmt: skip
        route = routes[raw.sym]
        channel.last = route.last = row
        deliver = route.deliver
        try:
            deliver(row)
        except Exception as exc:  # noqa: BLE001 (a consumer's failure is its own)
            failed(deliver, exc)

    return read
