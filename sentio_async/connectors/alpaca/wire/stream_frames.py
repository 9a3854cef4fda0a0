"""Quotes and trades of Alpaca's streams as they usually look, read in one loop.

They are nearly all that comes, so little is called for one of them that need not be.  What looks
otherwise (a time as text, a side without an exchange) is left to its lane, and so is a symbol that
comes for the first time.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from sentio_async.connectors.alpaca.wire.data_rows import PROVIDER, Feed
from sentio_async.connectors.alpaca.wire.stream_messages import RawQuote, RawTrade
from sentio_async.models import Quote, Trade
from sentio_async.streams.consumers import FAULTS
from sentio_async.streams.desk import Desk, Read

__all__ = ["frame_reader"]

# A Timestamp of 64 bits begins with 30 bits of nanoseconds; until 2106 the seconds are the last 32.
_halves = struct.Struct(">II").unpack
_OTHER_LOOKS = (AttributeError, KeyError, struct.error)
_NOWHERE = frozenset((" ", "", None))
"""How a side without an exchange looks."""


def frame_reader(feed: Feed, desk: Desk) -> Read:
    """What reads the frames of a feed that goes by this name."""
    name, late, provider = feed.name, feed.is_delayed, PROVIDER
    one_by_one, failed, halves, nowhere = desk.read, desk.failed, _halves, _NOWHERE
    quotes, trades = desk.channels["quotes"], desk.channels["trades"]
    quote_routes, trade_routes = quotes.routes, trades.routes

    def read(messages: Sequence[Any], received_ns: int) -> None:
        row: Quote | Trade
        second = second_ns = 0  # most rows of a frame are of one second
        for raw in messages:
            route = None
            try:
                words = raw.c
                upper, lower = halves(raw.t.data)
                if lower != second:
                    second, second_ns = lower, lower * 1_000_000_000
                kind = type(raw) if type(words) is tuple else None
                if kind is RawQuote and not (raw.bx in nowhere or raw.ax in nowhere):
                    quotes.last = row = Quote(
                        raw.S, second_ns + (upper >> 2), provider, raw.bp, raw.ap, raw.bs,
                        raw.size_asked, raw.bx, raw.ax, words, raw.z or None,
                        feed=name, is_delayed=late, received_ns=received_ns,
                    )  # fmt: skip
                    route = quote_routes[raw.S]
                elif kind is RawTrade and raw.i is not None and raw.tks is None:
                    trades.last = row = Trade(
                        raw.S, second_ns + (upper >> 2), provider, raw.p, raw.s, str(raw.i),
                        raw.x or None, words, raw.z or None,
                        feed=name, is_delayed=late, received_ns=received_ns,
                    )  # fmt: skip
                    route = trade_routes[raw.S]
            except _OTHER_LOOKS:
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
