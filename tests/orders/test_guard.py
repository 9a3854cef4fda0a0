"""The rails themselves, without a gateway around them."""

from decimal import Decimal, localcontext

import pytest

from orders.venues import an_order
from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.models.trading import OrderChange
from sentio_async.orders.rails import Guard, Rails, overfill


def a_limit(**more):
    return an_order(**{"type": "limit", "limit_price": "9", **more})


def test_the_smallest_rails_are_rails():
    Rails(max_qty=Decimal("0.5"), max_notional=Decimal("0.5"), orders_per_second=1, max_unknown=1)

    with pytest.raises(errors.ConfigurationError, match="more than zero: Rails"):
        Rails(max_qty=Decimal(0))


def test_a_change_is_checked_as_what_the_order_will_be():
    guard = Guard(Rails())
    base = a_limit()

    assert guard.check_change(base, OrderChange(limit_price="10"), 0.0) == a_limit(limit_price="10")
    assert guard.check_change(base, OrderChange(qty="3"), 0.0) == a_limit(qty="3")
    assert guard.check_change(
        a_limit(type="stop_limit", stop_price="8"), OrderChange(stop_price="7"), 0.0
    ) == a_limit(type="stop_limit", stop_price="7")
    assert guard.check_change(base, OrderChange(time_in_force="gtc"), 0.0) == a_limit(
        time_in_force="gtc"
    )


def test_a_change_to_what_no_order_can_be_is_refused():
    with pytest.raises(errors.InvalidRequestError) as caught:
        Guard(Rails()).check_change(an_order(), OrderChange(limit_price="10"), 0.0)

    text = "change: a market order takes no limit_price; did you mean type='limit'?"
    assert (caught.value.message, caught.value.outcome) == (text, Outcome.NOT_SENT)


def test_a_change_of_its_quantity_makes_an_order_by_money_one_by_quantity():
    wanted = Guard(Rails()).check_change(an_order(notional="100"), OrderChange(qty="3"), 0.0)

    assert wanted == an_order(qty="3")


def test_a_change_counts_as_an_order_of_its_second():
    guard = Guard(Rails(orders_per_second=1))
    guard.check_change(a_limit(), OrderChange(qty="3"), 5.0)

    with pytest.raises(errors.RateLimitError, match="ACME: the rail is 1 orders a second") as bad:
        guard.check(a_limit(), 5.75)

    assert bad.value.retry_after == 0.25
    assert bad.value.scope == "ACME"
    assert bad.value.outcome is Outcome.NOT_SENT
    guard.check(a_limit(), 6.0)


def test_a_change_of_an_order_from_elsewhere_may_reach_the_rail_and_not_pass_it():
    guard = Guard(Rails(max_qty=Decimal(20)))

    assert guard.check_change(None, OrderChange(qty="20"), 0.0) is None
    assert guard.check_change(None, OrderChange(limit_price="1"), 0.0) is None
    with pytest.raises(errors.OrderLimitError, match="qty: 21 is above the rail of 20"):
        guard.check_change(None, OrderChange(qty="21"), 0.0)


def test_what_is_said_of_an_order_above_the_rails():
    guard = Guard(Rails(max_qty=Decimal(20), max_notional=Decimal(100)))

    for order, words in (
        (a_limit(qty="21"), "qty: 21 is above the rail of 20"),
        (a_limit(qty="20"), "notional: 180 is above the rail of 100"),
        (
            an_order(),
            (
                "ACME: no price to hold against the rail of 100 (max_order_notional); "
                "give a limit_price, or say what it costs by price_of"
            ),
        ),
    ):
        with pytest.raises(errors.OrderLimitError) as caught:
            guard.check(order, 0.0)
        assert caught.value.message == words


def test_a_price_below_zero_is_worth_as_much_as_one_above():
    guard = Guard(Rails(max_notional=Decimal(89)))
    for side in ("buy", "sell"):
        with pytest.raises(errors.OrderLimitError, match="notional: 90"):
            guard.check(a_limit(limit_price="-9", side=side), 0.0)


def test_a_known_price_below_zero_is_none():
    with pytest.raises(errors.OrderLimitError, match="no price"):
        Guard(Rails(max_notional=Decimal(99), price_of=lambda _: Decimal(-9))).check(an_order(), 0)


@pytest.mark.parametrize(
    ("order", "worth"),
    [
        (an_order(side="sell", type="limit", limit_price="0.01"), "1000"),
        (an_order(side="sell", type="limit", limit_price="101"), "1010"),
        (an_order(type="stop", stop_price="1"), "1000"),
        (an_order(side="sell", type="trailing_stop", trail_price="1"), "1000"),
        (an_order(type="limit", limit_price="99"), None),
    ],
)
def test_what_can_fill_at_more_than_it_names_is_held_against_the_known_price(order, worth):
    guard = Guard(Rails(max_notional=Decimal(999), price_of=lambda _: Decimal(100)))
    if worth is None:
        guard.check(order, 0.0)
        return
    with pytest.raises(errors.OrderLimitError, match=f"notional: {worth} is above"):
        guard.check(order, 0.0)


