"""The rows of Massive's streams, from their messages."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Generic, TypeVar

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

_MOST_KEPT = 10_000

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class _Texts(Generic[K, T]):
    """What is written for a code; codes are few, so each is written once.

    ``known`` is a plain dict, which is quicker to look into than this is.
    """

    def __init__(self, write: Callable[[K], T], known: dict[K, T]) -> None:
        self._write = write
        self.known = known

    def __getitem__(self, code: K) -> T:
        if code in self.known:
            return self.known[code]
        text = self._write(code)
        if len(self.known) < _MOST_KEPT:
            self.known[code] = text
        return text


def _texts(codes: int | tuple[int, ...] | None) -> tuple[str, ...]:
    return tuple(map(str, codes)) if isinstance(codes, tuple) else (str(codes),)


CODES: _Texts[int | None, str | None] = _Texts(str, {None: None})
"""The text of an exchange or a tape."""
EXCHANGES: _Texts[int | None, str | None] = _Texts(str, {None: None, 0: None})
"""The text of a quote's exchange, which is 0 where there is no order."""
CONDITIONS: _Texts[int | tuple[int, ...] | None, tuple[str, ...]] = _Texts(_texts, {None: ()})
"""The texts of a quote's code, and of a trade's codes."""


def _tickers(prefix: str) -> _Texts[str, str]:
    return _Texts(lambda pair: prefix + pair.replace("-", "").replace("/", ""), {})


_CRYPTO = _tickers("X:")
_FOREX = _tickers("C:")


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


def _bar_reader(is_delayed: bool, tickers: _Texts[str, str] | None = None) -> Reader:
    def read(raw: Any, received_ns: int) -> Bar:
        return Bar(
            symbol=raw.sym if tickers is None else tickers[raw.pair],
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

    return {
        RawTrade: Lane("trades", _trade_reader(is_delayed)),
        RawQuote: Lane("quotes", _quote_reader(is_delayed)),
        RawMinute: Lane("bars", _bar_reader(is_delayed)),
        RawSecond: Lane("second_bars", _bar_reader(is_delayed)),
        RawCryptoMinute: Lane("bars", _bar_reader(is_delayed, _CRYPTO)),
        RawCryptoSecond: Lane("second_bars", _bar_reader(is_delayed, _CRYPTO)),
        RawForexMinute: Lane("bars", _bar_reader(is_delayed, _FOREX)),
        RawForexSecond: Lane("second_bars", _bar_reader(is_delayed, _FOREX)),
        **_pair_lanes(late),
        **_rare_lanes(late),
    }


def _pair_lanes(late: Mapping[str, Any]) -> Mapping[type, Lane]:
    def crypto_trade(raw: RawCryptoTrade, received_ns: int) -> Trade:
        return Trade(
            symbol=_CRYPTO[raw.pair],
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
            symbol=_CRYPTO[raw.pair],
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
            symbol=_FOREX[raw.p],
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
        RawCryptoTrade: Lane("trades", crypto_trade),
        RawCryptoQuote: Lane("quotes", crypto_quote),
        RawForexQuote: Lane("quotes", forex_quote),
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
