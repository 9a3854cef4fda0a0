"""Polygon's aggregates: ranges, the previous day, whole markets, daily open and close.

https://massive.com/docs/rest/stocks/aggregates/custom-bars
"""

from collections.abc import Iterator
from datetime import date
from itertools import islice

from starlette.routing import BaseRoute

from sentio_async.sim.calendar import day_of, midnight_ns
from sentio_async.sim.market import Bar, Trade
from sentio_async.sim.state import State
from sentio_async.sim.venues.polygon.asking import (
    Ask,
    Json,
    forbidden,
    missing,
    reach,
    route,
    wrong,
)
from sentio_async.sim.venues.polygon.tickers import Kind, Named, find, traded
from sentio_async.sim.venues.polygon.windows import FIRST_NS, TIMESPANS, Windows, day_bars, row
from sentio_async.sim.venues.times import DAY, MILLISECOND, utc_day, utc_midnight

LIMIT, TOP = 5_000, 50_000
# The largest multiplier: a month in minutes.
MOST = 44_640


def routes(state: State) -> list[BaseRoute]:
    """Everything made of bars."""
    base = "/v2/aggs"
    return [
        route(
            state,
            f"{base}/ticker/{{ticker}}/range/{{multiplier}}/{{timespan}}/{{from}}/{{to}}",
            _range,
        ),
        route(state, f"{base}/ticker/{{ticker}}/prev", _previous),
        route(
            state,
            f"{base}/grouped/locale/us/market/stocks/{{date}}",
            lambda ask: _grouped(ask, "stocks"),
        ),
        route(
            state,
            f"{base}/grouped/locale/global/market/crypto/{{date}}",
            lambda ask: _grouped(ask, "crypto"),
        ),
        route(
            state,
            f"{base}/grouped/locale/global/market/fx/{{date}}",
            lambda ask: _grouped(ask, "fx"),
        ),
        route(state, "/v1/open-close/crypto/{from}/{to}/{date}", _open_close_crypto),
        route(state, "/v1/open-close/{ticker}/{date}", _open_close),
    ]


