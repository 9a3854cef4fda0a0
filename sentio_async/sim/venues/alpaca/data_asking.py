"""What a request to Alpaca's market data API asks for, checked as Alpaca checks it.

https://docs.alpaca.markets/reference/stockbars
"""

import base64
import binascii
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sentio_async.sim.calendar import day_of, midnight_ns
from sentio_async.sim.state import State
from sentio_async.sim.venues.times import (
    FIRST_DAY,
    HOUR,
    LAST_DAY,
    MINUTE,
    bounded,
    last_of_day,
    ns_from_rfc3339,
)

# Quarter of an hour: what a plan without real-time SIP must stay behind.
RECENT = 15 * MINUTE
# Feeds on which nothing of this exchange trades.
SILENT: Final = frozenset({"otc", "boats", "overnight"})

_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_FRAME: Final = re.compile(r"(\d+)(Min|T|Hour|H|Day|D|Week|W|Month|M)")
_UNITS: Final = {"T": "Min", "H": "Hour", "D": "Day", "W": "Week", "M": "Month"}
_COUNTS: Final[Mapping[str, range | tuple[int, ...]]] = {
    "Min": range(1, 60),
    "Hour": range(1, 24),
    "Day": (1,),
    "Week": (1,),
    "Month": (1, 2, 3, 4, 6, 12),
}

STOCK: Final = re.compile(r"[A-Z][A-Z0-9]{0,9}([./][A-Z]{1,4})?")
CRYPTO: Final = re.compile(r"[A-Z0-9]{1,10}/[A-Z]{1,5}")
OPTION: Final = re.compile(r"[A-Z][A-Z0-9]{0,5}\d{6}[CP]\d{8}")
WORD: Final = re.compile(r"[A-Z0-9._/]{1,20}")


class Refused(Exception):
    """An answer other than 200, in Alpaca's words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Timeframe:
    """One bar's length: `count` times Min, Hour, Day, Week or Month."""

    count: int
    unit: str

    @property
    def step_ns(self) -> int | None:
        """The length where it is always the same, None for calendar units."""
        match self.unit:
            case "Min":
                return self.count * MINUTE
            case "Hour":
                return self.count * HOUR
        return None


