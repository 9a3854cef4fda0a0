"""Everything that can go wrong, in one tree.

ConnectorError                   who, which call, how often, how long, with what outcome
├── ConfigurationError           a setting is missing or wrong; the message says which
│   ├── MissingExtraError        an optional package is missing; the message says how to get it
│   └── RetiredError             the vendor is gone; the message says who replaces it
├── InvalidRequestError          refused here, before anything was sent (a ValueError)
│   └── OrderLimitError          an order beyond the limits that you have set
├── TradingHaltedError           no new orders until ``resume_trading()``
├── NoOrderUpdatesError          not placed: nobody would hear what becomes of it
├── NotSupportedError            this connector cannot do that; the message says who can
├── ConnectionError              the other side was not reached or went away (the builtin too)
│   └── CertificateError         its certificate is not trusted
├── DeadlineExceededError        the time given was used up (a builtin TimeoutError)
├── CircuitOpenError             not tried: the service has been failing
├── DecodeError                  an answer came and could not be read
│   └── UnknownWordError         a word that drives money is not one we know
├── ResponseTooLargeError        an answer came and was larger than allowed
├── StaleDataError               the newest data is older than the caller accepts
├── SymbolNotFoundError          the vendor has nothing under that name
├── OutcomeUnknownError          it may have happened; nobody can say yet
│   └── OrderOutcomeUnknownError ... and it is an order: use its handle
└── APIError                     the vendor answered with a refusal or a failure
    ├── AuthenticationError      401: the key is wrong
    ├── PermissionError          403: the key is right and not allowed (the builtin too)
    ├── NotFoundError            404
    ├── BadRequestError          400, 422: the vendor does not accept the request
    ├── OrderRejectedError       the venue refused this order
    ├── ConflictError            409, duplicates
    ├── RateLimitError           429, or our own limiter would have to wait too long
    └── ServerError              5xx
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

__all__ = [
    "APIError",
    "AttemptRecord",
    "AuthenticationError",
    "BadRequestError",
    "CertificateError",
    "CircuitOpenError",
    "ConfigurationError",
    "ConflictError",
    "ConnectionError",
    "ConnectorError",
    "DeadlineExceededError",
    "DecodeError",
    "InvalidRequestError",
    "MissingExtraError",
    "NoOrderUpdatesError",
    "NotFoundError",
    "NotSupportedError",
    "OrderLimitError",
    "OrderOutcomeUnknownError",
    "OrderRejectedError",
    "Outcome",
    "OutcomeUnknownError",
    "PermissionError",
    "RateLimitError",
    "ResponseTooLargeError",
    "RetiredError",
    "ServerError",
    "StaleDataError",
    "SymbolNotFoundError",
    "TradingHaltedError",
    "UnknownWordError",
]


class Outcome(Enum):
    """What is known about a call that failed."""

    NOT_SENT = "not_sent"
    """Not one byte of the request left this process: it is safe to send it again."""

    REFUSED = "refused"
    """The other side said no: it did not happen, and asking again gives the same answer."""

    UNKNOWN = "unknown"
    """It may have happened."""


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One try of a call that took several.  Times are in seconds."""

    number: int
    error: str
    outcome: Outcome | None
    elapsed: float
    delay: float
    """How long was waited after this try; 0.0 after the last."""


class ConnectorError(Exception):
    """The base of every error raised here; ``except ConnectorError`` catches them all."""

    default_outcome: Outcome | None = None
    is_permanent = False
    """Trying again cannot help."""

    def __init__(
        self,
        message: str,
        *,
        connector: str | None = None,
        operation: str | None = None,
        outcome: Outcome | None = None,
        **known: Any,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.connector = connector
        self.operation = operation
        self.outcome = outcome if outcome is not None else self.default_outcome
        self.request: str | None = known.pop("request", None)
        self.attempts: tuple[AttemptRecord, ...] = tuple(known.pop("attempts", ()))
        self.elapsed: float | None = known.pop("elapsed", None)
        self.phase: str | None = known.pop("phase", None)
        if known:
            raise TypeError(f"{type(self).__name__} does not take {', '.join(sorted(known))}")

    def __str__(self) -> str:
        where = " ".join(part for part in (self.connector, self.operation) if part)
        return f"{where}: {self.message}" if where else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, dict(self.__dict__), self.__notes())

    def __notes(self) -> list[str]:
        return list(getattr(self, "__notes__", ()))


def _rebuild(
    kind: type[ConnectorError], message: str, known: dict[str, Any], notes: Sequence[str]
) -> ConnectorError:
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    known.pop("__notes__", None)
    error.__dict__.update(known)
    for note in notes:
        error.add_note(note)
    return error


class ConfigurationError(ConnectorError, ValueError):
    """A setting is missing or wrong."""

    default_outcome = Outcome.NOT_SENT
    is_permanent = True


class MissingExtraError(ConfigurationError, ImportError):
    """An optional package is needed and not installed."""

    def __init__(self, feature: str, extra: str, **known: Any) -> None:
        self.extra = extra
        text = f"{feature} needs the extra {extra!r}: pip install 'sentio-async[{extra}]'"
        super().__init__(text, **known)


class RetiredError(ConfigurationError):
    """The vendor has ended its service."""

    def __init__(self, message: str, *, replacements: Sequence[str] = (), **known: Any) -> None:
        super().__init__(message, **known)
        self.replacements = tuple(replacements)


class InvalidRequestError(ConnectorError, ValueError):
    """The call cannot be right, so it was not sent."""

    default_outcome = Outcome.NOT_SENT
    is_permanent = True


