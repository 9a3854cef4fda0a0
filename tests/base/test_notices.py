"""A trade, an alert and a priority in the words that people are told."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from sentio_async import errors
from sentio_async.base import NotificationConnector
from sentio_async.base.notification import priority_of, subject_of, text_of, trade_of
from sentio_async.models import NoticePriority

TRADE = {
    "symbol": "AAPL",
    "side": "sell",
    "qty": "10",
    "price": "187.20",
    "status": "filled",
    "order_id": "o-1",
    "strategy": "momentum",
    "profit_loss": "-1.50",
    "at": datetime(2026, 11, 24, 15, 30, tzinfo=UTC),
    "details": {"Venue": "X", "Note": None},
}


class Paper(NotificationConnector):
    """Keeps what it is to tell."""

    vendor = "paper"

    async def send_notification(self, recipient, subject, message, **more):
        return recipient, subject, message, more


def test_a_trade_is_told_line_by_line():
    notice = trade_of(TRADE)

    assert subject_of(notice) == "SELL 10 AAPL @ 187.20"
    assert text_of(notice).splitlines() == [
        "Symbol: AAPL",
        "Side: sell",
        "Quantity: 10",
        "Price: 187.20",
        "Total: 1872.00",
        "Status: filled",
        "Order: o-1",
        "Strategy: momentum",
        "Profit/loss: -1.50",
        "Time: 2026-11-24T15:30:00+00:00",
        "Venue: X",
    ]


def test_what_nobody_knows_of_a_trade_is_not_told():
    notice = trade_of({"symbol": "KO", "side": "buy", "qty": Decimal("0.5")})

    assert subject_of(notice) == "BUY 0.5 KO"
    assert text_of(notice).splitlines() == ["Symbol: KO", "Side: buy", "Quantity: 0.5"]


def test_amounts_are_told_as_people_write_them():
    amounts = {"qty": Decimal(100).normalize(), "price": "1.872E+2", "profit_loss": "-1E-8"}
    notice = trade_of(
        {"symbol": "KO", "side": "buy", **amounts, "details": {"Fee": Decimal("1E+1")}}
    )

    assert subject_of(notice) == "BUY 100 KO @ 187.2"
    assert text_of(notice).splitlines()[2:] == [
        "Quantity: 100",
        "Price: 187.2",
        "Total: 18720",
        "Profit/loss: -0.00000001",
        "Fee: 10",
    ]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"symbol": "KO", "side": "buy"}, "trade: missing or wrong: qty"),
        ({"side": "up", "qty": 1}, "trade: missing or wrong: symbol, side"),
        ([], "trade: missing or wrong: trade"),
    ],
)
def test_what_is_wrong_with_a_trade_is_named(fields, words):
    with pytest.raises(errors.InvalidRequestError) as caught:
        trade_of(fields)
    assert caught.value.message == words


async def test_an_alert_says_how_urgent_it_is_and_a_trade_is_what_it_is():
    paper = Paper()

    assert await paper.send_alert("drawdown", "5 %", priority="critical", event_id="e") == (
        *(None, "[critical] drawdown", "5 %"),
        {"priority": NoticePriority.CRITICAL, "event_id": "e"},
    )
    assert (await paper.send_alert("x", "y"))[3]["priority"] is NoticePriority.HIGH
    notice = trade_of(TRADE)
    for given in (TRADE, notice):
        assert await paper.send_trade_notification(given, event_id="t") == (
            *(None, subject_of(notice), text_of(notice)),
            {"event_id": "t"},
        )


def test_an_unknown_priority_is_refused_with_those_there_are():
    assert priority_of("low") is priority_of(NoticePriority.LOW) is NoticePriority.LOW
    words = "priority: 'urgentest' is none of low, normal, high, critical"
    with pytest.raises(errors.InvalidRequestError) as caught:
        priority_of("urgentest")
    assert caught.value.message == words
