"""The messages of Massive's streams.  Times are in milliseconds, but for price bands and auctions.

https://massive.com/docs/websocket/stocks/trades
"""

from __future__ import annotations

import msgspec

__all__ = [
    "DATA",
    "RawBand",
    "RawCryptoMinute",
    "RawCryptoQuote",
    "RawCryptoSecond",
    "RawCryptoTrade",
    "RawFairValue",
    "RawForexMinute",
    "RawForexQuote",
    "RawForexSecond",
    "RawImbalance",
    "RawMinute",
    "RawQuote",
    "RawSecond",
    "RawTrade",
    "RawValue",
]


class _Row(msgspec.Struct, tag_field="ev", gc=False):
    pass


class RawTrade(_Row, tag="T", kw_only=True):
    """A trade in a stock or an option."""

    # Fields that stand in the order in which they come are found at once; so in quotes.
    sym: str
    x: int | None = None
    i: str | int | None = None
    z: int | None = None
    p: float
    s: float = 0.0
    c: tuple[int, ...] | None = None
    t: int
    ds: str | None = None
    """The size with its fraction, where there is one."""


class RawQuote(_Row, tag="Q", kw_only=True):
    """A quote of a stock or an option; ``c`` is one code, or several."""

    sym: str
    bx: int | None = None
    bp: float = 0.0
    bs: float = 0.0
    ax: int | None = None
    ap: float = 0.0
    size_asked: float = msgspec.field(name="as", default=0.0)
    c: int | tuple[int, ...] | None = None
    t: int
    z: int | None = None


class _RawBar(_Row):
    sym: str
    s: int
    o: float
    h: float
    l: float  # noqa: E741 (the vendor's letter)
    c: float
    v: float = 0.0
    vw: float | None = None


class RawMinute(_RawBar, tag="AM"):
    """A minute bar; it is sent again when trades come late."""


class RawSecond(_RawBar, tag="A"):
    """A bar of one second."""


class _RawPairBar(_Row):
    pair: str
    s: int
    o: float
    h: float
    l: float  # noqa: E741 (the vendor's letter)
    c: float
    v: float = 0.0
    vw: float | None = None
    z: int | None = None


class RawCryptoMinute(_RawPairBar, tag="XA"):
    """A minute bar of a crypto pair."""


class RawCryptoSecond(_RawPairBar, tag="XAS"):
    """A second bar of a crypto pair."""


class RawForexMinute(_RawPairBar, tag="CA"):
    """A minute bar of a currency pair."""


class RawForexSecond(_RawPairBar, tag="CAS"):
    """A second bar of a currency pair."""


class RawCryptoTrade(_Row, tag="XT"):
    """A trade in a crypto pair; condition 1 is a seller's, 2 a buyer's."""

    pair: str
    p: float
    t: int
    s: float
    i: str | int | None = None
    x: int | None = None
    c: tuple[int, ...] | None = None


class RawCryptoQuote(_Row, tag="XQ"):
    """A quote of a crypto pair at one exchange."""

    pair: str
    bp: float
    ap: float
    t: int
    bs: float = 0.0
    size_asked: float = msgspec.field(name="as", default=0.0)
    x: int | None = None


class RawForexQuote(_Row, tag="C"):
    """A quote of a currency pair."""

    p: str
    a: float
    b: float
    t: int
    x: str | int | None = None


class RawBand(_Row, tag="LULD"):
    """Limit up, limit down."""

    T: str
    h: float
    l: float  # noqa: E741 (the vendor's letter)
    t: int
    i: tuple[int, ...] = ()
    z: int | None = None


class RawImbalance(_Row, tag="NOI"):
    """An imbalance before an auction."""

    T: str
    t: int
    a: str | int | None = None
    o: float | None = None
    p: float | None = None
    b: float | None = None


class RawValue(_Row, tag="V"):
    """Where an index stands."""

    T: str
    val: float
    t: int


class RawFairValue(_Row, tag="FMV"):
    """What the vendor thinks a fair price is."""

    sym: str
    fmv: float
    t: int


DATA = (
    RawTrade
    | RawQuote
    | RawMinute
    | RawSecond
    | RawCryptoMinute
    | RawCryptoSecond
    | RawForexMinute
    | RawForexSecond
    | RawCryptoTrade
    | RawCryptoQuote
    | RawForexQuote
    | RawBand
    | RawImbalance
    | RawValue
    | RawFairValue
)
"""Every data message."""
