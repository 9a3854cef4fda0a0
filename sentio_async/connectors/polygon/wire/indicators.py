"""Technical indicators that the vendor calculates.

https://massive.com/docs/rest/stocks/technical-indicators/simple-moving-average
"""

from __future__ import annotations

from typing import TypedDict, Unpack

from sentio_async import errors
from sentio_async.connectors.polygon.moments import Moment, milliseconds, ns_by_size
from sentio_async.connectors.polygon.values import IndicatorValue
from sentio_async.connectors.polygon.wire.aggregates import timespan
from sentio_async.connectors.polygon.wire.envelope import api, next_target, result
from sentio_async.connectors.polygon.wire.filters import at_most
from sentio_async.connectors.polygon.wire.tickers import checked
from sentio_async.http.endpoint import Parts, QueryValue
from sentio_async.http.reading import read_rows
from sentio_async.http.wire_json import Json
from sentio_async.models import Page, Rows
from sentio_async.resilience.limiter import Priority

__all__ = ["ema", "macd", "rsi", "sma"]


def read_values(raw: Json) -> Page[Rows[IndicatorValue]]:
    """``results.values``; absent where there are no bars to calculate from."""
    values = result(raw).get("values")
    if values is None and "underlying" in raw["results"]:
        values = []

    def read(row: Json) -> IndicatorValue:
        return IndicatorValue.read({**row, "time_ns": ns_by_size(row["timestamp"])})

    return Page(read_rows(values, read, what="values"), next_target(raw.get("next_url")))


class Series(TypedDict, total=False):
    """What every indicator can be told."""

    start: Moment | None
    end: Moment | None
    """The last bar, included."""
    series_type: str
    """The price that is reckoned with: ``open high low close``."""
    adjusted: bool | None
    order: str
    """``desc``, newest first, if not given."""
    limit: int | None


def _parts(
    ticker: str,
    timeframe: str,
    windows: dict[str, QueryValue],
    *,
    start: Moment | None = None,
    end: Moment | None = None,
    series_type: str = "close",
    adjusted: bool | None = None,
    order: str = "desc",
    limit: int | None = None,
) -> Parts:
    multiplier, unit = timespan(timeframe)
    if multiplier != 1:
        raise errors.InvalidRequestError(f"timeframe: {timeframe!r}; indicators take one unit only")
    query: dict[str, QueryValue] = {
        "timespan": unit,
        "timestamp.gte": None if start is None else milliseconds(start),
        "timestamp.lte": None if end is None else milliseconds(end),
        **windows,
        "series_type": series_type,
        "adjusted": adjusted,
        "order": order,
        "limit": at_most(5000, limit),
    }
    return Parts(path={"ticker": checked(ticker)}, query=query)


@api.get("/v1/indicators/sma/{ticker}", returns=read_values, priority=Priority.HISTORY)
def sma(
    ticker: str, timeframe: str = "1Day", *, window: int = 50, **series: Unpack[Series]
) -> Parts:
    """The simple moving average."""
    return _parts(ticker, timeframe, {"window": window}, **series)


@api.get("/v1/indicators/ema/{ticker}", returns=read_values, priority=Priority.HISTORY)
def ema(
    ticker: str, timeframe: str = "1Day", *, window: int = 50, **series: Unpack[Series]
) -> Parts:
    """The exponential moving average."""
    return _parts(ticker, timeframe, {"window": window}, **series)


@api.get("/v1/indicators/rsi/{ticker}", returns=read_values, priority=Priority.HISTORY)
def rsi(
    ticker: str, timeframe: str = "1Day", *, window: int = 14, **series: Unpack[Series]
) -> Parts:
    """The relative strength index, 0 to 100."""
    return _parts(ticker, timeframe, {"window": window}, **series)


@api.get("/v1/indicators/macd/{ticker}", returns=read_values, priority=Priority.HISTORY)
def macd(
    ticker: str,
    timeframe: str = "1Day",
    *,
    short_window: int = 12,
    long_window: int = 26,
    signal_window: int = 9,
    **series: Unpack[Series],
) -> Parts:
    """Moving average convergence and divergence, with its signal line."""
    windows: dict[str, QueryValue] = {
        "short_window": short_window,
        "long_window": long_window,
        "signal_window": signal_window,
    }
    return _parts(ticker, timeframe, windows, **series)
