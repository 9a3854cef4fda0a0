"""What went wrong, in our own words: httpx's exceptions and vendors' refusals become our errors.

Nothing else in the library turns a foreign exception into one of ours.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.http.answer import Answer
from sentio_async.http.endpoint import Call, Problem
from sentio_async.http.pool import Request
from sentio_async.http.redaction import redactor
from sentio_async.resilience.retry_after import retry_after_from

__all__ = [
    "Evidence",
    "forget_frames",
    "from_answer",
    "from_exception",
    "from_problem",
    "without_echo",
]

E = TypeVar("E", bound=BaseException)

_MOST_OF_A_BODY = 2048
_MOST_OF_A_PAGE = 65_536
_MOST_OF_A_MESSAGE = 1000
_WHEN = ("date", "retry-after", "retry-after-ms")
_DEEPEST = 8
_READ_FIELDS = ("field", "word")
_REQUEST_IDS = ("x-request-id", "apca-request-id", "request-id")

# A proxy or an overloaded server may say these after it has passed the request on.
_MAY_HAVE_HAPPENED = frozenset({408, 425})

_TOLD_ELSEWHERE = frozenset({302, 303})
"""After a write: it was done, and what came of it is told at another place."""

_BY_STATUS: dict[int, type[errors.APIError]] = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    403: errors.PermissionError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
    422: errors.BadRequestError,
    429: errors.RateLimitError,
}


class Evidence:
    """What was seen of one exchange: whether its request began to leave this process."""

    __slots__ = ("is_sent", "is_traced")

    def __init__(self) -> None:
        self.is_traced = False
        self.is_sent = False

    @classmethod
    def of(cls, request: Request) -> Evidence:
        """What our pool knows of a request: all there is to know."""
        evidence = cls()
        evidence.is_traced, evidence.is_sent = True, request.is_sent
        return evidence

    async def note(self, event: str, _info: Any) -> None:
        """Hear of one step of httpcore's ``trace`` extension."""
        self.is_traced = True
        if event.endswith("send_request_headers.started"):
            self.is_sent = True

    @property
    def outcome(self) -> Outcome:
        """NOT_SENT only if every step was seen and sending was not among them."""
        return Outcome.NOT_SENT if self.is_traced and not self.is_sent else Outcome.UNKNOWN


def from_exception(exc: Exception, evidence: Evidence) -> errors.ConnectorError | None:
    """Our error for a failed exchange; None for an exception that is nobody's business here.

    The foreign exception itself is not kept: a note has its words, without secrets.
    """
    error = _translated(_as_httpx(exc), evidence)
    if error is not None and error is not exc:
        error.add_note(f"underneath: {_chain(exc)}")
    return error


