"""Request limits per credential, told to the client the way each vendor tells them.

Alpaca: three headers on every answer, 200 requests a minute, 429 with its JSON body.
https://docs.alpaca.markets/docs/usage-limit-api-calls
Polygon: a limit that shows in no header at all, only in the 429 that follows.
"""

import json
import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECOND = 1_000_000_000
# In the scope's extensions of a request that the limit kept from its handler.
REFUSED = "sentio.sim.refused"

# Requests per minute. Polygon's is unlimited on every paid plan; the free one allows 5.
PER_MINUTE: Mapping[str, int | None] = {
    "alpaca_trading": 200,
    "alpaca_data": 200,
    "polygon": None,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one request may pass, and what the vendor says about the next ones."""

    is_allowed: bool
    limit: int
    remaining: int
    reset_at: int
    """Epoch second, rounded up, at which the oldest counted request leaves the window."""


@dataclass(slots=True)
class Limits:
    """Exact sliding windows of one minute per (venue, credential).

    A refused request does not count: a client that keeps knocking is let in on time.
    """

    now_ns: Callable[[], int]
    per_minute: dict[str, int | None] = field(default_factory=lambda: dict(PER_MINUTE))
    window_ns: int = 60 * SECOND
    _passed: dict[tuple[str, str], deque[int]] = field(default_factory=dict)

    def take(self, venue: str, credential: str) -> Verdict | None:
        """Count one request; None where the venue has no limit."""
        limit = self.per_minute.get(venue)
        if limit is None:
            return None
        now = self.now_ns()
        passed = self._passed.setdefault((venue, credential), deque())
        while passed and passed[0] <= now - self.window_ns:
            passed.popleft()
        is_allowed = len(passed) < limit
        if is_allowed:
            passed.append(now)
        oldest = passed[0] if passed else now
        reset_at = math.ceil((oldest + self.window_ns) / SECOND)
        return Verdict(is_allowed, limit, max(0, limit - len(passed)), reset_at)

    def forget(self) -> None:
        """Start every window afresh."""
        self._passed.clear()


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a vendor words its 429, and whether it counts aloud."""

    body: Mapping[str, Any]
    has_headers: bool


ALPACA = Refusal({"code": 42910000, "message": "rate limit exceeded."}, has_headers=True)
POLYGON = Refusal(
    {
        "status": "ERROR",
        "error": "You've exceeded the maximum requests per minute, please wait or upgrade "
        "your subscription to continue.",
    },
    has_headers=False,
)


class Limited:
    """Answers 429 in the vendor's words once a credential has used up its minute."""

    def __init__(self, app: ASGIApp, venue: str, limits: Limits, refusal: Refusal) -> None:
        self._app = app
        self._venue = venue
        self._limits = limits
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count, refuse or serve, and add the vendor's headers to whatever is answered."""
        # Streams have hosts of their own, and limits on connections instead.
        is_counted = not is_handshake(scope)
        verdict = self._limits.take(self._venue, credential_in(scope)) if is_counted else None
        if verdict is None:
            await self._app(scope, receive, send)
            return
        headers = _headers(verdict) if self._refusal.has_headers else []

        async def announce(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *headers]
            await send(message)

        if verdict.is_allowed:
            await self._app(scope, receive, announce)
            return
        scope.setdefault("extensions", {})[REFUSED] = True
        body = json.dumps(self._refusal.body).encode()
        fixed = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await announce({"type": "http.response.start", "status": 429, "headers": fixed})
        await announce({"type": "http.response.body", "body": body})


def is_handshake(scope: Scope) -> bool:
    """Whether a request asks for its connection to become a WebSocket."""
    headers = scope["headers"]
    return any(name == b"upgrade" and value.lower() == b"websocket" for name, value in headers)


def _headers(verdict: Verdict) -> list[tuple[bytes, bytes]]:
    return [
        (b"x-ratelimit-limit", str(verdict.limit).encode()),
        (b"x-ratelimit-remaining", str(verdict.remaining).encode()),
        (b"x-ratelimit-reset", str(verdict.reset_at).encode()),
    ]


def credential_in(scope: Scope) -> str:
    """What a request identifies itself with; unidentified ones share one window."""
    headers = dict(scope["headers"])
    for name in (b"apca-api-key-id", b"authorization"):
        if name in headers:
            return bytes(headers[name]).decode("latin-1")
    for pair in scope["query_string"].split(b"&"):
        name, _, value = bytes(pair).partition(b"=")
        if name.lower() == b"apikey":
            return f"Bearer {value.decode('latin-1')}"
    return ""
