"""A journal file on a bad day: full and read-only disks, links, leftovers, cancelled callers."""

import asyncio
import errno
import functools
import os
import sqlite3
import sys
import threading
from pathlib import Path

import pytest

from orders.venues import ScriptedVenue, an_order
from sentio_async import errors
from sentio_async.orders import locks as locks_of_all
from sentio_async.orders import presence, sqlite_journal
from sentio_async.orders.journal import Row, Step
from sentio_async.orders.locks import Locks
from sentio_async.orders.rails import Rails
from sentio_async.orders.sqlite_journal import SqliteJournal, read_journal

ROW = Row("i", Step.SENT, 1.0, 1)
BAD = Row("\ud800", Step.SENT, 1.0, 1)


@pytest.fixture
def path(tmp_path):
    (tmp_path / "here").mkdir()
    return tmp_path / "here" / "orders"


@pytest.fixture
async def journal(path):
    journal = SqliteJournal(path)
    await journal.open("a")
    yield journal
    await journal.close()


@pytest.fixture
def full(monkeypatch):
    """A disk that has no room for another file."""

    def touch(self, **_):
        raise OSError(errno.ENOSPC, "no space left", str(self))

    monkeypatch.setattr(Path, "touch", touch)


def beside(path, end):
    return Path(f"{path}{end}")


async def test_a_halt_holds_when_it_cannot_be_written(journal, full, monkeypatch):
    with pytest.raises(OSError, match="no space"):
        journal.set_halted("drawdown")
    assert journal.halted() == "drawdown"

    journal.set_halted(None)
    assert journal.halted() is None

    monkeypatch.undo()
    journal.set_halted("drawdown")
    # Another process lets it go on.
    SqliteJournal(journal.path).set_halted(None)
    assert journal.halted() is None


async def test_why_is_kept_when_there_is_room_for_an_empty_file_only(journal, monkeypatch):
    def write_text(self, *_):
        raise OSError(errno.ENOSPC, "no space left", str(self))

    monkeypatch.setattr(Path, "write_text", write_text)
    with pytest.raises(OSError, match="no space"):
        journal.set_halted("drawdown")

    assert journal.halted() == "drawdown"
    # Another process knows as much as there is.
    assert SqliteJournal(journal.path).halted() == "no reason given"
    journal.set_halted(None)
    assert journal.halted() is None


async def test_trading_halts_and_cancels_on_a_full_disk(started, path, full, caplog):
    venue = ScriptedVenue()
    gateway = await started(venue, SqliteJournal(path), rails=Rails(max_unknown=1))
    order = await gateway.submit(an_order())

    await gateway.halt("drawdown")

    assert venue.sent("cancel") == [order.id]
    with pytest.raises(errors.TradingHaltedError, match="drawdown"):
        await gateway.submit(an_order())
    assert "venue: the halt ends with this process" in caplog.messages
    gateway.resume()
    assert (await gateway.submit(an_order())).id == "v2"
    # More is filled than was wanted.
    gateway.observe(venue.orders["v2"].model_copy(update={"filled_qty": 11}))
    assert gateway.halted == "ACME: 11 was filled for an order of 10"


async def test_a_halt_of_which_nobody_can_read_why_is_a_halt(journal):
    halt = beside(journal.path, ".halt")
    halt.write_bytes(b"\xff!")
    assert journal.halted() == "\ufffd!"
    halt.unlink()
    halt.mkdir()
    assert journal.halted().startswith("nobody can read why: [Errno 21]")


async def test_a_halt_that_is_taken_back_in_this_very_moment(journal, monkeypatch):
    monkeypatch.setattr(os.path, "exists", lambda _: True)
    assert journal.halted() is None


async def test_a_reason_may_hold_any_letter(journal):
    journal.set_halted("Kurs fällt \udcff")
    assert journal.halted() == "Kurs fällt ?"


