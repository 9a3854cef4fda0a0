"""The file itself: its mark, its locks, and what is said when it cannot be used."""

import asyncio
import fcntl
import os
import sqlite3
import threading
from datetime import UTC, datetime, timedelta

import pytest

from sentio_async import errors
from sentio_async.orders.journal import Row, Step
from sentio_async.orders.sqlite_journal import SqliteJournal, read_journal

ROW = Row("i", Step.SENT, 1.0, 1)
LOCK_OF_A = ".sentio-ca978112ca1bbdca.lock"
LEFT = "it is left as it is"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "orders"


async def opened(path, durability="process", account="a"):
    journal = SqliteJournal(path, durability)
    await journal.open(account)
    return journal


async def a_file(path, *statements):
    journal = await opened(path)
    await journal.write(ROW)
    await journal.close()
    with sqlite3.connect(path) as database:
        for statement in statements:
            database.execute(statement)
    database.close()


async def refusal(path, account="a"):
    with pytest.raises(errors.ConfigurationError) as caught:
        await opened(path, account=account)
    assert caught.value.__cause__ is not None
    return caught.value.message


async def test_folders_that_are_missing_are_made(tmp_path):
    path = tmp_path / "one" / "two" / "orders"

    await (await opened(path)).close()

    assert path.exists()


@pytest.mark.parametrize(("durability", "level"), [("process", 1), ("power", 2)])
async def test_what_a_row_survives_is_what_was_asked_for(path, durability, level):
    journal = await opened(path, durability)

    database = journal._writer._database
    assert database.execute("PRAGMA synchronous").fetchone() == (level,)
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    await journal.close()


async def test_every_version_knows_a_journal_by_the_same_mark(path):
    await a_file(path)

    head = path.read_bytes()[:100]
    assert head[68:72] == b"SENT"
    assert int.from_bytes(head[60:64], "big") == 1


async def test_every_version_locks_an_account_by_the_same_name(path):
    journal = await opened(path)

    locks = [each for each in path.parent.iterdir() if each.suffix == ".lock"]
    assert {each.name for each in locks} == {"orders.lock", LOCK_OF_A}
    assert {each.read_text() for each in locks} == {str(os.getpid())}
    await journal.close()


async def test_a_lock_says_who_has_it_and_nobody_else(path):
    lock = path.with_name("orders.lock")
    lock.write_text("9" * 20)
    await (await opened(path)).close()
    assert lock.read_text() == str(os.getpid())

    lock.write_text("")
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        message = await refusal(path)

    assert message == (
        f"journal {path}: another process (pid unknown) trades with it or its account "
        f"(lock {lock}); one process for each account"
    )
    await (await opened(path)).close()


async def test_what_is_no_journal_is_named(path):
    path.write_text("my diary")
    assert await refusal(path) == f"journal {path}: is not a journal; {LEFT}"

    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE diary (day TEXT)")
    database.close()
    assert await refusal(path) == f"journal {path}: is a database of something else; {LEFT}"


async def test_a_later_version_is_named(path):
    await a_file(path, "PRAGMA user_version = 2")

    assert await refusal(path) == (f"journal {path}: has version 2, this program reads version 1")


async def test_a_journal_of_two_accounts_or_of_none_is_refused(path):
    await a_file(path, "INSERT INTO account VALUES ('b')")
    assert await refusal(path) == f"journal {path}: is that of account 'a, b', not of 'a'"

    await asyncio.to_thread(path.unlink)
    await a_file(path, "DELETE FROM account")
    assert await refusal(path) == f"journal {path}: is that of account '', not of 'a'"
    with pytest.raises(errors.ConfigurationError, match="not of None"):
        read_journal(path)


