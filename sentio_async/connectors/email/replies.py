"""What an SMTP server's reply means: decided by code, enhanced code and phase; does no I/O.

RFC 5321 (codes), RFC 3463 (enhanced codes), RFC 4954 (AUTH).  Providers reuse permanent codes for
throttles, so their words count where they are known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from sentio_async import errors
from sentio_async.connectors.email.headers import one_line
from sentio_async.errors import Outcome

__all__ = ["Meaning", "Phase", "Reply", "error_for", "meaning_of", "wait_in"]

_ENHANCED = re.compile(r"\s*([245])\.(\d{1,3})\.(\d{1,3})(?!\S)")
_WAIT = re.compile(r"(?i)\b(\d{1,5})\s*(s|sec|second|m|min|minute|h|hour)s?\b")
_UNITS = {"s": 1, "m": 60, "h": 3600}
_GREYLIST = re.compile(r"(?i)gr[ea]y[- ]?list")
_RETRY_WORDS = re.compile(r"(?i)again|retry|wait|later|greylist|deferred")

# Gmail, Amazon SES, Exchange Online: a day's allowance is used up.
_QUOTA_WORDS = re.compile(
    r"(?i)daily (?:user |message |sending )*(?:sending )?(?:limit|quota)|SubmissionQuotaExceeded"
)
_THROTTLE_WORDS = re.compile(
    r"(?i)throttl|maximum sending rate|thread limit|too many (?:login|connection|concurrent)"
    r"|rate limit|too fast"
)


class Phase(StrEnum):
    """What the server was asked when it replied."""

    CONNECT = "CONNECT"
    """Its greeting."""
    EHLO = "EHLO"
    STARTTLS = "STARTTLS"
    AUTH = "AUTH"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    """May the message come?"""
    DOT = "DOT"
    """The message has been handed over, to its last byte."""
    NOOP = "NOOP"


class Meaning(Enum):
    """What a reply says about the message, its recipients or the connection."""

    ACCEPTED = "accepted"
    TRANSIENT_RECIPIENT = "transient_recipient"
    """Not this recipient now: try this one again, alone."""
    TRANSIENT_CONNECTION = "transient_connection"
    """Nothing now: try again on a new connection."""
    THROTTLED = "throttled"
    """Too much at once: wait, then try again."""
    QUOTA_EXHAUSTED = "quota_exhausted"
    """Too much today: trying again within minutes cannot help."""
    PERMANENT_RECIPIENT = "permanent_recipient"
    PERMANENT_MESSAGE = "permanent_message"
    BAD_CREDENTIALS = "bad_credentials"
    POLICY = "policy"
    """The server does not serve us in this way."""
    GARBLED = "garbled"
    """This is not SMTP."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's reply."""

    code: int
    text: str = ""

    @property
    def enhanced(self) -> tuple[int, int, int] | None:
        """The RFC 3463 code at the start of the text."""
        found = _ENHANCED.match(self.text)
        return (int(found[1]), int(found[2]), int(found[3])) if found else None

    @property
    def label(self) -> str:
        """``550 5.1.1``, or the code alone."""
        enhanced = self.enhanced
        return f"{self.code} {'.'.join(map(str, enhanced))}" if enhanced else str(self.code)

    @property
    def words(self) -> str:
        """The text in one line, at most 300 characters, without control characters."""
        return one_line(self.text)[:300]


def meaning_of(reply: Reply, phase: Phase) -> Meaning:
    """What the reply means in this phase."""
    if not 200 <= reply.code <= 599:
        return Meaning.GARBLED
    if reply.code < 400:
        return Meaning.ACCEPTED if _is_expected(reply.code, phase) else Meaning.GARBLED
    if _is_greylist(reply, phase):
        return Meaning.TRANSIENT_RECIPIENT
    if throttle := _throttle_in(reply, phase):
        return throttle
    if phase is Phase.AUTH:
        return _at_login(reply)
    if reply.code < 500:
        return _transient(reply, phase)
    return _permanent(reply, phase)


def _is_expected(code: int, phase: Phase) -> bool:
    match phase:
        case Phase.DATA:
            return code == 354
        case Phase.AUTH:
            return code == 235
        case Phase.CONNECT | Phase.STARTTLS:
            return code == 220
    return 250 <= code < 260


def _is_greylist(reply: Reply, phase: Phase) -> bool:
    """These recipients alone are put off, some servers say so after the message only."""
    is_theirs = phase in (Phase.RCPT, Phase.DATA, Phase.DOT) and reply.code in (450, 451, 452)
    return is_theirs and _GREYLIST.search(reply.text) is not None


