"""Compares what the broker has with what everybody was told; linear in the number of orders."""

from collections import Counter
from dataclasses import dataclass, field

from sentio_async.models.words import OrderStatus
from sentio_async.orders.policy import Late

KINDS = ("duplicates", "ghosts", "phantoms", "orphans", "unresolved")


@dataclass(slots=True)
class Findings:
    """What is wrong; empty ``wrong`` is a pass."""

    seed: int
    cell: tuple
    intents: int = 0
    placed: int = 0
    wrong: Counter = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def add(self, kind: str, note: str) -> None:
        self.wrong[kind] += 1
        self.notes.append(f"{kind.removesuffix('s')}: {note}")


def check(scenario) -> Findings:
    """The truth of one scenario that has come to rest."""
    plan = scenario.plan
    findings = Findings(plan.seed, (plan.kind, plan.rate, plan.has_crash))
    lives: dict[str, list[str]] = {}
    for placed in scenario.broker.book:
        if placed.tag is not None:
            lives.setdefault(placed.tag, []).append(placed.id)
    known = scenario.disk.known_orders()
    for tag in sorted(scenario.told):
        _check_intent(scenario, findings, tag, lives.get(tag, []), known)
    for tag in sorted(lives.keys() - scenario.told.keys()):
        findings.add("duplicates", f"{tag}: nobody has asked for {lives[tag]}")
    for what in scenario.open:
        findings.add("unresolved", what)
    _check_cancels(scenario, findings)
    return findings


def _check_intent(scenario, findings: Findings, tag: str, ids: list[str], known) -> None:
    told = scenario.told[tag]
    if not told:
        return
    findings.intents += 1
    findings.placed += bool(ids)
    if len(ids) > 1:
        findings.add("duplicates", f"{tag}: {', '.join(ids)}")
    heard = [mark for mark in told if mark[0] in ("placed", "failed")]
    for mark in heard:
        if mark[0] == "placed" and mark[1] not in ids:
            owner = scenario.broker.tag_of_order(mark[1])
            findings.add("phantoms", f"{tag}: was told {mark[1]}, which is that of {owner}")
    if heard and heard[-1][0] == "failed" and ids:
        findings.add("ghosts", f"{tag}: was told {heard[-1][1]}, lives as {', '.join(ids)}")
    for mark in told:
        if mark[0] == "broken":
            findings.add("unresolved", f"{tag}: was told {mark[1]}")
    if scenario.client.recovers:
        for id in ids:
            if id not in known:
                findings.add("orphans", f"{tag}: {id} is not in the journal")
        return
    if heard or not ids:
        return
    kind = "unresolved" if told[-1][0] == "unknown" else "orphans"
    findings.add(kind, f"{tag}: nobody was told of {', '.join(ids)}")


def _check_cancels(scenario, findings: Findings) -> None:
    plan = scenario.plan
    is_quiet = scenario.disk.halted is None and plan.setting.late is Late.ADOPT
    first: set[str] = set()
    for order_id, told, why in scenario.cancels:
        status = scenario.broker.status_of(order_id)
        if told == "heard" and not status.is_final:
            findings.add("phantoms", f"cancel of {order_id} was heard, and it is {status.value}")
        # Of a second cancel, "not open" is the truth.
        is_first = order_id not in first
        first.add(order_id)
        if told == "failed" and status is OrderStatus.CANCELED and is_first and is_quiet:
            findings.add("ghosts", f"cancel of {order_id}: was told {why}, and it is cancelled")