async def test_a_row_that_cannot_be_kept_takes_no_other_with_it(journal):
    told = await asyncio.gather(
        *(journal.write(row) for row in (ROW, BAD, ROW)), return_exceptions=True
    )

    assert [type(each) for each in told] == [type(None), UnicodeEncodeError, type(None)]
    assert read_journal(journal.path)[1] == [ROW, ROW]


async def test_to_read_a_journal_takes_no_lock_from_who_writes_it(journal):
    await journal.write(ROW)
    assert read_journal(journal.path)[1] == [ROW]
    # Another program that looks at it would now end the log if nobody else had the file.
    look = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT * FROM rows').close()"
    looking = await asyncio.create_subprocess_exec(sys.executable, "-c", look, str(journal.path))
    assert await looking.wait() == 0

    await journal.write(ROW)

    assert read_journal(journal.path)[1] == [ROW, ROW]


async def test_what_waits_for_a_busy_file_waits_for_it_once(path, monkeypatch):
    hurried = functools.partial(sqlite3.connect, timeout=0.2)
    monkeypatch.setattr(sqlite_journal.sqlite3, "connect", hurried)
    journal = SqliteJournal(path)
    await journal.open("a")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    begun = asyncio.get_running_loop().time()

    told = await asyncio.gather(*(journal.write(ROW) for _ in range(20)), return_exceptions=True)

    # The first may be alone in its commit.
    assert asyncio.get_running_loop().time() - begun < 1.0
    assert {str(each) for each in told} == {"database is locked"}
    other.close()
    await journal.write(ROW)
    await journal.close()
    assert read_journal(path)[1] == [ROW]


async def test_a_link_to_a_journal_is_that_journal(journal, tmp_path):
    (tmp_path / "there").mkdir()
    link = tmp_path / "there" / "orders"
    link.symlink_to(journal.path)

    with pytest.raises(errors.ConfigurationError, match="another process"):
        await SqliteJournal(link).open("a")
    SqliteJournal(link).set_halted("drawdown")
    assert journal.halted() == "drawdown"
    await journal.write(ROW)
    beside(journal.path, "-wal").write_bytes(b"x" * 32)
    with pytest.raises(errors.ConfigurationError, match="log is damaged"):
        read_journal(link)


async def test_an_empty_file_with_a_log_beside_it_is_refused(path):
    path.touch()
    log = beside(path, "-wal")
    log.write_bytes(b"rows")
    with pytest.raises(errors.ConfigurationError, match="is empty and its write-ahead log is not"):
        await SqliteJournal(path).open("a")
    assert log.read_bytes() == b"rows"

    log.write_bytes(b"")
    journal = SqliteJournal(path)
    await journal.open("a")
    await journal.close()


def test_a_pipe_is_no_journal(path):
    os.mkfifo(path)
    with pytest.raises(errors.ConfigurationError, match="is no file; it is left"):
        read_journal(path)


@pytest.mark.parametrize("name", ["_open", "_close"])
async def test_who_leaves_while_the_file_is_opened_or_closed_leaves_no_lock(
    path, monkeypatch, name
):
    begun, go = threading.Event(), threading.Event()
    work = getattr(SqliteJournal, name)

    def slow(self, *given):
        begun.set()
        go.wait(5)
        return work(self, *given)

    journal = SqliteJournal(path)
    if name == "_close":
        await journal.open("a")
    monkeypatch.setattr(SqliteJournal, name, slow)
    leaving = asyncio.ensure_future(journal.open("a") if name == "_open" else journal.close())
    await asyncio.to_thread(begun.wait, 5)
    leaving.cancel()
    asyncio.get_running_loop().call_later(0.1, go.set)
    with pytest.raises(asyncio.CancelledError):
        await leaving

    await journal.close()
    journal = SqliteJournal(path)
    await journal.open("a")
    await journal.close()


