"""Every member of an answer about the latest of something has its place, and nothing else is there.

Whole values are compared, so that a member which is read from another name, or not at all, is seen.
"""

from __future__ import annotations

import pytest

from connectors.polygon.wired import read
from sentio_async.connectors.polygon.wire import last, status, universal
from sentio_async.models import Bar, Greeks, OptionSnapshot, Quote, Snapshot, Trade

NS = 1_741_959_000_123_456_789
MS = 1_741_959_000_123
DAY_NS = 1_741_924_800_000_000_000  # midnight in New York before NS


def result(endpoint, row, *, symbol="AAPL", status="OK"):
    return read(endpoint, {"status": status, "results": row}, symbol=symbol)


def test_the_last_trade():
    row = {"T": "AAPL", "t": NS, "p": 1.5, "s": 2, "i": "7", "x": 4, "c": [12, 37], "z": 3, "e": 1}
    usual = {"price": 1.5, "id": "7", "exchange": "4", "conditions": ("12", "37"), "tape": "3"}
    endpoint = last.last_trade.endpoint

    assert result(endpoint, row) == Trade(
        "AAPL", NS, "polygon", size=2.0, correction="1", is_delayed=False, **usual
    )
    exact = {**row, "ds": "0.25", "e": 0}
    assert result(endpoint, exact, status="DELAYED") == Trade(
        "AAPL", NS, "polygon", size=0.25, is_delayed=True, **usual
    )
    assert result(endpoint, {"t": NS, "p": 1.5}) == Trade("AAPL", NS, "polygon", 1.5, 0.0)


def test_the_last_quote():
    row = {
        "T": "AAPL", "t": NS, "c": [1], "z": 3,
        "p": 1.5, "s": 2, "x": 12, "P": 2.5, "S": 3, "X": 11,
    }  # fmt: skip
    endpoint = last.last_quote.endpoint

    assert result(endpoint, row, status="DELAYED") == Quote(
        "AAPL",
        NS,
        "polygon",
        bid=1.5,
        ask=2.5,
        bid_size=2.0,
        ask_size=3.0,
        bid_exchange="12",
        ask_exchange="11",
        conditions=("1",),
        tape="3",
        is_delayed=True,
    )
    nobody = {"t": NS, "x": 0, "X": 0}
    assert result(endpoint, nobody) == Quote("AAPL", NS, "polygon", 0.0, 0.0, 0.0, 0.0)


def test_the_last_trade_of_a_crypto_pair():
    body = {
        "status": "success",
        "symbol": "BTC-USD",
        "last": {"price": 1.5, "size": 2, "exchange": 4, "conditions": [1], "timestamp": MS},
    }

    assert read(last.last_crypto_trade.endpoint, body, symbol="X:BTCUSD") == Trade(
        "X:BTCUSD", MS * 1_000_000, "polygon", 1.5, 2.0, exchange="4", conditions=("1",)
    )


def test_the_last_quote_of_a_currency_pair():
    body = {"status": "success", "symbol": "EUR/USD"}
    body["last"] = {"bid": 1.5, "ask": 2.5, "exchange": 48, "timestamp": MS}

    assert read(last.last_forex_quote.endpoint, body, symbol="C:EURUSD") == Quote(
        "C:EURUSD",
        MS * 1_000_000,
        "polygon",
        bid=1.5,
        ask=2.5,
        bid_size=0.0,
        ask_size=0.0,
        bid_exchange="48",
        ask_exchange="48",
    )


QUOTE = {
    "bid": 1.5, "ask": 2.5, "bid_size": 2, "ask_size": 3, "bid_exchange": 12, "ask_exchange": 11,
    "last_updated": NS, "timeframe": "REAL-TIME",
}  # fmt: skip
TRADE = {
    "price": 1.75, "size": 4, "id": 7, "exchange": 5, "conditions": [37], "sip_timestamp": NS + 1,
    "participant_timestamp": NS - 1, "last_updated": NS - 2, "timeframe": "REAL-TIME",
}  # fmt: skip
SESSION = {
    "open": 1.0, "high": 3.0, "low": 0.5, "close": 2.0, "volume": 9, "vwap": 1.25,
    "change": 0.25, "change_percent": 12.5,
}  # fmt: skip
READ_QUOTE = Quote(
    "X",
    NS,
    "polygon",
    bid=1.5,
    ask=2.5,
    bid_size=2.0,
    ask_size=3.0,
    bid_exchange="12",
    ask_exchange="11",
)
READ_TRADE = Trade("X", NS + 1, "polygon", 1.75, 4.0, id="7", exchange="5", conditions=("37",))
READ_DAY = Bar("X", DAY_NS, "polygon", 1.0, 3.0, 0.5, 2.0, 9.0, None, 1.25)


