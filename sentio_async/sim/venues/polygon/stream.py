"""Polygon's (Massive's) sockets, one path for each market.

https://massive.com/docs/websocket/quickstart
"""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle, islice
from typing import Any, Final

import msgspec
from starlette.routing import BaseRoute

from sentio_async.sim.sessions import POLICY, Session, doors, read_json
from sentio_async.sim.state import State
from sentio_async.sim.streams import Moment
from sentio_async.sim.venues.polygon.asking import Ask
from sentio_async.sim.venues.polygon.stream_rows import (
    EVENTS,
    Json,
    Timed,
    coin_quote,
    coin_trade,
    quote_row,
    trade_row,
)
from sentio_async.sim.venues.polygon.tickers import Kind, Named, find, traded
from sentio_async.sim.venues.times import MINUTE

KINDS: Final[dict[str, Kind]] = {
    "stocks": "stocks",
    "options": "options",
    "crypto": "crypto",
    "forex": "fx",
    "indices": "indices",
}
PREFIXES: Final = {"crypto": "X:", "forex": "C:"}
EVERYTHING: Final = "*"
DELAY: Final = 15 * MINUTE
NO_ACCESS: Final = (
    "Your plan doesn't include websocket access. Visit https://polygon.io/pricing to upgrade."
)
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


def routes(state: State) -> list[BaseRoute]:
    """Every market's socket."""
    return [*doors(state, [f"/{market}" for market in EVENTS], PolygonStream)]


