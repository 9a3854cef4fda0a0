"""Bars of many symbols to files: all of them, once each, and after a break as without it."""

import asyncio
import json
import subprocess
import sys
import tracemalloc
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from history.books import (
    END,
    SIZES,
    START,
    Book,
    QuickClock,
    a_request,
    bars_of,
    expected,
    no_tasks_left,
    plain,
    rows_in,
    store,
)
from sentio_async import errors
from sentio_async.events import BarsStored
from sentio_async.history.shelf import folder_of

pytest.importorskip("pyarrow")


def assert_whole(folder, book):
    assert plain(rows_in(folder)) == plain(expected(book))


async def test_every_bar_is_stored_once_and_read_by_others(tmp_path):
    book = Book(SIZES)

    stored = await store(book, tmp_path)

    assert stored.is_complete
    assert {symbol: found.rows for symbol, found in stored.found.items()} == SIZES
    assert_whole(tmp_path, book)
    assert [len(stored[symbol].files) for symbol in ("AAPL", "MSFT", "EMPTY")] == [3, 1, 1]
    assert all(place.exists() for found in stored.found.values() for place in found.files)


async def test_files_say_whose_they_are_and_hold_what_the_vendor_left_out_as_null(tmp_path):
    import pyarrow.parquet as pq

    stored = await store(Book({"AAPL": 9}), tmp_path)

    table = pq.read_table(stored["AAPL"].files[0], partitioning=None)
    about = {name.decode(): value.decode() for name, value in table.schema.metadata.items()}
    assert about | {"symbol": "AAPL", "timeframe": "1Min", "provider": "book"} == about
    assert about["feed"] == "sip"
    assert str(table.schema.field("time").type) == "timestamp[ns, tz=UTC]"
    assert table["vwap"].null_count == table["trade_count"].null_count == 3
    assert [field.name for field in table.schema if field.nullable] == ["vwap", "trade_count"]


async def test_what_is_complete_is_not_asked_for_again(tmp_path):
    book = Book(SIZES)
    first = await store(book, tmp_path)
    book.asked.clear()

    again = await store(book, tmp_path)

    assert book.asked == []
    assert again.found == first.found


async def test_symbols_can_be_added_later(tmp_path):
    book = Book(SIZES)
    await store(book, tmp_path, "AAPL")
    book.asked.clear()

    await store(book, tmp_path, *SIZES)

    assert {symbol for symbol, _ in book.asked} == SIZES.keys() - {"AAPL"}
    assert_whole(tmp_path, book)


async def test_a_symbol_that_fails_is_reported_and_costs_the_others_nothing(tmp_path):
    boom = errors.ServerError("upstream", status_code=504)
    book = Book(SIZES, fails=lambda symbol, row: boom if (symbol, row) == ("AAPL", 55) else None)

    stored = await store(book, tmp_path, *SIZES, "NOPE")

    assert list(stored) == [*SIZES, "NOPE"]
    assert stored.errors.keys() == {"AAPL", "NOPE"}
    assert stored.errors["AAPL"] is boom
    assert isinstance(stored.errors["NOPE"], errors.SymbolNotFoundError)

    book.fails = lambda symbol, row: None
    assert (await store(book, tmp_path)).is_complete
    assert book.asked[-1] == ("AAPL", START + timedelta(minutes=49))
    assert_whole(tmp_path, book)


async def test_quotas_and_breakers_are_waited_for(tmp_path):
    refusals = {
        0: [errors.CircuitOpenError("open", retry_in=5.0)],
        30: [errors.RateLimitError("200 per minute", retry_after=45.0)] * 3,
        60: [errors.RateLimitError("200 per minute", retry_after=10.0)],
    }

    def fails(symbol, row):
        return refusals[row].pop() if refusals.get(row) else None

    book, clock = Book({"AAPL": 100}, fails=fails), QuickClock()

    stored = await store(book, tmp_path, clock=clock)

    assert stored["AAPL"].rows == 100
    assert_whole(tmp_path, book)
    assert clock.slept == [5.0, 45.0, 45.0, 45.0, 10.0]


