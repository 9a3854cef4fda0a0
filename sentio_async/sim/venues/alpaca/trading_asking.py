"""What a trading request asks, who asks it, and how it is refused in Alpaca's words."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from hmac import compare_digest
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sentio_async.sim.calendar import NEW_YORK
from sentio_async.sim.clock import SimClock, ns_of
from sentio_async.sim.instruments import Instruments
from sentio_async.sim.ledger import Account
from sentio_async.sim.market import Market
from sentio_async.sim.matching import Engine
from sentio_async.sim.state import State

# Wider than any price or size; keeps one request from computing for minutes.
MOST_DIGITS = 40


class Refused(Exception):
    """Ends a request with an error body: `{"code": ..., "message": ..., ...}`."""

    def __init__(self, status: int, code: int | None, message: str, **extra: str) -> None:
        super().__init__(message)
        self.status = status
        named = {} if code is None else {"code": code}
        self.body: dict[str, Any] = {**named, "message": message, **extra}


def malformed(message: str) -> Refused:
    """A value that is missing or makes no sense."""
    return Refused(422, 40010001, message)


def unprocessable(message: str, **extra: str) -> Refused:
    """A request that is well formed and against the rules."""
    return Refused(422, 42210000, message, **extra)


def forbidden(message: str, **extra: str) -> Refused:
    """A request this account may not make."""
    return Refused(403, 40310000, message, **extra)


def not_found(message: str) -> Refused:
    """Something that is not there."""
    return Refused(404, 40410000, message)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of one account."""

    state: State
    account: Account
    path: Mapping[str, Any]
    query: Mapping[str, str]
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def engine(self) -> Engine:
        """The engine that holds the account."""
        return self.state.engine

    @property
    def market(self) -> Market:
        """The market's prices."""
        return self.state.market

    @property
    def instruments(self) -> Instruments:
        """Everything tradable."""
        return self.state.market.instruments

    @property
    def clock(self) -> SimClock:
        """The exchange's time."""
        return self.state.clock

    def flag(self, name: str) -> bool:
        """A query value that is true or false."""
        return self.query.get(name, "").lower() in {"true", "1", "t"}

    def words(self, name: str) -> list[str]:
        """A query value that lists things between commas."""
        return [word.strip() for word in self.query.get(name, "").split(",") if word.strip()]

    def choice(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        """A query value that is one of these words."""
        value = self.query.get(name) or default
        if value not in allowed:
            raise malformed(f"invalid {name}: {value}")
        return value

    def whole(self, name: str, default: int, most: int) -> int:
        """A query value that counts something, from 1 to `most`."""
        text = self.query.get(name)
        if not text:
            return default
        if not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= most:
            raise malformed(f"{name} must be between 1 and {most}")
        return int(text)

    def moment(self, name: str) -> int | None:
        """A query value that is a time or a date, in nanoseconds; a date is New York's midnight."""
        text = self.query.get(name)
        return None if not text else moment_ns(text, name)

    def day(self, name: str) -> date | None:
        """A query value that is a date; of a time only the date counts."""
        text = self.query.get(name)
        if not text:
            return None
        try:
            return date.fromisoformat(text[:10])
        except ValueError:
            raise malformed(f"invalid {name}: {text}") from None


def moment_ns(text: str, name: str) -> int:
    """RFC 3339 with up to nine decimals, or a date, as nanoseconds."""
    body, _, rest = text.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    try:
        moment = datetime.fromisoformat((body + rest[len(digits) :]).replace(" ", "+"))
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=NEW_YORK)
        return ns_of(zoned) + int(digits[:9].ljust(9, "0"))
    except (ValueError, OverflowError):
        raise malformed(f"invalid {name}: {text}") from None


def number(body: Mapping[str, Any], name: str) -> Decimal | None:
    """A positive number that may come as a string; None when it is absent, null or empty."""
    value = body.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise malformed(f"invalid {name}")
    try:
        found = Decimal(value)
    except InvalidOperation:
        raise malformed(f"invalid {name}: {value}") from None
    if not found.is_finite() or abs(found.adjusted()) > MOST_DIGITS:
        raise malformed(f"invalid {name}: {value}")
    return found


def positive(body: Mapping[str, Any], name: str) -> Decimal | None:
    """A number above zero."""
    found = number(body, name)
    if found is not None and found <= 0:
        raise malformed(f"{name} must be > 0")
    return found


def text_of(body: Mapping[str, Any], name: str) -> str:
    """A string, empty when it is absent or null."""
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise malformed(f"invalid {name}")
    return value


Handler = Callable[[Asked], Any]


def endpoint(state: State, handler: Handler) -> Callable[[Request], Any]:
    """Serve a handler: who asks is checked first, and a refusal becomes its error body."""

    async def serve(request: Request) -> Response:
        try:
            account = _account(state, request)
            body = _json(await request.body())
            asked = Asked(state, account, request.path_params, request.query_params, body)
            answer = handler(asked)
        except Refused as refusal:
            return JSONResponse(refusal.body, refusal.status)
        return answer if isinstance(answer, Response) else JSONResponse(answer)

    return serve


def _account(state: State, request: Request) -> Account:
    key = request.headers.get("apca-api-key-id")
    secret = request.headers.get("apca-api-secret-key", "")
    if not key or not secret:
        raise Refused(401, None, "unauthorized.")
    known = state.credential("alpaca", key)
    if known is None or not compare_digest(known.secret.encode(), secret.encode()):
        raise Refused(401, 40110000, "request is not authorized")
    return state.engine.account(known.account)


def _json(raw: bytes) -> Mapping[str, Any]:
    if not raw.strip():
        return {}
    try:
        body = json.loads(raw, parse_float=Decimal)
    except ValueError:
        raise Refused(400, 40010000, "request body format is invalid") from None
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise Refused(400, 40010000, "request body format is invalid")
    return body
