"""`python -m tests.benchmarks [NAME...] --json`; a NAME is the start of a row's name."""

import argparse
import sys

from tests.benchmarks import batch, costs, gateway, streams, transport, vendors
from tests.benchmarks.measure import Row, Settings

SETS = {
    "transport": transport.rows,
    "gateway": gateway.rows,
    "vendors": vendors.rows,
    "batch": batch.rows,
    "costs": costs.rows,
    "streams": streams.rows,
}
"""What is measured: each gives rows, given the names that were asked for and the settings."""


def show(row: Row, *, as_json: bool) -> None:
    """One row, as JSON or to be read."""
    if as_json:
        print(row.json(), flush=True)
        return
    peer = "-" if row.peer is None else f"{row.peer:10.2f}"
    ratio = "-" if row.ratio is None else f"{row.ratio:7.3f}"
    target = "" if row.target is None else f"{'ok' if row.holds else 'MISSED'} (<= {row.target})"
    print(f"{row.bench:34}{row.ours:10.2f} {peer:>10} {row.unit:12}{ratio:>8} {target}", flush=True)


def main() -> int:
    """Measure what was asked for; the exit status says nothing of the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=300, help="calls of a client in one round")
    parser.add_argument("--pin", action="store_true", help="this process on core 0, nginx on 1")
    told = parser.parse_args()
    settings = Settings(tuple(told.names), told.rounds, told.calls, told.pin)
    for rows in SETS.values():
        for row in rows(settings):
            show(row, as_json=told.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
