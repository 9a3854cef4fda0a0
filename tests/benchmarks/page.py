"""`python -m tests.benchmarks --json | python -m tests.benchmarks.page` writes the page.

Nothing in the table is written by hand; what is said of a figure that misses its target is.
"""

import datetime as dt
import json
import os
import platform
import sys
import textwrap
from importlib.metadata import version
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
PEERS = (
    "httpx",
    "aiohttp",
    "alpaca-py",
    "massive",
    "msgspec",
    "httptools",
    "tenacity",
    "stamina",
    "purgatory",
    "aiolimiter",
)
SETS = {
    "transport": "One small GET, at 1, 10 and 100 at a time, and 1,000 at once",
    "vendors": "The vendors' own clients, the same work",
    "batch": "Many symbols, many connections",
    "costs": "What is paid beside the calls",
    "streams": "Streams, a message from the socket to the consumer",
}
REASONS = {
    "streams.alpaca.callback": "Of a message with nine others in its frame, a quarter is decoding; "
    "the rest is making the row, with exact time, and finding and calling its consumer.",
    "streams.polygon.callback": "The same.",
    "transport.session": "One call at a time pays for waking up, whatever the client: the least "
    "that a GET costs is more than half of the target already.",
    "transport.session_raw": "Signing, limiter, breaker, retry, what is noted of the answer and "
    "decoding are Python on top of `exchange`; the difference of the two lines is their price.",
    "transport.aiohttp": "The same; aiohttp's line has none of it.",
    "transport.door": "What is left is httpx's own: URL, headers, request and response objects.",
    "transport.gather1000": "The server's 100 ms, and the CPU of 1,000 calls on a shared core.",
    "vendors.alpaca.quote": "The session's price (above) and the connector's: some 70 functions a "
    "call, which cost 17 us when they have just run and two to three times that otherwise.",
    "vendors.alpaca.quotes": "Decoding a row takes 0.45 us, its exact time 0.2, making the `Quote` "
    "0.2; the rest is the price of the requests, 1,000 symbols being 5 of 200.",
    "vendors.alpaca.bars": "Nearly half is the JSON decoder, a quarter filling columns from rows; "
    "then the times, and receiving a megabyte.",
    "vendors.alpaca.place_order": "Two rows in the journal before the first byte, a task that "
    "outlives its caller, a checked request, an answer refused if it names a member twice, and "
    "exact numbers: code that has not run for a while, at two to four times its price when hot. "
    "The target is what one quote costs.",
    "vendors.massive.snapshot": "A call's own cost, as for one quote.",
    "vendors.massive.snapshots": "A snapshot is six objects, each made in Python from the row.",
    "vendors.massive.aggregates": "Nearly half is the JSON decoder, a quarter filling columns from "
    "rows; then letting go of the rows, and receiving a megabyte.",
    "batch.wall": "The rest of the wall time is sending and decoding, on a core that the server "
    "and others shared.",
    "batch.connections": "A thousand calls at once do not fit a processor's caches, as the least "
    "that a GET costs shows (`raw`).",
    "costs.decorators": "They run as one coroutine. Of what is left, half is asking for the task "
    "and the loop's time (CPython 3.11 asks the system for the process each time) and setting the "
    "deadline for what is called; a third is the limiter's exact log.",
}
INTRO = """# Performance

Measured on {date} by `python -m tests.benchmarks --pin` with Python {python} on {system}, {cores}
virtual cores of a shared machine: compare within a line, not between lines, and expect other
figures elsewhere. This page is made from the program's rows; figures that miss their target are
shown as they are.

{versions}

`ratio` is ours / peer: smaller is better. Both did the same work in turns, in one process; figures
are medians of CPU time for one call, unless their unit says otherwise. `spread` is half of what
lies between the quarters of ours.
"""
NOTES = {
    "costs": """Beyond a function that does nothing, for a call that succeeds:

- `retry`, `breaker`, `limiter`: one decorator, with tenacity's and stamina's, purgatory's,
  aiolimiter's; `decorators`: all three of ours, one around the other.
- `pipeline`: all that a connector's call goes through: these, and a bulkhead, a budget of retries
  and a deadline.
- `cache_hit`: a value that is there. `connector`: one more connector, made and not connected.
  `import`, `import_hub`: of the package, and of it with `ConnectorHub`.
""",
    "transport": """What each line compares, ours with its peer:

- `pool`, `exchange`: our connections, without and with headers and errors made ready, with the
  least that a GET costs in Python (a bare protocol and a parser).
- `session`: a whole call with retry, breaker, limiter and redaction, with the same on stock httpx;
  `session_raw`: with the least (the target is for one call at a time); `aiohttp`: with a bare `get`
  of aiohttp (the target is for a hundred).
- `door`: an ordinary `client.get` of our `httpx.AsyncClient`, with stock httpx; `stock_raw`: stock
  httpx with the least.
- `gather1000`: 1,000 calls at once on a server that takes 100 ms, with the server's time; `opened`:
  new connections meanwhile.
""",
    "batch": """What each line compares, ours with its peer:

- `wall`: 1,000 quotes from a server that answers after 50 ms, in requests side by side, with
  those 50 ms; `last1000`: one request each at 100 a second, with the quota's own time;
  `bars100000`: ten pages, one ahead of the reader, with none ahead.
- `single`: `get_quote` alone, and 100 of them side by side, with `coalesce=False`.
- `symbols`: CPU of a symbol in a batch, with that of a batch of a tenth.
- `connections`: CPU of a call, 1,000 at a time with 10 at a time (`busy`); 10 at a time while 1,000
  connections are open with 10 (`idle`).
""",
    "vendors": """alpaca-py and massive are synchronous, and called as their documentation
shows, against answers of the vendors' shapes; ours has all resilience on. Bars are columns with us,
and a row becomes an object when it is asked for; theirs are objects at once. `quote.raw`: a whole
quote with the least that a GET costs. `memory`: the most that a process of its own takes.
""",
}


