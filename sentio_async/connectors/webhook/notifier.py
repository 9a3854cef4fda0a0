"""Tells other programs, and people in chat rooms, by HTTP POST."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar, TypedDict, Unpack

from sentio_async import errors
from sentio_async.base import Capability, NotificationConnector
from sentio_async.base.notification import check_options, priority_of, subject_of, text_of, trade_of
from sentio_async.base.telling import notice_id, tell_each
from sentio_async.config import ConnectorConfig
from sentio_async.connectors.webhook.config import BodyFormat, WebhookConfig
from sentio_async.connectors.webhook.proof import Proof
from sentio_async.connectors.webhook.recipients import Recipients
from sentio_async.connectors.webhook.wire import (
    aimed_at,
    knock,
    longest_text,
    notice_body,
    post_notice,
    post_to_slack,
    slack_body,
    split_url,
    trade_body,
)
from sentio_async.http.session import Session
from sentio_async.http.wire_json import Json
from sentio_async.models.notices import (
    Attachment,
    NoticePriority,
    Receipt,
    RecipientResult,
    TradeNotice,
)
from sentio_async.resilience.limiter import Window

__all__ = ["HookOptions", "WebhookNotifier"]

# Slack takes one message a second for a channel, and short bursts.
_SLACK_LIMIT = {"default": (Window(60, 60.0),)}
_MOST_GONE = 1000


class HookOptions(TypedDict, total=False):
    """What else one message can be told."""

    type: str
    """The event's type, ``notification`` if not given."""
    details: Mapping[str, Any]
    """More members for its data."""
    timeout: float | None
    """For the message as a whole, in seconds."""


@dataclass(frozen=True, slots=True)
class _Target:
    session: Session
    proof: Proof
    url: str

    def __repr__(self) -> str:
        return f"<target at {self.session.host}>"

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.url.encode()).hexdigest()


