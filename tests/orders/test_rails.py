"""Limits, and the way to stop."""

import asyncio
from collections import deque
from decimal import Decimal

import pytest

from orders.venues import (
    CLOCK,
    HANGS,
    LATE,
    ScriptedVenue,
    a_gateway,
    an_answer,
    an_order,
    not_sent,
    refused,
    unknown,
)
from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.models.trading import OrderChange
from sentio_async.models.words import OrderStatus
from sentio_async.orders.happenings import TradingHalted, TradingResumed
from sentio_async.orders.journal import MemoryJournal
from sentio_async.orders.policy import GatewayPolicy
from sentio_async.orders.rails import Rails
from sentio_async.orders.venue import BrokerClass

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def test_an_order_above_the_rails_is_never_sent(started):
    venue = ScriptedVenue()
    gateway = await started(venue, rails=Rails(max_qty=Decimal(10), max_notional=Decimal(1000)))

    for order in (
        an_order(qty="10.01", type="limit", limit_price="1"),
        an_order(notional="1000.01"),
        an_order(type="limit", limit_price="100.01"),
        an_order(type="stop", stop_price="100.01"),
        an_order(),
    ):
        with pytest.raises(errors.OrderLimitError) as caught:
            await gateway.submit(order)
        assert caught.value.outcome is Outcome.NOT_SENT

    await gateway.submit(an_order(notional="1000"))
    await gateway.submit(an_order(type="limit", limit_price="100"))
    assert len(venue.sent()) == 2


async def test_a_market_order_is_held_against_a_price_from_elsewhere(started):
    prices = {"ACME": Decimal(100), "DEAR": Decimal(101)}
    gateway = await started(rails=Rails(max_notional=Decimal(1000), price_of=prices.get))

    await gateway.submit(an_order())
    with pytest.raises(errors.OrderLimitError, match="1010"):
        await gateway.submit(an_order("DEAR"))
    with pytest.raises(errors.OrderLimitError, match="no price"):
        await gateway.submit(an_order("OTHER"))


@pytest.mark.parametrize("price", [0, -0.0, float("nan"), float("inf"), Decimal("sNaN"), "no", []])
async def test_a_market_order_of_which_the_price_is_none_is_refused(started, price):
    venue = ScriptedVenue()
    rails = Rails(max_notional=Decimal(1000), price_of=lambda symbol: price)
    gateway = await started(venue, rails=rails)

    with pytest.raises(errors.OrderLimitError, match="price_of"):
        await gateway.submit(an_order())
    assert venue.sent() == []


async def test_a_market_order_is_refused_when_its_price_cannot_be_told(started, caplog):
    gateway = await started(rails=Rails(max_notional=Decimal(1000), price_of={}.__getitem__))

    with pytest.raises(errors.OrderLimitError, match="no price"):
        await gateway.submit(an_order())
    assert "price_of('ACME') failed" in caplog.text


async def test_a_price_may_be_a_float(started):
    gateway = await started(rails=Rails(max_notional=Decimal(1000), price_of=lambda symbol: 100.1))

    with pytest.raises(errors.OrderLimitError, match="notional: 1001"):
        await gateway.submit(an_order())


async def test_a_symbol_gets_so_many_orders_a_second(started):
    gateway = await started(rails=Rails(orders_per_second=2))
    await gateway.submit(an_order())
    await asyncio.sleep(0.4)
    await gateway.submit(an_order())

    with pytest.raises(errors.RateLimitError, match="2 orders a second") as caught:
        await gateway.submit(an_order())
    await gateway.submit(an_order("OTHER"))
    await asyncio.sleep(caught.value.retry_after)
    await gateway.submit(an_order())

    assert caught.value.retry_after == pytest.approx(0.6)
    assert caught.value.outcome is Outcome.NOT_SENT


