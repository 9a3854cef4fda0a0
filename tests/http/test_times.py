"""The times of a whole answer are those of its rows read one by one, and a bad one is told."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentio_async import errors
from sentio_async.http.reading import ns_from_text, utc_from_ns
from sentio_async.http.times import (
    ns_from_milliseconds,
    ns_from_starts,
    ns_from_texts,
    ns_from_times,
)

MANY = 120
LAST = 4_000_000_000 * 10**9


def text_of(ns, digits=9):
    fraction = f".{ns % 10**9:09d}"[: digits + 1] if digits else ""
    return f"{utc_from_ns(ns):%Y-%m-%dT%H:%M:%S}{fraction}Z"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, LAST), min_size=MANY, max_size=MANY))
def test_every_nanosecond_of_many_times_comes_back(times):
    assert ns_from_texts([text_of(ns) for ns in times]) == times


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, LAST), st.integers(0, 9)), min_size=MANY, max_size=MANY))
def test_times_may_have_fewer_digits(times):
    texts = [text_of(ns, digits) for ns, digits in times]

    assert ns_from_texts(texts) == [ns_from_text(text) for text in texts]


def test_another_zone_and_more_digits_are_read_as_they_are_alone():
    texts = [text_of(ns) for ns in range(MANY)]
    texts[7] = "2023-11-14T17:13:20.1234+05:00"
    texts[8] = "2023-11-14T17:13:20.1234567891Z"

    assert ns_from_texts(texts) == [ns_from_text(text) for text in texts]


@settings(max_examples=500, deadline=None)
@given(st.integers(0, MANY - 1), st.integers(0, 29), st.sampled_from("0369-T:.Zz eE+\n é,]"))
def test_one_sign_that_is_wrong_is_seen_wherever_it_stands(row, place, sign):
    texts = [text_of(1_772_463_845 * 10**9 + ns) for ns in range(MANY)]
    texts[row] = texts[row][:place] + sign + texts[row][place + 1 :]

    try:
        alone = [ns_from_text(text) for text in texts]
    except errors.DecodeError:
        with pytest.raises(errors.DecodeError):
            ns_from_texts(texts)
    else:
        assert ns_from_texts(texts) == alone


def test_a_sign_that_slips_into_the_next_time_is_seen():
    texts = [text_of(ns) for ns in range(MANY)]
    texts[0], texts[1] = texts[0][:-1], "Z" + texts[1]

    with pytest.raises(errors.DecodeError):
        ns_from_texts(texts)


def starts(count=MANY, step=3600 * 10**9):
    return [text_of(1_772_463_845 * 10**9 + number * step, 0) for number in range(count)]


def test_starts_may_be_in_any_order():
    texts = starts()
    mixed = random.Random(1).sample(texts, MANY)

    for order in (texts, texts[::-1], mixed, [texts[0]] * 3, []):
        assert ns_from_starts(order) == [ns_from_text(text) for text in order]


def test_starts_may_have_fractions_and_zones():
    texts = [*starts(), "2030-01-01T00:00:00.123456789Z", "2031-01-01T00:00:00+05:00"]

    assert ns_from_starts(texts) == [ns_from_text(text) for text in texts]


@pytest.mark.parametrize("bad", ["", "2026-02-30T00:00:00Z", "2026-03-02T25:00:00Z", "2026-03-02"])
def test_a_start_that_is_no_time_is_an_error(bad):
    with pytest.raises(errors.DecodeError):
        ns_from_starts([*starts(), bad])


def test_more_times_than_are_kept_in_mind_are_right():
    minutes = [60 * 10**9 * number for number in range(9000)]

    assert ns_from_texts([text_of(ns) for ns in minutes]) == minutes
    assert [ns_from_text(text_of(ns)) for ns in minutes] == minutes
    assert ns_from_starts([text_of(ns, 0) for ns in minutes]) == minutes


@pytest.mark.parametrize("count", [0, 1, 15, 16, 65_535, 65_536])
def test_whole_seconds_are_read_by_column(count):
    first = datetime(2038, 1, 19, 3, 14, tzinfo=UTC)
    times = [first + timedelta(seconds=number) for number in range(count)]

    start = int(first.timestamp()) * 10**9
    assert list(ns_from_times(times)) == [start + number * 10**9 for number in range(count)]


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T15:04:05.000001Z",
        "2026-01-02T10:04:05-05:00",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00Z",
        "2106-02-07T06:28:15Z",
        "2106-02-07T06:28:16Z",
    ],
)
def test_any_other_time_among_them_is_read_too(text):
    texts = ["2026-01-02T15:04:05Z", text, "2026-01-02T15:04:07Z"]

    found = ns_from_times([datetime.fromisoformat(each) for each in texts])

    assert list(found) == [ns_from_text(each) for each in texts]


_MOST_MS = (2**63 - 1) // 10**6


@given(st.lists(st.integers(-_MOST_MS, _MOST_MS) | st.integers(2**43 - 2, 2**43 + 2), max_size=40))
def test_milliseconds_are_multiplied_all_at_once(times):
    assert list(ns_from_milliseconds(times)) == [time * 10**6 for time in times]


@given(st.lists(st.integers(0, 2**43 - 1)))
def test_milliseconds_of_our_time_are_multiplied_all_at_once(times):
    assert list(ns_from_milliseconds(times)) == [time * 10**6 for time in times]


@pytest.mark.parametrize("time", [-_MOST_MS - 1, _MOST_MS + 1, 2**63, 2**64, 2**80])
def test_milliseconds_that_have_no_nanoseconds_are_refused(time):
    with pytest.raises(OverflowError):
        ns_from_milliseconds([1_704_205_800_000, time])
