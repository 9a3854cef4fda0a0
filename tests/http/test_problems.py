"""What went wrong, in our own words: of which kind it is, and what is known of the request."""

import ssl
from datetime import UTC, datetime

import httpcore
import httpx
import pytest

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.http.answer import Answer
from sentio_async.http.endpoint import Api, Parts, Problem
from sentio_async.http.problems import (
    Evidence,
    forget_frames,
    from_answer,
    from_exception,
    from_problem,
    without_echo,
)
from sentio_async.http.redaction import Hidden

NOW = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)
CANARY = "canary-problem-4711"
INVALID, LOST = errors.InvalidRequestError, errors.ConnectionError


def read_problem(status, decoded, endpoint):
    if decoded is None:
        return None
    return Problem(f"{status} of {endpoint.name}: {decoded['message']}", code=decoded.get("code"))


api = Api("toy", problem=read_problem)


@api.get("/thing", returns=dict)
def ask() -> Parts:
    """Something."""
    return Parts()


@api.post("/thing", returns=dict)
def write() -> Parts:
    """Do something."""
    return Parts(json={})


def seen(*, is_traced=True, is_sent=True):
    evidence = Evidence()
    evidence.is_traced, evidence.is_sent = is_traced, is_sent
    return evidence


@pytest.mark.parametrize("module", [httpx, httpcore])
@pytest.mark.parametrize(
    ("name", "kind", "phase", "words", "outcome"),
    [
        ("ConnectTimeout", LOST, "connect", "no connection within", Outcome.NOT_SENT),
        ("PoolTimeout", LOST, "pool", "no free connection within", Outcome.NOT_SENT),
        ("WriteTimeout", LOST, "write", "not sent to its end within", None),
        ("ReadTimeout", LOST, "read", "no answer within", None),
        ("ConnectError", LOST, "connect", "cannot connect: boom", Outcome.NOT_SENT),
        ("RemoteProtocolError", LOST, "read", "answer is not HTTP.*: boom", None),
        ("ReadError", LOST, "read", "connection lost: boom", None),
        ("WriteError", LOST, "read", "connection lost: boom", None),
        ("UnsupportedProtocol", INVALID, None, "cannot be sent: boom", Outcome.NOT_SENT),
        ("LocalProtocolError", INVALID, None, "cannot be sent: boom", Outcome.NOT_SENT),
    ],
)
def test_a_failed_exchange_has_its_kind_and_what_is_known(
    module, name, kind, phase, words, outcome
):
    for is_sent, known in ((True, Outcome.UNKNOWN), (False, Outcome.NOT_SENT)):
        exc = getattr(module, name)("boom")

        error = from_exception(exc, seen(is_sent=is_sent))

        assert type(error) is kind
        assert error.phase == phase
        assert error.outcome is (outcome or known)
        with pytest.raises(kind, match=words):
            raise error
        assert error.__notes__ == [f"underneath: {module.__name__}.{name}: boom"]
        assert error.__cause__ is None


@pytest.mark.parametrize(
    "exc", [OSError("boom"), EOFError("boom"), ConnectionResetError("boom"), httpx.StreamClosed()]
)
def test_a_lost_connection_is_one_whoever_says_so(exc):
    error = from_exception(exc, seen())

    assert (type(error), error.phase, error.outcome) == (LOST, "read", Outcome.UNKNOWN)


@pytest.mark.parametrize("exc", [UnicodeError("boom"), httpx.InvalidURL("boom")])
def test_what_cannot_be_written_was_not_sent(exc):
    error = from_exception(exc, seen())

    assert (type(error), error.outcome) == (INVALID, Outcome.NOT_SENT)


def test_a_client_that_is_closed_is_named_and_other_mistakes_are_nobodys_business():
    closed = RuntimeError("Cannot send a request, as the client has been closed.")
    error = from_exception(closed, seen())
    ours = errors.DecodeError("ours")

    assert (type(error), error.phase, error.outcome) == (LOST, "pool", Outcome.NOT_SENT)
    assert from_exception(RuntimeError("other"), seen()) is None
    assert from_exception(KeyError("other"), seen()) is None
    assert from_exception(ours, seen()) is ours
    assert not hasattr(ours, "__notes__")


@pytest.mark.parametrize(
    ("is_traced", "is_sent", "outcome"),
    [
        (False, False, Outcome.UNKNOWN),
        (False, True, Outcome.UNKNOWN),
        (True, True, Outcome.UNKNOWN),
        (True, False, Outcome.NOT_SENT),
    ],
)
async def test_nothing_is_called_unsent_without_having_been_watched(is_traced, is_sent, outcome):
    evidence = Evidence()
    if is_traced:
        await evidence.note("http11.send_request_body.started", {})
    assert evidence.outcome is (Outcome.NOT_SENT if is_traced else Outcome.UNKNOWN)
    if is_sent and is_traced:
        await evidence.note("http2.send_request_headers.started", {})
    elif is_sent:
        evidence = seen(is_traced=False)

    assert evidence.outcome is outcome


