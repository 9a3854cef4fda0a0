"""What servers' replies mean, by code, enhanced code and phase."""

import json
import pickle

import pytest

from sentio_async import errors
from sentio_async.connectors.email.progress import Progress
from sentio_async.connectors.email.replies import Meaning, Phase, Reply, error_for, meaning_of
from sentio_async.errors import Outcome
from sentio_async.models import Delivery
from sentio_async.resilience.repeating import may_repeat
from sentio_async.resilience.verdict import Verdict, verdict_of

# Replies as the providers document them, or as their users have reported them.
KNOWN = (
    ("CONNECT", 421, "4.7.0 Too many connections from your IP", Meaning.THROTTLED),
    ("CONNECT", 421, "4.7.28 unusual traffic from your IP", Meaning.THROTTLED),
    ("CONNECT", 421, "4.3.7 Service not available", Meaning.TRANSIENT_CONNECTION),
    ("CONNECT", 421, "4.3.2 Service not available", Meaning.TRANSIENT_CONNECTION),
    ("CONNECT", 451, "4.3.2 service temporarily unavailable", Meaning.TRANSIENT_CONNECTION),
    ("CONNECT", 550, "5.7.1 your address is on a list", Meaning.POLICY),
    ("CONNECT", 554, "No SMTP service here", Meaning.POLICY),
    ("EHLO", 550, "who are you", Meaning.POLICY),
    ("STARTTLS", 454, "4.3.0 TLS not available", Meaning.TRANSIENT_CONNECTION),
    ("STARTTLS", 502, "not implemented", Meaning.POLICY),
    ("AUTH", 235, "2.7.0 Accepted", Meaning.ACCEPTED),
    ("AUTH", 454, "4.7.0 Too many login attempts, please try again later", Meaning.THROTTLED),
    ("AUTH", 454, "4.7.0 Temporary authentication failure", Meaning.THROTTLED),
    ("AUTH", 421, "4.3.0 try later", Meaning.TRANSIENT_CONNECTION),
    ("AUTH", 432, "4.7.12 A password transition is needed", Meaning.THROTTLED),
    ("AUTH", 535, "5.7.8 Username and Password not accepted", Meaning.BAD_CREDENTIALS),
    ("AUTH", 535, "5.7.139 SmtpClientAuthentication is disabled", Meaning.BAD_CREDENTIALS),
    ("AUTH", 534, "5.7.9 Application-specific password required", Meaning.BAD_CREDENTIALS),
    ("AUTH", 550, "5.7.30 Basic authentication is not supported", Meaning.POLICY),
    ("AUTH", 535, "5.7.30 Basic authentication is not supported", Meaning.POLICY),
    ("AUTH", 504, "5.5.4 unrecognized authentication type", Meaning.POLICY),
    ("AUTH", 538, "5.7.11 Encryption required", Meaning.POLICY),
    ("AUTH", 500, "unrecognized command", Meaning.POLICY),
    ("MAIL", 250, "OK", Meaning.ACCEPTED),
    ("MAIL", 421, "too many messages in this connection", Meaning.TRANSIENT_CONNECTION),
    ("MAIL", 530, "5.7.0 Authentication Required", Meaning.POLICY),
    ("MAIL", 550, "5.4.5 Daily user sending limit exceeded", Meaning.QUOTA_EXHAUSTED),
    ("MAIL", 552, "Message size exceeds maximum permitted", Meaning.PERMANENT_MESSAGE),
    ("MAIL", 550, "5.7.60 Client does not have permissions to send as", Meaning.POLICY),
    ("MAIL", 550, "5.4.5 no more for today", Meaning.QUOTA_EXHAUSTED),
    ("MAIL", 432, "4.3.2 sender thread limit exceeded", Meaning.THROTTLED),
    ("RCPT", 250, "OK", Meaning.ACCEPTED),
    ("RCPT", 251, "User not local; will forward", Meaning.ACCEPTED),
    ("RCPT", 260, "", Meaning.GARBLED),
    ("RCPT", 400, "later", Meaning.TRANSIENT_RECIPIENT),
    ("RCPT", 450, "4.2.0 Greylisted", Meaning.TRANSIENT_RECIPIENT),
    ("RCPT", 451, "4.7.1 greylisted, try again in 300 seconds", Meaning.TRANSIENT_RECIPIENT),
    ("RCPT", 452, "4.5.3 Too many recipients", Meaning.TRANSIENT_RECIPIENT),
    ("RCPT", 552, "Too many recipients", Meaning.TRANSIENT_RECIPIENT),
    ("RCPT", 552, "5.2.2 Mailbox full", Meaning.PERMANENT_RECIPIENT),
    ("RCPT", 550, "5.7.1 Relay not permitted", Meaning.PERMANENT_RECIPIENT),
    ("RCPT", 550, "No such user", Meaning.PERMANENT_RECIPIENT),
    ("RCPT", 500, "Syntax error", Meaning.PERMANENT_RECIPIENT),
    ("RCPT", 530, "Must issue a STARTTLS command first", Meaning.POLICY),
    ("RCPT", 538, "Encryption required", Meaning.POLICY),
    ("RCPT", 550, "5.4.5 Daily user sending limit exceeded", Meaning.QUOTA_EXHAUSTED),
    ("DATA", 354, "go ahead", Meaning.ACCEPTED),
    ("DATA", 250, "OK", Meaning.GARBLED),
    ("DATA", 554, "no valid recipients", Meaning.PERMANENT_MESSAGE),
    ("DOT", 250, "2.0.0 OK id=1xV58x", Meaning.ACCEPTED),
    ("DOT", 354, "go ahead", Meaning.GARBLED),
    ("DOT", 550, "5.7.1 content rejected", Meaning.PERMANENT_MESSAGE),
    ("DOT", 451, "4.3.2 please retry later", Meaning.TRANSIENT_CONNECTION),
    ("DOT", 451, "4.7.1 slow down", Meaning.THROTTLED),
    ("DOT", 454, "Throttling failure: Maximum sending rate exceeded", Meaning.THROTTLED),
    ("DOT", 454, "Throttling failure: Daily message quota exceeded", Meaning.QUOTA_EXHAUSTED),
    (
        *("DOT", 554, "5.2.0 STOREDRV; SubmissionQuotaExceededException"),
        Meaning.QUOTA_EXHAUSTED,
    ),
    ("DOT", 452, "4.2.2 mailbox full", Meaning.TRANSIENT_RECIPIENT),
    ("DATA", 451, "4.1.1 not known yet", Meaning.TRANSIENT_RECIPIENT),
    ("DOT", 552, "5.2.2 mailbox full", Meaning.PERMANENT_RECIPIENT),
    ("DOT", 550, "5.4.1 access denied", Meaning.PERMANENT_RECIPIENT),
    ("DOT", 550, "5.1.1 no such user", Meaning.PERMANENT_RECIPIENT),
    ("DOT", 550, "5.1.7 bad address of the sender", Meaning.PERMANENT_MESSAGE),
    ("DOT", 553, "5.1.8 bad domain of the sender", Meaning.PERMANENT_MESSAGE),
    ("NOOP", 250, "OK", Meaning.ACCEPTED),
    ("NOOP", -1, "HTTP/1.1 400 Bad Request", Meaning.GARBLED),
    ("DOT", 999, "", Meaning.GARBLED),
)


