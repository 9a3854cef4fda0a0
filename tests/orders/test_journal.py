"""The journal in memory: what it keeps of an intent, and what it forgets."""

import pytest

from orders.venues import an_order
from sentio_async import errors
from sentio_async.orders.intent import Intent, Kind
from sentio_async.orders.journal import MemoryJournal, Row, Step


def an_intent(id="i", **more):
    intent = Intent(id=id, kind=Kind.PLACE, at=1.0, until=2.0, order=an_order(), **more)
    return Row(id, Step.INTENT, 1.0, intent=intent)


async def test_an_intent_that_begins_anew_forgets_its_earlier_try():
    journal = MemoryJournal()
    again = [an_intent(intent_key="k"), Row("i", Step.SENT, 3.0, 1)]
    await journal.write(an_intent(), Row("i", Step.SENT, 1.0, 1), Row("i", Step.NOT_PLACED, 2.0))

    await journal.write(*again)

    assert journal.rows == again


async def test_of_a_settled_intent_the_first_and_the_last_row_are_kept():
    first, last = an_intent(), Row("i", Step.ACKED, 4.0, 2)

    journal = MemoryJournal([first, *(Row("i", Step.SENT, 2.0, each) for each in (1, 2)), last])

    assert journal.rows == [first, last]
    await journal.write(Row("i", Step.ACKED, 5.0, 2))
    assert journal.rows == [first, Row("i", Step.ACKED, 5.0, 2)]


def test_the_oldest_are_forgotten_until_few_enough_are_left():
    settled = [Row(each, Step.ACKED, 1.0) for each in "abcd"]

    assert MemoryJournal(settled, remember=2).rows == settled[2:]
    assert MemoryJournal(settled, remember=4).rows == settled


def test_what_is_open_is_never_forgotten_nor_what_came_after_it():
    rows = [Row("a", Step.ACKED, 1.0), Row("b", Step.SENT, 1.0), Row("c", Step.ACKED, 1.0)]

    assert MemoryJournal(rows, remember=1).rows == rows[1:]


async def test_a_journal_in_memory_is_that_of_one_account():
    journal = MemoryJournal([Row("a", Step.SENT, 1.0)])
    assert await journal.open("one") == journal.rows
    assert await journal.open("one") == journal.rows

    with pytest.raises(errors.ConfigurationError) as caught:
        await journal.open("two")

    assert caught.value.message == "journal is that of account 'one', not of 'two'"


def test_words_in_files_stay_what_they_are():
    # A journal of an earlier version must be readable for ever.
    assert [step.value for step in Step] == [
        "intent",
        "sent",
        "unknown",
        "acked",
        "rejected",
        "not_placed",
    ]
    assert [kind.value for kind in Kind] == ["place", "replace", "cancel"]
    assert [step for step in Step if step.is_final] == [Step.ACKED, Step.REJECTED, Step.NOT_PLACED]
