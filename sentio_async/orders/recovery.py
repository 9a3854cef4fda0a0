"""What an earlier life has left: every open intent is found out about before anything new."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.models.trading import Order
from sentio_async.orders.desk import Desk
from sentio_async.orders.entry import Entry, Verdict
from sentio_async.orders.happenings import OrdersRecovered, PositionUnexplained
from sentio_async.orders.intent import Kind, entered_at
from sentio_async.orders.journal import Row, Step
from sentio_async.orders.positions import PositionGap, gaps
from sentio_async.orders.venue import TellsPositions

if TYPE_CHECKING:
    from sentio_async.orders.carrying import Carrier

__all__ = ["RecoveryReport", "entries_of", "recover"]

log = logging.getLogger("sentio_async")


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """What became of the intents that an earlier life left open."""

    placed: tuple[Order, ...] = ()
    not_placed: tuple[str, ...] = ()
    """Ids of orders that never arrived."""
    rejected: tuple[str, ...] = ()
    changed: tuple[Order, ...] = ()
    """Orders known before that were filled, cancelled or expired meanwhile."""
    positions: tuple[PositionGap, ...] = ()
    """What is held and not explained by the orders of the journal, or the other way round."""

    @property
    def is_empty(self) -> bool:
        """Nothing was left open, and nothing has changed."""
        return not (self.placed or self.not_placed or self.rejected or self.changed)


def entries_of(rows: Sequence[Row]) -> list[Entry]:
    """The intents that a journal tells of, oldest first."""
    by_id: dict[str, list[Row]] = {}
    for row in rows:
        by_id.setdefault(row.id, []).append(row)
    return [entry for each in by_id.values() if (entry := Entry.from_rows(each)) is not None]


async def recover(desk: Desk, carrier: Carrier) -> RecoveryReport:
    """Find out about every open intent, then about the orders known, then about positions.

    Raises OrderOutcomeUnknownError when the first cannot be found out.
    """
    for entry in entries_of(await desk.journal.open(desk.account)):
        desk.add(entry)
    left = desk.open
    await _find_out(desk, carrier, left)
    changed = await _catch_up(desk, left)
    report = _report(left, changed, await _unexplained(desk))
    if not report.is_empty:
        known = (report.placed, report.not_placed, report.rejected, report.changed)
        desk.tell(OrdersRecovered, *(len(each) for each in known))
    for gap in report.positions:
        desk.tell(PositionUnexplained, gap.symbol, gap.held, gap.explained)
    return report


async def _find_out(desk: Desk, carrier: Carrier, left: Sequence[Entry]) -> None:
    tasks = []
    for entry in left:
        if entry.attempts:
            _take_up(desk, entry)
            tasks.append(carrier.resume(entry))
        else:
            error = errors.ConnectorError("it was never sent", outcome=Outcome.NOT_SENT)
            await carrier.end(entry, Verdict(Step.NOT_PLACED, error=error))
    if not tasks:
        return
    await asyncio.wait(tasks, timeout=desk.policy.recovery_timeout)
    still = [entry for entry in left if entry.is_open]
    if still:
        names = ", ".join(f"{entry.id} ({entry.reason or 'no word'})" for entry in still)
        raise errors.OrderOutcomeUnknownError(
            f"recovery: nobody knows what became of {names}; look at the venue, then say so by "
            "`sentio-async orders settle`",
            handle=carrier.handle(still[0]),
            connector=desk.name or None,
        ) from still[0].cause


def _take_up(desk: Desk, entry: Entry) -> None:
    """Put the times of an earlier life onto this loop's clock."""
    now, wall, policy = desk.now(), desk.wall(), desk.policy
    # It was killed before now, so what it sent has left by now.
    entry.left_at = min(now, now - (wall - entry.sent_at) + policy.timeout)
    entry.deadline = now + entry.intent.until - wall
    if wall < entry.sent_at:
        # The clock was set back, and nobody can say how old it is.
        entry.deadline = now
    if entry.intent.kind is Kind.CANCEL:
        # Wanted then and harmless now.
        entry.deadline = now + policy.timeout


async def _catch_up(desk: Desk, left: Sequence[Entry]) -> tuple[Order, ...]:
    """The orders that have changed since they were last heard of."""
    stale = {
        entry.order.id: entry
        for entry in desk.entries.values()
        if entry.order is not None and not entry.order.is_final and entry not in left
    }
    if not stale:
        return ()
    since = min(_entered(entry) for entry in stale.values()) - desk.policy.clock_skew
    asked = desk.venue.recent(datetime.fromtimestamp(since, UTC))
    try:
        listed = await desk.call(asked, desk.now() + desk.policy.call_timeout)
    except errors.ConnectorError as exc:
        log.warning("%s: what has changed meanwhile cannot be read: %s", desk.name, exc)
        return ()
    changed = []
    for order in listed:
        entry = stale.get(order.id)
        if entry is not None and _has_changed(entry.order, order):
            entry.order = order
            changed.append(order)
            with contextlib.suppress(errors.ConnectorError):
                # It has told of that, and the next start reads it once more.
                await desk.write(desk.row(entry, Step.ACKED))
    return tuple(changed)


def _entered(entry: Entry) -> float:
    """By the venue's clock if it has told, which may be far behind ours."""
    at = None if entry.order is None else entered_at(entry.order)
    return entry.entered_after if at is None else min(at.timestamp(), entry.entered_after)


def _has_changed(before: Order | None, now: Order) -> bool:
    return before is None or (before.status, before.filled_qty) != (now.status, now.filled_qty)


async def _unexplained(desk: Desk) -> tuple[PositionGap, ...]:
    """It is told of and never traded on: what it means, only a person can say."""
    orders = [entry.order for entry in desk.entries.values() if entry.order is not None]
    if not orders or not isinstance(desk.venue, TellsPositions):
        return ()
    try:
        held = await desk.call(desk.venue.positions(), desk.now() + desk.policy.call_timeout)
    except errors.ConnectorError as exc:
        log.warning("%s: positions cannot be read: %s", desk.name, exc)
        return ()
    try:
        return gaps(orders, held)
    except ArithmeticError:
        log.warning("%s: positions are beyond all numbers", desk.name)
        return ()


def _report(
    left: Sequence[Entry], changed: tuple[Order, ...], positions: tuple[PositionGap, ...]
) -> RecoveryReport:
    orders = [entry for entry in left if entry.intent.kind is not Kind.CANCEL]
    return RecoveryReport(
        placed=tuple(entry.order for entry in orders if entry.order is not None),
        not_placed=tuple(entry.id for entry in orders if entry.step is Step.NOT_PLACED),
        rejected=tuple(entry.id for entry in orders if entry.step is Step.REJECTED),
        changed=changed,
        positions=positions,
    )
