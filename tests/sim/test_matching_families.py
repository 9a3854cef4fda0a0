"""Orders tied to one another, to a time of the day, or to an expiry."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from sentio_async.sim.clock import SimClock, ns_of
from sentio_async.sim.instruments import Instruments
from sentio_async.sim.ledger import Move
from sentio_async.sim.market import Market
from sentio_async.sim.matching import Engine, Filling
from sim.stories import Desk, a_story


def test_a_bracket_waits_then_takes_its_profit_and_drops_its_stop():
    desk = a_story(100, 100, 111)
    entry, profit, stop = desk.place_bracket()
    before = (profit.status, stop.status)
    desk.tick()
    desk.tick()
    inside = (entry.status, profit.status, stop.status)
    desk.tick(2.5)

    assert before == ("held", "held")
    assert inside == ("filled", "new", "held")
    assert (profit.status, stop.status) == ("filled", "canceled")
    assert desk.shares == 0


def test_a_bracket_stops_out_and_drops_its_profit():
    desk = a_story(100, 94)
    _, profit, stop = desk.place_bracket()
    desk.tick()
    desk.tick(1.5)

    assert (profit.status, stop.status) == ("canceled", "filled")
    assert desk.shares == 0


def test_a_stop_sells_only_what_the_profit_left():
    desk = a_story(100, 111, 94)
    _, profit, stop = desk.place_bracket()
    desk.tick()
    desk.tick()
    desk.engine.filling = Filling(slice_value=Decimal(450))
    # The last trade at 111 is over.
    desk.tick(1.999)
    sold = profit.filled_qty
    desk.engine.filling = Filling()
    desk.tick(1)

    assert 0 < sold < 10
    assert stop.filled_qty == 10 - sold
    assert desk.shares == 0


def test_a_cancelled_entry_takes_its_exits_with_it():
    desk = a_story(100)
    entry, profit, stop = desk.place_bracket(kind="limit", limit_price=90)
    desk.tick()
    desk.engine.cancel(entry)
    desk.tick()

    assert {entry.status, profit.status, stop.status} == {"canceled"}


def test_cancelling_one_exit_ends_the_other():
    desk = a_story(100)
    _, profit, stop = desk.place_bracket()
    desk.tick()
    desk.tick()
    desk.engine.cancel(stop)

    assert {profit.status, stop.status} == {"canceled"}
    assert desk.shares == 10


def test_one_cancels_the_other():
    desk = a_story(100, 94)
    desk.place()
    desk.tick()
    order = desk.an_order("sell", "limit", limit_price=110, order_class="oco")
    stop = desk.an_order("sell", "stop", stop_price=95, parent=order, order_class="oco")
    order.legs = [stop]
    desk.engine.submit(order)
    desk.tick()
    inside = (order.status, stop.status, desk.account.held("XYZ"))
    desk.tick(1.5)

    assert inside == ("new", "held", 10)
    assert (order.status, stop.status) == ("canceled", "filled")


def test_one_triggers_the_other():
    desk = a_story(100, 94)
    order = desk.an_order(order_class="oto")
    order.legs = [desk.an_order("sell", "stop", stop_price=95, parent=order, order_class="oto")]
    desk.engine.submit(order)
    desk.tick()
    desk.tick()
    waiting = order.legs[0].status
    desk.tick(1.5)

    assert (waiting, order.legs[0].status) == ("new", "filled")


def test_a_replacement_takes_the_place_with_the_next_tick():
    desk = a_story(100)
    old = desk.place(kind="limit", limit_price=90)
    desk.tick()
    new = desk.an_order(kind="limit", limit_price=101)
    desk.engine.replace(old, new)
    asked = (old.status, new.status)
    desk.tick()

    assert asked == ("pending_replace", "pending_new")
    assert (old.status, old.replaced_by, new.replaces) == ("replaced", new.id, old.id)
    assert new.status == "filled"
    assert desk.shares == 10


def test_a_replaced_exit_stays_tied_to_its_sibling():
    desk = a_story(100, 106)
    entry, profit, stop = desk.place_bracket()
    desk.tick()
    desk.tick()
    closer = desk.an_order("sell", "limit", limit_price=105, order_class="bracket")
    desk.engine.replace(profit, closer)
    desk.tick()
    inside = (profit.status, closer.status, stop.status)
    desk.tick(1.5)

    assert inside == ("replaced", "new", "held")
    assert entry.legs == [closer, stop]
    assert (closer.status, stop.status) == ("filled", "canceled")


def test_a_replaced_held_exit_stays_held():
    desk = a_story(100)
    entry, _, stop = desk.place_bracket(kind="limit", limit_price=90)
    desk.tick()
    lower = desk.an_order("sell", "stop", stop_price=80, order_class="bracket")
    desk.engine.replace(stop, lower)
    desk.tick()

    assert (stop.status, lower.status) == ("replaced", "held")
    assert lower in entry.legs


def test_a_day_order_ends_with_the_session():
    clock = SimClock(datetime(2026, 3, 11, 19, 59, tzinfo=UTC), is_running=False)
    desk = Desk(Engine(Market(clock, Instruments(), hours="nyse"), clock))
    day = desk.place(kind="limit", limit_price=1, symbol="AAPL")
    late = desk.place(kind="limit", limit_price=1, symbol="AAPL", extended_hours=True)
    gtc = desk.place(kind="limit", limit_price=1, symbol="AAPL", time_in_force="gtc")
    desk.tick()
    desk.tick(60)
    after_close = (day.status, late.status, gtc.status)
    desk.tick(4 * 3600)

    assert after_close == ("expired", "new", "new")
    assert (late.status, gtc.status) == ("expired", "new")
    assert day.expires_ns == ns_of(datetime(2026, 3, 11, 20, 0, tzinfo=UTC))


def test_orders_wait_for_the_market_to_open():
    clock = SimClock(datetime(2026, 3, 11, 12, 0, tzinfo=UTC), is_running=False)
    desk = Desk(Engine(Market(clock, Instruments(), hours="nyse"), clock))
    order = desk.place(symbol="AAPL")
    early = desk.place(kind="limit", limit_price=1000, symbol="AAPL", extended_hours=True, qty=1)
    coin = desk.place(symbol="BTC/USD", qty="0.01", time_in_force="gtc")
    desk.tick()
    before = (order.status, early.status, coin.status)
    desk.tick(90 * 60)

    assert before == ("accepted", "filled", "filled")
    assert order.status == "filled"


def test_auction_orders_wait_for_the_auction():
    clock = SimClock(datetime(2026, 3, 11, 12, 0, tzinfo=UTC), is_running=False)
    desk = Desk(Engine(Market(clock, Instruments(), hours="nyse"), clock))
    at_open = desk.place(symbol="AAPL", time_in_force="opg")
    at_close = desk.place(symbol="AAPL", time_in_force="cls")
    too_low = desk.place(kind="limit", limit_price=1, symbol="AAPL", time_in_force="opg")
    seen = []
    for hours in (0, 1.5, 6.5):
        desk.tick(hours * 3600)
        seen.append((at_open.status, at_close.status, too_low.status))

    assert seen == [
        ("accepted", "accepted", "accepted"),
        ("filled", "accepted", "canceled"),
        ("filled", "filled", "canceled"),
    ]


@pytest.mark.parametrize(
    ("strike", "right", "qty", "shares"),
    [("185", "C", 2, 200), ("185", "P", 2, 0), ("275", "P", 1, -100), ("185", "C", -1, -100)],
)
def test_contracts_are_settled_at_expiry(strike, right, qty, shares):
    friday = date(2026, 3, 13)
    clock = SimClock(datetime(2026, 3, 13, 19, 0, tzinfo=UTC), is_running=False)
    desk = Desk(Engine(Market(clock, Instruments(), seed=1), clock))
    symbol = f"AAPL{friday:%y%m%d}{right}{strike:0>5}000"
    contract = desk.engine.market.instruments.get(symbol)
    side = "buy" if qty > 0 else "sell"
    desk.account.move(
        Move(clock.now_ns(), contract, side, Decimal(abs(qty)), Decimal(1), Decimal(0))
    )
    desk.tick()
    held = set(desk.account.positions)
    desk.tick(3600)
    stock = desk.account.position("AAPL")

    assert held == {symbol}
    assert symbol not in desk.account.positions
    assert (stock.qty if stock else 0) == shares
    assert desk.account.cash == 100_000 - shares * Decimal(strike)
