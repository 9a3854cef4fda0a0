"""The rows of Massive's streams.  Times are in milliseconds, but for price bands and auctions.

https://massive.com/docs/websocket/stocks/trades
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sentio_async.connectors.polygon.wire.envelope import PROVIDER
from sentio_async.models import Bar, Imbalance, LevelValue, PriceBand, Quote, Trade
from sentio_async.streams.dialect import Lane

__all__ = ["DATA", "lanes"]

_MS = 1_000_000
# Epoch times of this century have 13 digits in milliseconds, 16 in micro-, 19 in nanoseconds.
_MICRO_FROM = 10**14
_NANO_FROM = 10**17


class _Row(msgspec.Struct, tag_field="ev", gc=False):
    pass


class RawTrade(_Row, tag="T"):
    """A trade in a stock or an option."""

    sym: str
    p: float
    t: int
    s: float = 0.0
    ds: str | None = None
    """The size with its fraction, where there is one."""
    i: str | int | None = None
    x: int | None = None
    z: int | None = None
    c: tuple[int, ...] | None = None


class RawQuote(_Row, tag="Q"):
    """A quote of a stock or an option; ``c`` is one code, or several."""

    sym: str
    t: int
    bp: float = 0.0
    ap: float = 0.0
    bs: float = 0.0
    size_asked: float = msgspec.field(name="as", default=0.0)
    bx: int | None = None
    ax: int | None = None
    c: int | tuple[int, ...] | None = None
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

_tickers: dict[tuple[str, str], str] = {}
_codes: dict[tuple[int, ...], tuple[str, ...]] = {}
_codes_of_one: dict[int, tuple[str, ...]] = {}
_words: dict[int, str] = {}


def _pair(prefix: str, pair: str) -> str:
    """``BTC-USD`` and ``EUR/USD`` as the tickers ``X:BTCUSD`` and ``C:EURUSD``."""
    found = _tickers.get((prefix, pair))
    if found is None:
        found = _tickers[prefix, pair] = prefix + pair.replace("-", "").replace("/", "")
    return found


def _ns(time: int) -> int:
    if time >= _NANO_FROM:
        return time
    return time * 1_000 if time >= _MICRO_FROM else time * _MS


def _conditions(codes: int | tuple[int, ...] | None) -> tuple[str, ...]:
    """Codes as text; there are few of them, so each combination is made once."""
    if codes is None:
        return ()
    if isinstance(codes, int):
        if len(_codes_of_one) < 1_000:
            _codes_of_one[codes] = (str(codes),)
        return (str(codes),)
    key = codes
    found = _codes.get(key)
    if found is None:
        found = tuple(map(str, key))
        if len(_codes) < 10_000:
            _codes[key] = found
    return found


def _word(code: int | None) -> str | None:
    """A code as text; exchanges and tapes are few."""
    if code is None:
        return None
    found = _words.get(code)
    if found is None:
        found = str(code)
        if len(_words) < 1_000:
            _words[code] = found
    return found


Reader = Callable[[Any, int], Any]


def _trade_reader(is_delayed: bool) -> Reader:
    def read(raw: RawTrade, received_ns: int) -> Trade:
        return Trade(
            symbol=raw.sym,
            time_ns=raw.t * _MS,
            provider=PROVIDER,
            is_delayed=is_delayed,
            received_ns=received_ns,
            price=raw.p,
            size=raw.s if raw.ds is None else float(raw.ds),
            id="" if raw.i is None else str(raw.i),
            exchange=_word(raw.x),
            conditions=_conditions(raw.c),
            tape=_word(raw.z),
        )

    return read


def _quote_reader(is_delayed: bool) -> Reader:
    word_of, words_of = _words.get, _codes_of_one.get

    # Quotes are most of what comes: what the other readers call is written out here.
    def read(raw: RawQuote, received_ns: int) -> Quote:
        bid, ask, tape, codes = raw.bx, raw.ax, raw.z, raw.c
        return Quote(
            symbol=raw.sym,
            time_ns=raw.t * _MS,
            provider=PROVIDER,
            is_delayed=is_delayed,
            received_ns=received_ns,
            bid=raw.bp,
            ask=raw.ap,
            bid_size=raw.bs,
            ask_size=raw.size_asked,
            bid_exchange=(word_of(bid) or _word(bid)) if bid else None,
            ask_exchange=(word_of(ask) or _word(ask)) if ask else None,
            conditions=(
                words_of(codes) or _conditions(codes)  # type: ignore[arg-type]
                if codes is not None
                else ()
            ),
            tape=None if tape is None else word_of(tape) or _word(tape),
        )

    return read


def _bar_reader(is_delayed: bool, prefix: str | None = None) -> Reader:
    def read(raw: Any, received_ns: int) -> Bar:
        return Bar(
            symbol=raw.sym if prefix is None else _pair(prefix, raw.pair),
            time_ns=raw.s * _MS,
            provider=PROVIDER,
            is_delayed=is_delayed,
            received_ns=received_ns,
            open=raw.o,
            high=raw.h,
            low=raw.l,
            close=raw.c,
            volume=raw.v,
            vwap=raw.vw,
        )

    return read


def lanes(*, is_delayed: bool) -> Mapping[type, Lane]:
    """The data messages by kind."""
    late: dict[str, Any] = {"provider": PROVIDER, "is_delayed": is_delayed}

    def crypto_trade(raw: RawCryptoTrade, received_ns: int) -> Trade:
        return Trade(
            symbol=_pair("X:", raw.pair),
            time_ns=raw.t * _MS,
            received_ns=received_ns,
            price=raw.p,
            size=raw.s,
            id="" if raw.i is None else str(raw.i),
            exchange=_word(raw.x),
            conditions=_conditions(raw.c),
            **late,
        )

    def crypto_quote(raw: RawCryptoQuote, received_ns: int) -> Quote:
        return Quote(
            symbol=_pair("X:", raw.pair),
            time_ns=raw.t * _MS,
            received_ns=received_ns,
            bid=raw.bp,
            ask=raw.ap,
            bid_size=raw.bs,
            ask_size=raw.size_asked,
            bid_exchange=_word(raw.x),
            ask_exchange=_word(raw.x),
            **late,
        )

    def forex_quote(raw: RawForexQuote, received_ns: int) -> Quote:
        return Quote(
            symbol=_pair("C:", raw.p),
            time_ns=raw.t * _MS,
            received_ns=received_ns,
            bid=raw.b,
            ask=raw.a,
            bid_size=0.0,
            ask_size=0.0,
            bid_exchange=None if raw.x is None else str(raw.x),
            **late,
        )

    return {
        RawTrade: Lane("trades", _trade_reader(is_delayed)),
        RawQuote: Lane("quotes", _quote_reader(is_delayed)),
        RawMinute: Lane("bars", _bar_reader(is_delayed)),
        RawSecond: Lane("second_bars", _bar_reader(is_delayed)),
        RawCryptoMinute: Lane("bars", _bar_reader(is_delayed, "X:")),
        RawCryptoSecond: Lane("second_bars", _bar_reader(is_delayed, "X:")),
        RawForexMinute: Lane("bars", _bar_reader(is_delayed, "C:")),
        RawForexSecond: Lane("second_bars", _bar_reader(is_delayed, "C:")),
        RawCryptoTrade: Lane("trades", crypto_trade),
        RawCryptoQuote: Lane("quotes", crypto_quote),
        RawForexQuote: Lane("quotes", forex_quote),
        **_rare_lanes(late),
    }


def _rare_lanes(late: Mapping[str, Any]) -> Mapping[type, Lane]:
    def band(raw: RawBand, received_ns: int) -> PriceBand:
        return PriceBand(
            symbol=raw.T,
            time_ns=_ns(raw.t),
            received_ns=received_ns,
            upper=raw.h,
            lower=raw.l,
            indicators=_conditions(raw.i),
            tape=_word(raw.z),
            **late,
        )

    def imbalance(raw: RawImbalance, received_ns: int) -> Imbalance:
        return Imbalance(
            symbol=raw.T,
            time_ns=_ns(raw.t),
            received_ns=received_ns,
            price=raw.b,
            size=raw.o,
            paired_size=raw.p,
            auction=None if raw.a is None else str(raw.a),
            **late,
        )

    def value(raw: RawValue, received_ns: int) -> LevelValue:
        return LevelValue(
            symbol=raw.T, time_ns=_ns(raw.t), received_ns=received_ns, value=raw.val, **late
        )

    def fair_value(raw: RawFairValue, received_ns: int) -> LevelValue:
        return LevelValue(
            symbol=raw.sym, time_ns=_ns(raw.t), received_ns=received_ns, value=raw.fmv, **late
        )

    return {
        RawBand: Lane("bands", band),
        RawImbalance: Lane("imbalances", imbalance),
        RawValue: Lane("values", value),
        RawFairValue: Lane("fair_values", fair_value),
    }
