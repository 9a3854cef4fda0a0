"""One window of a limit, by hand."""

import math

import pytest

from sentio_async import errors
from sentio_async.resilience.window import Permit, Priority, Window, WindowLog


def a_log(*entries, limit=10, reserve=3, claim=(0, 0.0)):
    """Entries are (time, cost); each counts for 5.5 seconds."""
    log = WindowLog(Window(limit, 5.0), reserve, 0.5)
    for at, cost in entries:
        log.entries.append(Permit(at, cost))
        log.used += cost
    log.claim, log.claim_until = claim
    return log


@pytest.mark.parametrize(("limit", "seconds"), [(0, 1.0), (1, 0.0), (1, math.inf), (1, math.nan)])
def test_a_window_that_admits_nothing_is_a_mistake(limit, seconds):
    with pytest.raises(errors.ConfigurationError) as caught:
        Window(limit, seconds)

    assert caught.value.message == f"window: {limit} per {seconds} s can admit nothing"
    assert Window(1, 0.001).limit == 1


def test_one_slot_at_least_is_left_to_those_who_are_no_orders():
    assert a_log(limit=2, reserve=5).reserve == 1
    assert a_log(limit=1, reserve=5).reserve == 0


@pytest.mark.parametrize(
    ("limit", "says_nothing"),
    [(None, True), (-1, True), (0, True), (1, False), (9, False), (10, True), (11, True)],
)
def test_only_a_smaller_limit_is_news(limit, says_nothing):
    assert a_log().is_said(limit) is says_nothing
    tightened = a_log()
    tightened.limit = 1
    assert tightened.is_said(1) is True
    assert tightened.is_said(2) is False


def test_only_orders_may_use_the_reserve():
    log = a_log()

    assert log.capacity(1, Priority.ORDERS) == 10
    assert log.capacity(1, Priority.ACCOUNT) == log.capacity(7, Priority.HISTORY) == 7
    assert log.capacity(8, Priority.QUOTES) == 8


def test_what_was_admitted_counts_until_its_window_is_over():
    log = a_log((0.0, 2), (1.0, 3), claim=(4, 6.0))

    log.trim(5.4)
    assert (log.used, log.claim) == (5, 4)
    log.trim(5.5)
    assert (log.used, log.claim) == (3, 4)
    log.trim(6.0)
    assert (log.used, log.claim) == (3, 0)
    log.trim(6.5)
    assert (log.used, len(log.entries)) == (0, 0)


@pytest.mark.parametrize(
    ("demand", "at"),
    [(0, 1.0), (1, 1.0), (7, 1.0), (8, 6.5), (14, 6.5), (15, 12.0), (22, 17.5)],
)
def test_more_than_fits_takes_as_many_windows_as_it_needs(demand, at):
    assert a_log().earliest(demand, 7, 1.0) == at


@pytest.mark.parametrize(
    ("demand", "at"),
    [(1, 2.0), (2, 5.5), (3, 5.5), (4, 6.5), (7, 6.5), (8, 7.5)],
)
def test_slots_become_free_in_the_order_in_which_they_were_taken(demand, at):
    # Nine of ten are taken: two from 0.0 on, four from 1.0, three from 2.0.
    assert a_log((0.0, 2), (1.0, 4), (2.0, 3)).earliest(demand, 10, 2.0) == at


@pytest.mark.parametrize(
    ("until", "demand", "at"),
    [
        (5.0, 1, 5.0),
        (5.0, 4, 5.0),
        (5.0, 5, 5.5),
        (6.0, 1, 5.5),
        (6.0, 2, 6.0),
        (6.0, 6, 6.5),
        (9.0, 6, 6.5),
        (9.0, 7, 9.0),
    ],
)
def test_what_others_have_taken_becomes_free_at_its_own_time(until, demand, at):
    # All ten are taken: one from 0.0 on, five from 1.0, and four by another process.
    assert a_log((0.0, 1), (1.0, 5), claim=(4, until)).earliest(demand, 10, 2.0) == at
