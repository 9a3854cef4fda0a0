"""An order is made without being checked again, and is what a checked one is."""

import copy
import json
import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.alpaca.own_payloads import FOLDER
from sentio_async.connectors.alpaca.wire import orders, words
from sentio_async.connectors.alpaca.wire.numbers import times
from sentio_async.http.wire_json import decode_json
from sentio_async.models import Order

RECORDED = Path(__file__).parents[4] / "shared" / "payloads" / "alpaca"


def rows_in(value):
    """Every order in an answer, wherever it stands."""
    if isinstance(value, dict):
        is_order = {"client_order_id", "filled_qty", "time_in_force"} <= value.keys()
        if is_order and value["status"] in words.STATUS:
            yield value
        for part in value.values():
            yield from rows_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from rows_in(part)


def recorded():
    for folder in (FOLDER, RECORDED):
        for path in sorted(folder.glob("*.json")):
            for number, row in enumerate(rows_in(decode_json(path.read_bytes()))):
                yield pytest.param(row, id=f"{path.stem}-{number}")


def check_same(order):
    given = {name: getattr(order, name) for name in order.model_fields_set}
    checked = Order.model_validate(given)

    assert order == checked
    assert order.model_fields_set == checked.model_fields_set
    assert list(vars(order)) == list(vars(checked)) == list(Order.model_fields)
    assert [type(each) for each in vars(order).values()] == [
        type(each) for each in vars(checked).values()
    ]
    assert order.raw == checked.raw
    assert order.model_dump() == checked.model_dump()
    assert order.model_dump_json(exclude_unset=True) == checked.model_dump_json(exclude_unset=True)
    assert repr(order) == repr(checked)
    assert pickle.loads(pickle.dumps(order)) == copy.deepcopy(order) == checked
    for leg in order.legs:
        check_same(leg)


@pytest.mark.parametrize("row", list(recorded()))
def test_every_recorded_order_is_what_a_checked_one_is(row):
    order = orders.read_order(row)

    check_same(order)
    changed = order.model_copy(update={"venue_status": "other"})
    assert (changed.venue_status, order.venue_status) == ("other", row["status"])
    with pytest.raises(ValidationError):
        order.status = changed.status


amounts = st.none() | st.just("") | st.decimals(-(10**9), 10**9, places=6).map(str)
moments = st.datetimes(datetime(1970, 1, 2), datetime(2099, 1, 1))
digits = st.text("0123456789", max_size=9)


@st.composite
def texts_of_times(draw):
    text = draw(moments).replace(microsecond=0).isoformat()
    fraction = draw(digits)
    zone = draw(st.sampled_from(["Z", "Z", "Z", "+00:00", "-05:00"]))
    return f"{text}.{fraction}{zone}" if fraction else f"{text}{zone}"


def one_of(known):
    return st.sampled_from(sorted(known))


def rows(legs):
    asked = {
        "id": st.text(max_size=8),
        "client_order_id": st.text(max_size=8),
        "status": one_of(words.STATUS),
        "filled_qty": st.decimals(0, 10**6, places=9).map(str),
        "time_in_force": one_of(words.TIME_IN_FORCE),
        "side": one_of(words.SIDE),
        "type": one_of(words.ORDER_TYPE),
    }
    names = ("qty", "notional", "filled_avg_price", "limit_price", "stop_price", "trail_price")
    optional = {
        **dict.fromkeys((*names, "trail_percent", "hwm", "ratio_qty"), amounts),
        **dict.fromkeys(orders._TIMES, st.none() | texts_of_times()),
        **dict.fromkeys(("symbol", "replaces", "replaced_by"), st.none() | st.text(max_size=5)),
        "extended_hours": st.none() | st.booleans(),
        "order_class": one_of(words.ORDER_CLASS),
        "asset_class": st.none() | one_of(words.ASSET_CLASS) | st.just("new_thing"),
        "position_intent": one_of(words.INTENT),
        "legs": st.none() | legs,
    }
    return st.fixed_dictionaries(asked, optional=optional)


@settings(max_examples=300, deadline=None)
@given(rows(st.lists(rows(st.none()), max_size=2)))
def test_every_order_that_can_be_read_is_what_a_checked_one_is(row):
    check_same(orders.read_order(json.loads(json.dumps(row))))


@pytest.mark.parametrize("name", ["id", "client_order_id", "symbol", "replaces", "replaced_by"])
@pytest.mark.parametrize("value", [7, ["a"], {"a": "b"}, True])
def test_what_must_be_a_text_and_is_none_is_refused(name, value):
    row = {**decode_json((FOLDER / "order_partly_filled.json").read_bytes()), name: value}

    with pytest.raises(ValidationError):
        orders.read_order(row)


@pytest.mark.parametrize("name", ["id", "client_order_id"])
def test_an_order_without_an_id_is_refused(name):
    row = {**decode_json((FOLDER / "order_partly_filled.json").read_bytes()), name: None}

    with pytest.raises(ValidationError):
        orders.read_order(row)


@settings(max_examples=300, deadline=None)
@given(texts_of_times())
def test_a_time_is_cut_and_never_rounded(text):
    exact, cut = times({"at": text}, ["at"])

    assert cut["at"] == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
        microseconds=exact["at"] // 1000
    )
    assert cut["at"].utcoffset() == timedelta(0)
