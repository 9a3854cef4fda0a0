"""From an answer to the value in it, or to the error that it means."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.http.answer import Answer
from sentio_async.http.endpoint import Call
from sentio_async.http.problems import from_answer, from_problem, without_echo
from sentio_async.http.redaction import redactor
from sentio_async.http.wire_json import decode_json

__all__ = ["value_of"]

T = TypeVar("T")

_BROKEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)
"""What a reader raises at an answer that is not what it should be."""

Now = Callable[[], datetime]


def value_of(call: Call[T], answer: Answer, now: Now) -> T:
    """What the call gives; raises APIError and its kinds, or DecodeError for nonsense."""
    endpoint = call.endpoint
    if answer.status not in endpoint.accepts:
        raise from_answer(answer, call, _decoded_or_none(answer), now=now())
    error: errors.ConnectorError
    try:
        return _value_in(call, answer, now)
    except errors.ConnectorError as exc:
        error = exc
    except _BROKEN as exc:
        error = errors.DecodeError(
            f"answer is not what {endpoint.label} promises ({type(exc).__name__}: {exc})"
        )
        # It came whole and says something else: it will again.
        error.is_permanent = True
        error.__cause__ = exc
    if isinstance(error, errors.DecodeError):
        _describe(error, answer)
    raise without_echo(error, answer, endpoint.headers)


def _value_in(call: Call[T], answer: Answer, now: Now) -> T:
    endpoint = call.endpoint
    raw = endpoint.decode(answer.body) if answer.body else None
    check = endpoint.api.check
    if check is not None and (problem := check(raw)) is not None:
        raise from_problem(problem, answer, raw, now=now())
    return call.read(raw, answer.headers) if endpoint.headers else call.read(raw)


def _decoded_or_none(answer: Answer) -> Any:
    try:
        return decode_json(answer.body) if answer.body else None
    except errors.DecodeError:
        return None


def _describe(error: errors.DecodeError, answer: Answer) -> None:
    excerpt = redactor.scrub(answer.body[:200].decode("utf-8", "replace"))
    error.outcome = Outcome.UNKNOWN
    error.add_note(f"status {answer.status}, {len(answer.body)} bytes: {excerpt}")
