"""Settings of a connector: from a mapping, from a model, from the environment.

First found wins: what the caller gives, ``SENTIO_<VENDOR>_<FIELD>``, then the vendor's own names.
Secrets are ``SecretStr``: they are never part of a repr, a log or an error.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from types import NoneType, UnionType
from typing import Any, ClassVar, Self, TypeVar, Union, get_args, get_origin
from urllib.parse import SplitResult, urlsplit

import idna
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from sentio_async import errors
from sentio_async.resilience.hedging import HedgePolicy
from sentio_async.resilience.window import Window

__all__ = [
    "ConnectorConfig",
    "Timeouts",
    "check_stream_url",
    "check_url",
    "is_loopback",
    "load_config",
    "read_hedge",
    "stream_url_of",
]

C = TypeVar("C", bound="ConnectorConfig")

_MINUTE, _DAY = 60.0, 86_400.0
_FOUR_NUMBERS = re.compile(r"[0-9]+(?:\.[0-9]+){3}")
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str | None) -> bool:
    """The host is this machine, by one of the names that cannot mean another."""
    return host in LOOPBACK


def check_url(url: str, *, allow_plain_http: bool = False) -> str:
    """The URL without a trailing slash; https, or http to this machine only."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not _names_server(parts):
        raise ValueError("a URL such as https://host is needed")
    if parts.username or parts.password:
        raise ValueError("a URL must not carry a user name or password")
    if not url.isprintable():
        raise ValueError("a URL must not contain control characters")
    if parts.scheme == "http" and not (allow_plain_http or is_loopback(parts.hostname)):
        raise ValueError("plain http is for this machine only; use https")
    return url.rstrip("/")


def _names_server(parts: SplitResult) -> bool:
    """A name or an address and a port that httpx takes; it would raise an error of its own."""
    try:
        host, _ = parts.hostname or "", parts.port
        if ":" in host or _FOUR_NUMBERS.fullmatch(host):
            return bool(ip_address(host))
        return bool(host if host.isascii() else idna.encode(host))
    except ValueError:
        return False


def check_stream_url(url: str) -> str:
    """The URL of a stream without a trailing slash; wss, or ws to this machine only."""
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not _names_server(parts):
        raise ValueError("a URL such as wss://host is needed")
    if parts.username or parts.password:
        raise ValueError("a URL must not carry a user name or password")
    if not url.isprintable():
        raise ValueError("a URL must not contain control characters")
    if parts.scheme == "ws" and not is_loopback(parts.hostname):
        raise ValueError("plain ws is for this machine only; use wss")
    return url.rstrip("/")


def stream_url_of(url: str) -> str:
    """Where the streams of a server are that is reached under an http URL."""
    parts = urlsplit(url)
    return f"{'ws' if parts.scheme == 'http' else 'wss'}://{parts.netloc}"


class Timeouts(BaseModel):
    """How long each step may take, in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connect: float = Field(default=5.0, gt=0)
    read: float = Field(default=10.0, gt=0)
    write: float = Field(default=10.0, gt=0)
    pool: float = Field(default=5.0, gt=0)
    total: float = Field(default=30.0, gt=0)
    """One call as a whole, retries and waiting included."""


def read_hedge(hedge_after: float | str | None) -> HedgePolicy | None:
    """The policy that a setting means: seconds, or ``p95`` for a part of recent answers."""
    if hedge_after is None:
        return None
    if isinstance(hedge_after, str):
        return HedgePolicy(percentile=int(hedge_after.removeprefix("p")) / 100)
    return HedgePolicy(after=hedge_after)


class ConnectorConfig(BaseModel):
    """What every connector can be told."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True
    )

    vendor: ClassVar[str] = ""
    environment: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """The vendor's own variable names by field, in the order in which they are looked up."""

    name: str | None = None
    """What to call this connector in logs and health reports; the vendor's name if None."""
    allow_plain_http: bool = False
    """Accept http:// URLs to other machines: keys then cross the network in the clear."""
    timeouts: Timeouts = Timeouts()
    max_body_bytes: int = Field(default=10 * 1024 * 1024, gt=0)
    """The largest answer that is read, decompressed; a few known large lists are allowed more."""
    max_in_flight: int = Field(default=20, gt=0)
    retry_attempts: int = Field(default=4, ge=1)
    """Tries of one call in all; 1 switches retrying off."""
    breaker_failures: int = Field(default=5, ge=1)
    """Failures in a row after which calls are refused for a while."""
    requests_per_minute: int | None = Field(default=None, gt=0)
    """Overrides the vendor's documented limit."""
    requests_per_day: int | None = Field(default=None, gt=0)
    """A quota of any 24 hours besides; calls beyond it are refused at once, not sent."""

    @property
    def hedge_policy(self) -> HedgePolicy | None:
        """When slow reads of prices are sent a second time; vendors of data have a setting."""
        return None

    @property
    def label(self) -> str:
        """The name in logs and reports."""
        return self.name or self.vendor

    def quota(self, documented: Sequence[Window]) -> tuple[Window, ...]:
        """The vendor's limits with what is set here: per minute in place of those, per day too."""
        windows = tuple(documented)
        if self.requests_per_minute is not None:
            longer = (window for window in windows if window.seconds > _MINUTE)
            windows = (Window(self.requests_per_minute, _MINUTE), *longer)
        if self.requests_per_day is not None:
            windows = (*windows, Window(self.requests_per_day, _DAY))
        return windows

    def secrets(self) -> tuple[str, ...]:
        """Every secret text in this configuration, for the redaction of logs and errors."""
        found = (text for name in type(self).model_fields for text in _secrets_in(vars(self)[name]))
        return tuple(text for text in found if text)

    def origins(self) -> str:
        """Where each secret is from, and none of them: the variable, or the settings."""
        kind, found = type(self), []
        for name in kind.model_fields:
            secret = vars(self)[name]
            if isinstance(secret, SecretStr):
                text = secret.get_secret_value()
                same = (v for v in variables_of(kind, name) if os.environ.get(v) == text)
                found.append(f"{name} from {next(same, 'the settings')}")
        return ", ".join(found)

    @field_validator("base_url", "data_url", "token_url", check_fields=False)
    @classmethod
    def _sound_url(cls, url: str, info: ValidationInfo) -> str:
        return check_url(url, allow_plain_http=info.data.get("allow_plain_http", False))

    @field_validator("timeouts", mode="before")
    @classmethod
    def _with_its_usual_others(cls, given: Any) -> Any:
        # A slow kind of vendor waits longer than others; one timeout that is set changes one.
        if not isinstance(given, Mapping):
            return given
        usual = cls.model_fields["timeouts"].get_default(call_default_factory=True)
        return {**(usual or Timeouts()).model_dump(), **given}

    @classmethod
    def from_environment(cls, **given: Any) -> Self:
        """This configuration from environment variables, with ``given`` on top."""
        return load_config(cls, given)