@pytest.mark.parametrize(("phase", "code", "text", "meaning"), KNOWN)
def test_replies_are_understood(phase, code, text, meaning):
    assert meaning_of(Reply(code, text), Phase(phase)) is meaning


def test_recorded_provider_replies_are_understood(shared):
    file = shared / "payloads" / "smtp" / "11_provider_replies.json"
    for vector in json.loads(file.read_text())["vectors"]:
        meaning = meaning_of(Reply(vector["code"], vector["text"]), Phase(vector["phase"]))
        assert meaning.value == vector["classified_as"], vector


@pytest.mark.parametrize(("phase", "code", "text", "meaning"), KNOWN)
def test_only_what_may_help_is_tried_again_and_nothing_of_it_opens_the_breaker(
    phase, code, text, meaning
):
    if meaning is Meaning.ACCEPTED:
        return

    error = error_for(Reply(code, text), Phase(phase))

    helps = {Meaning.TRANSIENT_RECIPIENT, Meaning.TRANSIENT_CONNECTION, Meaning.THROTTLED}
    is_garbled_early = meaning is Meaning.GARBLED and phase != "DOT"
    assert may_repeat(error, repeatable=False) is (meaning in helps or is_garbled_early)
    if meaning is not Meaning.GARBLED:
        assert verdict_of(error) is not Verdict.FAIL
        assert error.status_code == code
    assert error.phase == phase
    assert type(pickle.loads(pickle.dumps(error))) is type(error)


def test_a_wrong_password_is_an_authentication_error_and_final():
    error = error_for(Reply(535, "5.7.8 no"), Phase.AUTH)

    assert isinstance(error, errors.AuthenticationError)
    assert error.outcome is Outcome.REFUSED
    assert error.code == "535 5.7.8"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("4.7.1 greylisted, try again in 300 seconds", 300),
        ("4.7.1 Greylisted for 5 minutes", 300),
        ("retry in 1 hour", 3600),
        ("4.2.2 mailbox full", None),
        ("4.3.2 please retry later", None),
    ],
)
def test_a_wait_in_words_is_heard(text, seconds):
    error = error_for(Reply(451, text), Phase.RCPT)

    assert getattr(error, "retry_after", None) == seconds


