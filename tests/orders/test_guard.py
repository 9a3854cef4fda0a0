"""The rails themselves, without a gateway around them."""

from decimal import Decimal

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
                "ACME: no price to hold against the rail of 100 (max_notional); "
                "give a limit_price, or say what it costs by price_of"
            ),
        ),
    ):
        with pytest.raises(errors.OrderLimitError) as caught:
            guard.check(order, 0.0)
        assert caught.value.message == words


def test_a_price_below_zero_is_worth_as_much_as_one_above():
    with pytest.raises(errors.OrderLimitError, match="notional: 90"):
        Guard(Rails(max_notional=Decimal(89), price_of=lambda _: Decimal(-9))).check(an_order(), 0)


def test_only_what_was_wanted_may_be_filled():
    assert overfill(None, Decimal(99)) is None
    assert overfill(an_order(), Decimal(10)) is None
    assert overfill(an_order(), Decimal(11)) == "ACME: 11 was filled for an order of 10"


def test_a_price_that_cannot_be_told_is_logged(caplog):
    guard = Guard(Rails(max_notional=Decimal(89), price_of=lambda _: 1 / 0))

    with pytest.raises(errors.OrderLimitError, match="no price"):
        guard.check(an_order(), 0.0)

    assert caplog.messages == ["price_of('ACME') failed"]
    assert caplog.records[0].exc_info[0] is ZeroDivisionError
