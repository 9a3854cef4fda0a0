"""Quotes and trades of Alpaca's streams as they usually look, read in one loop.

They are nearly all that comes, so little is called for one of them that need not be.  What looks
otherwise (a time as text, a side without an exchange) is left to its lane.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

from sentio_async.connectors.alpaca.wire.data_rows import PROVIDER, Feed
from sentio_async.connectors.alpaca.wire.stream_messages import RawQuote, RawTrade
from sentio_async.models import Quote, Trade
from sentio_async.streams.desk import Desk, Read

__all__ = ["frame_reader"]

# A Timestamp of 64 bits begins with 30 bits of nanoseconds; until 2106 the seconds are the last 32.
_halves = struct.Struct(">II").unpack
_OTHER_TIMES = (AttributeError, struct.error)


def frame_reader(feed: Feed, desk: Desk) -> Read:
    """What reads the frames of a feed that goes by this name."""
    name, late, others, failed = feed.name, feed.is_delayed, desk.read, desk.failed
    channel, trade = desk.channels["quotes"], _trade_reader(feed, desk)
    routes, halves, provider = channel.routes, _halves, PROVIDER

    def read(messages: Sequence[Any], received_ns: int) -> None:
        for raw in messages:
            kind = type(raw)
            if kind is not RawQuote:
                if kind is RawTrade:
                    trade(raw, received_ns)
                else:
                    others((raw,), received_ns)
                continue
            here, there, words = raw.bx, raw.ax, raw.c
            try:
                upper, lower = halves(raw.t.data)
            except _OTHER_TIMES:
                words = None
            if here == " " or there == " " or not here or not there or type(words) is not tuple:
                others((raw,), received_ns)
                continue
            row = Quote(
                raw.S, lower * 1_000_000_000 + (upper >> 2), provider,
                raw.bp, raw.ap, raw.bs, raw.size_asked, here, there, words, raw.z or None,
                feed=name, is_delayed=late, received_ns=received_ns,
            )  # fmt: skip
            route = routes[raw.S]
            channel.last = route.last = row
            deliver = route.deliver
            try:
                deliver(row)
            except Exception as exc:  # noqa: BLE001 (a consumer's failure is its own)
                failed(deliver, exc)

    return read


def _trade_reader(feed: Feed, desk: Desk) -> Callable[[RawTrade, int], None]:
    name, late, others, failed = feed.name, feed.is_delayed, desk.read, desk.failed
    channel = desk.channels["trades"]
    routes, halves, provider = channel.routes, _halves, PROVIDER

    def read(raw: Any, received_ns: int) -> None:
        words = raw.c
        try:
            upper, lower = halves(raw.t.data)
        except _OTHER_TIMES:
            words = None
        if type(words) is not tuple or raw.i is None or raw.tks is not None:
            others((raw,), received_ns)
            return
        row = Trade(
            raw.S, lower * 1_000_000_000 + (upper >> 2), provider,
            raw.p, raw.s, str(raw.i), raw.x or None, words, raw.z or None,
            feed=name, is_delayed=late, received_ns=received_ns,
        )  # fmt: skip
        route = routes[raw.S]
        channel.last = route.last = row
        deliver = route.deliver
        try:
            deliver(row)
        except Exception as exc:  # noqa: BLE001 (a consumer's failure is its own)
            failed(deliver, exc)

    return read
