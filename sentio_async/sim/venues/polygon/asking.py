"""What a request to Polygon (Massive) asks for, and the envelopes it is answered in.

https://massive.com/docs/rest/quickstart
"""

import base64
import binascii
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sentio_async.sim.calendar import midnight_ns
from sentio_async.sim.state import State
from sentio_async.sim.venues.tape import Tape
from sentio_async.sim.venues.times import (
    FIRST_DAY,
    LAST_DAY,
    bounded,
    last_of_day,
    ns_from_rfc3339,
    utc_midnight,
)

Json = dict[str, Any]

_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
UPGRADE = "Please upgrade your plan at https://polygon.io/pricing"
# Where a cursor keeps its place.
MARKER = "page_marker"
_PLACE: Final = re.compile(r"\d{1,20}(-\d{1,6})?")


class Refused(Exception):
    """An answer other than 200: some carry `error`, some `message`."""

    def __init__(self, status: int, word: str, **text: str) -> None:
        super().__init__(word)
        self.status = status
        self.body: Json = {"status": word, "request_id": request_id(), **text}


def wrong(text: str) -> Refused:
    """A request that cannot be understood."""
    return Refused(400, "ERROR", error=text)


def missing(text: str = "Data not found.") -> Refused:
    """A thing that is not there."""
    return Refused(404, "NOT_FOUND", message=text)


def forbidden(text: str = f"You are not entitled to this data. {UPGRADE}") -> Refused:
    """Something the plan does not cover."""
    return Refused(403, "NOT_AUTHORIZED", message=text)


def request_id() -> str:
    """A new id, in Polygon's 32 digits."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Ask:
    """One request; the query of a `next_url` is already unpacked from its cursor."""

    state: State
    query: Mapping[str, str]
    path: Mapping[str, Any]
    url: str
    host: str

    @property
    def now_ns(self) -> int:
        """What time it is at the exchange."""
        return self.state.clock.now_ns()

    @property
    def tape(self) -> Tape:
        """The market's history."""
        return Tape(self.state.market)

    @property
    def plan(self) -> str:
        """What the key may see: `basic` (end of day), `delayed` or everything."""
        return self.state.plans.get("polygon", "realtime")

    @property
    def timeframe(self) -> str:
        """How snapshots call the plan's delay."""
        return "REAL-TIME" if self.plan == "realtime" else "DELAYED"

    def need(self, plan: str = "delayed") -> None:
        """Refuse a plan below this one."""
        ranks = ("basic", "delayed", "realtime")
        if ranks.index(self.plan) < ranks.index(plan):
            raise forbidden()

    def envelope(self, **parts: Any) -> Json:
        """A whole answer around its data; delayed plans are told so in its status."""
        word = "OK" if self.plan == "realtime" else "DELAYED"
        return {"status": word, "request_id": request_id(), **parts}

    def text(self, name: str) -> str:
        """One part of the path."""
        return str(self.path[name])

    def number(self, name: str, default: int, top: int) -> int:
        """A whole number from 1 to `top`."""
        text = self.query.get(name)
        if text is None:
            return default
        if not text.isdecimal() or not 1 <= int(text) <= top:
            raise wrong(f"The parameter '{name}' must be an integer between 1 and {top}")
        return int(text)

    def flag(self, name: str, default: bool) -> bool:
        """A boolean, written out."""
        text = self.query.get(name, "").lower()
        if text not in ("", "true", "false"):
            raise wrong(f"The parameter '{name}' must be true or false")
        return text == "true" if text else default

    def one_of(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        """One of the words the parameter may be."""
        word = self.query.get(name, default)
        if word not in allowed:
            raise wrong(f"The parameter '{name}' must be one of {', '.join(allowed)}")
        return word

    def day(self, name: str, text: str | None = None) -> date:
        """A date from the path, or from `text`."""
        text = self.text(name) if text is None else text
        try:
            return min(max(date.fromisoformat(text), FIRST_DAY), LAST_DAY)
        except ValueError:
            raise wrong(f"Could not parse the parameter '{name}'. Use YYYY-MM-DD") from None

    def next_url(self, marker: str, path: str | None = None) -> str:
        """Where the next page is: this request again, its query and place in a cursor."""
        kept = {k: v for k, v in self.query.items() if k != MARKER} | {MARKER: marker}
        cursor = base64.urlsafe_b64encode(urlencode(sorted(kept.items())).encode()).decode()
        return f"{self.host}{path or self.url}?cursor={cursor.rstrip('=')}"

    @property
    def place(self) -> tuple[int, int] | None:
        """The place a cursor points to: an instant or index, and how much of it was told."""
        marker = self.query.get(MARKER)
        if marker is None:
            return None
        at, _, told = marker.partition("-")
        return int(at), int(told or 0)


def reach(text: str, unit_ns: int, *, is_utc: bool) -> tuple[int, int]:
    """First and last nanosecond of a count of units, a date, or an RFC 3339 time."""
    if text.isdecimal() and len(text) > 4:
        return bounded(int(text) * unit_ns), bounded((int(text) + 1) * unit_ns - 1)
    if "T" in text:
        at = bounded(ns_from_rfc3339(text))
        return at, at
    day = min(max(date.fromisoformat(text), FIRST_DAY), LAST_DAY)
    if is_utc:
        return utc_midnight(day), utc_midnight(date.fromordinal(day.toordinal() + 1)) - 1
    return midnight_ns(day), last_of_day(day)


def bounds(
    ask: Ask, name: str, unit_ns: int, default: tuple[int, int], *, is_utc: bool = False
) -> tuple[int, int]:
    """First and last instant that `name` and its .gt .gte .lt .lte let through."""
    start, end = default
    for suffix in ("", ".gte", ".gt", ".lte", ".lt"):
        text = ask.query.get(name + suffix)
        if not text:
            continue
        try:
            first, last = reach(text, unit_ns, is_utc=is_utc)
        except ValueError:
            raise wrong(f"Could not parse the parameter '{name}{suffix}'") from None
        match suffix:
            case "":
                start, end = max(start, first), min(end, last)
            case ".gte":
                start = max(start, first)
            case ".gt":
                start = max(start, last + 1)
            case ".lte":
                end = min(end, last)
            case ".lt":
                end = min(end, first - 1)
    return start, end


Handler = Callable[[Ask], Any]


def route(state: State, path: str, handler: Handler) -> Route:
    """GET `path`, answered with what `handler` returns."""

    async def endpoint(request: Request) -> Response:
        try:
            _authenticate(state, request)
            return answer(200, handler(_ask(state, request)))
        except Refused as refused:
            return answer(refused.status, refused.body)

    return Route(path, endpoint, methods=["GET"])


def answer(status: int, body: Any) -> Response:
    """A JSON answer with exact numbers, and the only header of note that Polygon sends."""
    headers = {"X-Request-Id": request_id()}
    if isinstance(body, dict) and "request_id" in body:
        headers["X-Request-Id"] = str(body["request_id"])
    return Response(_ENCODER.encode(body), status, headers, media_type="application/json")


def _authenticate(state: State, request: Request) -> None:
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    key = value.strip() if kind.lower() == "bearer" else request.query_params.get("apiKey")
    if not key:
        raise Refused(401, "ERROR", error="API Key was not provided")
    if state.credential("polygon", key) is None:
        raise Refused(401, "ERROR", error="Unknown API Key")


def _ask(state: State, request: Request) -> Ask:
    query = {k: v for k, v in request.query_params.items() if k != "apiKey"}
    cursor = query.pop("cursor", None)
    if cursor is not None:
        query = _unpacked(cursor)
    elif MARKER in query:
        del query[MARKER]
    host = f"{request.url.scheme}://{request.url.netloc}"
    return Ask(state, query, request.path_params, quote(request.url.path, safe="/:"), host)


def _unpacked(cursor: str) -> dict[str, str]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        query = dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True))
    except (binascii.Error, ValueError):
        raise wrong("Invalid cursor") from None
    if not _PLACE.fullmatch(query.get(MARKER, "")):
        raise wrong("Invalid cursor")
    return query


_OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "": lambda a, b: bool(a == b),
    ".gt": lambda a, b: bool(a > b),
    ".gte": lambda a, b: bool(a >= b),
    ".lt": lambda a, b: bool(a < b),
    ".lte": lambda a, b: bool(a <= b),
}


def filtered(ask: Ask, rows: list[Json], names: tuple[str, ...]) -> list[Json]:
    """The rows that `name`, `name.gt` ... `name.any_of` let through, for every name."""
    for name in names:
        for suffix, compare in _OPERATORS.items():
            text = ask.query.get(name + suffix)
            if text:
                rows = [row for row in rows if _passes(row.get(name), text, compare)]
        wanted = ask.query.get(f"{name}.any_of")
        if wanted:
            rows = [row for row in rows if str(row.get(name)) in wanted.split(",")]
    return rows


def _passes(value: Any, text: str, compare: Callable[[Any, Any], bool]) -> bool:
    if value is None:
        return False
    if isinstance(value, str):
        return compare(value, text)
    try:
        return compare(Decimal(value), Decimal(text))
    except InvalidOperation:
        raise wrong(f"Could not parse '{text}' as a number") from None


def ordered(ask: Ask, rows: list[Json], default: str, *, is_descending: bool = False) -> list[Json]:
    """The rows in the order `sort` and `order` ask for; `sort` may be `column.desc`."""
    text = ask.query.get("sort", default)
    for part in reversed(text.split(",")):
        column, _, direction = part.partition(".")
        backwards = (direction or ask.query.get("order")) == "desc" or (
            not direction and "order" not in ask.query and is_descending
        )
        rows = sorted(rows, key=lambda row: _key(row.get(column)), reverse=backwards)
    return rows


def _key(value: Any) -> tuple[int, Any]:
    return (0, 0) if value is None else (1, value)


def paged(ask: Ask, rows: list[Json], limit: int, **parts: Any) -> Json:
    """One page of a list that is known whole."""
    begin = ask.place[0] if ask.place is not None else 0
    page = rows[begin : begin + limit]
    after: Json = {}
    if begin + limit < len(rows):
        after["next_url"] = ask.next_url(str(begin + limit))
    return ask.envelope(results=page, **parts, **after)
