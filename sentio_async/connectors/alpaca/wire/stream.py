"""Alpaca's market-data streams: login, subscriptions, what their errors mean.

https://docs.alpaca.markets/docs/streaming-market-data
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from pydantic import SecretStr

from sentio_async import errors
from sentio_async.connectors.alpaca.wire.data_rows import Feed
from sentio_async.connectors.alpaca.wire.stream_frames import frame_reader
from sentio_async.connectors.alpaca.wire.stream_messages import DATA
from sentio_async.connectors.alpaca.wire.stream_rows import lanes
from sentio_async.http.redaction import redactor
from sentio_async.streams.book import Topic
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

__all__ = ["CHANNELS", "AlpacaMarketDialect", "Keys"]

# Our words for channels, and Alpaca's.
CHANNELS = {
    "trades": "trades",
    "quotes": "quotes",
    "bars": "bars",
    "updated_bars": "updatedBars",
    "daily_bars": "dailyBars",
    "statuses": "statuses",
    "bands": "lulds",
    "imbalances": "imbalances",
    "books": "orderbooks",
    "news": "news",
}


class Keys:
    """Who is there: a key with its secret, or an OAuth token."""

    def __init__(
        self,
        key: SecretStr | None = None,
        secret: SecretStr | None = None,
        token: SecretStr | None = None,
    ) -> None:
        self._key, self._secret, self._token = key, secret, token

    def plain(self) -> dict[str, str]:
        """The members of a login, in the clear; a token goes by the key ``oauth``."""
        if self._token is not None:
            return {"key": "oauth", "secret": self._token.get_secret_value()}
        assert self._key is not None
        assert self._secret is not None
        return {"key": self._key.get_secret_value(), "secret": self._secret.get_secret_value()}

    def __repr__(self) -> str:
        return "<keys>"


class Success(msgspec.Struct, tag_field="T", tag="success"):
    """``connected`` or ``authenticated``."""

    msg: str


class Failure(msgspec.Struct, tag_field="T", tag="error"):
    """An error by its code."""

    code: int
    msg: str = ""


class Subscribed(msgspec.Struct, tag_field="T", tag="subscription", rename="camel"):
    """Everything that is subscribed to now."""

    trades: list[str] | None = None
    quotes: list[str] | None = None
    bars: list[str] | None = None
    updated_bars: list[str] | None = None
    daily_bars: list[str] | None = None
    statuses: list[str] | None = None
    lulds: list[str] | None = None
    imbalances: list[str] | None = None
    orderbooks: list[str] | None = None
    news: list[str] | None = None


class _Any(msgspec.Struct):
    T: str


_Message = DATA | Success | Failure | Subscribed
_KNOWN = {kind.__struct_config__.tag for kind in _Message.__args__}


class _Codec:
    """How messages are written: all of them in JSON, or all of them in MessagePack."""

    def __init__(self, module: Any) -> None:
        self.decode: Callable[[bytes], list[Any]] = module.Decoder(list[_Message]).decode
        self._pieces = module.Decoder(list[msgspec.Raw])
        self._one = module.Decoder(_Message)
        self._tag = module.Decoder(_Any)

    def decode_each(self, payload: bytes) -> tuple[Sequence[Any], int]:
        """What can be read, and how many cannot; kinds never heard of are neither."""
        try:
            pieces = self._pieces.decode(payload)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return (), 1
        good, bad = [], 0
        for piece in pieces:
            try:
                good.append(self._one.decode(piece))
            except (msgspec.MsgspecError, ValueError, RecursionError):
                bad += self._is_known(piece)
        return good, bad

    def _is_known(self, piece: msgspec.Raw) -> bool:
        try:
            return self._tag.decode(piece).T in _KNOWN
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return True


_JSON = _Codec(msgspec.json)
_MSGPACK = _Codec(msgspec.msgpack)


class AlpacaMarketDialect:
    """One of Alpaca's market-data streams: stocks, crypto, options or news."""

    def __init__(self, url: str, keys: Keys, feed: Feed, *, is_packed: bool = True) -> None:
        self.url = url
        self.headers: Mapping[str, str] = (
            {"content-type": "application/msgpack"} if is_packed else {}
        )
        self.lanes: Mapping[type, Lane] = lanes(feed)
        self._feed = feed
        self._keys = keys
        self._is_packed = is_packed
        self._codec = _MSGPACK if is_packed else _JSON
        self.decode = self._codec.decode

    def decode_each(self, payload: bytes) -> tuple[Sequence[Any], int]:
        """Message by message; text may come although MessagePack was asked for."""
        codec = _JSON if payload[:1] == b"[" else self._codec
        return codec.decode_each(payload)

    def reader(self, desk: Desk) -> Read:
        """Quotes and trades of the usual kind in one loop, if times are no text."""
        return frame_reader(self._feed, desk) if self._is_packed else desk.read

    def opening(self) -> Sequence[Frame]:
        """Alpaca greets first."""
        return ()

    def credentials(self) -> Sequence[Frame]:
        """The login, due within ten seconds."""
        return (self._write({"action": "auth", **self._keys.plain()}),)

    def understand(self, raw: Any) -> Signal | None:
        """What a control message means."""
        match raw:
            case Success("connected"):
                return Hello()
            case Success("authenticated"):
                return Authenticated()
            case Subscribed():
                return Confirmed(_topics(raw), is_all=True)
            case Failure(code, text):
                return read_failure(code, text)
        return None

    def subscribe(self, topics: Sequence[Topic]) -> Sequence[Frame]:
        """One message, which adds to what is subscribed to already."""
        return (self._write({"action": "subscribe", **_by_channel(topics)}),)

    def unsubscribe(self, topics: Sequence[Topic]) -> Sequence[Frame]:
        """One message."""
        return (self._write({"action": "unsubscribe", **_by_channel(topics)}),)

    def _write(self, message: Mapping[str, Any]) -> Frame:
        if self._is_packed:
            return msgspec.msgpack.encode(message)
        return msgspec.json.encode(message).decode()


