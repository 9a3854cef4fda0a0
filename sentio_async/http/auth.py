"""How a request proves who sends it.  What holds an unwrapped secret never shows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from pydantic import SecretStr

from sentio_async import errors
from sentio_async.http.endpoint import Call

__all__ = ["Auth", "BearerAuth", "HeaderAuth", "NoAuth", "SecretHeaders"]


def _sendable(name: str, secret: SecretStr) -> SecretStr:
    """The secret, if a header can carry it; HTTP libraries print the header they refuse."""
    if not _fits_a_header(secret.get_secret_value()):
        raise errors.ConfigurationError(
            f"the secret for the header {name} is empty, or has a space at an end, a line break "
            "or a character that is not ASCII; was it read from a file with its last line break?"
        )
    return secret


def _fits_a_header(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and text == text.strip()


class SecretHeaders(dict[str, str]):
    """Headers that do not show themselves in a repr, so that no traceback does either."""

    def __repr__(self) -> str:
        return f"<{len(self)} secret headers>"


class Auth(Protocol):
    """Signs requests."""

    def sign(self, call: Call[Any]) -> Mapping[str, str]:
        """The headers that prove it; made afresh for every attempt."""
        ...

    async def refresh(self) -> bool:
        """Get new proof after a 401; False when there is no way."""
        ...


class NoAuth:
    """Proves nothing."""

    def sign(self, call: Call[Any]) -> Mapping[str, str]:
        """No headers."""
        return SecretHeaders()

    async def refresh(self) -> bool:
        """There is nothing to refresh."""
        return False


class HeaderAuth:
    """Fixed headers, such as a key id and its secret."""

    def __init__(self, headers: Mapping[str, SecretStr]) -> None:
        self._headers = SecretHeaders(
            (name, _sendable(name, value).get_secret_value()) for name, value in headers.items()
        )

    def sign(self, call: Call[Any]) -> Mapping[str, str]:
        """The headers, always the same object."""
        return self._headers

    async def refresh(self) -> bool:
        """Fixed headers cannot be refreshed."""
        return False


class BearerAuth:
    """``Authorization: Bearer``; with ``renew`` the token can be replaced after a 401."""

    def __init__(
        self, token: SecretStr, *, renew: Callable[[], Awaitable[SecretStr]] | None = None
    ) -> None:
        self._headers = _bearing(token)
        self._renew = renew

    def sign(self, call: Call[Any]) -> Mapping[str, str]:
        """The header, the same object until there is another token."""
        return self._headers

    async def refresh(self) -> bool:
        """A new token, where there is a way to get one."""
        if self._renew is None:
            return False
        self._headers = _bearing(await self._renew())
        return True


def _bearing(token: SecretStr) -> SecretHeaders:
    secret = _sendable("authorization", token).get_secret_value()
    return SecretHeaders(authorization=f"Bearer {secret}")