async def test_a_quota_that_never_lets_anything_through_ends_the_symbol(tmp_path):
    book = Book({"A": 9}, fails=lambda *_: errors.RateLimitError("no", retry_after=60.0))

    stored = await store(book, tmp_path, clock=QuickClock())

    assert isinstance(stored.errors["A"], errors.RateLimitError)
    assert len(book.asked) == 21


@pytest.mark.parametrize(
    "error",
    [errors.AuthenticationError("key refused"), errors.NotSupportedError("bars: not offered")],
)
async def test_what_is_wrong_for_every_symbol_is_raised_at_once(tmp_path, error):
    book = Book(dict.fromkeys("ABCDEFGHIJ", 50), fails=lambda *_: error)

    async with no_tasks_left():
        with pytest.raises(type(error)):
            await store(book, tmp_path, symbols_at_once=2)

    assert len(book.asked) <= 2
    assert book.open == 0


async def test_what_is_wrong_for_every_symbol_ends_what_is_under_way(tmp_path):
    heard = []
    book = Book({"BAD": 9, "LONG": 100_000}, pause=0.001)
    book.fails = lambda symbol, _: errors.AuthenticationError("no") if symbol == "BAD" else None

    async with no_tasks_left(), asyncio.timeout(10):
        with pytest.raises(errors.AuthenticationError):
            await store(book, tmp_path, listeners=(heard.append,))

    assert book.open == 0
    assert len(heard) < 100


async def test_so_many_symbols_are_read_side_by_side(tmp_path):
    book = Book(dict.fromkeys("ABCDEFGHIJ", 50))

    await store(book, tmp_path, symbols_at_once=3)

    assert book.most_open == 3


async def test_progress_is_told_after_every_page_and_at_the_end(tmp_path):
    heard = []
    book = Book({"A": 25})

    how = {"listeners": (heard.append,), "connector": "desk", "clock": QuickClock()}
    await store(book, tmp_path, "A", "NOPE", symbols_at_once=1, **how)

    assert all(isinstance(event, BarsStored) for event in heard)
    assert {(event.connector, event.operation, event.at) for event in heard} == {
        ("desk", "download_bars", 0)
    }
    told = [(event.symbol, event.rows, event.is_complete, event.error) for event in heard]
    assert told == [
        ("A", 10, False, None),
        ("A", 20, False, None),
        ("A", 25, False, None),
        ("A", 25, True, None),
        ("NOPE", 0, False, "SymbolNotFoundError"),
    ]
    assert [(event.ended, event.total) for event in heard[-2:]] == [(1, 2), (2, 2)]


async def test_rows_that_could_not_be_read_are_counted(tmp_path):
    class Odd(Book):
        async def iter_bar_pages(self, symbol, timeframe, **options):
            yield bars_of(symbol, range(5), skipped=2)
            yield bars_of(symbol, range(5, 5), skipped=1)

    book = Odd({"A": 5})
    stored = await store(book, tmp_path)
    again = await store(book, tmp_path)

    assert stored["A"].skipped == again["A"].skipped == 3


async def test_bars_that_do_not_come_oldest_first_are_an_error(tmp_path):
    class Backwards(Book):
        async def iter_bar_pages(self, symbol, timeframe, **options):
            yield bars_of(symbol, range(10, 20))
            yield bars_of(symbol, range(10))

    stored = await store(Backwards({"A": 20}), tmp_path)

    assert isinstance(stored.errors["A"], errors.DecodeError)


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8, 13, 21, 34, 55])
async def test_a_download_that_is_cancelled_goes_on_where_it_was(tmp_path, turns):
    book = Book(SIZES)
    async with no_tasks_left():
        task = asyncio.create_task(store(book, tmp_path, symbols_at_once=2))
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        task.cancel()
        await asyncio.wait((task,))

    assert not list(tmp_path.rglob("*.new"))
    assert (await store(book, tmp_path)).is_complete
    assert_whole(tmp_path, book)


KILLS = [
    ("alone", "write", 2),
    ("alone", "write", 9),
    ("alone", "replace", 3),
    ("alone", "replaced", 2),
    ("alone", "fsync", 4),
    ("together", "write", 5),
    ("together", "replace", 2),
    ("together", "replaced", 4),
]


