"""Alpaca's market-data rows as they come: one letter a field, the same letters in every market.

https://docs.alpaca.markets/reference/stockbars

They are decoded from bytes straight into these Structs; a row costs well under a microsecond.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec

from sentio_async import errors
from sentio_async.models import SkippedRow

__all__ = [
    "ANY_FEED",
    "PROVIDER",
    "Feed",
    "History",
    "Latest",
    "RawBar",
    "RawOptionSnapshot",
    "RawPastBar",
    "RawQuote",
    "RawSnapshot",
    "RawTrade",
]

PROVIDER = "alpaca"
_NAN = float("nan")


class Feed(msgspec.Struct, frozen=True):
    """Where rows come from, by the vendor's word, and whether they come late."""

    name: str | None = None
    is_delayed: bool = False


ANY_FEED = Feed()
"""The best feed of the plan; answers do not say which it was."""


class RawQuote(msgspec.Struct, gc=False):
    """``t ax ap as bx bp bs c z``; crypto sends neither exchanges nor conditions."""

    t: str
    bp: float
    ap: float
    bs: float = 0.0
    size_asked: float = msgspec.field(name="as", default=0.0)
    bx: str | None = None
    ax: str | None = None
    c: str | tuple[str, ...] | None = None
    z: str | None = None


class RawTrade(msgspec.Struct, gc=False):
    """``t x p s c i z``, ``tks`` (crypto), ``u`` when the tape changed it later."""

    t: str
    p: float
    s: float
    i: int | str | None = None
    x: str | None = None
    c: str | tuple[str, ...] | None = None
    z: str | None = None
    tks: str | None = None
    u: str | None = None


class RawBar(msgspec.Struct, gc=False):
    """``t o h l c v n vw``."""

    t: str
    o: float
    h: float
    l: float  # noqa: E741 (the vendor's letter)
    c: float
    v: float
    # What is left out is as columns of bars have it; null is rare, and seen to there.
    n: int | None = -1
    vw: float | None = _NAN


class RawPastBar(msgspec.Struct, gc=False):
    """A bar of the history; its time is finer than a second at most by six digits."""

    t: Annotated[datetime, msgspec.Meta(tz=True)]
    o: float
    h: float
    l: float  # noqa: E741 (the vendor's letter)
    c: float
    v: float
    n: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = -1
    vw: float | None = _NAN


class RawSnapshot(msgspec.Struct, gc=False, rename="camel"):
    """The latest of everything; each part may be missing or null."""

    latest_trade: RawTrade | None = None
    latest_quote: RawQuote | None = None
    minute_bar: RawBar | None = None
    daily_bar: RawBar | None = None
    prev_daily_bar: RawBar | None = None


class RawOptionSnapshot(RawSnapshot, rename="camel"):
    """The same for a contract, with what Alpaca computes where it can."""

    greeks: dict[str, float | None] | None = None
    implied_volatility: float | None = None


class History(msgspec.Struct):
    """A decoded page of history: raw rows by symbol, and the token of the next page."""

    rows: dict[str, list[Any]]
    next: str | None = None
    skipped: dict[str, list[SkippedRow]] = {}


class Latest(msgspec.Struct):
    """A decoded answer of one raw row a symbol; ``failed`` has those that cannot be read."""

    rows: dict[str, Any]
    next: str | None = None
    failed: dict[str, errors.ConnectorError] = {}
