"""Polygon's technical indicators: SMA, EMA, RSI and MACD over its own aggregates.

https://massive.com/docs/rest/stocks/technical-indicators/simple-moving-average
"""

from collections.abc import Callable
from itertools import islice, pairwise
from typing import Any

from starlette.routing import BaseRoute

from sentio_async.sim.market import Bar
from sentio_async.sim.state import State
from sentio_async.sim.venues.polygon.asking import Ask, Json, bounds, route
from sentio_async.sim.venues.polygon.tickers import Named, find
from sentio_async.sim.venues.polygon.windows import FIRST_NS, Windows, row
from sentio_async.sim.venues.times import MILLISECOND, bounded

LIMIT, TOP = 10, 5_000
SPANS = ("minute", "hour", "day", "week", "month", "quarter", "year")
# An exponential average forgets its beginning within this many windows.
WARM_UP = 5

Series = list[tuple[int, Json]]


def routes(state: State) -> list[BaseRoute]:
    """The four indicators, for every kind of ticker."""
    kinds: dict[str, Callable[[Ask], tuple[int, Callable[[list[float]], list[Json]]]]] = {
        "sma": _sma,
        "ema": _ema,
        "rsi": _rsi,
        "macd": _macd,
    }
    return [
        route(state, f"/v1/indicators/{name}/{{ticker}}", _handler(kind))
        for name, kind in kinds.items()
    ]


def _handler(
    kind: Callable[[Ask], tuple[int, Callable[[list[float]], list[Json]]]],
) -> Callable[[Ask], Json]:
    def handler(ask: Ask) -> Json:
        lead, compute = kind(ask)
        limit = ask.number("limit", LIMIT, TOP)
        back = ask.one_of("order", ("asc", "desc"), "desc") == "desc"
        named = find(ask, ask.text("ticker"))
        windows = _windows(ask, named) if named is not None else None
        start, end = bounds(ask, "timestamp", MILLISECOND, (FIRST_NS, ask.now_ns))
        if ask.place is not None:
            at = bounded(ask.place[0])
            start, end = (start, at) if back else (at, end)
        start = max(start, FIRST_NS)
        if named is None or windows is None or end < start:
            return ask.envelope(results={"values": []})
        bars = _bars(ask, windows, (start, end), back, limit + 1)
        if not bars:
            return ask.envelope(results={"values": []})
        before = list(islice(windows.bars(ask, FIRST_NS, bars[0].time_ns - 1, back=True), lead))
        before.reverse()
        values = _values(ask, compute, before, bars)
        return _page(ask, named, before + bars, values[::-1] if back else values, limit)

    return handler


def _windows(ask: Ask, named: Named) -> Windows:
    timespan = ask.one_of("timespan", SPANS, "day")
    return Windows(named, 1, timespan, ask.flag("adjusted", True))


def _bars(ask: Ask, windows: Windows, span: tuple[int, int], back: bool, count: int) -> list[Bar]:
    """The bars whose values are asked for, oldest first."""
    found = list(islice(windows.bars(ask, *span, back=back), count))
    return found[::-1] if back else found


def _values(
    ask: Ask, compute: Callable[[list[float]], list[Json]], before: list[Bar], bars: list[Bar]
) -> Series:
    column = ask.one_of("series_type", ("open", "high", "low", "close"), "close")
    prices = [float(getattr(bar, column)) for bar in before + bars]
    computed = compute(prices)
    # There is no value until the indicator's window is full.
    times = [bar.time_ns for bar in before + bars][len(prices) - len(computed) :]
    rows = list(zip(times, computed, strict=True))
    return [each for each in rows if each[0] >= bars[0].time_ns]


def _page(ask: Ask, named: Named, bars: list[Bar], values: Series, limit: int) -> Json:
    shown = [{"timestamp": at // MILLISECOND, **value} for at, value in values[:limit]]
    timespan = ask.query.get("timespan", "day")
    first, last = (bar.time_ns // MILLISECOND for bar in (bars[0], bars[-1]))
    path = f"/v2/aggs/ticker/{named.ticker}/range/1/{timespan}/{first}/{last}"
    underlying: Json = {"url": f"{ask.host}{path}?limit=50000&sort=desc"}
    if ask.flag("expand_underlying", False):
        underlying["aggregates"] = [row(bar, named) for bar in reversed(bars)]
    found = ask.envelope(results={"underlying": underlying, "values": shown})
    if len(values) > limit:
        found["next_url"] = ask.next_url(str(values[limit][0]))
    return found


def _window(ask: Ask, name: str, default: int) -> int:
    return ask.number(name, default, 1_000)


def _sma(ask: Ask) -> tuple[int, Callable[[list[float]], list[Json]]]:
    window = _window(ask, "window", 50)

    def compute(prices: list[float]) -> list[Json]:
        total, found = sum(prices[:window]), []
        for n in range(window, len(prices) + 1):
            found.append({"value": total / window})
            if n < len(prices):
                total += prices[n] - prices[n - window]
        return found if len(prices) >= window else []

    return window - 1, compute


def _averages(prices: list[float], window: int) -> list[float]:
    """Exponential averages, the first one a plain average of the first window."""
    if len(prices) < window:
        return []
    weight = 2 / (window + 1)
    found = [sum(prices[:window]) / window]
    for price in prices[window:]:
        found.append(found[-1] + weight * (price - found[-1]))
    return found


def _ema(ask: Ask) -> tuple[int, Callable[[list[float]], list[Json]]]:
    window = _window(ask, "window", 50)
    return WARM_UP * window, lambda prices: [{"value": v} for v in _averages(prices, window)]


def _rsi(ask: Ask) -> tuple[int, Callable[[list[float]], list[Json]]]:
    window = _window(ask, "window", 14)

    def compute(prices: list[float]) -> list[Json]:
        moves = [after - before for before, after in pairwise(prices)]
        ups = _smoothed([max(move, 0.0) for move in moves], window)
        downs = _smoothed([max(-move, 0.0) for move in moves], window)
        return [
            {"value": 100 * up / (up + down) if up + down else 50.0}
            for up, down in zip(ups, downs, strict=True)
        ]

    return WARM_UP * window, compute


def _smoothed(values: list[float], window: int) -> list[float]:
    """Wilder's averages."""
    if len(values) < window:
        return []
    found = [sum(values[:window]) / window]
    for value in values[window:]:
        found.append((found[-1] * (window - 1) + value) / window)
    return found


def _macd(ask: Ask) -> tuple[int, Callable[[list[float]], list[Json]]]:
    short, long = _window(ask, "short_window", 12), _window(ask, "long_window", 26)
    signal = _window(ask, "signal_window", 9)

    def compute(prices: list[float]) -> list[Json]:
        fast, slow = _averages(prices, short), _averages(prices, long)
        size = min(len(fast), len(slow))
        lines = [a - b for a, b in zip(fast[-size:], slow[-size:], strict=True)] if size else []
        signals = _averages(lines, signal)
        shown: list[Any] = lines[len(lines) - len(signals) :]
        return [
            {"value": line, "signal": at, "histogram": line - at}
            for line, at in zip(shown, signals, strict=True)
        ]

    return WARM_UP * (max(short, long) + signal), compute
