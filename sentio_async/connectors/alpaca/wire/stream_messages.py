"""The messages of Alpaca's market-data streams, in JSON and in MessagePack.

https://docs.alpaca.markets/docs/real-time-stock-pricing-data

Their letters are those of history, with the kind under ``T`` and the symbol under ``S``.
"""

from __future__ import annotations

import msgspec
from msgspec.msgpack import Ext

__all__ = [
    "DATA",
    "RawBand",
    "RawBar",
    "RawBook",
    "RawCancel",
    "RawCorrection",
    "RawDailyBar",
    "RawImbalance",
    "RawLevel",
    "RawNews",
    "RawQuote",
    "RawStatus",
    "RawTrade",
    "RawUpdatedBar",
    "Time",
]

Time = str | Ext
"""Text in JSON, the Timestamp extension in MessagePack."""


class RawTrade(msgspec.Struct, tag_field="T", tag="t", gc=False, kw_only=True):
    """A trade; crypto has ``tks`` and no exchange."""

    # Fields that stand in the order in which they come are found at once; so in quotes.
    i: int | str | None = None
    S: str
    x: str | None = None
    p: float
    s: float
    t: Time
    c: tuple[str, ...] | str | None = None
    z: str | None = None
    tks: str | None = None


class RawQuote(msgspec.Struct, tag_field="T", tag="q", gc=False, kw_only=True):
    """A quote."""

    S: str
    bx: str | None = None
    bp: float
    bs: float = 0.0
    ax: str | None = None
    ap: float
    size_asked: float = msgspec.field(name="as", default=0.0)
    t: Time
    c: tuple[str, ...] | str | None = None
    z: str | None = None


class _Row(msgspec.Struct, tag_field="T", gc=False):
    S: str
    t: Time


class RawBar(_Row, tag="b"):
    """A minute bar."""

    o: float
    h: float
    l: float  # noqa: E741 (the vendor's letter)
    c: float
    v: float
    n: int | None = None
    vw: float | None = None


class RawUpdatedBar(RawBar, tag="u"):
    """A minute bar again, with trades that came late."""


class RawDailyBar(RawBar, tag="d"):
    """The day so far."""


class RawStatus(_Row, tag="s"):
    """A halt, or its end."""

    sc: str
    sm: str = ""
    rc: str = ""
    rm: str = ""
    z: str | None = None


class RawBand(_Row, tag="l"):
    """Limit up, limit down."""

    u: float
    d: float
    i: str = ""
    z: str | None = None


class RawImbalance(_Row, tag="i"):
    """An imbalance: the price at which the auction would be."""

    p: float
    z: str | None = None


class RawCorrection(_Row, tag="c"):
    """A trade that was told wrongly, and how it was."""

    ci: int | str
    cp: float
    cs: float
    x: str | None = None
    oi: int | str | None = None
    cc: tuple[str, ...] | None = None
    z: str | None = None


class RawCancel(_Row, tag="x"):
    """A trade that is taken back."""

    i: int | str
    p: float
    s: float
    x: str | None = None
    a: str = ""
    z: str | None = None


class RawLevel(msgspec.Struct, gc=False):
    """A price and its size in an order book; size 0 takes the level away."""

    p: float
    s: float


class RawBook(_Row, tag="o"):
    """Levels that changed, or with ``r`` the whole book."""

    b: tuple[RawLevel, ...] = ()
    a: tuple[RawLevel, ...] = ()
    r: bool = False


class RawNews(msgspec.Struct, tag_field="T", tag="n"):
    """An article."""

    id: int | str
    headline: str
    created_at: Time
    summary: str = ""
    author: str | None = None
    url: str | None = None
    content: str = ""
    symbols: tuple[str, ...] = ()
    source: str | None = None


DATA = (
    RawTrade
    | RawQuote
    | RawBar
    | RawUpdatedBar
    | RawDailyBar
    | RawStatus
    | RawBand
    | RawImbalance
    | RawCorrection
    | RawCancel
    | RawBook
    | RawNews
)
"""Every data message."""
