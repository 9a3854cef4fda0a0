"""What the role does with what a vendor gives: how old it is, in which pieces, what is wrong."""

from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest

from sentio_async import errors
from sentio_async.base import DataProviderConnector
from sentio_async.clock import SystemClock
from sentio_async.config import ConnectorConfig
from sentio_async.models import Bar, Bars, Batch, Quote, SkippedRow, Snapshot, Trade

NOW = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)
NS = int(NOW.timestamp()) * 10**9
SIDES = {"bid": 1.0, "ask": 1.1, "bid_size": 1.0, "ask_size": 1.0}


class Still(SystemClock):
    """It is always half past three."""

    def utcnow(self):
        return NOW


class Tape(DataProviderConnector):
    """A vendor that has quotes, trades and snapshots of ten seconds ago, and not of NOPE."""

    vendor = "tape"
    Config = ConnectorConfig

    async def get_quotes(self, symbols):
        return self.batch(symbols, lambda name: Quote(name, NS - 10**10, "tape", **SIDES))

    async def get_snapshots(self, symbols):
        return self.batch(symbols, lambda name: Snapshot(symbol=name, provider="tape"))

    async def _get_trade(self, symbol):
        return Trade(symbol, NS - 10**10, "tape", price=1.0, size=2.0)

    def batch(self, symbols, make):
        none = errors.SymbolNotFoundError("NOPE: unknown", symbol="NOPE")
        return Batch({name: none if name == "NOPE" else make(name) for name in symbols})

    async def iter_bars(self, symbol, timeframe="1Day", *, size=3):
        for number in range(size):
            about = {"feed": "sip", "is_delayed": True}
            yield Bar(symbol, number, "tape", 1.0, 2.0, 0.5, 1.5, 9.0, **about)


@pytest.fixture
def data():
    return Tape({"name": "tape"}, clock=Still())


@pytest.mark.parametrize("ask", ["get_quote", "get_trade"])
async def test_what_is_older_than_wanted_is_an_error_that_says_how_old(data, ask):
    for enough in (None, 10.0, 60):
        assert (await getattr(data, ask)("AAPL", max_age=enough)).symbol == "AAPL"

    with pytest.raises(errors.StaleDataError) as caught:
        await getattr(data, ask)("AAPL", max_age=9.5)
    assert caught.value.message == "AAPL: 10.0 s old, and at most 9.5 s is accepted"
    assert (caught.value.age, caught.value.connector) == (10.0, "tape")


@pytest.mark.parametrize("ask", ["get_quote", "get_snapshot"])
async def test_one_of_a_batch_is_the_value_or_its_own_error(data, ask):
    assert (await getattr(data, ask)("AAPL")).symbol == "AAPL"
    with pytest.raises(errors.SymbolNotFoundError) as caught:
        await getattr(data, ask)("NOPE")
    assert caught.value.symbol == "NOPE"


@pytest.mark.parametrize("ask", ["get_quote", "get_trade", "get_snapshot"])
async def test_what_is_no_symbol_is_not_asked_for(data, ask):
    with pytest.raises(errors.InvalidRequestError, match="'A,B' is not one"):
        await getattr(data, ask)("A,B")


async def test_pages_of_single_bars_keep_what_the_bars_say(data, monkeypatch):
    monkeypatch.setattr("sentio_async.base.data._PIECE", 4)

    pages = [page async for page in data.iter_bar_pages("KO", "1Min", size=9)]

    assert [list(page.times_ns) for page in pages] == [[0, 1, 2, 3], [4, 5, 6, 7], [8]]
    for page in pages:
        assert (page.symbol, page.provider, page.feed) == ("KO", "tape", "sip")
        assert (page.is_delayed, page.step) == (True, "1Min")
    assert [page async for page in data.iter_bar_pages("KO", size=0)] == []


async def test_a_vendor_with_whole_histories_is_asked_for_the_same_bars():
    class Whole(DataProviderConnector):
        vendor = "whole"
        asked: ClassVar[list] = []

        async def get_bars(self, symbol, timeframe="1Day", **options):
            self.asked.append((symbol, timeframe, options))
            return []

    data = Whole()
    assert [bar async for bar in data.iter_bars("KO", "1Min", feed="sip")] == []
    assert [page async for page in data.iter_bar_pages("KO", "1Min", feed="sip")] == []
    assert [page async for page in data.iter_many_bar_pages(["KO"], "1Min", feed="sip")] == []
    assert Whole.asked == [("KO", "1Min", {"feed": "sip"})] * 3


