"""The journal in a file: SQLite with a write-ahead log, one writer, one process for each account.

``process`` durability survives the death of the process (kill -9), ``power`` that of the machine.
The file is never repaired or replaced: one that is torn, or is not a journal, is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal, TypeVar

from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.orders import wal
from sentio_async.orders.journal import Row, Step
from sentio_async.orders.locks import Locks, lock_of
from sentio_async.orders.presence import Files
from sentio_async.orders.rows import Record, read_row, write_row
from sentio_async.resilience.ending import outlast

__all__ = ["SqliteJournal", "read_journal"]

APPLICATION = 0x53454E54
"""Says in the file's header that it is one of ours."""
SCHEMA = 1
_MAGIC = b"SQLite format 3\x00"
_FINAL = tuple(step.value for step in Step if step.is_final)

T = TypeVar("T")

Durability = Literal["process", "power"]
Batch = list[tuple[list[Record], asyncio.Future[None], asyncio.AbstractEventLoop]]


class SqliteJournal:
    """Keeps rows in ``path``; beside it ``.lock`` says who uses it, ``.halt`` why nobody trades.

    A lock for the account lies in the same folder, so that two files there cannot be its journal at
    the same time.  Settled intents are dropped when it is opened, ``keep`` after their end.
    """

    halt_poll: float | None = 1.0

    def __init__(
        self,
        path: str | os.PathLike[str],
        durability: Durability = "process",
        *,
        keep: timedelta = timedelta(days=90),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if durability not in ("process", "power"):
            raise errors.ConfigurationError(
                f"journal: durability is 'process' or 'power', not {durability!r}"
            )
        self.path = _real(path)
        self._durability = durability
        self._keep = keep
        self._clock = clock
        self._locks = Locks()
        self._unwritten: str | None = None
        self._writer: _Writer | None = None

    async def open(self, account: str) -> Sequence[Row]:
        """Take the file; raises ConfigurationError, with its path, when it cannot be used."""
        oldest = self._clock.utcnow() - self._keep
        return await _seen_through(self._open, account, oldest.timestamp())

    def _open(self, account: str, oldest: float) -> list[Row]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            for lock in (f"{self.path}.lock", self.path.parent / lock_of(account)):
                self._locks.take(lock)
            database = _open(self.path, account, self._durability)
        except (ImportError, OSError, sqlite3.Error, ValueError) as exc:
            self._locks.let_go()
            raise errors.ConfigurationError(f"journal {self.path}: {exc}") from exc
        try:
            _forget(database, oldest)
            rows = _read(database)
            files = Files((*self._locks.files, str(self.path), f"{self.path}-wal"))
        except (OSError, sqlite3.Error, ValueError, LookupError, TypeError) as exc:
            database.close()
            self._locks.let_go()
            what = "cannot be used now" if _is_passing(exc) else "is damaged"
            raise errors.ConfigurationError(f"journal {self.path}: {what}: {exc}") from exc
        self._writer = _Writer(database, files)
        return rows

    async def write(self, *rows: Row) -> None:
        """Keep the rows; returns when they are durable."""
        if self._writer is None or not self._locks.are_held:
            # A child of the process that has opened it has no thread that writes.
            raise errors.ConfigurationError(f"journal {self.path}: is not open")
        await self._writer.write([write_row(row) for row in rows])

    def halted(self) -> str | None:
        """Why trading is halted, by this or another process; None when it is not."""
        # Asked before every order, and almost always absent.
        if not os.path.exists(self._halt_path):  # noqa: PTH110
            return self._unwritten
        try:
            reason = Path(self._halt_path).read_text("utf-8", "replace")
        except FileNotFoundError:
            # Resumed in this very moment.
            return self._unwritten
        except OSError as exc:
            return f"nobody can read why: {exc}"
        # On a full disk there was room for the file alone.
        return reason.strip() or self._unwritten or "no reason given"

    def set_halted(self, reason: str | None) -> None:
        """Halt or resume; it holds over restarts.

        Raises OSError when that cannot be written; a halt holds here all the same.
        """
        path = Path(self._halt_path)
        self._unwritten = reason
        if reason is None:
            path.unlink(missing_ok=True)
        else:
            path.touch(mode=0o600)
            path.write_text(reason, "utf-8", "replace")
        # From now on the file says so, and another process may take it away.
        self._unwritten = None

    @property
    def _halt_path(self) -> str:
        return f"{self.path}.halt"

    async def close(self) -> None:
        """Write what is left, and let the file go."""
        writer, self._writer = self._writer, None
        if writer is None:
            self._locks.let_go()
        else:
            await _seen_through(self._close, writer)

    def _close(self, writer: _Writer) -> None:
        writer.close()
        self._locks.let_go()


async def _seen_through(work: Callable[..., T], *given: Any) -> T:
    """What a thread gives; it has ended also when the caller is cancelled."""
    working = asyncio.get_running_loop().run_in_executor(None, work, *given)
    await outlast(working)
    return working.result()


def _real(path: str | os.PathLike[str]) -> Path:
    """The file itself: what lies beside it would not be found beside a link to it."""
    return Path(os.path.realpath(Path(path).expanduser()))


class _Writer:
    """The only thread that writes: everything that waits becomes one commit."""

    def __init__(self, database: sqlite3.Connection, files: Files) -> None:
        self._database = database
        self._files = files
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="sentio-journal", daemon=True)
        self._thread.start()

    async def write(self, records: list[Record]) -> None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._queue.put((records, done, loop))
        await done

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()
        self._database.close()

    def _run(self) -> None:
        while True:
            batch: Batch = []
            waiting = self._queue.get()
            while waiting is not None:
                batch.append(waiting)
                if self._queue.empty():
                    break
                waiting = self._queue.get()
            if batch:
                self._commit(batch)
            if waiting is None:
                return

    def _commit(self, batch: Batch) -> None:
        problem = self._problem_with(batch)
        if problem is not None and len(batch) > 1 and not _is_passing(problem):
            # What is wrong with one must not keep the others from being written.
            for each in batch:
                self._commit([each])
            return
        for _, done, loop in batch:
            # Its loop may have ended meanwhile, and then nobody waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_tell, done, problem)

    def _problem_with(self, batch: Batch) -> Exception | None:
        try:
            self._files.check()
            with _transaction(self._database):
                for records, _, _ in batch:
                    self._database.executemany(_INSERT, records)
        except Exception as exc:  # noqa: BLE001 (told to who waits; the thread must live)
            return exc
        return None


