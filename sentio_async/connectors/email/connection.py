"""One SMTP connection: one conversation at a time, dropped as soon as anything is unclear.

aiosmtplib speaks the protocol.  Its commands are given one by one, so that it is known how far a
message got; after a cancelled or timed-out command it would take the next reply for the last
one's, so the connection is then cut.  Cut, not closed: closing would still send what waits.
"""

from __future__ import annotations

import asyncio
import base64
import re
import socket
import ssl
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

import aiosmtplib

from sentio_async import errors
from sentio_async.clock import Clock
from sentio_async.connectors.email.config import EmailConfig, LoginMethod, Tls
from sentio_async.connectors.email.failures import clean_reply, error_from, gone
from sentio_async.connectors.email.progress import Progress
from sentio_async.connectors.email.replies import Meaning, Phase, Reply, error_for, meaning_of
from sentio_async.errors import Outcome

__all__ = ["Connection", "Hidden"]

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")

_SLOWEST_LINE = 50_000
"""Bytes a second at which a message is sent, when the wait for its acceptance is reckoned."""


class Hidden(bytes):
    """Bytes that do not show themselves in a repr, so that no traceback does either."""

    def __repr__(self) -> str:
        return "<hidden>"


class _Client(aiosmtplib.SMTP):
    """Cuts where aiosmtplib closes: closing still sends what waits, and TLS waits for a goodbye."""

    def close(self) -> None:
        if self.transport is not None:
            self.transport.abort()  # type: ignore[attr-defined]
        super().close()