async def test_symbols_that_cannot_be_asked_for_together_are_walked_one_by_one(data):
    groups = [list(group) for group in data.bar_groups(["A", "B", "C"], 2)]
    assert groups == [["A"], ["B"], ["C"]]

    found = [page async for page in data.iter_many_bar_pages(["A", "B"], "1Min", size=1)]
    assert [(list(page), [bars.symbol for bars in page.values()]) for page in found] == [
        (["A"], ["A"]),
        (["B"], ["B"]),
    ]


class Feeds(Tape):
    """Which channels and topics a stream is made of is all that is seen of it."""

    def _parts(self, channels, symbols):
        raise LookupError(tuple(channels), tuple(symbols))


@pytest.mark.parametrize(
    ("open_stream", "channel"),
    [
        (lambda data, *names: data.stream_quotes(*names), "quotes"),
        (lambda data, *names: data.stream_trades(*names), "trades"),
        (lambda data, *names: data.stream_bars(*names), "bars"),
        (lambda data, *names: data.on_quotes(print, *names), "quotes"),
        (lambda data, *names: data.on_trades(print, *names), "trades"),
        (lambda data, *names: data.on_bars(print, *names), "bars"),
    ],
)
def test_streams_are_of_symbols_side_by_side_each_once(open_stream, channel):
    with pytest.raises(LookupError) as caught:
        open_stream(Feeds(), "A", "B", "A")
    assert caught.value.args == ((channel,), ("A", "B"))

    for odd in (["A"], ("A",), {"A"}):
        with pytest.raises(errors.InvalidRequestError, match="side by side here, not in a list"):
            open_stream(Feeds(), "B", odd)
    with pytest.raises(errors.InvalidRequestError, match="at least one is needed"):
        open_stream(Feeds())
    with pytest.raises(errors.InvalidRequestError, match="'A,B' is not one"):
        open_stream(Feeds(), "A,B")


async def test_a_download_has_the_results_in_the_order_of_asking(tmp_path):
    pytest.importorskip("pyarrow")
    heard, also = [], []

    class Years(Tape):
        async def iter_bars(self, symbol, timeframe="1Day", *, start, end, feed):
            assert (timeframe, feed, end) == ("1Hour", "sip", NOW)
            if symbol == "NOPE":
                raise errors.SymbolNotFoundError("NOPE: unknown", symbol=symbol)
            for day in range(3):
                at = NS - (9 - day) * 86_400 * 10**9
                if at >= int(start.timestamp()) * 10**9:
                    yield Bar(symbol, at, "tape", 1.0, 2.0, 0.5, 1.5, 9.0)

    data = Years({"name": "tape"}, clock=Still(), listeners=[heard.append])
    stored = await data.download_bars(
        ["NOPE", "A,B", "KO"],
        "1Hour",
        str(tmp_path / "bars"),
        start=NOW - timedelta(days=30),
        on_progress=also.append,
        feed="sip",
    )

    assert list(stored) == ["NOPE", "A,B", "KO"]
    kinds = {name: type(error) for name, error in stored.errors.items()}
    assert kinds == {"NOPE": errors.SymbolNotFoundError, "A,B": errors.InvalidRequestError}
    assert stored["KO"].rows == 3
    assert heard == also
    assert {(event.connector, event.operation) for event in heard} == {("tape", "download_bars")}
    assert {event.symbol: event.is_complete for event in heard} == {"NOPE": False, "KO": True}
    with pytest.raises(errors.InvalidRequestError, match="begun with options"):
        await data.download_bars(["KO"], "1Hour", tmp_path / "bars", start=NOW - timedelta(days=30))


async def test_what_get_bars_could_not_read_is_told_of_pages_and_downloads_too(tmp_path):
    pytest.importorskip("pyarrow")

    class Whole(DataProviderConnector):
        vendor = "whole"

        async def get_bars(self, symbol, timeframe="1Day", **options):
            bars = Bars(symbol, provider="whole", step=timeframe, feed="own", is_delayed=True)
            bars.append(int(NOW.timestamp()) * 10**9, 1, 2, 1, 2, 5)
            bars.skipped = (SkippedRow(1, "odd"),)
            return bars

    data = Whole()
    (page,) = [page async for page in data.iter_bar_pages("KO")]
    span = {"start": NOW - timedelta(days=1), "end": NOW}
    stored = await data.download_bars(["KO"], "1Day", tmp_path, **span)

    assert (page.feed, page.is_delayed, len(page.skipped)) == ("own", True, 1)
    assert (stored["KO"].rows, stored["KO"].skipped) == (1, 1)
