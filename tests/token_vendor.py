"""A vendor whose access tokens expire, and what its users bring to remember them."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
from pydantic import SecretStr

from sentio_async.http.auth import NoAuth
from sentio_async.http.client import Resources
from sentio_async.http.endpoint import Api, Parts
from sentio_async.http.session import Session
from sentio_async.http.tokens import Token, TokenAuth
from session_calls import TestConfig

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)

oauth = Api("oauth")


@oauth.post("/token", returns=dict, authenticated=False)
def ask_token(refresh: str) -> Parts:
    """The next token."""
    return Parts(json={"refresh_token": refresh})


class Clock:
    """Stands still until it is moved."""

    def __init__(self):
        self.now = 0.0

    def time(self):
        return self.now

    def utcnow(self):
        return NOON + timedelta(seconds=self.now)


class Vendor:
    """Takes access tokens until they are revoked, and each refresh token once."""

    def __init__(self):
        self.access, self.refresh, self.given = "access-0000", "refresh-0000", 0
        self.accepted = {self.access}
        self.orders = []
        self.failures = []
        self.pause = asyncio.Event()
        self.pause.set()
        self.client = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        self.clock = Clock()
        self.resources = Resources(client=self.client)

    async def _answer(self, request):
        if request.url.path == "/token":
            return await self._next(json.loads(request.content)["refresh_token"])
        if request.url.path == "/open":
            return httpx.Response(200, json={})
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.accepted:
            return httpx.Response(401, json={"error": "token_expired"})
        if request.method == "POST":
            self.orders.append(json.loads(request.content)["n"])
        return httpx.Response(200, json={"ok": True})

    async def _next(self, refresh):
        if self.failures:
            return self.failures.pop(0)
        if refresh != self.refresh:
            return httpx.Response(400, json={"error": "invalid_grant"})
        self.given += 1
        self.access, self.refresh = f"access-{self.given:04}", f"refresh-{self.given:04}"
        self.accepted.add(self.access)
        answer = {"access": self.access, "refresh": self.refresh}
        await self.pause.wait()
        return httpx.Response(200, json=answer)

    def revoke(self):
        """No access token will do any more."""
        self.accepted.clear()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.client.aclose()

    def session(self, auth, host="api", **settings):
        config, url = TestConfig(**settings), f"https://{host}.test"
        return Session(config, url, auth=auth, resources=self.resources)

    def auth(self, **known):
        asking = self.session(NoAuth(), "login", retry_attempts=1)

        async def renew(last):
            refresh = "refresh-0000" if last is None else last.refresh.get_secret_value()
            got = await asking.send(ask_token(refresh))
            return self.token(got["access"], got["refresh"])

        return TokenAuth(renew, clock=self.clock, **known)

    def token(self, access, refresh, seconds=1800):
        ends = self.clock.utcnow() + timedelta(seconds=seconds)
        return Token(SecretStr(access), ends, SecretStr(refresh))

    def first(self):
        return self.token(self.access, self.refresh)


class Store:
    """What a user brings: a lock, and the newest token."""

    def __init__(self, token=None):
        self.token = token
        self.fails = False
        self.is_held = asyncio.Lock()

    @asynccontextmanager
    async def lock(self):
        async with self.is_held:
            yield

    async def load(self):
        return self.token

    async def save(self, token):
        if self.fails:
            raise OSError("disk full")
        await asyncio.sleep(0.005)
        self.token = token
