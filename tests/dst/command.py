"""The command line: one JSON object, and an exit code that says whether anything was wrong."""

import argparse
import json
import logging

from . import mutants, peers, runs, scenario
from .clients import CLIENTS


def main() -> int:
    """Run what was asked for."""
    # Thousands of orders in doubt are the point here, not news.
    logging.getLogger("sentio_async").setLevel(logging.CRITICAL + 1)
    parser = argparse.ArgumentParser(prog="python -m tests.dst")
    kinds = parser.add_subparsers(dest="kind", required=True)
    orders = kinds.add_parser("orders", help="orders under every fault there is")
    _common(orders, 10_000)
    orders.add_argument("--strategy", choices=sorted(CLIENTS), default="gateway")
    orders.add_argument("--mutant", choices=sorted(mutants.MUTANTS), help="with a deliberate bug")
    orders.add_argument("--only", type=int, metavar="SEED", help="replay one seed, readably")
    _common(kinds.add_parser("mutants", help="is each deliberate bug caught"), 2_000)
    _common(kinds.add_parser("peers", help="the strategies side by side"), 2_000)
    told = parser.parse_args()
    if told.kind == "mutants":
        result = mutants.run_all(told.scenarios, told.seed)
        _print(result, told.json)
        return 0 if not result["survivors"] else 1
    if told.kind == "peers":
        result = peers.compare(told.scenarios, told.seed)
        print(json.dumps(result) if told.json else peers.table(result))
        return 0
    with mutants.applied(told.mutant):
        if told.only is not None:
            return _replay(told.only, told.strategy)
        result = runs.run(told.scenarios, told.seed, told.strategy)
    _print(result, told.json)
    return 0 if not result["violations"] else 1


def _common(parser, scenarios: int) -> None:
    parser.add_argument("--scenarios", type=int, default=scenarios)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")


def _print(result: dict, as_json: bool) -> None:
    if as_json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:24} {value}")


def _replay(seed: int, client: str) -> int:
    trace: list[str] = []
    findings = scenario.run(seed, client, trace=trace)
    kind, rate, has_crash = findings.cell
    print(f"seed {seed}: {kind}, fault rate {rate}, {'with' if has_crash else 'without'} crash")
    print("\n".join(trace))
    print("\n".join(findings.notes) or "nothing is wrong")
    return 1 if findings.wrong else 0
