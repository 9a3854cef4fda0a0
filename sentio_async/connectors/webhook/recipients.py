"""Sessions to the URLs that messages bring along: other people's, so guarded, and not for long."""

from __future__ import annotations

from collections import OrderedDict

from sentio_async import errors
from sentio_async.connectors.webhook.config import WebhookConfig, parts_to_hide
from sentio_async.connectors.webhook.proof import Proof
from sentio_async.http.client import Resources
from sentio_async.http.guard import GuardedBackend, Guardrail, Resolve, resolve
from sentio_async.http.redaction import redactor
from sentio_async.http.session import Session
from sentio_async.resilience.limiter import Limiters

__all__ = ["Recipients"]

MOST = 256
"""How many hosts are remembered; each costs a breaker and a limiter."""


class Recipients:
    """One session for each host, none of which can reach this machine or its network."""

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
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        # Neither the operator's headers nor its signature: whoever gets a signed message could
        # play it back to the operator's own receiver.
        self.proof = Proof(resources.clock)

    def session_to(self, origin: str) -> Session:
        """The session to that scheme, host and port."""
        session = self._sessions.get(origin)
        if session is None:
            try:
                session = Session(
                    self._config,
                    origin,
                    auth=self.proof,
                    resources=self._resources,
                    credential="recipient",
                )
            except ValueError as exc:
                raise errors.InvalidRequestError(f"url: {exc}") from None
            self._sessions[origin] = session
            self._forget_some()
        self._sessions.move_to_end(origin)
        return session

    def _forget_some(self) -> None:
        while len(self._sessions) > MOST:
            origin, _ = self._sessions.popitem(last=False)
            for key in [key for key in self._resources.breakers if key[0] == origin]:
                del self._resources.breakers[key]
            # Sessions keep the ones they have.
            self._resources.limiters = Limiters()

    async def close(self) -> None:
        """Close every connection."""
        await self._resources.close()


class Hiding:
    """Keeps a URL out of logs and errors while a message is on its way to it."""

    def __init__(self, url: str) -> None:
        self._secrets = (url, *parts_to_hide(url))

    def __enter__(self) -> None:
        redactor.add(self._secrets)

    def __exit__(self, *_: object) -> None:
        redactor.remove(self._secrets)
