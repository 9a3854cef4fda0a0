"""Alpaca's market data streams, one path for each feed.

https://docs.alpaca.markets/docs/streaming-market-data
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from itertools import cycle, islice
from typing import Any, Final

from starlette.routing import BaseRoute

from sentio_async.sim.calendar import day_of
from sentio_async.sim.instruments import Instrument, Instruments
from sentio_async.sim.market import Market
from sentio_async.sim.sessions import NORMAL, Session, doors
from sentio_async.sim.state import State
from sentio_async.sim.streams import Moment, Notice
from sentio_async.sim.venues.alpaca.data_asking import RECENT, SILENT
from sentio_async.sim.venues.alpaca.data_rows import Json, tape_of
from sentio_async.sim.venues.alpaca.stream_rows import (
    CHANNELS,
    Timed,
    Told,
    book_row,
    news_rows,
    notice_row,
    quote_row,
    trade_row,
)
from sentio_async.sim.venues.alpaca.stream_wire import credential_of, decode, encode, is_msgpack

ERRORS: Final[Mapping[int, str]] = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    407: "slow client",
    409: "insufficient subscription",
    410: "invalid subscribe action for this feed",
    411: "insufficient scope",
    412: "option messages are only available in MsgPack format",
    413: "star subscription is not allowed for option quotes",
    500: "internal error",
}
EVERYTHING: Final = "*"
# What comes with trades, asked for or not.
WITH_TRADES: Final = ("corrections", "cancelErrors")
# How many symbols with trades or quotes the free plan may listen to.
FREE: Final = {"us_equity": 30, "crypto": 30, "us_option": 200}
FAKE: Final = Instrument(
    "FAKEPACA", "Fakepaca Inc.", "us_equity", "NASDAQ", Decimal("134.56"), volume=900_000
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What one path tells about: a feed and its channels."""

    feed: str
    asset_class: str
    channels: tuple[str, ...]
    delay_ns: int = 0
    is_paid: bool = False


STOCK_CHANNELS: Final = (
    "trades",
    "quotes",
    "bars",
    "updatedBars",
    "dailyBars",
    "statuses",
    "lulds",
    "imbalances",
    *WITH_TRADES,
)
_IEX: Final = Endpoint("iex", "us_equity", STOCK_CHANNELS)
_SIP: Final = replace(_IEX, feed="sip", is_paid=True)
_COINS: Final = Endpoint(
    "crypto", "crypto", ("trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars")
)
_OPTIONS: Final = Endpoint("indicative", "us_option", ("trades", "quotes"))
ENDPOINTS: Final[Mapping[str, Endpoint]] = {
    "/v2/iex": _IEX,
    "/v2/sip": _SIP,
    "/v2/delayed_sip": replace(_IEX, feed="delayed_sip", delay_ns=RECENT),
    "/v2/boats": replace(_SIP, feed="boats"),
    "/v2/overnight": replace(_IEX, feed="overnight"),
    "/v2/test": replace(_IEX, feed="test"),
    "/v1beta3/crypto/us": _COINS,
    "/v1beta3/crypto/us-1": _COINS,
    "/v1beta3/crypto/eu-1": _COINS,
    "/v1beta1/indicative": _OPTIONS,
    "/v1beta1/opra": replace(_OPTIONS, feed="opra", is_paid=True),
    "/v1beta1/news": Endpoint("news", "", ("news",)),
}


def routes(state: State) -> list[BaseRoute]:
    """Every stream of the data host."""
    # The test stream trades at any hour, in a market of its own.
    fakes = Market(state.clock, Instruments([FAKE]), seed=1)
    return [*doors(state, ENDPOINTS, partial(DataStream, fakes))]


