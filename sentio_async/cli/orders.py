"""`sentio-async orders`: what a journal holds open and why; halt, resume, settle."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sentio_async import errors

if TYPE_CHECKING:
    from sentio_async.models.trading import Order
    from sentio_async.orders.entry import Entry
    from sentio_async.orders.sqlite_journal import SqliteJournal

Journal = Annotated[Path, typer.Argument(help="The file of the setting `journal`.")]
Id = Annotated[str, typer.Argument(help="The id that `list` shows.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on one line.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    orders = typer.Typer(no_args_is_help=True, help="What a journal of orders holds open, and why.")
    orders.command("list")(show)
    orders.command("halt")(halt)
    orders.command("resume")(resume)
    orders.command("settle")(settle)
    app.add_typer(orders, name="orders")


def show(journal: Journal, as_json: AsJson = False) -> None:
    """List the orders, changes and cancels of which the end is not known."""
    from sentio_async.orders.recovery import entries_of
    from sentio_async.orders.sqlite_journal import SqliteJournal, read_journal

    account, rows = read_journal(journal)
    halted = SqliteJournal(journal).halted()
    left = [_told(entry) for entry in entries_of(rows) if entry.is_open]
    if as_json:
        print(json.dumps({"account": account, "halted": halted, "open": left}))
        return
    print(f"account {account}: {'halted: ' + halted if halted else 'trading'}")
    for each in left:
        print("{since}  {step:<8}  sent {attempts}x  {what}  {id}  {reason}".format_map(each))
    print(f"{len(left)} open")


def _told(entry: "Entry") -> dict[str, Any]:
    order = entry.intent.order
    what = entry.intent.kind.value
    if order is not None:
        size = order.qty if order.qty is not None else f"${order.notional}"
        what = f"{what} {order.side or ''} {size} {order.symbol}"
    elif entry.intent.order_id is not None:
        what = f"{what} {entry.intent.order_id}"
    return {
        "id": entry.id,
        "what": what,
        "step": entry.step.value,
        "attempts": entry.attempts,
        "since": datetime.fromtimestamp(entry.intent.at, UTC).isoformat(timespec="seconds"),
        "reason": entry.reason or "the process ended before anybody knew",
    }


def halt(
    journal: Journal,
    reason: Annotated[str, typer.Option(help="Why; every refused order says it.")] = "by hand",
) -> None:
    """Let the process that uses the journal refuse new orders and cancel what is open."""
    _ready(journal).set_halted(reason)
    print(f"halted: {reason}; a running process cancels what is open within a second")


def resume(journal: Journal) -> None:
    """Let the process that uses the journal accept new orders again."""
    _ready(journal).set_halted(None)
    print("resumed")


def _ready(journal: Path) -> "SqliteJournal":
    from sentio_async.orders.sqlite_journal import SqliteJournal, read_journal

    # A slip in the path must not look like a halt.
    read_journal(journal)
    return SqliteJournal(journal)


def settle(
    journal: Journal,
    id: Id,
    placed: Annotated[str, typer.Option(help="The venue's id of the order that it is.")] = "",
    not_placed: Annotated[bool, typer.Option("--not-placed", help="It never arrived.")] = False,
) -> None:
    """Say what became of an open order, after a look at the venue; no process may be running."""
    if bool(placed) == not_placed:
        raise errors.InvalidRequestError("settle: give either --placed ORDER_ID or --not-placed")
    print(asyncio.run(_settle(journal, id, placed)))


async def _settle(path: Path, id: str, placed: str) -> str:
    from sentio_async.clock import SYSTEM_CLOCK
    from sentio_async.orders.journal import Row, Step
    from sentio_async.orders.recovery import entries_of
    from sentio_async.orders.sqlite_journal import SqliteJournal, read_journal

    account, _ = await asyncio.to_thread(read_journal, path)
    journal = SqliteJournal(path)
    rows = await journal.open(account)
    try:
        found = [entry for entry in entries_of(rows) if entry.id == id and entry.is_open]
        if not found:
            raise errors.InvalidRequestError(f"settle: {id!r} is not open in {path}")
        at = SYSTEM_CLOCK.utcnow().timestamp()
        row = Row(id, Step.NOT_PLACED, at, found[0].attempts, reason="settled by hand")
        if placed:
            row = Row(id, Step.ACKED, at, found[0].attempts, order=_as_placed(found[0], placed))
        await journal.write(row)
    finally:
        await journal.close()
    return f"{id}: {'placed as ' + placed if placed else 'not placed'}"


def _as_placed(entry: "Entry", order_id: str) -> "Order":
    """The order as it was asked for; what became of it since is read at the next start."""
    from decimal import Decimal

    from sentio_async.models.trading import Order
    from sentio_async.models.words import OrderStatus

    wanted = entry.intent.order
    if wanted is None:
        raise errors.InvalidRequestError(f"settle: {entry.id!r} is no order; use --not-placed")
    return Order(
        id=order_id,
        client_order_id=entry.id,
        symbol=wanted.symbol,
        side=wanted.side,
        type=wanted.type,
        status=OrderStatus.OPEN,
        venue_status="settled by hand",
        qty=wanted.qty,
        notional=wanted.notional,
        filled_qty=Decimal(0),
        time_in_force=wanted.time_in_force,
        nanoseconds={},
        raw={},
    )