class OrderLimitError(InvalidRequestError):
    """The order is beyond a limit that was set here (``Rails``), so it was not sent."""


class TradingHaltedError(ConnectorError):
    """Trading is halted: no new order is accepted before ``resume_trading()``."""

    default_outcome = Outcome.NOT_SENT
    is_permanent = True


class NoOrderUpdatesError(ConnectorError):
    """Order updates do not come now, and no order is to be placed without them."""

    default_outcome = Outcome.NOT_SENT


class NotSupportedError(ConnectorError, NotImplementedError):
    """The vendor does not offer this."""

    default_outcome = Outcome.NOT_SENT
    is_permanent = True

    def __init__(self, message: str, *, available_from: Sequence[str] = (), **known: Any) -> None:
        super().__init__(message, **known)
        self.available_from = tuple(available_from)


class ConnectionError(ConnectorError, builtins.ConnectionError):
    """The other side was not reached, or went away.  ``outcome`` says whether it was told."""

    default_outcome = Outcome.UNKNOWN


class CertificateError(ConnectionError):
    """The other side's certificate is not trusted; nothing was sent."""

    default_outcome = Outcome.NOT_SENT
    is_permanent = True


class DeadlineExceededError(ConnectorError, builtins.TimeoutError):
    """The time given for the whole call was used up."""

    default_outcome = Outcome.UNKNOWN


class CircuitOpenError(ConnectorError):
    """Not tried, because the service has been failing.  ``retry_in`` is in seconds."""

    default_outcome = Outcome.NOT_SENT

    def __init__(self, message: str, *, retry_in: float = 0.0, **known: Any) -> None:
        super().__init__(message, **known)
        self.retry_in = retry_in


class DecodeError(ConnectorError, ValueError):
    """An answer came and cannot be read; what was asked for may well have been done."""

    default_outcome = Outcome.UNKNOWN


class UnknownWordError(DecodeError):
    """A word that drives money (side, status, type) is not one we know."""

    is_permanent = True

    def __init__(self, field: str, word: object, **known: Any) -> None:
        super().__init__(f"{field}: unknown word {word!r}", **known)
        self.field = field
        self.word = word


class ResponseTooLargeError(ConnectorError):
    """An answer came and was larger than allowed; reading was stopped."""

    default_outcome = Outcome.UNKNOWN
    is_permanent = True


class StaleDataError(ConnectorError):
    """The newest data there is, is older than ``max_age``.  ``age`` is in seconds."""

    def __init__(self, message: str, *, age: float = 0.0, **known: Any) -> None:
        super().__init__(message, **known)
        self.age = age


class SymbolNotFoundError(ConnectorError, LookupError):
    """The vendor has nothing under this name."""

    default_outcome = Outcome.REFUSED

    def __init__(self, message: str, *, symbol: str = "", **known: Any) -> None:
        super().__init__(message, **known)
        self.symbol = symbol


class OutcomeUnknownError(ConnectorError):
    """It may have happened; sending it again could do it twice."""

    default_outcome = Outcome.UNKNOWN


class OrderOutcomeUnknownError(OutcomeUnknownError):
    """An order may live at the venue.  ``handle`` finds out; never send it under a new id."""

    def __init__(self, message: str, *, handle: Any = None, **known: Any) -> None:
        super().__init__(message, **known)
        self.handle = handle


class APIError(ConnectorError):
    """The vendor answered, and the answer is not what was asked for.

    ``code`` is the vendor's own code, ``body`` its own words (at most 2 KiB, secrets removed).
    """

    default_outcome = Outcome.REFUSED

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        code: str | int | None = None,
        request_id: str | None = None,
        **known: Any,
    ) -> None:
        self.body: str | None = known.pop("body", None)
        self.details: Mapping[str, Any] = known.pop("details", None) or {}
        self.response: Any = known.pop("response", None)
        super().__init__(message, **known)
        self.status_code = status_code
        self.code = code
        self.request_id = request_id

    def __reduce__(self) -> tuple[Any, ...]:
        rebuild, (kind, message, known, notes) = super().__reduce__()
        return rebuild, (kind, message, {**known, "response": None}, notes)


class AuthenticationError(APIError):
    """401: the key is missing, wrong or expired."""


class PermissionError(APIError, builtins.PermissionError):
    """403: the key is right, and not allowed to do this."""


class NotFoundError(APIError, LookupError):
    """404: there is no such thing."""


class BadRequestError(APIError):
    """400 or 422: the vendor does not accept the request."""


class OrderRejectedError(APIError):
    """The venue refused this order; ``message`` has its own words."""


class ConflictError(APIError):
    """409, or another word for: this exists already."""


class RateLimitError(APIError):
    """Too many requests.  ``retry_after`` is in seconds, ``scope`` what the limit counts.

    Comes from the vendor (``status_code`` 429) or from our own limiter (``status_code`` None),
    which raises at once when the wait would not fit into the caller's time.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        scope: str | None = None,
        **known: Any,
    ) -> None:
        super().__init__(message, **known)
        self.retry_after = retry_after
        self.scope = scope


class ServerError(APIError):
    """5xx: the vendor failed, perhaps after it did what was asked.

    ``retry_after`` is in seconds, where it says when to ask again.
    """

    default_outcome = Outcome.UNKNOWN

    def __init__(self, message: str, *, retry_after: float | None = None, **known: Any) -> None:
        super().__init__(message, **known)
        self.retry_after = retry_after