@pytest.mark.parametrize("link", ["__cause__", "__context__"])
def test_a_certificate_is_seen_underneath(link):
    cause = ssl.SSLCertVerificationError(1, "verify failed")
    cause.verify_message = "self-signed certificate"
    between = OSError("between")
    setattr(between, link, cause)
    for exc in (httpx.ConnectError("boom"), httpcore.ConnectError("boom")):
        exc.__cause__ = between
        error = from_exception(exc, seen())

        assert type(error) is errors.CertificateError
        assert error.message == "certificate is not trusted: self-signed certificate"
        assert (error.phase, error.outcome) == ("connect", Outcome.NOT_SENT)


def test_what_led_to_it_is_told_in_a_note_without_secrets_and_to_an_end():
    hidden = Hidden(CANARY)
    first = OSError(f"at {CANARY}")
    exc = httpx.ReadError("")
    exc.__cause__ = first
    first.__context__ = exc

    error = from_exception(exc, seen())

    (note,) = error.__notes__
    assert note.startswith("underneath: httpx.ReadError <- builtins.OSError: at [secret] <- ")
    assert note.count(" <- ") == 7
    assert error.message == "connection lost: ReadError"
    del hidden


def test_frames_are_forgotten_all_the_way():
    def caught(error):
        try:
            raise error
        except ValueError as exc:
            return exc

    first, second, last = (caught(ValueError(name)) for name in ("first", "second", "last"))
    last.__cause__, last.__context__, second.__context__ = second, first, last

    assert forget_frames(last) is last
    assert [each.__traceback__ for each in (first, second, last)] == [None] * 3


def answered(status, body=b"", **headers):
    return Answer(status, {name.replace("_", "-"): text for name, text in headers.items()}, body)


def refused(problem, status=400, body=b"", **headers):
    return from_problem(problem, answered(status, body, **headers), None, now=NOW)


def read_plain(status, text, endpoint):
    return Problem(text, kind=errors.RateLimitError) if "rate limit" in text else None


plain = Api("plain", problem=read_problem, plain=read_plain)


@plain.get("/thing", returns=dict)
def ask_plainly() -> Parts:
    """Something of a vendor that does not always answer in JSON."""
    return Parts()


def test_what_is_not_json_is_read_as_text_where_a_vendor_says_so():
    body = b"<p>Number of requests exceeded the rate limit set</p>"
    throttled = from_answer(answered(400, body), ask_plainly(), None, now=NOW)
    other = from_answer(answered(400, b"<html>"), ask_plainly(), None, now=NOW)
    in_json = from_answer(answered(400), ask_plainly(), {"message": "no"}, now=NOW)
    empty = from_answer(answered(400, b""), ask_plainly(), None, now=NOW)

    assert isinstance(throttled, errors.RateLimitError)
    assert (type(other), other.message) == (
        errors.BadRequestError,
        "answered 400 with an HTML page",
    )
    assert in_json.message == "400 of ask_plainly: no"
    assert empty.message == "answered 400 with no reason"


@pytest.mark.parametrize(
    ("status", "kind", "outcome"),
    [
        (200, errors.APIError, Outcome.UNKNOWN),
        (299, errors.APIError, Outcome.UNKNOWN),
        (400, errors.BadRequestError, Outcome.REFUSED),
        (401, errors.AuthenticationError, Outcome.REFUSED),
        (403, errors.PermissionError, Outcome.REFUSED),
        (404, errors.NotFoundError, Outcome.REFUSED),
        (408, errors.APIError, Outcome.UNKNOWN),
        (409, errors.ConflictError, Outcome.REFUSED),
        (418, errors.APIError, Outcome.REFUSED),
        (422, errors.BadRequestError, Outcome.REFUSED),
        (425, errors.APIError, Outcome.UNKNOWN),
        (429, errors.RateLimitError, Outcome.REFUSED),
        (499, errors.APIError, Outcome.REFUSED),
        (500, errors.ServerError, Outcome.UNKNOWN),
        (503, errors.ServerError, Outcome.UNKNOWN),
        (599, errors.ServerError, Outcome.UNKNOWN),
    ],
)
def test_a_status_has_its_kind_and_what_is_known(status, kind, outcome):
    error = refused(Problem("no"), status)

    assert (type(error), error.outcome, error.status_code) == (kind, outcome, status)
    told = refused(Problem("no", kind=errors.NotFoundError, outcome=Outcome.NOT_SENT), status)
    assert (type(told), told.outcome) == (errors.NotFoundError, Outcome.NOT_SENT)


