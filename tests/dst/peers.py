"""The strategies side by side, in the same scenarios."""

from . import runs
from .clients import CLIENTS

CLASSES = ("unique", "writeonly", "echo", "none")


def compare(count: int, seed: int) -> dict:
    """Run every strategy over the same seeds."""
    return {
        "scenarios": count,
        "seed": seed,
        "strategies": {name: runs.run(count, seed, name) for name in CLIENTS},
    }


def table(result: dict) -> str:
    """The result as Markdown: wrong outcomes of a thousand intents."""
    lines = [
        "| Strategy | "
        + " | ".join(f"{kind}: dup / ghost / phantom" for kind in CLASSES)
        + " | orphans after a crash | left unknown |",
        "|---|" + "---|" * (len(CLASSES) + 2),
    ]
    for name, run in result["strategies"].items():
        tallies = run["by_class"]
        cells = [_cell(tallies, kind) for kind in CLASSES]
        crashed = [tally for key, tally in tallies.items() if key.endswith("crash")]
        cells.append(_rate(crashed, "orphans"))
        cells.append(_rate(list(tallies.values()), "unresolved"))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(tallies: dict, kind: str) -> str:
    both = [tally for key, tally in tallies.items() if key.split()[0] == kind]
    return " / ".join(_rate(both, what) for what in ("duplicates", "ghosts", "phantoms"))


def _rate(tallies: list, what: str) -> str:
    intents = sum(tally["intents"] for tally in tallies)
    found = sum(tally.get(what, 0) for tally in tallies)
    return f"{1000 * found / intents:.1f}" if found else "0"