@pytest.mark.parametrize(
    "wrong", [{"max_qty": 0}, {"max_notional": -1}, {"orders_per_second": 0}, {"max_unknown": 0}]
)
async def test_a_rail_of_nothing_is_a_mistake(wrong):
    with pytest.raises(errors.ConfigurationError):
        Rails(**wrong)


async def test_a_halt_refuses_what_is_new_and_cancels_what_is_open(started):
    heard = []
    venue = ScriptedVenue()
    gateway = await started(venue, listeners=[heard.append])
    mine = await gateway.submit(an_order())
    by_hand = venue.take(an_order("OTHER", client_order_id="by hand"))
    done = venue.take(an_order("DONE", client_order_id="done"), status=OrderStatus.FILLED)

    await gateway.halt("drawdown")

    for call in (gateway.submit(an_order()), gateway.replace(mine.id, OrderChange(qty=1))):
        with pytest.raises(errors.TradingHaltedError, match="drawdown"):
            await call
    assert venue.orders[mine.id].status is OrderStatus.CANCELED
    assert venue.orders[by_hand.id].status is OrderStatus.CANCELED
    assert done.id not in venue.sent("cancel")
    assert gateway.halted == "drawdown"
    assert TradingHalted in [type(event) for event in heard]


async def test_trading_goes_on_when_told(started):
    heard = []
    gateway = await started(listeners=[heard.append])
    await gateway.halt("drawdown")

    gateway.resume()
    gateway.resume()
    await gateway.submit(an_order())

    assert [type(e) for e in heard].count(TradingResumed) == 1


async def test_a_halt_outlives_a_restart():
    journal = MemoryJournal()
    first = a_gateway(ScriptedVenue(), journal)
    await first.start()
    await first.halt("drawdown")
    await first.stop()

    gateway = a_gateway(ScriptedVenue(), journal)
    await gateway.start()

    with pytest.raises(errors.TradingHaltedError):
        await gateway.submit(an_order())
    await gateway.stop()


async def test_an_order_under_way_when_the_halt_comes_is_cancelled(started):
    venue = ScriptedVenue()
    gateway = await started(venue)

    async def slow(order):
        await asyncio.sleep(2)
        return venue.take(order)

    venue.place = slow
    submitting = asyncio.ensure_future(gateway.submit(an_order()))
    await asyncio.sleep(1)
    await gateway.halt("drawdown")

    order = await submitting
    await asyncio.sleep(1)

    assert venue.orders[order.id].status is OrderStatus.CANCELED


async def test_nothing_goes_again_once_trading_is_halted(started):
    venue = ScriptedVenue()
    venue.say("place", not_sent(), not_sent())
    gateway = await started(venue)
    submitting = asyncio.ensure_future(gateway.submit(an_order()))
    await asyncio.sleep(0.01)

    await gateway.halt("drawdown")

    with pytest.raises(errors.TradingHaltedError):
        await submitting
    assert len(venue.sent()) == 1


async def test_too_much_unknown_halts_by_itself(started):
    heard = []
    venue = ScriptedVenue(BrokerClass.NONE, LATE, LATE)
    venue.late_by = 60
    policy = GatewayPolicy(timeout=5)
    gateway = await started(
        venue, policy=policy, rails=Rails(max_unknown=2), listeners=[heard.append]
    )
    good = venue.take(an_order("GOOD"))
    for symbol in ("A", "B"):
        with pytest.raises(errors.OrderOutcomeUnknownError):
            await gateway.submit(an_order(symbol))

    with pytest.raises(errors.TradingHaltedError, match="2 orders"):
        await gateway.submit(an_order("C"))
    await asyncio.sleep(100)

    assert {order.status for order in venue.orders.values()} == {OrderStatus.CANCELED}
    assert good.id in venue.sent("cancel")
    assert [type(event) for event in heard].count(TradingHalted) == 1


