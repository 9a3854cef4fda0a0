"""Which failures may be tried again, from what is known of them."""

from __future__ import annotations

import builtins
import logging
import socket
import ssl
from collections.abc import Callable, Iterator

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.resilience.retry_after import as_seconds

__all__ = ["RetryOn", "asked_wait", "leaves", "may_repeat", "outcome_of"]

log = logging.getLogger("sentio_async")

_NEVER_TRANSIENT = (
    builtins.FileExistsError,
    builtins.FileNotFoundError,
    builtins.IsADirectoryError,
    builtins.NotADirectoryError,
    builtins.PermissionError,
    ssl.SSLCertVerificationError,
)
_NEVER_REACHED = (builtins.ConnectionRefusedError, socket.gaierror)

RetryOn = type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool]


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions in a group, however deep; an exception by itself otherwise."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from leaves(each)
    else:
        yield error


def outcome_of(error: BaseException) -> Outcome | None:
    """What is known after this failure; None when it is not about the other side at all.

    Of a group, the worst: UNKNOWN before REFUSED before NOT_SENT.
    """
    if isinstance(error, errors.ConnectorError):
        return error.outcome
    if isinstance(error, BaseExceptionGroup):
        found = {outcome_of(leaf) for leaf in leaves(error)}
        ranking = (Outcome.UNKNOWN, Outcome.REFUSED, Outcome.NOT_SENT)
        return next((outcome for outcome in ranking if outcome in found), None)
    if isinstance(error, _NEVER_REACHED):
        return Outcome.NOT_SENT
    if isinstance(error, OSError) and not isinstance(error, _NEVER_TRANSIENT):
        return Outcome.UNKNOWN
    return None


def may_repeat(error: BaseException, *, repeatable: bool, retry_on: RetryOn | None = None) -> bool:
    """A refusal is final, and an order that may have arrived is not sent twice."""
    if isinstance(error, BaseExceptionGroup):
        return all(
            may_repeat(leaf, repeatable=repeatable, retry_on=retry_on) for leaf in leaves(error)
        )
    if not isinstance(error, Exception):
        return False
    if isinstance(error, errors.ConnectorError):
        return _connector_error_may_repeat(error, repeatable)
    if retry_on is not None:
        return _is_wanted(error, retry_on) and (repeatable or outcome_of(error) is Outcome.NOT_SENT)
    return _outcome_may_repeat(outcome_of(error), repeatable)


def _connector_error_may_repeat(error: errors.ConnectorError, repeatable: bool) -> bool:
    if error.is_permanent or isinstance(error, errors.CircuitOpenError):
        return False
    if isinstance(error, errors.RateLimitError):
        return True  # 429 is documented as refused before anything was done
    return _outcome_may_repeat(error.outcome, repeatable)


def _outcome_may_repeat(outcome: Outcome | None, repeatable: bool) -> bool:
    return outcome is Outcome.NOT_SENT or (outcome is Outcome.UNKNOWN and repeatable)


def _is_wanted(error: Exception, retry_on: RetryOn) -> bool:
    if isinstance(retry_on, type | tuple):
        return isinstance(error, retry_on)
    try:
        return bool(retry_on(error))
    except Exception:
        log.exception("retry_on failed on %s", type(error).__name__)
        return False


def asked_wait(error: BaseException) -> float | None:
    """How long the other side asks us to wait; the longest of a group."""
    asked = (as_seconds(getattr(leaf, "retry_after", None)) for leaf in leaves(error))
    return max((each for each in asked if each is not None), default=None)