def _by_channel(topics: Sequence[Topic]) -> dict[str, list[str]]:
    listed: dict[str, list[str]] = {}
    for topic in topics:
        listed.setdefault(CHANNELS[topic.channel], []).append(topic.symbol)
    return listed


def _topics(raw: Subscribed) -> tuple[Topic, ...]:
    found: list[Topic] = []
    for channel, name in CHANNELS.items():
        field = {"updatedBars": "updated_bars", "dailyBars": "daily_bars"}.get(name, name)
        found += (Topic(channel, symbol) for symbol in getattr(raw, field) or ())
    return tuple(found)


def read_failure(code: int, text: str) -> Signal:
    """What an error of a stream means for the connection and for what was asked for."""
    words = f"{redactor.scrub(text) or 'error'} ({code})"
    known: dict[str, Any] = {"code": code, "connector": "alpaca"}
    match code:
        case 400 | 405 | 410 | 413:
            # A word that is not a symbol, one symbol too many, a channel this feed has not got,
            # all quotes of all options.
            return Refused(errors.BadRequestError(words, **known))
        case 402:
            return Problem(errors.AuthenticationError(words, **known), Remedy.FINAL)
        case 403:
            # Already authenticated.
            return Problem(errors.BadRequestError(words, **known), Remedy.NONE_NEEDED)
        case 406:
            return Problem(errors.RateLimitError(words, **known), Remedy.SLOWLY)
        case 412:
            # This feed speaks MessagePack only.
            return Problem(errors.BadRequestError(words, **known), Remedy.FINAL)
        case 409 | 411:
            return Problem(errors.PermissionError(words, **known), Remedy.FINAL)
    return Problem(errors.ServerError(words, **known), Remedy.RETRY)
