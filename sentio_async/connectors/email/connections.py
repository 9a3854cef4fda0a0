"""A few connections to one mail server, kept between messages while they are good."""

from __future__ import annotations

import asyncio
import os
import ssl
import weakref
from collections.abc import Sequence

from pydantic import SecretStr

from sentio_async import errors
from sentio_async.clock import Clock
from sentio_async.connectors.email.config import EmailConfig, Tls
from sentio_async.connectors.email.connection import Connection, Hidden
from sentio_async.errors import Outcome
from sentio_async.http.redaction import redactor

__all__ = ["Connections"]


class Connections:
    """Lends connections that are logged in; opens one when none is at hand."""

    def __init__(self, config: EmailConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._idle: list[Connection] = []
        self._home: tuple[int, int] | None = None
        self._opening: asyncio.Lock | None = None
        self._tls: ssl.SSLContext | None = None
        self._tokens = _Tokens(config, clock)
        self._refused_until = 0.0
        self._refusal: str | None = None

    async def lend(self, expires_at: float) -> tuple[Connection, bool]:
        """A connection, and whether it has been used before."""
        self._settle_in()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                return connection, True
            connection.cut()
        return await self.open(expires_at), False

    def give_back(self, connection: Connection, *, keep: bool) -> None:
        """Keep it for the next message, if it is good for one."""
        if keep and connection.is_usable and len(self._idle) < self._config.max_connections:
            self._idle.append(connection)
        else:
            connection.cut()

    async def open(self, expires_at: float) -> Connection:
        """A new connection; logins are tried one after another, and none after a refusal."""
        if self._tls is None and self._config.tls is not Tls.NONE:
            # Reading the system's certificates takes 20 ms.
            self._tls = await asyncio.to_thread(_tls_context, self._config)
        if not self._config.username:
            return await self._connected(expires_at)
        if self._opening is None:
            self._opening = asyncio.Lock()
        try:
            async with asyncio.timeout(max(0.0, expires_at - self._clock.time())):
                await self._opening.acquire()
        except TimeoutError as exc:
            raise errors.DeadlineExceededError(
                "no time left to log in", outcome=Outcome.NOT_SENT, phase="AUTH"
            ) from exc
        try:
            return await self._logged_in(expires_at)
        finally:
            self._opening.release()

    async def _connected(self, expires_at: float) -> Connection:
        connection = Connection(self._config, self._tls, self._clock)
        try:
            await connection.open(expires_at)
        except BaseException:
            connection.cut()
            raise
        return connection

    async def _logged_in(self, expires_at: float) -> Connection:
        left = self._refused_until - self._clock.time()
        if self._refusal is not None and left > 0:
            raise errors.AuthenticationError(
                f"{self._refusal}; not tried again for {left:.0f} s", phase="AUTH"
            )
        try:
            return await self._try_login(expires_at)
        except errors.AuthenticationError as exc:
            if not await self._tokens.renew(expires_at):
                self._remember(exc)
                raise
        try:
            return await self._try_login(expires_at)
        except errors.AuthenticationError as exc:
            self._remember(exc)
            raise

    async def _try_login(self, expires_at: float) -> Connection:
        secret = await self._tokens.current(expires_at)
        connection = await self._connected(expires_at)
        try:
            await connection.log_in(secret, expires_at)
        except BaseException:
            connection.cut()
            raise
        self._refusal = None
        return connection

    def _remember(self, refusal: errors.AuthenticationError) -> None:
        self._refusal = refusal.message
        self._refused_until = self._clock.time() + self._config.login_pause

    def forgive(self) -> None:
        """Let the next login be tried, although the last was refused."""
        self._refusal = None

    def _settle_in(self) -> None:
        """Connections belong to the loop and the process that opened them."""
        home = (os.getpid(), id(asyncio.get_running_loop()))
        if self._home != home:
            self._home, self._opening = home, None
            self._idle.clear()

    async def close(self) -> None:
        """Say goodbye on every idle connection."""
        self._settle_in()
        idle, self._idle = self._idle, []
        await asyncio.gather(*(connection.close() for connection in idle))


class _Tokens:
    """The password, or the newest OAuth 2 token."""

    def __init__(self, config: EmailConfig, clock: Clock) -> None:
        self._clock = clock
        self._provider = config.token_provider
        self._secret: Hidden | None = None
        if config.password is not None:
            self._secret = Hidden(config.password.get_secret_value().encode())
        self._shown: list[SecretStr] = []
        weakref.finalize(self, _forget, self._shown)

    async def current(self, expires_at: float) -> Hidden:
        if self._secret is None:
            self._secret = await self._fetch(expires_at)
        return self._secret

    async def renew(self, expires_at: float) -> bool:
        """Get another token after a refusal; False if there is none."""
        if self._provider is None:
            return False
        refused, self._secret = self._secret, None
        self._secret = await self._fetch(expires_at)
        return self._secret != refused

    async def _fetch(self, expires_at: float) -> Hidden:
        assert self._provider is not None
        try:
            async with asyncio.timeout(max(0.0, expires_at - self._clock.time())):
                token = await self._provider()
        except errors.ConnectorError:
            raise
        except Exception as exc:
            raise errors.ConnectionError(
                f"token_provider failed with {type(exc).__name__}",
                outcome=Outcome.NOT_SENT,
                phase="AUTH",
            ) from exc
        if not (token and token.isascii() and token.isprintable()):
            raise errors.ConfigurationError("token_provider: gave something that is not a token")
        redactor.add((token,))
        self._shown.append(SecretStr(token))
        return Hidden(token.encode())

    def __repr__(self) -> str:
        return "<tokens>"


def _forget(shown: Sequence[SecretStr]) -> None:
    redactor.remove(each.get_secret_value() for each in shown)


def _tls_context(config: EmailConfig) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=config.ca_file)
    except (OSError, ValueError) as exc:
        raise errors.ConfigurationError(f"ca_file: cannot be read ({exc})") from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