class PolygonStream(Session):
    """One client of a market; `T.AAPL` is a topic: an event and, after the first dot, a symbol."""

    venue = "polygon"

    def __init__(self, state: State, path: str, headers: dict[str, str], head: bytes) -> None:
        super().__init__(state, path, headers, head)
        self._market_name = path.strip("/")
        self._events = EVENTS[self._market_name]
        self._since: dict[str, int] = {}
        self._to_confirm: deque[tuple[str, bool]] = deque()
        if state.plans.get("polygon") == "delayed":
            self.delay_ns = DELAY

    @property
    def topics(self) -> int:
        """How many topics the client listens to."""
        return len(self._since)

    def greet(self) -> None:
        """Say hello, and wait for the key."""
        self._status("connected", "Connected Successfully")
        if self.passes("WELCOMED"):
            seconds = self.state.streams.settings.auth_seconds
            self.socket.later(seconds, lambda: None if self.key else self._time_out())

    def _time_out(self) -> None:
        self._status("auth_timeout", "authentication timed out")
        self.socket.close(POLICY)

    def evict(self) -> None:
        """The client reads too slowly."""
        self._status("slow_consumer", "the connection does not keep up with its data")
        self.socket.close(POLICY)

    def limit(self) -> None:
        """One connection too many."""
        self._status("max_connections", "Maximum number of websocket connections exceeded.")
        self.socket.close(POLICY)

    def complain(self, code: int, text: str) -> None:
        """An error of the server's."""
        del code
        self._status("error", text or "internal error")

    def answer(self, message: bytes, *, is_text: bool) -> None:
        """Take `auth`, `subscribe` and `unsubscribe`."""
        del is_text
        said = read_json(message)
        action = said.get("action") if isinstance(said, dict) else None
        params = said.get("params") if isinstance(said, dict) else None
        if not isinstance(params, str):
            self._status("error", "invalid message")
        elif action == "auth":
            self._authenticate(params)
        elif not self.key:
            self._status("auth_required", "authentication required")
        elif action in ("subscribe", "unsubscribe"):
            self._change(params, is_more=action == "subscribe")
        else:
            self._status("error", f"unknown action: {action}")

    def _authenticate(self, key: str) -> None:
        if not self.passes("AUTH"):
            return
        if self.state.credential("polygon", key) is None:
            self._status("auth_failed", "authentication failed")
        elif self.state.plans.get("polygon") == "basic":
            self._status("auth_failed", NO_ACCESS)
        else:
            self.key = key
            self._status("auth_success", "authenticated")
            self.passes("AUTHENTICATED")
            return
        self.socket.close(POLICY)

    def _change(self, params: str, *, is_more: bool) -> None:
        if not self.passes("SUBSCRIBE"):
            return
        now = self.state.clock.now_ns() - self.delay_ns
        for topic in (part.strip() for part in params.split(",")):
            # Nothing is said about a topic nobody knows.
            if not self._is_known(topic):
                continue
            if is_more:
                self._since.setdefault(topic, now)
            else:
                self._since.pop(topic, None)
            self._to_confirm.append((topic, is_more))
        is_apart = self.state.streams.settings.acks == "apart"
        self._confirm(1 if is_apart else len(self._to_confirm))
        if self.passes("SUBSCRIBED") and is_more:
            self._check_excess()

    def _check_excess(self) -> None:
        """Too many connections are told only after everything has been granted."""
        if not self.is_too_many:
            return
        if self.state.streams.settings.excess == "newer":
            self.limit()
            return
        for other in self.others():
            other.limit()

    def _confirm(self, count: int) -> None:
        rows = []
        for _ in range(min(count, len(self._to_confirm))):
            topic, is_more = self._to_confirm.popleft()
            word = "subscribed to" if is_more else "unsubscribed to"
            rows.append({"ev": "status", "status": "success", "message": f"{word}: {topic}"})
        if rows:
            self.say(_ENCODER.encode(rows))

    def _is_known(self, topic: str) -> bool:
        event, dot, symbol = topic.partition(".")
        if not dot or event not in self._events:
            return False
        return symbol == EVERYTHING or self._named(symbol) is not None

    def _named(self, symbol: str) -> Named | None:
        if self._market_name in PREFIXES:
            plain = symbol.replace("-", "").replace("/", "")
            symbol = PREFIXES[self._market_name] + plain
        named = find(self._ask, symbol)
        return named if named is not None and named.kind == KINDS[self._market_name] else None

    @property
    def _ask(self) -> Ask:
        return Ask(self.state, {}, {}, self.path, "")

    def _members(self, symbol: str) -> list[Named]:
        if symbol == EVERYTHING:
            return traded(self._ask, KINDS[self._market_name])
        named = self._named(symbol)
        return [named] if named is not None else []

    def feed(self, moment: Moment) -> None:
        """Tell what happened, in order of time; a row of two topics comes once."""
        self._confirm(1)
        rows: list[Timed] = []
        told: set[tuple[str, str]] = set()
        for topic, since in self._since.items():
            event, _, symbol = topic.partition(".")
            for named in self._members(symbol):
                if (event, named.ticker) in told:
                    continue
                told.add((event, named.ticker))
                rows += [row for row in self._events[event](moment, named) if row[0] > since]
        if rows:
            rows.sort(key=lambda row: row[0])
            self.tell_rows([row for _, row in rows], _ENCODER.encode)

    def burst(self, frames: int, rows_per_frame: int) -> int:
        """Send so many frames of made-up trades and quotes."""
        wanted = [
            (topic.partition(".")[0], named)
            for topic in self._since
            for named in self._members(topic.partition(".")[2])
        ]
        found = (self._maker(event, named) for event, named in wanted)
        makers = [maker for maker in found if maker is not None]
        if not makers:
            return 0
        count = frames * rows_per_frame
        rows = [make(n) for n, make in enumerate(islice(cycle(makers), count))]
        return self.tell_rows(rows, _ENCODER.encode, rows_per_frame)

    def _maker(self, event: str, named: Named) -> Callable[[int], Json] | None:
        if named.instrument is None or event not in ("T", "Q", "XT", "XQ"):
            return None
        now = self.state.clock.now_ns()
        trade, quote = self.market.last_trade(named.symbol), self.market.quote(named.symbol)
        if trade is None or quote is None:
            return None
        is_coin = named.kind == "crypto"
        if event in ("T", "XT"):
            word = coin_trade if is_coin else trade_row
            return lambda n: word(named, replace(trade, time_ns=now + n, id=now + n))
        line = coin_quote if is_coin else quote_row
        return lambda n: line(named, replace(quote, time_ns=now + n))

    def _status(self, status: str, message: str) -> None:
        row: dict[str, Any] = {"ev": "status", "status": status, "message": message}
        self.say(_ENCODER.encode([row]))
