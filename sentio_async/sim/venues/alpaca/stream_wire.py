"""JSON and MessagePack as Alpaca's streams write them; the handshake's Content-Type chooses.

Times are text in JSON and the Timestamp extension (type -1, to the nanosecond) in MessagePack.
https://docs.alpaca.markets/docs/streaming-market-data
"""

from collections.abc import Mapping
from hmac import compare_digest
from typing import Any, Final

import msgspec

from sentio_async.sim.clock import SECOND
from sentio_async.sim.sessions import read_json
from sentio_async.sim.state import Credential, State
from sentio_async.sim.venues.times import rfc3339

_TIMESTAMP: Final = -1


class Stamp:
    """An instant, whatever the encoding.

    No dataclass: msgspec would write that as an object instead of asking how to.
    """

    __slots__ = ("ns",)

    def __init__(self, ns: int) -> None:
        self.ns = ns


def _as_text(value: Any) -> str:
    if isinstance(value, Stamp):
        return rfc3339(value.ns)
    raise NotImplementedError(f"cannot write {type(value).__name__}")


def _as_extension(value: Any) -> msgspec.msgpack.Ext:
    if isinstance(value, Stamp):
        return msgspec.msgpack.Ext(_TIMESTAMP, timestamp(value.ns))
    raise NotImplementedError(f"cannot write {type(value).__name__}")


def timestamp(ns: int) -> bytes:
    """The shortest of the extension's three forms that holds this instant."""
    seconds, rest = divmod(ns, SECOND)
    if not rest and 0 <= seconds < 1 << 32:
        return seconds.to_bytes(4, "big")
    if 0 <= seconds < 1 << 34:
        return (rest << 34 | seconds).to_bytes(8, "big")
    return rest.to_bytes(4, "big") + seconds.to_bytes(8, "big", signed=True)


_JSON: Final = msgspec.json.Encoder(decimal_format="number", enc_hook=_as_text)
_PACK: Final = msgspec.msgpack.Encoder(decimal_format="number", enc_hook=_as_extension)


def is_msgpack(headers: Mapping[str, str]) -> bool:
    """Whether the client asked for MessagePack."""
    return "msgpack" in headers.get("content-type", "").lower()


def encode(value: Any, *, packed: bool) -> bytes:
    """One message."""
    return _PACK.encode(value) if packed else _JSON.encode(value)


def decode(message: bytes, *, packed: bool) -> Any:
    """One message of the client's, or None when it is none."""
    if not packed:
        return read_json(message)
    try:
        return msgspec.msgpack.decode(message)
    except (ValueError, msgspec.DecodeError):
        return None


def credential_of(state: State, key: object, secret: object) -> Credential | None:
    """Whose key and secret these are; `oauth` as key takes a token, here any known key."""
    if not isinstance(key, str) or not isinstance(secret, str):
        return None
    if key == "oauth":
        return state.credential("alpaca", secret)
    known = state.credential("alpaca", key)
    if known is None or not compare_digest(known.secret.encode(), secret.encode()):
        return None
    return known
