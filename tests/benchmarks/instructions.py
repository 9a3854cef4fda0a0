"""`python -m tests.benchmarks.instructions --json`: instructions per call, counted by valgrind.

They do not depend on what else the machine does.  Of two runs of a client, one with more calls
than the other, the difference counts: what it takes to start is the same in both.
"""

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import sys
from contextlib import AsyncExitStack

from tests.benchmarks.measure import Row
from tests.benchmarks.servers import quote_server

FEW, MANY = 100, 300
"""Calls in the two runs."""
AT_A_TIME = 10
PAIRS = (
    ("pool", "raw", 1.35),
    ("exchange", "raw", None),
    ("session", "raw", 2.0),
    ("session", "session on stock", 0.1),
    ("door", "stock", 0.25),
)
TOOL = ("--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")


async def _call(client, url, count):
    from tests.benchmarks.transport import each_client

    async with AsyncExitStack() as stack:
        burst, _ = (await each_client(url, AT_A_TIME, stack))[client]
        await burst(count, AT_A_TIME)


def _counted(client, url, count):
    command = [sys.executable, "-m", "tests.benchmarks.instructions"]
    told = subprocess.run(
        ["valgrind", *TOOL, *command, "--run", client, "--url", url, "--count", str(count)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    found = re.search(r"I\s+refs:\s+([\d,]+)", told.stderr)
    if found is None:
        raise RuntimeError(f"valgrind did not count: {told.stderr[-300:]}")
    return int(found[1].replace(",", ""))


def rows():
    """One row for each pair, in thousands of instructions a call."""
    figures = {}
    with quote_server() as url:
        for ours, peer, target in PAIRS:
            for client in (ours, peer):
                if client not in figures:
                    more = _counted(client, url, MANY) - _counted(client, url, FEW)
                    figures[client] = more / (MANY - FEW) / 1000
            bench = f"instructions.{ours}.{peer.replace(' ', '_')}.c{AT_A_TIME}"
            yield Row(bench, figures[ours], figures[peer], "k instructions/call", target)


def main():
    """Count, or be the one whose instructions are counted."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.instructions")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, as ever")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.run:
        asyncio.run(_call(told.run, told.url, told.count))
        return 0
    if shutil.which("valgrind") is None:
        print("valgrind is not on this machine: nothing was counted", file=sys.stderr)
        return 1
    for row in rows():
        print(row.json(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