class WebhookNotifier(NotificationConnector):
    """Posts messages to one configured URL and, where allowed, to URLs that messages name.

    Receivers know a message that comes twice by its ``webhook-id``, so it is tried again whenever
    it may not have arrived; Slack's do not, so there it is only when it has not.
    """

    vendor: ClassVar[str] = "webhook"
    Config: ClassVar[type[ConnectorConfig]] = WebhookConfig
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.SIGNATURES})
    _config: WebhookConfig

    def _set_up(self) -> None:
        self._own = self._own_target()
        self._recipients = Recipients(self._config, self._resources)
        self._gone: dict[str, None] = {}

    def _own_target(self) -> _Target | None:
        config = self._config
        if config.webhook_url is None:
            return None
        url = config.webhook_url.get_secret_value()
        proof = Proof(
            self._clock,
            secrets=config.signing_secrets,
            headers=config.headers,
            bearer=config.bearer_token,
        )
        session = self._open_session(
            split_url(url)[0],
            auth=proof,
            buckets=_SLACK_LIMIT if config.format is BodyFormat.SLACK else None,
            credential=url,
        )
        return _Target(session, proof, url)

    # The role takes any option; these are the ones that webhooks know.
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
        **more: Unpack[HookOptions],
    ) -> Receipt:
        """Post one message.

        A recipient that is a URL gets it itself; a name is told to the configured receiver, as
        ``recipients``.  ``html`` is not sent: receivers show the message as they like.
        """
        check_options(more, HookOptions)
        if tuple(attachments):
            self._unsupported(Capability.ATTACHMENTS)
        urls, names = _sorted_out(recipient)
        targets = [self._guarded_target(url) for url in urls]
        if names or not urls:
            targets.append(self._configured_target())
        if self._config.format is BodyFormat.SLACK:
            body = _told_in_a_room(subject, message, targets)
        else:
            body = notice_body(
                more.get("type", "notification"),
                self._clock.utcnow(),
                subject=subject,
                message=message,
                priority=priority_of(priority),
                recipients=names,
                details=dict(more.get("details", {})),
            )
        return await self._post(body, targets, event_id, more.get("timeout"))

    async def send_alert(
        self,
        alert_type: str,
        message: str,
        *,
        priority: NoticePriority | str = NoticePriority.HIGH,
        event_id: str | None = None,
    ) -> Receipt:
        """Post that something needs attention; its type is ``alert``."""
        level = priority_of(priority)
        return await self.send_notification(
            None,
            f"[{level.value}] {alert_type}",
            message,
            priority=level,
            event_id=event_id,
            type="alert",
            details={"alert_type": alert_type},
        )

    async def send_trade_notification(
        self, trade: TradeNotice | Mapping[str, Any], *, event_id: str | None = None
    ) -> Receipt:
        """Post a trade, member by member; its type is ``trade``."""
        notice = trade if isinstance(trade, TradeNotice) else trade_of(trade)
        targets = [self._configured_target()]
        if self._config.format is BodyFormat.SLACK:
            body = _told_in_a_room(subject_of(notice), text_of(notice), targets)
        else:
            body = trade_body(self._clock.utcnow(), notice)
        return await self._post(body, targets, event_id, None)

    def _configured_target(self) -> _Target:
        if self._own is None:
            raise errors.InvalidRequestError(
                "recipient: must be a URL, because no webhook_url is configured"
            )
        return self._own

    def _guarded_target(self, url: str) -> _Target:
        if not self._config.recipient_urls:
            raise errors.InvalidRequestError(
                "recipient: is a URL, and messages may not name any; allow it by recipient_urls"
            )
        return _Target(*self._recipients.session_to(url), url)

    async def _post(
        self, body: Json, targets: list[_Target], event_id: str | None, timeout: float | None
    ) -> Receipt:
        """To each target; raises the first failure if none has taken it."""
        id = notice_id(event_id)
        try:
            results = await tell_each(
                (target.session.host, self._post_to(target, body, id, timeout))
                for target in targets
            )
        finally:
            attempts = max(target.proof.tries_of(id) for target in targets)
        return Receipt(
            id=id,
            connector=self.name,
            results=results,
            sent_at=self._clock.utcnow(),
            attempts=attempts,
        )

    async def _post_to(
        self, target: _Target, body: Json, id: str, timeout: float | None
    ) -> RecipientResult:
        if target.digest in self._gone:
            raise errors.NotFoundError(
                "the receiver has said that it is gone (410); not tried again",
                status_code=410,
                connector=self.name,
            )
        is_slack = self._config.format is BodyFormat.SLACK
        declared = post_to_slack if is_slack else post_notice
        call = aimed_at(declared(body, id), target.url)
        try:
            with self._hiding(target):
                delivery = await target.session.send(call, timeout=timeout)
        except errors.NotFoundError as exc:
            if exc.status_code == 410 and len(self._gone) < _MOST_GONE:
                self._gone[target.digest] = None
            raise
        return RecipientResult(recipient=target.session.host, delivery=delivery)

    def _hiding(self, target: _Target) -> AbstractContextManager[None]:
        """The operator's own URL is hidden as long as this lives."""
        return nullcontext() if target is self._own else self._recipients.hiding(target.url)

    async def connect(self) -> None:
        """See that the receiver's host answers; receivers that were gone are tried again."""
        self._gone.clear()
        await super().connect()

    async def _check(self) -> str | None:
        if self._own is None:
            return None
        if self._own.digest in self._gone:
            return "the receiver has said that it is gone (410)"
        await self._own.session.send(knock(), retry=None)
        return None

    async def _close(self) -> None:
        await self._recipients.close()


def _told_in_a_room(subject: str, message: str, targets: Iterable[_Target]) -> Json:
    """A text that each of the rooms takes."""
    return slack_body(subject, message, most=min(longest_text(each.url) for each in targets))


def _sorted_out(recipient: str | Iterable[str] | None) -> tuple[list[str], list[str]]:
    """URLs, and everything else."""
    if recipient is None:
        return [], []
    each = [recipient] if isinstance(recipient, str) else list(dict.fromkeys(recipient))
    urls = [text for text in each if text.lower().startswith(("http:", "https:"))]
    return urls, [text for text in each if text not in urls]
