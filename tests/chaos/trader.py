"""The trader that is killed again and again.

It tells its parent, a line each: ``up``, ``ready``, ``began N``, ``told N placed|failed|unknown
WHAT`` and what came of changes and cancels.  An order's limit price says whose it is: whatever its
ids, the exchange's book shows it.
"""

import asyncio
import random
from decimal import Decimal

from sentio_async import errors
from sentio_async.connectors.alpaca.broker import AlpacaBroker
from sentio_async.errors import Outcome
from sentio_async.models.trading import OrderChange, OrderRequest
from tests.chaos.lifeline import hold_on, say

WORKERS = 6
LONGEST_THOUGHT = 0.1
"""Seconds before an order, so that a kill comes at any step and not always in the same burst."""
CENT = Decimal("0.01")
CHANGED = Decimal(50)
"""How much higher the limit of a changed order is."""
FILLED = Decimal(5000)
"""The limit of an order that fills at once is higher than this."""
ADMITTED = 0.05
"""Seconds after which the exchange has let an order in, so that it can be changed."""


def fills(number: int) -> bool:
    """It is an order that fills at once."""
    return number % 5 == 4


def price_of(number: int) -> Decimal:
    """The limit of an intent, which nobody else's order has."""
    return (FILLED if fills(number) else Decimal(1)) + CENT * number


def has_key(number: int) -> bool:
    """It can be asked for again after a restart."""
    return number % 4 != 0


def _order(number: int) -> OrderRequest:
    return OrderRequest(
        symbol="MSFT" if fills(number) else "AAPL",
        side="buy",
        qty=1,
        type="limit",
        limit_price=price_of(number),
        time_in_force="gtc",
    )


async def _told(work) -> tuple[str, str]:
    try:
        order = await work
    except errors.OrderOutcomeUnknownError as exc:
        try:
            order = await exc.handle.resolve(timeout=20.0)
        except errors.ConnectorError as again:
            return "unknown", str(again)
        if order is None:
            return "failed", "it never arrived"
    except errors.ConnectorError as exc:
        is_known = exc.outcome in (Outcome.NOT_SENT, Outcome.REFUSED)
        return ("failed" if is_known else "unknown"), repr(exc)
    return "placed", order.id


async def _one(broker: AlpacaBroker, number: int) -> None:
    say(f"began {number}")
    key = f"intent {number}" if has_key(number) else None
    kind, what = await _told(broker.submit_order(_order(number), intent_key=key))
    say(f"told {number} {kind} {what}")
    if kind != "placed":
        return
    if number % 7 == 3:
        try:
            await broker.cancel_order(what)
        except errors.ConnectorError as exc:
            say(f"cancel {what} {exc.outcome}")
        else:
            say(f"cancel {what} heard")
    if number % 7 == 5 and not fills(number):
        # Changed at once it is refused, most of the time.
        await asyncio.sleep(ADMITTED if number % 3 else 0.0)
        change = OrderChange(limit_price=price_of(number) + CHANGED)
        kind, what = await _told(broker.replace_order(what, change))
        say(f"changed {number} {kind} {what}")


async def _connect(broker: AlpacaBroker) -> None:
    while True:
        try:
            await broker.connect()
            return
        except errors.ConnectorError as exc:
            say(f"again {type(exc).__name__} {exc}")
        await asyncio.sleep(0.05)


async def trade(settings: dict, intents: list[int]) -> None:
    """Do what is left to do, then see every open order through."""
    hold_on()
    say("up")
    broker = AlpacaBroker(settings)
    await _connect(broker)
    for gap in broker.recovery.positions:
        say(f"gap {gap.symbol} {gap.held} {gap.explained}")
    say("ready")
    left = iter(intents)

    async def work() -> None:
        for number in left:
            await asyncio.sleep(random.uniform(0.0, LONGEST_THOUGHT))
            await _one(broker, number)

    await asyncio.gather(*(work() for _ in range(WORKERS)))
    say("worked")
    while broker.open_intents:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    await broker.disconnect()
    say("done")
