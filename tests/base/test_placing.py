"""Orders that take several requests: what fails before and between them, and what is sent."""

import asyncio
import json
from decimal import Decimal

import httpx
import pytest

from sentio_async import errors
from sentio_async.base import BrokerConnector, before_order, placed_order
from sentio_async.errors import Outcome
from sentio_async.http.auth import NoAuth
from sentio_async.http.endpoint import Api, Parts
from sentio_async.models import OrderRequest, OrderStatus
from sentio_async.orders.settings import BrokerConfig
from sentio_async.orders.venue import BrokerClass
from sentio_async.resilience.limiter import Priority

api = Api("asking", priority=Priority.ORDERS)


@api.get("/accounts", returns=lambda raw: raw["id"])
def account() -> Parts:
    return Parts()


@api.post("/orders", returns=lambda raw: raw)
def place(order: OrderRequest) -> Parts:
    return Parts(json={"symbol": order.symbol, "qty": order.qty, "id": order.client_order_id})


@api.post("/answers/{question}", returns=lambda raw: raw)
def confirm(question: str) -> Parts:
    return Parts(path={"question": question}, json={"confirmed": True})


class Broker(BrokerConnector):
    """A venue that asks back before it takes an order, as Interactive Brokers does."""

    vendor = "asking"
    Config = BrokerConfig
    broker_class = BrokerClass.NONE

    def _set_up(self):
        self._session = self._open_session("https://api.test", auth=NoAuth())

    async def _check(self):
        return None

    async def _place_order(self, order):
        with before_order():
            await self._session.send(account(), retry=None)
        answer = await self._send_order(self._session, place(order))
        while "question" in answer:
            answer = await self._send_order(self._session, confirm(answer["question"]))
        return placed_order(order, answer["order_id"], raw=answer)

    async def iter_orders(self, *, status="all", **filters):
        for each in []:
            yield each

    async def get_positions(self):
        return []


class Venue:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.then = None

    async def __call__(self, request):
        self.asked.append(f"{request.method} {request.url.path}")
        answer = self.answers.pop(0)
        if self.then is not None and not self.answers:
            await self.then()
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(200, json=answer) if isinstance(answer, dict) else answer


def at(venue, **settings):
    client = httpx.AsyncClient(transport=httpx.MockTransport(venue))
    return Broker({"name": "asking", **settings}, client=client)


ASKED = ["GET /accounts", "POST /orders", "POST /answers/q1", "POST /answers/q2"]


async def test_an_order_that_is_asked_back_about_is_one_order():
    venue = Venue({"id": "A"}, {"question": "q1"}, {"question": "q2"}, {"order_id": "7"})
    async with at(venue, max_orders_per_second=1) as broker:
        order = await broker.place_order("KO", "1.5", "buy", intent_key="one")
        again = await broker.place_order("KO", "1.5", "buy", intent_key="one")

    assert venue.asked == ASKED
    assert (order.id, order.qty, order.status) == ("7", Decimal("1.5"), OrderStatus.PENDING)
    assert again == order


@pytest.mark.parametrize(
    "failure", [httpx.ReadTimeout("late"), httpx.Response(503), httpx.Response(200, text="<html>")]
)
async def test_what_fails_before_an_order_leaves_no_doubt_about_it(failure):
    venue = Venue(*[failure] * 4)
    async with at(venue, retry_attempts=1) as broker:
        with pytest.raises(errors.ConnectorError) as caught:
            await broker.place_order("KO", 1, "buy")

        assert caught.value.outcome is Outcome.NOT_SENT
        assert not isinstance(caught.value, errors.OrderOutcomeUnknownError)
        assert broker.open_intents == []
    assert venue.asked == ["GET /accounts"]


async def test_a_refusal_before_an_order_stays_one_and_a_mistake_is_none_of_the_venues():
    with pytest.raises(errors.PermissionError) as refused, before_order():
        raise errors.PermissionError("not yours", status_code=403)
    with pytest.raises(errors.ConnectorError, match="KeyError: 'id'") as mistake, before_order():
        raise KeyError("id")

    assert refused.value.outcome is Outcome.REFUSED
    assert mistake.value.outcome is Outcome.NOT_SENT
    assert isinstance(mistake.value.__cause__, KeyError)


async def test_a_halt_between_the_requests_of_an_order_ends_it_there():
    venue = Venue({"id": "A"}, {"question": "q1"})
    async with at(venue) as broker:

        async def halt():
            venue.halting = asyncio.create_task(broker.halt_trading("enough"))
            await asyncio.sleep(0.02)

        venue.then = halt
        with pytest.raises(errors.TradingHaltedError) as caught:
            await broker.place_order("KO", 1, "buy")
        await asyncio.wait((venue.halting,))

    assert caught.value.outcome is Outcome.NOT_SENT
    assert venue.asked == ASKED[:2]


async def test_a_confirmation_whose_answer_is_lost_leaves_an_order_in_doubt():
    venue = Venue({"id": "A"}, {"question": "q1"}, httpx.ReadTimeout("late"))
    async with at(venue, timeouts={"total": 0.1}) as broker:
        with pytest.raises(errors.OrderOutcomeUnknownError):
            await broker.place_order("KO", 1, "buy")

    assert venue.asked == ASKED[:3]


def test_what_was_asked_for_stands_in_the_placed_order():
    asked = OrderRequest(
        symbol="KO",
        qty=Decimal(2),
        side="sell",
        type="stop_limit",
        limit_price=Decimal("59.5"),
        stop_price=Decimal(60),
        time_in_force="gtc",
        extended_hours=True,
        client_order_id="mine",
    )
    order = placed_order(asked, "7", status=OrderStatus.OPEN, venue_status="WORKING", raw={"a": 1})

    assert (order.id, order.client_order_id, order.filled_qty) == ("7", "mine", 0)
    assert (order.status, order.venue_status, order.raw) == (OrderStatus.OPEN, "WORKING", {"a": 1})
    shared = ("symbol", "qty", "side", "type", "limit_price", "stop_price", "time_in_force")
    assert all(getattr(order, name) == getattr(asked, name) for name in shared)
    assert order.extended_hours
    assert placed_order(OrderRequest(symbol="KO", qty=1, side="buy"), "8").client_order_id == ""
    assert json.loads(order.model_dump_json())["limit_price"] == "59.5"
