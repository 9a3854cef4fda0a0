"""Tells people by e-mail."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import ClassVar, TypedDict, Unpack

from sentio_async import errors
from sentio_async.base import Capability, NotificationConnector
from sentio_async.base.notification import check_options, priority_of
from sentio_async.config import ConnectorConfig
from sentio_async.connectors.email.config import EmailConfig, Resend
from sentio_async.connectors.email.connection import Connection
from sentio_async.connectors.email.connections import Connections
from sentio_async.connectors.email.message import (
    Letter,
    build_message,
    envelope_of,
    flatten,
    message_id_for,
    plain_address,
)
from sentio_async.connectors.email.progress import Progress
from sentio_async.errors import Outcome
from sentio_async.models.health import ConnectorStatus
from sentio_async.models.notices import Attachment, NoticePriority, Receipt
from sentio_async.resilience.breaker import BreakerPolicy, CircuitBreaker
from sentio_async.resilience.budget import RetryBudget
from sentio_async.resilience.bulkhead import Bulkhead
from sentio_async.resilience.limiter import Window
from sentio_async.resilience.pipeline import Pipeline, Work
from sentio_async.resilience.retry import RetryPolicy

__all__ = ["EmailNotifier", "MailOptions"]

_LARGE = 64 * 1024
_NO_LIMIT = (Window(1_000_000, 1.0),)


class MailOptions(TypedDict, total=False):
    """What else one message can be told."""

    cc: Iterable[str]
    bcc: Iterable[str]
    reply_to: str | None
    headers: Mapping[str, str]
    thread_id: str | None
    """The event id that all messages of one incident share, so that clients group them."""
    timeout: float | None
    """For the message as a whole, in seconds."""
    at_least_once: bool | None
    """Send again what may have arrived; None: as ``resend`` in the settings has it."""


class EmailNotifier(NotificationConnector):
    """Sends e-mail through one SMTP server.

    A ``Receipt`` comes back when at least one recipient's server has, or may have, taken the
    message; its ``results`` say who.  When nobody has got it, the error says why.
    """

    vendor: ClassVar[str] = "email"
    Config: ClassVar[type[ConnectorConfig]] = EmailConfig
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.RECIPIENTS, Capability.HTML, Capability.ATTACHMENTS}
    )
    _config: EmailConfig

    def _set_up(self) -> None:
        sender = plain_address(self._config.from_address)
        self._sender = sender.address
        self._domain = self._config.message_id_domain or sender.address.rpartition("@")[2]
        self._connections = Connections(self._config, self._clock)
        self._pipeline = self._new_pipeline()
        self._keeps_connections = False
        self._last_success_at: datetime | None = None
        self._last_error: str | None = None

    def _retry(self, seconds: float) -> RetryPolicy:
        return RetryPolicy(
            attempts=self._config.retry_attempts, first_delay=0.5, max_elapsed=seconds
        )

    def _new_pipeline(self) -> Pipeline:
        config, shared = self._config, self._resources
        user = hashlib.sha256((config.username or "").encode()).hexdigest()[:16]
        key = (self._server, user, "mail")
        breaker = shared.breakers.get(key)
        if breaker is None:
            breaker = shared.breakers[key] = CircuitBreaker(
                BreakerPolicy(failures=config.breaker_failures),
                name=f"{config.label} mail",
                clock=self._clock,
                listeners=shared.listeners,
            )
        return Pipeline(
            retry=self._retry(config.timeouts.total),
            breaker=breaker,
            limiter=shared.limiters.get(
                key,
                config.quota(_NO_LIMIT),
                name=f"{config.label} mail",
                clock=self._clock,
            ),
            bulkhead=Bulkhead(config.max_connections),
            budget=RetryBudget(),
            clock=self._clock,
            listeners=shared.listeners,
        )

    @property
    def _server(self) -> str:
        return f"smtp://{self._config.host}:{self._config.effective_port}"

    # The role takes any option; these are the ones that e-mail knows.
    async def send_notification(  # type: ignore[override]
        self,
        recipient: str | Iterable[str] | None,
        subject: str,
        message: str,
        *,
        priority: NoticePriority | str = NoticePriority.NORMAL,
        html: str | None = None,
        attachments: Iterable[Attachment] = (),
        event_id: str | None = None,
        **more: Unpack[MailOptions],
    ) -> Receipt:
        """Send one message to each recipient; None means the configured ones.

        The Message-ID follows from ``event_id`` and is the same on every try.  ``message`` is the
        text part, ``html`` the same for clients that show it.
        """
        check_options(more, MailOptions)
        thread = more.get("thread_id")
        letter = Letter(
            sender=self._config.from_address,
            to=self._recipients(recipient),
            cc=_addresses(more.get("cc", ())),
            bcc=_addresses(more.get("bcc", ())),
            subject=self._config.subject_prefix + subject,
            text=message,
            html=html or None,
            attachments=tuple(attachments),
            priority=priority_of(priority),
            message_id=message_id_for(event_id or uuid.uuid4().hex, self._domain),
            date=self._clock.utcnow(),
            reply_to=more.get("reply_to") or self._config.reply_to,
            thread_id=message_id_for(thread, self._domain) if thread else None,
            headers=more.get("headers") or {},
        )
        return await self._send(letter, more.get("timeout"), more.get("at_least_once"))

    def _recipients(self, recipient: str | Iterable[str] | None) -> tuple[str, ...]:
        """Who gets it: the ones named, the configured ones, or the sender."""
        if recipient is not None:
            return _addresses(recipient)
        return self._config.recipients or (self._config.from_address,)

    async def _send(
        self, letter: Letter, timeout: float | None, at_least_once: bool | None
    ) -> Receipt:
        progress = Progress(envelope_of(letter))
        data = await _written(letter)
        if len(data) > self._config.max_message_bytes:
            raise errors.InvalidRequestError(
                f"attachments: the message has {len(data)} bytes, and "
                f"{self._config.max_message_bytes} are allowed"
            )
        tries = 0

        async def attempt(expires_at: float) -> None:
            nonlocal tries
            tries += 1
            await self._deliver(data, progress, expires_at)
            progress.check()

        is_repeatable = self._may_resend(letter) if at_least_once is None else at_least_once
        error = await self._run(attempt, "send", timeout, is_repeatable)
        if error is not None and not progress.may_have_arrived:
            raise error
        return Receipt(
            id=letter.message_id,
            connector=self.name,
            results=progress.results(error),
            sent_at=letter.date,
            attempts=max(tries, 1),
        )

    def _may_resend(self, letter: Letter) -> bool:
        match self._config.resend:
            case Resend.ALWAYS:
                return True
            case Resend.CRITICAL:
                return letter.priority is NoticePriority.CRITICAL
        return False

    async def _run(
        self,
        attempt: Callable[[float], Awaitable[None]],
        operation: str,
        timeout: float | None,
        is_repeatable: bool,
        cost: int = 1,
    ) -> errors.ConnectorError | None:
        """Run it through the pipeline; the error that ended it, or None."""
        work = Work(connector=self.name, operation=operation, repeatable=is_repeatable, cost=cost)
        total = self._config.timeouts.total if timeout is None else timeout
        deadline = self._clock.time() + total
        try:
            await self._pipeline.run(attempt, work, deadline=deadline, retry=self._retry(total))
        except errors.ConnectorError as exc:
            self._last_error = f"{type(exc).__name__}: {exc}"
            return exc
        self._last_success_at = self._clock.utcnow()
        return None

    async def _deliver(self, data: bytes, progress: Progress, expires_at: float) -> None:
        """One transaction; a connection that was kept too long is replaced once."""
        connection, is_used = await self._connections.lend(expires_at)
        try:
            try:
                await connection.deliver(self._sender, data, progress, expires_at)
            except errors.ConnectorError as exc:
                if not is_used or not _has_gone_stale(exc):
                    raise
                connection.cut()
                connection = await self._connections.open(expires_at)
                await connection.deliver(self._sender, data, progress, expires_at)
        finally:
            self._release(connection)

    def _release(self, connection: Connection) -> None:
        self._connections.give_back(connection, keep=self._keeps_connections)

    async def connect(self) -> None:
        """Reach the server and log in; after a refused login this tries again at once."""
        self._connections.forgive()
        self._keeps_connections = True
        try:
            await super().connect()
        except BaseException:
            self._keeps_connections = False
            raise

    async def _check(self) -> str | None:
        async def attempt(expires_at: float) -> None:
            connection, is_used = await self._connections.lend(expires_at)
            try:
                if is_used:
                    await connection.ping(expires_at)
            finally:
                self._release(connection)

        timeouts = self._config.timeouts
        limit = min(timeouts.total, timeouts.connect + timeouts.read)
        # A quota is of messages: a check a minute would use up a day's.
        error = await self._run(attempt, "check", limit, is_repeatable=True, cost=0)
        if error is not None:
            raise error
        return None

    async def _close(self) -> None:
        self._keeps_connections = False
        await self._connections.close()

    def get_status(self) -> ConnectorStatus:
        """What is known without asking anybody; costs nothing and never fails."""
        return (
            super()
            .get_status()
            .model_copy(
                update={
                    "breakers": {f"{self._server} mail": self._pipeline.breaker.state.value},
                    "in_flight": self._pipeline.bulkhead.in_use,
                    "last_success_at": self._last_success_at,
                    "last_error": self._last_error,
                }
            )
        )


async def _written(letter: Letter) -> bytes:
    size = sum(len(each.content) for each in letter.attachments)
    if size + len(letter.text) + len(letter.html or "") < _LARGE:
        return flatten(build_message(letter))
    # The library writes 10 MB in a second, and others have something to do.
    return await asyncio.to_thread(lambda: flatten(build_message(letter)))


def _addresses(given: str | Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _has_gone_stale(exc: errors.ConnectorError) -> bool:
    """The server had hung up, or has now, before the message was handed over."""
    if exc.outcome is not Outcome.NOT_SENT:
        return False
    hung_up = isinstance(exc, errors.ConnectionError) and not exc.is_permanent
    return hung_up or getattr(exc, "status_code", None) == 421
