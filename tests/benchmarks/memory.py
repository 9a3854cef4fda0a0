"""The most memory that a process takes to have 100,000 bars, everything it imports included.

`python -m tests.benchmarks.memory WHOSE URL` is such a process, and prints it in MB.
"""

import asyncio
import re
import resource
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.measure import Row

BENCH = "vendors.alpaca.bars.100000.memory"
TARGET = 0.25
_SECONDS = 60


def rows(url):
    """The one row."""
    ours, theirs = (_megabytes(whose, url) for whose in ("ours", "peer"))
    return [Row(BENCH, ours, theirs, "MB at most", TARGET)]


def _megabytes(whose, url):
    command = (sys.executable, "-m", __name__, whose, url)
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)
    return float(told.stdout)


async def _ours(url):
    from sentio_async.connectors.alpaca.data import AlpacaData
    from tests.benchmarks.vendors import END, KEY, SECRET, START

    settings = {"api_key": KEY, "api_secret": SECRET, "data_url": url, "base_url": url}
    async with AlpacaData(settings) as data:
        return await data.get_bars("SPY", "1Min", start=START, end=END)


def _peer(url):
    from tests.benchmarks.vendors import alpaca_py

    return alpaca_py(url)["alpaca.bars.100000"]().data["SPY"]


def main():
    """Have the bars, and tell what that took."""
    whose, url = sys.argv[1:]
    bars = asyncio.run(_ours(url)) if whose == "ours" else _peer(url)
    if len(bars) != 100_000:
        raise RuntimeError(f"{len(bars)} bars instead of 100,000")
    print(_most())


def _most():
    """Of this program alone: on Linux, getrusage counts what its parent had, too."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / 1024


if __name__ == "__main__":
    main()
