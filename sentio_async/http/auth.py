"""How a request proves who sends it.  What holds an unwrapped secret never shows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, runtime_checkable
from urllib.parse import quote, urlencode

from pydantic import SecretStr

from sentio_async import errors
from sentio_async.http.endpoint import Call
from sentio_async.http.redaction import Hidden
from sentio_async.http.renewal import Age, Renewal

__all__ = [
    "Age",
    "Auth",
    "BearerAuth",
    "HeaderAuth",
    "NoAuth",
    "PathAuth",
    "QueryAuth",
    "Renewal",
    "SecretHeaders",
    "SharedAuth",
    "TimedAuth",
    "UrlAuth",
    "bearing",
]


def _sendable(place: str, secret: SecretStr) -> str:
    """The secret's text, if a request can carry it; HTTP libraries print what they refuse."""
    # No local of this frame: a traceback may show those.
    if not _fits(secret.get_secret_value()):
        raise errors.ConfigurationError(
            f"the secret for the {place} is empty, or has a space at an end, a line break "
            "or a character that is not ASCII; was it read from a file with its last line break?"
        )
    return secret.get_secret_value()


def _fits(text: str) -> bool:
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
        """Get new proof after a 401; False when there is no way.

        It is called once for all who need it, and seen to its end, at most a minute.
        """
        ...


@runtime_checkable
class TimedAuth(Auth, Protocol):
    """Proof that runs out, and is renewed before it does."""

    def age(self) -> Age:
        """How much longer it will do; asked before every attempt, so it must not take long."""
        ...


@runtime_checkable
class SharedAuth(Auth, Protocol):
    """Proof that several sessions use, and that is renewed for all of them at once."""

    renewal: Renewal
    """``Renewal(self.refresh)``."""


@runtime_checkable
class UrlAuth(Auth, Protocol):
    """Proof that stands in the URL, where a vendor takes it nowhere else.

    It is put in when a request is sent: a ``Call``, and with it errors, events and the keys under
    which answers are shared, never has it.
    """

    def aim(self, call: Call[Any]) -> str:
        """Path and query as they go on the wire; made afresh for every attempt."""
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
            (name, _sendable(f"header {name}", value)) for name, value in headers.items()
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
        self._headers = bearing(token)
        self._renew = renew
        self._hidden = Hidden()
        self.renewal = Renewal(self.refresh)

    def sign(self, call: Call[Any]) -> Mapping[str, str]:
        """The header, the same object until there is another token."""
        return self._headers

    async def refresh(self) -> bool:
        """A new token, where there is a way to get one."""
        if self._renew is None:
            return False
        token = await self._renew()
        self._hidden.add(token.get_secret_value())
        self._headers = bearing(token)
        return True


def bearing(token: SecretStr) -> SecretHeaders:
    """The header that shows a token; raises ConfigurationError for one that none can carry."""
    return SecretHeaders(authorization=f"Bearer {_sendable('header authorization', token)}")


class QueryAuth(NoAuth):
    """Members of every query, such as ``{"apikey": key}``."""

    def __init__(self, members: Mapping[str, SecretStr]) -> None:
        texts = {name: _sendable(f"query member {name}", each) for name, each in members.items()}
        self._hidden = Hidden(*texts.values())
        self._query = SecretStr(urlencode(texts, quote_via=quote, safe=""))

    def aim(self, call: Call[Any]) -> str:
        """The call's target with the members at the end of its query."""
        return f"{call.target}{'&' if call.query else '?'}{self._query.get_secret_value()}"


class PathAuth(NoAuth):
    """Parts of paths that are secrets, such as ``{"token": token}`` for ``/bot{token}/send``.

    ``Api(secrets=("token",))`` leaves their names in a call's path; here they get their values.
    """

    def __init__(self, parts: Mapping[str, SecretStr]) -> None:
        if any(each.get_secret_value() in (".", "..") for each in parts.values()):
            raise errors.ConfigurationError("a secret in a path cannot be a dot or two")
        texts = {name: _sendable(f"path part {name}", each) for name, each in parts.items()}
        self._hidden = Hidden(*texts.values())
        self._parts = {f"{{{n}}}": SecretStr(quote(t, safe=":")) for n, t in texts.items()}

    def aim(self, call: Call[Any]) -> str:
        """The call's target with the secrets in their places."""
        target = call.target
        for name, part in self._parts.items():
            target = target.replace(name, part.get_secret_value())
        return target
