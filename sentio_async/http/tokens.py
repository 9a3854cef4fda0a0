"""Access tokens that expire: renewed before they do, for all who use them, and remembered."""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from pydantic import SecretStr

from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.http.auth import SecretHeaders, bearing
from sentio_async.http.endpoint import Call
from sentio_async.http.redaction import Hidden
from sentio_async.http.renewal import Age, Renewal

__all__ = ["Token", "TokenAuth", "TokenStore"]

_log = logging.getLogger("sentio_async")


@dataclass(frozen=True, slots=True)
class Token:
    """What an authorization server has given."""

    access: SecretStr
    expires_at: datetime | None = None
    """Aware; None if nobody knows, or never."""
    refresh: SecretStr | None = None
    """Gets the next one."""


@runtime_checkable
class TokenStore(Protocol):
    """Where tokens outlive the process, and where several processes find the same ones."""

    def lock(self) -> AbstractAsyncContextManager[Any]:
        """Held while a token is renewed, so that no other process renews it meanwhile."""
        ...

    async def load(self) -> Token | None:
        """The newest token that was saved, by whichever process; None if there is none."""
        ...

    async def save(self, token: Token) -> None:
        """Remember it in place of all before it."""
        ...


class _NoStore:
    """Remembers nothing."""

    @asynccontextmanager
    async def lock(self) -> AsyncIterator[None]:
        """Nobody else is there."""
        yield

    async def load(self) -> Token | None:
        """Nothing was saved."""
        return None

    async def save(self, token: Token) -> None:
        """It lives as long as the process."""


class TokenAuth:
    """``Authorization: Bearer`` with a token that is renewed ``early`` seconds before it expires.

    Calls go on with it meanwhile; once it has expired, or a 401 has refused it, they wait for the
    next.  Sessions that are given the same one share its tokens.  ``renew`` gets the next token by
    means of the last, None if there was none; it is called once for all who wait, and seen to its
    end.  Once the vendor has refused it is not asked again until ``store`` has another token.
    """

    def __init__(
        self,
        renew: Callable[[Token | None], Awaitable[Token]],
        *,
        token: Token | None = None,
        store: TokenStore | None = None,
        early: float = 60.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.renewal = Renewal(self.refresh, clock=clock)
        self._renew = renew
        self._store: TokenStore = store or _NoStore()
        self._early = early
        self._clock = clock
        self._hidden = Hidden()
        self._token: Token | None = None
        self._kept: Token | None = None
        self._headers = SecretHeaders()
        self._ages_at = self._ends = -math.inf
        self._refused: tuple[Token | None, errors.ConnectorError] | None = None
        if token is not None:
            self._take(token)

    def __repr__(self) -> str:
        return f"<TokenAuth, renewed {self.renewal.number} times>"

    def sign(self, call: Call[Any]) -> Mapping[str, str]:
        """The header, the same object until there is another token."""
        return self._headers

    def age(self) -> Age:
        """How much longer the token will do."""
        now = self._clock.time()
        if now < self._ages_at:
            return Age.FRESH
        return Age.OVER if now >= self._ends else Age.OLD

    async def refresh(self) -> bool:
        """Take the next token: one that another process has got, or a new one."""
        async with self._store.lock():
            kept = await self._store.load()
            # What was there before says nothing new: a later one could not be saved.
            is_new = kept is not None and kept not in (self._token, self._kept)
            if kept is not None and is_new and self._seconds_left(kept) > 0:
                self._take(kept)
                return True
            token = await self._next(kept if is_new else self._token)
            # Not before: when that has failed, the next try is by means of the same one.
            self._kept = kept
            self._take(token)
            await self._save(token)
        return True

    async def token(self) -> Token:
        """One that will do now, for what is not a call, such as the login of a stream."""
        await self.renewal.before(self.age(), math.inf, set())
        assert self._token is not None
        return self._token

    async def _next(self, last: Token | None) -> Token:
        if self._refused is not None and self._refused[0] == last:
            # Without the frames of before: each time that it is raised would add some.
            raise self._refused[1].with_traceback(None)
        try:
            return await self._renew(last)
        except errors.ConnectorError as exc:
            is_final = exc.outcome is errors.Outcome.REFUSED
            if is_final and not isinstance(exc, errors.RateLimitError):
                self._refused = (last, exc)
                if last is not self._token:
                    # What was saved is of no use, so the next try is by means of our own.
                    self._kept = last
            raise

    async def _save(self, token: Token) -> None:
        try:
            await self._store.save(token)
        except Exception:  # noqa: BLE001 (a user's own code)
            # It is the only one that the vendor still takes, so it is used all the same.
            _log.exception("a new token could not be saved: it will not outlive this process")

    def _take(self, token: Token) -> None:
        secrets = (token.access, token.refresh)
        self._hidden.add(*(s.get_secret_value() for s in secrets if s is not None))
        self._headers = bearing(token.access)
        self._token = token
        left, now = self._seconds_left(token), self._clock.time()
        self._ends, self._ages_at = now + left, now + left - min(self._early, left / 2)

    def _seconds_left(self, token: Token) -> float:
        if token.expires_at is None:
            return math.inf
        return (token.expires_at - self._clock.utcnow()).total_seconds()
