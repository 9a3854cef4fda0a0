"""Symbols asked for together take few requests, and are stored as if each were alone."""

import asyncio

import pytest

from history.books import SIZES, QuickClock, Shelves, expected, no_tasks_left, plain, rows_in, store
from sentio_async import errors

pytest.importorskip("pyarrow")

MANY = {f"S{number}": number % 17 for number in range(40)}


def assert_whole(folder, book):
    assert plain(rows_in(folder)) == plain(expected(book))


async def test_symbols_are_asked_for_together_in_groups_for_everybody(tmp_path):
    book = Shelves(MANY)

    stored = await store(book, tmp_path, symbols_at_once=4)

    assert stored.is_complete
    assert list(stored) == list(MANY)
    assert [len(walk) for walk in book.walks] == [10, 10, 10, 10]
    assert book.asked == []
    assert_whole(tmp_path, book)


async def test_files_are_as_of_symbols_asked_for_alone(tmp_path):
    book = Shelves({"LONG": 100, "SHORT": 3, "NONE": 0, "MORE": 71})

    stored = await store(book, tmp_path, symbols_at_once=1, rows_per_file=35)

    assert {symbol: len(found.files) for symbol, found in stored.found.items()} == {
        "LONG": 3,
        "SHORT": 1,
        "NONE": 1,
        "MORE": 2,
    }
    assert_whole(tmp_path, book)


async def test_what_is_complete_is_not_asked_for_again(tmp_path):
    book = Shelves(MANY)
    await store(book, tmp_path, *list(MANY)[:20])
    book.walks.clear()
    await store(book, tmp_path)

    assert {symbol for walk in book.walks for symbol in walk} == set(list(MANY)[20:])
    assert_whole(tmp_path, book)


async def test_one_that_is_refused_for_all_costs_one_request_and_has_its_own_error(tmp_path):
    book = Shelves(MANY, bad=["BAD", "WORSE"])

    stored = await store(book, tmp_path, *MANY, "BAD", "WORSE", symbols_at_once=1)

    assert stored.errors.keys() == {"BAD", "WORSE"}
    assert len(book.walks) == 3
    assert [symbol for symbol, _ in book.asked] == ["BAD", "WORSE"]
    assert_whole(tmp_path, book)


async def test_after_a_failure_each_is_seen_to_alone(tmp_path):
    boom = errors.ServerError("upstream", status_code=504)
    book = Shelves(SIZES, fails=lambda symbol, row: boom if (symbol, row) == ("MSFT", 20) else None)

    stored = await store(book, tmp_path, symbols_at_once=1)

    assert stored.errors == {"MSFT": boom}
    assert {symbol: found.rows for symbol, found in stored.found.items()} == {
        symbol: size for symbol, size in SIZES.items() if symbol != "MSFT"
    }
    book.fails = lambda *_: None
    assert (await store(book, tmp_path)).is_complete
    assert_whole(tmp_path, book)


async def test_a_quota_is_waited_for(tmp_path):
    refusals = [errors.RateLimitError("200 per minute", retry_after=45.0)] * 2
    fails = lambda symbol, row: refusals.pop() if row == 12 and refusals else None  # noqa: E731
    book, clock = Shelves(MANY, fails=fails), QuickClock()

    assert (await store(book, tmp_path, clock=clock)).is_complete
    assert_whole(tmp_path, book)
    assert not refusals


async def test_bars_of_a_symbol_that_was_not_asked_for_are_not_stored_as_anothers(tmp_path):
    class Wrong(Shelves):
        async def iter_many_bar_pages(self, symbols, timeframe, **span):
            async for page in super().iter_many_bar_pages(symbols, timeframe, **span):
                yield {f"{symbol}X": bars for symbol, bars in page.items()}

    book = Wrong(MANY)

    assert (await store(book, tmp_path)).is_complete
    assert_whole(tmp_path, book)


@pytest.mark.parametrize("turns", [1, 3, 8, 13, 21, 34])
async def test_cancelled_it_goes_on_where_it_was(tmp_path, turns):
    book = Shelves(MANY)
    async with no_tasks_left():
        task = asyncio.create_task(store(book, tmp_path, symbols_at_once=2))
        for _ in range(turns):
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.wait((task,))

    assert not list(tmp_path.rglob("*.new"))
    assert (await store(book, tmp_path)).is_complete
    assert_whole(tmp_path, book)


async def test_no_symbols_are_no_walk(tmp_path):
    book = Shelves({})

    assert len(await store(book, tmp_path)) == 0
    assert book.walks == []


async def test_a_file_is_ended_when_the_next_symbol_begins_and_progress_is_told(tmp_path):
    in_the_making, told = [], []

    def hear(event):
        in_the_making.append(len(list(tmp_path.rglob(".part-*.new"))))
        told.append((event.symbol, event.rows, event.is_complete))

    await store(Shelves({"A": 12, "B": 5, "C": 3}), tmp_path, symbols_at_once=1, listeners=(hear,))

    assert max(in_the_making) == 1
    # And when the next symbol begins with a page.
    await store(Shelves({"D": 10, "E": 10}), tmp_path, symbols_at_once=1, listeners=(hear,))
    assert max(in_the_making) == 1
    assert told[:7] == [
        *[("A", 10, False), ("A", 12, False), ("B", 5, False), ("C", 3, False)],
        *[("A", 12, True), ("B", 5, True), ("C", 3, True)],
    ]