class Connection:
    """A connection to the configured server, with the login done."""

    def __init__(self, config: EmailConfig, tls: ssl.SSLContext | None, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._needs_reset = False
        self.messages = 0
        self.used_at = clock.time()
        self._smtp = _Client(
            hostname=config.host,
            port=config.effective_port,
            use_tls=config.tls is Tls.IMPLICIT,
            start_tls=False,
            tls_context=tls,
            local_hostname=config.ehlo_name or _own_name(),
        )

    @property
    def is_usable(self) -> bool:
        """Open, not worn out, and not idle for so long that the server will have hung up."""
        idle = self._clock.time() - self.used_at
        return (
            self._smtp.is_connected
            and self.messages < self._config.messages_per_connection
            and idle <= self._config.idle_seconds
        )

    # Opening

    async def open(self, expires_at: float) -> None:
        """Connect, protect, and hear what the server can do."""
        limit = self._limit(self._config.timeouts.connect, expires_at, Phase.CONNECT)
        await self._step(Phase.CONNECT, self._smtp.connect(timeout=None), limit)
        await self._greet(expires_at)
        if self._config.tls is not Tls.STARTTLS:
            return
        if not self._smtp.supports_extension("starttls"):
            self.cut()
            raise errors.PermissionError(
                "server offers no STARTTLS, and nothing is sent without it",
                phase=Phase.STARTTLS.value,
            )
        limit = self._limit(self._config.timeouts.connect, expires_at, Phase.STARTTLS)
        await self._step(Phase.STARTTLS, self._smtp.starttls(timeout=None), limit)
        await self._greet(expires_at)

    async def _greet(self, expires_at: float) -> None:
        limit = self._limit(self._config.timeouts.read, expires_at, Phase.EHLO)
        await self._step(Phase.EHLO, self._smtp.ehlo(timeout=None), limit)

    async def log_in(self, secret: Hidden, expires_at: float) -> None:
        """Prove who sends, in one try; raises AuthenticationError."""
        user = (self._config.username or "").encode()
        match self._method():
            case LoginMethod.XOAUTH2:
                proof = Hidden(b"user=" + user + b"\x01auth=Bearer " + secret + b"\x01\x01")
                reply = await self._authenticate(b"XOAUTH2", _encoded(proof), expires_at)
                if reply.code == 334:
                    # The reason is in this reply; the refusal follows an empty line.
                    reply = await self._ask(Phase.AUTH, b"", expires_at=expires_at)
            case LoginMethod.LOGIN:
                reply = await self._authenticate(b"LOGIN", _encoded(Hidden(user)), expires_at)
                if reply.code == 334:
                    reply = await self._ask(Phase.AUTH, _encoded(secret), expires_at=expires_at)
            case _:
                proof = Hidden(b"\0" + user + b"\0" + secret)
                reply = await self._authenticate(b"PLAIN", _encoded(proof), expires_at)
        if meaning_of(reply, Phase.AUTH) is not Meaning.ACCEPTED:
            self.cut()
            raise error_for(reply, Phase.AUTH)

    def _method(self) -> LoginMethod:
        offered = self._smtp.server_auth_methods
        wanted = self._config.login
        if wanted is LoginMethod.AUTO:
            if self._config.token_provider is not None:
                wanted = LoginMethod.XOAUTH2
            else:
                wanted = LoginMethod.PLAIN if "plain" in offered else LoginMethod.LOGIN
        if wanted.value not in offered:
            self.cut()
            shown = ", ".join(sorted(offered)) or "none"
            raise errors.PermissionError(
                f"server does not offer login by {wanted.value}; it offers {shown}",
                phase=Phase.AUTH.value,
            )
        return wanted

    async def _authenticate(self, method: bytes, proof: Hidden, expires_at: float) -> Reply:
        return await self._ask(Phase.AUTH, b"AUTH", method, proof, expires_at=expires_at)

    # Sending

    async def deliver(
        self, sender: str, data: bytes, progress: Progress, expires_at: float
    ) -> None:
        """One transaction for the pending recipients; what becomes of them is in ``progress``.

        Raises what ends the transaction for all; OutcomeUnknownError when the message may have
        been taken.
        """
        self.messages += 1
        await self._reset(expires_at)
        await self._must(Phase.MAIL, *self._mail(sender, data, progress), expires_at=expires_at)
        self._needs_reset = True
        taken = await self._name_recipients(progress, expires_at)
        if not taken:
            return
        reply = await self._ask(Phase.DATA, b"DATA", expires_at=expires_at)
        if meaning_of(reply, Phase.DATA) is Meaning.ACCEPTED:
            reply = await self._hand_over(data, taken, progress, expires_at)
            phase = Phase.DOT
        else:
            phase = Phase.DATA
        self._conclude(reply, phase, taken, progress)

    def _mail(self, sender: str, data: bytes, progress: Progress) -> list[bytes]:
        words = [b"MAIL", b"FROM:<" + sender.encode() + b">"]
        if self._smtp.supports_extension("size"):
            words.append(b"SIZE=%d" % len(data))
        if not all(address.isascii() for address in (sender, *progress.pending)):
            if not self._smtp.supports_extension("smtputf8"):
                raise errors.InvalidRequestError(
                    "recipient: this server takes ASCII addresses only", phase=Phase.MAIL.value
                )
            words.append(b"SMTPUTF8")
        return words

    async def _name_recipients(self, progress: Progress, expires_at: float) -> list[str]:
        taken = []
        for recipient in progress.pending:
            word = b"TO:<" + recipient.encode() + b">"
            reply = await self._ask(Phase.RCPT, b"RCPT", word, expires_at=expires_at)
            match meaning_of(reply, Phase.RCPT):
                case Meaning.ACCEPTED:
                    taken.append(recipient)
                case Meaning.PERMANENT_RECIPIENT | Meaning.TRANSIENT_RECIPIENT:
                    progress.refuse((recipient,), reply, Phase.RCPT)
                case Meaning.THROTTLED if reply.code != 421:
                    # Enough for this message; the ones before it are not held back.
                    progress.refuse((recipient,), reply, Phase.RCPT)
                case _:
                    raise self._ended(error_for(reply, Phase.RCPT))
        return taken

    async def _hand_over(
        self, data: bytes, taken: Sequence[str], progress: Progress, expires_at: float
    ) -> Reply:
        """Write the message and wait for the answer; without one, nobody knows."""
        protocol = self._smtp.protocol
        if protocol is None or protocol.transport is None:
            raise self._ended(gone(Phase.DATA))
        limit = self._limit(
            self._config.final_reply_timeout + len(data) / _SLOWEST_LINE, expires_at, Phase.DATA
        )
        transport = protocol.transport
        cause: Exception | None = None
        try:
            protocol.write(_dotted(data))
            response = await protocol.read_response(timeout=limit)
            is_whole = not _unsent(transport)
            if 400 <= response.code <= 599 or (200 <= response.code < 400 and is_whole):
                return self._final_reply(response, is_whole=is_whole)
            reason = f"reply to the message {'is not SMTP' if is_whole else 'came before its end'}"
        except aiosmtplib.SMTPTimeoutError as exc:
            reason, cause = "no reply to the message within the time allowed", exc
            # Its end has not left this process, so the server cannot have accepted it.
            if _unsent(transport):
                raise self._ended(_unfinished()) from exc
        except aiosmtplib.SMTPResponseException as exc:
            reason, cause = "reply to the message is not SMTP", exc
        except (aiosmtplib.SMTPException, OSError) as exc:
            reason, cause = "connection lost before the reply to the message", exc
        except BaseException:
            progress.doubt(taken, "given up before the reply to the message")
            self.cut()
            raise
        progress.doubt(taken, reason)
        raise self._ended(errors.OutcomeUnknownError(reason, phase=Phase.DOT.value)) from cause

    def _final_reply(self, response: aiosmtplib.SMTPResponse, *, is_whole: bool) -> Reply:
        self.used_at = self._clock.time()
        if self._has_more or not is_whole:
            self.cut()
        return clean_reply(response.code, response.message)

    def _conclude(
        self, reply: Reply, phase: Phase, taken: Sequence[str], progress: Progress
    ) -> None:
        match meaning_of(reply, phase):
            case Meaning.ACCEPTED:
                self._needs_reset = False
                progress.accept(taken, reply)
            case (
                Meaning.PERMANENT_RECIPIENT
                | Meaning.PERMANENT_MESSAGE
                | Meaning.TRANSIENT_RECIPIENT
            ):
                progress.refuse(taken, reply, phase)
            case Meaning.GARBLED if phase is Phase.DOT:
                progress.doubt(taken, "reply to the message is not what SMTP has")
                raise self._ended(error_for(reply, phase))
            case _:
                raise self._ended(error_for(reply, phase))
        if reply.code == 421:
            self.cut()

    async def _reset(self, expires_at: float) -> None:
        """Forget the last message; a connection that cannot is as good as gone."""
        if not self._needs_reset:
            return
        reply = await self._ask(Phase.MAIL, b"RSET", expires_at=expires_at)
        if meaning_of(reply, Phase.MAIL) is not Meaning.ACCEPTED:
            raise self._ended(gone(Phase.MAIL))
        self._needs_reset = False

    async def ping(self, expires_at: float) -> None:
        """Hear that the server is there."""
        await self._must(Phase.NOOP, b"NOOP", expires_at=expires_at)

    # Asking

    async def _must(self, phase: Phase, *words: bytes, expires_at: float) -> None:
        reply = await self._ask(phase, *words, expires_at=expires_at)
        if meaning_of(reply, phase) is not Meaning.ACCEPTED:
            raise self._ended(error_for(reply, phase))

    async def _ask(self, phase: Phase, *words: bytes, expires_at: float) -> Reply:
        limit = self._limit(self._config.timeouts.read, expires_at, phase)
        command = self._smtp.execute_command(*words, timeout=None)
        response = await self._step(phase, command, limit)
        self.used_at = self._clock.time()
        return clean_reply(response.code, response.message)

    async def _step(self, phase: Phase, command: Awaitable[T], limit: float) -> T:
        """The command's result; on any failure the connection is cut, and the error ours."""
        cause: Exception
        try:
            # aiosmtplib limits every wait by itself, and connecting has several; its wait_for also
            # loses a cancel that comes together with the reply, until Python 3.12.
            async with asyncio.timeout(limit):
                result = await command
            if not self._has_more:
                return result
            cause = aiosmtplib.SMTPResponseException(-1, "more than one reply to a command")
        except (aiosmtplib.SMTPException, OSError, ValueError) as exc:
            cause = exc
        except BaseException as exc:
            self.cut()
            # The frames below hold what was sent; at login that is the password.
            exc.__traceback__ = None
            raise
        self.cut()
        error = error_from(cause, phase, f"{self._config.host}:{self._config.effective_port}")
        if phase is Phase.AUTH:
            raise error  # not from its cause, which has those frames
        raise error from cause

    @property
    def _has_more(self) -> bool:
        """More came than was asked for; aiosmtplib would take it for the next reply."""
        return bool(getattr(self._smtp.protocol, "_buffer", b""))

    def _ended(self, error: errors.ConnectorError) -> errors.ConnectorError:
        """The error, after which this connection is not used again."""
        self.cut()
        return error

    def _limit(self, seconds: float, expires_at: float, phase: Phase) -> float:
        left = expires_at - self._clock.time()
        if left <= 0:
            self.cut()
            raise errors.DeadlineExceededError(
                "no time left", outcome=Outcome.NOT_SENT, phase=phase.value
            )
        return min(seconds, left)

    # Closing

    def cut(self) -> None:
        """End the connection now, and send nothing of what waits to be sent."""
        self._smtp.close()

    async def close(self, seconds: float = 1.0) -> None:
        """Say goodbye, briefly."""
        try:
            if self._smtp.is_connected:
                await self._smtp.execute_command(b"QUIT", timeout=seconds)
        except (aiosmtplib.SMTPException, OSError):
            return
        finally:
            self.cut()


def _own_name() -> str:
    """This machine's full name, or its address: asking DNS for the name can take seconds."""
    name = socket.gethostname()
    return name if _NAME.fullmatch(name) else "[127.0.0.1]"


def _unsent(transport: Any) -> int:
    """Bytes that have not left this process; asyncio's TLS does not count the packed ones."""
    below = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None)
    packed: int = below.get_write_buffer_size() if below is not None else 0
    return packed + int(transport.get_write_buffer_size())


def _unfinished() -> errors.ConnectionError:
    return errors.ConnectionError(
        "message was not sent to its end within the time allowed",
        outcome=Outcome.NOT_SENT,
        phase=Phase.DATA.value,
    )


def _encoded(secret: bytes) -> Hidden:
    return Hidden(base64.b64encode(secret))


def _dotted(data: bytes) -> Hidden:
    """The message as DATA wants it: CRLF everywhere, dots doubled, a dot at the end."""
    # Not by expressions: they take a second for 25 MB, and nothing else runs meanwhile.
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    if not lines.endswith(b"\r\n"):
        lines += b"\r\n"
    if lines.startswith(b"."):
        lines = b"." + lines
    return Hidden(lines.replace(b"\r\n.", b"\r\n..") + b".\r\n")
