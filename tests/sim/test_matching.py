"""The engine: told the time tick by tick, against prices written down beforehand."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from sentio_async.sim.clock import SECOND, SimClock, ns_of
from sentio_async.sim.instruments import Instruments
from sentio_async.sim.ledger import Move
from sentio_async.sim.market import Market
from sentio_async.sim.matching import Engine, Filling
from sentio_async.sim.orders import Order
from sentio_async.sim.prices import MINUTE
from sentio_async.sim.replay import Replay
from sentio_async.sim.rows import Bar

OPEN = datetime(2026, 3, 11, 14, 0, tzinfo=UTC)


def a_story(*prices, symbol="XYZ", start=OPEN):
    """An engine whose market stands at each of these prices for a minute, a second each."""
    bars = [
        Bar(ns_of(start) + n * MINUTE, *[Decimal(str(price))] * 4, 100_000, 0, Decimal(1))
        for n, price in enumerate(prices)
    ]
    clock = SimClock(is_running=False)
    market = Market(clock, Instruments(), seed=1, replay=Replay({symbol: bars}, pace=1.0))
    return Desk(Engine(market, clock, seed=1))


class Desk:
    """One account, its orders, and time that passes when told."""

    def __init__(self, engine):
        self.engine = engine
        self.account = engine.account(engine.add_account())
        self.told = []
        engine.listen(lambda event: self.told.append((event.kind, event.order.type)))

    def an_order(self, side="buy", kind="market", *, qty=10, parent=None, symbol="XYZ", **more):
        names = ("limit_price", "stop_price", "trail_price", "trail_percent", "notional")
        values = {k: Decimal(str(v)) if k in names else v for k, v in more.items()}
        id = self.engine.new_id()
        return Order(
            id=id,
            client_order_id=id,
            account=self.account.number,
            number=self.engine.new_number(),
            instrument=self.engine.market.instruments.get(symbol),
            side=side,
            type=kind,
            created_ns=self.engine.clock.now_ns(),
            qty=None if qty is None else Decimal(str(qty)),
            parent=parent,
            **{"time_in_force": "day", **values},
        )

    def place(self, *args, **more):
        order = self.an_order(*args, **more)
        self.engine.submit(order)
        return order

    def place_bracket(self, *, take=110, stop=95, **more):
        order = self.an_order(order_class="bracket", **more)
        exits = [("limit", {"limit_price": take}), ("stop", {"stop_price": stop})]
        order.legs = [
            self.an_order("sell", kind, parent=order, order_class="bracket", **prices)
            for kind, prices in exits
        ]
        self.engine.submit(order)
        return order, *order.legs

    def tick(self, seconds=0.0):
        self.engine.clock.advance(seconds)
        self.engine.tick()

    @property
    def shares(self):
        position = self.account.position("XYZ")
        return position.qty if position else 0


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
