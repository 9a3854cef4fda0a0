"""Recorded bars: read from files, and walked through as if they happened now."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from sentio_async.sim.calendar import midnight_ns
from sentio_async.sim.clock import SimClock, ns_of
from sentio_async.sim.instruments import Instruments
from sentio_async.sim.market import Market
from sentio_async.sim.prices import MINUTE
from sentio_async.sim.replay import Replay, read_bars, symbol_in
from sentio_async.sim.rows import Bar

NOON = datetime(2026, 3, 11, 16, 0, 30, tzinfo=UTC)


def a_bar(n=0, *, low=99, high=110, close=105, volume=1000, step=MINUTE):
    start = ns_of(datetime(2019, 11, 5, 14, 30, tzinfo=UTC)) + n * step
    prices = [Decimal(price) for price in (100, high, low, close)]
    return Bar(start, *prices, volume, 0, Decimal(101))


def a_market(*, start=NOON, seed=1, **more):
    return Market(SimClock(start, is_running=False), Instruments(), seed=seed, **more)


def test_recorded_days_are_read_and_walked(shared):
    bars = read_bars(shared / "market" / "yahoofinance-AAPL-20040819-20180120.csv")
    market = Market(SimClock(is_running=False), Instruments(), replay=bars)
    market.clock.advance(3.25)
    now = market.clock.now()

    assert list(bars) == ["AAPL"]
    # Six bars of half a second are over, the seventh is half over.
    days = market.bars("AAPL", "day", 0, market.clock.now_ns())
    assert (now.date(), len(days)) == (date(2004, 8, 27), 7)
    assert [bar.close for bar in days[:6]] == [bar.close for bar in bars["AAPL"][:6]]
    assert days[6].open == bars["AAPL"][6].open
    assert bars["AAPL"][6].low <= market.price("AAPL") <= bars["AAPL"][6].high


def test_recorded_minutes_are_new_yorks_and_keep_their_volume(shared):
    bars = read_bars(shared / "market" / "SP500_NOV2019_IDay.csv")["SP500"]
    market = Market(SimClock(is_running=False), Instruments(), replay={"SP500": bars})
    start = market.clock.now()
    market.clock.advance(10)

    assert start.replace(second=0) == datetime(2019, 11, 5, 14, 30, tzinfo=UTC)
    told = market.bars("SP500", MINUTE, 0, market.clock.now_ns())
    assert [(bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in told[:19]] == [
        (bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in bars[:19]
    ]
    assert market.quote("SP500").bid > 3000


def test_a_recording_moves_at_the_pace_it_is_given_and_may_start_later():
    bars = [a_bar(n) for n in range(10)]
    start = datetime(2019, 11, 5, 14, 33, tzinfo=UTC)
    market = a_market(replay=Replay({"XYZ": bars}, pace=2.0, start=start))
    first = market.clock.now()
    market.clock.advance(3)

    assert start <= first < start + timedelta(seconds=3)
    assert market.clock.now() == start + timedelta(seconds=90)
    assert len(market.bars("XYZ", MINUTE, 0, market.clock.now_ns())) == 5
    market.clock.advance(1_000_000)
    assert market.price("XYZ") == 105


def test_a_recording_that_is_over_leaves_the_clock_running():
    market = a_market(replay={"XYZ": [a_bar(n) for n in range(4)]})
    market.clock.advance(2 + 60)

    assert market.clock.now() == datetime(2019, 11, 5, 14, 35, tzinfo=UTC)


def test_columns_are_found_by_name_and_symbols_in_a_column(tmp_path):
    path = tmp_path / "bars.csv"
    path.write_text(
        "VOLUME,close,Low,high,OPEN,Ticker,Timestamp\n"
        "12,2,1,3,1.5,ABC,2024-01-02T15:00:00Z\n"
        "7.5,5,4,6,5,DEF,1704207600000\n"
    )
    bars = read_bars(path)

    assert set(bars) == {"ABC", "DEF"}
    assert bars["ABC"][0].time_ns == bars["DEF"][0].time_ns
    assert bars["ABC"][0].open == Decimal("1.5")
    assert bars["DEF"][0].volume == Decimal("7.5")


@pytest.mark.parametrize(
    ("name", "symbol"),
    [("yahoofinance-GOOG-2004.csv", "GOOG"), ("SP500_NOV2019.csv", "SP500"), ("spy.csv", "SPY")],
)
def test_the_symbol_is_in_the_files_name(name, symbol):
    assert symbol_in(name) == symbol


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "empty"),
        ("Date,Open,High,Low\n2024-01-02,1,1,1\n", "no column for close"),
        ("Date,Open,High,Low,Close\n", "no bars"),
        ("Date,Open,High,Low,Close\n2024-01-02,1,x,1,1\n", "line 2: not a bar"),
        ("Date,Open,High,Low,Close\n2024-01-02,1,-1,1,1\n", "line 2: not a bar"),
        ("Date,Open,High,Low,Close\nyesterday,1,1,1,1\n", "line 2: not a bar"),
    ],
)
def test_a_file_that_holds_no_bars_says_what_is_wrong(tmp_path, text, wrong):
    path = tmp_path / "bad.csv"
    path.write_text(text)

    with pytest.raises(ValueError, match=wrong):
        read_bars(path)


def test_parquet_reads_the_same(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet

    columns = {"t": ["2024-01-02"], "o": [1.5], "h": [3.0], "l": [1.0], "c": [2.0], "v": [12]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "ABC.parquet")
    (bar,) = read_bars(tmp_path / "ABC.parquet")["ABC"]

    assert (bar.open, bar.volume, bar.time_ns) == (1.5, 12, midnight_ns(date(2024, 1, 2)))


def test_parquet_without_its_library_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)

    with pytest.raises(ImportError, match=r"sentio-async\[parquet\]"):
        read_bars(tmp_path / "x.parquet")


def test_an_empty_or_standing_recording_is_refused():
    with pytest.raises(ValueError, match="no bars for XYZ"):
        Replay({"XYZ": []})
    with pytest.raises(ValueError, match="pace"):
        Replay({"XYZ": [a_bar()]}, pace=0)
    with pytest.raises(ValueError, match="no bars after"):
        a_market(replay=Replay({"XYZ": [a_bar()]}, start=NOON))


def test_bars_with_odd_highs_are_mended():
    market = a_market(replay={"XYZ": [replace(a_bar(n), high=Decimal(90)) for n in range(3)]})
    market.clock.advance(0.6)

    (bar, _) = market.bars("XYZ", MINUTE, 0, market.clock.now_ns())
    assert (bar.low, bar.high) == (90, 105)
