"""Sessions to the URLs that messages bring along: other people's, so guarded, and not for long."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from sentio_async import errors
from sentio_async.connectors.webhook.config import WebhookConfig, parts_to_hide
from sentio_async.connectors.webhook.proof import Proof
from sentio_async.connectors.webhook.wire import split_url
from sentio_async.http.client import Resources
from sentio_async.http.guard import GuardedBackend, Guardrail, Resolve, resolve
from sentio_async.http.redaction import redactor
from sentio_async.http.session import Session
from sentio_async.resilience.limiter import Limiters

__all__ = ["Recipients"]

MOST = 256
"""How many URLs are remembered; each costs a breaker and a limiter."""
MOST_HIDDEN = 32
"""How many URLs are kept out of logs after their use, the last ones."""


class Recipients:
    """One session for each URL, none of which can reach this machine or its network.

    Many strangers are at one host, such as hooks.slack.com: what one of them answers must not
    keep messages from the others.
    """

    def __init__(
        self, config: WebhookConfig, resources: Resources, *, resolve: Resolve = resolve
    ) -> None:
        self._config = config
        rail = Guardrail.of(ports=config.allowed_ports, allowed=config.allowed_hosts)
        self._resources = Resources(
            backend=GuardedBackend(rail, resolve=resolve),
            listeners=resources.listeners,
            clock=resources.clock,
        )
        self._sessions: OrderedDict[SecretStr, tuple[Session, Proof]] = OrderedDict()
        self._hidden: deque[list[SecretStr]] = deque()

    def session_to(self, url: str) -> tuple[Session, Proof]:
        """The session to the URL."""
        key = SecretStr(url)
        if key not in self._sessions:
            self._sessions[key] = self._new_session(url)
            self._forget_some()
        self._sessions.move_to_end(key)
        return self._sessions[key]

    def _new_session(self, url: str) -> tuple[Session, Proof]:
        # Neither the operator's headers nor its signature: whoever gets a signed message could
        # play it back to the operator's own receiver.
        proof = Proof(self._resources.clock)
        try:
            session = Session(
                self._config,
                split_url(url)[0],
                auth=proof,
                resources=self._resources,
                credential=url,
            )
        except ValueError as exc:
            raise errors.InvalidRequestError(f"url: {exc}") from None
        return session, proof

    @contextmanager
    def hiding(self, url: str) -> Iterator[None]:
        """Keeps the URL out of logs and errors, meanwhile and for some time after."""
        texts = [SecretStr(text) for text in (url, *parts_to_hide(url))]
        redactor.add(_plain(texts))
        try:
            yield
        finally:
            self._hidden.append(texts)
            if len(self._hidden) > MOST_HIDDEN:
                redactor.remove(_plain(self._hidden.popleft()))

    def _forget_some(self) -> None:
        while len(self._sessions) > MOST:
            _, (session, _) = self._sessions.popitem(last=False)
            mine = set(session.breakers.values())
            known = self._resources.breakers
            for key in [key for key, breaker in known.items() if breaker in mine]:
                del known[key]
            # Sessions keep the ones they have.
            self._resources.limiters = Limiters()

    async def close(self) -> None:
        """Close every connection."""
        await self._resources.close()
        while self._hidden:
            redactor.remove(_plain(self._hidden.popleft()))


def _plain(secrets: list[SecretStr]) -> list[str]:
    return [each.get_secret_value() for each in secrets]
