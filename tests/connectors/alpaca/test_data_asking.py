"""What is asked of Alpaca: timeframes, feeds, packs of symbols, pages."""

from datetime import UTC, date, datetime, timedelta

import pytest

from sentio_async import errors
from sentio_async.connectors.alpaca.wire import data_rates, data_stocks
from sentio_async.connectors.alpaca.wire.data_api import (
    Span,
    back_from,
    option_feed,
    stock_feed,
    stock_history_feed,
    write_timeframe,
)
from sentio_async.connectors.alpaca.wire.data_pages import SpanPages
from sentio_async.connectors.alpaca.wire.data_routes import Kind, Sources, kind_of, pack
from sentio_async.models import Page

OPTION = "AAPL260320C00200000"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("1Min", "1Min"),
        ("5m", "5Min"),
        ("59T", "59Min"),
        ("15 minutes", "15Min"),
        ("1Hour", "1Hour"),
        ("23h", "23Hour"),
        ("4H", "4Hour"),
        ("day", "1Day"),
        ("1d", "1Day"),
        ("1Week", "1Week"),
        ("1w", "1Week"),
        ("3M", "3Month"),
        ("12Month", "12Month"),
        ("1mo", "1Month"),
    ],
)
def test_a_timeframe_is_written_in_alpacas_words(text, written):
    assert write_timeframe(text) == written


@pytest.mark.parametrize(
    "text", ["", "0Min", "60Min", "24Hour", "2Day", "2Week", "5Month", "1Year", "x", "1000000m"]
)
def test_a_timeframe_that_alpaca_lacks_is_refused_here(text):
    with pytest.raises(errors.InvalidRequestError, match="timeframe"):
        write_timeframe(text)


def test_currencies_have_timeframes_of_their_own():
    with pytest.raises(errors.InvalidRequestError, match="5Sec"):
        data_rates.currency_rates(["USDJPY"], "5Min")


def test_history_never_mixes_feeds():
    assert stock_history_feed("delayed_sip").name == "sip"
    assert stock_history_feed(None).name is None
    assert not stock_history_feed("delayed_sip").is_delayed
    with pytest.raises(errors.InvalidRequestError, match="overnight"):
        stock_history_feed("overnight")


def test_late_feeds_say_so():
    assert stock_feed("delayed_sip").is_delayed
    assert option_feed("indicative").is_delayed
    assert not stock_feed("iex").is_delayed
    assert not option_feed(None).is_delayed


@pytest.mark.parametrize(
    ("symbol", "kind"),
    [
        ("AAPL", Kind.STOCK),
        ("BRK.B", Kind.STOCK),
        ("BTC/USD", Kind.CRYPTO),
        (OPTION, Kind.OPTION),
        ("AAPL1260320P00012500", Kind.OPTION),
        ("SPY260320X00200000", Kind.STOCK),
    ],
)
def test_a_symbols_shape_says_its_market(symbol, kind):
    assert kind_of(symbol) is kind


def test_symbols_are_packed_into_the_fewest_requests():
    stocks = [f"S{number}" for number in range(450)]
    options = [f"S{number:03}260320C00200000" for number in range(150)]

    packs = list(pack([*stocks, *options, "BTC/USD", *stocks]))

    assert [len(names) for names in packs] == [200, 200, 50, 100, 50, 1]
    assert sorted(name for names in packs for name in names) == sorted(
        [*stocks, *options, "BTC/USD"]
    )


def test_stocks_alone_are_packed_as_among_others():
    stocks = [f"S{number}" for number in range(450)]

    assert [len(names) for names in pack([*stocks, *stocks])] == [200, 200, 50]
    assert [len(names) for names in pack(stocks, 25)] == [25] * 18
    assert [name for names in pack(stocks) for name in names] == stocks
    assert list(pack(["KO260320C00200000", "KO"])) == [["KO260320C00200000"], ["KO"]]
    assert list(pack([])) == []


@pytest.mark.parametrize("letters", [11, 35])
def test_no_request_line_is_longer_than_servers_take(letters):
    long = [f"{'X' * letters}{number:04}" for number in range(500)]

    for names in pack(long):
        assert len(data_stocks.latest_quotes(names).target) < 8000