def table(rows):
    """The rows of one set."""
    lines = ["| | ours | peer | unit | ratio | target | spread |", "|---|--:|--:|---|--:|--:|--:|"]
    for row in rows:
        name = row["bench"].split(".", 1)[1]
        target = "" if row["target"] is None else f"{row['target']:g}"
        if target and not _holds(row):
            is_near = _measure(row) <= row["target"] * (1 + row["spread"])
            target += " missed, within the spread" if is_near else " missed"
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.3f}"
        figures = (_number(row["ours"]), _number(row["peer"]), row["unit"], ratio, target)
        lines.append(f"| {name} | {' | '.join(figures)} | {row['spread']:.0%} |")
    return lines


def _number(value):
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 or value == 0 else f"{value:.3g}"


def _measure(row):
    return row["ours"] if row["ratio"] is None else row["ratio"]


def _holds(row):
    return row["target"] is None or _measure(row) <= row["target"]


def reasons(rows):
    """Why the targets that were missed were."""
    missed = [row["bench"] for row in rows if not _holds(row)]
    found = {name: text for name, text in REASONS.items() if any(map(_starts(name), missed))}
    return [wrapped(f"- `{name.split('.', 1)[1]}`: {text}") for name, text in found.items()]


def wrapped(text):
    """Lines that can be read, of a paragraph or of a point in a list."""
    indent = "  " if text.startswith("- ") else ""
    return textwrap.fill(text, 99, subsequent_indent=indent, break_long_words=False)


def _starts(name):
    return lambda bench: bench == name or bench.startswith(name + ".")


def page(rows):
    """The whole page."""
    head = INTRO.format(
        date=dt.datetime.now(dt.UTC).date(),
        python=platform.python_version(),
        system=platform.system(),
        cores=os.cpu_count(),
        versions=wrapped(f"Versions: {', '.join(f'{name} {version(name)}' for name in PEERS)}."),
    )
    parts = [head]
    for prefix, title in SETS.items():
        mine = [row for row in rows if row["bench"].startswith(prefix + ".")]
        if not mine:
            continue
        note = [NOTES[prefix]] if prefix in NOTES else []
        parts.append("\n".join([f"## {title}\n", *note, *table(mine)]) + "\n")
        if why := reasons(mine):
            parts.append("\n".join(["What was missed, and why:\n", *why]) + "\n")
    return "\n".join(parts)


def main():
    """Write the page from JSON lines."""
    rows = [json.loads(line) for line in sys.stdin if line.startswith("{")]
    PAGE.write_text(page(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
