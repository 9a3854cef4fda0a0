"""Alpaca's market-data refusals: ``{"message": "invalid symbol: BAD"}``, older ones with a code.

What stands in front of the API answers in HTML or plain text; those have nothing to read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sentio_async import errors
from sentio_async.http.endpoint import Endpoint, Problem
from sentio_async.http.wire_json import Json

__all__ = ["read_data_problem"]

# One bad symbol fails the whole request, and the message names one.
_INVALID_SYMBOL = re.compile(r"invalid symbol:\s*[\"']?([^\s\"',;]+)", re.IGNORECASE)
# Older servers said 422 where today's say 403.
_NOT_IN_THE_PLAN = 42210000


def read_data_problem(status: int, body: Json, endpoint: Endpoint[Any]) -> Problem | None:
    """What Alpaca says is wrong; ``details["symbol"]`` is the symbol it does not accept."""
    if not isinstance(body, Mapping) or not body.get("message"):
        return None
    message, code = str(body["message"]), body.get("code")
    named = _INVALID_SYMBOL.search(message) if status == 400 else None
    return Problem(
        message=message,
        code=code,
        details={"symbol": named.group(1)} if named else {},
        kind=errors.PermissionError if code == _NOT_IN_THE_PLAN else None,
    )
