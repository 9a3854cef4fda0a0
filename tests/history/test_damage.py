"""What goes wrong with files and pages costs no bar, adds none, and is never called complete."""

import asyncio
import errno
import gc
import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from history.books import Book, Shelves, bars_of, expected, plain, rows_in, store
from sentio_async import errors
from sentio_async.history.download import off_loop
from sentio_async.history.lock import Hold
from sentio_async.history.parquet import Part
from sentio_async.history.shelf import Shelf

pytest.importorskip("pyarrow")

SIZES = {"AAPL": 100}


def assert_whole(folder, book):
    assert plain(rows_in(folder)) == plain(expected(book))


def fails_from(first):
    return lambda _, row: errors.ServerError("down") if row >= first else None


async def test_as_many_files_that_hold_less_are_not_complete(tmp_path):
    await store(Book(SIZES), tmp_path)
    *_, last = sorted(tmp_path.glob("symbol=AAPL/part-*"))
    last.unlink()

    broken_off = await store(Book(SIZES, fails=fails_from(95)), tmp_path)
    assert not broken_off.is_complete
    assert len(list(tmp_path.glob("symbol=AAPL/part-*"))) == 3

    assert (await store(Book(SIZES), tmp_path))["AAPL"].rows == 100
    assert_whole(tmp_path, Book(SIZES))


def scribbled(data):
    return data[:-300] + b"\xff" * 280 + data[-20:]


def longer_footer(data):
    return data[:-8] + b"\xff\xff\xff\x7f" + data[-4:]


@pytest.mark.parametrize("damage", [scribbled, longer_footer, lambda data: data[:9], lambda _: b""])
async def test_a_file_with_a_broken_footer_is_fetched_again(tmp_path, damage):
    stored = await store(Book(SIZES), tmp_path)
    place = stored["AAPL"].files[1]
    place.write_bytes(damage(place.read_bytes()))

    await store(Book(SIZES), tmp_path)
    assert_whole(tmp_path, Book(SIZES))


async def test_a_file_that_cannot_be_read_at_all_is_not_taken_away(tmp_path):
    stored = await store(Book(SIZES), tmp_path)
    place = stored["AAPL"].files[1]
    place.unlink()
    place.mkdir()

    with pytest.raises(OSError):
        await store(Book(SIZES), tmp_path)
    assert place.is_dir()


class Repeating(Book):
    """Pages of rows as they are told, whatever is asked for."""

    def __init__(self, *pages):
        super().__init__({"AAPL": 1 + max(map(max, pages))})
        self.pages = pages

    async def iter_bar_pages(self, symbol, timeframe, **options):
        for rows in self.pages:
            yield bars_of(symbol, rows)


@pytest.mark.parametrize(
    "pages",
    [
        [range(10), range(9, 20)],
        [range(10), [9], [9, 9, 10]],
        [[0, 1, 1, 2, 2, 2, 3], [4]],
        [[0, 0]],
        [range(70), [69], range(70, 80)],
    ],
)
async def test_a_bar_that_comes_twice_is_stored_once(tmp_path, pages):
    book = Repeating(*pages)
    stored = await store(book, tmp_path)

    assert stored["AAPL"].rows == book.sizes["AAPL"]
    assert_whole(tmp_path, book)


@pytest.mark.parametrize("pages", [[range(10), range(5, 20)], [[0, 2, 1]], [range(5), [4, 6, 5]]])
async def test_a_page_that_goes_back_is_an_error(tmp_path, pages):
    stored = await store(Repeating(*pages), tmp_path)

    with pytest.raises(errors.DecodeError, match="oldest first"):
        stored["AAPL"]


def gone_on_with(folder, *pages):
    """A shelf with bars 0 to 9, opened once more and given these pages."""
    for given in ([range(10)], pages):
        shelf = Shelf(folder, "AAPL", {}, rows=100)
        shelf.open()
        shelf.go_on()
        try:
            for rows in given:
                shelf.add(bars_of("AAPL", rows))
        finally:
            shelf.pause()
    return shelf.stored.rows


@pytest.mark.parametrize(
    "pages", [[range(9, 20)], [range(4), range(4, 8), range(8, 20)], [range(10, 20)], [range(20)]]
)
def test_what_is_stored_already_is_passed_over(tmp_path, pages):
    assert gone_on_with(tmp_path, *pages) == 20


