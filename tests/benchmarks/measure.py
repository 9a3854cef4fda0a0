"""Rows, and how a figure is come by: interleaved rounds, medians of CPU time per call."""

import gc
import json
import statistics
import time
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Settings:
    names: tuple[str, ...]
    rounds: int
    calls: int
    pin: bool

    def wants(self, bench: str) -> bool:
        return not self.names or any(bench.startswith(name) for name in self.names)


@dataclass(frozen=True)
class Row:
    """`ratio` is ours / peer: smaller is better.  `spread` is that of ours, relative."""

    bench: str
    ours: float
    peer: float | None
    unit: str
    target: float | None = None
    spread: float = 0.0

    @property
    def ratio(self) -> float | None:
        return None if not self.peer else self.ours / self.peer

    @property
    def holds(self) -> bool:
        measure = self.ours if self.ratio is None else self.ratio
        return self.target is None or measure <= self.target

    def json(self) -> str:
        row = asdict(self)
        for name in ("ours", "peer", "spread"):
            row[name] = None if row[name] is None else round(row[name], 3)
        return json.dumps({**row, "ratio": None if self.ratio is None else round(self.ratio, 3)})


async def interleaved(clients, settings, concurrency):
    """Microseconds of CPU per call of each client, one figure a round."""
    figures = {name: [] for name in clients}
    for burst, share in clients.values():
        await burst(max(concurrency * 2, settings.calls * share // 1000), concurrency)
    for _ in range(settings.rounds):
        for name, (burst, share) in clients.items():
            count = max(concurrency, settings.calls * share // 100)
            gc.collect()
            started = time.process_time()
            await burst(count, concurrency)
            figures[name].append((time.process_time() - started) / count * 1e6)
    return figures


def spread(values):
    """Half of what lies between the quarters, relative to the median."""
    if len(values) < 3:
        return 0.0
    low, middle, high = statistics.quantiles(values, n=4)
    return (high - low) / 2 / middle


def row(bench, figures, ours, peer, target):
    """One row from the figures of an interleaved run."""
    return Row(
        bench,
        statistics.median(figures[ours]),
        statistics.median(figures[peer]),
        "us CPU/call",
        target,
        spread(figures[ours]),
    )
