"""Alpaca's settings, shared by its broker and its data provider.

Paper is the default.  Live trading takes two flags that are set apart from each other:
``live=True``, and either the live host as ``base_url`` or ``SENTIO_ALLOW_LIVE=1``.
"""

from __future__ import annotations

import os
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, InstanceOf, SecretStr, field_validator, model_validator

from sentio_async.config import (
    check_stream_url,
    is_loopback,
    read_hedge,
    stream_url_of,
)
from sentio_async.http.auth import Auth, BearerAuth, HeaderAuth
from sentio_async.orders.settings import BrokerConfig
from sentio_async.resilience.hedging import HedgePolicy
from sentio_async.streams.hours import Calendar

__all__ = ["DATA_URL", "LIVE_URL", "PAPER_URL", "AlpacaConfig", "credential_of", "sign_with"]

PAPER_URL = "https://paper-api.alpaca.markets"
LIVE_URL = "https://api.alpaca.markets"
DATA_URL = "https://data.alpaca.markets"

# https://docs.alpaca.markets/docs/authentication: paper keys start with PK, live keys with AK.
_PAPER_KEY = "PK"
_LIVE_KEY = "AK"


class AlpacaConfig(BrokerConfig):
    """What Alpaca can be told: either a key with its secret, or an OAuth token."""

    vendor: ClassVar[str] = "alpaca"
    environment: ClassVar[dict[str, tuple[str, ...]]] = {
        "api_key": ("ALPACA_API_KEY", "APCA_API_KEY_ID"),
        "api_secret": ("ALPACA_API_SECRET", "ALPACA_SECRET_KEY", "APCA_API_SECRET_KEY"),
        "oauth_token": ("ALPACA_OAUTH_TOKEN", "APCA_API_OAUTH_TOKEN"),
        "base_url": ("APCA_API_BASE_URL",),
        "data_url": ("APCA_API_DATA_URL",),
        "data_stream_url": ("APCA_API_STREAM_URL",),
    }

    api_key: SecretStr | None = None
    api_secret: SecretStr | None = None
    oauth_token: SecretStr | None = None
    """Instead of a key and a secret: an app's token for somebody's account."""
    live: bool = False
    """Trade with real money; needs a second flag, see above."""
    base_url: str = PAPER_URL
    """Where orders go: the paper host, or the live one with ``live=True``, if not given."""
    data_url: str = DATA_URL
    feed: Literal["iex", "sip", "delayed_sip", "boats", "overnight", "otc"] | None = None
    """Where stock prices come from; the best one of the plan if None."""
    options_feed: Literal["opra", "indicative"] | None = None
    """Where option prices come from; the best one of the plan if None."""
    stream_feed: Literal["iex", "sip", "delayed_sip", "boats", "overnight", "test"] | None = None
    """Where streamed stock prices come from; as ``feed`` if None, and ``iex`` if that is None too:
    a stream has to name its feed, and every plan has this one."""
    stream_url: str | None = None
    """Where order updates come from, ``wss://``; the host of ``base_url`` if None."""
    data_stream_url: str | None = None
    """Where streamed prices come from; the stream's host of ``data_url`` if None."""
    calendar: InstanceOf[Calendar] | str | None = Field(default=None, repr=False)
    """When stocks are in session, so that silence counts: an exchange's calendar by name, such as
    ``XNYS`` (needs the extra ``calendars``), or one of your own; the vendor's if None."""
    check_orders_every: float | None = Field(default=30.0, gt=0)
    """How often, in seconds, open orders are compared with what the stream of order updates has
    told, while somebody listens to it and an order is open; None for never."""
    data_requests_per_minute: int = Field(default=200, gt=0)
    """The limit of the data plan: 200 on Basic, 10,000 on Algo Trader Plus."""
    hedge_after: Annotated[float, Field(ge=0)] | Literal["p90", "p95", "p99"] | None = None
    """Ask for the latest of something a second time when no answer has come after so many seconds,
    or when 95 of 100 would have (``p95``; ``p90`` and ``p99`` too); the first one counts.  Off if
    None."""
    coalesce: bool = True
    """Calls about the latest of one symbol each, made in one turn of the loop, share a request; the
    first of them goes alone, at once."""
    pages_at_once: int = Field(default=2, ge=1)
    """Pages of one long list that are held or under way; 1 asks for none ahead."""

    @property
    def is_paper(self) -> bool:
        """No real money moves."""
        return not self.live

    @field_validator("base_url", "data_url")
    @classmethod
    def _without_version(cls, url: str) -> str:
        # Vendors' own variables often end in the version, which every path here has already.
        return url.removesuffix("/v2")

    @field_validator("stream_url", "data_stream_url")
    @classmethod
    def _check_stream_url(cls, value: str | None) -> str | None:
        return None if value is None else check_stream_url(value)

    @property
    def hedge_policy(self) -> HedgePolicy | None:
        """When slow reads of prices are sent a second time."""
        return read_hedge(self.hedge_after)

    @property
    def order_stream(self) -> str:
        """The URL of the stream of order updates."""
        return self.stream_url or f"{stream_url_of(self.base_url)}/stream"

    @property
    def data_stream(self) -> str:
        """What the URLs of all market-data streams begin with."""
        if self.data_stream_url is not None:
            return self.data_stream_url
        host = urlsplit(self.data_url).hostname or ""
        # https://docs.alpaca.markets/docs/streaming-market-data: stream.data.alpaca.markets.
        if host.endswith(".alpaca.markets"):
            return f"wss://stream.{host}"
        return stream_url_of(self.data_url)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.live and "base_url" not in self.model_fields_set:
            if not _is_live_allowed():
                raise ValueError(
                    "live=True needs a second flag: set SENTIO_ALLOW_LIVE=1, or give "
                    f"base_url={LIVE_URL!r}"
                )
            object.__setattr__(self, "base_url", LIVE_URL)
        self._check_credentials()
        self._check_account()
        return self

    def _check_credentials(self) -> None:
        if self.oauth_token is not None:
            if self.api_key is not None or self.api_secret is not None:
                raise ValueError("give api_key and api_secret, or oauth_token, not both")
            return
        if self.api_key is None:
            raise ValueError(
                "api_key is missing: pass it, or set SENTIO_ALPACA_API_KEY or ALPACA_API_KEY"
            )
        if self.api_secret is None:
            raise ValueError(
                "api_secret is missing: pass it, or set SENTIO_ALPACA_API_SECRET or "
                "ALPACA_API_SECRET"
            )

    def _check_account(self) -> None:
        """Paper and live are two accounts with two hosts and two kinds of keys."""
        host = urlsplit(self.base_url).hostname
        is_live_host = host == urlsplit(LIVE_URL).hostname
        is_paper_host = host == urlsplit(PAPER_URL).hostname
        if is_live_host and not self.live:
            raise ValueError(f"base_url is Alpaca's live host; set live=True, or use {PAPER_URL}")
        if is_paper_host and self.live:
            raise ValueError(f"base_url is Alpaca's paper host; leave out live, or use {LIVE_URL}")
        if self.live and not is_live_host and not _is_live_allowed():
            raise ValueError("live=True at another host than Alpaca's needs SENTIO_ALLOW_LIVE=1")
        prefix = self.api_key.get_secret_value()[:2] if self.api_key is not None else ""
        if self.live and prefix == _PAPER_KEY:
            raise ValueError("api_key is a paper key (PK...), live trading needs AK...")
        if not self.live and prefix == _LIVE_KEY and not is_loopback(host):
            raise ValueError("api_key is a live key (AK...), paper trading needs PK...")


def _is_live_allowed() -> bool:
    return os.environ.get("SENTIO_ALLOW_LIVE") == "1"


def sign_with(config: AlpacaConfig) -> Auth:
    """How this configuration's requests prove who sends them."""
    if config.oauth_token is not None:
        return BearerAuth(config.oauth_token)
    keys = {"apca-api-key-id": config.api_key, "apca-api-secret-key": config.api_secret}
    return HeaderAuth({name: value for name, value in keys.items() if value is not None})


def credential_of(config: AlpacaConfig) -> str:
    """Whose quota is used: Alpaca counts the requests of a key."""
    secret = config.oauth_token or config.api_key
    return "" if secret is None else secret.get_secret_value()