async def test_more_filled_than_wanted_halts(started):
    venue = ScriptedVenue()
    gateway = await started(venue)
    order = await gateway.submit(an_order())
    gateway.observe(order.model_copy(update={"filled_qty": Decimal(10)}))
    gateway.observe(an_answer(an_order(), id="of somebody else", filled_qty=99))
    assert gateway.halted is None

    gateway.observe(order.model_copy(update={"filled_qty": Decimal(11)}))
    gateway.observe(order.model_copy(update={"filled_qty": Decimal(12)}))
    await asyncio.sleep(1)

    assert gateway.halted == "ACME: 11 was filled for an order of 10"
    assert venue.orders[order.id].status is OrderStatus.CANCELED


async def test_an_order_by_money_has_no_quantity_to_exceed(started):
    gateway = await started()
    order = await gateway.submit(an_order(notional="100"))

    gateway.observe(order.model_copy(update={"filled_qty": Decimal(11)}))

    assert gateway.halted is None


async def test_a_halt_cancels_what_it_knows_when_the_venue_cannot_list(started):
    venue = ScriptedVenue()
    gateway = await started(venue)
    orders = [await gateway.submit(an_order()) for _ in range(2)]
    gateway.observe(venue.change(orders[0].id, status=OrderStatus.FILLED))
    venue.say("recent", unknown())

    await gateway.halt("drawdown")

    assert venue.sent("cancel") == [orders[1].id]


async def test_a_cancel_that_fails_does_not_stop_the_others(started):
    venue = ScriptedVenue()
    gateway = await started(venue)
    orders = [await gateway.submit(an_order()) for _ in range(3)]
    venue.say("cancel", refused("no"))

    await gateway.halt("drawdown")

    left = [venue.orders[order.id].status for order in orders]
    assert left.count(OrderStatus.CANCELED) == 2


class CancelsAllVenue(ScriptedVenue):
    def __init__(self):
        super().__init__()
        self.script["cancel_all"] = deque()

    async def cancel_all(self):
        await self._do("cancel_all", None, lambda: None)


async def test_where_everything_can_be_cancelled_at_once_it_is(started):
    venue = CancelsAllVenue()
    gateway = await started(venue)
    order = await gateway.submit(an_order())

    await gateway.halt("drawdown")
    assert venue.sent("cancel") == []
    gateway.resume()
    venue.say("cancel_all", unknown())
    await gateway.halt("again")

    assert venue.sent("cancel") == [order.id]


class Shared(MemoryJournal):
    """As a journal file that another process looks at."""

    halt_poll = 1.0


async def test_a_halt_by_another_process_is_noticed(started):
    heard = []
    venue, journal = ScriptedVenue(), Shared()
    gateway = await started(venue, journal, listeners=[heard.append])
    order = await gateway.submit(an_order())
    await asyncio.sleep(3)

    journal.set_halted("by hand")
    await asyncio.sleep(2)
    assert venue.orders[order.id].status is OrderStatus.CANCELED
    journal.set_halted(None)
    await asyncio.sleep(2)

    await gateway.submit(an_order())
    kinds = [type(event) for event in heard]
    assert (kinds.count(TradingHalted), kinds.count(TradingResumed)) == (1, 1)


async def test_a_halt_of_our_own_is_announced_once(started):
    heard = []
    gateway = await started(ScriptedVenue(), Shared(), listeners=[heard.append])

    await gateway.halt("drawdown")
    await asyncio.sleep(3)

    assert [type(event) for event in heard].count(TradingHalted) == 1


async def test_an_order_that_hangs_is_cancelled_when_it_turns_up_after_a_halt(started):
    venue = ScriptedVenue(BrokerClass.NONE, HANGS)
    gateway = await started(venue, policy=GatewayPolicy(timeout=2))
    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await gateway.submit(an_order())
    await gateway.halt("drawdown")
    venue.take(an_order(), submitted_at=CLOCK.utcnow())

    order = await caught.value.handle.resolve()
    await asyncio.sleep(1)

    assert venue.orders[order.id].status is OrderStatus.CANCELED