def _secrets_in(value: Any) -> Iterator[str]:
    """The secret texts in a setting, however deep in tables, lists and models."""
    match value:
        case SecretStr():
            yield value.get_secret_value()
        case BaseModel():
            yield from _secrets_in(vars(value))
        case Mapping():
            yield from _secrets_in(tuple(value.values()))
        case list() | tuple() | set() | frozenset():
            for each in value:
                yield from _secrets_in(each)


def load_config(
    kind: type[C],
    given: Mapping[str, Any] | ConnectorConfig | None = None,
    *,
    environ: Mapping[str, str] | None = None,
) -> C:
    """The configuration of ``kind``; raises ConfigurationError in one line, without any value."""
    if isinstance(given, kind):
        return given
    if isinstance(given, ConnectorConfig):
        raise errors.ConfigurationError(
            f"{kind.vendor} needs a {kind.__name__}, not a {type(given).__name__}",
            connector=kind.vendor,
        )
    if given is not None and not isinstance(given, Mapping):
        raise errors.ConfigurationError(
            f"settings: a dict or {kind.__name__} is needed, not a {type(given).__name__}",
            connector=kind.vendor,
        )
    try:
        return kind.model_validate(_values(kind, given or {}, environ))
    except ValidationError as exc:
        error = errors.ConfigurationError(_explain(kind, exc), connector=kind.vendor)
    # Out here the values are no local of any frame, nor part of what led to the error.
    raise error


def _values(
    kind: type[ConnectorConfig], given: Mapping[str, Any], environ: Mapping[str, str] | None
) -> dict[str, Any]:
    values = _from_environment(kind, os.environ if environ is None else environ)
    meant = {n: v for n, v in given.items() if v is not None or _can_be_none(kind, n)}
    return values | meant


def _can_be_none(kind: type[ConnectorConfig], name: str) -> bool:
    """None says something else there than nothing does: it switches off what is on."""
    field = kind.model_fields.get(name)
    return (
        field is not None and field.default is not None and NoneType in get_args(field.annotation)
    )


def _from_environment(kind: type[ConnectorConfig], environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in kind.model_fields:
        for variable in variables_of(kind, field):
            if environ.get(variable):
                values[field] = environ[variable]
                break
    return values


def variables_of(kind: type[ConnectorConfig], field: str) -> tuple[str, ...]:
    """The environment variables that can set a field, in the order of looking."""
    own = f"SENTIO_{kind.vendor}_{field}".upper()
    return (own, *kind.environment.get(field, ()))


def _place(kind: type[ConnectorConfig], loc: tuple[int | str, ...]) -> str:
    """The setting as its user wrote it: pydantic adds which of several types it tried."""
    field = kind.model_fields.get(str(loc[0])) if loc else None
    annotation = None if field is None else field.annotation
    kinds = [each for each in get_args(annotation) if each is not NoneType]
    is_choice = get_origin(annotation) in (Union, UnionType) and len(kinds) > 1
    return ".".join(map(str, loc[:1] if is_choice else loc)) or "settings"


def _explain(kind: type[ConnectorConfig], exc: ValidationError) -> str:
    """What is wrong with which setting, in one line and without the values given."""
    problems = [_explain_one(kind, error) for error in exc.errors(include_input=False)]
    return "; ".join(dict.fromkeys(problems))


def _explain_one(kind: type[ConnectorConfig], error: Any) -> str:
    field = _place(kind, error["loc"])
    match error["type"]:
        case "missing":
            variables = " or ".join(variables_of(kind, field)[:3])
            return f"{field} is missing: pass it, or set {variables}"
        case "extra_forbidden":
            return _explain_unknown(kind, field, error["loc"])
        case "value_error":
            return (
                f"{field}: {error['ctx']['error']}" if error["loc"] else str(error["ctx"]["error"])
            )
    return f"{field}: {error['msg'][:1].lower()}{error['msg'][1:]}"


def _explain_unknown(kind: type[ConnectorConfig], field: str, loc: tuple[int | str, ...]) -> str:
    known = sorted(kind.model_fields)
    if len(loc) > 1:  # timeouts are a model of their own
        inner = kind.model_fields[str(loc[0])].annotation
        known = [f"{loc[0]}.{name}" for name in sorted(getattr(inner, "model_fields", ()))]
    close = difflib.get_close_matches(field, known, n=1)
    guess = f"; did you mean {close[0]}" if close else ""
    whose = kind.vendor or kind.__name__
    return f"{field} is not a setting of {whose}{guess} (there are {', '.join(known)})"