@pytest.mark.parametrize(
    ("phase", "code", "text", "scope", "outcome"),
    [
        ("DOT", 451, "4.7.1 slow down, retry in 9 seconds", "mail server", Outcome.NOT_SENT),
        ("MAIL", 550, "5.4.5 no more for today", "mail quota", Outcome.REFUSED),
        ("AUTH", 421, "4.3.0 come back in 9 s, wait", "mail server", Outcome.NOT_SENT),
    ],
)
def test_a_throttle_says_whose_it_is_and_that_nobody_got_the_message(
    phase, code, text, scope, outcome
):
    error = error_for(Reply(code, text), Phase(phase))

    assert isinstance(error, errors.RateLimitError)
    assert (error.scope, error.outcome) == (scope, outcome)
    assert error.retry_after == (None if scope == "mail quota" else 9)
    assert error.is_permanent is (scope == "mail quota")
    assert error.message == f"{phase}: {code} {text}"


@pytest.mark.parametrize("phase", ["RCPT", "DATA", "DOT"])
def test_a_greylist_is_of_its_recipients_and_not_of_the_server(phase):
    reply = Reply(451, "4.7.1 Greylisted, try again in 300 seconds")

    error = error_for(reply, Phase(phase))

    assert meaning_of(reply, Phase(phase)) is Meaning.TRANSIENT_RECIPIENT
    assert isinstance(error, errors.ServerError)
    assert (error.retry_after, error.outcome) == (300, Outcome.NOT_SENT)


def test_an_unprintable_reply_cannot_forge_log_lines():
    reply = Reply(550, "no\r\nERROR everything is lost\x1b[31m\udcff" + "x" * 5000)

    error = error_for(reply, Phase.MAIL)

    assert str(error).isprintable()
    assert len(str(error)) < 400


def test_recipients_are_settled_one_by_one():
    progress = Progress(["a@x", "b@x", "c@x"])
    progress.refuse(["b@x"], Reply(550, "5.1.1 unknown"), Phase.RCPT)
    progress.refuse(["c@x"], Reply(451, "4.7.1 greylisted"), Phase.RCPT)
    progress.accept(["a@x"], Reply(250, "OK"))

    assert progress.pending == ("c@x",)
    assert [r.delivery for r in progress.results()] == [
        Delivery.ACCEPTED,
        Delivery.REFUSED,
        Delivery.DEFERRED,
    ]
    with pytest.raises(errors.ServerError):
        progress.check()


def test_doubt_stays_until_somebody_has_accepted():
    progress = Progress(["a@x"])
    progress.doubt(["a@x"], "no reply")
    progress.refuse(["a@x"], Reply(550, "5.7.1 content rejected"), Phase.DOT)

    (result,) = progress.results()
    assert result.delivery is Delivery.UNKNOWN

    progress.accept(["a@x"], Reply(250, "OK"))
    (result,) = progress.results()
    assert result.delivery is Delivery.ACCEPTED


def test_who_may_have_got_it_is_tried_again_until_somebody_says_no():
    progress = Progress(["a@x", "b@x"])
    progress.doubt(["a@x", "b@x"], "no reply")
    progress.refuse(["a@x"], Reply(451, "4.7.1 greylisted"), Phase.RCPT)
    assert progress.pending == ("a@x", "b@x")
    assert progress.may_have_arrived

    progress.refuse(["a@x"], Reply(550, "5.1.1 unknown"), Phase.RCPT)
    assert progress.pending == ("b@x",)
    assert [r.delivery for r in progress.results()] == [Delivery.UNKNOWN] * 2


@pytest.mark.parametrize(
    ("outcome", "delivery"),
    [(Outcome.REFUSED, Delivery.REFUSED), (Outcome.NOT_SENT, Delivery.DEFERRED)],
)
def test_whoever_was_never_asked_has_the_error_that_ended_it(outcome, delivery):
    error = errors.ServerError("MAIL: 451 later", status_code=451, code="451", outcome=outcome)

    (result,) = Progress(["a@x"]).results(error)

    assert (result.delivery, result.code, result.reason) == (delivery, "451", error.message)
    gone = errors.ConnectionError("gone", outcome=outcome)
    (result,) = Progress(["a@x"]).results(gone)
    assert (result.delivery, result.code, result.reason) == (delivery, None, "gone")
    (result,) = Progress(["a@x"]).results()
    assert (result.delivery, result.code, result.reason) == (Delivery.DEFERRED, None, None)
