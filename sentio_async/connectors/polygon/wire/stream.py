"""Massive's streams: login, one answer a topic, what their statuses mean.

https://massive.com/docs/websocket/quickstart

A topic is ``T.AAPL``, cut at the first dot only: ``T.BRK.B`` is the trades of ``BRK.B``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from pydantic import SecretStr

from sentio_async import errors
from sentio_async.connectors.polygon.wire.stream_frames import frame_reader
from sentio_async.connectors.polygon.wire.stream_messages import DATA
from sentio_async.connectors.polygon.wire.stream_rows import lanes
from sentio_async.connectors.polygon.wire.tickers import asset_class
from sentio_async.http.redaction import redactor
from sentio_async.models import AssetClass
from sentio_async.streams.book import EVERYTHING, Topic
from sentio_async.streams.desk import Desk, Read
from sentio_async.streams.dialect import (
    Authenticated,
    Confirmed,
    Frame,
    Hello,
    Lane,
    Problem,
    Refused,
    Remedy,
    Signal,
)

__all__ = ["MARKETS", "PolygonDialect", "market_of"]

_TAPE = {
    "trades": "T",
    "quotes": "Q",
    "bars": "AM",
    "second_bars": "A",
    "fair_values": "FMV",
}
MARKETS: Mapping[str, Mapping[str, str]] = {
    "stocks": {**_TAPE, "bands": "LULD", "imbalances": "NOI"},
    "options": _TAPE,
    "forex": {"quotes": "C", "bars": "CA", "second_bars": "CAS"},
    "crypto": {"trades": "XT", "quotes": "XQ", "bars": "XA", "second_bars": "XAS"},
    "indices": {"values": "V", "bars": "AM", "second_bars": "A"},
}
"""What each market tells of, and the prefix of its topics."""

_MARKET_OF = {
    AssetClass.OPTION: "options",
    AssetClass.CRYPTO: "crypto",
    AssetClass.FOREX: "forex",
    AssetClass.INDEX: "indices",
}
_PAIRS = {"crypto": "X:", "forex": "C:"}
_SUBSCRIBED = "subscribed to: "


def market_of(ticker: str) -> str:
    """The market whose stream tells of a ticker; ``X:*`` is all of crypto."""
    return _MARKET_OF.get(asset_class(ticker), "stocks")


class Status(msgspec.Struct, tag_field="ev", tag="status"):
    """Everything that is no data."""

    status: str
    message: str | None = None


class _Any(msgspec.Struct):
    ev: str


_Message = DATA | Status
_KNOWN = {kind.__struct_config__.tag for kind in _Message.__args__}
_decoder: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(list[_Message])
_pieces = msgspec.json.Decoder(list[msgspec.Raw])
_one: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_Message)
_tag = msgspec.json.Decoder(_Any)
_TROUBLE = (msgspec.MsgspecError, ValueError, RecursionError)


class PolygonDialect:
    """The stream of one market."""

    def __init__(self, url: str, key: SecretStr, market: str, *, is_delayed: bool = False) -> None:
        self.url = url
        self.headers: Mapping[str, str] = {}
        self.lanes: Mapping[type, Lane] = lanes(is_delayed=is_delayed)
        self.decode = _decoder.decode
        self._is_delayed = is_delayed
        self._key = key
        self._market = market
        self._prefixes = MARKETS[market]
        self._channels = {prefix: channel for channel, prefix in self._prefixes.items()}

    def decode_each(self, payload: bytes) -> tuple[Sequence[Any], int]:
        """Message by message; events never heard of are ignored, unreadable ones counted."""
        try:
            pieces = _pieces.decode(payload)
        except _TROUBLE:
            return (), 1
        good, bad = [], 0
        for piece in pieces:
            try:
                good.append(_one.decode(piece))
            except _TROUBLE:
                bad += _is_known(piece)
        return good, bad

    def reader(self, desk: Desk) -> Read:
        """Quotes and trades in one loop."""
        return frame_reader(desk, is_delayed=self._is_delayed)

    def opening(self) -> Sequence[Frame]:
        """Massive greets first."""
        return ()

    def credentials(self) -> Sequence[Frame]:
        """The key."""
        return (_write("auth", self._key.get_secret_value()),)

    def understand(self, raw: Status) -> Signal | None:
        """What a status means."""
        words = raw.message or ""
        said = redactor.scrub(words)
        match raw.status:
            case "connected":
                return Hello()
            case "auth_success":
                return Authenticated()
            case "success":
                return Confirmed(self._confirmed(words))
            case "auth_failed":
                error = errors.AuthenticationError(said, connector="polygon")
                return Problem(error, Remedy.FINAL)
            case "max_connections":
                # It comes after everything went well; who is cut off, the older or the newer
                # connection, is told differently by different people.
                limit = errors.RateLimitError(said or raw.status, connector="polygon")
                return Problem(limit, Remedy.SLOWLY)
            case "error":
                return Refused(errors.PermissionError(said or "error", connector="polygon"))
            case "auth_timeout" | "slow_consumer" | "force_disconnect":
                text = f"{raw.status} {said}".strip()
                return Problem(errors.ServerError(text, connector="polygon"), Remedy.RETRY)
        return None

    def _confirmed(self, message: str) -> tuple[Topic, ...]:
        if not message.startswith(_SUBSCRIBED):
            return ()
        names = message.removeprefix(_SUBSCRIBED).split(",")
        found = (self._topic(name.strip()) for name in names)
        return tuple(topic for topic in found if topic is not None)

    def _topic(self, name: str) -> Topic | None:
        prefix, _, symbol = name.partition(".")
        channel = self._channels.get(prefix)
        if channel is None or not symbol:
            return None
        pairs = _PAIRS.get(self._market)
        if pairs is not None and symbol != EVERYTHING:
            symbol = pairs + symbol.removeprefix(pairs).replace("-", "").replace("/", "")
        return Topic(channel, symbol)

    def _name(self, topic: Topic) -> str:
        symbol = topic.symbol
        pairs = _PAIRS.get(self._market)
        if pairs is not None and symbol != EVERYTHING:
            pair = symbol.removeprefix(pairs)
            # The second currency has three letters, the first may have more: DOGE-USD.
            symbol = f"{pair[:-3]}-{pair[-3:]}"
        return f"{self._prefixes[topic.channel]}.{symbol}"

    def subscribe(self, topics: Sequence[Topic]) -> Sequence[Frame]:
        """One message; each topic is answered by itself."""
        return (_write("subscribe", ",".join(map(self._name, topics))),)

    def unsubscribe(self, topics: Sequence[Topic]) -> Sequence[Frame]:
        """One message."""
        return (_write("unsubscribe", ",".join(map(self._name, topics))),)


def _is_known(piece: msgspec.Raw) -> bool:
    try:
        return _tag.decode(piece).ev in _KNOWN
    except _TROUBLE:
        return True


def _write(action: str, params: str) -> Frame:
    return msgspec.json.encode({"action": action, "params": params}).decode()