def snapshot(**row):
    page = result(universal.universal_snapshots.endpoint, [{"ticker": "X", **row}])
    return page.items["X"]


def test_a_snapshot_of_any_kind():
    whole = {"last_quote": QUOTE, "last_trade": TRADE, "session": SESSION, "last_updated": NS - 9}

    assert snapshot(**whole) == Snapshot(
        "X",
        "polygon",
        quote=READ_QUOTE,
        trade=READ_TRADE,
        day_bar=READ_DAY,
        change=0.25,
        change_percent=12.5,
        updated_ns=NS + 1,
    )
    assert snapshot() == Snapshot("X", "polygon")


def test_a_snapshot_is_delayed_when_it_or_a_part_of_it_is():
    late = {"timeframe": "DELAYED"}

    assert not snapshot(last_quote=QUOTE, last_trade=TRADE).is_delayed
    assert snapshot(last_quote={**QUOTE, **late}).is_delayed
    assert snapshot(last_trade={**TRADE, **late}).is_delayed
    found = snapshot(**late, last_quote=QUOTE, last_trade=TRADE, session=SESSION, last_updated=NS)
    assert (found.is_delayed, found.quote.is_delayed, found.trade.is_delayed) == (True, True, True)
    assert found.day_bar.is_delayed


def test_a_trade_is_of_the_best_time_there_is():
    def time_of(*missing):
        row = {name: value for name, value in TRADE.items() if name not in missing}
        return snapshot(last_trade=row).trade.time_ns

    assert time_of("sip_timestamp") == NS - 1
    assert time_of("sip_timestamp", "participant_timestamp") == NS - 2
    assert time_of("sip_timestamp", "participant_timestamp", "last_updated") == 0


def test_exact_sizes_count_more_than_rounded_ones():
    exact = {**SESSION, "decimal_volume": "9.25"}
    found = snapshot(last_trade={**TRADE, "decimal_size": "4.5"}, session=exact)

    assert (found.trade.size, found.day_bar.volume) == (4.5, 9.25)


def test_an_option_of_a_chain():
    row = {
        "details": {"ticker": "X"},
        "underlying_asset": {"ticker": "AAPL"},
        "last_quote": QUOTE,
        "last_trade": TRADE,
        "day": {**SESSION, "last_updated": NS},
        "greeks": {"delta": 0.5, "gamma": 0.25, "theta": -0.125, "vega": 0.75, "rho": 0.0625},
        "implied_volatility": 0.3,
        "open_interest": 8,
        "break_even_price": 179.5,
    }
    (found,) = result(universal.option_chain.endpoint, [row]).items

    assert found == OptionSnapshot(
        "X",
        "polygon",
        underlying="AAPL",
        quote=READ_QUOTE,
        trade=READ_TRADE,
        day_bar=READ_DAY,
        greeks=Greeks(delta=0.5, gamma=0.25, theta=-0.125, vega=0.75, rho=0.0625),
        implied_volatility=0.3,
        open_interest=8.0,
        break_even_price=179.5,
    )


def test_many_pages_of_snapshots_are_all_read():
    body = {"status": "OK", "results": [], "count": 0, "next_url": "https://x/v3/snapshot?cursor=a"}

    assert read(universal.universal_snapshots.endpoint, body).next == "/v3/snapshot?cursor=a"


def market(word, **more):
    body = {"market": word, "serverTime": "2025-03-14T16:48:08-04:00", **more}
    return read(status.market_status.endpoint, body)


@pytest.mark.parametrize(
    ("told", "is_open", "is_extended"),
    [
        ({"word": "open"}, True, False),
        ({"word": "early-close"}, True, False),
        ({"word": "closed"}, False, False),
        ({"word": "extended-hours"}, False, True),
        ({"word": "closed", "afterHours": True}, False, True),
        ({"word": "closed", "earlyHours": True}, False, True),
        ({"word": "open", "afterHours": False, "earlyHours": False}, True, False),
    ],
)
def test_a_market_is_open_or_in_its_extended_hours(told, is_open, is_extended):
    found = market(**told)

    assert (found.is_open, found.is_extended_hours) == (is_open, is_extended)


def test_every_group_of_exchanges_is_told_of():
    found = market(
        "closed",
        exchanges={"nyse": "closed", "otc": None},
        currencies={"fx": "open"},
        indicesGroups={"s_and_p": "early-close"},
    )

    told = [(each.name, each.status, each.is_open) for each in found.exchanges]
    assert told == [
        ("nyse", "closed", False),
        ("fx", "open", True),
        ("s_and_p", "early-close", True),
    ]
