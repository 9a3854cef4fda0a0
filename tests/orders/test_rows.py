"""Rows as text: a journal of today must be readable by every later version."""

from decimal import Decimal

import pytest

from orders.venues import an_answer, an_order
from sentio_async.models.trading import OrderChange
from sentio_async.orders.intent import Intent, Kind
from sentio_async.orders.journal import Row, Step
from sentio_async.orders.rows import read_row, write_row

ORDER = an_order(type="limit", limit_price="10.50", client_order_id="one")
ORDER_TEXT = (
    '"order":{"symbol":"ACME","side":"buy","qty":"10","type":"limit",'
    '"limit_price":"10.50","client_order_id":"one"}'
)


def an_intent(id, kind, at, **more):
    return Intent(id=id, kind=kind, at=at, until=at + 30, **more)


WRITTEN = [
    (
        Row(
            "one",
            Step.INTENT,
            1.5,
            intent=an_intent("one", Kind.PLACE, 1.5, intent_key="k", order=ORDER),
        ),
        (
            "one",
            "intent",
            1.5,
            0,
            '{"intent":{"id":"one","kind":"place","at":1.5,"until":31.5,"intent_key":"k",'
            + ORDER_TEXT
            + "}}",
            1771422034,
        ),
    ),
    (
        Row(
            "two",
            Step.INTENT,
            2.0,
            intent=an_intent(
                "two",
                Kind.REPLACE,
                2.0,
                order=ORDER,
                change=OrderChange(qty="3", client_order_id="two"),
                order_id="v1",
            ),
        ),
        (
            "two",
            "intent",
            2.0,
            0,
            '{"intent":{"id":"two","kind":"replace","at":2.0,"until":32.0,"order_id":"v1",'
            + ORDER_TEXT
            + ',"change":{"qty":"3","client_order_id":"two"}}}',
            3558624168,
        ),
    ),
    (Row("one", Step.SENT, 1.5, 1), ("one", "sent", 1.5, 1, "", 475978863)),
    (
        Row("one", Step.REJECTED, 1.5, 1, reason="no é"),
        ("one", "rejected", 1.5, 1, '{"reason":"no \\u00e9"}', 644507224),
    ),
]


@pytest.mark.parametrize(("row", "record"), WRITTEN, ids=[row.step.value for row, _ in WRITTEN])
def test_a_row_is_written_as_it_always_was_and_read_back(row, record):
    assert write_row(row) == record
    assert read_row(record) == row


async def test_what_an_order_does_not_have_is_not_written():
    row = Row("one", Step.ACKED, 1.5, 1, order=an_answer(ORDER, submitted_at=None))

    text = write_row(row)[4]

    assert text.startswith('{"order":{"id":"v1","client_order_id":"one","symbol":"ACME",')
    assert "null" not in text
    assert read_row(write_row(row)) == row


async def test_an_order_may_lack_what_others_have():
    by_money = an_answer(an_order(notional="100", client_order_id="one"), submitted_at=None)
    leg = by_money.model_copy(update={"type": None, "qty": Decimal(1)})
    parent = by_money.model_copy(update={"side": None, "legs": (leg, by_money)})

    for order in (by_money, leg, parent):
        row = Row("one", Step.ACKED, 1.5, 1, order=order)
        assert "null" not in write_row(row)[4]
        assert read_row(write_row(row)) == row


@pytest.mark.parametrize("place", range(5))
def test_a_changed_row_is_noticed_whichever_part_was_changed(place):
    record = list(WRITTEN[3][1])
    record[place] = {0: "two", 1: "acked", 2: 1.25, 3: 2, 4: '{"reason":"yes"}'}[place]

    with pytest.raises(ValueError, match=f"^row about '{record[0]}' was changed$"):
        read_row(tuple(record))


@pytest.mark.parametrize(
    "wrong", [{"limit_price": Decimal(9)}, {"notional": Decimal(9)}, {"qty": Decimal("NaN")}]
)
def test_what_could_not_be_read_again_is_not_written(wrong):
    order = an_order(client_order_id="one").model_copy(update=wrong)
    row = Row("one", Step.INTENT, 1.0, intent=an_intent("one", Kind.PLACE, 1.0, order=order))

    with pytest.raises(ValueError, match="OrderRequest"):
        write_row(row)
