"""Alpaca's market data is read as it was sent, and one bad row costs only itself."""

import json
from datetime import date
from decimal import Decimal

import pytest

from connectors.alpaca.own_payloads import FOLDER
from sentio_async import errors
from sentio_async.connectors.alpaca.wire import (
    data_crypto,
    data_news,
    data_options,
    data_perpetuals,
    data_rates,
    data_screener,
    data_stock,
    data_stocks,
)
from sentio_async.connectors.alpaca.wire.data_rows import as_snapshots
from sentio_async.connectors.alpaca.wire.data_status import read_market_status
from sentio_async.connectors.alpaca.wire.sessions import read_market_clocks

T = 1_772_463_845_000_000_000  # 2026-03-02T15:04:05Z
STOCK = ["KO"]


def body_of(name):
    return (FOLDER / f"data_{name}.json").read_bytes()


def read(call, body):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return call.read(call.endpoint.decode(body))


def a_quote(**changes):
    return {"t": "2026-03-02T15:04:05Z", "bp": 9.9, "ap": 10, "bs": 1, "as": 2, **changes}


def a_bar(**changes):
    return {"t": "2026-03-02T15:04:00Z", "o": 1, "h": 2, "l": 1, "c": 2, "v": 5, **changes}


def a_trade(**changes):
    return {"t": "2026-03-02T15:04:05Z", "p": 10, "s": 1, "i": 1, **changes}


def test_a_quote_keeps_its_nanoseconds_feed_and_sides():
    quotes = read(data_stocks.latest_quotes(STOCK, feed="delayed_sip"), body_of("latest_quotes"))

    assert list(quotes) == ["KO", "PEP"]
    ko, pep = quotes["KO"], quotes["PEP"]
    assert ko.time_ns == T + 123_456_789
    assert (ko.bid, ko.ask, ko.bid_size, ko.ask_size) == (71.35, 71.36, 1200, 300)
    assert (ko.bid_exchange, ko.ask_exchange, ko.conditions, ko.tape) == ("N", "Q", ("R",), "A")
    assert (ko.provider, ko.feed, ko.is_delayed) == ("alpaca", "delayed_sip", True)
    assert (pep.ask, pep.ask_exchange) == (0.0, None)
    assert pep.mid != pep.mid


def test_an_option_quote_has_one_condition_or_none():
    call = data_options.latest_option_quotes(["KO260320C00070000"], feed="indicative")
    quotes = read(call, body_of("latest_option_quotes"))

    assert quotes["KO260320C00070000"].conditions == ("A",)
    assert quotes["KO260320P00070000"].conditions == ()
    assert quotes["KO260320P00070000"].is_delayed
    assert quotes["KO260320P00070000"].feed == "indicative"


def test_trades_say_what_the_tape_did_to_them_later():
    page = read(data_stocks.trades(STOCK, feed="sip"), body_of("trades_page"))
    first, second = page.items["KO"]

    assert page.next == "S098MTc3Mg=="
    assert first.time_ns == 1_772_463_600_000_000_001
    assert (first.id, first.exchange, first.conditions) == ("52983525029461", "V", ("@", "I"))
    assert (first.feed, first.correction) == ("sip", None)
    assert (second.size, second.correction) == (0.25, "corrected")


def test_crypto_trades_say_who_crossed_the_spread():
    call = data_crypto.crypto_trades(["BTC/USD"], location="us-1")
    trades = read(call, body_of("crypto_trades")).items["BTC/USD"]

    assert [trade.taker_side for trade in trades] == ["buy", "sell", None]
    assert {trade.feed for trade in trades} == {"us-1"}
    assert trades[0].size == 0.00012


def test_bars_are_columns_with_gaps_where_alpaca_says_nothing():
    page = read(data_stocks.bars(["KO", "PEP"], "1Day", feed="sip"), body_of("bars_page"))
    ko = page.items["KO"]

    assert (len(ko), ko.step, ko.feed, ko.provider) == (2, "1Day", "sip", "alpaca")
    assert list(ko.close) == [71.35, 71.9]
    assert ko.times_ns[0] == 1_772_427_600_000_000_000
    assert (ko[0].vwap, ko[0].trade_count) == (71.28514, 104332)
    assert (ko[1].vwap, ko[1].trade_count) == (None, None)
    assert ko.exact("open") == [Decimal("71.1"), Decimal("71.4")]
    assert page.items["PEP"].symbol == "PEP"
    assert page.next is None


