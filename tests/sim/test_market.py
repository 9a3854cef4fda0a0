"""The exchange's market: the same seed tells the same story, however it is asked."""

import random
from datetime import UTC, date, datetime, timedelta
from time import process_time

import pytest

from sentio_async.sim.calendar import holidays, midnight_ns, session_on, settlement_of
from sentio_async.sim.clock import SECOND, SimClock, ns_of
from sentio_async.sim.instruments import Instruments
from sentio_async.sim.market import Market
from sentio_async.sim.prices import HOUR, MINUTE

NOON = datetime(2026, 3, 11, 16, 0, 30, tzinfo=UTC)


NOW = ns_of(NOON)


SYMBOLS = ("AAPL", "BRK.B", "NXGL", "BTC/USD", "DOGE/USD")


def a_market(*, start=NOON, seed=1, **more):
    return Market(SimClock(start, is_running=False), Instruments(), seed=seed, **more)


def test_the_same_seed_gives_the_same_rows_in_any_order_of_asking():
    one, two = a_market(), a_market()
    asks = [(symbol, NOW - n * HOUR) for symbol in SYMBOLS for n in range(5)]
    rows = {ask: one.trades(*ask, ask[1] + 3 * MINUTE) for ask in asks}
    random.Random(1).shuffle(asks)

    for ask in asks:
        assert two.trades(*ask, ask[1] + 3 * MINUTE) == rows[ask]
    assert a_market(seed=2).last_trade("AAPL") != one.last_trade("AAPL")


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_minute_bar_is_exactly_its_trades(symbol):
    market = a_market()

    # The last of these is under way.
    for bar in market.bars(symbol, MINUTE, NOW // MINUTE * MINUTE - 20 * MINUTE, NOW):
        trades = market.trades(symbol, bar.time_ns, bar.time_ns + MINUTE)
        prices = [trade.price for trade in trades]
        assert (bar.open, bar.close) == (prices[0], prices[-1])
        assert (bar.high, bar.low) == (max(prices), min(prices))
        assert bar.volume == sum(trade.size for trade in trades)
        assert bar.trade_count == len(trades)
        assert bar.low <= bar.vwap <= bar.high


@pytest.mark.parametrize(("step", "parts"), [(5 * MINUTE, MINUTE), (HOUR, MINUTE), ("day", HOUR)])
def test_a_longer_bar_is_exactly_its_parts(step, parts):
    market = a_market()
    start = midnight_ns(date(2026, 3, 6))

    # The week in which New York's clocks go forward, and today's bar under way.
    for bar in market.bars("AAPL", step, start, NOW)[-400:]:
        length = 26 * HOUR if step == "day" else step
        after = market.bars("AAPL", step, bar.time_ns + 1, bar.time_ns + length)
        end = after[0].time_ns if after else bar.time_ns + length
        inside = market.bars("AAPL", parts, bar.time_ns, end)
        assert (bar.open, bar.close) == (inside[0].open, inside[-1].close)
        assert bar.high == max(each.high for each in inside)
        assert bar.low == min(each.low for each in inside)
        assert bar.volume == sum(each.volume for each in inside)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_the_last_trade_lies_within_the_quotes_around_it(symbol):
    market = a_market()

    for trade in market.trades(symbol, NOW - 5 * MINUTE, NOW):
        for at in (trade.time_ns, trade.time_ns + 1000):
            quote = market.quote(symbol, at)
            assert quote.bid <= trade.price <= quote.ask
            assert quote.bid < quote.ask
            assert quote.time_ns <= at


def test_quotes_of_a_range_are_those_that_stood_one_after_another():
    market = a_market()
    start, end = NOW // MINUTE * MINUTE - 2 * MINUTE, NOW // MINUTE * MINUTE
    rows = market.quotes("AAPL", start, end)

    assert [row.time_ns for row in rows] == sorted({row.time_ns for row in rows})
    assert len(rows) == 2 * len(market.trades("AAPL", start, end))
    assert all(market.quote("AAPL", row.time_ns) == row for row in rows)
    assert market.quotes("NOPE", NOW - MINUTE, NOW) == []


def test_bars_of_seconds_are_made_of_trades():
    market = a_market()
    bars = market.bars("AAPL", SECOND, NOW - 30 * SECOND, NOW)
    trades = market.trades("AAPL", NOW - 30 * SECOND, NOW)

    assert sum(bar.volume for bar in bars) == sum(trade.size for trade in trades)
    assert {bar.time_ns for bar in bars} == {t.time_ns // SECOND * SECOND for t in trades}


def test_weeks_begin_on_monday_and_months_on_the_first():
    market = a_market()
    weeks = market.bars("AAPL", "week", NOW - 30 * 24 * HOUR, NOW)
    months = market.bars("AAPL", "month", NOW - 100 * 24 * HOUR, NOW)

    assert {day_of_week(bar) for bar in weeks} == {0}
    assert [datetime.fromtimestamp(bar.time_ns / SECOND, UTC).day for bar in months] == [1] * 3
    days = market.bars("AAPL", "day", months[-2].time_ns, months[-1].time_ns)
    assert months[-2].volume == sum(bar.volume for bar in days)


def test_the_market_opens_and_closes_when_it_says():
    market = a_market(hours="nyse", start=datetime(2026, 3, 13, 13, 29, tzinfo=UTC))
    opens, closes = market.next_open_ns(), market.next_close_ns()
    before = market.is_open()
    market.clock.advance(60)
    inside = (market.is_open(), market.next_open_ns())
    market.clock.advance((closes - opens) / SECOND)

    assert (before, inside[0], market.is_open()) == (False, True, False)
    assert datetime.fromtimestamp(inside[1] / SECOND, UTC).date() == date(2026, 3, 16)
    assert market.next_close_ns() - market.next_open_ns() == closes - opens
    assert market.session(date(2026, 3, 14)) is None


def test_ranges_hold_their_start_and_not_their_end():
    market = a_market()
    rows = market.trades("AAPL", NOW - MINUTE, NOW)
    first, last = rows[3].time_ns, rows[7].time_ns

    assert market.trades("AAPL", first, last) == rows[3:7]
    assert market.bars("AAPL", MINUTE, 60 * MINUTE, 60 * MINUTE) == []
    starts = [bar.time_ns for bar in market.bars("AAPL", MINUTE, NOW - 2 * MINUTE, NOW)]
    assert starts == [NOW // MINUTE * MINUTE - MINUTE, NOW // MINUTE * MINUTE]


def test_nothing_after_now_is_told():
    market = a_market()
    before = market.trades("AAPL", NOW, NOW + HOUR)
    market.clock.advance(60)

    assert before == []
    assert len(market.trades("AAPL", NOW, NOW + HOUR)) > 20


def test_prices_move_while_one_looks():
    market = a_market()
    seen = set()
    for _ in range(20):
        market.clock.advance(1)
        seen.add(market.price("AAPL"))

    assert len(seen) >= 5
    assert max(seen) - min(seen) < 5


def test_prices_stay_near_home_for_years():
    market = a_market()
    bars = market.bars("AAPL", "day", NOW - 2000 * 24 * HOUR, NOW)

    assert 1990 < len(bars) <= 2001
    assert 120 < min(bar.low for bar in bars) < max(bar.high for bar in bars) < 420
    assert {bar.open for bar in bars[1:]} == {bar.close for bar in bars[:-1]}


def test_a_hundred_thousand_minutes_take_a_moment():
    market = a_market()
    began = process_time()
    bars = market.bars("SPY", MINUTE, NOW - 100_000 * MINUTE, NOW)

    assert len(bars) == 100_000
    # About 0.8 s where this was written; a range that is walked trade by trade takes 20.
    assert process_time() - began < 8


def test_an_unknown_symbol_has_no_prices():
    market = a_market()

    assert market.quote("NOPE") is None
    assert market.last_trade("NOPE") is None
    assert market.day_bar("NOPE") is None
    assert market.bars("NOPE", MINUTE, 0, NOW) == []
    assert market.quote("BTCUSD") == market.quote("BTC/USD")


def test_a_call_rises_and_a_put_falls_with_the_stock():
    market = a_market()
    calls = [each for each in market.instruments.chain("AAPL", NOON.date()) if "C00" in each.symbol]
    far = [each for each in calls if each.contract.expires == calls[-1].contract.expires]
    prices = [market.price(each.symbol) for each in far]
    call = far[len(far) // 2].symbol
    put = call.replace("C00", "P00")

    assert prices == sorted(prices, reverse=True)
    stock, up, down = (
        market.bars(each, HOUR, NOW - 12 * HOUR, NOW) for each in ("AAPL", call, put)
    )
    for before, after in ((0, 1), (1, 2), (2, 3)):
        move = stock[after].close - stock[before].close
        assert (up[after].close - up[before].close) * move >= 0
        assert (down[after].close - down[before].close) * move <= 0


def test_a_contract_is_found_by_symbol_and_by_id():
    instruments = Instruments()
    one = instruments.chain("BRK.B", date(2026, 3, 11))[0]

    assert one.symbol.startswith("BRKB260313C")
    assert Instruments().get(one.symbol) == one
    assert instruments.get(one.id) is one
    assert instruments.get("AAPL260312C00200000") is None
    assert instruments.get("AAPL260231C00200000") is None


def test_new_york_hours_are_kept_when_asked_for():
    market = a_market(hours="nyse", start=datetime(2026, 3, 11, 12, 0, tzinfo=UTC))
    phases = []
    for _ in range(6):
        phases.append(market.phase())
        market.clock.advance(4 * 3600)

    # 8:00, 12:00, 16:00, 20:00, midnight and 4:00 in New York.
    assert phases == ["pre", "open", "post", "closed", "closed", "pre"]
    days = market.bars("AAPL", "day", ns_of(NOON - timedelta(days=7)), market.clock.now_ns())
    assert [day_of_week(bar) for bar in days] == [3, 4, 0, 1, 2, 3]
    assert market.bars("BTC/USD", HOUR, NOW, NOW + 3 * HOUR)


def day_of_week(bar):
    return datetime.fromtimestamp(bar.time_ns / SECOND, UTC).weekday()


def test_a_weekend_has_last_weeks_prices_in_new_york_hours():
    market = a_market(hours="nyse", start=datetime(2026, 3, 15, 12, 0, tzinfo=UTC))
    trade = market.last_trade("AAPL")

    assert datetime.fromtimestamp(trade.time_ns / SECOND, UTC).date() == date(2026, 3, 13)
    assert market.quote("AAPL").bid <= trade.price <= market.quote("AAPL").ask
    assert market.previous_day_bar("AAPL").close == market.day_bar("AAPL").open


@pytest.mark.parametrize(
    ("year", "closed"),
    [
        # As published by the exchange; in 2022 New Year's Day fell on a Saturday.
        (2022, "0117 0221 0415 0530 0620 0704 0905 1124 1226"),
        (2024, "0101 0115 0219 0329 0527 0619 0704 0902 1128 1225"),
        (2026, "0101 0119 0216 0403 0525 0619 0703 0907 1126 1225"),
    ],
)
def test_the_calendar_is_new_yorks(year, closed):
    assert " ".join(f"{day:%m%d}" for day in sorted(holidays(year))) == closed


def test_some_days_end_early_and_trades_settle_on_the_next():
    assert session_on(date(2026, 11, 27)).close.hour == 13
    assert session_on(date(2026, 11, 26)) is None
    assert settlement_of(date(2026, 11, 25)) == date(2026, 11, 27)
    assert settlement_of(date(2024, 5, 24)) == date(2024, 5, 29)


def test_time_does_not_run_backwards():
    clock = SimClock(NOON, is_running=False)
    clock.advance(1.5)

    assert clock.now() == NOON + timedelta(seconds=1.5)
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)
