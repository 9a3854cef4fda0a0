"""Rows are read many at a time, and one that cannot be read costs only itself."""

import json

import pytest

from sentio_async import errors
from sentio_async.connectors.polygon.wire import aggregates, snapshots, ticks
from sentio_async.connectors.polygon.wire.tickers import all_checked

NS = 1_772_463_845_123_456_789
MS = 1_772_463_845_123
MANY = 60


def read(call, **body):
    return call.read(call.endpoint.decode(json.dumps({"status": "OK", **body}).encode()))


def a_snapshot(ticker="AAPL", **changes):
    bar = {"c": 3.0, "h": 4.0, "l": 1.0, "o": 2.0, "v": 5, "vw": 2.5}
    return {
        "ticker": ticker, "todaysChange": 0.5, "todaysChangePerc": 1.5, "updated": NS,
        "day": bar, "prevDay": {**bar, "c": 2.5}, "min": {**bar, "t": MS, "n": 7},
        "lastQuote": {"P": 3.1, "S": 2, "p": 3.0, "s": 1, "t": NS},
        "lastTrade": {"c": [14, 41], "i": "1", "p": 3.0, "s": 10, "t": NS, "x": 12},
        **changes,
    }  # fmt: skip


def many(row, bad, place=41):
    return [bad if index == place else row for index in range(MANY)]


def test_a_snapshot_has_each_number_in_its_place():
    (found,) = read(snapshots.stock_snapshots(["AAPL"]), tickers=[a_snapshot()])

    assert (found.symbol, found.change, found.change_percent) == ("AAPL", 0.5, 1.5)
    assert (found.updated_ns, found.is_delayed, found.feed) == (NS, False, None)
    quote, trade, minute, day = found.quote, found.trade, found.minute_bar, found.day_bar
    assert (quote.bid, quote.ask, quote.bid_size, quote.ask_size) == (3.0, 3.1, 1.0, 2.0)
    assert (trade.price, trade.size, trade.id, trade.exchange) == (3.0, 10.0, "1", "12")
    assert (trade.conditions, trade.time_ns, quote.time_ns) == (("14", "41"), NS, NS)
    assert (minute.open, minute.high, minute.low, minute.close) == (2.0, 4.0, 1.0, 3.0)
    assert (minute.volume, minute.vwap, minute.trade_count) == (5.0, 2.5, 7)
    assert minute.time_ns == MS * 1_000_000
    assert day.time_ns == 1_772_427_600_000_000_000  # midnight in New York
    assert (found.previous_day_bar.close, found.previous_day_bar.time_ns) == (2.5, 0)


@pytest.mark.parametrize(
    "changes",
    [{"updated": -1}, {"updated": 2**63}, {"lastQuote": {"p": 1, "t": 2**70}}, {"ticker": 5},
     {"lastTrade": {"p": 1, "ds": "much"}}, {"day": {"c": "3"}}],
)  # fmt: skip
def test_one_snapshot_of_many_that_is_none_costs_only_itself(changes):
    rows = many(a_snapshot(), a_snapshot(**changes))
    found = read(snapshots.stock_snapshots(None), tickers=rows)

    assert len(found) == MANY - 1
    assert [row.index for row in found.skipped] == [41]


def test_the_day_of_a_currency_begins_in_utc():
    rows = [a_snapshot("AAPL"), a_snapshot("X:BTCUSD"), a_snapshot("BRK:B", updated=None)]
    stock, pair, unknown = read(snapshots.stock_snapshots(None), tickers=rows)

    assert stock.day_bar.time_ns - pair.day_bar.time_ns == 5 * 3600 * 10**9
    assert unknown.day_bar.time_ns == 0


def test_null_in_an_aggregate_is_nothing_said():
    rows = [{"t": MS, "o": 1, "h": 2, "l": 1, "c": 2, "v": 5, **more}
            for more in ({"n": None, "vw": None}, {"n": 7, "vw": 1.5}, {})]  # fmt: skip
    page = read(aggregates.aggregates("AAPL", "1Min", 0, 1), ticker="AAPL", results=rows)

    assert [bar.trade_count for bar in page.items] == [None, 7, None]
    assert [bar.vwap for bar in page.items] == [None, 1.5, None]
    assert {bar.time_ns for bar in page.items} == {MS * 1_000_000}


def test_trades_and_quotes_have_codes_as_text():
    trade = {"price": 1, "sip_timestamp": NS, "exchange": 4, "conditions": [12, 37], "tape": 3}
    bad = {**trade, "decimal_size": "many"}
    trades = read(ticks.trades("AAPL"), results=many(trade, bad)).items
    quote = {"bid_price": 1, "ask_price": 2, "bid_exchange": 0, "ask_exchange": 11}
    (found,) = read(ticks.quotes("AAPL"), results=[{**quote, "sip_timestamp": NS}]).items

    assert [row.index for row in trades.skipped] == [41]
    assert (trades[0].exchange, trades[0].conditions, trades[0].tape) == ("4", ("12", "37"), "3")
    assert (trades[0].correction, trades[0].time_ns) == (None, NS)
    assert (found.bid_exchange, found.ask_exchange, found.conditions) == (None, "11", ())


@pytest.mark.parametrize("bad", ["", "A,B", "A B", "A\n"])
def test_what_is_no_ticker_is_refused_among_many(bad):
    assert all_checked(["A", "BRK.B", "X:BTCUSD"]) == "A,BRK.B,X:BTCUSD"
    assert all_checked(["A", "B"]) == "A,B"
    for tickers in ([bad], ["A", bad, "B"]):
        with pytest.raises(errors.InvalidRequestError):
            all_checked(tickers)
