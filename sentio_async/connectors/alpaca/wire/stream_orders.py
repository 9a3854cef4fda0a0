"""Alpaca's stream of order updates.

https://docs.alpaca.markets/docs/websocket-streaming

Frames are text, or (from the paper host) binary with JSON inside; MessagePack is understood too.
There is no sequence number and no replay: what was missed must be asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

import msgspec

from sentio_async import errors
from sentio_async.connectors.alpaca.wire.orders import read_order
from sentio_async.connectors.alpaca.wire.stream import Keys
from sentio_async.http.reading import decimal_or_none, ns_from_text, utc_from_ns
from sentio_async.http.redaction import redactor
from sentio_async.models import Fill, Order, OrderUpdate
from sentio_async.streams.book import EVERYTHING, Topic
from sentio_async.streams.desk import Desk, Read
from sentio_async.streams.dialect import (
    Authenticated,
    Confirmed,
    Frame,
    Lane,
    Problem,
    Remedy,
    Signal,
)

__all__ = [
    "ORDERS",
    "AlpacaOrderDialect",
    "execution_id_of",
    "read_update",
    "update_from_fill",
    "update_from_order",
]

ORDERS = Topic("orders", EVERYTHING)
RECONCILED = "reconciled"


class Authorization(msgspec.Struct, tag_field="stream", tag="authorization"):
    """``authorized`` or ``unauthorized``, after a login or after a ``listen`` without one."""

    data: dict[str, Any]


class Listening(msgspec.Struct, tag_field="stream", tag="listening"):
    """The streams that are listened to now."""

    data: dict[str, Any]


class Update(msgspec.Struct, tag_field="stream", tag="trade_updates"):
    """Something happened to an order."""

    data: dict[str, Any]


_decoder = msgspec.json.Decoder(Authorization | Listening | Update, float_hook=Decimal)
_packed = msgspec.msgpack.Decoder(Authorization | Listening | Update)
_any = msgspec.json.Decoder(dict[str, Any])
_any_packed = msgspec.msgpack.Decoder(dict[str, Any])


def read_update(raw: Mapping[str, Any]) -> OrderUpdate:
    """An update; only executions have a price and a quantity."""
    order = read_order(raw["order"])
    time = raw.get("timestamp") or raw.get("at")
    at_ns = ns_from_text(time) if time else order.nanoseconds.get("updated_at", 0)
    return OrderUpdate(
        event=raw["event"],
        order=order,
        at=utc_from_ns(at_ns),
        execution_id=raw.get("execution_id") or None,
        price=decimal_or_none(raw.get("price")),
        qty=decimal_or_none(raw.get("qty")),
        position_qty=decimal_or_none(raw.get("position_qty")),
        nanoseconds={"at": at_ns},
        raw=raw,
    )


def update_from_order(order: Order, at_ns: int) -> OrderUpdate:
    """What an order is now, found out by asking."""
    return OrderUpdate(
        event=RECONCILED,
        order=order,
        at=utc_from_ns(at_ns),
        is_reconciled=True,
        nanoseconds={"at": at_ns},
        raw=order.raw,
    )


def update_from_fill(fill: Fill, order: Order) -> OrderUpdate:
    """An execution that was not heard of when it happened."""
    at_ns = fill.nanoseconds["at"]
    return OrderUpdate(
        event="partial_fill" if fill.is_partial else "fill",
        order=order,
        at=fill.at,
        execution_id=execution_id_of(fill),
        price=fill.price,
        qty=fill.qty,
        is_reconciled=True,
        nanoseconds={"at": at_ns},
        raw=fill.raw,
    )


def execution_id_of(fill: Fill) -> str:
    """The execution's id, which an activity's id carries after its time."""
    return fill.id.partition("::")[2] or fill.id


class AlpacaOrderDialect:
    """The stream of order updates; ``login`` chooses between the two forms that both work."""

    def __init__(
        self, url: str, keys: Keys, *, login: Literal["auth", "authenticate"] = "auth"
    ) -> None:
        self.url = url
        self.headers: Mapping[str, str] = {}
        self.lanes: Mapping[type, Lane] = {
            Update: Lane("orders", lambda raw, _: read_update(raw.data))
        }
        self._keys = keys
        self._login = login

    def decode(self, payload: bytes) -> Sequence[Any]:
        """A frame is one message, in JSON whether text or binary, or else in MessagePack."""
        return ((_decoder if payload[:1] == b"{" else _packed).decode(payload),)

    def decode_each(self, payload: bytes) -> tuple[Sequence[Any], int]:
        """Streams never heard of are ignored; what is no message at all is counted."""
        try:
            raw = (_any if payload[:1] == b"{" else _any_packed).decode(payload)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return (), 1
        known = ("trade_updates", "authorization", "listening")
        return (), int(raw.get("stream", "trade_updates") in known)

    def reader(self, desk: Desk) -> Read:
        """One by one."""
        return desk.read

    def opening(self) -> Sequence[Frame]:
        """The login; this stream does not greet."""
        return (_write(self._form()),)

    def _form(self) -> dict[str, Any]:
        keys = self._keys.plain()
        if keys["key"] == "oauth":
            return {"action": "authenticate", "data": {"oauth_token": keys["secret"]}}
        if self._login == "authenticate":
            data = {"key_id": keys["key"], "secret_key": keys["secret"]}
            return {"action": "authenticate", "data": data}
        return {"action": "auth", **keys}

    def credentials(self) -> Sequence[Frame]:
        """They are sent at once, see ``opening``."""
        return ()

    def understand(self, raw: Any) -> Signal | None:
        """What a control message means."""
        match raw:
            case Authorization(data) if data.get("status") == "authorized":
                return Authenticated()
            case Authorization(data):
                return _unauthorized(data)
            case Listening(data) if data.get("error"):
                error = errors.ServerError(
                    redactor.scrub(f"listen: {data['error']}"), connector="alpaca"
                )
                return Problem(error, Remedy.RETRY)
            case Listening(data):
                streams = data.get("streams")
                heard = isinstance(streams, list) and "trade_updates" in streams
                return Confirmed((ORDERS,) if heard else (), is_all=True)
        return None

    def subscribe(self, topics: Sequence[Topic]) -> Sequence[Frame]:
        """One message; there is but one topic."""
        return (_listen("trade_updates"),) if topics else ()

    def unsubscribe(self, topics: Sequence[Topic]) -> Sequence[Frame]:
        """Listen to nothing."""
        return (_listen(),) if topics else ()


def _unauthorized(data: Mapping[str, Any]) -> Signal:
    action = data.get("action")
    text = redactor.scrub(f"unauthorized: {action}")
    if action == "listen":
        # It came before the answer to the login: the key may well be right.
        return Problem(errors.ServerError(text, connector="alpaca"), Remedy.RETRY)
    return Problem(errors.AuthenticationError(text, connector="alpaca"), Remedy.FINAL)


def _listen(*streams: str) -> Frame:
    return _write({"action": "listen", "data": {"streams": streams}})


def _write(message: Mapping[str, Any]) -> Frame:
    return msgspec.json.encode(message).decode()