async def test_a_table_that_is_missing_is_damage_and_the_file_is_let_go(path):
    await a_file(path, "ALTER TABLE rows RENAME TO gone")
    assert await refusal(path) == f"journal {path}: is damaged: no such table: rows"

    with sqlite3.connect(path) as database:
        database.execute("ALTER TABLE gone RENAME TO rows")
    database.close()
    await (await opened(path)).close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE rows SET attempt = 2", "is damaged: row about 'i' was changed"),
        ("UPDATE rows SET step = 'odd'", "is damaged: row about 'i' was changed"),
    ],
)
async def test_a_row_that_is_not_what_was_written_is_damage(path, change, words):
    await a_file(path, change)

    assert await refusal(path) == f"journal {path}: {words}"
    with pytest.raises(errors.ConfigurationError, match="was changed") as caught:
        read_journal(path)
    assert isinstance(caught.value.__cause__, ValueError)


async def test_a_name_may_hold_any_letter(tmp_path):
    path = tmp_path / "o r#d?e%r's"
    await a_file(path)

    assert read_journal(str(path)) == ("a", [ROW])
    with pytest.raises(errors.ConfigurationError) as caught:
        read_journal(tmp_path / "gone")
    assert caught.value.message == f"journal {tmp_path / 'gone'}: there is no such file"


async def test_a_thread_writes_and_ends_with_the_journal(path):
    journal = await opened(path)
    (thread,) = [each for each in threading.enumerate() if each.name == "sentio-journal"]
    assert thread.daemon
    writing = [asyncio.ensure_future(journal.write(ROW)) for _ in range(50)]
    await asyncio.sleep(0)

    await journal.close()

    assert not thread.is_alive()
    await asyncio.gather(*writing)
    assert len(read_journal(path)[1]) == 50


async def test_what_waits_at_the_same_time_is_one_commit(path):
    journal = await opened(path)
    writer, seen, may_go = journal._writer, [], threading.Event()

    def slow(statement):
        if statement.startswith("BEGIN"):
            may_go.wait(5)
        seen.append(statement.split()[0])

    writer._database.set_trace_callback(slow)
    writing = [asyncio.ensure_future(journal.write(ROW)) for _ in range(20)]
    await asyncio.sleep(0.05)
    may_go.set()
    await asyncio.gather(*writing)
    writer._database.set_trace_callback(None)
    await journal.close()

    assert seen.count("COMMIT") <= 2 < seen.count("INSERT") == 20


async def test_rows_that_cannot_be_kept_are_told_and_none_of_them_is(path):
    journal = await opened(path)

    for bad in (Row("i", Step.SENT, 1.0, 2**70), Row("\ud800", Step.SENT, 1.0)):
        with pytest.raises((OverflowError, UnicodeError)):
            await journal.write(ROW, bad)
    await journal.write(Row("j", Step.SENT, 1.0, 1))
    await journal.close()

    assert [row.id for row in read_journal(path)[1]] == ["j"]


async def test_a_halt_is_read_without_its_ends_of_lines(path):
    journal = SqliteJournal(path)
    journal.set_halted("by hand")
    halt = path.with_name("orders.halt")
    assert (halt.read_text(), halt.stat().st_mode & 0o777) == ("by hand", 0o600)

    halt.write_text("  by hand \n")

    assert journal.halted() == "by hand"
    assert SqliteJournal.halt_poll == 1.0


async def test_a_row_of_the_last_moment_is_kept(path):
    now = datetime(2026, 3, 2, tzinfo=UTC)

    class Wall:
        def utcnow(self):
            return now

    kept = [
        Row("old", Step.ACKED, (now - timedelta(days=90, seconds=1)).timestamp()),
        Row("new", Step.ACKED, (now - timedelta(days=90)).timestamp()),
        Row("open", Step.UNKNOWN, 1.0),
    ]
    journal = SqliteJournal(path, clock=Wall())
    await journal.open("a")
    await journal.write(*kept)
    await journal.close()

    assert await journal.open("a") == kept[1:]
    await journal.close()


def test_a_journal_that_is_not_open_and_a_word_that_is_none_are_named(path):
    with pytest.raises(errors.ConfigurationError) as caught:
        asyncio.run(SqliteJournal(path).write(ROW))
    assert caught.value.message == f"journal {path}: is not open"
    with pytest.raises(errors.ConfigurationError) as caught:
        SqliteJournal(path, "eternity")

    assert caught.value.message == ("journal: durability is 'process' or 'power', not 'eternity'")
