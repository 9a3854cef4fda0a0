"""Long lists are read to their end: nothing twice, nothing skipped, never for ever."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.alpaca.own_payloads import payload
from sentio_async import errors
from sentio_async.connectors.alpaca.wire import account, assets, orders
from sentio_async.connectors.alpaca.wire.paging import IdPages, OrderPages, TokenPages
from sentio_async.models import Page, Rows, SkippedRow

START = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
SAMPLE = payload("order_partly_filled")


def an_order(number, second=0):
    at = (START + timedelta(seconds=second)).isoformat()
    return {**SAMPLE, "id": f"id-{number}", "client_order_id": f"mine-{number}", "submitted_at": at}


class Venue:
    """Answers as Alpaca does; ``by_time`` leaves out the cursor's twins of the same instant."""

    def __init__(self, seconds, *, by_time=False):
        self.orders = [an_order(number, second) for number, second in enumerate(sorted(seconds))]
        self.by_time = by_time
        self.asked = 0

    def answer(self, call):
        self.asked += 1
        assert self.asked < 500, "pages for ever"
        query = {name: values[0] for name, values in parse_qs(call.query).items()}
        rows = list(self.orders)
        if query["direction"] == "desc":
            rows.reverse()
        cursor = query.get("before_order_id") or query.get("after_order_id")
        if cursor:
            at = next(i for i, row in enumerate(rows) if row["id"] == cursor)
            instant = rows[at]["submitted_at"]
            rows = rows[at + 1 :]
            if self.by_time:
                rows = [row for row in rows if row["submitted_at"] != instant]
        if after := query.get("after"):
            rows = [row for row in rows if when(row["submitted_at"]) > when(after)]
        if until := query.get("until"):
            rows = [row for row in rows if when(row["submitted_at"]) < when(until)]
        return orders.read_orders(rows[: int(query["limit"])])


def when(text):
    return datetime.fromisoformat(text)


def read_all(venue, **options):
    pages = OrderPages(status="all", **options)
    found = []
    while (call := pages.next()) is not None:
        found += [order.id for order in pages.take(venue.answer(call))]
    return found


@pytest.mark.parametrize("direction", ["desc", "asc"])
@pytest.mark.parametrize("by_time", [False, True])
@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 12), max_size=40), st.integers(5, 9))
def test_every_order_comes_once_whatever_the_cursor_leaves_out(direction, by_time, seconds, size):
    # Within what one page can hold: an instant of more orders than that has no cursor at all.
    seconds = [s for i, s in enumerate(sorted(seconds)) if sorted(seconds)[:i].count(s) < size - 1]
    venue = Venue(seconds, by_time=by_time)

    found = read_all(venue, page_size=size, direction=direction)

    wanted = [row["id"] for row in venue.orders]
    assert sorted(found) == sorted(wanted)
    assert len(found) == len(wanted)


def test_an_instant_that_fills_a_whole_page_is_read_through():
    venue = Venue([1] * 12)

    assert len(read_all(venue, page_size=5)) == 12


@pytest.mark.parametrize("direction", ["desc", "asc"])
def test_the_times_asked_for_hold_beyond_the_first_page(direction):
    venue = Venue(range(40))
    after, until = START + timedelta(seconds=5), START + timedelta(seconds=30)

    found = read_all(venue, page_size=6, direction=direction, after=after, until=until)

    assert sorted(found) == sorted(f"id-{n}" for n in range(6, 30))


def test_a_short_list_takes_one_request():
    venue = Venue(range(3))

    read_all(venue)

    assert venue.asked == 1


def test_a_page_with_legs_rolled_up_is_not_taken_for_the_last():
    pages = OrderPages(page_size=5, nested=True)
    pages.next()
    pages.take(orders.read_orders([an_order(1, 1), an_order(2, 0)]))

    assert pages.next() is not None


def test_a_server_that_ignores_the_cursor_ends_the_list():
    pages = OrderPages(page_size=2)
    same = orders.read_orders([an_order(1, 1), an_order(2, 0)])
    found = []
    for _ in range(10):
        if pages.next() is None:
            break
        found += pages.take(same)

    assert pages.next() is None
    assert [order.id for order in found] == ["id-1", "id-2"]


def test_an_unreadable_order_does_not_end_the_list():
    pages = OrderPages(page_size=2)
    pages.next()
    pages.take(Rows(orders.read_orders([an_order(1)]), [SkippedRow(1, "odd")]))

    assert pages.next() is not None


@pytest.mark.parametrize("size", [0, 501])
def test_a_page_that_alpaca_would_cut_is_refused(size):
    with pytest.raises(errors.InvalidRequestError):
        OrderPages(page_size=size)


def activity(number):
    return {"id": f"2026{number:04d}", "activity_type": "FEE", "date": "2026-03-02"}


def read_activities(pages, answers):
    found = []
    for rows in answers:
        call = pages.next()
        if call is None:
            break
        found += [row.id for row in pages.take(account.read_activities(rows))]
    return found


def test_activities_go_on_after_the_last_id():
    pages = IdPages(account.activities, page_size=2, types=["FEE"])
    first = pages.next()
    pages.take(account.read_activities([activity(1), activity(2)]))

    assert "page_token" not in first.query
    assert "page_token=20260002" in pages.next().query


def test_activities_end_with_a_page_that_is_not_full():
    answers = [[activity(1), activity(2)], [activity(3)], [activity(4)]]

    found = read_activities(IdPages(account.activities, page_size=2), answers)

    assert found == ["20260001", "20260002", "20260003"]


def test_activities_that_repeat_end():
    answers = [[activity(1), activity(2)]] * 10

    found = read_activities(IdPages(account.activities, page_size=2), answers)

    assert found == ["20260001", "20260002"]


def test_a_token_that_comes_twice_is_an_error():
    pages = TokenPages(assets.option_contracts)
    pages.take(Page(Rows([]), "a"))
    pages.take(Page(Rows([]), "b"))

    with pytest.raises(errors.DecodeError):
        pages.take(Page(Rows([]), "a"))


def test_no_token_is_the_end():
    pages = TokenPages(assets.option_contracts)
    pages.take(Page(Rows([]), None))

    assert pages.next() is None
