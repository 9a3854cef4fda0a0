"""What goes with each try of a webhook: its id, the time, signatures, the operator's headers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from sentio_async.clock import Clock
from sentio_async.connectors.webhook.wire import signature_headers
from sentio_async.http.auth import SecretHeaders
from sentio_async.http.endpoint import Call

__all__ = ["Proof"]


class Proof:
    """Signs every try afresh, under the id that all tries of a message share."""

    def __init__(
        self,
        clock: Clock,
        *,
        secrets: Sequence[SecretStr] = (),
        headers: Mapping[str, SecretStr] | None = None,
        bearer: SecretStr | None = None,
    ) -> None:
        self._clock = clock
        self._secrets = tuple(secrets)
        self._headers = {name.lower(): value for name, value in (headers or {}).items()}
        if bearer is not None:
            self._headers["authorization"] = SecretStr(f"Bearer {bearer.get_secret_value()}")
        self._tries: Counter[str] = Counter()

    def sign(self, call: Call[Any]) -> Mapping[str, str]:
        """Id, time of this try and signatures of exactly the bytes that are sent."""
        id = call.key or ""
        self._tries[id] += 1
        shown = SecretHeaders((n, v.get_secret_value()) for n, v in self._headers.items())
        now = int(self._clock.utcnow().timestamp())
        shown.update(signature_headers(self._secrets, id, now, call.body or b""))
        shown["idempotency-key"] = id
        return shown

    async def refresh(self) -> bool:
        """There is nothing to refresh."""
        return False

    def tries_of(self, id: str) -> int:
        """How often a message was tried; asked once, when it is over."""
        return max(1, self._tries.pop(id, 1))
