"""What happens in one scenario, drawn from its seed."""

import random
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import product

from sentio_async.models.trading import OrderChange, OrderRequest
from sentio_async.models.words import OrderSide, OrderType
from sentio_async.orders.policy import Late

KINDS = ("unique", "writeonly", "echo", "none")
RATES = (0.1, 0.4, 0.7)
CELLS = tuple(product(KINDS, RATES, (False, True)))
"""Broker class, fault rate, with or without crash: a scenario's seed says which."""


@dataclass(slots=True)
class Wish:
    """An order that somebody wants, and how patient he is."""

    tag: str
    order: OrderRequest
    at: float
    key: str | None = None
    patience: float | None = None
    leaves_after: float | None = None
    """The caller's task is cancelled so long after it asked."""
    is_asked_twice: bool = False
    """Two callers ask for it with the same key at the same time."""
    then: str | None = None
    """What is done with it when it is placed: cancel or replace."""
    then_after: float = 0.0
    change: OrderChange | None = None
    waits_for_handle: bool = True


@dataclass(slots=True)
class End:
    """A process ends: killed, or stopped in good order."""

    after: float
    is_killed: bool
    downtime: float
    wall_step: float


@dataclass(slots=True)
class Setting:
    """How the client is set."""

    timeout: float
    late: Late
    pace: str
    max_unknown: int
    horizon: float = 30.0


@dataclass(slots=True)
class Plan:
    """One scenario."""

    seed: int
    kind: str
    rate: float
    has_crash: bool
    setting: Setting
    lag: float
    skew: float
    moody: float
    outage: tuple[float, float] = (0.0, 0.0)
    """From when until when nothing gets through, or much too late."""
    wishes: list[Wish] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    foreign: list[OrderRequest] = field(default_factory=list)


def draw(seed: int) -> tuple[Plan, random.Random]:
    """The plan of a seed, and the luck that it goes on with."""
    kind, rate, has_crash = CELLS[seed % len(CELLS)]
    luck = random.Random(seed)
    setting = Setting(
        timeout=luck.choice((6.0, 15.0, 30.0)),
        late=Late.CANCEL if luck.random() < 0.15 else Late.ADOPT,
        pace=luck.choice(("instant", "instant", "early", "late")),
        max_unknown=3 if luck.random() < 0.1 else 1_000_000,
    )
    plan = Plan(
        seed,
        kind,
        rate,
        has_crash,
        setting,
        lag=luck.choice((0.0, 0.2, 1.5)),
        skew=luck.choice((0.0, 0.0, -4.0, 4.0)),
        moody=luck.choice((0.0, 0.0, 0.1)),
    )
    plan.wishes = _wishes(luck)
    if luck.random() < 0.1:
        begin = luck.uniform(0.0, 5.0)
        plan.outage = (begin, begin + luck.uniform(5.0, 45.0))
    if luck.random() < 0.3:
        # Long ago somebody else has placed what looks like one of these.
        plan.foreign = [wish.order for wish in luck.sample(plan.wishes, 2)]
    if has_crash:
        plan.ends = [_end(luck) for _ in range(luck.choice((1, 1, 1, 2)))]
    return plan, luck


def _end(luck) -> End:
    return End(
        after=luck.expovariate(1 / 6.0) if luck.random() < 0.8 else luck.uniform(0.0, 40.0),
        is_killed=luck.random() < 0.85,
        downtime=luck.choice((0.0, 0.1, 2.0, 30.0)),
        wall_step=luck.choice((0.0, 0.0, -0.5, 0.5)),
    )


def _wishes(luck) -> list[Wish]:
    count = luck.randint(6, 10)
    wishes = [_wish(luck, n) for n in range(count)]
    # Twins at the same moment are the hardest.
    for n in luck.sample(range(1, count), 2):
        model = wishes[luck.randrange(n)]
        order = model.order.model_copy(update={"instructions": wishes[n].order.instructions})
        wishes[n].order = order
        wishes[n].change = _change(order, n) if wishes[n].then == "replace" else None
        if order.type is not OrderType.LIMIT and wishes[n].then == "replace":
            wishes[n].then = "cancel"
        wishes[n].at = model.at + luck.choice((0.0, 0.001, 0.5, 5.0))
    wishes.sort(key=lambda wish: wish.at)
    return wishes


def _wish(luck, n: int) -> Wish:
    is_limit = luck.random() < 0.4
    order = OrderRequest(
        symbol=luck.choice(("AAPL", "AAPL", "MSFT", "BTCUSD")) if luck.random() < 0.96 else "NOPE",
        side=luck.choice((OrderSide.BUY, OrderSide.SELL)),
        qty=Decimal(luck.choice((1, 1, 2, 5))),
        type=OrderType.LIMIT if is_limit else OrderType.MARKET,
        limit_price=Decimal(luck.choice((99, 100))) if is_limit else None,
        instructions={"tag": f"w{n}"},
    )
    wish = Wish(f"w{n}", order, at=luck.uniform(0.0, 10.0))
    if luck.random() < 0.5:
        wish.key = f"key {n}"
        wish.is_asked_twice = luck.random() < 0.2
    if luck.random() < 0.15:
        wish.patience = luck.uniform(0.05, 10.0)
    if luck.random() < 0.15:
        wish.leaves_after = luck.choice((0.0, luck.uniform(0.0, 0.1), luck.uniform(0.0, 5.0)))
    wish.waits_for_handle = luck.random() < 0.5
    chance = luck.random()
    if chance < 0.15:
        wish.then = "cancel"
    elif chance < 0.3 and is_limit:
        wish.then = "replace"
        wish.change = _change(order, n)
    wish.then_after = luck.choice((0.0, luck.uniform(0.0, 8.0)))
    return wish


def _change(order, n: int) -> OrderChange:
    price = None if order.limit_price is None else order.limit_price + 3
    return OrderChange(limit_price=price, instructions={"tag": f"w{n}r"})
