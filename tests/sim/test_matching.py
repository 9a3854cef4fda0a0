"""The engine: told the time tick by tick, against prices written down beforehand."""

from decimal import Decimal

import pytest

from sentio_async.sim.clock import SECOND, ns_of
from sentio_async.sim.matching import Filling
from sim.stories import OPEN, a_story


def test_an_order_is_pending_until_the_next_tick():
    desk = a_story(100)
    order = desk.place()
    before = order.status
    desk.tick()

    assert (before, order.status) == ("pending_new", "filled")
    assert [kind for kind, _ in desk.told] == ["pending_new", "new", "fill"]
    assert desk.shares == 10
    assert desk.account.cash == 100_000 - 10 * order.average
    assert abs(order.average - 100) <= Decimal("0.01")


def test_a_limit_waits_for_its_price():
    desk = a_story(100, 100, 94)
    order = desk.place(kind="limit", limit_price=95)
    desk.tick(1)
    waiting = order.status
    desk.tick(1.5)

    assert (waiting, order.status) == ("new", "filled")
    assert order.average <= 95


def test_a_price_touched_between_ticks_fills_at_the_limit():
    desk = a_story(100, 94, 100)
    order = desk.place(kind="limit", limit_price=95)
    desk.tick()
    desk.tick(2.5)

    assert (order.status, order.average) == ("filled", 95)


def test_what_traded_before_an_order_came_does_not_fill_it():
    desk = a_story(100, 94, 100)
    desk.tick()
    desk.engine.clock.advance(2.5)
    order = desk.place(kind="limit", limit_price=95)
    desk.tick()

    assert order.status == "new"


@pytest.mark.parametrize(
    ("side", "kind", "prices", "fills"),
    [
        ("buy", "stop", {"stop_price": 104}, True),
        ("sell", "stop", {"stop_price": 104}, True),
        ("sell", "stop", {"stop_price": 96}, False),
        ("buy", "stop_limit", {"stop_price": 104, "limit_price": 106}, True),
        ("buy", "stop_limit", {"stop_price": 104, "limit_price": "104.5"}, False),
    ],
)
def test_a_stop_becomes_an_order_at_its_price(side, kind, prices, fills):
    desk = a_story(100, 105, 105)
    order = desk.place(side, kind, **prices)
    desk.tick()
    at_first = order.status
    desk.tick(1.5)

    assert at_first == ("filled" if side == "sell" and prices["stop_price"] == 104 else "new")
    assert (order.status == "filled") is fills


@pytest.mark.parametrize("gap", [{"trail_price": 5}, {"trail_percent": 5}])
def test_a_trailing_stop_follows_the_high_and_stays_there(gap):
    desk = a_story(100, 120, 116, 113)
    order = desk.place("sell", "trailing_stop", **gap)
    desk.tick()
    first = (order.hwm, order.stop_price)
    desk.tick(1.5)
    desk.tick(1)
    still = order.status
    desk.tick(1)

    assert first == (100, 95)
    assert still == "new"
    assert order.hwm == 120
    assert order.stop_price in {114, 115}
    assert order.status == "filled"


def test_a_trailing_buy_follows_the_low():
    desk = a_story(100, 90, 96)
    order = desk.place("buy", "trailing_stop", trail_price=5)
    desk.tick()
    desk.tick(1.5)
    low = (order.hwm, order.stop_price)
    desk.tick(1)

    assert low == (90, 95)
    assert order.status == "filled"


def test_large_orders_fill_in_slices():
    desk = a_story(100)
    desk.engine.filling = Filling(slice_value=Decimal(400))
    order = desk.place(qty=10)
    states = []
    for _ in range(4):
        desk.tick()
        states.append((order.status, int(order.filled_qty)))

    # Four shares at 100 and a cent are a little more than 400.
    assert states[0][0] == "partially_filled"
    assert states[-1] == ("filled", 10)
    assert sum(fill.qty for fill in desk.account.fills) == 10
    assert [fill.order_status for fill in desk.account.fills][-2:] == ["partially_filled", "filled"]