@pytest.mark.parametrize("name", ["_open", "_close"])
async def test_who_is_cancelled_again_and_again_leaves_no_lock_either(path, monkeypatch, name):
    """As by the scopes of anyio, and so by a web framework whose client has gone."""
    go = threading.Event()
    work = getattr(SqliteJournal, name)

    def slow(self, *given):
        go.wait(5)
        work(self, *given)
        raise OSError("nobody waits for it")

    journal = SqliteJournal(path)
    if name == "_close":
        await journal.open("a")
    monkeypatch.setattr(SqliteJournal, name, slow)
    leaving = asyncio.ensure_future(journal.open("a") if name == "_open" else journal.close())
    for _ in range(20):
        await asyncio.sleep(0)
        leaving.cancel()
    assert not leaving.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await leaving

    monkeypatch.undo()
    await journal.close()
    journal = SqliteJournal(path)
    await journal.open("a")
    await journal.close()


@pytest.mark.parametrize("end", ["", "-wal", ".lock"])
@pytest.mark.parametrize("is_replaced", [False, True])
@pytest.mark.parametrize("is_settled", [False, True])
async def test_nothing_is_called_durable_that_a_restart_would_not_find(
    path, end, is_replaced, is_settled, monkeypatch
):
    journal = SqliteJournal(path)
    await journal.open("a")
    if is_settled:
        # As after two seconds in which the folder has not changed.
        monkeypatch.setattr(presence, "_TICK_NS", -(10**18))
        await asyncio.sleep(0.05)
    await journal.write(ROW)
    assert (journal._writer._files._settled is not None) is is_settled
    taken = beside(path, end)
    content = taken.read_bytes()
    taken.rename(beside(path, ".away"))
    if is_replaced:
        taken.write_bytes(content)

    with pytest.raises(ValueError, match="taken away"):
        await journal.write(ROW)

    beside(path, ".away").rename(taken)
    await journal.write(ROW)
    await journal.close()
    assert read_journal(path)[1] == [ROW, ROW]


def test_a_log_that_is_not_there_yet_is_not_missed(tmp_path):
    here, later = tmp_path / "here", tmp_path / "later"
    here.touch()
    files = presence.Files([str(here), str(later)])

    files.check()
    later.touch()
    files.check()

    here.unlink()
    with pytest.raises(ValueError, match="here was taken away"):
        files.check()


async def test_a_journal_that_another_program_works_on_is_not_called_damaged(path, monkeypatch):
    journal = SqliteJournal(path)
    await journal.open("a")
    await journal.close()
    hurried = functools.partial(sqlite3.connect, timeout=0.01)
    monkeypatch.setattr(sqlite_journal.sqlite3, "connect", hurried)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(errors.ConfigurationError, match="cannot be used now: database is locked"):
        await journal.open("a")

    other.close()
    await journal.open("a")
    await journal.close()


# Python 3.12 warns of what this is about.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
async def test_a_forked_child_holds_no_lock_and_writes_nothing(path):
    journal = SqliteJournal(path)
    await journal.open("a")
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        told = b"nothing"
        try:
            journal.write(ROW).send(None)
        except errors.ConfigurationError as exc:
            told = str(exc).encode()
        except StopIteration:
            told = b"written"
        os.write(writing, told)
        os.close(writing)
        # Lives until its parent lets it go.
        os.read(reading, 1)
        os._exit(0)

    try:
        assert b"is not open" in os.read(reading, 1000)
        await journal.write(ROW)
        with pytest.raises(errors.ConfigurationError, match="another process"):
            await SqliteJournal(path).open("a")
        await journal.close()
        journal = SqliteJournal(path)
        assert await journal.open("a") == [ROW]
        await journal.close()
    finally:
        os.write(writing, b"x")
        await asyncio.to_thread(os.waitpid, child, 0)
        os.close(reading)
        os.close(writing)


def test_locks_are_let_go_of_by_whoever_holds_them(tmp_path):
    locks = Locks()
    assert not locks.are_held
    locks.take(tmp_path / "one")
    assert locks.are_held
    assert locks.files == (str(tmp_path / "one"),)
    with pytest.raises(ValueError, match="another process"):
        Locks().take(tmp_path / "one")

    locks.let_go()

    assert not locks.are_held
    locks.take(tmp_path / "one")
    # What a child does first.
    locks_of_all._let_go_of_all()
    assert not locks.are_held
