"""Polygon's market status: now, and the holidays to come.

https://massive.com/docs/rest/stocks/market-operations/market-status
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from starlette.routing import BaseRoute

from sentio_async.sim.calendar import NEW_YORK, day_of, new_york, session_on
from sentio_async.sim.state import State
from sentio_async.sim.venues.polygon.asking import Ask, Json, route

INDEX_GROUPS = (
    "s_and_p",
    "societe_generale",
    "msci",
    "ftse_russell",
    "mstar",
    "mstarc",
    "cccy",
    "cgi",
    "nasdaq",
    "dow_jones",
)
HOLIDAYS = {
    1: "New Years Day",
    4: "Good Friday",
    5: "Memorial Day",
    6: "Juneteenth",
    7: "Independence Day",
    9: "Labor Day",
    11: "Thanksgiving",
    12: "Christmas",
}
AHEAD = 365


def routes(state: State) -> list[BaseRoute]:
    """The status now and the days that differ."""
    return [
        route(state, "/v1/marketstatus/now", _now),
        route(state, "/v1/marketstatus/upcoming", _upcoming),
    ]


def _now(ask: Ask) -> Json:
    phase = ask.state.market.phase()
    word = {"open": "open", "closed": "closed"}.get(phase, "extended-hours")
    index = "open" if phase == "open" else "closed"
    return {
        "market": word,
        "earlyHours": phase == "pre",
        "afterHours": phase == "post",
        "serverTime": new_york(ask.now_ns).isoformat(timespec="seconds"),
        "exchanges": {"nyse": word, "nasdaq": word, "otc": word},
        "currencies": {"fx": "open", "crypto": "open"},
        "indicesGroups": dict.fromkeys(INDEX_GROUPS, index),
    }


def _upcoming(ask: Ask) -> list[Json]:
    """A bare array, without any envelope."""
    today = day_of(ask.now_ns)
    days = (today + timedelta(days=n) for n in range(AHEAD))
    return [row for day in days for row in _rows(day)]


def _rows(day: date) -> Iterator[Json]:
    session = session_on(day)
    is_early = session is not None and session.close < time(16)
    if day.weekday() >= 5 or (session is not None and not is_early):
        return
    # As recorded, the over-the-counter market has no early closes.
    for exchange in ("NYSE", "NASDAQ", "OTC") if session is None else ("NYSE", "NASDAQ"):
        row: Json = {"exchange": exchange, "name": _name(day), "date": day.isoformat()}
        if session is None:
            yield {**row, "status": "closed"}
            continue
        yield {
            **row,
            "status": "early-close",
            "open": _text(day, session.open),
            "close": _text(day, session.close),
        }


def _name(day: date) -> str:
    if day.month == 1 and day.day > 10:
        return "Martin Luther King, Jr. Day"
    return HOLIDAYS.get(day.month, "Washington's Birthday")


def _text(day: date, at: time) -> str:
    moment = datetime.combine(day, at, NEW_YORK).astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
