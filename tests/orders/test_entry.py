"""What is known of an intent, step by step."""

import asyncio

import pytest

from orders.venues import an_order, unknown
from sentio_async.orders.entry import Entry
from sentio_async.orders.intent import Intent, Kind
from sentio_async.orders.journal import Row, Step


def an_intent(**more):
    return Intent(**{"id": "i", "kind": Kind.PLACE, "at": 5.0, "until": 9.0, **more})


def test_of_a_new_intent_nothing_is_known():
    entry = Entry(an_intent(order=an_order()), 7.0)

    names = {*Entry.__annotations__, *vars(entry)} - {"intent", "id"}
    assert {name: getattr(entry, name) for name in names} == {
        "among": {},
        "attempts": 0,
        "callers": [],
        "cause": None,
        "clean_looks": 0,
        "deadline": 7.0,
        "entered_after": 5.0,
        "error": None,
        "filled": {},
        "has_new_id": False,
        "is_ambiguous": False,
        "is_given_up": False,
        "is_proved": False,
        "is_sending": False,
        "is_told": False,
        "is_told_unknown": False,
        "left_at": 0.0,
        "order": None,
        "reason": "",
        "records": (),
        "refusal": None,
        "sent_at": 5.0,
        "step": Step.INTENT,
        "task": None,
        "watchers": [],
    }
    assert (entry.id, entry.is_open, entry.needs_look) == ("i", True, False)


def test_what_may_have_arrived_or_was_seen_needs_a_look():
    for name in ("is_ambiguous", "is_proved"):
        entry = Entry(an_intent(), 7.0)
        setattr(entry, name, True)
        assert entry.needs_look is True


async def test_each_who_waits_is_told_once_and_who_has_left_is_not():
    entry = Entry(an_intent(), 7.0)
    callers = [asyncio.get_running_loop().create_future() for _ in range(3)]
    entry.callers = callers
    callers[0].cancel()

    entry.tell_error(unknown("gone"))
    entry.tell(None)

    assert entry.is_told is True
    assert entry.callers == []
    for caller in callers[1:]:
        with pytest.raises(Exception, match="gone"):
            await caller


async def test_who_holds_a_handle_is_woken():
    entry = Entry(an_intent(), 7.0)
    watching = [entry.watch(), entry.watch()]
    assert entry.watchers == watching

    entry.wake()

    assert [watcher.result() for watcher in watching] == [None, None]
    assert (entry.watchers, entry.task) == ([], None)
    assert Entry(an_intent(), 7.0).watchers == []


def test_who_is_told_leaves_those_whose_time_may_run_out():
    entry = Entry(an_intent(), 7.0)
    among = entry.among = {entry: None}

    entry.tell(None)

    assert among == {}


def test_the_rows_of_an_earlier_life_are_gone_through():
    order = an_order()
    first = Row("i", Step.INTENT, 5.0, intent=an_intent(order=order))

    entry = Entry.from_rows([first, Row("i", Step.SENT, 6.0, 1), Row("i", Step.SENT, 8.0, 2)])

    assert (entry.entered_after, entry.sent_at, entry.attempts) == (6.0, 8.0, 2)
    assert (entry.deadline, entry.left_at, entry.step) == (0.0, 0.0, Step.SENT)
    assert entry.is_ambiguous is True
    assert entry.is_told_unknown is False
    assert Entry.from_rows([Row("i", Step.SENT, 6.0, 1)]) is None


def test_a_refusal_that_was_written_down_says_that_nothing_may_have_arrived():
    first = Row("i", Step.INTENT, 5.0, intent=an_intent())
    sent, refused = Row("i", Step.SENT, 6.0, 1), Row("i", Step.SENT, 7.0, 1, reason="filled")

    entry = Entry.from_rows([first, sent, refused])

    assert entry.is_ambiguous is False
    assert entry.refusal.message == entry.reason == "filled"
    assert (entry.attempts, entry.sent_at) == (1, 6.0)


def test_that_nobody_knew_is_not_forgotten():
    rows = [
        Row("i", Step.INTENT, 5.0, intent=an_intent()),
        Row("i", Step.SENT, 6.0, 1),
        Row("i", Step.UNKNOWN, 7.0, 1, reason="no word"),
    ]

    entry = Entry.from_rows(rows)
    assert (entry.is_told_unknown, entry.step, entry.reason) == (True, Step.UNKNOWN, "no word")
    entry.take(Row("i", Step.SENT, 8.0, 2))

    assert entry.is_told_unknown is True
