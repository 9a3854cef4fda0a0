"""How the notification venues behave; all of it may change while the exchange runs."""

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal


@dataclass(slots=True)
class MailSettings:
    """How the mail server behaves; `security` and `tls` are read when a connection comes in.

    `refuse` maps a recipient to the whole reply, such as `550 5.1.1 no such mailbox`; `*` stands
    for everybody not named. `tokens` are the XOAUTH2 access tokens accepted for any known user.
    """

    security: Literal["none", "starttls", "implicit"] = "none"
    tls: ssl.SSLContext | None = None
    auth_required: bool = False
    size_limit: int = 10 * 1024 * 1024
    refuse: dict[str, str] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        if self.security != "none" and self.tls is None:
            raise ValueError(f"security {self.security!r}: needs tls, an ssl.SSLContext")


@dataclass(slots=True)
class SinkSettings:
    """How the webhook sink answers.

    `body` None means what a well-meaning receiver says: `ok` under `/hook/slack`, else nothing.
    Timestamps are held against the computer's own clock, as the sender's are.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    secrets: list[str] = field(default_factory=list)
    bearer: str | None = None
    require_signature: bool = False
    tolerance: float | None = 300.0
    now: Callable[[], float] = time.time
