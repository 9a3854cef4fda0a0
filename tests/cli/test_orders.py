"""The journal from the command line."""

import asyncio
import json

import pytest

from orders.test_sqlite_journal import rows_of
from sentio_async.cli import main
from sentio_async.clock import SYSTEM_CLOCK
from sentio_async.orders.intent import Intent, Kind
from sentio_async.orders.journal import Row, Step
from sentio_async.orders.sqlite_journal import SqliteJournal, read_journal


def run(*arguments):
    """The exit code, however the command ends."""
    try:
        return main(["orders", *map(str, arguments)])
    except SystemExit as exc:
        return exc.code


@pytest.fixture
def journal(tmp_path):
    path = tmp_path / "orders.journal"
    now = SYSTEM_CLOCK.utcnow().timestamp()
    cancel = Intent(id="cancel v9", kind=Kind.CANCEL, at=now, until=now, order_id="v9")

    async def fill():
        journal = SqliteJournal(path)
        await journal.open("alpaca paper 1")
        await journal.write(*rows_of("done", now))
        await journal.write(*rows_of("lost", now)[:2])
        await journal.write(Row("lost", Step.UNKNOWN, now, 1, reason="the venue does not show it"))
        await journal.write(Row("cancel v9", Step.INTENT, now, intent=cancel))
        await journal.close()

    asyncio.run(fill())
    return path


def test_what_is_open_is_listed_with_the_reason(journal, capsys):
    assert run("list", journal) == 0

    told = capsys.readouterr().out
    assert "account alpaca paper 1: trading" in told
    assert "the venue does not show it" in told
    assert "place buy 10 ACME" in told
    assert "cancel v9" in told
    assert told.endswith("2 open\n")


def test_a_halt_is_seen_and_lifted(journal, capsys):
    assert run("halt", str(journal), "--reason", "drawdown") == 0
    assert SqliteJournal(journal).halted() == "drawdown"
    capsys.readouterr()
    assert run("list", str(journal), "--json") == 0
    assert json.loads(capsys.readouterr().out)["halted"] == "drawdown"

    assert run("resume", str(journal)) == 0

    assert SqliteJournal(journal).halted() is None


def test_a_slip_in_the_path_halts_nothing(journal, capsys):
    assert run("halt", f"{journal}x") == 2

    assert "no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("how", "step"), [(["--placed", "v7"], Step.ACKED), (["--not-placed"], Step.NOT_PLACED)]
)
def test_a_person_settles_what_nobody_knows(journal, how, step):
    assert run("settle", str(journal), "lost", *how) == 0

    last = read_journal(journal)[1][-1]
    assert (last.id, last.step) == ("lost", step)
    assert last.order is None or last.order.id == "v7"


@pytest.mark.parametrize(
    "wrong",
    [
        ["lost"],
        ["lost", "--placed", "v7", "--not-placed"],
        ["done", "--not-placed"],
        ["cancel v9", "--placed", "v7"],
    ],
)
def test_what_cannot_be_settled_is_said(journal, wrong, capsys):
    before = read_journal(journal)

    assert run("settle", str(journal), *wrong) == 2

    assert "settle" in capsys.readouterr().err
    assert read_journal(journal) == before