def test_a_page_about_one_stock_is_read_like_one_about_many():
    page = read(data_stock.bars_of("KO", "1Day"), body_of("bars_of_one"))

    assert page.next == "S098RHwx"
    assert page.items["KO"][0].close == 71.35


def test_a_stock_without_rows_is_no_rows():
    nothing = {"bars": None, "symbol": "KO", "next_page_token": None}

    assert len(read(data_stock.bars_of("KO", "1Day"), nothing).items["KO"]) == 0
    assert read(data_stocks.bars(STOCK, "1Day"), {"bars": None}).items == {}
    assert len(read(data_stocks.latest_quotes(STOCK), {"quotes": None})) == 0


def test_null_in_a_bar_is_nothing_said():
    rows = [a_bar(n=None, vw=None), a_bar(n=7, vw=1.5), a_bar()]
    bars = read(data_stock.bars_of("KO", "1Day"), {"bars": rows, "symbol": "KO"}).items["KO"]
    latest = read(data_stock.latest_bar_of("KO"), {"symbol": "KO", "bar": rows[0]})

    assert [bar.trade_count for bar in bars] == [None, 7, None]
    assert [bar.vwap for bar in bars] == [None, 1.5, None]
    assert (latest.trade_count, latest.vwap) == (None, None)


@pytest.mark.parametrize("place", [0, 77, 199])
def test_a_time_that_is_none_costs_one_row_of_many(place):
    trades, bars = [a_trade() for _ in range(200)], [a_bar() for _ in range(200)]
    quotes = {f"S{number}": a_quote() for number in range(200)}
    trades[place], bars[place] = a_trade(t="soon"), a_bar(t="2026-13-02T15:04:00Z")
    quotes[f"S{place}"] = a_quote(t="2026-03-02T15:04:61Z")

    past = read(data_stock.trades_of("KO"), {"trades": trades, "symbol": "KO"}).items["KO"]
    series = read(data_stock.bars_of("KO", "1Min"), {"bars": bars, "symbol": "KO"}).items["KO"]
    latest = read(data_stocks.latest_quotes(list(quotes)), {"quotes": quotes})

    assert (len(past), [row.index for row in past.skipped]) == (199, [place])
    assert (len(series), [row.index for row in series.skipped]) == (199, [place])
    assert list(latest.errors) == [f"S{place}"]


def test_times_that_are_none_at_all_are_an_error():
    with pytest.raises(errors.DecodeError):
        read(data_stock.bars_of("KO", "1Min"), {"bars": [a_bar(t="soon")], "symbol": "KO"})


def test_latest_of_one_stock_is_under_its_symbol():
    quote = read(data_stock.latest_quote_of("KO"), {"symbol": "KO", "quote": a_quote()})
    trade = read(data_stock.latest_trade_of("KO"), {"symbol": "KO", "trade": a_trade()})
    bar = read(data_stock.latest_bar_of("KO"), {"symbol": "KO", "bar": a_bar()})
    none = read(data_stock.latest_bar_of("KO"), {"symbol": "KO", "bar": None})

    assert {quote.symbol, trade.symbol, bar.symbol} == {"KO"}
    assert (quote.bid, trade.price, bar.high) == (9.9, 10.0, 2.0)
    assert none is None


def test_a_snapshot_may_lack_any_part():
    found = read(data_stocks.snapshots(["KO", "NEWCO", "NOSUCH"]), body_of("snapshots"))
    named = {"symbol": "KO", **json.loads(body_of("snapshots"))["KO"]}
    one = read(data_stock.snapshot_of("KO"), named)

    assert list(found) == ["KO", "NEWCO"]
    assert found["KO"].day_bar.volume == 1125003
    assert found["KO"].previous_day_bar is None
    assert found["NEWCO"].trade is None
    assert one["KO"] == found["KO"]


def test_an_option_chain_has_greeks_where_alpaca_computes_them():
    page = read(data_options.option_chain("KO", feed="opra"), body_of("option_chain"))
    call, put = page.items["KO260320C00070000"], page.items["KO260320P00030000"]

    assert page.next == "S08yNjAz"
    assert (call.underlying, call.implied_volatility, call.greeks.delta) == ("KO", 0.1734, 0.68)
    assert (call.quote.feed, call.is_delayed) == ("opra", False)
    assert (put.greeks, put.trade, put.quote.bid_exchange) == (None, None, None)
    assert as_snapshots(page.items)["KO260320C00070000"].day_bar.close == 2.0