@dataclass(frozen=True, slots=True)
class Token:
    """Where the next page starts: a symbol, an instant, and how many rows of it are gone."""

    symbol: str
    time_ns: int
    skip: int

    def __str__(self) -> str:
        return base64.b64encode(f"{self.symbol}|{self.time_ns}|{self.skip}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: its query, the parts of its path, and the exchange it came to."""

    state: State
    query: Mapping[str, str]
    path: Mapping[str, Any]

    @property
    def now_ns(self) -> int:
        """What time it is at the exchange."""
        return self.state.clock.now_ns()

    @property
    def is_basic(self) -> bool:
        """Whether the keys are on the free plan: IEX in real time, SIP 15 minutes late."""
        return self.state.plans.get("alpaca") == "basic"

    def symbols(self, shape: re.Pattern[str], name: str = "symbols") -> list[str]:
        """The symbols asked for, sorted and each once, as Alpaca pages through them."""
        text = self.query.get(name, "")
        if not text:
            raise Refused(400, f"{name} is required")
        symbols = sorted({part.strip() for part in text.split(",")} - {""})
        for symbol in symbols:
            check_symbol(symbol, shape)
        return symbols

    def symbol(self, shape: re.Pattern[str], name: str = "symbol") -> str:
        """The symbol in the path."""
        return check_symbol(str(self.path[name]), shape)

    def number(self, name: str, default: int, top: int) -> int:
        """A whole number between 1 and `top`."""
        text = self.query.get(name)
        if text is None:
            return default
        if not text.isdecimal() or not 1 <= int(text) <= top:
            raise Refused(400, f"invalid {name}: must be between 1 and {top}")
        return int(text)

    def one_of(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        """One of the words the parameter may be."""
        word = self.query.get(name, default)
        if word not in allowed:
            raise Refused(400, f"invalid {name}: {word}")
        return word

    def is_descending(self, default: str = "asc") -> bool:
        """Whether the newest row comes first."""
        return self.one_of("sort", ("asc", "desc"), default) == "desc"

    def instant(self, name: str, *, is_end: bool = False) -> int | None:
        """A time or a date; a date means its first or, as an end, its last instant."""
        text = self.query.get(name)
        if not text:
            return None
        try:
            if _DATE.fullmatch(text):
                day = date.fromisoformat(text)
                day = min(max(day, FIRST_DAY), LAST_DAY)
                return last_of_day(day) if is_end else midnight_ns(day)
            # An unquoted "+00:00" arrives as a blank.
            return bounded(ns_from_rfc3339(re.sub(r" (\d\d:\d\d)$", r"+\1", text)))
        except ValueError:
            raise Refused(400, f"invalid {name}: {text}") from None

    def span(self, feed: str = "") -> tuple[int, int]:
        """First and last instant asked for, both inclusive, never beyond the present."""
        now = self.now_ns
        late = self.is_basic and feed == "sip"
        latest = now - RECENT if late else now
        end = self.instant("end", is_end=True)
        start = self.instant("start")
        if start is None:
            start = min(midnight_ns(day_of(now)), latest)
        if end is not None and end < start:
            raise Refused(400, "end should not be before start")
        if late and end is not None and end > latest:
            raise Refused(403, "subscription does not permit querying recent SIP data")
        return start, latest if end is None else min(end, now)

    def timeframe(self) -> Timeframe:
        """The length of a bar."""
        text = self.query.get("timeframe", "")
        found = _FRAME.fullmatch(text)
        if found is None:
            raise Refused(400, f"invalid timeframe: {text}")
        count, unit = int(found[1]), _UNITS.get(found[2], found[2])
        if count not in _COUNTS[unit]:
            raise Refused(400, f"invalid timeframe: {text}")
        return Timeframe(count, unit)

    def token(self) -> Token | None:
        """Where to go on, if this is not the first page."""
        text = self.query.get("page_token")
        if not text:
            return None
        try:
            symbol, time_ns, skip = base64.b64decode(text, validate=True).decode().split("|")
            return Token(symbol, bounded(int(time_ns)), max(0, int(skip)))
        except (binascii.Error, ValueError):
            raise Refused(400, "invalid page_token") from None

    def historical_feed(self) -> str:
        """The feed of a history request; SIP unless another one is named."""
        return self.one_of("feed", ("sip", "iex", "otc", "boats"), "sip")

    def latest_feed(self) -> str:
        """The feed of a latest request; the best one of the plan unless one is named."""
        feeds = ("sip", "iex", "delayed_sip", "boats", "overnight", "otc")
        feed = self.one_of("feed", feeds, "iex" if self.is_basic else "sip")
        if feed == "sip" and self.is_basic:
            raise Refused(403, "subscription does not permit querying recent SIP data")
        return feed

    def currency(self) -> dict[str, str]:
        """The `currency` key of the answer: present only when one was asked for."""
        word = self.query.get("currency")
        if word is None:
            return {}
        if not re.fullmatch(r"[A-Z]{3}", word):
            raise Refused(400, f"invalid currency: {word}")
        return {"currency": word}


def check_symbol(symbol: str, shape: re.Pattern[str]) -> str:
    """The symbol, unless nothing traded could be called that."""
    if not shape.fullmatch(symbol):
        raise Refused(400, f"invalid symbol: {symbol}")
    return symbol


Handler = Callable[[Ask], Any]


def route(state: State, path: str, handler: Handler, *, is_open: bool = False) -> Route:
    """GET `path`, answered with what `handler` returns; `is_open` needs no key."""

    async def endpoint(request: Request) -> Response:
        try:
            if not (is_open and anonymous(request)) and not is_known(state, request):
                raise Refused(401, "unauthorized")
            return answer(200, handler(Ask(state, request.query_params, request.path_params)))
        except Refused as refused:
            return answer(refused.status, {"message": refused.message})

    return Route(path, endpoint, methods=["GET"])


def answer(status: int, body: Any) -> Response:
    """A JSON answer with exact decimals, and an id to name it by in a complaint."""
    headers = {"X-Request-ID": uuid.uuid4().hex}
    return Response(_ENCODER.encode(body), status, headers, media_type="application/json")


def anonymous(request: Request) -> bool:
    """Whether a request carries no credential at all."""
    return not {"apca-api-key-id", "authorization"} & set(request.headers)


def is_known(state: State, request: Request) -> bool:
    """Key headers, an OAuth token (any known key), or the pair as HTTP Basic."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return state.credential("alpaca", value.strip()) is not None
    key = request.headers.get("apca-api-key-id")
    secret = request.headers.get("apca-api-secret-key")
    if kind.lower() == "basic":
        try:
            key, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return False
    credential = state.credential("alpaca", key)
    return credential is not None and credential.secret == secret