@pytest.mark.parametrize(("kind", "step", "number"), KILLS)
def test_a_download_that_is_killed_ends_with_the_same_bars(tmp_path, kind, step, number):
    tests = Path(__file__).parents[1]
    command = [sys.executable, "-m", "history.killed", kind, str(tmp_path)]

    killed = subprocess.run([*command, step, str(number)], cwd=tests, timeout=60, check=False)
    assert killed.returncode == -9
    subprocess.run(command, cwd=tests, timeout=60, check=True)

    assert_whole(tmp_path, Book(SIZES))
    assert not list(tmp_path.rglob("*.new"))


@pytest.mark.parametrize("number", [0, 1, 2])
async def test_a_file_that_is_broken_or_gone_is_fetched_again_with_what_follows(tmp_path, number):
    book = Book({"AAPL": 100})
    stored = await store(book, tmp_path)
    place = stored["AAPL"].files[number]
    place.write_bytes(place.read_bytes()[:100])

    await store(book, tmp_path)
    assert_whole(tmp_path, book)

    place.unlink()
    await store(book, tmp_path)
    assert_whole(tmp_path, book)


async def test_a_folder_belongs_to_one_request(tmp_path):
    await store(Book({"A": 5}), tmp_path)

    for changes in (
        {"timeframe": "1Day"},
        {"start": START + timedelta(days=1)},
        {"end": END + timedelta(days=1)},
        {"provider": "other"},
        {"options": {"adjustment": "all"}},
    ):
        with pytest.raises(errors.InvalidRequestError, match=r"was begun with"):
            await store(Book({"A": 5}), tmp_path, request=a_request(**changes))


async def test_a_request_of_which_nothing_is_stored_can_be_put_right(tmp_path):
    book = Book({"A": 5}, fails=lambda *_: errors.InvalidRequestError("timeframe: '1Foo'"))
    await store(book, tmp_path, request=a_request(timeframe="1Foo"))

    book.fails = lambda *_: None
    assert (await store(book, tmp_path)).is_complete


async def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")

    with pytest.raises(errors.InvalidRequestError, match="of its own"):
        await store(Book({"A": 5}), tmp_path)
    assert [place.name for place in tmp_path.iterdir()] == ["thesis.txt"]


async def test_an_end_that_was_not_given_is_the_time_of_the_first_call(tmp_path):
    seen = []

    class Noting(Book):
        def iter_bar_pages(self, symbol, timeframe, *, start, end):
            seen.append(end)
            return super().iter_bar_pages(symbol, timeframe, start=start, end=end)

    book = Noting({"A": 5, "B": 5})
    await store(book, tmp_path, "A", request=a_request(end=None))
    await store(book, tmp_path, "A", "B", request=a_request(end=None))

    assert seen[0] == seen[1]
    assert isinstance(seen[0], datetime)
    assert json.loads((tmp_path / "_download.json").read_text())["end"] == seen[0].isoformat()


@pytest.mark.parametrize("options", [{"limit": 5}, {"order": "desc"}, {"descending": True}])
def test_options_that_would_leave_bars_out_are_refused(options):
    with pytest.raises(errors.InvalidRequestError):
        a_request(options=options)


def test_a_start_without_a_zone_is_refused():
    with pytest.raises(errors.InvalidRequestError, match="zone"):
        a_request(start=datetime(2024, 1, 2))


def test_folders_differ_also_where_capital_letters_do_not_count():
    names = [folder_of(symbol) for symbol in ("KIMPL", "KIMpL", "KIM/L", "..", ".")]

    assert len({name.lower() for name in names}) == len(names)
    assert all(name.startswith("symbol=") and "/" not in name for name in names)


async def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)

    with pytest.raises(errors.ConfigurationError, match=r"sentio-async\[parquet\]"):
        await store(Book({"A": 5}), tmp_path / "new")
    assert not (tmp_path / "new").exists()


async def test_memory_does_not_grow_with_the_length_of_a_history(tmp_path):
    async def peak(pages):
        book = Book({"A": pages * 4_000}, page=4_000)
        tracemalloc.start()
        await store(book, tmp_path / str(pages), rows_per_file=10**9)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    await peak(2)
    short, long = await peak(4), await peak(24)

    # A thread that has just written a page may hold it while the next one is made.
    assert long < 2.5 * short
