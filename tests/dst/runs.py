"""Many scenarios, one result."""

import time
from collections import Counter

from . import scenario
from .checker import KINDS

SEEDS_APART = 1_000_000
"""Between the first scenario of one seed and that of the next."""
_SHOWN = 10


def seeds(count: int, seed: int) -> range:
    """The seeds of the scenarios of a run."""
    first = (seed - 1) * SEEDS_APART
    return range(first, first + count)


def run(count: int, seed: int, client: str = "gateway") -> dict:
    """Run so many scenarios; one JSON-ready object."""
    wrong, by_class = Counter(), {}
    intents = placed = 0
    failing: list[dict] = []
    wall, cpu = time.perf_counter(), time.process_time()
    for number in seeds(count, seed):
        findings = scenario.run(number, client)
        wrong += findings.wrong
        intents += findings.intents
        placed += findings.placed
        kind, _, has_crash = findings.cell
        tally = by_class.setdefault(f"{kind}{' crash' if has_crash else ''}", Counter())
        tally.update(findings.wrong)
        tally["intents"] += findings.intents
        tally["placed"] += findings.placed
        if findings.wrong and len(failing) < _SHOWN:
            failing.append({"seed": number, "notes": findings.notes[:3]})
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        **{kind: wrong[kind] for kind in KINDS},
        "violations": wrong.total(),
        "intents": intents,
        "placed": placed,
        "scenarios": count,
        "seed": seed,
        "strategy": client,
        "scenarios_per_second": round(count / wall, 1),
        "cpu_ms_per_scenario": round(1000 * cpu / count, 2),
        "seconds": round(wall, 2),
        "by_class": {name: dict(by_class[name]) for name in sorted(by_class)},
        "failing": failing,
    }
