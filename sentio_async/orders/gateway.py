"""The gateway: every order once, whatever the network does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.events import Listener
from sentio_async.models.trading import Order, OrderChange, OrderRequest
from sentio_async.orders.journal import Journal, Step
from sentio_async.orders.policy import GatewayPolicy
from sentio_async.orders.rails import Rails
from sentio_async.orders.venue import Venue

__all__ = ["OpenIntent", "OrderGateway", "RecoveryReport"]


@dataclass(frozen=True, slots=True)
class OpenIntent:
    """An intent of which the end is not known yet.  ``since`` is in epoch seconds."""

    id: str
    step: Step
    attempts: int
    since: float
    reason: str


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """What became of the intents that an earlier life left open."""

    placed: tuple[Order, ...] = ()
    not_placed: tuple[str, ...] = ()
    """Ids of orders that never arrived."""
    rejected: tuple[str, ...] = ()
    changed: tuple[Order, ...] = ()
    """Orders known before that were filled, cancelled or expired meanwhile."""


class OrderGateway:
    """Places, cancels and replaces orders at one venue for one account.

    ``clock`` is loop time and wall time; tasks of its own carry every order to its verdict, so a
    caller that leaves changes nothing.
    """

    def __init__(
        self,
        venue: Venue,
        *,
        journal: Journal,
        account: str,
        policy: GatewayPolicy | None = None,
        rails: Rails | None = None,
        clock: Clock = SYSTEM_CLOCK,
        listeners: Sequence[Listener] = (),
        name: str = "",
    ) -> None: ...

    async def start(self) -> RecoveryReport:
        """Find out what became of every open intent; only then are orders accepted.

        Raises OrderOutcomeUnknownError if that cannot be found out (see ``settle``).
        """
        raise NotImplementedError

    async def submit(self, order: OrderRequest, *, intent_key: str | None = None) -> Order:
        """Place an order, once.

        The same ``intent_key`` gives the same order, now and after a restart.  Raises
        OrderRejectedError and its like when the venue says no; OrderOutcomeUnknownError, with a
        ``handle``, when nobody can say yet; any error with ``outcome`` NOT_SENT when it was not
        placed and never will be.
        """
        raise NotImplementedError

    async def cancel(self, order_id: str) -> None:
        """Ask for an order to be cancelled, until the venue has heard it."""
        raise NotImplementedError

    async def replace(self, order_id: str, change: OrderChange) -> Order:
        """Change a working order, once."""
        raise NotImplementedError

    async def halt(self, reason: str) -> None:
        """Refuse new orders, and cancel what is open."""
        raise NotImplementedError

    def resume(self) -> None:
        """Accept new orders again."""
        raise NotImplementedError

    async def stop(self) -> None:
        """End the gateway's tasks; what is open stays in the journal for the next start."""
        raise NotImplementedError

    def abandon(self) -> None:
        """End at once as a killed process does: no row is written, nobody is told."""
        raise NotImplementedError

    @property
    def open(self) -> list[OpenIntent]:
        """The intents of which the end is not known."""
        raise NotImplementedError
