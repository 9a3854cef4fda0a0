"""The rows of Massive's streams, from their messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sentio_async.connectors.polygon.wire.envelope import PROVIDER
from sentio_async.connectors.polygon.wire.stream_messages import (
    RawBand,
    RawCryptoMinute,
    RawCryptoQuote,
    RawCryptoSecond,
    RawCryptoTrade,
    RawFairValue,
    RawForexMinute,
    RawForexQuote,
    RawForexSecond,
    RawImbalance,
    RawMinute,
    RawQuote,
    RawSecond,
    RawTrade,
    RawValue,
)
from sentio_async.models import Bar, Imbalance, LevelValue, PriceBand, Quote, Trade
from sentio_async.streams.dialect import Lane

__all__ = ["CODES", "CONDITIONS", "EXCHANGES", "lanes"]

_MS = 1_000_000
# Epoch times of this century have 13 digits in milliseconds, 16 in micro-, 19 in nanoseconds.
_MICRO_FROM = 10**14
_NANO_FROM = 10**17

_tickers: dict[tuple[str, str], str] = {}
_MOST_KEPT = 10_000


class _Codes:
    """Codes as text; exchanges and tapes are few, so each is made once."""

    def __init__(self, *nothing: int | None) -> None:
        self.known: dict[int | None, str | None] = dict.fromkeys(nothing)

    def __getitem__(self, code: int | None) -> str | None:
        if code in self.known:
            return self.known[code]
        text = str(code)
        if len(self.known) < _MOST_KEPT:
            self.known[code] = text
        return text


class _Conditions:
    """One code or several as texts; there are few combinations, so each is made once."""

    def __init__(self) -> None:
        self.known: dict[int | tuple[int, ...] | None, tuple[str, ...]] = {None: ()}

    def __getitem__(self, codes: int | tuple[int, ...] | None) -> tuple[str, ...]:
        if codes in self.known:
            return self.known[codes]
        texts = tuple(map(str, codes)) if isinstance(codes, tuple) else (str(codes),)
        if len(self.known) < _MOST_KEPT:
            self.known[codes] = texts
        return texts


CODES = _Codes(None)
"""The text of an exchange or a tape."""
EXCHANGES = _Codes(None, 0)
"""The text of a quote's exchange, which is 0 where there is no order."""
CONDITIONS = _Conditions()
"""The texts of a quote's code, and of a trade's codes."""


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
            exchange=CODES[raw.x],
            conditions=CONDITIONS[raw.c],
            tape=CODES[raw.z],
        )

    return read


def _quote_reader(is_delayed: bool) -> Reader:
    def read(raw: RawQuote, received_ns: int) -> Quote:
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
            bid_exchange=EXCHANGES[raw.bx],
            ask_exchange=EXCHANGES[raw.ax],
            conditions=CONDITIONS[raw.c],
            tape=CODES[raw.z],
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
            exchange=CODES[raw.x],
            conditions=CONDITIONS[raw.c],
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
            bid_exchange=CODES[raw.x],
            ask_exchange=CODES[raw.x],
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
            indicators=CONDITIONS[raw.i],
            tape=CODES[raw.z],
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