def test_a_single_text_is_not_a_list_of_symbols():
    with pytest.raises(errors.InvalidRequestError, match="list"):
        data_stocks.latest_quotes("AAPL")
    with pytest.raises(errors.InvalidRequestError, match="at least one"):
        data_stocks.latest_quotes([])


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(errors.InvalidRequestError, match="zone"):
        data_stocks.trades(["AAPL"], Span(start=datetime(2026, 3, 2)))


def test_what_alpaca_does_not_have_of_options_is_said():
    sources = Sources()

    with pytest.raises(errors.NotSupportedError):
        sources.past_quotes([OPTION], Span())
    with pytest.raises(errors.NotSupportedError):
        sources.bars([OPTION])


def test_sources_reach_every_market():
    sources = Sources(stocks="iex", options="opra", crypto="us-1")

    assert sources.quotes(["A", "B"]).target == "/v2/stocks/quotes/latest?symbols=A,B&feed=iex"
    assert sources.quote("A").target == "/v2/stocks/A/quotes/latest?feed=iex"
    assert sources.trades([OPTION]).path == "/v1beta1/options/trades/latest"
    assert sources.trade("BTC/USD").path == "/v1beta3/crypto/us-1/latest/trades"
    assert sources.bars(["BTC/USD"]).path == "/v1beta3/crypto/us-1/latest/bars"
    assert sources.snapshots(["BTC/USD"]).path == "/v1beta3/crypto/us-1/snapshots"
    assert sources.past_bars(["A", "B"], "1Day", Span()).path == "/v2/stocks/bars"
    assert sources.past_bars(["BTC/USD"], "1Day", Span()).path == "/v1beta3/crypto/us-1/bars"
    assert sources.past_trades([OPTION], Span()).path == "/v1beta1/options/trades"
    assert sources.past_trades(["A", "B"], Span()).path == "/v2/stocks/trades"
    assert sources.past_quotes(["A", "B"], Span(), feed="sip").query.endswith("feed=sip")


@pytest.mark.parametrize(
    ("end", "timeframe", "count"),
    [
        (datetime(2026, 3, 2, tzinfo=UTC), "1Min", 1000),
        (date(2026, 3, 2), "1Hour", 50),
        ("2026-03-02", "1Day", 100),
        ("2026-03-02T00:00:00.123456789Z", "1Week", 20),
    ],
)
def test_looking_back_spans_nights_and_weekends(end, timeframe, count):
    start = back_from(end, timeframe, count)

    minutes = {"1Min": 1, "1Hour": 60, "1Day": 390, "1Week": 1950}[timeframe] * count
    sessions = minutes / 390
    assert datetime(2026, 3, 2, tzinfo=UTC) - start >= timedelta(days=sessions * 7 / 5)


def test_looking_back_ends_where_history_begins():
    assert back_from(date(2026, 3, 2), "12Month", 10_000).year == 2015
    assert back_from(date(2026, 3, 2), "12Month", 10**12).year == 2015


def test_pages_go_on_until_there_is_no_token():
    pages = SpanPages(Span(start="2026-03-02"))

    assert pages.next().page_token is None
    pages.take(Page({}, "a"), 0)
    assert pages.next().page_token == "a"
    assert pages.next().start == "2026-03-02"
    pages.take(Page({}, None), 0)
    assert pages.next() is None


def test_pages_end_when_there_are_enough_rows():
    pages = SpanPages(Span(), limit=12_000)

    assert pages.next().limit == 10_000
    pages.take(Page({}, "a"), 10_000)
    assert pages.next().limit == 2_000
    pages.take(Page({}, "b"), 2_000)
    assert pages.next() is None


def test_a_token_that_comes_twice_is_an_error_and_not_a_loop():
    pages = SpanPages(Span())
    pages.take(Page({}, "a"), 1)
    pages.take(Page({}, "b"), 1)

    with pytest.raises(errors.DecodeError, match="twice"):
        pages.take(Page({}, "a"), 1)


def test_less_than_one_row_is_refused():
    with pytest.raises(errors.InvalidRequestError, match="limit"):
        SpanPages(Span(), limit=0)
