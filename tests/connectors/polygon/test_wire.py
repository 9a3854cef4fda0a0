"""What requests look like, and how pages lead to one another."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from connectors.polygon.wired import endpoint_of, read
from sentio_async import errors
from sentio_async.connectors.polygon.moments import ns_by_size
from sentio_async.connectors.polygon.wire import (
    Walk,
    aggregates,
    api,
    corporate,
    indicators,
    last,
    latest,
    reference,
    snapshots,
    ticks,
    universal,
)
from sentio_async.connectors.polygon.wire.envelope import next_target
from sentio_async.connectors.polygon.wire.paging import following
from sentio_async.connectors.polygon.wire.tickers import asset_class
from sentio_async.models import AssetClass, Quote, Snapshot

NEW_YORK = timezone(timedelta(hours=-4))
DAY = date(2025, 3, 14)


@pytest.mark.parametrize(
    ("timeframe", "expected"),
    [
        ("1Day", (1, "day")),
        ("5Min", (5, "minute")),
        ("1m", (1, "minute")),
        ("1M", (1, "month")),
        ("15minutes", (15, "minute")),
        ("30s", (30, "second")),
        ("4h", (4, "hour")),
        ("day", (1, "day")),
        ("1w", (1, "week")),
        ("3Month", (3, "month")),
        ("1 Quarter", (1, "quarter")),
        ("1Y", (1, "year")),
    ],
)
def test_a_timeframe_is_a_number_and_a_unit(timeframe, expected):
    assert aggregates.timespan(timeframe) == expected


@pytest.mark.parametrize("timeframe", ["", "5", "0Min", "1Fortnight", "-1Day", "1Day1", "Min5"])
def test_a_wrong_timeframe_is_refused_with_examples(timeframe):
    with pytest.raises(errors.InvalidRequestError, match="write 1Sec, 5Min"):
        aggregates.timespan(timeframe)


def test_spellings_of_a_timeframe_have_one_name():
    assert {aggregates.step_name(t) for t in ("5Min", "5m", "5 minutes")} == {"5Min"}
    assert aggregates.step_name("1d") == "1Day"


def test_bars_are_asked_for_by_day_or_by_millisecond():
    start = datetime(2025, 3, 14, 9, 30, 0, 123456, tzinfo=NEW_YORK)

    by_time = aggregates.aggregates("AAPL", "1Min", start, start)
    assert "/1741959000123/1741959000123?" in by_time.target
    assert "/2025-03-14/2025-03-14?" in aggregates.aggregates("AAPL", "1Day", DAY, DAY).target


def test_ticks_are_asked_for_without_losing_a_nanosecond():
    start = datetime(2025, 3, 14, 9, 30, 0, 123456, tzinfo=NEW_YORK)

    call = ticks.trades("AAPL", start, 1741959000123456789)
    assert "timestamp.gte=1741959000123456000" in call.query
    assert "timestamp.lt=1741959000123456789" in call.query


@pytest.mark.parametrize("moment", ["2024-01-01", 1.5, True])
def test_what_is_no_time_is_refused_by_its_type(moment):
    said = f"is a {type(moment).__name__}"

    with pytest.raises(errors.InvalidRequestError, match=said):
        aggregates.aggregates("AAPL", "1Day", moment, date(2024, 1, 2))
    with pytest.raises(errors.InvalidRequestError, match=said):
        aggregates.back_from(moment, "1Day", 5)
    with pytest.raises(errors.InvalidRequestError, match=said):
        ticks.trades("AAPL", moment)


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(errors.InvalidRequestError, match="zone"):
        ticks.trades("AAPL", datetime(2025, 3, 14))


@pytest.mark.parametrize("ticker", ["KIMpL", "BRK.A", "O:AAPL230616C00150000", "X:BTCUSD"])
def test_a_ticker_goes_on_the_wire_as_it_is(ticker):
    assert last.last_trade(ticker).path == f"/v2/last/trade/{ticker}"


@pytest.mark.parametrize("ticker", ["", "A B", "A,B", "A\n", "..", "."])
def test_what_cannot_be_a_ticker_is_refused(ticker):
    with pytest.raises(errors.InvalidRequestError):
        last.last_trade(ticker)


def test_a_ticker_cannot_lead_to_another_path():
    assert last.last_trade("../../v1/x").path == "/v2/last/trade/..%2F..%2Fv1%2Fx"


def test_prefixes_tell_the_market():
    tickers = ("AAPL", "O:A1", "X:BTCUSD", "C:EURUSD", "I:SPX")

    assert [asset_class(t) for t in tickers] == [
        AssetClass.STOCK,
        AssetClass.OPTION,
        AssetClass.CRYPTO,
        AssetClass.FOREX,
        AssetClass.INDEX,
    ]


def test_a_currency_pair_is_split_after_three_letters():
    assert last.last_forex_quote("C:EURUSD").path == "/v1/last_quote/currencies/EUR/USD"
    with pytest.raises(errors.InvalidRequestError):
        last.last_forex_quote("C:EUR")


def test_an_option_names_its_underlying():
    call = universal.contract("O:BRK.B230616C00150000")

    assert call.path == "/v3/snapshot/options/BRK.B/O:BRK.B230616C00150000"
    with pytest.raises(errors.InvalidRequestError):
        universal.contract("O:230616C00150000")


def test_universal_snapshots_always_say_their_limit():
    assert "limit=250" in universal.universal_snapshots(["AAPL"]).query
    assert "limit=250" in universal.index_values(["I:SPX"]).query


def test_a_filter_that_does_not_exist_is_refused():
    with pytest.raises(errors.InvalidRequestError, match="exdate_gte: no such filter"):
        corporate.dividends(exdate_gte=DAY)


def test_a_filter_is_named_with_an_underscore_for_the_dot():
    call = corporate.dividends(ticker_any_of=["AAPL", "MSFT"], ex_dividend_date_gte=DAY)

    assert call.query.startswith("ticker.any_of=AAPL,MSFT&ex_dividend_date.gte=2025-03-14")


@pytest.mark.parametrize("build", [snapshots.movers, snapshots.whole_market])
def test_an_unknown_market_is_refused(build):
    arguments = ("bonds", "gainers") if build is snapshots.movers else ("bonds",)
    with pytest.raises(errors.InvalidRequestError, match="bonds"):
        build(*arguments)
    with pytest.raises(errors.InvalidRequestError, match="bonds"):
        aggregates.grouped("bonds", DAY)
    with pytest.raises(errors.InvalidRequestError, match="bonds"):
        reference.exchanges_of("bonds")


def test_indicators_take_one_unit_only():
    with pytest.raises(errors.InvalidRequestError, match="one unit"):
        indicators.sma("AAPL", "5Min")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1741959000, 1741959000_000000000),
        (1741959000123, 1741959000_123000000),
        (1741959000123456, 1741959000_123456000),
        (1741959000123456789, 1741959000123456789),
        (0, None),
        (None, None),
    ],
)
def test_mixed_units_are_told_apart_by_size(value, expected):
    assert ns_by_size(value) == expected


# Pages


def test_of_a_next_url_only_path_and_query_are_used():
    for host in ("https://api.polygon.io", "https://api.massive.com:443", "http://evil.example"):
        target = next_target(f"{host}/v3/trades/AAPL?cursor=YQ")
        call = following(ticks.trades("AAPL"), target)

        assert call.target == "/v3/trades/AAPL?cursor=YQ"


def test_a_key_in_a_next_url_is_dropped():
    call = following(ticks.trades("AAPL"), "/v3/trades/AAPL?apiKey=k&cursor=YQ&apikey=k")

    assert call.target == "/v3/trades/AAPL?cursor=YQ"


def test_the_dates_in_the_path_of_the_next_bars_may_differ():
    call = aggregates.aggregates("AAPL", "1Day", DAY, DAY)
    target = "/v2/aggs/ticker/AAPL/range/1/day/1626912000000/1629590400000?cursor=AGG"

    assert following(call, target).target == target


def test_the_next_indicator_page_may_be_in_capitals():
    call = indicators.sma("AAPL")

    assert following(call, "/v1/indicators/SMA/AAPL?cursor=a").path == "/v1/indicators/SMA/AAPL"


@pytest.mark.parametrize(
    "target",
    [
        "/v2/last/trade/AAPL?cursor=a",
        "/v3/trades/AAPL/x?cursor=a",
        "/v3/trades/..?cursor=a",
        "/v3/trades/%2e%2e?cursor=a",
        "/v3/trades/a%2Fb?cursor=a",
        "/v3/trades/AA\nPL?cursor=a",
        "/v3/trades/?cursor=a",
        "",
        "v3/trades/AAPL",
        "//evil.example/v3/trades/AAPL",
    ],
)
def test_a_next_url_that_leaves_its_endpoint_is_refused(target):
    with pytest.raises(errors.DecodeError, match="does not continue"):
        following(ticks.trades("AAPL"), target)


@pytest.mark.parametrize("url", [None, ""])
def test_no_next_url_is_the_last_page(url):
    assert next_target(url) is None


@pytest.mark.parametrize("url", [7, ["/v3"], "http://[bad"])
def test_a_next_url_that_is_none_is_refused(url):
    with pytest.raises(errors.DecodeError):
        next_target(url)


def test_a_null_next_url_ends_the_walk():
    body = {"status": "OK", "results": [], "next_url": None}

    assert read(endpoint_of("/v3/trades/AAPL"), body).next is None


def test_a_page_seen_before_ends_the_walk_with_an_error():
    call = ticks.trades("AAPL")
    walk = Walk(call, max_pages=100)
    second = walk.next(call, "/v3/trades/AAPL?cursor=a")
    third = walk.next(second, "/v3/trades/AAPL?cursor=b")

    with pytest.raises(errors.DecodeError, match="already read"):
        walk.next(third, "/v3/trades/AAPL?cursor=a")


def test_a_walk_has_an_end():
    call = ticks.trades("AAPL")
    walk = Walk(call, max_pages=2)
    second = walk.next(call, "/v3/trades/AAPL?cursor=a")

    with pytest.raises(errors.DecodeError, match="more than 2 pages"):
        walk.next(second, "/v3/trades/AAPL?cursor=b")


# Many tickers


def test_stocks_are_packed_into_the_fewest_requests():
    tickers = [f"T{n}" for n in range(501)]
    packed = latest.packed(tickers, size=250)

    assert [len(chunk) for _, chunk in packed] == [250, 250, 1]
    assert {call.endpoint.name for call, _ in packed} == {"stock_snapshots"}


def test_mixed_kinds_are_packed_into_one_request():
    ((call, chunk),) = latest.packed(["AAPL", "X:BTCUSD", "C:EURUSD"], size=250)

    assert call.endpoint.name == "universal_snapshots"
    assert len(chunk) == 3


def test_no_request_line_grows_over_eight_kibibytes():
    tickers = [f"{'T' * 35}{n:05}" for n in range(600)]
    packed = latest.packed(tickers, size=250)

    assert max(len(call.target) for call, _ in packed) < 7_500
    assert sum(len(chunk) for _, chunk in packed) == 600


def test_no_tickers_are_no_requests():
    assert latest.packed([], size=250) == []


def a_snapshot(symbol, *, quote=True):
    row = {"symbol": symbol, "provider": "polygon", "time_ns": 1}
    bid = {"bid": 1.0, "ask": 2.0, "bid_size": 1.0, "ask_size": 1.0}
    return Snapshot(symbol=symbol, provider="polygon", quote=Quote(**row, **bid) if quote else None)


def test_a_ticker_in_no_answer_is_not_known():
    batch = latest.gathered(["A", "B"], [["A", "B"]], [{"A": a_snapshot("A")}])

    assert list(batch) == ["A", "B"]
    with pytest.raises(errors.SymbolNotFoundError):
        batch["B"]


def test_answers_stand_in_the_order_of_asking():
    answered = {"B": a_snapshot("B"), "A": a_snapshot("A")}

    assert list(latest.gathered(["A", "B"], [["A", "B"]], [answered])) == ["A", "B"]


def test_a_failed_request_is_the_error_of_its_own_tickers():
    failure = errors.ServerError("down")
    batch = latest.gathered(["A", "B"], [["A"], ["B"]], [failure, {"B": a_snapshot("B")}])

    assert batch.errors == {"A": failure}
    assert list(batch.found) == ["B"]


def test_a_snapshot_without_a_quote_is_an_error_of_that_ticker():
    snapshots_ = latest.gathered(
        ["A", "B"], [["A", "B"]], [{"A": a_snapshot("A"), "B": a_snapshot("B", quote=False)}]
    )
    quotes = latest.quotes_of(snapshots_)

    assert list(quotes.found) == ["A"]
    assert isinstance(quotes.errors["B"], errors.SymbolNotFoundError)


# Failures


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"status": "NOT_AUTHORIZED", "message": "Upgrade."}, errors.PermissionError),
        ({"status": "NOT_FOUND", "message": "Data not found."}, errors.NotFoundError),
        ({"status": "ERROR", "error": "Unknown API Key"}, errors.AuthenticationError),
        (
            {"status": "ERROR", "error": "You've exceeded the maximum requests per minute"},
            errors.RateLimitError,
        ),
        (
            {"status": "ERROR", "error": "The parameter 'to' cannot be before 'from'"},
            errors.BadRequestError,
        ),
        ({"status": "ERROR", "message": "oops"}, errors.APIError),
        ({"error": "oops"}, errors.APIError),
        ({"status": "ERROR", "error": "oops", "results": []}, errors.APIError),
    ],
)
@pytest.mark.parametrize("path", ["/v3/trades/AAPL", "/v3/reference/tickers", "/v3/snapshot"])
def test_a_failure_in_an_answer_of_status_200_has_its_kind(path, body, kind):
    with pytest.raises(kind) as caught:
        read(endpoint_of(path), {**body, "request_id": "r1"})

    assert caught.value.details["request_id"] == "r1"
    assert (body.get("error") or body.get("message")) in str(caught.value)


def test_a_status_nobody_knows_with_rows_is_data():
    body = {"status": "PARTIAL", "results": [{"price": 1, "sip_timestamp": 5}]}

    assert len(read(endpoint_of("/v3/trades/AAPL"), body).items) == 1


def test_every_endpoint_may_be_repeated_and_shared():
    assert all(endpoint.repeatable and endpoint.shared for endpoint in api.endpoints)


def test_the_latest_bars_are_looked_for_far_enough_back():
    end = datetime(2025, 3, 14, 20, tzinfo=UTC)

    assert aggregates.back_from(end, "1Day", 10) == end - timedelta(days=65)
    assert aggregates.back_from(DAY, "1Day", 10) == DAY - timedelta(days=65)
    assert aggregates.back_from(DAY, "1Year", 1000) == date(1970, 1, 2)
    assert aggregates.back_from(10**18, "1Min", 1) == 10**18 - (360 + 5 * 86_400) * 10**9


def test_few_bars_are_asked_for_where_a_bar_is_not_made_of_others():
    assert aggregates.page_size("1Day", 10) == 10
    assert aggregates.page_size("1Hour", 10) == 50_000
    assert aggregates.page_size("1Min", 10**6) == 50_000