def _throttle_in(reply: Reply, phase: Phase) -> Meaning | None:
    """The throttles and quotas, which come under codes of every class."""
    enhanced = reply.enhanced
    if enhanced == (5, 4, 5) or _QUOTA_WORDS.search(reply.text):
        return Meaning.QUOTA_EXHAUSTED
    if _THROTTLE_WORDS.search(reply.text) or reply.code == 432:
        return Meaning.THROTTLED
    if reply.code == 454 and phase is not Phase.STARTTLS:
        return Meaning.THROTTLED
    if reply.code == 421 and enhanced is not None and enhanced[1] == 7:
        return Meaning.THROTTLED
    # At RCPT it is a greylist's word, for that recipient alone.
    if reply.code in (450, 451) and enhanced == (4, 7, 1) and phase is not Phase.RCPT:
        return Meaning.THROTTLED
    return None


def _at_login(reply: Reply) -> Meaning:
    if reply.code < 500:
        return Meaning.TRANSIENT_CONNECTION
    # Exchange Online: "5.7.30 Basic authentication is not supported".
    if reply.code in (534, 535) and reply.enhanced != (5, 7, 30):
        return Meaning.BAD_CREDENTIALS
    return Meaning.POLICY


def _transient(reply: Reply, phase: Phase) -> Meaning:
    if reply.code == 421:
        return Meaning.TRANSIENT_CONNECTION
    if phase is Phase.RCPT:
        return Meaning.TRANSIENT_RECIPIENT
    enhanced = reply.enhanced
    if phase in (Phase.DATA, Phase.DOT) and enhanced is not None and enhanced[1] in (1, 2):
        return Meaning.TRANSIENT_RECIPIENT
    return Meaning.TRANSIENT_CONNECTION


def _permanent(reply: Reply, phase: Phase) -> Meaning:
    if phase in (Phase.CONNECT, Phase.EHLO, Phase.STARTTLS, Phase.NOOP):
        return Meaning.POLICY
    # 530: a login is needed first; 538: not without encryption.
    if reply.code in (530, 538):
        return Meaning.POLICY
    enhanced = reply.enhanced
    if phase is Phase.RCPT:
        # RFC 5321 4.5.3.1.10: a bare 552 here is an old server's "too many recipients".
        if reply.code == 552 and enhanced is None:
            return Meaning.TRANSIENT_RECIPIENT
        return Meaning.PERMANENT_RECIPIENT
    if phase is Phase.MAIL:
        is_policy = enhanced is not None and enhanced[1] == 7
        return Meaning.POLICY if is_policy else Meaning.PERMANENT_MESSAGE
    # X.1.7 and X.1.8 are about the sender's address.
    about_recipient = enhanced is not None and (
        enhanced[1] in (2, 4) or (enhanced[1] == 1 and enhanced[2] not in (7, 8))
    )
    return Meaning.PERMANENT_RECIPIENT if about_recipient else Meaning.PERMANENT_MESSAGE


def wait_in(text: str) -> float | None:
    """The wait a server asks for in words: ``greylisted, try again in 300 seconds``."""
    if not _RETRY_WORDS.search(text):
        return None
    found = _WAIT.search(text)
    return float(int(found[1]) * _UNITS[found[2][0].lower()]) if found else None


def error_for(reply: Reply, phase: Phase) -> errors.ConnectorError:
    """The error that a refusal is; its outcome says that nobody was given the message."""
    meaning = meaning_of(reply, phase)
    text = f"{phase.value}: {reply.label} {_without_code(reply)}".rstrip()
    if meaning is Meaning.GARBLED:
        outcome = Outcome.UNKNOWN if phase is Phase.DOT else Outcome.NOT_SENT
        return errors.DecodeError(
            f"{phase.value}: reply is not SMTP: {reply.words[:80]!r}",
            outcome=outcome,
            phase=phase.value,
        )
    known: dict[str, Any] = {"status_code": reply.code, "code": reply.label, "phase": phase.value}
    match meaning:
        case Meaning.THROTTLED:
            return errors.RateLimitError(
                text,
                retry_after=wait_in(reply.text),
                scope="mail server",
                outcome=Outcome.NOT_SENT,
                **known,
            )
        case Meaning.QUOTA_EXHAUSTED:
            exhausted = errors.RateLimitError(text, scope="mail quota", **known)
            exhausted.is_permanent = True
            return exhausted
        case Meaning.BAD_CREDENTIALS:
            return errors.AuthenticationError(text, **known)
        case Meaning.POLICY:
            return errors.PermissionError(text, **known)
        case Meaning.PERMANENT_MESSAGE | Meaning.PERMANENT_RECIPIENT:
            return errors.BadRequestError(text, **known)
    wait = wait_in(reply.text)
    if wait is not None and meaning is not Meaning.TRANSIENT_RECIPIENT:
        return errors.RateLimitError(
            text, retry_after=wait, scope="mail server", outcome=Outcome.NOT_SENT, **known
        )
    # Not a rate limit: that would hold up everybody else's messages too.
    return errors.ServerError(text, retry_after=wait, outcome=Outcome.NOT_SENT, **known)


def _without_code(reply: Reply) -> str:
    found = _ENHANCED.match(reply.words)
    return reply.words[found.end() :].strip() if found else reply.words