def test_auctions_are_by_day():
    day = read(data_stocks.auctions(STOCK), body_of("auctions")).items["KO"][0]

    assert day.on == date(2026, 3, 2)
    assert (day.opening[0].price, day.opening[0].size, day.opening[0].feed) == (71.1, 215004, "sip")
    assert (day.closing[0].size, day.closing[0].conditions) == (0.0, ("M",))


def test_an_order_book_is_best_first():
    book = read(data_crypto.crypto_books(["BTC/USD"]), body_of("orderbooks"))["BTC/USD"]

    assert book.time_ns == T + 7
    assert [level.price for level in book.bids] == [64011, 64010.5]
    assert book.asks[0].size == 0.25


def test_news_keeps_the_good_articles_beside_a_bad_one():
    page = read(data_news.news(), body_of("news"))
    first, second = page.items

    assert (first.id, first.symbols, len(first.images)) == ("44190001", ("KO", "PEP"), 2)
    assert (second.author, second.url) == (None, None)
    assert [row.index for row in page.items.skipped] == [2]
    assert page.next == "MTc3Mg=="


def test_corporate_actions_say_who_pays_what_and_exchanges_what():
    page = read(data_news.corporate_actions(), body_of("corporate_actions"))
    found = {action.type: action for action in page.items}

    dividend, merger = found["cash_dividend"], found["stock_and_cash_merger"]
    assert (dividend.symbol, dividend.cash) == ("KO", Decimal("0.53"))
    assert dividend.payable_on == date(2026, 4, 1)
    assert (found["forward_split"].old_rate, found["forward_split"].new_rate) == (1, Decimal("2.5"))
    assert (merger.symbol, merger.target_symbol, merger.cash) == ("SML", "BIG", Decimal("12.25"))
    assert (merger.old_rate, merger.new_rate) == (1, Decimal("0.4"))
    assert (found["stock_dividend"].cash, found["stock_dividend"].new_rate) == (
        None,
        Decimal("0.05"),
    )
    assert found["name_change"].target_symbol == "NEW"


def test_a_corporate_action_of_a_new_kind_is_kept():
    page = read(data_news.corporate_actions(), body_of("corporate_actions"))

    assert page.items[-1].type == "moon_landings"
    assert page.items[-1].raw["symbol"] == "MOON"


def test_movers_actives_rates_and_bonds_are_read():
    movers = read(data_screener.movers(), body_of("movers"))
    (busy,) = read(data_screener.most_actives(), body_of("most_actives"))
    quote = read(data_rates.bond_quotes(["US0000000001"]), body_of("bond_quotes"))["US0000000001"]
    prices = read(data_rates.bond_prices(["US0000000001"]), body_of("bond_prices"))
    (rate,) = read(data_rates.currency_rates(["USDJPY"]), body_of("currency_rates")).items["USDJPY"]
    (value,) = read(data_rates.index_values(["SPX"]), body_of("index_values")).items["SPX"]
    perpetual = read(data_perpetuals.perpetual_pricing(["X"]), body_of("perpetual_pricing"))

    assert (movers.gainers[0].change_percent, movers.losers[0].symbol) == (10.0, "DOWN")
    assert (busy.symbol, busy.trade_count) == ("BUSY", 800123)
    assert (quote.ask_size, quote.bid_yield_to_worst) == (500000, 5.2)
    assert prices["US0000000002"].yield_to_maturity is None
    assert (rate.bid, rate.mid, rate.ask) == (149.1, 149.105, 149.11)
    assert value.value == 7383.46
    assert perpetual["BTCUSDT.P"].funding_rate == -0.0001


@pytest.mark.parametrize("bad", [{"bp": "dear"}, {"t": "yesterday"}, {"t": None}])
def test_a_latest_row_that_cannot_be_read_costs_only_its_own_symbol(bad):
    answer = {"quotes": {"KO": a_quote(**bad), "PEP": a_quote(), "GONE": None}}

    quotes = read(data_stocks.latest_quotes(STOCK), answer)

    assert quotes["PEP"].bid == 9.9
    assert isinstance(quotes.errors["KO"], errors.DecodeError)
    assert "GONE" not in quotes


