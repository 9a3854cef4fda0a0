"""What the webhook connector can be told."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from sentio_async import errors
from sentio_async.config import ConnectorConfig, Timeouts, check_url
from sentio_async.connectors.webhook.wire import check_header, secret_key, split_url

__all__ = ["BodyFormat", "WebhookConfig", "parts_to_hide"]


class BodyFormat(StrEnum):
    """What the receiver understands."""

    STANDARD = "standard"
    """``{"type": …, "timestamp": …, "data": {…}}``, as Standard Webhooks has it."""
    SLACK = "slack"
    """``{"text": …}``: Slack, Mattermost, Discord with ``/slack`` at the end."""


class WebhookConfig(ConnectorConfig):
    """Target, proof and body of the webhook connector."""

    vendor: ClassVar[str] = "webhook"
    environment: ClassVar[Mapping[str, tuple[str, ...]]] = {"webhook_url": ("WEBHOOK_URL",)}

    webhook_url: SecretStr | None = None
    """Where to post; it is a credential.  None when every message names its own URL."""
    format: BodyFormat = BodyFormat.STANDARD
    """What the receiver understands: ``standard`` or ``slack``."""
    headers: Mapping[str, SecretStr] = Field(default_factory=dict)
    """Sent along to ``webhook_url`` only."""
    bearer_token: SecretStr | None = None
    """Sent to ``webhook_url`` only."""
    signing_secret: SecretStr | None = None
    """``whsec_…``: sign what is sent to ``webhook_url``, as Standard Webhooks has it."""
    old_signing_secrets: tuple[SecretStr, ...] = ()
    """Sign with these as well, while the receiver changes to the new one."""
    recipient_urls: bool = False
    """Let messages name their own URL; those are checked against private addresses."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts, or networks such as ``10.1.0.0/16``, that a message's own URL may reach anyway."""
    allowed_ports: tuple[int, ...] = (80, 443, 8443)
    """Ports that a message's own URL may name."""
    timeouts: Timeouts = Timeouts(read=20.0, total=60.0)
    max_body_bytes: int = Field(default=64 * 1024, gt=0)

    @field_validator("headers")
    @classmethod
    def _sound_headers(cls, headers: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
        for name, value in headers.items():
            try:
                check_header(name, value.get_secret_value())
            except errors.InvalidRequestError as exc:
                raise ValueError(exc.message) from None
        return headers

    @field_validator("bearer_token")
    @classmethod
    def _sound_token(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and not _is_token(token.get_secret_value()):
            raise ValueError("a token has no spaces and no control characters")
        return token

    @field_validator("old_signing_secrets", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        """One secret may stand alone; a text may hold several, as a variable does."""
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        if isinstance(value, str):
            return tuple(value.replace(",", " ").split())
        return value

    @field_validator("signing_secret", "old_signing_secrets")
    @classmethod
    def _sound_secrets(cls, value: Any) -> Any:
        for secret in value if isinstance(value, tuple) else filter(None, (value,)):
            try:
                secret_key(secret)
            except errors.ConfigurationError as exc:
                raise ValueError(exc.message) from None
        return value

    @model_validator(mode="after")
    def _a_sound_url(self) -> Self:
        if self.webhook_url is None:
            if not self.recipient_urls:
                raise ValueError(
                    "webhook_url is missing: pass it, or set SENTIO_WEBHOOK_WEBHOOK_URL or "
                    "WEBHOOK_URL"
                )
            return self
        url = self.webhook_url.get_secret_value()
        try:
            check_url(url, allow_plain_http=self.allow_plain_http)
        except ValueError as exc:
            raise ValueError(f"webhook_url: {exc}") from None
        try:
            split_url(url)
        except errors.InvalidRequestError as exc:
            raise ValueError(f"webhook_{exc.message}") from None
        return self

    @property
    def signing_secrets(self) -> tuple[SecretStr, ...]:
        """The secrets to sign with, the current one first."""
        current = () if self.signing_secret is None else (self.signing_secret,)
        return (*current, *self.old_signing_secrets)

    def secrets(self) -> tuple[str, ...]:
        """Every secret text, the URL's path among them: it is what lets others post."""
        found = list(super().secrets())
        found += [s.removeprefix("whsec_") for s in found if s.startswith("whsec_")]
        if self.webhook_url is not None:
            found += parts_to_hide(self.webhook_url.get_secret_value())
        return tuple(dict.fromkeys(found))


def parts_to_hide(url: str) -> list[str]:
    """What of a URL lets others post: path and query, as they are and as they are sent."""
    _, path, query = split_url(url)
    parts = urlsplit(url)
    whole = (parts.path.strip("/"), parts.query, path.strip("/"), query)
    values = (value for _, value in parse_qsl(parts.query))
    tokens = (part for part in parts.path.split("/") if any(c.isdigit() for c in part))
    # Blanking every "hook" or "v1" would hide more than it protects.
    return [part for part in dict.fromkeys((*whole, *values, *tokens)) if len(part) > 8]


def _is_token(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and " " not in text
