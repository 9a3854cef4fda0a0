"""What is told to people, and what became of telling them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from pydantic import Field

from sentio_async.models.value import Amount, Value
from sentio_async.models.words import OrderSide

__all__ = ["Attachment", "Delivery", "NoticePriority", "Receipt", "RecipientResult", "TradeNotice"]


class NoticePriority(StrEnum):
    """How urgent a message is."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    CRITICAL = "critical"


class Attachment(Value):
    """A file that goes with a message; with ``content_id`` it is an inline image."""

    filename: str
    content: bytes = Field(repr=False)
    content_type: str = "application/octet-stream"
    content_id: str | None = None


class TradeNotice(Value):
    """A trade, told to a person."""

    symbol: str
    side: OrderSide
    qty: Amount
    price: Amount | None = None
    order_id: str | None = None
    status: str | None = None
    strategy: str | None = None
    profit_loss: Amount | None = None
    at: datetime | None = None
    details: Mapping[str, Any] = Field(default_factory=dict)

    @property
    def total(self) -> Decimal | None:
        """Price times quantity."""
        return None if self.price is None else self.price * self.qty


class Delivery(StrEnum):
    """What is known of a message for one recipient."""

    ACCEPTED = "accepted"
    """The other side took it and gave proof, such as an id."""
    ACCEPTED_WITHOUT_PROOF = "accepted_without_proof"
    """The other side said yes and nothing more."""
    REFUSED = "refused"
    """It will never be taken: the message or the recipient is wrong."""
    DEFERRED = "deferred"
    """Not taken now; trying later may help."""
    UNKNOWN = "unknown"
    """It may have arrived."""


class RecipientResult(Value):
    """What became of a message for one recipient."""

    recipient: str
    delivery: Delivery
    code: str | None = None
    """The other side's own code, such as ``550 5.1.1``."""
    reason: str | None = None
    message_id: str | None = None
    """The other side's own id of the message, where it gives one."""


class Receipt(Value):
    """Proof of a message, recipient by recipient."""

    id: str
    """Stays the same over retries: a Message-ID, a webhook-id."""
    connector: str
    results: tuple[RecipientResult, ...]
    sent_at: datetime
    attempts: int = 1

    @property
    def is_delivered(self) -> bool:
        """Every recipient's side has accepted the message."""
        accepted = (Delivery.ACCEPTED, Delivery.ACCEPTED_WITHOUT_PROOF)
        return bool(self.results) and all(r.delivery in accepted for r in self.results)

    @property
    def failed(self) -> tuple[RecipientResult, ...]:
        """The recipients who did not, or may not, get it."""
        accepted = (Delivery.ACCEPTED, Delivery.ACCEPTED_WITHOUT_PROOF)
        return tuple(r for r in self.results if r.delivery not in accepted)