def test_what_the_vendor_says_is_kept_and_what_is_secret_in_it_is_not():
    hidden = Hidden(CANARY)
    words = Problem(f"bad {CANARY}", code=f"c-{CANARY}", details={"at": [CANARY, 7]})
    error = refused(words, body=f"<{CANARY}>".encode(), request_id=f"{CANARY}-1, {CANARY}-1")

    assert error.message == "bad [secret]"
    assert error.code == "c-[secret]"
    assert error.details == {"at": ["[secret]", 7]}
    assert error.body == "<[secret]>"
    assert error.request_id == "[secret]-1"
    assert error.response.status == 400
    del hidden


def test_a_quotas_end_is_the_vendors_own_word_or_the_headers():
    limited = {"kind": errors.RateLimitError}
    of_header = refused(Problem("slow"), 429, retry_after="9", x_ratelimit_scope="user")
    of_word = refused(Problem("slow", retry_after=3.0, **limited), 200, retry_after="9")
    reckoned = refused(Problem("slow", retry_after=lambda now: now.minute + 0.5, **limited))

    assert (of_header.retry_after, of_header.scope) == (9.0, "user")
    assert (of_word.retry_after, of_word.scope) == (3.0, None)
    assert of_word.outcome is Outcome.REFUSED
    assert reckoned.retry_after == 30.5


def test_a_broken_server_says_when_to_ask_again_by_retry_after_alone():
    now, later = (f"Tue, 10 Mar 2026 15:00:0{second} GMT" for second in (0, 5))

    assert refused(Problem("down"), 503, retry_after="9").retry_after == 9.0
    assert refused(Problem("down"), 502, date=now, retry_after=later).retry_after == 5.0
    assert refused(Problem("down"), 500, x_ratelimit_reset="1900000000").retry_after is None
    assert refused(Problem("down"), 500, retry_after="soon").retry_after is None


def test_long_words_are_cut_and_lines_made_one():
    error = refused(Problem("a\r\n\x1b[31m" + "b" * 5000), body=b"x" * 5000, x_request_id="i" * 300)

    assert error.message == f"a [31m{'b' * 994}… (cut)"
    assert len(error.body) == 2048
    assert len(error.request_id) == 200
    assert refused(Problem("b" * 1000)).message == "b" * 1000


def test_the_vendors_reader_is_asked_and_otherwise_the_status_is_told():
    told = from_answer(answered(404), ask(), {"message": "gone", "code": 7}, now=NOW)
    html = from_answer(answered(502, b"\n<HTML>bad gateway"), ask(), None, now=NOW)
    bare = from_answer(answered(503, b"{}" + b" " * 600 + b"<html"), ask(), None, now=NOW)

    assert (type(told), told.message, told.code) == (
        errors.NotFoundError,
        "404 of ask: gone",
        7,
    )
    assert html.message == "answered 502 with an HTML page"
    assert bare.message == "answered 503 with no reason"


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308, 399])
@pytest.mark.parametrize("call", [ask, write])
def test_a_redirect_is_final_and_of_a_write_that_was_done_nothing_is_claimed(call, status):
    answer = answered(status, location="https://other.test/x?token=1")

    error = from_answer(answer, call(), {"message": "not asked for"}, now=NOW)

    may_be_done = call is write and status in (302, 303)
    assert error.outcome is (Outcome.UNKNOWN if may_be_done else Outcome.REFUSED)
    assert error.message.startswith(f"redirected ({status}) to other.test; ")
    assert (error.is_permanent, error.status_code, error.response) == (True, status, answer)
    assert "to no host;" in from_answer(answered(status), call(), None, now=NOW).message


def test_an_error_over_an_answer_that_repeats_a_secret_shows_nothing_of_it():
    hidden = Hidden(CANARY)
    answer = answered(200, f'{{"side": "{CANARY}"}}'.encode())

    def failed():
        try:
            try:
                raise KeyError(CANARY)
            except KeyError as exc:
                raise errors.UnknownWordError("side", CANARY) from exc
        except errors.UnknownWordError as exc:
            return exc

    error = without_echo(failed(), answer)
    other = failed()

    assert (error.message, error.word) == ("side: unknown word '[secret]'", "[secret]")
    assert str(error) == error.args[0] == error.message
    assert error.__cause__ is error.__context__ is error.__traceback__ is None
    assert without_echo(other, answered(200, b"{}")) is other
    assert isinstance(other.__cause__, KeyError)
    del hidden
