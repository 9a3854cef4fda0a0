"""What each answer becomes; the payloads are written by hand from the vendor's documentation."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.polygon.wired import named_in, read
from sentio_async import errors
from sentio_async.connectors.polygon.wire import api
from sentio_async.connectors.polygon.wire.tickers import check_about
from sentio_async.http.endpoint import Endpoint
from sentio_async.models import Bars, Page

OURS = Path(__file__).parent / "payloads"
PAYLOADS: dict[str, Any] = {
    name: body
    for path in sorted(OURS.glob("*.json"))
    for name, body in json.loads(path.read_text()).items()
}
ENDPOINTS: dict[str, Endpoint[Any]] = {endpoint.name: endpoint for endpoint in api.endpoints}


def answer(name: str, body: Any = None, **context: Any) -> Any:
    body = PAYLOADS[name] if body is None else body
    return read(ENDPOINTS[name], body, **{"symbol": named_in(body), **context})


def items(name: str, body: Any = None, **context: Any) -> Any:
    return answer(name, body, **context).items


def test_there_is_a_payload_for_every_endpoint():
    assert set(PAYLOADS) == set(ENDPOINTS)


@pytest.mark.parametrize("name", sorted(ENDPOINTS))
def test_every_payload_is_read_to_its_last_row(name):
    value = answer(name)

    if isinstance(value, Page):
        value = value.items
    assert not getattr(value, "skipped", ())
    assert not isinstance(value, list | dict | Bars) or len(value) > 0


NAMED = [
    "aggregates",
    "previous_day",
    "open_close",
    "crypto_open_close",
    "last_trade",
    "last_quote",
    "last_crypto_trade",
    "last_forex_quote",
    "stock_snapshot",
    "crypto_snapshot",
    "forex_snapshot",
    "crypto_book",
    "option_snapshot",
    "ticker_details",
    "option_contract",
]


@pytest.mark.parametrize("name", NAMED)
def test_an_answer_about_another_ticker_is_refused_and_both_are_named(name):
    with pytest.raises(errors.DecodeError, match=r"X:OTHER: the answer is about '\S+'"):
        answer(name, symbol="X:OTHER")


def test_a_second_page_about_another_ticker_is_refused():
    page = {**PAYLOADS["aggregates"], "ticker": "MSFT"}

    with pytest.raises(errors.DecodeError, match="AAPL: the answer is about 'MSFT'"):
        answer("aggregates", page, symbol="AAPL")


@pytest.mark.parametrize(
    ("asked", "named"),
    [("O:A230616C00150000", "A230616C00150000"), ("X:BTCUSD", "BTC-USD"), ("C:EURUSD", "EUR/USD")],
)
def test_the_vendors_spellings_of_a_ticker_are_one(asked, named):
    check_about(asked, named)


@pytest.mark.parametrize("name", sorted(set(ENDPOINTS) - {"market_holidays"}))
def test_an_error_in_a_fine_answer_is_raised_by_every_endpoint(name):
    with pytest.raises(errors.APIError, match="Something went wrong"):
        answer(name, {"status": "ERROR", "request_id": "r", "error": "Something went wrong"})


@pytest.mark.parametrize("name", sorted(ENDPOINTS))
@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"null", b"[1]", b"{}", b'{"status":"OK"}'])
def test_what_cannot_be_read_is_never_an_empty_answer(name, body):
    with pytest.raises((errors.DecodeError, KeyError, TypeError, AttributeError)):
        answer(name, body)


def test_bars_keep_exponents_fractions_and_milliseconds():
    page = answer("aggregates")
    bars = page.items

    assert list(bars.volume) == [51234567.0, 48073426.5]
    assert bars.times_ns[0] == 1741924800000 * 1_000_000
    assert bars.trade_count[1] == 487612
    assert (bars.symbol, bars.step, bars.provider) == ("AAPL", "1Day", "polygon")
    assert (
        page.next
        == "/v2/aggs/ticker/AAPL/range/1/day/1741924800000/1742270400000?cursor=bGltaXQ9Mg"
    )


def test_bars_of_an_index_have_no_volume_and_that_is_fine():
    rows = [{"o": 1, "h": 2, "l": 0.5, "c": 1.5, "t": 1741924800000}]
    bars = items("aggregates", {"status": "OK", "resultsCount": 1, "results": rows})

    assert bars.volume[0] == 0.0
    assert math.isnan(bars.vwap[0])
    assert bars[0].trade_count is None


def test_no_bars_and_no_results_member_is_empty_when_the_vendor_counts_none():
    body = {"ticker": "AAPL", "queryCount": 0, "resultsCount": 0, "status": "OK"}

    assert len(items("aggregates", body)) == 0


def test_one_unreadable_bar_is_reported_beside_the_good_ones():
    good = PAYLOADS["aggregates"]["results"]
    bars = items("aggregates", {"status": "OK", "results": [good[0], {**good[1], "c": None}]})

    assert len(bars) == 1
    assert [row.index for row in bars.skipped] == [1]


def test_only_unreadable_bars_are_an_error():
    with pytest.raises(errors.DecodeError):
        answer("aggregates", {"status": "OK", "results": [{"t": 1}]})


def test_delayed_is_data_with_a_flag():
    assert answer("previous_day").is_delayed
    assert items("aggregates", {**PAYLOADS["aggregates"], "status": "DELAYED"}).is_delayed
    assert answer("stock_snapshot").quote.is_delayed
    assert answer("last_trade", {**PAYLOADS["last_trade"], "status": "DELAYED"}).is_delayed
    assert answer("open_close", {**PAYLOADS["open_close"], "status": "DELAYED"}).is_delayed


def test_tickers_keep_their_case():
    assert [bar.symbol for bar in answer("grouped_stocks")] == ["KIMpL", "TANH"]
    assert items("news")[0].symbols == ("AAPL", "KIMpL")


def test_trades_are_exact_to_the_nanosecond_and_prefer_the_decimal_size():
    first, second = items("trades")

    assert first.time_ns == 1741959000123456789
    assert (first.size, second.size) == (0.4375, 100.0)
    assert first.conditions == ("12", "37")
    assert (first.exchange, first.tape, first.correction) == ("4", "3", None)
    assert second.correction == "1"


def test_quotes_of_currencies_have_no_sizes_and_the_venues_time():
    stock, forex = items("quotes")

    assert (stock.bid, stock.bid_size, stock.bid_exchange) == (213.35, 200.0, "12")
    assert stock.time_ns == 1741959000123456787
    assert (forex.bid_size, forex.time_ns) == (0.0, 1741959001000000000)


def test_capital_letters_are_the_ask():
    quote = answer("last_quote")

    assert (quote.bid, quote.ask) == (213.35, 213.37)
    assert (quote.bid_exchange, quote.ask_exchange) == ("12", "11")


def test_the_last_trade_prefers_the_decimal_size():
    trade = answer("last_trade")

    assert (trade.size, trade.time_ns) == (0.5, 1741959000123456789)


def test_milliseconds_become_nanoseconds():
    assert answer("last_crypto_trade").time_ns == 1741996799795 * 1_000_000
    assert answer("last_forex_quote").time_ns == 1741996799000 * 1_000_000
    assert answer("crypto_snapshot").trade.time_ns == 1741996799790 * 1_000_000


def test_a_conversion_is_exact():
    converted = answer("conversion")

    assert (converted.amount, converted.converted) == (Decimal("100.5"), Decimal("63.21"))


def test_a_snapshot_has_all_its_parts():
    found = {snapshot.symbol: snapshot for snapshot in answer("stock_snapshots")}
    apple = found["AAPL"]

    assert (apple.quote.bid, apple.quote.ask, apple.quote.time_ns) == (
        213.48,
        213.5,
        1741959000123456787,
    )
    assert (apple.trade.size, apple.trade.id) == (2416.5, "71675577320245")
    assert apple.minute_bar.time_ns == 1741958940000 * 1_000_000
    # Midnight in New York, 14 March 2025, summer time.
    assert apple.day_bar.time == datetime(2025, 3, 14, 4, tzinfo=UTC)
    assert (apple.change, apple.change_percent) == (-3.65, -2.231)


def test_parts_that_are_zero_or_missing_before_the_open_are_none():
    found = {snapshot.symbol: snapshot for snapshot in answer("stock_snapshots")}

    cleared = found["KIMpL"]
    assert (cleared.quote, cleared.trade, cleared.day_bar) == (None, None, None)
    assert cleared.previous_day_bar.close == 25.9102
    assert found["ONLY"].quote is None


def test_a_day_of_crypto_begins_at_midnight_utc():
    (bitcoin,) = answer("crypto_snapshots")

    assert bitcoin.day_bar.time == datetime(2025, 3, 14, tzinfo=UTC)
    assert bitcoin.trade.id == "413131"


def test_a_book_has_exact_levels_by_exchange():
    book = answer("crypto_book")

    assert book.bids[0].price == Decimal("83969.1")
    assert book.bids[0].sizes == {"1": Decimal("0.02859424"), "6": Decimal("0.023455")}
    assert book.bid_count == Decimal("694.95")


def test_an_error_of_one_ticker_stays_its_own():
    found = items("universal_snapshots")

    assert found["AAPL"].quote.bid == 213.48
    assert isinstance(found["TSLAAPL"], errors.SymbolNotFoundError)
    assert found["TSLAAPL"].symbol == "TSLAAPL"
    assert isinstance(found["C:EURUSD"], errors.PermissionError)
    assert isinstance(items("summaries")["APx"], errors.SymbolNotFoundError)
    assert isinstance(items("index_values")["I:NOPE"], errors.SymbolNotFoundError)


def test_an_error_nobody_knows_is_still_that_tickers_error():
    body = {"status": "OK", "results": [{"ticker": "AAPL", "error": "BUSY", "message": "Later."}]}
    error = items("universal_snapshots", body)["AAPL"]

    assert isinstance(error, errors.APIError)
    assert (error.code, error.message) == ("BUSY", "AAPL: Later.")


@pytest.mark.parametrize("row", [7, {"error": "NOT_FOUND"}, {"ticker": 5}])
def test_a_ticker_without_a_name_cannot_be_answered(row):
    with pytest.raises(errors.DecodeError):
        answer("universal_snapshots", {"status": "OK", "results": [row]})


def test_one_unreadable_ticker_costs_itself_only():
    rows = PAYLOADS["universal_snapshots"]["results"]
    broken = {"ticker": "MSFT", "session": {"close": "x", "open": 1, "high": 1, "low": 1}}
    found = items("universal_snapshots", {"status": "OK", "results": [*rows, broken]})

    assert isinstance(found["MSFT"], errors.DecodeError)
    assert found["AAPL"].quote is not None


@pytest.mark.parametrize("status", [{"status": "DELAYED"}, {"status": "OK"}, {}])
def test_the_snapshot_of_one_ticker_may_have_numbers_as_texts(status):
    row = {"ticker": "AAPL", "lastQuote": {"p": "1.5", "P": 2}, "updated": 1_700_000_000_000}
    found = answer("stock_snapshot", {**status, "ticker": row}, symbol="AAPL")

    assert (found.quote.bid, found.quote.ask) == (1.5, 2.0)
    assert found.is_delayed is (status.get("status") == "DELAYED")


def test_a_failure_counts_more_than_the_ticker_beside_it():
    body = {"status": "NOT_AUTHORIZED", "message": "no", "ticker": {"ticker": "AAPL"}}

    with pytest.raises(errors.PermissionError):
        answer("stock_snapshot", body, symbol="AAPL")


def test_a_part_that_is_delayed_marks_itself():
    found = items("universal_snapshots")

    assert found["O:AAPL230616C00150000"].quote.is_delayed
    assert not found["AAPL"].quote.is_delayed


@pytest.mark.parametrize("part", ["last_quote", "last_trade"])
def test_an_option_of_which_a_part_is_delayed_is_delayed(part):
    late = {"timeframe": "DELAYED", "bid": 1, "ask": 2, "price": 1.5, "size": 1, "sip_timestamp": 5}
    row = {"details": {"ticker": "O:AAPL230616C00150000"}, part: late}

    assert items("option_chain", {"status": "OK", "results": [row]})[0].is_delayed


def test_a_chain_has_greeks_where_there_are_any():
    page = answer("option_chain")
    first, second = page.items

    assert (first.greeks.delta, first.greeks.rho) == (0.64, None)
    assert (first.underlying, first.open_interest) == ("AAPL", 8133.0)
    assert first.day_bar.vwap == 30.7738
    assert (second.greeks, second.quote, second.day_bar) == (None, None, None)
    assert page.next == "/v3/snapshot/options/AAPL?cursor=Y2hhaW4"


def test_money_of_companies_is_decimal_and_unknown_fields_are_kept():
    details = answer("ticker_details")

    assert details.market_cap == Decimal("3207145000000.5")
    assert details.list_date == date(1980, 12, 12)
    assert details.raw["a_field_of_tomorrow"] == 1


def test_dates_and_factors_of_corporate_actions():
    (dividend,), (split,) = items("dividends"), items("splits")

    assert dividend.historical_adjustment_factor == Decimal("0.997899")
    assert dividend.ex_dividend_date == date(2025, 8, 11)
    assert (split.split_from, split.split_to) == (1, 4)


def test_statements_have_their_lines_by_name():
    (sheet,) = items("balance_sheets")

    assert sheet.items == {"total_assets": Decimal("331233000000.0")}
    assert (sheet.fiscal_year, sheet.fiscal_quarter) == (2025, 2)
    assert items("ratios")[0].items["price_to_earnings"] == Decimal("34.84")


def test_extended_hours_are_not_open():
    status = answer("market_status")

    assert (status.is_open, status.is_extended_hours) == (False, True)
    assert status.at == datetime(2025, 3, 14, 20, 48, 8, tzinfo=UTC)
    assert {e.name: e.is_open for e in status.exchanges}["crypto"]


def test_an_old_market_status_without_marks_is_read():
    status = answer("market_status", {"market": "open", "serverTime": "2020-05-01T12:00:00-04:00"})

    assert (status.is_open, status.is_extended_hours) == (True, False)


def test_holidays_have_their_hours():
    closed, short = answer("market_holidays")

    assert (closed.on, closed.open) == (date(2025, 11, 27), None)
    assert short.close == datetime(2025, 11, 28, 18, tzinfo=UTC)


def test_a_renamed_company_is_read_from_an_object_and_from_a_list():
    body = PAYLOADS["ticker_events"]

    assert answer("ticker_events") == answer(
        "ticker_events", {**body, "results": [body["results"]]}
    )


def test_indicators_are_exact():
    assert items("ema")[0].value == Decimal("110.96883950617286")
    assert items("macd")[0].histogram == Decimal("-42.6")
    assert items("sma")[0].time_ns == 1741924800000 * 1_000_000


@pytest.mark.parametrize("day", ["2024-06-07", 1717718400, 1717718400000, 1717718400000000000])
def test_a_date_that_comes_as_a_number_is_a_date(day):
    body = {"status": "OK", "results": [{"ticker": "RAPP", "listing_date": day}]}

    assert items("ipos", body)[0].listing_date == date(2024, 6, 7)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("trades", {"price": 1, "sip_timestamp": 10**30}),
        ("trades", {"price": 1, "sip_timestamp": -1}),
        ("trades", {"price": 1, "decimal_size": "many"}),
        ("trades", {"price": "free"}),
        ("quotes", {"bid_price": None}),
        ("aggregates", {"o": 1, "h": 1, "l": 1, "c": 1, "t": 10**17}),
        ("aggregates", {"o": 1, "h": 1, "l": 1, "c": 1, "t": 1, "n": 10**30}),
        ("tickers", {"name": "without a ticker"}),
        ("option_chain", {"details": {"ticker": "O:A"}, "last_quote": {"bid": "x"}}),
        ("sma", {"timestamp": 10**40, "value": 1}),
    ],
)
def test_a_row_that_makes_no_sense_is_set_aside_and_the_others_stay(name, row):
    body = json.loads(json.dumps(PAYLOADS[name]))
    rows = body["results"]["values"] if name == "sma" else body["results"]
    count = len(rows)
    rows.insert(0, row)
    found = items(name, body)

    assert len(found) == count
    assert [skipped.index for skipped in found.skipped] == [0]
    with pytest.raises(errors.DecodeError):
        answer(name, {"status": "OK", "results": {"values": [row]} if name == "sma" else [row]})


@pytest.mark.parametrize("value", ["soon", 10**30, -5, [1], "1e999"])
@pytest.mark.parametrize(("name", "field"), [("last_trade", "t"), ("last_quote", "t")])
def test_a_time_that_makes_no_sense_is_an_error(name, field, value):
    body = {"status": "OK", "results": {**PAYLOADS[name]["results"], field: value}}

    with pytest.raises((errors.DecodeError, TypeError)):
        answer(name, body)


@pytest.mark.parametrize("price", ["1e999", "NaN", "true", '"x"', "[]", "{}"])
@pytest.mark.parametrize("name", ["last_trade", "trades", "aggregates"])
def test_a_price_that_makes_no_sense_is_an_error(name, price):
    rows = {
        "last_trade": f'{{"p": {price}, "t": 1}}',
        "trades": f'[{{"price": {price}}}]',
        "aggregates": f'[{{"o": {price}, "h": 1, "l": 1, "c": 1, "t": 1}}]',
    }

    with pytest.raises(errors.DecodeError):
        answer(name, f'{{"status": "OK", "results": {rows[name]}}}'.encode())
