"""A mail server on loopback: takes mail into `state.inbox`, or refuses it as configured.

aiosmtpd speaks the protocol, in the loop that is running. The fault script applies with venue
`smtp`, the command as method and its argument as path; two commands are ours: `CONNECT` is the
greeting, `DOT` the end of the message, where a lost reply leaves the sender in doubt.
`status` replies `{status} {body}` (421 also hangs up). Kinds that only HTTP can suffer never
strike here.
"""

import asyncio
import base64
import binascii
import contextlib
import email
import email.policy
import functools
import hmac
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session, auth_mechanism

from sentio_async.sim.faults import ACCEPT, DELAYS, Applied, FaultRule
from sentio_async.sim.serving import reset
from sentio_async.sim.state import Mail, State, keep
from sentio_async.sim.venues.mail_faults import AFTER, BEFORE, VENUE, fail, misreply, strike, wait

HOSTNAME: Final = "mail.sentio.test"
Method = Callable[[str | None], Awaitable[None]]


class MailServer:
    """The SMTP venue on one port, from `start()` to `stop()`."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._server: asyncio.Server | None = None
        self.transports: set[asyncio.Transport] = set()
        self.tasks: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int = 0) -> int:
        """Listen; answers the port."""
        settings = self._state.mail
        tls = settings.tls if settings.security == "implicit" else None
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, host, port, ssl=tls)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening and hang up on everybody."""
        if self._server is None:
            return
        self._server.close()
        for transport in list(self.transports):
            transport.abort()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    def watch(self, task: asyncio.Task[None]) -> None:
        """See that this task ends with the server."""
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _protocol(self) -> asyncio.BaseProtocol:
        conversation = Conversation(self._state, self)
        struck = strike(self._state, ACCEPT, "") + strike(self._state, "CONNECT", "")
        return Greeting(struck, conversation, self) if struck else conversation


class Greeting(asyncio.Protocol):
    """A connection whose greeting is late, missing or a refusal."""

    def __init__(self, struck: list[Applied], then: "Conversation", server: MailServer) -> None:
        self._struck = struck
        self._then = then
        self._server = server
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start to misbehave."""
        self._transport = cast("asyncio.Transport", transport)
        self._server.transports.add(self._transport)
        self._task = asyncio.get_running_loop().create_task(self._greet(self._transport))
        self._server.watch(self._task)

    def connection_lost(self, exc: Exception | None) -> None:
        """End with the client, which did not wait."""
        if self._transport is not None:
            self._server.transports.discard(self._transport)
        if self._task is not None:
            self._task.cancel()

    async def _greet(self, transport: asyncio.Transport) -> None:
        await wait(self._struck, "delay")
        await wait(self._struck, "delay_after")
        last = self._struck[-1].rule
        if last.kind in DELAYS:
            for each in self._struck:
                each.is_executed = True
            transport.set_protocol(self._then)
            self._then.connection_made(transport)
            return
        greeting = f"220 {HOSTNAME} ESMTP\r\n".encode()
        if last.kind in AFTER:
            await misreply(last, greeting, transport)
        elif last.kind == "reset_accept":
            reset(transport)
        elif last.kind != "drop_accept":
            await fail(last, transport)
        transport.close()


class Visitor(Session):
    """A session whose old attribute may be set, as aiosmtpd itself does, without a warning."""

    login_data: Any = None


class Postbox:
    """What the mail server does with recipients and messages; aiosmtpd calls it by name."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self,
        server: "Conversation",
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """Accept a recipient, unless the settings refuse it."""
        refuse = self._state.mail.refuse
        refusal = refuse.get(address, refuse.get("*"))
        if refusal is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: "Conversation", session: Session, envelope: Envelope
    ) -> str:
        """Keep the message, or fail as the fault script has it."""
        struck = strike(self._state, "DOT", "")
        await wait(struck, "delay")
        if struck and struck[-1].rule.kind in BEFORE:
            # An empty reply is the conversation's sign that the fault has answered.
            await server.suffer(struck[-1].rule)
            return ""
        self._keep(server, session, envelope)
        server.expect(struck)
        return "250 2.0.0 OK: queued"

    def _keep(self, server: "Conversation", session: Session, envelope: Envelope) -> None:
        raw = cast("bytes", envelope.content)
        login = getattr(session.auth_data, "login", None)
        mail = Mail(
            sender=envelope.mail_from or "",
            recipients=tuple(envelope.rcpt_tos),
            message=email.message_from_bytes(raw, policy=email.policy.default),
            raw=raw,
            at=self._state.clock.now(),
            username=login.decode("utf-8", "replace") if isinstance(login, bytes) else None,
            encrypted=server.is_encrypted,
        )
        keep(self._state.inbox, mail)


