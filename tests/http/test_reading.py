"""Times to the nanosecond, money to the last digit, and no failure that looks like nothing."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentio_async import errors
from sentio_async.http.reading import (
    date_from_text,
    decimal,
    decimal_or_none,
    ns_from_text,
    read_rows,
    time_from_text,
    utc_from_ns,
    word,
)

SECOND = 1_700_000_000


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2023-11-14T22:13:20Z", SECOND * 10**9),
        ("2023-11-14T22:13:20.1Z", SECOND * 10**9 + 100_000_000),
        ("2023-11-14T22:13:20.123456789Z", SECOND * 10**9 + 123_456_789),
        ("2023-11-14T22:13:20.000000001Z", SECOND * 10**9 + 1),
        ("2023-11-14T17:13:20-05:00", SECOND * 10**9),
        ("2023-11-14T17:13:20.123456789-05:00", SECOND * 10**9 + 123_456_789),
        ("2023-11-15T03:43:20.5+05:30", SECOND * 10**9 + 500_000_000),
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.5Z", -500_000_000),
    ],
)
def test_a_time_is_read_to_the_nanosecond(text, ns):
    assert ns_from_text(text) == ns


@pytest.mark.parametrize(
    "text",
    ["", "Z", "yesterday", "2023-11-14", "2023-11-14T22:13:20", "2023-13-01T00:00:00Z", None],
)
def test_what_is_no_time_is_a_decode_error(text):
    with pytest.raises(errors.DecodeError):
        ns_from_text(text)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 4_000_000_000 * 10**9))
def test_every_nanosecond_comes_back(ns):
    text = f"{utc_from_ns(ns):%Y-%m-%dT%H:%M:%S}.{ns % 10**9:09d}Z"

    assert ns_from_text(text) == ns


def test_no_time_is_none():
    assert time_from_text(None) is time_from_text("") is None
    assert time_from_text("2023-11-14T22:13:20.1234567Z") == datetime(
        2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC
    )


def test_a_date_is_read_from_its_text():
    assert date_from_text("2025-03-01") == date(2025, 3, 1)
    assert date_from_text("2025-03-01T00:00:00Z") == date(2025, 3, 1)
    assert date_from_text(None) is date_from_text("") is None
    with pytest.raises(errors.DecodeError):
        date_from_text("01/03/2025")


@pytest.mark.parametrize("value", ["187.10", "1e-9", 5, Decimal("0.1"), "-0.5"])
def test_money_is_exact(value):
    assert decimal(value) == Decimal(value)
    assert decimal_or_none(value) == Decimal(value)


@pytest.mark.parametrize("value", [True, None, 0.1, "", "x", "NaN", "Infinity", [], "1,000"])
def test_what_is_no_number_is_a_decode_error(value):
    with pytest.raises(errors.DecodeError, match="a number is needed"):
        decimal(value)


def test_no_money_is_none():
    assert decimal_or_none(None) is decimal_or_none("") is None


@pytest.mark.parametrize("value", ["BUY", None, ["buy"], 1])
def test_a_word_that_drives_money_is_never_guessed(value):
    assert word({"buy": 1}, "side", "buy") == 1
    with pytest.raises(errors.UnknownWordError, match="side: unknown word") as caught:
        word({"buy": 1}, "side", value)
    assert (caught.value.field, caught.value.word) == ("side", value)


def test_good_rows_are_read_and_bad_ones_named():
    rows = read_rows([{"a": 1}, {}, {"a": 3}], lambda raw: raw["a"], what="things")

    assert rows == [1, 3]
    assert [(each.index, each.reason) for each in rows.skipped] == [(1, "KeyError: 'a'")]


def test_a_time_beyond_the_calendar_costs_its_row_alone():
    far, near = "9999-12-31T23:59:59-05:00", "2026-01-02T03:04:05Z"

    rows = read_rows([far, near], time_from_text, what="times")

    assert rows == [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)]
    assert [row.index for row in rows.skipped] == [0]


def test_no_rows_are_an_empty_list_and_bad_rows_are_not():
    assert read_rows([], int, what="things") == []
    with pytest.raises(errors.DecodeError, match="things: no row can be read; the first: KeyError"):
        read_rows([{}, {}], lambda raw: raw["a"], what="things")


@pytest.mark.parametrize("rows", [None, "text", b"bytes", {"a": 1}, 5])
def test_what_is_no_list_is_a_decode_error(rows):
    with pytest.raises(errors.DecodeError, match="things: a list is needed"):
        read_rows(rows, int, what="things")


def test_millions_of_bad_rows_do_not_take_the_time_of_millions():
    read = []

    with pytest.raises(errors.DecodeError, match="no row can be read"):
        read_rows([{}] * 100_000, lambda raw: read.append(raw) or raw["id"], what="orders")
    assert len(read) < 10_000