def test_luck_cuts_fills_the_same_way_each_time():
    def sizes():
        desk = a_story(100)
        desk.engine.filling = Filling(partial_chance=1.0)
        desk.place(qty=50)
        for _ in range(30):
            desk.tick()
        return [fill.qty for fill in desk.account.fills]

    assert sizes() == sizes()
    assert len(sizes()) > 2
    assert sum(sizes()) == 50


@pytest.mark.parametrize(
    ("time", "qty", "outcome"),
    [
        ("ioc", 10, ("canceled", True)),
        ("fok", 10, ("canceled", False)),
        ("fok", 2, ("filled", True)),
        ("ioc", 2, ("filled", True)),
    ],
)
def test_immediate_orders_do_not_wait(time, qty, outcome):
    desk = a_story(100)
    desk.engine.filling = Filling(slice_value=Decimal(400))
    order = desk.place(qty=qty, time_in_force=time)
    desk.tick()

    assert (order.status, order.filled_qty > 0) == outcome


def test_an_immediate_limit_away_from_the_market_is_canceled():
    desk = a_story(100)
    order = desk.place(kind="limit", limit_price=90, time_in_force="ioc")
    desk.tick()

    assert (order.status, order.filled_qty) == ("canceled", 0)


def test_an_amount_of_money_buys_what_it_can():
    desk = a_story(100)
    order = desk.place(qty=None, notional=55)
    desk.tick()

    assert order.status == "filled"
    assert Decimal("54.99999") < order.filled_value <= 55
    assert order.filled_qty == order.filled_qty.quantize(Decimal("1e-9"))


def test_a_cancel_is_pending_until_the_next_tick():
    desk = a_story(100)
    order = desk.place(kind="limit", limit_price=90)
    desk.tick()
    desk.engine.cancel(order)
    asked = order.status
    desk.tick()

    assert (asked, order.status) == ("pending_cancel", "canceled")
    assert order.canceled_ns is not None


def test_selling_what_one_does_not_have_is_a_short_position():
    desk = a_story(100, 90)
    desk.place("sell", qty=5)
    desk.tick()
    short = desk.shares
    desk.tick(1.5)
    gain = desk.engine.balances(desk.account).equity - 100_000
    desk.place("buy", qty=5)
    desk.tick()

    assert short == -5
    assert 49 < gain < 51
    assert desk.shares == 0
    assert 49 < desk.account.cash - 100_000 < 51


def test_the_average_price_is_of_what_was_bought():
    desk = a_story(100, 120, 140)
    for _ in range(2):
        desk.place(qty=10)
        desk.tick()
        desk.engine.clock.advance(1.2)
    desk.tick()
    desk.place("sell", qty=5)
    desk.tick()

    assert desk.shares == 15
    assert abs(desk.account.position("XYZ").average - 110) < Decimal("0.02")


def test_open_orders_hold_buying_power_and_shares():
    desk = a_story(100)
    desk.place(qty=100)
    desk.tick()
    free = desk.engine.balances(desk.account).buying_power
    desk.place(kind="limit", limit_price=90, qty=10)
    after = desk.engine.balances(desk.account)
    desk.place("sell", "limit", limit_price=200, qty=30)

    assert after.reserved == 900
    assert free - after.buying_power == 900
    assert desk.account.available("XYZ") == 70


def test_events_say_what_a_fill_was():
    desk = a_story(100)
    heard = []
    stop = desk.engine.listen(heard.append)
    desk.place(qty=3)
    desk.tick()
    stop()
    desk.place(qty=3)

    fill = heard[-1].fill
    assert [event.kind for event in heard] == ["pending_new", "new", "fill"]
    assert (fill.qty, fill.position_qty, fill.leaves_qty) == (3, 3, 0)
    assert fill.time_ns == desk.engine.clock.now_ns()
    assert fill.time_ns - ns_of(OPEN) <= 2 * SECOND


def test_ids_are_the_same_in_every_run():
    assert a_story(100).place().id == a_story(100).place().id
