"""What aiosmtplib raises, in our own words."""

import errno
import ssl

import aiosmtplib
import pytest

from sentio_async import errors
from sentio_async.connectors.email.failures import error_from
from sentio_async.connectors.email.replies import Phase
from sentio_async.errors import Outcome

SERVER = "mail.x.test:587"


def untrusted():
    cause = ssl.SSLCertVerificationError(1, "certificate verify failed")
    cause.verify_message = "self-signed certificate"
    return cause


def caused_by(cause):
    error = aiosmtplib.SMTPConnectError("no")
    error.__cause__ = cause
    return error


def met_by(context):
    error = aiosmtplib.SMTPConnectError("no")
    error.__context__ = context
    return error


@pytest.mark.parametrize("wrap", [caused_by, met_by, lambda cause: caused_by(met_by(cause))])
def test_a_certificate_is_seen_however_deep_it_is(wrap):
    error = error_from(wrap(untrusted()), Phase.STARTTLS, SERVER)

    assert type(error) is errors.CertificateError
    assert error.message == "certificate is not trusted: self-signed certificate"
    assert (error.phase, error.outcome) == ("STARTTLS", Outcome.NOT_SENT)


@pytest.mark.parametrize("phase", [Phase.CONNECT, Phase.STARTTLS])
def test_a_port_without_tls_is_said_while_it_is_opened(phase):
    error = error_from(caused_by(ssl.SSLError(1, "wrong version number")), phase, SERVER)

    assert "tls='starttls'" in error.message
    assert (type(error), error.outcome) == (errors.ConnectionError, Outcome.NOT_SENT)
    later = error_from(caused_by(ssl.SSLError(1, "bad record")), Phase.MAIL, SERVER)
    assert later.message == "MAIL: connection lost"


@pytest.mark.parametrize(
    ("exc", "words"),
    [
        (OSError(errno.EHOSTUNREACH, "whatever"), "No route to host"),
        (caused_by(OSError(errno.ECONNREFUSED, "in many words")), "Connection refused"),
        (caused_by(OSError("name not known")), "name not known"),
        (caused_by(OSError()), "OSError"),
    ],
)
def test_why_there_is_no_connection_is_said_in_the_systems_words(exc, words):
    error = error_from(exc, Phase.CONNECT, SERVER)

    assert error.message == f"{SERVER}: cannot connect: {words}"
    assert (error.phase, error.outcome) == ("CONNECT", Outcome.NOT_SENT)


def test_causes_that_go_in_a_circle_come_to_an_end():
    first, second = OSError("first"), OSError("second")
    first.__cause__, second.__cause__ = second, first

    assert error_from(first, Phase.CONNECT, SERVER).message.endswith("second")


@pytest.mark.parametrize(("phase", "has_hint"), [(Phase.CONNECT, True), (Phase.EHLO, False)])
def test_a_port_that_says_nothing_may_be_one_for_tls(phase, has_hint):
    error = error_from(aiosmtplib.SMTPTimeoutError("late"), phase, SERVER)

    assert ("tls='implicit'" in error.message) is has_hint
    assert error.outcome is Outcome.NOT_SENT