@pytest.mark.parametrize("pages", [[range(9, 15), range(12, 20)], [range(20), range(5, 9)]])
def test_a_page_that_goes_back_after_that_is_an_error(tmp_path, pages):
    with pytest.raises(errors.DecodeError, match="AAPL: bars do not come oldest first"):
        gone_on_with(tmp_path, *pages)


async def test_a_file_is_whole_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    on_disk, sync = {}, os.fsync

    def fsync(number):
        sync(number)
        found = os.fstat(number)
        on_disk[found.st_ino] = found.st_size

    monkeypatch.setattr(os, "fsync", fsync)
    stored = await store(Book(SIZES), tmp_path)

    for place in (tmp_path / "_download.json", *stored["AAPL"].files):
        found = place.stat()
        assert on_disk[found.st_ino] == found.st_size > 0


async def test_a_second_download_of_a_folder_is_refused_and_harms_nothing(tmp_path):
    book = Book(SIZES, pause=0.01)
    first = asyncio.create_task(store(book, tmp_path))
    await asyncio.sleep(0.03)

    with pytest.raises(errors.InvalidRequestError, match="another download"):
        await store(Book(SIZES), tmp_path)
    assert (await first).is_complete
    assert_whole(tmp_path, book)
    assert (await store(Book(SIZES), tmp_path)).is_complete


async def test_a_download_that_is_cancelled_lets_go_of_its_folder(tmp_path):
    for turns in range(0, 30, 3):
        broken_off = asyncio.create_task(store(Book(SIZES), tmp_path))
        for _ in range(turns):
            await asyncio.sleep(0)
        broken_off.cancel()
        await asyncio.wait((broken_off,))

        assert (await store(Book(SIZES), tmp_path)).is_complete


def test_another_process_is_refused_as_well(tmp_path):
    hold = Hold(tmp_path)
    hold.take()
    code = f"from sentio_async.history.lock import Hold, Path; Hold(Path({str(tmp_path)!r})).take()"
    tried = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    hold.let_go()

    assert "another download writes into it" in tried.stderr


class FullDisk(io.FileIO):
    """A file of which so many bytes find room."""

    room = 6_000

    def write(self, data):
        if self.tell() + len(data) > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


# In the middle, when the first bytes leave, and when a file is closed.
@pytest.mark.parametrize("room", [0, 3_000, 30_000, 100_000])
@pytest.mark.parametrize("kind", [Book, Shelves])
async def test_a_full_disk_is_raised_and_leaves_no_half_file(tmp_path, kind, room, monkeypatch):
    book = kind({"AAPL": 5_000, "MSFT": 5_000, "IBM": 5_000}, page=500)
    as_ever = Path.open

    def opened(place, mode="r", *rest, **more):
        if not place.name.startswith(".part-"):
            return as_ever(place, mode, *rest, **more)
        return io.BufferedWriter(FullDisk(place, "wb"))

    monkeypatch.setattr(Path, "open", opened)
    monkeypatch.setattr(FullDisk, "room", room)
    with pytest.raises(OSError, match="No space"):
        await store(book, tmp_path, rows_per_file=100_000, symbols_at_once=3)
    assert not list(tmp_path.rglob(".part-*"))


async def test_a_download_that_is_cancelled_on_a_full_disk_leaves_no_half_file(
    tmp_path, monkeypatch
):
    written = Part.write

    def write(part, bars):
        written(part, bars)
        part._file.close()  # nothing more can be written

    monkeypatch.setattr(Part, "write", write)
    task = asyncio.create_task(store(Book({"AAPL": 100}, pause=0.02), tmp_path))
    await asyncio.sleep(0.03)
    task.cancel()
    await asyncio.wait((task,))

    assert not list(tmp_path.rglob(".part-*"))


async def test_work_that_fails_after_its_caller_has_left_is_not_complained_of():
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    may_fail = threading.Event()

    def work():
        may_fail.wait(5)
        raise OSError(errno.ENOSPC, "No space left on device")

    task = asyncio.create_task(off_loop(work))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    assert not task.done()  # what comes next must not meet the thread
    may_fail.set()
    await asyncio.wait((task,))
    assert task.cancelled()
    del task
    gc.collect()

    assert complaints == []
