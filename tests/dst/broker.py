"""A broker, written from what brokers document, and knowing nothing of the gateway.

Every order carries the tag of the wish that it came from (in ``instructions``), which the broker
keeps and never shows: so that the checker knows the truth whatever ids were used.
"""

from datetime import timedelta
from decimal import Decimal

from sentio_async.models.trading import Order
from sentio_async.models.words import OrderStatus

from .world import World

DEDUPES = frozenset({"unique", "writeonly"})
SHOWS_IDS = frozenset({"unique", "echo"})


class Refusal(Exception):
    """The broker says no; ``code`` is how."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Placed:
    """One order in the book."""

    __slots__ = (
        "at",
        "canceled_at",
        "change",
        "fill_at",
        "id",
        "key",
        "order",
        "replaced_at",
        "replaced_by",
        "replaces",
        "shown_from",
        "tag",
    )

    def __init__(self, id, tag, key, order, at) -> None:
        self.id = id
        self.tag = tag
        self.key = key
        self.order = order
        self.at = at
        self.shown_from = at
        self.fill_at = None
        self.canceled_at = None
        self.replaced_at = None
        self.replaced_by = None
        self.replaces = None
        self.change = None

    def status(self, now: float) -> OrderStatus:
        if self.replaced_at is not None:
            return OrderStatus.REPLACED
        if self.canceled_at is not None:
            return OrderStatus.CANCELED
        if self.fill_at is not None and self.fill_at <= now:
            return OrderStatus.FILLED
        return OrderStatus.OPEN


class Broker:
    """Takes orders and shows them, each a little later than it took them."""

    def __init__(self, world: World, kind: str, *, lag: float, skew: float, moody: float) -> None:
        self._world = world
        self.kind = kind
        self._lag = lag
        self._skew = timedelta(seconds=skew)
        self._moody = moody
        """How often it refuses an order that it would take another time."""
        self.book: list[Placed] = []
        self._by_id: dict[str, Placed] = {}
        self._by_key: dict[str, Placed] = {}

    # What it is asked

    def place(self, order) -> Order:
        if order.symbol == "NOPE":
            raise Refusal("rejected")
        luck, key = self._world.luck, order.client_order_id
        if luck.random() < self._moody:
            self._world.say(f"broker: refuses {tag_of(order)}: buying power")
            raise Refusal("rejected")
        if self.kind in DEDUPES and key is not None and key in self._by_key:
            self._world.say(f"broker: refuses {tag_of(order)}: the id was used")
            raise Refusal("duplicate")
        fill_after = luck.uniform(0.05, 3.0) if order.type == "market" else luck.uniform(5.0, 400.0)
        return self._show(self._enter(tag_of(order), key, order, fill_after))

    def place_again(self, order) -> Order:
        """The same request once more at once: its id is seen before anything else is looked at."""
        if order.client_order_id in self._by_key:
            raise Refusal("duplicate")
        return self.place(order)

    def cancel(self, order_id: str) -> None:
        placed = self._working(order_id)
        placed.canceled_at = self._world.now()
        self._world.say(f"broker: cancels {order_id}")

    def replace(self, order_id: str, change) -> Order:
        old, key = self._working(order_id), change.client_order_id
        if self.kind in DEDUPES and key is not None and key in self._by_key:
            raise Refusal("duplicate")
        fields = {"limit_price": change.limit_price, "qty": change.qty}
        wanted = {name: value for name, value in fields.items() if value is not None}
        order = old.order.model_copy(update=wanted)
        now = self._world.now()
        left = 100.0 if old.fill_at is None else old.fill_at - now
        new = self._enter(tag_of(change), key, order, left)
        new.replaces, old.replaced_by, old.replaced_at = old.id, new.id, now
        return self._show(new)

    def find(self, key: str) -> Order | None:
        placed = self._by_key.get(key)
        if placed is None or placed.shown_from > self._world.now():
            return None
        return self._show(placed)

    def recent(self, since, symbol: str | None) -> list[Order]:
        now = self._world.now()
        return [
            self._show(placed)
            for placed in self.book
            if placed.shown_from <= now
            and (symbol is None or placed.order.symbol == symbol)
            and self._stamp(placed.at) >= since
        ]

    # What it does

    def enter_foreign(self, order, at: float) -> None:
        """An order that somebody else has placed on the same account."""
        placed = self._enter(None, None, order, None)
        placed.at = placed.shown_from = at

    def _enter(self, tag, key, order, fill_after) -> Placed:
        now = self._world.now()
        key = key if key is not None else f"k{len(self.book)}"
        placed = Placed(f"o{len(self.book) + 1}", tag, key, order, now)
        placed.shown_from = now + self._world.luck.random() * self._lag
        placed.fill_at = None if fill_after is None else now + fill_after
        self.book.append(placed)
        self._by_id[placed.id] = placed
        self._by_key.setdefault(key, placed)
        self._world.say(f"broker: accepts {placed.id} for {tag}")
        return placed

    def _working(self, order_id: str) -> Placed:
        placed = self._by_id.get(order_id)
        if placed is None:
            raise Refusal("not_found")
        if placed.status(self._world.now()).is_final:
            raise Refusal("not_open")
        return placed

    def _stamp(self, at: float):
        return self._world.wall() + timedelta(seconds=at - self._world.now()) + self._skew

    def _show(self, placed: Placed) -> Order:
        order, status = placed.order, placed.status(self._world.now())
        is_filled = status is OrderStatus.FILLED
        return Order(
            id=placed.id,
            client_order_id=placed.key if self.kind in SHOWS_IDS else "",
            symbol=order.symbol,
            side=order.side,
            type=order.type,
            status=status,
            venue_status=status.value,
            qty=order.qty,
            filled_qty=order.qty if is_filled else Decimal(0),
            limit_price=order.limit_price,
            time_in_force=order.time_in_force,
            replaces=placed.replaces,
            replaced_by=placed.replaced_by,
            submitted_at=self._stamp(placed.at),
        )

    def show_other(self, order) -> Order | None:
        """Any order but this one, as a broken proxy would answer."""
        return next((self._show(p) for p in self.book if p.tag != tag_of(order)), None)

    def status_of(self, order_id: str) -> OrderStatus | None:
        placed = self._by_id.get(order_id)
        return None if placed is None else placed.status(self._world.now())

    def tag_of_order(self, order_id: str):
        placed = self._by_id.get(order_id)
        return None if placed is None else placed.tag


def tag_of(asked):
    return asked.instructions["tag"] if asked.instructions else None