def _tell(done: asyncio.Future[None], problem: Exception | None) -> None:
    if done.done():
        return
    if problem is None:
        done.set_result(None)
    else:
        done.set_exception(problem)


_INSERT = "INSERT INTO rows (id, step, at, attempt, body, checksum) VALUES (?, ?, ?, ?, ?, ?)"
_ROWS = (
    "CREATE TABLE rows (number INTEGER PRIMARY KEY, id TEXT NOT NULL, step TEXT NOT NULL, "
    "at REAL NOT NULL, attempt INTEGER NOT NULL, body TEXT NOT NULL, checksum INTEGER NOT NULL)"
)
_ACCOUNT = "CREATE TABLE account (name TEXT NOT NULL)"


_PASSING = frozenset(
    (
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
    )
)


def _is_passing(exc: Exception) -> bool:
    """The file is in order, and something else is in the way: another program, a full disk."""
    code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
    return isinstance(exc, OSError) or code in _PASSING


@contextlib.contextmanager
def _transaction(database: sqlite3.Connection) -> Any:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _open(path: Path, account: str, durability: Durability) -> sqlite3.Connection:
    is_new = not path.exists() or not path.stat().st_size
    log = Path(f"{path}-wal")
    if is_new and log.exists() and log.stat().st_size:
        raise ValueError("is empty and its write-ahead log is not; both are left as they are")
    if is_new:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    else:
        _check_file(path)
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise ValueError("is not a journal; it is left as it is")
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        if is_new:
            _make(database, account)
        else:
            _check(database, account)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(f"PRAGMA synchronous = {'FULL' if durability == 'power' else 'NORMAL'}")
    except BaseException:
        database.close()
        raise
    return database


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise ValueError("is no file; it is left as it is")
    if not wal.is_whole(Path(f"{path}-wal")):
        raise ValueError("its write-ahead log is damaged; it is left as it is")


def _make(database: sqlite3.Connection, account: str) -> None:
    database.execute("PRAGMA journal_mode = WAL")
    with _transaction(database):
        database.execute(_ROWS)
        database.execute(_ACCOUNT)
        database.execute("INSERT INTO account VALUES (?)", (account,))
        database.execute(f"PRAGMA application_id = {APPLICATION}")
        database.execute(f"PRAGMA user_version = {SCHEMA}")


def _check(database: sqlite3.Connection, account: str | None) -> str:
    """The account of a journal; raises ValueError when it cannot be used."""
    if _pragma(database, "application_id") != APPLICATION:
        raise ValueError("is a database of something else; it is left as it is")
    version = _pragma(database, "user_version")
    if version != SCHEMA:
        raise ValueError(f"has version {version}, this program reads version {SCHEMA}")
    problem = _pragma(database, "integrity_check")
    if problem != "ok":
        raise ValueError(f"is damaged: {problem}; it is left as it is")
    found = [name for (name,) in database.execute("SELECT name FROM account")]
    if len(found) != 1 or account not in (None, found[0]):
        raise ValueError(f"is that of account {', '.join(found)!r}, not of {account!r}")
    return str(found[0])


def _pragma(database: sqlite3.Connection, name: str) -> Any:
    return database.execute(f"PRAGMA {name}").fetchone()[0]


def _forget(database: sqlite3.Connection, oldest: float) -> None:
    last = "SELECT id FROM (SELECT id, step, MAX(number), at FROM rows GROUP BY id)"
    marks = ", ".join("?" for _ in _FINAL)
    with _transaction(database):
        database.execute(
            f"DELETE FROM rows WHERE id IN ({last} WHERE at < ? AND step IN ({marks}))",  # noqa: S608
            (oldest, *_FINAL),
        )


def _read(database: sqlite3.Connection) -> list[Row]:
    columns = "id, step, at, attempt, body, checksum"
    found = database.execute(f"SELECT {columns} FROM rows ORDER BY number")  # noqa: S608
    return [read_row(record) for record in found]


def read_journal(path: str | os.PathLike[str]) -> tuple[str, list[Row]]:
    """The account and the rows of a journal that another process may be using."""
    file = _real(path)
    try:
        if not file.exists():
            raise ValueError("there is no such file")
        # Not opened here: to close it would end the locks that a journal of this process has on it.
        _check_file(file)
        database = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
        with contextlib.closing(database):
            return _check(database, None), _read(database)
    except (OSError, sqlite3.Error, ValueError, LookupError, TypeError) as exc:
        raise errors.ConfigurationError(f"journal {file}: {exc}") from exc
