"""Orders on the wire: written to the last digit, read without guessing."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from connectors.alpaca.calls import an_order
from connectors.alpaca.own_payloads import payload
from sentio_async import errors
from sentio_async.connectors.alpaca.wire import orders
from sentio_async.models import (
    AssetClass,
    OrderChange,
    OrderClass,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
)

EXITS = {"take_profit": {"limit_price": "301"}, "stop_loss": {"stop_price": "299"}}


def test_an_order_is_read_to_the_last_digit_and_nanosecond():
    order = orders.read_order(payload("order_partly_filled"))

    assert order.status is OrderStatus.PARTIALLY_FILLED
    assert order.filled_qty == Decimal("3.057436865")
    assert order.remaining_qty == Decimal("6.942563135")
    assert order.filled_avg_price == Decimal("150.2416666")
    assert order.submitted_at == datetime(2026, 3, 2, 14, 30, 0, 123456, tzinfo=UTC)
    assert order.nanoseconds["submitted_at"] % 1_000_000_000 == 123_456_789
    assert "filled_at" not in order.nanoseconds
    assert order.raw["expires_at"] == "2026-03-02T21:00:00Z"


def test_the_exits_of_a_bracket_are_orders_and_the_held_one_says_so():
    order = orders.read_order(payload("order_bracket"))

    assert order.order_class is OrderClass.BRACKET
    assert [leg.status for leg in order.legs] == [OrderStatus.OPEN, OrderStatus.HELD]
    assert [leg.type for leg in order.legs] == [OrderType.LIMIT, OrderType.STOP_LIMIT]
    assert order.filled_at == datetime(2026, 3, 2, 14, 30, 1, 500000, tzinfo=UTC)


def test_the_parent_of_several_legs_has_no_side_and_its_legs_no_type():
    order = orders.read_order(payload("order_mleg"))

    assert order.side is None
    assert order.limit_price == Decimal("-0.60")
    assert [leg.side for leg in order.legs] == [OrderSide.BUY, OrderSide.SELL]
    assert [leg.type for leg in order.legs] == [None, None]
    assert [leg.ratio_qty for leg in order.legs] == [1, 1]
    assert order.asset_class is AssetClass.UNKNOWN


def test_a_trailing_stop_keeps_its_high_water_mark():
    order = orders.read_order(payload("order_trailing"))

    assert (order.trail_percent, order.high_water_mark) == (Decimal("2.5"), Decimal("152.1"))


@pytest.mark.parametrize(
    ("field", "word"),
    [
        ("status", "levitating"),
        ("side", "sideways"),
        ("side", None),
        ("type", "iceberg"),
        ("time_in_force", "forever"),
        ("order_class", "octopus"),
        ("position_intent", "buy_to_hold"),
    ],
)
def test_an_unknown_word_that_drives_money_is_never_guessed(field, word):
    with pytest.raises(errors.UnknownWordError) as caught:
        orders.read_order(payload("order_partly_filled", **{field: word}))

    assert caught.value.field == field


def test_a_class_of_assets_that_is_new_only_describes():
    order = orders.read_order(payload("order_partly_filled", asset_class="moon_rock"))

    assert order.asset_class is AssetClass.UNKNOWN
    assert order.raw["asset_class"] == "moon_rock"


def test_one_odd_order_does_not_cost_the_others():
    rows = orders.read_orders(payload("orders_with_an_odd_one"))

    assert [row.client_order_id for row in rows] == ["mine-11", "mine-10"]
    assert [(skip.index, "levitating" in skip.reason) for skip in rows.skipped] == [(1, True)]


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("pending_cancel", OrderStatus.OPEN),
        ("pending_replace", OrderStatus.OPEN),
        ("accepted", OrderStatus.PENDING),
        ("pending_new", OrderStatus.PENDING),
        ("held", OrderStatus.HELD),
        ("done_for_day", OrderStatus.DONE_FOR_DAY),
        ("replaced", OrderStatus.REPLACED),
    ],
)
def test_an_order_is_final_only_when_alpaca_says_so(word, status):
    order = orders.read_order(payload("order_partly_filled", status=word))

    assert order.status is status
    assert order.venue_status == word
    assert order.is_final is (word == "replaced")


def test_an_order_by_money_has_no_quantity():
    order = orders.read_order(payload("order_partly_filled", qty=None, notional="5"))

    assert (order.qty, order.notional, order.remaining_qty) == (None, 5, None)


def test_cancelling_all_is_told_order_by_order():
    results = orders.read_cancel_results(payload("cancel_all"))

    assert [result.accepted for result in results] == [True, False, False]
    assert [result.status_code for result in results] == [200, 422, 500]
    assert results[1].reason == 'order is already in "filled" state'


def test_an_order_says_only_what_was_said():
    assert orders.write_order(an_order()) == {
        "symbol": "AAPL",
        "qty": "1",
        "side": "buy",
        "type": "market",
        "time_in_force": "day",
    }


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("0.057436865", "0.057436865"),
        (Decimal("1E+2"), "100"),
        (Decimal("1E-9"), "0.000000001"),
        (0.1, "0.1"),
        (7, "7"),
    ],
)
def test_numbers_go_out_as_plain_text(given, text):
    assert orders.write_order(an_order(qty=given))["qty"] == text


def test_the_id_of_an_order_is_what_makes_it_recognised():
    call = orders.place_order(an_order(client_order_id="mine"))

    assert call.key == "mine"
    assert json.loads(call.body)["client_order_id"] == "mine"
    assert not call.endpoint.repeatable


@pytest.mark.parametrize("name", ["place_order", "replace_order"])
def test_what_makes_an_order_is_not_repeatable(name):
    assert not getattr(orders, name).endpoint.repeatable


@pytest.mark.parametrize(
    "changes",
    [
        {"order_class": "bracket", "take_profit": EXITS["take_profit"]},
        {"order_class": "bracket", "stop_loss": EXITS["stop_loss"]},
        {"order_class": "oco"},
        {"order_class": "oto"},
        {"order_class": "oto", **EXITS},
        {"stop_loss": EXITS["stop_loss"]},
        {
            "order_class": "mleg",
            "symbol": "",
            "side": None,
            "legs": [{"symbol": "X", "ratio_qty": 1}] * 5,
        },
    ],
)
def test_what_alpaca_is_certain_to_refuse_is_not_sent(changes):
    with pytest.raises(errors.InvalidRequestError):
        orders.place_order(an_order(**changes))


def test_a_change_says_only_what_changes():
    call = orders.replace_order("7", OrderChange(limit_price=Decimal("1E+2")))

    assert json.loads(call.body) == {"limit_price": "100"}


@pytest.mark.parametrize(
    "filters",
    [
        {"before_order_id": "1", "after_order_id": "2"},
        {"before_order_id": "1", "after": datetime(2026, 3, 2, tzinfo=UTC)},
    ],
)
def test_filters_that_exclude_each_other_are_refused(filters):
    with pytest.raises(errors.InvalidRequestError):
        orders.orders(**filters)


@pytest.mark.parametrize("symbols", [[""], [" "], ["A,B"], [None], ["AAPL", ""]])
def test_a_symbol_that_would_drop_or_double_the_filter_is_refused(symbols):
    with pytest.raises(errors.InvalidRequestError, match="is not a name"):
        orders.orders(symbols=symbols)


@pytest.mark.parametrize("order_id", ["", ".", "..", "a\nb"])
def test_an_id_that_would_be_another_path_is_refused(order_id):
    with pytest.raises(errors.InvalidRequestError):
        orders.cancel_order(order_id)


def test_a_slash_in_an_id_stays_inside_its_segment():
    assert orders.cancel_order("../positions").path == "/v2/orders/..%2Fpositions"


@pytest.mark.parametrize(
    ("file", "fields"),
    [
        ("req_order_equity_spec", {}),
        ("req_order_crypto_spec", {}),
        ("req_order_option_spec", {}),
        ("req_bracket", {}),
        ("req_oco", {}),
        ("req_oto", {}),
        ("req_trailing_stop", {}),
    ],
)
def test_the_documents_own_orders_are_written_as_they_write_them(shared, file, fields):
    wanted = json.loads((shared / "payloads" / "alpaca" / f"{file}.json").read_bytes())

    assert orders.write_order(OrderRequest(**wanted, **fields)) == wanted


def test_the_documents_own_change_is_written_as_they_write_it(shared):
    path = shared / "payloads" / "alpaca" / "req_replace_equity_spec.json"
    wanted = json.loads(path.read_bytes())

    assert orders.write_change(OrderChange(**wanted)) == wanted