def forget_frames(error: E) -> E:
    """The error, it and whatever led to it without the frames they came through."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            each.__traceback__ = None
            waiting += [each.__cause__, each.__context__]
    return error


def without_echo(
    error: errors.ConnectorError, answer: Answer, headers: Iterable[str] = ()
) -> errors.ConnectorError:
    """The error; if the vendor repeats a secret, without it and without what was read.

    It can do so in the body, and in those ``headers`` that are read.
    """
    texts = (answer.body.decode("utf-8", "replace"), *(answer.headers.get(n, "") for n in headers))
    if not any(map(redactor.knows_any_in, texts)):
        return error
    error.message = redactor.scrub(error.message)
    error.args = (error.message,)
    error.__dict__.update(redactor.scrub_all({n: error.__dict__.get(n) for n in _READ_FIELDS}))
    error.__cause__ = error.__context__ = None
    return forget_frames(error)


def _chain(exc: BaseException) -> str:
    words: list[str] = []
    cause: BaseException | None = exc
    while cause is not None and len(words) < _DEEPEST:
        kind = type(cause)
        words.append(f"{kind.__module__}.{kind.__qualname__}: {cause}".removesuffix(": "))
        cause = cause.__cause__ or cause.__context__
    return redactor.scrub(" <- ".join(words))


def _as_httpx(exc: Exception) -> Exception:
    """What httpx would have raised for a failure of the pool."""
    kind = getattr(httpx, type(exc).__name__, None)
    if type(exc).__module__ != "httpcore" or kind is None:
        return exc
    named: Exception = kind(str(exc))
    named.__cause__ = exc.__cause__
    return named


def _translated(exc: Exception, evidence: Evidence) -> errors.ConnectorError | None:
    match exc:
        case errors.ConnectorError():
            return exc
        case httpx.TimeoutException():
            return _too_late(exc, evidence)
        case httpx.ConnectError():
            return _not_connected(exc)
        case (
            httpx.InvalidURL()
            | httpx.UnsupportedProtocol()
            | httpx.LocalProtocolError()
            | UnicodeError()
        ):
            return errors.InvalidRequestError(f"request cannot be sent: {_words(exc)}")
        case httpx.RemoteProtocolError():
            text = f"answer is not HTTP, or not all of it: {_words(exc)}"
            return errors.ConnectionError(text, outcome=evidence.outcome, phase="read")
        case httpx.HTTPError() | OSError() | EOFError() | httpx.StreamError():
            text = f"connection lost: {_words(exc)}"
            return errors.ConnectionError(text, outcome=evidence.outcome, phase="read")
        case RuntimeError() if "client has been closed" in str(exc):
            return errors.ConnectionError(
                "the HTTP client is closed", outcome=Outcome.NOT_SENT, phase="pool"
            )
    return None


# What took too long, and whether that alone proves that nothing was sent.
_LATE: dict[type[httpx.TimeoutException], tuple[str, str, bool]] = {
    httpx.ConnectTimeout: ("connect", "no connection", True),
    httpx.PoolTimeout: ("pool", "no free connection", True),
    httpx.WriteTimeout: ("write", "not sent to its end", False),
    httpx.ReadTimeout: ("read", "no answer", False),
}


def _too_late(exc: httpx.TimeoutException, evidence: Evidence) -> errors.ConnectionError:
    phase, text, is_unsent = _LATE.get(type(exc), ("read", "no answer", False))
    outcome = Outcome.NOT_SENT if is_unsent else evidence.outcome
    return errors.ConnectionError(f"{text} within the time allowed", outcome=outcome, phase=phase)


def _not_connected(exc: httpx.ConnectError) -> errors.ConnectionError:
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return errors.CertificateError(
                f"certificate is not trusted: {cause.verify_message}", phase="connect"
            )
        cause = cause.__cause__ or cause.__context__
    return errors.ConnectionError(
        f"cannot connect: {_words(exc)}", outcome=Outcome.NOT_SENT, phase="connect"
    )


def _words(exc: Exception) -> str:
    # ReadError and others come without a text.
    return redactor.scrub(str(exc)) or type(exc).__name__


def from_answer(
    answer: Answer, call: Call[Any], decoded: Any, *, now: datetime
) -> errors.ConnectorError:
    """The error for an answer whose status is not one the endpoint accepts."""
    if 300 <= answer.status < 400:
        return _redirect(answer, call)
    api = call.endpoint.api
    problem = None
    if decoded is None and api.plain is not None:
        problem = api.plain(answer.status, _text_in(answer), call.endpoint)
    elif api.problem is not None:
        problem = api.problem(answer.status, decoded, call.endpoint)
    return from_problem(problem or _unexplained(answer), answer, decoded, now=now)


def _text_in(answer: Answer) -> str:
    return answer.body[:_MOST_OF_A_PAGE].decode("utf-8", "replace")


def _unexplained(answer: Answer) -> Problem:
    kind = "an HTML page" if b"<html" in answer.body[:512].lower() else "no reason"
    return Problem(f"answered {answer.status} with {kind}")


def _redirect(answer: Answer, call: Call[Any]) -> errors.APIError:
    try:
        # Before it is taken apart, which makes small letters of capital ones.
        host = urlsplit(redactor.scrub(answer.headers.get("location", ""))).hostname or "no host"
    except ValueError:
        host = "what is no URL"
    is_write = call.endpoint.method not in ("GET", "HEAD")
    error = errors.APIError(
        f"redirected ({answer.status}) to {redactor.scrub(host)}; redirects are not followed, "
        "so that keys stay with the host they are for",
        outcome=Outcome.UNKNOWN if is_write and answer.status in _TOLD_ELSEWHERE else None,
        status_code=answer.status,
        response=answer,
    )
    error.is_permanent = True
    return error


def from_problem(
    problem: Problem, answer: Answer, decoded: Any, *, now: datetime
) -> errors.APIError:
    """The error for a vendor's own words, whatever the status they came with."""
    kind = problem.kind or _kind_of(answer.status)
    known: dict[str, Any] = {
        "status_code": answer.status,
        "code": redactor.scrub_all(problem.code),
        "details": redactor.scrub_all(dict(problem.details)),
        "request_id": _request_id(answer),
        "body": redactor.scrub(answer.body[:_MOST_OF_A_BODY].decode("utf-8", "replace")),
        "response": answer,
        "outcome": problem.outcome or _outcome_of(kind, answer.status),
    }
    if issubclass(kind, errors.RateLimitError):
        asked = problem.retry_after
        if asked is None:
            asked = retry_after_from(answer.headers, decoded, now=now)
        known["retry_after"] = asked(now) if callable(asked) else asked
        scope = answer.headers.get("x-ratelimit-scope")
        known["scope"] = scope and redactor.scrub(scope)
    if issubclass(kind, errors.ServerError):
        # Nothing else: the reset of a quota says nothing of when a broken server is whole.
        told = {name: answer.headers.get(name, "") for name in _WHEN}
        known["retry_after"] = retry_after_from(told, now=now)
    return kind(_one_line(redactor.scrub(problem.message)), **known)


def _one_line(text: str) -> str:
    """A vendor's words without line ends and control characters, and not for pages on end."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[:_MOST_OF_A_BODY]).split())
    return line if len(line) <= _MOST_OF_A_MESSAGE else f"{line[:_MOST_OF_A_MESSAGE]}… (cut)"


def _kind_of(status: int) -> type[errors.APIError]:
    if status >= 500:
        return errors.ServerError
    return _BY_STATUS.get(status, errors.APIError)


def _outcome_of(kind: type[errors.APIError], status: int) -> Outcome | None:
    if status in _MAY_HAVE_HAPPENED or (status < 300 and kind is errors.APIError):
        return Outcome.UNKNOWN
    return None


def _request_id(answer: Answer) -> str | None:
    for name in _REQUEST_IDS:
        if text := answer.headers.get(name):
            # Older Polygon servers say it twice: "a, a".
            return redactor.scrub(text.split(",", 1)[0].strip())[:200]
    return None
