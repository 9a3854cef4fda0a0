"""What the venues of one embedded exchange share: accounts' keys, and everything they saw.

One asyncio loop touches it, so nothing here is locked.
"""

import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sentio_async.sim.settings import MailSettings, SinkSettings
from sentio_async.sim.streams import Streams

if TYPE_CHECKING:
    from sentio_async.sim.clock import SimClock
    from sentio_async.sim.faults import FaultScript
    from sentio_async.sim.limits import Limits
    from sentio_async.sim.market import Market
    from sentio_async.sim.matching import Engine

T = TypeVar("T")

# A long chaos run makes hundreds of thousands of requests; a test reads the last few.
SEEN: Final = 10_000
START_CASH: Final = Decimal(100_000)

_SECRET = re.compile(r"secret|token|passw|authorization|cookie|api[-_]?key|signing", re.IGNORECASE)
HIDDEN: Final = "***"


def without_secrets(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Header or query values by lower-case name, with `***` for any that may be a secret."""
    return {name.lower(): HIDDEN if _SECRET.search(name) else value for name, value in pairs}


@dataclass(frozen=True, slots=True)
class Credential:
    """One key pair a venue accepts; `account` is its account number in the engine's ledger."""

    vendor: str
    key: str
    secret: str = field(repr=False)
    account: str = ""


@dataclass(slots=True)
class Seen:
    """One request as a venue saw it, noted when it arrives.

    `status` is None until an answer is sent, and stays None when none was sent whole.
    """

    venue: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    at: datetime
    status: int | None = None
    fault: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The same row for the control port."""
        return {
            "venue": self.venue,
            "method": self.method,
            "path": self.path,
            "query": dict(self.query),
            "headers": dict(self.headers),
            "at": self.at.isoformat(),
            "status": self.status,
            "fault": self.fault,
        }


@dataclass(frozen=True, slots=True)
class Mail:
    """One message the SMTP venue accepted, with the envelope it came in."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage
    raw: bytes = field(repr=False)
    at: datetime
    username: str | None = None
    encrypted: bool = False

    def as_json(self) -> dict[str, Any]:
        """Envelope, headers and the text part, for the control port."""
        body = self.message.get_body(("plain", "html"))
        return {
            "sender": self.sender,
            "recipients": list(self.recipients),
            "subject": str(self.message.get("Subject", "")),
            "message_id": str(self.message.get("Message-ID", "")),
            "headers": [[name, str(value)] for name, value in self.message.items()],
            "text": body.get_content() if body is not None else "",
            "at": self.at.isoformat(),
            "username": self.username,
            "encrypted": self.encrypted,
        }


@dataclass(frozen=True, slots=True)
class Hook:
    """One POST the webhook sink took; `verified` is None when it carried no signature.

    `headers` are whole, by lower-case name; the control port shows them without secrets.
    """

    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes
    json: Any
    at: datetime
    status: int
    verified: bool | None

    def as_json(self) -> dict[str, Any]:
        """The same row for the control port; a body that is not UTF-8 shows its damage."""
        return {
            "path": self.path,
            "headers": without_secrets(self.headers.items()),
            "body": self.body.decode("utf-8", "replace"),
            "json": self.json,
            "at": self.at.isoformat(),
            "status": self.status,
            "verified": self.verified,
        }


@dataclass(slots=True)
class State:
    """Everything the venues of one exchange share.

    `keys` holds each vendor's credentials: `state.credential("alpaca", key)`. `plans` says what
    they may see: `basic` (free), for polygon also `delayed`; everything in real time if absent.
    """

    clock: "SimClock"
    market: "Market"
    engine: "Engine"
    limits: "Limits"
    faults: "FaultScript"
    keys: dict[tuple[str, str], Credential] = field(default_factory=dict)
    inbox: list[Mail] = field(default_factory=list)
    hooks: list[Hook] = field(default_factory=list)
    requests: deque[Seen] = field(default_factory=lambda: deque(maxlen=SEEN))
    mail: MailSettings = field(default_factory=MailSettings)
    sink: SinkSettings = field(default_factory=SinkSettings)
    plans: dict[str, str] = field(default_factory=dict)
    streams: Streams = field(default_factory=Streams)

    def credential(self, vendor: str, key: str | None) -> Credential | None:
        """Whose key this is, or None when that vendor does not know it."""
        return self.keys.get((vendor, key)) if key else None

    def add_credential(self, credential: Credential) -> None:
        """Let a vendor accept one more key; an existing key is replaced."""
        self.keys[credential.vendor, credential.key] = credential


def keep(rows: list[T], row: T) -> None:
    """Append, and forget the oldest beyond what a test could want to read."""
    rows.append(row)
    if len(rows) > SEEN:
        del rows[: len(rows) - SEEN]