class Conversation(SMTP):
    """One SMTP connection, behind the fault script."""

    def __init__(self, state: State, server: MailServer) -> None:
        settings = state.mail
        super().__init__(
            Postbox(state),
            data_size_limit=settings.size_limit,
            enable_SMTPUTF8=True,
            hostname=HOSTNAME,
            ident="ESMTP",
            tls_context=settings.tls if settings.security == "starttls" else None,
            auth_require_tls=settings.security == "starttls",
            authenticator=self._is_known,
            loop=asyncio.get_running_loop(),
        )
        self._state = state
        self._mail_server = server
        self._socket: asyncio.Transport | None = None
        self._struck: list[Applied] = []
        self._held = b""
        self._smtp_methods = {
            name: self._behind_faults(name, method) for name, method in self._smtp_methods.items()
        }

    @property
    def is_encrypted(self) -> bool:
        """Whether the client is on the other end of TLS."""
        transport = self.transport
        if transport is None:
            return False
        return isinstance(transport.get_extra_info("ssl_object"), ssl.SSLObject)

    def _create_session(self) -> Session:
        return Visitor(self.loop)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet; also called by aiosmtpd once STARTTLS has its session."""
        super().connection_made(transport)
        if self._socket is None:
            self._socket = cast("asyncio.Transport", transport)
            self._mail_server.transports.add(self._socket)
            if self._handler_coroutine is not None:
                self._mail_server.watch(self._handler_coroutine)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._socket is not None:
            self._mail_server.transports.discard(self._socket)
        super().connection_lost(exc)

    async def suffer(self, rule: FaultRule) -> None:
        """Do what the rule says in place of the command."""
        if isinstance(self.transport, asyncio.Transport):
            await fail(rule, self.transport)
            await self._end_if_closing()

    def expect(self, struck: list[Applied]) -> None:
        """Let these faults have the next complete reply."""
        self._struck = struck

    async def push(self, status: str | bytes) -> None:
        """Send one reply line, or what the faults make of it."""
        line = status.encode() if isinstance(status, str) else status
        # A challenge is not the reply to AUTH.
        if not self._struck or line.startswith(b"334"):
            if line:
                await super().push(line)
            return
        self._held += line + b"\r\n"
        if line[3:4] == b"-":
            return
        reply, self._held = self._held, b""
        struck, self._struck = self._struck, []
        for each in struck:
            each.is_executed = True
        await self._reply(struck, reply)

    async def _reply(self, struck: list[Applied], reply: bytes) -> None:
        await wait(struck, "delay_after")
        transport = self.transport
        if not isinstance(transport, asyncio.Transport):
            return
        rule = struck[-1].rule
        if rule.kind in DELAYS:
            transport.write(reply)
            return
        await misreply(rule, reply, transport)
        await self._end_if_closing()

    async def _end_if_closing(self) -> None:
        """Wait for the cancellation that follows when the connection is gone."""
        if self.transport is None or self.transport.is_closing():
            await asyncio.get_running_loop().create_future()

    def _behind_faults(self, command: str, method: Method) -> Method:
        @functools.wraps(method)
        async def guarded(argument: str | None) -> None:
            struck = strike(self._state, command, argument or "")
            await wait(struck, "delay")
            if struck and struck[-1].rule.kind in BEFORE:
                await self.suffer(struck[-1].rule)
                return
            self.expect(struck)
            await method(argument)

        return guarded

    async def _handle_client(self) -> None:
        # aiosmtpd lets these out of its task, where nobody would ever hear of them.
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await super()._handle_client()

    async def check_auth_needed(self, caller_method: str) -> bool:
        """Refuse who has not signed in, where the settings ask for it."""
        session = self.session
        if self._state.mail.auth_required and not (session and session.authenticated):
            await self.push("530 5.7.0 Authentication required")
            return True
        return False

    def _is_known(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        found = self._state.credential(VENUE, data.login.decode("utf-8", "replace"))
        if found is None or not hmac.compare_digest(found.secret.encode(), data.password):
            return AuthResult(success=False, handled=False)
        return AuthResult(success=True, auth_data=data)

    @auth_mechanism("XOAUTH2")
    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802
        """Take `user=...^Aauth=Bearer ...^A^A`, as Google and Microsoft document it."""
        given = await self._first_response(args)
        if given is None:
            return AuthResult(success=False, handled=True)
        parts = dict(part.partition(b"=")[::2] for part in given.split(b"\x01") if part)
        user, bearer = parts.get(b"user", b""), parts.get(b"auth", b"")
        kind, _space, token = bearer.partition(b" ")
        is_known = self._state.credential(VENUE, user.decode("utf-8", "replace")) is not None
        accepted = {each.encode() for each in self._state.mail.tokens}
        if is_known and kind.lower() == b"bearer" and token in accepted:
            return AuthResult(success=True, auth_data=LoginPassword(user, token))
        # The reason comes as a challenge; an empty line from the client then ends it.
        await self.challenge_auth(b'{"status":"400","schemes":"Bearer","scope":"mail"}')
        return AuthResult(success=False, handled=False)

    async def _first_response(self, args: list[str]) -> bytes | None:
        if len(args) == 1:
            answer = await self.challenge_auth("")
            return answer if isinstance(answer, bytes) else None
        try:
            return base64.b64decode(args[1], validate=True)
        except binascii.Error:
            await self.push("501 5.5.2 Can't decode base64")
            return None
