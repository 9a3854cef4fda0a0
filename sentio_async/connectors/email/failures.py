"""What aiosmtplib raises, in our own words; nothing else here turns its exceptions into ours."""

from __future__ import annotations

import os
import ssl
from typing import Any

import aiosmtplib

from sentio_async import errors
from sentio_async.connectors.email.replies import Phase, Reply, error_for
from sentio_async.errors import Outcome
from sentio_async.http.redaction import redactor

__all__ = ["clean_reply", "error_from", "gone"]


def clean_reply(code: int, text: str) -> Reply:
    """The reply without any secret that the server may have repeated."""
    return Reply(code, redactor.scrub(text))


def gone(phase: Phase) -> errors.ConnectionError:
    """The connection ended before the message was handed over."""
    return errors.ConnectionError(
        f"{phase.value}: connection lost", outcome=Outcome.NOT_SENT, phase=phase.value
    )


def error_from(exc: Exception, phase: Phase, server: str) -> errors.ConnectorError:
    """Our error for a failure before the message was handed over; ``server`` is host and port."""
    if isinstance(exc, aiosmtplib.SMTPResponseException):
        return error_for(clean_reply(exc.code, exc.message), phase)
    for cause in _causes(exc):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return errors.CertificateError(
                f"certificate is not trusted: {cause.verify_message}", phase=phase.value
            )
    known: dict[str, Any] = {"outcome": Outcome.NOT_SENT, "phase": phase.value}
    is_opening = phase in (Phase.CONNECT, Phase.STARTTLS)
    if is_opening and any(isinstance(cause, ssl.SSLError) for cause in _causes(exc)):
        return errors.ConnectionError(
            f"{phase.value}: no TLS with this port; a port for STARTTLS needs tls='starttls'",
            **known,
        )
    if isinstance(exc, TimeoutError):
        hint = "; a port for implicit TLS, such as 465, needs tls='implicit'"
        return errors.ConnectionError(
            f"{phase.value}: no reply within the time allowed"
            + (hint if phase is Phase.CONNECT else ""),
            **known,
        )
    if isinstance(exc, ValueError) and not isinstance(exc, OSError):
        return errors.InvalidRequestError(f"{phase.value}: cannot be sent", phase=phase.value)
    if phase is Phase.CONNECT:
        return errors.ConnectionError(f"{server}: cannot connect: {_words(exc)}", **known)
    return gone(phase)


def _causes(exc: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while exc is not None and exc not in found:
        found.append(exc)
        exc = exc.__cause__ or exc.__context__
    return found


def _words(exc: BaseException) -> str:
    """The system's own reason, which is at the end of the chain."""
    reasons = [cause for cause in _causes(exc) if isinstance(cause, OSError)]
    reason = reasons[-1] if reasons else exc
    number = getattr(reason, "errno", None)
    return os.strerror(number) if number and number > 0 else str(reason) or type(reason).__name__
