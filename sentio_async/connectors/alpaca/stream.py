"""Alpaca's streams: which feed tells of what, and how its gaps are filled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol

from pydantic import SecretStr

from sentio_async.connectors.alpaca.config import AlpacaConfig
from sentio_async.connectors.alpaca.wire.data_api import option_feed, stock_feed
from sentio_async.connectors.alpaca.wire.data_routes import Kind, kind_of
from sentio_async.connectors.alpaca.wire.data_rows import Feed as FeedName
from sentio_async.connectors.alpaca.wire.stream import AlpacaMarketDialect, Keys
from sentio_async.http.client import Resources
from sentio_async.http.reading import utc_from_ns
from sentio_async.http.redaction import redactor
from sentio_async.models import Bar, Trade
from sentio_async.streams import EVERYTHING, Feed, FeedSettings, Gap, Plan, Topic, World
from sentio_async.streams.feeds import Feeds
from sentio_async.streams.gaps import MOST_MISSED, all_of
from sentio_async.streams.hours import ALWAYS, Hours, ReadDays, hours_of
from sentio_async.streams.subscription import Part

__all__ = ["ALL_PAIRS", "AlpacaStreams", "keys_of", "secrets_of"]

ALL_PAIRS = "*/*"
"""Every crypto pair, where ``*`` is every stock."""
NEWS = "news"
MINUTE_NS = 60_000_000_000
_LATE_NS = 15 * MINUTE_NS
"""How late delayed prices are."""

# How long a channel may be silent in a session, in seconds.
_STOCK_PATIENCE = {"quotes": 60.0, "trades": 120.0, "bars": 180.0}
_CRYPTO_PATIENCE = {"quotes": 120.0, "trades": 900.0, "bars": 900.0}


class History(Protocol):
    """Where missed rows come from."""

    def iter_trades(self, symbol: str, **span: Any) -> AsyncIterator[Trade]:
        """Trades of a span."""
        ...

    def iter_bars(self, symbol: str, timeframe: str, **span: Any) -> AsyncIterator[Bar]:
        """Bars of a span."""
        ...


def keys_of(config: AlpacaConfig) -> Keys:
    """Who logs in."""
    return Keys(config.api_key, config.api_secret, config.oauth_token)


def secrets_of(config: AlpacaConfig) -> tuple[SecretStr | None, ...]:
    """What tells one login from another."""
    return config.api_key, config.api_secret, config.oauth_token


class AlpacaStreams:
    """The market-data feeds of one connector: stocks, crypto, options, news."""

    def __init__(
        self, config: AlpacaConfig, resources: Resources, history: History, read_days: ReadDays
    ) -> None:
        self._config = config
        self._resources = resources
        self._history = history
        self._hours: Hours = hours_of(config.calendar, read_days)
        self._feeds: Feeds[str] = Feeds(self._make, owner=resources, identify=self._identify)

    def parts(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Part]:
        """The feeds that tell of symbols on channels, and the topics there."""
        by_feed: dict[str, list[Topic]] = {}
        for symbol in symbols:
            kind = NEWS if NEWS in channels else _kind(symbol)
            for channel in channels:
                # Only the tape of stocks tells bars again.
                if channel == "updated_bars" and kind == Kind.OPTION.value:
                    continue
                name = EVERYTHING if symbol == ALL_PAIRS else symbol
                by_feed.setdefault(kind, []).append(Topic(channel, name))
        return [(self._feeds[kind], tuple(topics)) for kind, topics in by_feed.items()]

    def status(self) -> tuple[Any, ...]:
        """How the feeds are."""
        return self._feeds.status()

    async def aclose(self) -> None:
        """End all of them."""
        await self._feeds.aclose()

    def _identify(self, kind: str) -> Hashable:
        path, _ = self._source(kind)
        return f"{self._config.data_stream}/{path}", *secrets_of(self._config)

    def _make(self, kind: str) -> Feed:
        path, name = self._source(kind)
        dialect = AlpacaMarketDialect(
            f"{self._config.data_stream}/{path}",
            keys_of(self._config),
            name,
            is_packed=kind != NEWS,
        )
        is_stock = kind == Kind.STOCK.value
        patience = _STOCK_PATIENCE if is_stock else _CRYPTO_PATIENCE if "crypto" in kind else {}
        return Feed(
            dialect,
            self._plans(kind, name),
            name=f"{self._config.label}.{kind}",
            settings=FeedSettings(patience=patience),
            hours=ALWAYS if kind == Kind.CRYPTO.value else self._hours,
            world=World(
                clock=self._resources.clock,
                listeners=self._resources.listeners,
                scrub=redactor.scrub,
            ),
        )

    def _source(self, kind: str) -> tuple[str, FeedName]:
        config = self._config
        match kind:
            case Kind.STOCK.value:
                name = config.stream_feed or config.feed or "iex"
                return f"v2/{name}", stock_feed(name)
            case Kind.CRYPTO.value:
                return "v1beta3/crypto/us", FeedName("us")
            case Kind.OPTION.value:
                source = config.options_feed or "indicative"
                return f"v1beta1/{source}", option_feed(source)
        return "v1beta1/news", FeedName()

    def _plans(self, kind: str, source: FeedName) -> dict[str, Plan]:
        # Of stocks alone there are several histories.
        tape = source.name if kind == Kind.STOCK.value else None
        past = _Past(self._history, tape, late_ns=_LATE_NS if source.is_delayed else 0)
        late_ns = past.late_ns
        latest = Plan(reason="the next one takes its place")
        nothing = Plan(reason="Alpaca has no history of it")
        return {
            "trades": Plan(past.trades, memory=64, behind_ns=late_ns),
            "bars": Plan(past.bars, memory=4, behind_ns=late_ns + MINUTE_NS),
            "quotes": latest,
            "daily_bars": latest,
            "books": replace(latest, begins_whole=True),
            "updated_bars": nothing,
            "statuses": nothing,
            "bands": nothing,
            "imbalances": nothing,
            NEWS: Plan(reason="ask get_news", has_many_symbols=True),
        }


class _Past:
    """The history of what one feed tells, and of no other tape."""

    def __init__(self, history: History, tape: str | None, *, late_ns: int) -> None:
        self._history = history
        self._options: dict[str, Any] = {"limit": MOST_MISSED}
        if tape is not None:
            self._options["feed"] = tape
        self.late_ns = late_ns

    async def trades(self, gap: Gap) -> list[Trade]:
        """Those that were missed."""
        span = self._span(gap)
        return await all_of(self._history.iter_trades(gap.topic.symbol, **span, **self._options))

    async def bars(self, gap: Gap) -> list[Bar]:
        """Those that were missed, of minutes that are over."""
        span = self._span(gap)
        rows = self._history.iter_bars(gap.topic.symbol, "1Min", **span, **self._options)
        # The minute that is not over yet has a bar already, which is not the last word.
        until = gap.to_ns - self.late_ns - MINUTE_NS
        return [bar for bar in await all_of(rows) if bar.time_ns <= until]

    def _span(self, gap: Gap) -> dict[str, Any]:
        end = utc_from_ns(max(gap.from_ns, gap.to_ns - self.late_ns)) + timedelta(seconds=1)
        return {"start": utc_from_ns(gap.from_ns), "end": end}


def _kind(symbol: str) -> str:
    return kind_of(symbol).value