class DataStream(Session):
    """One client of a feed. Each topic is told from the moment on at which it was confirmed."""

    venue = "alpaca_data"

    def __init__(
        self, fakes: Market, state: State, path: str, headers: dict[str, str], head: bytes
    ) -> None:
        super().__init__(state, path, headers, head)
        self.endpoint = ENDPOINTS[path]
        self.delay_ns = self.endpoint.delay_ns
        self._fakes = fakes
        self._packed = is_msgpack(headers)
        self._told = Told(self.endpoint.feed)
        self._since: dict[str, dict[str, int]] = {name: {} for name in self.endpoint.channels}

    @property
    def is_text(self) -> bool:
        """MessagePack comes in binary frames."""
        return not self._packed

    @property
    def market(self) -> Market:
        """The market, or the one made up for tests."""
        return self._fakes if self.endpoint.feed == "test" else self.state.market

    @property
    def topics(self) -> int:
        """How many channels of how many symbols the client listens to."""
        return sum(len(symbols) for symbols in self._since.values())

    def greet(self) -> None:
        """Say hello; keys in the handshake's headers are as good as a message."""
        if self.endpoint.asset_class == "us_option" and not self._packed:
            self._refuse(412)
            return
        self._say({"T": "success", "msg": "connected"})
        if not self.passes("WELCOMED"):
            return
        seconds = self.state.streams.settings.auth_seconds
        self.socket.later(seconds, lambda: None if self.key else self._refuse(404))
        if "apca-api-key-id" in self.headers:
            named = ("apca-api-key-id", "apca-api-secret-key")
            self._authenticate(*(self.headers.get(name) for name in named))

    def evict(self) -> None:
        """The client reads too slowly."""
        self._refuse(407)

    def limit(self) -> None:
        """One connection too many."""
        self._refuse(406)

    def complain(self, code: int, text: str = "") -> None:
        """An error by its code."""
        code = code if text or code in ERRORS else 500
        self._say({"T": "error", "code": code, "msg": text or ERRORS[code]})

    def _refuse(self, code: int) -> None:
        self.complain(code)
        self.socket.close(NORMAL)

    def answer(self, message: bytes, *, is_text: bool) -> None:
        """Take `auth`, `subscribe` and `unsubscribe`."""
        said = decode(message, packed=self._packed and not is_text)
        action = said.get("action") if isinstance(said, dict) else None
        match action:
            case "auth" if self.key:
                self.complain(403)
            case "auth":
                self._authenticate(said.get("key"), said.get("secret"))
            case "subscribe" | "unsubscribe" if not self.key:
                self.complain(401)
            case "subscribe" | "unsubscribe":
                self._change(said, is_more=action == "subscribe")
            case _:
                self.complain(400)

    def _authenticate(self, key: object, secret: object) -> None:
        if not self.passes("AUTH"):
            return
        known = credential_of(self.state, key, secret)
        if known is None:
            self._refuse(402)
            return
        if self.endpoint.is_paid and self._is_free:
            self._refuse(409)
            return
        self.key = known.key
        if self.is_too_many:
            self._refuse(406)
            return
        self._say({"T": "success", "msg": "authenticated"})
        self.passes("AUTHENTICATED")

    @property
    def _is_free(self) -> bool:
        return self.state.plans.get("alpaca") == "basic"

    def _change(self, said: Mapping[str, Any], *, is_more: bool) -> None:
        if not self.passes("SUBSCRIBE"):
            return
        wanted = {name: value for name, value in said.items() if name != "action"}
        code = self._fault_in(wanted)
        if code is None and is_more and self._is_over_limit(wanted):
            code = 405
        if code is not None:
            self.complain(code)
            return
        fresh = self._edit(wanted, is_more=is_more)
        listed = {name: list(symbols) for name, symbols in self._since.items()}
        self._say({"T": "subscription", **listed})
        if self.passes("SUBSCRIBED"):
            self._show_books(fresh)

    def _edit(self, wanted: Mapping[str, list[str]], *, is_more: bool) -> list[str]:
        """Change what is told; answers the symbols whose order book is new."""
        now = self.state.clock.now_ns() - self.delay_ns
        books = set(self._since.get("orderbooks", ()))
        for name, symbols in wanted.items():
            for channel in (name, *(WITH_TRADES if name == "trades" else ())):
                since = self._since.get(channel, {})
                for symbol in symbols:
                    if is_more:
                        since.setdefault(symbol, now)
                    else:
                        since.pop(symbol, None)
        return [symbol for symbol in self._since.get("orderbooks", ()) if symbol not in books]

    def _fault_in(self, wanted: Mapping[str, Any]) -> int | None:
        """The error code of a request that makes no sense here."""
        for name, symbols in wanted.items():
            if name not in self.endpoint.channels:
                return 410 if name in CHANNELS or name == "news" else 400
            if not isinstance(symbols, list) or not all(isinstance(s, str) for s in symbols):
                return 400
            is_option = self.endpoint.asset_class == "us_option"
            if is_option and name == "quotes" and EVERYTHING in symbols:
                return 413
        return None

    def _is_over_limit(self, wanted: Mapping[str, Any]) -> bool:
        allowed = FREE.get(self.endpoint.asset_class) if self._is_free else None
        if allowed is None:
            return False
        limited = ("trades", "quotes")
        names = {(name, s) for name in limited for s in self._since.get(name, ())}
        names |= {(name, s) for name in limited for s in wanted.get(name, ())}
        return len(names) > allowed or any(symbol == EVERYTHING for _, symbol in names)

    def _show_books(self, symbols: list[str]) -> None:
        rows: list[Json] = []
        for one in self._instruments(dict.fromkeys(symbols, 0)):
            quote = self.market.quote(one.symbol)
            if quote is not None:
                self._told.books[one.symbol] = quote
                rows.append(book_row(one, quote))
        self.tell_rows(rows, self._encode)

    def feed(self, moment: Moment) -> None:
        """Tell what happened, in order of time."""
        rows: list[Timed] = []
        for name, since in self._since.items():
            if not since or self.endpoint.feed in SILENT:
                continue
            if name == "news":
                rows += self._news(moment, since)
                continue
            for one in self._instruments(since):
                begun = min(since.get(s, moment.now_ns) for s in (one.symbol, EVERYTHING))
                found = CHANNELS[name](moment, one, self._told)
                rows += [row for row in found if row[0] > begun]
        if rows:
            rows.sort(key=lambda row: row[0])
            self.tell_rows([row for _, row in rows], self._encode)

    def _news(self, moment: Moment, since: Mapping[str, int]) -> Iterator[Timed]:
        for time_ns, symbol, row in news_rows(moment):
            if symbol in since or EVERYTHING in since:
                yield time_ns, row

    def notice(self, notice: Notice) -> None:
        """Tell of a halt, or of a trade taken back or put right."""
        one = self.market.instruments.get(notice.symbol)
        if one is None or one.asset_class != self.endpoint.asset_class:
            return
        found = notice_row(notice, tape_of(one))
        if found is not None and {notice.symbol, EVERYTHING} & set(self._since.get(found[0], ())):
            self.tell(self._encode([found[1]]))

    def burst(self, frames: int, rows_per_frame: int) -> int:
        """Send so many frames of made-up trades and quotes."""
        makers = [
            maker
            for name in ("trades", "quotes")
            for one in self._instruments(self._since.get(name, {}))
            if (maker := self._maker(name, one)) is not None
        ]
        if not makers:
            return 0
        rows = [make(n) for n, make in enumerate(islice(cycle(makers), frames * rows_per_frame))]
        return self.tell_rows(rows, self._encode, rows_per_frame)

    def _maker(self, name: str, one: Instrument) -> Callable[[int], Json] | None:
        now, feed = self.state.clock.now_ns(), self._told.feed
        trade, quote = self.market.last_trade(one.symbol), self.market.quote(one.symbol)
        if trade is None or quote is None:
            return None
        if name == "trades":
            return lambda n: trade_row(one, replace(trade, time_ns=now + n, id=now + n), feed)
        return lambda n: quote_row(one, replace(quote, time_ns=now + n), feed)

    def _instruments(self, symbols: Mapping[str, int]) -> list[Instrument]:
        """What these symbols stand for on this feed; unknown ones say nothing, ever."""
        if EVERYTHING in symbols:
            return list(self._everything())
        wanted = (self.market.instruments.get(symbol) for symbol in symbols)
        return [
            one
            for one in wanted
            if one is not None
            and one.asset_class == self.endpoint.asset_class
            and one.symbol in symbols
            and one.tradable
        ]

    def _everything(self) -> Iterator[Instrument]:
        """All stocks or coins; of options, the next call at the money of every stock."""
        market = self.market
        for one in market.instruments:
            if one.asset_class == self.endpoint.asset_class and one.tradable:
                yield one
            elif self.endpoint.asset_class == "us_option" and one.has_options:
                chain = market.instruments.chain(one.symbol, day_of(market.clock.now_ns()))
                calls = [
                    each
                    for each in chain
                    if each.contract is not None
                    and chain[0].contract is not None
                    and each.contract.right == "call"
                    and each.contract.expires == chain[0].contract.expires
                ]
                yield calls[len(calls) // 2]

    def _say(self, row: Json) -> None:
        # Control messages come alone, in an array of one.
        self.say(self._encode([row]))

    def _encode(self, rows: Any) -> bytes:
        return encode(rows, packed=self._packed)