def test_a_sale_without_a_known_price_is_worth_what_it_names():
    Guard(Rails(max_notional=Decimal(90))).check(a_limit(side="sell"), 0.0)


SPREAD = [
    {"symbol": "ACME260320C00100000", "ratio_qty": 1, "side": "buy"},
    {"symbol": "ACME260320C00110000", "ratio_qty": 1, "side": "sell"},
]


@pytest.mark.parametrize(
    "order",
    [
        an_order("ACME260320C00100000", type="limit", limit_price="9"),
        an_order(" acme260320c00100000", type="limit", limit_price="9", side="sell"),
        an_order("", side=None, type="limit", limit_price="-9", order_class="mleg", legs=SPREAD),
    ],
)
def test_options_are_quoted_by_the_share(order):
    asked = []
    guard = Guard(Rails(max_notional=Decimal(8999), price_of=asked.append))
    with pytest.raises(errors.OrderLimitError, match="notional: 9000 is above"):
        guard.check(order, 0.0)
    assert "" not in asked
    Guard(Rails(max_notional=Decimal(9000))).check(order, 0.0)


def test_a_change_of_an_order_from_elsewhere_is_held_against_what_it_says():
    guard = Guard(Rails(max_notional=Decimal(100)))

    guard.check_change(None, OrderChange(qty="10", limit_price="-10"), 0.0)
    guard.check_change(None, OrderChange(qty="11"), 0.0)
    with pytest.raises(errors.OrderLimitError, match="notional: 110 is above the rail of 100"):
        guard.check_change(None, OrderChange(qty="11", limit_price="-10"), 0.0)
    Guard(Rails()).check_change(None, OrderChange(qty="11", limit_price="10"), 0.0)


def test_only_what_was_wanted_may_be_filled():
    assert overfill(None, Decimal(99)) is None
    assert overfill(an_order(), Decimal(10)) is None
    assert overfill(an_order(), Decimal(11)) == "ACME: 11 was filled for an order of 10"


@pytest.mark.parametrize("root", ["F", "ACME", "ACME1", "ABCDEF", "BRK.B"])
def test_an_option_is_one_whatever_its_root(root):
    guard = Guard(Rails(max_notional=Decimal(8999)))
    with pytest.raises(errors.OrderLimitError, match="notional: 9000 is above"):
        guard.check(a_limit(symbol=f"{root}260320C00100000"), 0.0)


@pytest.mark.parametrize("order", [an_order(notional="1001"), a_limit(notional="91")])
def test_an_order_by_money_is_held_against_the_rail_of_its_quantity(order):
    known = Guard(Rails(max_qty=Decimal(10), price_of=lambda _: 100))
    with pytest.raises(errors.OrderLimitError, match=r"qty: 10\.\d+ is above the rail of 10"):
        known.check(order, 0.0)
    Guard(Rails(max_qty=Decimal(11), price_of=lambda _: 100)).check(order, 0.0)


def test_an_order_by_money_without_a_price_needs_a_rail_of_money():
    order = an_order(notional="1000")
    with pytest.raises(errors.OrderLimitError) as caught:
        Guard(Rails(max_qty=Decimal(10))).check(order, 0.0)
    assert caught.value.message == (
        "ACME: no price to hold an order by money against the rail of 10 (max_order_qty); "
        "give a qty, or say what it costs by price_of"
    )
    Guard(Rails(max_qty=Decimal(10), max_notional=Decimal(1000))).check(order, 0.0)


def test_a_symbol_is_one_however_it_is_spelt():
    guard = Guard(Rails(orders_per_second=1))
    guard.check(an_order("BTC/USD"), 0.0)
    with pytest.raises(errors.RateLimitError):
        guard.check(an_order("btcusd"), 0.5)


def test_rails_reckon_exactly_whatever_the_program_reckons_in():
    guard = Guard(Rails(max_notional=Decimal(25000)))
    with localcontext() as six:
        six.prec = 3
        for order in (
            a_limit(qty="1", limit_price="25040"),
            a_limit(qty="1", limit_price="-25040", side="sell"),
            a_limit(qty="2", limit_price="12520"),
        ):
            with pytest.raises(errors.OrderLimitError, match="notional: 25040 is above"):
                guard.check(order, 0.0)


def test_an_order_beyond_all_numbers_is_refused():
    guard = Guard(Rails(max_notional=Decimal(25000)))
    with pytest.raises(errors.OrderLimitError, match="notional: it is beyond all numbers"):
        guard.check(a_limit(qty="1e999999", limit_price="10"), 0.0)


def test_a_price_that_cannot_be_told_is_logged(caplog):
    guard = Guard(Rails(max_notional=Decimal(89), price_of=lambda _: 1 / 0))

    with pytest.raises(errors.OrderLimitError, match="no price"):
        guard.check(an_order(), 0.0)

    assert caplog.messages == ["price_of('ACME') failed"]
    assert caplog.records[0].exc_info[0] is ZeroDivisionError
