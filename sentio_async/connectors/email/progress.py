"""What is known of each recipient while a message is being delivered; does no I/O."""

from __future__ import annotations

from collections.abc import Iterable

from sentio_async import errors
from sentio_async.connectors.email.replies import Meaning, Phase, Reply, error_for, meaning_of
from sentio_async.errors import Outcome
from sentio_async.models.notices import Delivery, RecipientResult

__all__ = ["Progress"]


class Progress:
    """Recipient by recipient: accepted, refused, to be tried again, or in doubt.

    ``pending`` are the ones the next transaction is for.
    """

    def __init__(self, recipients: Iterable[str]) -> None:
        self._results: dict[str, RecipientResult | None] = dict.fromkeys(recipients)
        self.pending: tuple[str, ...] = tuple(self._results)
        self._doubted: set[str] = set()
        self._reasons: dict[str, errors.ConnectorError] = {}

    def accept(self, recipients: Iterable[str], reply: Reply) -> None:
        """The server has taken the message for these."""
        for recipient in recipients:
            self._settle(recipient, Delivery.ACCEPTED, reply)

    def refuse(self, recipients: Iterable[str], reply: Reply, phase: Phase) -> None:
        """The server said no: for good, or for now."""
        meaning = meaning_of(reply, phase)
        is_final = meaning in (Meaning.PERMANENT_RECIPIENT, Meaning.PERMANENT_MESSAGE)
        reason = error_for(reply, phase)
        for recipient in recipients:
            self._reasons[recipient] = reason
            if recipient in self._doubted:
                # The earlier message may have arrived; that this one did not changes nothing.
                if is_final:
                    self._drop(recipient)
            elif is_final:
                self._settle(recipient, Delivery.REFUSED, reply)
            else:
                self._note(recipient, Delivery.DEFERRED, reply)

    def doubt(self, recipients: Iterable[str], reason: str) -> None:
        """The message was handed over for these, and no answer came."""
        for recipient in recipients:
            self._doubted.add(recipient)
            self._results[recipient] = RecipientResult(
                recipient=recipient, delivery=Delivery.UNKNOWN, reason=reason
            )

    def _settle(self, recipient: str, delivery: Delivery, reply: Reply) -> None:
        self._note(recipient, delivery, reply)
        self._drop(recipient)

    def _note(self, recipient: str, delivery: Delivery, reply: Reply) -> None:
        self._results[recipient] = RecipientResult(
            recipient=recipient, delivery=delivery, code=reply.label, reason=reply.words or None
        )

    def _drop(self, recipient: str) -> None:
        self.pending = tuple(other for other in self.pending if other != recipient)

    def check(self) -> None:
        """Raise what stands in the way of the recipients who are left, or of all of them."""
        reasons = [self._reasons[name] for name in self.pending if name in self._reasons]
        if not reasons and not self.may_have_arrived:
            reasons = list(self._reasons.values())
        if reasons:
            # A wait that was asked for is the most telling.
            raise max(reasons, key=lambda error: getattr(error, "retry_after", None) or 0.0)

    @property
    def may_have_arrived(self) -> bool:
        """Somebody has got the message, or may have."""
        good = (Delivery.ACCEPTED, Delivery.UNKNOWN)
        return any(r is not None and r.delivery in good for r in self._results.values())

    def results(self, error: errors.ConnectorError | None = None) -> tuple[RecipientResult, ...]:
        """What is known of everybody; ``error`` ended the last try."""
        return tuple(r or _untried(name, error) for name, r in self._results.items())


def _untried(recipient: str, error: errors.ConnectorError | None) -> RecipientResult:
    is_final = error is not None and error.outcome is Outcome.REFUSED
    return RecipientResult(
        recipient=recipient,
        delivery=Delivery.REFUSED if is_final else Delivery.DEFERRED,
        code=str(getattr(error, "code", None) or "") or None,
        reason=error.message if error is not None else None,
    )
