"""What the e-mail connector can be told."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from sentio_async import errors
from sentio_async.config import ConnectorConfig, Timeouts, is_loopback
from sentio_async.connectors.email.message import plain_address

__all__ = ["EmailConfig", "LoginMethod", "Resend", "Tls", "TokenProvider"]

TokenProvider = Callable[[], Awaitable[str]]
"""Gets a fresh OAuth 2 access token; called when there is none, or when it was refused."""

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]+")
_EHLO_NAME = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]|\[IPv6:[0-9A-Fa-f:.]+\]")


class Tls(StrEnum):
    """How the connection is protected."""

    IMPLICIT = "implicit"
    """TLS from the first byte; port 465."""
    STARTTLS = "starttls"
    """TLS before anything else, or nothing is sent; port 587."""
    NONE = "none"
    """In the clear; with a login, to this machine only."""


class LoginMethod(StrEnum):
    """How the server is told who sends."""

    AUTO = "auto"
    """PLAIN where the server offers it, else LOGIN; XOAUTH2 with a token provider."""
    PLAIN = "plain"
    LOGIN = "login"
    XOAUTH2 = "xoauth2"


class Resend(StrEnum):
    """What to do with a message that may have arrived."""

    NEVER = "never"
    """Say so in the receipt: nobody gets it twice."""
    CRITICAL = "critical"
    """Send critical messages again, under the same Message-ID; report the others."""
    ALWAYS = "always"
    """Send again: everybody gets it at least once."""


DEFAULT_PORT: Mapping[Tls, int] = {Tls.IMPLICIT: 465, Tls.STARTTLS: 587, Tls.NONE: 25}


class EmailConfig(ConnectorConfig):
    """Server, login, sender and habits of the e-mail connector."""

    vendor: ClassVar[str] = "email"
    environment: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "host": ("EMAIL_HOST", "SMTP_HOST"),
        "port": ("EMAIL_PORT", "SMTP_PORT"),
        "username": ("EMAIL_USERNAME",),
        "password": ("EMAIL_PASSWORD",),
        "sender": ("EMAIL_SENDER", "EMAIL_FROM"),
        "recipients": ("EMAIL_RECIPIENTS", "EMAIL_TO"),
    }

    host: str
    """The SMTP server."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """465, 587 or 25, by ``tls``, if None."""
    tls: Tls = Tls.STARTTLS
    """How the connection is protected: ``starttls``, ``implicit``, ``none``."""
    ca_file: Path | None = None
    """Certificates to trust instead of the system's, as PEM."""
    username: str | None = None
    """Who logs in; no login if None."""
    password: SecretStr | None = None
    """Their password."""
    token_provider: TokenProvider | None = Field(default=None, repr=False, exclude=True)
    """Gets OAuth 2 tokens for XOAUTH2, instead of a password."""
    login: LoginMethod = LoginMethod.AUTO
    """How the server is told who sends: ``auto``, ``plain``, ``login``, ``xoauth2``."""
    sender: str = ""
    """The From address, ``bot@example.com`` or ``Bot <bot@example.com>``; the user name if ""."""
    recipients: tuple[str, ...] = ()
    """Who gets messages that name nobody, such as alerts."""
    reply_to: str | None = None
    """Where answers go; to the sender if None."""
    ehlo_name: str | None = None
    """What to call this machine; its host name, or its address, if None."""
    message_id_domain: str | None = None
    """The right half of Message-IDs; the sender's domain if None."""
    subject_prefix: str = ""
    """Put in front of every subject."""
    resend: Resend = Resend.NEVER
    """Which messages that may have arrived are sent again: ``never``, ``critical``, ``always``."""
    timeouts: Timeouts = Timeouts(connect=15.0, read=30.0, write=30.0, pool=30.0, total=150.0)
    final_reply_timeout: float = Field(default=60.0, gt=0)
    """How long the server may think about a message it was given whole, in seconds."""
    max_connections: int = Field(default=2, ge=1, le=3)
    """Microsoft 365 allows three for a mailbox."""
    messages_per_connection: int = Field(default=50, ge=1)
    """After so many messages a new connection is opened."""
    idle_seconds: float = Field(default=30.0, ge=0)
    """A connection unused for longer is not used again."""
    login_pause: float = Field(default=300.0, ge=0)
    """After a refused login, how long no other is tried: servers lock accounts out."""
    max_message_bytes: int = Field(default=25 * 1024 * 1024, gt=0)
    """The largest message that is sent."""

    @field_validator("host", "message_id_domain")
    @classmethod
    def _a_host_name(cls, host: str | None) -> str | None:
        if host is not None and not _HOST.fullmatch(host):
            raise ValueError("a host name such as smtp.example.com is needed")
        return host

    @field_validator("ehlo_name")
    @classmethod
    def _an_ehlo_name(cls, name: str | None) -> str | None:
        if name is not None and not _EHLO_NAME.fullmatch(name):
            raise ValueError("a host name, or an address in brackets, is needed")
        return name

    @field_validator("recipients", mode="before")
    @classmethod
    def _from_a_line(cls, value: Any) -> Any:
        """One text may hold several addresses, as an environment variable does."""
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("recipients", "sender", "reply_to")
    @classmethod
    def _real_addresses(cls, value: Any) -> Any:
        for address in (value,) if isinstance(value, str) else value or ():
            if address:
                _check_address(address)
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not self.sender and not (self.username and "@" in self.username):
            raise ValueError("sender is missing: an address such as bot@example.com")
        if not self.sender:
            _check_address(self.username or "")
        if self.password is not None and self.token_provider is not None:
            raise ValueError("password and token_provider exclude each other")
        has_proof = self.password is not None or self.token_provider is not None
        if bool(self.username) != has_proof:
            raise ValueError("a login needs username and one of password and token_provider")
        if (self.login is LoginMethod.XOAUTH2) and self.token_provider is None:
            raise ValueError("login xoauth2 needs a token_provider")
        if self.tls is Tls.NONE and self.username and not is_loopback(self.host):
            raise ValueError("tls none would show the password on the network; use starttls")
        if self.tls is Tls.NONE and not (is_loopback(self.host) or self.allow_plain_http):
            raise ValueError("tls none is for this machine only; use starttls or implicit")
        return self

    @property
    def from_address(self) -> str:
        """Who sends."""
        return self.sender or self.username or ""

    @property
    def effective_port(self) -> int:
        """The port, or the usual one."""
        return self.port if self.port is not None else DEFAULT_PORT[self.tls]


def _check_address(address: str) -> None:
    try:
        plain_address(address)
    except errors.InvalidRequestError as exc:
        raise ValueError(exc.message) from None
