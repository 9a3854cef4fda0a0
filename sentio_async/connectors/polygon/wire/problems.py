"""How Massive says that something went wrong: by status, and inside answers of status 200.

The text stands under ``error`` or under ``message``.  https://massive.com/docs/rest/quickstart
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sentio_async import errors
from sentio_async.connectors.polygon.wire.bulk import Bulk
from sentio_async.http.endpoint import Endpoint, Problem
from sentio_async.http.wire_json import Json

__all__ = ["find_failure", "item_error", "read_problem"]

# "DELAYED" is data that is 15 minutes old, or of the day's end: never a failure.
_KINDS: Mapping[str, type[errors.APIError]] = {
    "NOT_AUTHORIZED": errors.PermissionError,
    "NOT_ENTITLED": errors.PermissionError,
    "NOT_FOUND": errors.NotFoundError,
    "AUTH_ERROR": errors.AuthenticationError,
}
_FAILED = frozenset({"ERROR", *_KINDS})


def read_problem(status: int, body: Json, endpoint: Endpoint[Any]) -> Problem | None:
    """What an error answer says; its HTTP status decides the kind."""
    if not isinstance(body, Mapping):
        return None
    text = _text(body)
    if text is None:
        return None
    return Problem(text, code=_word(body.get("status")), details=_details(body))


def find_failure(decoded: Json) -> Problem | None:
    """A failure inside a 2xx answer, None when it is data."""
    body: Mapping[str, Any]
    if isinstance(decoded, Bulk):
        body = decoded.envelope.members()
    elif isinstance(decoded, Mapping):
        body = decoded
    else:
        return None
    status = _word(body.get("status"))
    if (status or "").upper() not in _FAILED and not _is_bare_error(body):
        return None
    text = _text(body) or f"the answer says {status}"
    return Problem(text, code=status, details=_details(body), kind=_kind(status, text))


def item_error(code: object, message: object, symbol: str) -> errors.ConnectorError:
    """The error of one symbol in an answer about many."""
    text = f"{symbol}: {message or code}"
    match code:
        case "NOT_FOUND":
            return errors.SymbolNotFoundError(text, symbol=symbol, connector="polygon")
        case "NOT_ENTITLED" | "NOT_AUTHORIZED":
            return errors.PermissionError(text, code=code, connector="polygon")
    return errors.APIError(text, code=_word(code), connector="polygon")


def _is_bare_error(body: Mapping[str, Any]) -> bool:
    has_data = any(body.get(name) for name in ("results", "ticker", "tickers"))
    return bool(body.get("error")) and not has_data


def _kind(status: str | None, text: str) -> type[errors.APIError]:
    if status is not None and status.upper() in _KINDS:
        return _KINDS[status.upper()]
    lowered = text.lower()
    if "exceeded the maximum requests" in lowered:
        return errors.RateLimitError
    if "api key" in lowered:
        return errors.AuthenticationError
    if "not entitled" in lowered or "plan doesn't include" in lowered:
        return errors.PermissionError
    return errors.BadRequestError if "parameter" in lowered else errors.APIError


def _text(body: Mapping[str, Any]) -> str | None:
    for name in ("error", "message"):
        if isinstance(body.get(name), str) and body[name]:
            return str(body[name])
    return None


def _word(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _details(body: Mapping[str, Any]) -> dict[str, Any]:
    request_id = body.get("request_id")
    return {} if request_id is None else {"request_id": str(request_id)}
