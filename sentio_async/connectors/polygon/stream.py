"""Massive's streams: which market tells of what, and how its gaps are filled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from datetime import date, time
from typing import Any, Protocol

from sentio_async import errors
from sentio_async.connectors.polygon.config import PolygonConfig
from sentio_async.connectors.polygon.values import MarketHoliday
from sentio_async.connectors.polygon.wire.stream import MARKETS, PolygonDialect, market_of
from sentio_async.http.client import Resources
from sentio_async.http.reading import utc_from_ns
from sentio_async.http.redaction import redactor
from sentio_async.models import Bar, Rows, Trade, TradingDay
from sentio_async.streams import EVERYTHING, Feed, FeedSettings, Gap, Plan, Topic, World
from sentio_async.streams.feeds import Feeds
from sentio_async.streams.gaps import MOST_MISSED, all_of
from sentio_async.streams.hours import (
    ALWAYS,
    NEW_YORK,
    Hours,
    days_without,
    hours_of,
)
from sentio_async.streams.subscription import Part

__all__ = ["PolygonStreams"]

MINUTE_NS = 60_000_000_000
_LATE_NS = 15 * MINUTE_NS
"""How late delayed prices are."""
_PATIENCE = {
    "stocks": {"quotes": 60.0, "trades": 120.0, "bars": 180.0, "second_bars": 120.0},
    "indices": {"values": 120.0, "bars": 300.0},
    "crypto": {"quotes": 120.0, "trades": 900.0, "bars": 900.0},
}
_WHOLE_MARKET = {"X:*": "crypto", "C:*": "forex", "O:*": "options", "I:*": "indices"}

ReadHolidays = Callable[[], Awaitable[Rows[MarketHoliday]]]


class History(Protocol):
    """Where missed rows come from."""

    def iter_trades(self, symbol: str, **span: Any) -> AsyncIterator[Trade]:
        """Trades of a span."""
        ...

    def iter_bars(self, symbol: str, timeframe: str, **span: Any) -> AsyncIterator[Bar]:
        """Bars of a span."""
        ...


class PolygonStreams:
    """The feeds of one connector, one for each market."""

    def __init__(
        self,
        config: PolygonConfig,
        resources: Resources,
        history: History,
        read_holidays: ReadHolidays,
    ) -> None:
        self._config = config
        self._resources = resources
        self._history = history
        self._read_holidays = read_holidays
        self._hours: Hours = hours_of(config.calendar, self._days)
        self._late_ns = _LATE_NS if config.is_stream_delayed else 0
        self._feeds: Feeds[str] = Feeds(self._make, owner=resources, identify=self._identify)

    def parts(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Part]:
        """The feeds that tell of tickers on channels, and the topics there."""
        by_market: dict[str, list[Topic]] = {}
        for symbol in symbols:
            market = market_of(symbol)
            name = EVERYTHING if symbol in _WHOLE_MARKET else symbol
            for channel in channels:
                if channel not in MARKETS[market]:
                    raise errors.NotSupportedError(
                        f"{channel} of {market}: there is no such stream", connector="polygon"
                    )
                by_market.setdefault(market, []).append(Topic(channel, name))
        return [(self._feeds[market], tuple(topics)) for market, topics in by_market.items()]

    def status(self) -> tuple[Any, ...]:
        """How the feeds are."""
        return self._feeds.status()

    async def aclose(self) -> None:
        """End all of them."""
        await self._feeds.aclose()

    def _identify(self, market: str) -> Hashable:
        return f"{self._config.stream}/{market}", self._config.api_key

    def _make(self, market: str) -> Feed:
        config = self._config
        dialect = PolygonDialect(
            f"{config.stream}/{market}",
            config.api_key,
            market,
            is_delayed=config.is_stream_delayed,
        )
        in_session = market in ("stocks", "options", "indices")
        return Feed(
            dialect,
            self._plans(),
            name=f"{config.label}.{market}",
            settings=FeedSettings(patience=_PATIENCE.get(market, {})),
            hours=self._hours if in_session else ALWAYS,
            world=World(
                clock=self._resources.clock,
                listeners=self._resources.listeners,
                scrub=redactor.scrub,
            ),
        )

    def _plans(self) -> dict[str, Plan]:
        latest = Plan(reason="the next one takes its place")
        late_ns = self._late_ns
        return {
            "trades": Plan(self._missed_trades, memory=64, behind_ns=late_ns),
            "bars": Plan(self._missed_bars, memory=4, behind_ns=late_ns + MINUTE_NS),
            "quotes": latest,
            "second_bars": latest,
            "bands": latest,
            "imbalances": latest,
            "values": latest,
            "fair_values": latest,
        }

    async def _missed_trades(self, gap: Gap) -> list[Trade]:
        end = max(gap.from_ns, gap.to_ns - self._late_ns) + 1_000_000_000
        span = {"start": gap.from_ns, "end": end, "limit": MOST_MISSED}
        return await all_of(self._history.iter_trades(gap.topic.symbol, **span))

    async def _missed_bars(self, gap: Gap) -> list[Bar]:
        until = max(gap.from_ns, gap.to_ns - self._late_ns)
        span = {"start": utc_from_ns(gap.from_ns), "end": utc_from_ns(until)}
        rows = self._history.iter_bars(gap.topic.symbol, "1Min", limit=MOST_MISSED, **span)
        # The minute that is not over yet has a bar already, which is not the last word.
        return [bar for bar in await all_of(rows) if bar.time_ns + MINUTE_NS <= until]

    async def _days(self, start: date, end: date) -> Sequence[TradingDay]:
        """The sessions of the New York Stock Exchange, from its holidays and half days."""
        closed: set[date] = set()
        early: dict[date, time] = {}
        for holiday in await self._read_holidays():
            if holiday.exchange != "NYSE":
                continue
            if holiday.close is None:
                closed.add(holiday.on)
            else:
                early[holiday.on] = holiday.close.astimezone(NEW_YORK).time()
        return days_without(start, end, closed, early)
