"""What a broker's own class adds to the gateway: words, ways around it, and its end."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from sentio_async import errors
from sentio_async.base import BrokerConnector
from sentio_async.errors import Outcome
from sentio_async.models import Order, OrderChange, OrderStatus
from sentio_async.orders.settings import BrokerConfig

SINCE = datetime(2026, 11, 24, tzinfo=UTC)


def an_order(**changes):
    known = {
        "id": "7",
        "client_order_id": "mine",
        "symbol": "KO",
        "side": "buy",
        "type": "market",
        "status": "open",
        "venue_status": "new",
        "qty": "10",
        "filled_qty": "0",
        "time_in_force": "day",
        **changes,
    }
    return Order.model_validate(known)


class Desk(BrokerConnector):
    """A venue of one order; ``refusal`` is what it says to a cancel."""

    vendor = "desk"
    Config = BrokerConfig
    refusal = None

    def _set_up(self):
        self.order = an_order()
        self.asked = []

    async def _check(self):
        return None

    async def _place_order(self, order):
        self.order = an_order(client_order_id=order.client_order_id, qty=str(order.qty))
        return self.order

    async def _cancel_order(self, order_id):
        self.asked.append(("cancel", order_id))
        if self.refusal is not None:
            raise self.refusal

    async def get_order(self, order_id, *, nested=False):
        self.asked.append(("order", order_id, nested))
        if isinstance(self.order, Exception):
            raise self.order
        return self.order

    async def iter_orders(self, *, status="all", **filters):
        self.asked.append(("orders", status, filters))
        yield an_order()

    async def get_positions(self):
        return []


@pytest.fixture
def desk():
    return Desk({"name": "desk"})


def refused(kind, outcome=Outcome.UNKNOWN):
    return kind("already ended", status_code=422, outcome=outcome)


@pytest.mark.parametrize(
    "kind", [errors.BadRequestError, errors.ConflictError, errors.NotFoundError]
)
async def test_a_cancel_whose_first_answer_was_lost_is_told_by_the_order(desk, kind):
    desk.refusal, desk.order = refused(kind), an_order(status="canceled")

    await desk.cancel_order("7")

    assert desk.asked == [("cancel", "7"), ("order", "7", False)]


@pytest.mark.parametrize(
    ("refusal", "order"),
    [
        (refused(errors.BadRequestError), an_order(status="filled")),
        (refused(errors.ConflictError), an_order(status="open")),
        (refused(errors.NotFoundError), errors.ServerError("down")),
        (refused(errors.BadRequestError, Outcome.REFUSED), an_order(status="canceled")),
        (errors.ServerError("down"), an_order(status="canceled")),
    ],
)
async def test_a_cancel_that_may_not_have_been_heard_is_an_error(desk, refusal, order):
    desk.refusal, desk.order = refusal, order

    with pytest.raises(type(refusal)) as caught:
        await desk.cancel_order("7")
    assert caught.value is refusal


async def test_a_change_is_given_in_one_way(desk):
    with pytest.raises(errors.InvalidRequestError, match="its fields, not both"):
        await desk.replace_order("7", OrderChange(qty=1), qty=2)
    with pytest.raises(errors.InvalidRequestError, match=r"^colour: "):
        await desk.replace_order("7", colour="red")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"qty": "many", "side": "buy"}, "qty: Input should be a valid decimal"),
        ({"qty": -1, "side": "buy"}, "qty must be more than zero, not -1"),
        ({"qty": 1, "side": "up"}, "side: Input should be 'buy' or 'sell'"),
        (
            {"qty": "many", "side": "up"},
            "side: Input should be 'buy' or 'sell'; qty: Input should be a valid decimal",
        ),
    ],
)
async def test_what_is_wrong_with_an_order_is_said_in_one_line(desk, fields, words):
    with pytest.raises(errors.InvalidRequestError) as caught:
        await desk.place_order("KO", **fields)

    assert caught.value.message == words


async def test_orders_of_one_symbol_are_asked_for_as_such(desk):
    assert len(await desk._recent_orders(SINCE)) == 1
    await desk._recent_orders(SINCE, "KO")

    assert desk.asked == [
        ("orders", "all", {"after": SINCE, "symbols": ()}),
        ("orders", "all", {"after": SINCE, "symbols": ("KO",)}),
    ]


async def test_without_connect_nothing_is_halted_open_or_known(desk):
    assert desk.trading_halted is None
    assert desk.open_intents == []
    assert not desk.hears_of_orders
    desk._check_turn()
    desk._heard(an_order())


async def test_no_order_is_placed_while_nobody_would_hear_of_it():
    desk = Desk({"name": "desk", "refuse_when_blind": True})
    async with desk:
        with pytest.raises(errors.NoOrderUpdatesError, match="refuse_when_blind") as caught:
            await desk.place_order("KO", 10, "buy")

    assert (caught.value.connector, caught.value.outcome) == ("desk", Outcome.NOT_SENT)


async def test_a_price_is_what_somebody_tells():
    desk = Desk({"name": "desk", "max_order_notional": "100"})
    async with desk:
        with pytest.raises(errors.OrderLimitError):
            await desk.place_order("KO", 10, "buy")
        desk.price_of = {"KO": Decimal(9)}.get
        assert (await desk.place_order("KO", 10, "buy")).qty == 10
        desk.price_of = {"KO": Decimal(11)}.get
        with pytest.raises(errors.OrderLimitError):
            await desk.place_order("KO", 10, "buy")


async def test_a_fill_of_more_than_was_wanted_halts_whoever_tells_of_it(desk):
    async with desk:
        order = await desk.place_order("KO", 10, "buy")
        desk._heard(order.model_copy(update={"filled_qty": Decimal(10), "status": "filled"}))
        assert desk.trading_halted is None

        desk._heard(order.model_copy(update={"filled_qty": Decimal(11)}))

        assert "11" in desk.trading_halted
        with pytest.raises(errors.TradingHaltedError):
            desk._check_turn()


async def test_an_order_that_was_followed_is_not_held_on_to(desk):
    desk.order = an_order(status="filled", filled_qty="10")

    changes = [change async for change in desk.track_order("7")]

    assert [change.order.status for change in changes] == [OrderStatus.FILLED]
    assert desk.asked == [("order", "7", True)]
    assert not desk._trackers


async def test_what_a_stream_tells_reaches_everybody_who_follows(desk):
    desk.order = an_order()
    others, changes = desk.track_order("8", poll=60), desk.track_order("7", poll=60)
    seen = [(await anext(changes)).order.status]
    await anext(others)
    desk.order = an_order(status="filled", filled_qty="10")
    desk._heard(desk.order)
    async with asyncio.timeout(2):
        seen += [change.order.status async for change in changes]

    assert seen == [OrderStatus.OPEN, OrderStatus.FILLED]
    assert len(desk._trackers) == 1
    await others.aclose()
    assert not desk._trackers


async def test_closing_ends_a_start_under_way_and_says_so(desk):
    begun = asyncio.Event()

    async def hang(*_):
        begun.set()
        await asyncio.Event().wait()

    desk._account_name = hang
    placing = asyncio.create_task(desk.place_order("KO", 10, "buy"))
    await begun.wait()
    starting = desk._starting
    await desk.disconnect()

    assert starting.done()
    async with asyncio.timeout(2):
        with pytest.raises(errors.ConnectorError, match="closed before it had found") as caught:
            await placing
    assert caught.value.outcome is Outcome.NOT_SENT
    assert desk.asked == []
