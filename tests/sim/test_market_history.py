"""What the data venues share: walking history, calendar windows, rates, greeks, the almanac."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentio_async.sim.calendar import day_of, midnight_ns, session_on
from sentio_async.sim.clock import SimClock, ns_of
from sentio_async.sim.instruments import Contract, Instruments
from sentio_async.sim.market import Market
from sentio_async.sim.venues import almanac, rates
from sentio_async.sim.venues.greeks import greeks, worth
from sentio_async.sim.venues.tape import Period, Tape, walk
from sentio_async.sim.venues.times import DAY, HOUR, MINUTE, ns_from_rfc3339, rfc3339

NOW = datetime(2025, 6, 18, 18, 30, 15, tzinfo=UTC)
days = st.dates(date(1990, 1, 1), date(2060, 1, 1))


@dataclass(frozen=True)
class Row:
    time_ns: int


def a_tape() -> Tape:
    return Tape(Market(SimClock(NOW, is_running=False), Instruments()))


@given(
    times=st.lists(st.integers(0, 5_000), max_size=60),
    start=st.integers(0, 5_000),
    length=st.integers(-10, 5_000),
    width=st.integers(1, 700),
)
def test_walking_back_is_walking_forward_reversed(
    times: list[int], start: int, length: int, width: int
) -> None:
    rows = [Row(at) for at in sorted(times)]
    end = start + length

    def fetch(first: int, last: int) -> list[Row]:
        return [row for row in rows if first <= row.time_ns < last]

    forward = list(walk(fetch, start, end, width, back=False))
    back = list(walk(fetch, start, end, width, back=True))

    assert forward == [row for row in rows if start <= row.time_ns <= end]
    assert back == forward[::-1]


@given(
    day=days,
    period=st.one_of(
        st.builds(Period, months=st.sampled_from([1, 2, 3, 4, 6, 12, 24])),
        st.builds(Period, days=st.integers(1, 40), origin=st.integers(0, 6)),
    ),
)
def test_every_day_is_in_exactly_one_window(day: date, period: Period) -> None:
    first, after = period.first(day), period.after(day)

    assert first <= day < after
    assert period.first(first) == first
    assert period.first(after) == after
    assert period.first(after - timedelta(days=1)) == first


def test_weeks_begin_on_the_day_asked_for() -> None:
    wednesday = date(2025, 6, 18)

    assert Period().first(wednesday).strftime("%A") == "Monday"
    assert Period(days=7, origin=0).first(wednesday).strftime("%A") == "Sunday"


@given(st.integers(0, 4_000_000_000 * 10**9))
def test_a_time_survives_being_written(time_ns: int) -> None:
    assert ns_from_rfc3339(rfc3339(time_ns)) == time_ns


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2025-06-18T14:30:15-04:00", "2025-06-18T18:30:15Z"),
        ("2025-06-18T18:30Z", "2025-06-18T18:30:00Z"),
        ("2025-06-19t00:00:15.5+0530", "2025-06-18T18:30:15.5Z"),
    ],
)
def test_offsets_and_short_forms_are_understood(text: str, same: str) -> None:
    assert rfc3339(ns_from_rfc3339(text)) == same


@pytest.mark.parametrize("text", ["2025-06-18", "2025-06-18T18:30:15", "soon", "", "2025-13-01T0"])
def test_a_time_without_its_zone_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        ns_from_rfc3339(text)


def test_weekly_bars_are_exactly_their_days() -> None:
    tape = a_tape()
    start, end = midnight_ns(date(2025, 5, 5)), midnight_ns(date(2025, 6, 1))

    weeks = list(tape.periods("AAPL", Period(), start, end))
    back = list(tape.periods("AAPL", Period(), start, end, back=True))
    days = list(tape.days("AAPL", start, end))

    assert len(weeks) == 4
    assert back == weeks[::-1]
    for week in weeks:
        part = [d for d in days if week.time_ns <= d.time_ns < week.time_ns + 7 * DAY]
        assert week.open == part[0].open
        assert week.close == part[-1].close
        assert week.volume == sum(d.volume for d in part)


def test_history_ends_now() -> None:
    tape = a_tape()
    now = ns_of(NOW)

    newest = next(tape.trades("AAPL", 0, now + DAY, back=True))
    minute = next(tape.bars("AAPL", MINUTE, 0, now + DAY, back=True))

    assert newest.time_ns <= now
    assert minute.time_ns <= now < minute.time_ns + MINUTE


def test_a_rate_is_the_same_however_it_is_asked_for() -> None:
    euro = rates.PAIRS["EURUSD"]
    start = ns_of(NOW)

    bid, offer = rates.spread(euro, start)
    bar = rates.bar(euro, start, start + HOUR)

    assert rates.value(euro, start) == rates.value(euro, start) == bar.open
    assert bid < rates.value(euro, start) < offer
    assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
    assert abs(rates.value(euro, start) / euro.base - 1) < Decimal("0.05")


@pytest.mark.parametrize("strike", [200, 230, 260])
@pytest.mark.parametrize("volatility", [0.15, 0.3, 0.8])
def test_implied_volatility_is_found_again(strike: int, volatility: float) -> None:
    spot, expires = Decimal(230), date(2025, 9, 19)
    years = (midnight_ns(expires) + 16 * HOUR - ns_of(NOW)) / (365 * DAY)
    found = []
    for right in ("call", "put"):
        price = worth((230.0, float(strike), years, right == "call"), volatility)
        contract = Contract("AAPL", expires, Decimal(strike), right)
        found.append(greeks(contract, spot, Decimal(price), ns_of(NOW)))
    call, put = found

    assert call is not None
    assert put is not None
    assert call.volatility == pytest.approx(volatility, abs=1e-3)
    assert put.volatility == pytest.approx(volatility, abs=1e-3)
    # What put and call have in common.
    assert call.delta - put.delta == pytest.approx(1, abs=1e-4)
    assert call.gamma == pytest.approx(put.gamma, abs=1e-5)
    assert call.vega == pytest.approx(put.vega, abs=1e-3)


def test_a_price_no_volatility_explains_has_no_greeks() -> None:
    contract = Contract("AAPL", date(2025, 9, 19), Decimal(200), "call")

    assert greeks(contract, Decimal(230), Decimal(20), ns_of(NOW)) is None
    assert greeks(contract, Decimal(230), Decimal(0), ns_of(NOW)) is None
    assert greeks(contract, Decimal(230), Decimal(31), midnight_ns(date(2025, 9, 21))) is None


def test_a_split_counts_from_its_day_and_not_before_it_happened() -> None:
    before, after = date(2024, 6, 7), date(2024, 6, 10)

    assert almanac.split_factor("NVDA", before, after) == 10
    assert almanac.split_factor("NVDA", after, date(2025, 1, 1)) == 1
    assert almanac.split_factor("NVDA", before, before) == 1
    assert almanac.split_factor("NVDA", date(2021, 1, 4), after) == 40
    assert almanac.split_factor("MSFT", date(2004, 1, 1), after) == 1


def test_dividends_fall_on_trading_days_each_quarter() -> None:
    found = [d for d in almanac.dividends(date(2024, 1, 1), date(2024, 12, 31)) if d.symbol == "KO"]

    assert len(found) == 4
    assert all(session_on(d.ex) and session_on(d.paid) for d in found)
    assert all(d.declared < d.ex < d.paid for d in found)
    assert len({d.id for d in found}) == 4


def test_news_is_the_same_in_any_slice() -> None:
    names = {"AAPL": "Apple", "MSFT": "Microsoft"}
    start, end = ns_of(NOW) - DAY, ns_of(NOW)

    whole = list(almanac.articles(names, start, end))
    half = list(almanac.articles(names, start, end - DAY // 2))

    assert len(whole) == 72
    assert whole[-len(half) :] == half
    assert all(newer.time_ns > older.time_ns for newer, older in pairwise(whole))
    assert all(day_of(each.time_ns) in (date(2025, 6, 17), date(2025, 6, 18)) for each in whole)
