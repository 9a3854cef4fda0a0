"""Every way in which vendors say when to come back, and every way in which they do not."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentio_async.resilience import retry_after_from
from sentio_async.resilience.retry_after import (
    as_seconds,
    http_date,
    seconds_until_reset,
    until_midnight,
)

NOW = datetime(2026, 3, 10, 12, 0, 0, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")
SOON = "Tue, 10 Mar 2026 12:00:30 GMT"

READABLE = [
    ("0", 0.0),
    ("1", 1.0),
    ("120", 120.0),
    ("0.5", 0.5),
    ("1.25", 1.25),
    (" 7 ", 7.0),
    ("\t7", 7.0),
    ("007", 7.0),
    ("0.0", 0.0),
    ("9999999999", 9_999_999_999.0),
    (SOON, 30.0),
    ("tue, 10 mar 2026 12:00:30 gmt", 30.0),
    ("Tue, 10 Mar 2026 12:00:30 UTC", 30.0),
    ("Tue, 10 Mar 2026 12:00:30 +0000", 30.0),
    (" Tue, 10 Mar 2026 12:00:30 GMT ", 30.0),
    ("Tue, 10 Mar 2026 11:59:59 GMT", 0.0),
    ("Fri, 31 Dec 1999 23:59:59 GMT", 0.0),
    ("Tue, 10 Mar 2026 12:00:60 GMT", 59.0),
    ("Wed, 11 Mar 2026 12:00:00 GMT", 86_400.0),
    ("Tuesday, 10-Mar-26 12:01:00 GMT", 60.0),
    ("Saturday, 10-Mar-76 12:00:00 GMT", 1_577_923_200.0),
    ("Thursday, 10-Mar-77 12:00:00 GMT", 0.0),
    ("Sunday, 06-Nov-94 08:49:37 GMT", 0.0),
    ("Tue Mar 10 12:00:30 2026", 30.0),
    ("Wed Apr  1 12:00:00 2026", 22 * 86_400.0),
    ("Sun Nov  6 08:49:37 1994", 0.0),
]

UNREADABLE = [
    "",
    " ",
    "-1",
    "+5",
    "1e400",
    "1e3",
    "nan",
    "NaN",
    "inf",
    "-inf",
    "Infinity",
    "\u0661٢",
    "\uff11\uff12",
    "²",
    "१२",
    "1.2.3",
    "1,5",
    ".5",
    "5.",
    ".",
    "1 2",
    "1_000",
    "0x10",
    "5s",
    "X5",
    "5 seconds",
    "120, 60",
    "9" * 11,
    "9" * 5_000,
    "0." + "9" * 5_000,
    "1\x00",
    "12\n",
    "soon",
    "None",
    "true",
    "Tue, 10 Mar 99999 12:00:30 GMT",
    "Tue, 10 Mar 0000 12:00:30 GMT",
    "Tue, 32 Mar 2026 12:00:30 GMT",
    "Tue, 30 Feb 2026 12:00:30 GMT",
    "Tue, 10 Foo 2026 12:00:30 GMT",
    "Tue, 10 Mar 2026 24:00:30 GMT",
    "Tue, 10 Mar 2026 12:60:30 GMT",
    "Tue, 10 Mar 2026 12:00:61 GMT",
    "Tue, 10 Mar 2026 12:00:30",
    "\nTue, 10 Mar 2026 12:00:30 GMT",
    "XTue, 10 Mar 2026 12:00:30 GMT",
    "Tue, 10 Mar 2026 12:00:30 EST",
    "Tue, 10 Mar 2026 12:00:30 +0200",
    "Tue, 1\u0660 Mar 2026 12:00:30 GMT",
    "10 Mar 2026 12:00:30 GMT",
    "2026-03-10T12:00:30Z",
    "Tue Mar 10 12:00:30 99999",
    "Tue Mar    12:00:30 2026",
    "Tuesday, 10-Mar-2026 12:00:30 GMT",
    "10000000000",
]


def test_the_corpus_is_as_large_as_promised():
    assert len(READABLE) + len(UNREADABLE) >= 60


@pytest.mark.parametrize(("text", "expected"), READABLE)
def test_what_can_be_read_is_read(text, expected):
    assert retry_after_from({"Retry-After": text}, now=NOW) == expected


@pytest.mark.parametrize("text", UNREADABLE, ids=lambda text: ascii(text)[:30])
def test_what_says_nothing_gives_none(text):
    assert retry_after_from({"retry-after": text}, now=NOW) is None


@pytest.mark.parametrize("text", UNREADABLE[:34], ids=lambda text: ascii(text)[:30])
@pytest.mark.parametrize(
    "header", ["retry-after-ms", "x-ratelimit-reset-after", "x-ratelimit-reset", "ratelimit-reset"]
)
def test_no_header_is_fooled_by_what_is_not_a_number(header, text):
    found = retry_after_from({header: text}, now=NOW)

    assert found is None or text == "9" * 11  # eleven digits are milliseconds, or an epoch of them


VENDORS = [
    ({"retry-after-ms": "1500"}, None, 1.5),
    ({"retry-after-ms": "250", "retry-after": "1"}, None, 0.25),
    ({"retry-after-ms": "x", "retry-after": "1"}, None, 1.0),
    ({"X-RateLimit-Reset": "1773144042"}, None, 42.0),
    ({"X-RateLimit-Reset": "1773144042.250"}, None, 42.25),
    ({"X-RateLimit-Reset": "1773144042000"}, None, 42.0),
    ({"X-RateLimit-Reset": "1773143000"}, None, 0.0),
    ({"X-RateLimit-Reset": "30"}, None, 30.0),
    ({"X-RateLimit-Reset": "999999999"}, None, 999_999_999.0),
    ({"X-RateLimit-Reset": "1000000000"}, None, 0.0),
    ({"X-RateLimit-Reset": "99999999999"}, None, 99_999_999_999 - NOW.timestamp()),
    ({"X-RateLimit-Reset": "100000000000"}, None, 0.0),
    ({"X-RateLimit-Reset-After": "64.57"}, None, 64.57),
    ({"X-RateLimit-Reset-After": "2.5", "X-RateLimit-Reset": "1773144042"}, None, 2.5),
    ({"RateLimit-Reset": "9"}, None, 9.0),
    ({}, {"retry_after": 64.57, "global": False}, 64.57),
    ({}, {"retry_after": Decimal("64.57")}, 64.57),
    ({}, {"retry_after": 0}, 0.0),
    ({}, {"retry_after": "3"}, 3.0),
    ({}, {"ok": False, "parameters": {"retry_after": 35}}, 35.0),
    ({}, {"retry_after": None, "parameters": {"retry_after": 35}}, 35.0),
    ({}, {"retry_after": True}, None),
    ({}, {"retry_after": float("nan")}, None),
    ({}, {"retry_after": float("inf")}, None),
    ({}, {"retry_after": Decimal("1e400")}, None),
    ({}, {"retry_after": 10**400}, None),
    ({}, {"retry_after": Decimal("NaN")}, None),
    ({}, {"retry_after": -1}, None),
    ({}, {"retry_after": [5]}, None),
    ({}, {"parameters": 5}, None),
    ({}, [1, 2], None),
    ({}, "text", None),
    ({"retry-after": "soon"}, {"retry_after": 4}, 4.0),
    ({"retry-after": "2"}, {"retry_after": 4}, 2.0),
]


@pytest.mark.parametrize(("headers", "body", "expected"), VENDORS)
def test_vendors_own_ways(headers, body, expected):
    found = retry_after_from(headers, body, now=NOW)

    assert found == (expected if expected is None else pytest.approx(expected, abs=1e-6))


def test_dates_are_compared_with_the_answers_own_date():
    headers = {
        "Date": "Tue, 10 Mar 2026 15:00:00 GMT",
        "Retry-After": "Tue, 10 Mar 2026 15:00:05 GMT",
    }

    assert retry_after_from(headers, now=NOW) == 5.0
    assert retry_after_from({**headers, "Date": "yesterday"}, now=NOW) == 10_805.0


def test_epoch_resets_are_compared_with_the_answers_own_date():
    headers = {"date": "Tue, 10 Mar 2026 11:59:00 GMT", "x-ratelimit-reset": "1773144042"}

    assert seconds_until_reset(headers, now=NOW) == pytest.approx(102.0)
    assert seconds_until_reset({"retry-after": "5"}, now=NOW) is None


def test_two_digits_of_a_later_century():
    later = datetime(2105, 1, 1, tzinfo=UTC)

    assert http_date("Monday, 05-Jan-05 12:00:00 GMT", later) == datetime(
        2105, 1, 5, 12, tzinfo=UTC
    )


def test_only_a_number_is_a_wait():
    assert as_seconds(5) == 5.0
    assert as_seconds("5") is None
    assert as_seconds(10**400) == 10.0**14


@settings(derandomize=True, deadline=None)
@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)))
def test_every_date_survives_being_written_and_read(when):
    when = when.replace(microsecond=0, tzinfo=UTC)

    assert http_date(format_datetime(when, usegmt=True), NOW) == when
    assert http_date(f"{when:%a %b} {when.day:2d} {when:%H:%M:%S %Y}", NOW) == when


@settings(derandomize=True, deadline=None)
@given(st.integers(-49, 49))
def test_two_digit_years_mean_the_nearest_century(years):
    when = NOW.replace(year=NOW.year + years, day=1)

    assert http_date(f"{when:%A, %d-%b-%y %H:%M:%S} GMT", NOW) == when
    assert http_date(f"{when:%A, %d-%b-%y %H:%M:%S} GMT", NOW + timedelta(days=1)) == when


@settings(derandomize=True, deadline=None)
@given(st.text(max_size=60), st.sampled_from(["retry-after", "x-ratelimit-reset", "date"]))
def test_no_text_raises(text, header):
    found = retry_after_from({header: text, "retry-after-ms": text}, {"retry_after": text}, now=NOW)

    assert found is None or 0 <= found < float("inf")


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2026, 1, 15, 12, tzinfo=UTC), 17.0),
        (datetime(2026, 7, 15, 3, tzinfo=UTC), 1.0),
        (datetime(2026, 7, 15, 4, tzinfo=UTC), 24.0),
        # Clocks go forward, and back, on these days.
        (datetime(2026, 3, 8, 5, tzinfo=UTC), 23.0),
        (datetime(2026, 11, 1, 4, tzinfo=UTC), 25.0),
    ],
)
def test_midnight_is_as_far_as_the_clock_there_says(now, hours):
    assert until_midnight(NEW_YORK)(now) == hours * 3600
