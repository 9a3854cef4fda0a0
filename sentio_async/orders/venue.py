"""What the gateway needs of a broker, and the four kinds of broker there are."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Protocol, TypeVar, runtime_checkable

from sentio_async.models.trading import (
    CancelResult,
    Order,
    OrderChange,
    OrderRequest,
    Position,
)

__all__ = ["Asked", "BrokerClass", "CallsVenue", "CancelsAll", "TellsPositions", "Venue"]

T = TypeVar("T")

Asked = Coroutine[Any, Any, T]


class BrokerClass(Enum):
    """What a broker does with the id that an order is sent under.

    It decides how an order whose answer was lost is found again, and whether it may be sent again.
    """

    UNIQUE = "unique"
    """Refuses an id it has seen, and finds an order by its id (Alpaca, IBKR for a day)."""

    WRITEONLY = "writeonly"
    """Refuses an id it has seen, and never shows it again (E*TRADE)."""

    ECHO = "echo"
    """Shows the id, and takes the same one twice (tastytrade)."""

    NONE = "none"
    """Has no id of ours at all (Schwab)."""

    refuses_repeats: bool
    """The same order under the same id can be sent again without harm."""
    shows_ids: bool
    """An order of ours is known by its id, so nothing has to be guessed from its looks."""

    def __init__(self, word: str) -> None:
        # Asked several times for each order, so it is found out once.
        self.refuses_repeats = word in ("unique", "writeonly")
        self.shows_ids = word in ("unique", "echo")


class Venue(Protocol):
    """A broker as the gateway sees it.

    Every call is one try that ends by itself; what fails raises ConnectorError with ``outcome``
    set to what is known.  The deadline around the call (``resilience.deadline``) bounds it.
    """

    broker_class: BrokerClass

    async def place(self, order: OrderRequest, /) -> Order:
        """Send the order once.  A repeated id raises ConflictError."""
        ...

    async def find(self, client_order_id: str, /) -> Order | None:
        """The order under this id, None if the venue shows none; asked of UNIQUE only."""
        ...

    async def recent(self, since: datetime, symbol: str | None = None) -> Sequence[Order]:
        """Every order entered since then, open or closed, of one symbol or of all."""
        ...

    async def cancel(self, order_id: str, /) -> None:
        """Ask for an order to be cancelled; asking twice does no harm."""
        ...

    async def replace(self, order_id: str, change: OrderChange, /) -> Order:
        """Change a working order, once; the answer is the order that takes its place."""
        ...


@runtime_checkable
class CancelsAll(Protocol):
    """A venue that can cancel everything by one request; then a halt needs no more."""

    async def cancel_all(self) -> Sequence[CancelResult] | None:
        """Ask for every open order to be cancelled; the answer may say what came of each."""
        ...


@runtime_checkable
class TellsPositions(Protocol):
    """A venue that says what is held; then a start compares it with what the journal says."""

    async def positions(self) -> Sequence[Position]:
        """Every position."""
        ...


@dataclass(slots=True)
class CallsVenue:
    """A broker as the gateway sees it, made of that broker's own calls."""

    broker_class: BrokerClass
    place: Callable[[OrderRequest], Asked[Order]]
    find: Callable[[str], Asked[Order | None]]
    recent: Callable[..., Asked[Sequence[Order]]]
    cancel: Callable[[str], Asked[None]]
    replace: Callable[[str, OrderChange], Asked[Order]]
    cancel_all: Callable[[], Asked[Any]]
    positions: Callable[[], Asked[Sequence[Position]]]