@pytest.mark.parametrize("bad", [{"p": None}, {"t": "2026-13-02T15:04:05Z"}])
def test_a_trade_that_cannot_be_read_is_reported_beside_the_good_ones(bad):
    answer = {"trades": {"KO": [a_trade(), a_trade(**bad), a_trade(i="x")]}}

    rows = read(data_stocks.trades(STOCK), answer).items["KO"]

    assert [row.id for row in rows] == ["1", "x"]
    assert [row.index for row in rows.skipped] == [1]


@pytest.mark.parametrize("bad", [{"c": None}, {"t": "soon"}, {"t": "2026-03-02T15:04:00"}])
def test_a_bar_that_cannot_be_read_is_reported_beside_the_good_ones(bad):
    answer = {"bars": {"KO": [a_bar(), a_bar(**bad), a_bar(c=1.5)], "PEP": [a_bar()]}}

    series = read(data_stocks.bars(STOCK, "1Min"), answer).items

    assert list(series["KO"].close) == [2, 1.5]
    assert [row.index for row in series["KO"].skipped] == [1]
    assert series["PEP"].skipped == ()


def test_bars_of_which_none_can_be_read_are_an_error():
    for bad in ({"c": None}, {"t": "soon"}):
        with pytest.raises(errors.DecodeError):
            read(data_stocks.bars(STOCK, "1Min"), {"bars": {"KO": [a_bar(**bad)]}})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b"[]",
        b"null",
        b'{"quotes": []}',
        b'{"quotes": {"KO": [1]',
        b'{"quotes": {"\xff": null}}',
        b'{"quotes":' + b"[" * 100_000,
        b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b', "quotes": {}}',
        b'{"quotes": {"KO": {"t": "2026-03-02T15:04:05Z", "bp": NaN, "ap": 1}}}',
    ],
)
def test_an_answer_that_is_none_is_an_error_and_not_an_empty_one(body):
    with pytest.raises(errors.DecodeError):
        read(data_stocks.latest_quotes(STOCK), body)


@pytest.mark.parametrize(
    ("call", "body"),
    [
        (data_stocks.trades(STOCK), {"trades": {"KO": [{"t": 1}]}}),
        (data_stock.bars_of("KO", "1Day"), {"bars": [], "next_page_token": None}),
        (data_stocks.snapshots(STOCK), {"message": "no"}),
        (data_news.news(), {"news": [{"id": 1}]}),
        (data_news.corporate_actions(), {"corporate_actions": []}),
        (data_screener.movers(), {"gainers": []}),
        (data_screener.stock_exchanges(), {"A": 1}),
    ],
)
def test_no_row_that_can_be_read_is_an_error(call, body):
    try:
        value = read(call, body)
    except errors.DecodeError:
        return
    # Snapshots have no frame, so a stranger's answer looks like a symbol that cannot be read.
    assert isinstance(value.errors["message"], errors.DecodeError)


def a_clock(phase):
    return {
        "market": {"acronym": "NYSE"},
        "timestamp": "2026-03-02T08:04:05.000000001-05:00",
        "is_market_day": True,
        "next_market_open": "2026-03-02T09:30:00-05:00",
        "next_market_close": "2026-03-02T16:00:00-05:00",
        "phase": phase,
        "phase_until": "2026-03-02T09:30:00-05:00",
    }


@pytest.mark.parametrize(
    ("phase", "is_open", "is_extended"),
    [
        ("core", True, False),
        ("pre", False, True),
        ("post", False, True),
        ("closed", False, False),
        ("lunch", False, False),
    ],
)
def test_market_status_is_the_phase_of_the_main_market(phase, is_open, is_extended):
    clocks = read_market_clocks({"clocks": [a_clock(phase)]})

    status = read_market_status(clocks)

    assert (status.is_open, status.is_extended_hours) == (is_open, is_extended)
    assert status.exchanges[0].status == phase
    assert status.at_ns == 1_772_456_645_000_000_001
    assert status.next_open.hour == 14


def test_market_status_without_a_clock_is_an_error():
    with pytest.raises(errors.DecodeError):
        read_market_status([])
