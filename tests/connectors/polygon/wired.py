"""Reads answers as the session does, without one: decode, look for failures, read."""

from __future__ import annotations

import inspect
import json
import re
from datetime import UTC, datetime
from typing import Any

from sentio_async.connectors.polygon import wire
from sentio_async.http.answer import Answer
from sentio_async.http.endpoint import Endpoint
from sentio_async.http.problems import from_problem

NOW = datetime(2026, 1, 2, tzinfo=UTC)
_OURS: list[Endpoint[Any]] = wire.api.endpoints


def endpoint_of(path: str) -> Endpoint[Any] | None:
    """The declared endpoint for a path; literal segments win over parameters."""
    fitting = [e for e in _OURS if _fits(e.path, path)]
    return max(fitting, key=lambda e: _literals(e.path), default=None)


def _fits(template: str, path: str) -> bool:
    wanted, found = template.split("/"), path.split("/")
    return len(wanted) == len(found) and all(
        w.startswith("{") or w == f for w, f in zip(wanted, found, strict=True)
    )


def _literals(template: str) -> list[bool]:
    return [not part.startswith("{") for part in template.split("/")]


def read(endpoint: Endpoint[Any], body: Any, **context: Any) -> Any:
    """The value in an answer of status 200; raises as the session would."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    raw = endpoint.decode(data)
    problem = wire.api.check(raw) if wire.api.check else None
    if problem is not None:
        raise from_problem(problem, Answer(200, {}, data), raw, now=NOW)
    needed = inspect.signature(endpoint.returns).parameters
    known = {"symbol": "AAPL", "step": "1Day", **context}
    return endpoint.returns(raw, **{n: v for n, v in known.items() if n in needed})


def asked_in(endpoint: Endpoint[Any], path: str) -> dict[str, str]:
    """The ticker that a path asks for, as the endpoint's reader is told it."""
    parts = dict(zip(endpoint.path.split("/"), path.split("/"), strict=True))
    if "{from}" in parts and "{to}" in parts and "{ticker}" not in parts:
        return {"symbol": f"{parts['{from}']}-{parts['{to}']}"}
    ticker = parts.get("{contract}") or parts.get("{ticker}")
    return {} if ticker is None else {"symbol": ticker}


def named_in(body: Any) -> str:
    """The ticker that an answer names, wherever it does; AAPL if it names none."""
    if not isinstance(body, dict):
        return "AAPL"
    rows = body.get("results")
    row = rows[0] if isinstance(rows, list) and rows else rows
    details = row.get("details") if isinstance(row, dict) else None
    parts = (body, body.get("ticker"), body.get("data"), row, details)
    names = [part.get(n) for part in parts if isinstance(part, dict) for n in _NAMES]
    return next((name for name in names if isinstance(name, str)), "AAPL")


_NAMES = ("ticker", "T", "symbol")


def plain_path(url: str) -> str:
    """The path of a recorded URL."""
    return re.sub(r"^https?://[^/]+", "", url).partition("?")[0]
