"""What an account was worth at earlier times, from its executions and the market's prices.

An account counts as funded from the beginning of time: before it was opened it holds its
opening balance.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from sentio_async.sim.calendar import (
    day_of,
    previous_session,
    session_on,
    sessions,
)
from sentio_async.sim.ledger import Account, Position
from sentio_async.sim.market import Market
from sentio_async.sim.prices import HOUR, MINUTE
from sentio_async.sim.venues.alpaca.trading_asking import Asked, malformed

STEPS: Final = {"1Min": MINUTE, "5Min": 5 * MINUTE, "15Min": 15 * MINUTE, "1H": HOUR}
DAYS: Final = {"D": 1, "W": 7, "M": 30, "A": 365}
DAY_NS: Final = 24 * HOUR
MOST_POINTS = 10_000
_PERIOD = re.compile(r"([1-9]\d{0,3})([DWMA])")


def last_close_ns(now_ns: int) -> int:
    """The end of the last regular session."""
    today = session_on(day_of(now_ns))
    if today is not None and today.closes_ns() <= now_ns:
        return today.closes_ns()
    return previous_session(day_of(now_ns)).closes_ns()


def equities(market: Market, account: Account, moments: Iterable[int]) -> list[Decimal]:
    """Cash and positions as they were at these ascending moments, at the prices of each."""
    cash, positions = account.start_cash, dict[str, Position]()
    moves = list(reversed(account.moves))
    found = []
    for at_ns in moments:
        while moves and moves[-1].time_ns <= at_ns:
            move = moves.pop()
            cash += move.cash
            symbol = move.instrument.symbol
            position = positions.setdefault(symbol, Position(move.instrument))
            position.take(move.side, move.qty, move.price, move.time_ns)
        worth = cash
        for symbol, position in positions.items():
            if position.qty:
                worth += position.value(market.price(symbol, at_ns) or position.average)
        found.append(worth)
    return found


def equity_at(market: Market, account: Account, at_ns: int) -> Decimal:
    """The same at one moment."""
    return equities(market, account, [at_ns])[0]


def history(asked: Asked) -> dict[str, Any]:
    """GET /v2/account/portfolio/history"""
    start, end = _range(asked)
    default = "1D" if end - start > 7 * DAY_NS else "15Min" if end - start > DAY_NS else "1Min"
    step = asked.choice("timeframe", (*STEPS, "1D"), default)
    asked.choice("intraday_reporting", _REPORTING, "market_hours")
    reset = asked.choice("pnl_reset", ("per_day", "no_reset"), "per_day")
    moments = _moments(asked, step, start, end)
    market, own = asked.market, asked.account
    base, *values = equities(market, own, [start, *moments])
    profits = _profits(values, base, is_running=step != "1D" or reset == "no_reset")
    return {
        "timestamp": [at // 1_000_000_000 for at in moments],
        "equity": [float(round(value, 2)) for value in values],
        "profit_loss": [float(round(profit, 4)) for profit, _ in profits],
        "profit_loss_pct": [float(round(share, 6)) for _, share in profits],
        "base_value": float(round(base, 2)),
        "base_value_asof": day_of(start).isoformat(),
        "timeframe": step,
        "cashflow": {},
    }


_REPORTING = ("market_hours", "extended_hours", "continuous")


def _profits(
    values: list[Decimal], base: Decimal, *, is_running: bool
) -> list[tuple[Decimal, Decimal]]:
    """Profit and its share of the base; day by day against the day before."""
    rows, before = [], base
    for value in values:
        profit = value - before
        rows.append((profit, profit / before if before else Decimal(0)))
        if not is_running:
            before = value
    return rows


def _range(asked: Asked) -> tuple[int, int]:
    now = asked.clock.now_ns()
    start, end, text = asked.moment("start"), asked.moment("end"), asked.query.get("period")
    if start is None and "date_start" in asked.query:
        start = asked.moment("date_start")
    if end is None and "date_end" in asked.query:
        end = asked.moment("date_end")
    if start is not None and end is not None and text:
        raise malformed("only two of start, end and period are accepted")
    match = _PERIOD.fullmatch(text or "1M")
    if match is None:
        raise malformed(f"invalid period: {text}")
    length = int(match[1]) * DAYS[match[2]] * DAY_NS
    if start is None:
        end = now if end is None else min(end, now)
        start = end - length
    elif end is None:
        end = start + length if text else now
    end = min(end, now)
    if start >= end:
        raise malformed("start must be before end")
    return start, end


def _moments(asked: Asked, step: str, start: int, end: int) -> list[int]:
    days = sessions(day_of(start), day_of(end))
    if step == "1D":
        # A day's worth is taken at the end of its late session, and of the last day now.
        closes = [at for each in days if start <= (at := each.extended_closes_ns()) < end]
        return [*closes, end]
    length = STEPS[step]
    reporting = asked.query.get("intraday_reporting", "market_hours")
    if asked.flag("extended_hours"):
        reporting = "extended_hours"
    spans = [(each.opens_ns(), each.closes_ns()) for each in days]
    if reporting == "extended_hours":
        spans = [(each.extended_opens_ns(), each.extended_closes_ns()) for each in days]
    elif reporting == "continuous" or asked.market.hours == "always":
        spans = [(start - start % length + length, end)]
    found = [
        at for first, last in spans for at in range(first, last + 1, length) if start <= at <= end
    ]
    if len(found) > MOST_POINTS:
        raise malformed(f"invalid timeframe: {step} is too short for this period")
    return found
