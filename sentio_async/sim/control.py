"""The control port: what an exchange saw and suffers, as JSON over HTTP.

`GET /requests /inbox /hooks /faults /accounts /clock`, `POST /faults` with one rule or a list,
`DELETE /faults`, `DELETE /seen` (forget requests, mails and hooks), `POST /clock/advance` with
`{"seconds": 60}`. No venue's faults apply here.
"""

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sentio_async.sim.faults import FaultRule
from sentio_async.sim.state import Hook, Mail, Seen

if TYPE_CHECKING:
    from sentio_async.sim.exchange import Exchange

MAX_BODY: Final = 1 << 20
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})

Handler = Callable[[Request], Awaitable[Response]]


def routes(exchange: "Exchange") -> list[BaseRoute]:
    """The control port's paths."""
    control = Control(exchange)
    table: list[tuple[str, str, Handler]] = [
        ("GET", "/", control.addresses),
        ("GET", "/requests", control.requests),
        ("GET", "/inbox", control.inbox),
        ("GET", "/hooks", control.hooks),
        ("GET", "/faults", control.faults),
        ("POST", "/faults", control.add_faults),
        ("DELETE", "/faults", control.clear_faults),
        ("DELETE", "/seen", control.forget),
        ("GET", "/accounts", control.accounts),
        ("GET", "/clock", control.clock),
        ("POST", "/clock/advance", control.advance),
    ]
    return [Route(path, _guarded(handler), methods=[method]) for method, path, handler in table]


def _guarded(handler: Handler) -> Handler:
    async def answer(request: Request) -> Response:
        # A web page that points its own name at this machine must not steer the exchange.
        host = request.headers.get("host", "").rsplit(":", 1)[0]
        if host not in LOOPBACK and host != (request.scope["server"] or ("",))[0]:
            return _refused("host: the control port answers to this machine only", 403)
        # Nor may one that posts a plain form to it: browsers say where that comes from.
        if request.method != "GET" and "origin" in request.headers:
            return _refused("origin: the control port is not for web pages", 403)
        try:
            return await handler(request)
        except (TypeError, ValueError) as exc:
            return _refused(str(exc))

    return answer


def _refused(message: str, status: int = 422) -> Response:
    return JSONResponse({"message": message}, status)


class Control:
    """Answers for one exchange."""

    def __init__(self, exchange: "Exchange") -> None:
        self._exchange = exchange
        self._state = exchange.state

    async def addresses(self, request: Request) -> Response:
        """Where each venue listens."""
        return JSONResponse(self._exchange.addresses.as_json())

    async def requests(self, request: Request) -> Response:
        """What the HTTP venues were asked; `?venue=`, `?limit=` narrow it."""
        venue = request.query_params.get("venue")
        seen = self._state.requests
        return _rows(request, (row for row in seen if venue in (None, row.venue)))

    async def inbox(self, request: Request) -> Response:
        """The mails that were accepted."""
        return _rows(request, self._state.inbox)

    async def hooks(self, request: Request) -> Response:
        """What was posted to the webhook sink."""
        return _rows(request, self._state.hooks)

    async def faults(self, request: Request) -> Response:
        """The rules in force, and what they did."""
        script = self._state.faults
        rules = [rule.as_json() for rule in script.rules]
        return JSONResponse(
            {"rules": rules, "applied": [each.as_json() for each in script.applied]}
        )

    async def add_faults(self, request: Request) -> Response:
        """Put one rule, or a list of them, behind the others."""
        raw = await _body(request)
        rules = [FaultRule.from_json(each) for each in (raw if isinstance(raw, list) else [raw])]
        for rule in rules:
            self._exchange.add_fault(rule)
        return JSONResponse({"added": len(rules)}, 201)

    async def clear_faults(self, request: Request) -> Response:
        """Take every rule away."""
        self._exchange.clear_faults()
        return Response(status_code=204)

    async def forget(self, request: Request) -> Response:
        """Forget the requests, mails and hooks seen so far."""
        self._exchange.forget()
        return Response(status_code=204)

    async def accounts(self, request: Request) -> Response:
        """Number, vendor and key of every account; never a secret."""
        known = self._state.keys.values()
        rows = [{"vendor": each.vendor, "key": each.key, "account": each.account} for each in known]
        return JSONResponse(rows)

    async def clock(self, request: Request) -> Response:
        """The exchange's time."""
        clock = self._state.clock
        return JSONResponse({"now": clock.now().isoformat(), "now_ns": str(clock.now_ns())})

    async def advance(self, request: Request) -> Response:
        """Move the exchange's time forward."""
        raw = await _body(request)
        seconds = raw.get("seconds") if isinstance(raw, dict) else None
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
            raise ValueError("seconds: a number from 0 up is needed")
        self._state.clock.advance(seconds)
        return await self.clock(request)


def _rows(request: Request, found: Iterable[Seen | Mail | Hook]) -> Response:
    rows = [row.as_json() for row in found]
    limit = request.query_params.get("limit")
    if limit is not None:
        if not limit.isdecimal():
            raise ValueError(f"limit: {limit!r} is not a whole number")
        rows = rows[-int(limit) :] if int(limit) else []
    return JSONResponse(rows)


async def _body(request: Request) -> Any:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise ValueError("body is larger than 1 MB")
    try:
        return json.loads(bytes(body))
    except ValueError as exc:
        raise ValueError(f"body is not JSON: {exc}") from exc
