"""What the end of a call says about the service that was called."""

from __future__ import annotations

import builtins
from enum import Enum

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.resilience.repeating import leaves

__all__ = ["Verdict", "verdict_of"]

# 408 and 425 speak of this one request and its connection.
_NEUTRAL_STATUS = frozenset({408, 425, 429})
# Before anybody was asked: for a place in the pool, or for proof of who asks.
_ON_OUR_SIDE = frozenset({"pool", "renewal"})
# Mistakes in the calling code, not in the service.
_OWN_MISTAKES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    NotImplementedError,
    TypeError,
    ValueError,
)


class Verdict(Enum):
    """What one call says about the service."""

    OK = "ok"
    FAIL = "fail"
    NEUTRAL = "neutral"
    """Nothing: it was cancelled, refused for its rate, or ended on our side."""


def verdict_of(error: BaseException | None) -> Verdict:
    """What a call that ended so says about the service; None means it went well.

    A refusal (4xx) shows a service that works.  Of a group, the worst counts.
    """
    if error is None:
        return Verdict.OK
    if isinstance(error, BaseExceptionGroup):
        found = {verdict_of(leaf) for leaf in leaves(error)}
        ranking = (Verdict.FAIL, Verdict.NEUTRAL, Verdict.OK)
        return next(verdict for verdict in ranking if verdict in found)
    if isinstance(error, errors.ConnectorError):
        return _connector_verdict(error)
    if isinstance(error, Exception) and not isinstance(error, _OWN_MISTAKES):
        return Verdict.FAIL
    return Verdict.NEUTRAL


def _connector_verdict(error: errors.ConnectorError) -> Verdict:
    if isinstance(error, errors.CertificateError):
        return Verdict.FAIL
    # A word we do not know, an answer too large: it is alive, and would say the same again.
    if error.is_permanent or isinstance(error, errors.RateLimitError):
        return Verdict.NEUTRAL
    if isinstance(error, errors.APIError) and error.status_code in _NEUTRAL_STATUS:
        return Verdict.NEUTRAL
    match error.outcome:
        case Outcome.UNKNOWN:
            return Verdict.FAIL
        case Outcome.REFUSED:
            return Verdict.OK
        case _:
            is_lost = isinstance(error, builtins.ConnectionError)
            return Verdict.FAIL if is_lost and error.phase not in _ON_OUR_SIDE else Verdict.NEUTRAL
