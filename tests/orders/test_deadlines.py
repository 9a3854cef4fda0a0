"""One timer tells of each entry whose time is over."""

import asyncio

import pytest

from sentio_async.orders.deadlines import Deadlines
from sentio_async.orders.entry import Entry
from sentio_async.orders.intent import Intent, Kind

pytestmark = [pytest.mark.looptime]


def waiting(*deadlines):
    """Entries by their deadlines, what tells of them, and the second at which each was told of."""
    loop = asyncio.get_running_loop()
    begun, told = loop.time(), {}
    all_of_them = Deadlines(loop.time, lambda entry: told.update({entry.id: loop.time() - begun}))
    entries = {}
    for number, after in enumerate(deadlines):
        intent = Intent(id=str(number), kind=Kind.PLACE, at=0.0, until=0.0)
        entries[number] = Entry(intent, begun + after)
        all_of_them.add(entries[number])
    return entries, all_of_them, told


async def test_each_is_told_of_at_its_own_deadline():
    _, _, told = waiting(5.0, 2.0, 9.0, 2.0)

    await asyncio.sleep(20)

    assert told == {"1": 2, "3": 2, "0": 5, "2": 9}
    assert list(told) == ["1", "3", "0", "2"]


async def test_who_was_told_before_is_not_told_of():
    entries, _, told = waiting(2.0, 3.0)
    entries[0].tell(None)

    await asyncio.sleep(20)

    assert told == {"1": 3}


async def test_time_that_is_over_already_is_told_of_at_once():
    _, _, told = waiting(-5.0)
    assert told == {}

    await asyncio.sleep(0.001)

    assert told == {"0": 0}


async def test_what_fails_for_one_keeps_nothing_from_the_others():
    loop = asyncio.get_running_loop()
    failures, told = [], []
    loop.set_exception_handler(lambda _, context: failures.append(context["exception"]))

    def tell(entry):
        if entry.id == "0":
            raise RuntimeError("broken")
        told.append(entry.id)

    deadlines = Deadlines(loop.time, tell)
    for number in range(3):
        intent = Intent(id=str(number), kind=Kind.PLACE, at=0.0, until=0.0)
        deadlines.add(Entry(intent, loop.time() + 1.0 + number // 2))
    await asyncio.sleep(5)

    assert told == ["1", "2"]
    assert [str(each) for each in failures] == ["broken"]


async def test_after_the_end_nobody_is_told_of():
    _, deadlines, told = waiting(2.0)

    deadlines.stop()
    deadlines.stop()

    await asyncio.sleep(20)
    assert told == {}


def test_a_timer_of_a_loop_that_has_ended_is_not_relied_on():
    told = []

    def begun(after):
        deadline = loop.time() + after
        deadlines.add(Entry(Intent(id=str(after), kind=Kind.PLACE, at=0.0, until=0.0), deadline))

    loop = asyncio.new_event_loop()
    deadlines = Deadlines(lambda: loop.time(), lambda entry: told.append(entry.id))
    loop.call_soon(begun, 0.01)
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()

    loop = asyncio.new_event_loop()
    loop.call_soon(begun, 0.02)
    loop.call_later(0.1, loop.stop)
    loop.run_forever()
    loop.close()

    assert told == ["0.01", "0.02"]


async def test_there_is_one_timer_and_it_is_gone_when_nobody_waits(monkeypatch):
    loop = asyncio.get_running_loop()
    made, call_later = {}, loop.call_later
    monkeypatch.setattr(loop, "call_later", lambda *of: made.setdefault(of[0], call_later(*of)))
    entries, _, told = waiting(8.0, 5.0, 7.0, 5.0, 6.0)
    assert [each.cancelled() for each in made.values()] == [True, False]
    for entry in entries.values():
        entry.tell(None)

    await asyncio.sleep(20)

    assert list(made) == [8, 5, 20]
    assert told == {}