def _range(ask: Ask) -> Json:
    ticker = ask.text("ticker")
    count, timespan = ask.text("multiplier"), ask.text("timespan")
    if not count.isdecimal() or not 0 < int(count) <= MOST:
        raise wrong("The parameter 'multiplier' must be a positive integer")
    if timespan not in TIMESPANS:
        raise wrong(f"The parameter 'timespan' must be one of {', '.join(TIMESPANS)}")
    named = find(ask, ticker)
    start, end = _instant(ask, "from", named), _instant(ask, "to", named)
    if end < start:
        raise wrong("The parameter 'to' cannot be a time that occurs before 'from'")
    adjusted = ask.flag("adjusted", True)
    back = ask.one_of("sort", ("asc", "desc"), "asc") == "desc"
    limit = ask.number("limit", LIMIT, TOP)
    if named is None:
        return _bars(ask, ticker, adjusted, [], 0)
    if ask.plan == "basic" and start > ask.now_ns:
        raise forbidden("Your plan doesn't include this data timeframe. Please upgrade your plan.")
    windows = Windows(named, int(count), timespan, adjusted)
    size = max(1, limit // windows.base_bars)
    start = max(start, FIRST_NS)
    first = start if ask.place else windows.snapped(start)
    found = list(islice(windows.bars(ask, first, end, back=back), size + 1))
    answer = _bars(
        ask, ticker, adjusted, [row(bar, named) for bar in found[:size]], windows.base_bars
    )
    if named.kind == "indices":
        del answer["adjusted"]
    if len(found) > size:
        answer["next_url"] = _next_url(ask, found[size], (start, end), back)
    return answer


def _next_url(ask: Ask, follower: Bar, span: tuple[int, int], back: bool) -> str:
    """The same range, less what has been told; Polygon, too, moves the ends in the path."""
    start, end = span
    start, end = (start, follower.time_ns) if back else (follower.time_ns, end)
    head = ask.url.rsplit("/", 2)[0]
    path = f"{head}/{start // MILLISECOND}/{end // MILLISECOND}"
    return ask.next_url(str(follower.time_ns // MILLISECOND), path)


def _instant(ask: Ask, name: str, named: Named | None) -> int:
    is_utc = named is not None and named.is_utc
    try:
        first, last = reach(ask.text(name), MILLISECOND, is_utc=is_utc)
    except ValueError:
        raise wrong(
            f"Could not parse the time parameter: '{name}'. Use YYYY-MM-DD or Unix MS Timestamps"
        ) from None
    return last if name == "to" else first


def _bars(ask: Ask, ticker: str, adjusted: bool, rows: list[Json], base: int) -> Json:
    found: Json = {"ticker": ticker, "queryCount": len(rows) * base, "resultsCount": len(rows)}
    found |= {"adjusted": adjusted}
    # An empty answer has no `results` at all.
    found |= {"results": rows, "count": len(rows)} if rows else {}
    return ask.envelope(**found)


def _previous(ask: Ask) -> Json:
    ticker = ask.text("ticker")
    named = find(ask, ticker)
    bar = day_bars(ask, named)[1] if named is not None else None
    rows = [{"T": ticker, **row(bar, named)}] if named is not None and bar is not None else []
    return _bars(ask, ticker, ask.flag("adjusted", True), rows, 1)


def _grouped(ask: Ask, kind: Kind) -> Json:
    day = ask.day("date")
    today = utc_day(ask.now_ns) if kind != "stocks" else day_of(ask.now_ns)
    if ask.plan == "basic" and day >= today:
        raise forbidden(
            "You've attempted to request today's data before end of day. Please upgrade your plan."
        )
    adjusted = ask.flag("adjusted", True)
    rows = []
    for named in traded(ask, kind):
        bar = _bar_of(ask, named, day, adjusted)
        if bar is not None:
            rows.append({"T": named.ticker, **row(bar, named)})
    found: Json = {"queryCount": len(rows), "resultsCount": len(rows), "adjusted": adjusted}
    found |= {"results": rows, "count": len(rows)} if rows else {}
    return ask.envelope(**found)


def _bar_of(ask: Ask, named: Named, day: date, adjusted: bool) -> Bar | None:
    start = utc_midnight(day) if named.is_utc else midnight_ns(day)
    return next(Windows(named, 1, "day", adjusted).bars(ask, start, start), None)


def _open_close(ask: Ask) -> Json:
    ticker = ask.text("ticker")
    day = ask.day("date")
    named = find(ask, ticker)
    bar = None
    if named is not None and named.kind in ("stocks", "options", "indices"):
        bar = _bar_of(ask, named, day, ask.flag("adjusted", True))
    if named is None or bar is None:
        raise missing()
    found: Json = {
        "status": "OK",
        "from": day.isoformat(),
        "symbol": ticker,
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "afterHours": bar.close,
        "preMarket": bar.open,
    }
    return found if named.kind == "indices" else {**found, "volume": bar.volume}


def _open_close_crypto(ask: Ask) -> Json:
    base, quote = ask.text("from"), ask.text("to")
    day = ask.day("date")
    named = find(ask, f"X:{base}{quote}")
    bar = _bar_of(ask, named, day, True) if named is not None else None
    if named is None or bar is None:
        raise missing()
    start = utc_midnight(day)
    end = start + DAY - 1
    opening = islice(ask.tape.trades(named.symbol, start, end), 2)
    closing = islice(ask.tape.trades(named.symbol, start, end, back=True), 2)
    return {
        "symbol": f"{base}-{quote}",
        "isUTC": True,
        "day": f"{day.isoformat()}T00:00:00.000Z",
        "open": bar.open,
        "close": bar.close,
        "openTrades": list(_coin_trades(named, opening)),
        "closingTrades": list(_coin_trades(named, closing)),
    }


def _coin_trades(named: Named, trades: Iterator[Trade]) -> Iterator[Json]:
    for trade in trades:
        yield {
            "x": named.exchange(trade.exchange),
            "p": trade.price,
            "s": trade.size,
            "c": [1 + trade.id % 2],
            "i": str(trade.id),
            "t": trade.time_ns // MILLISECOND,
        }
