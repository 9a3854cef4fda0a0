"""The command line: a table of files, and one line of JSON for each mutant."""

import argparse
import json
import os
import random
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest

from .children import in_child
from .killing import OPTIONS, Baseline, Functions, reaching, try_at_import
from .operators import MutatedFile

CHECKOUT = Path(__file__).parents[2]
_PACKAGES = ("sentio_async/orders", "sentio_async/resilience")
_TESTS = ("tests/orders", "tests/resilience")
# They start processes of their own, which never see the mutant, or measure time.
_LEFT_OUT = ("test_no_row_is_lost_by_a_kill", "test_writing_is_quick", "test_the_corpus_is")
# Imported once, before every fork; nothing of ours is among them.
_HEAVY = ("httpx", "pydantic", "msgspec", "hypothesis.strategies", "aiosmtplib", "httptools")


class Judge:
    """Says which tests a mutant is shown to, and how long they may take."""

    def __init__(self, known, most, tests=None):
        self.known, self.most, self.tests = known, most, tests
        self.took = {name: took for name, (took, _) in known.items()}

    def names(self, file, mutant):
        """The tests that were named, or those of the package that the file is in."""
        tests = self.tests or file.rsplit("/", 1)[0].replace("sentio_async", "tests")
        return reaching(self.known, tests, file, mutant, self.most)

    def limit(self, names):
        """In seconds."""
        return 30 + 10 * sum(self.took[name] for name in names)


def main():
    """Try the mutants of the files named; those that ``--out`` tells of already are not tried."""
    told = _arguments()
    os.chdir(CHECKOUT)
    for name in _HEAVY:
        import_module(name)
    judge = Judge(_known(told), told.most, tuple(told.tests) if told.tests else None)
    jobs = [_job(file, told) for file in told.files]
    with told.out.open("a", buffering=1) as book:

        def report(file, mutant, result, said):
            known = {"file": file, "number": mutant.number, "line": mutant.line, "result": result}
            what = {"operator": mutant.operator, "old": mutant.old, "new": mutant.new, "by": said}
            book.write(json.dumps({**known, **what}) + "\n")

        in_functions = [
            (file, mutated, [each for each in mutants if each.is_in_function])
            for file, mutated, mutants in jobs
        ]
        plugin = Functions(in_functions, judge, report)
        in_child(lambda: pytest.main([*(told.tests or _TESTS), *OPTIONS], plugins=[plugin]))
        done = _done(told.out)
        for file, mutated, mutants in jobs:
            for mutant in mutants:
                if (file, mutant.number) not in done:
                    report(file, mutant, *try_at_import(file, mutated, mutant, judge))
    return _print(_done(told.out).values())


def _arguments():
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("files", nargs="+", metavar="FILE", help="from the checkout's root")
    parser.add_argument("--out", type=Path, required=True, help="a line of JSON for each mutant")
    parser.add_argument("--map", type=Path, required=True, help="what tests reach; made if missing")
    parser.add_argument("--share", type=float, default=1.0, help="of the mutants of each file")
    parser.add_argument("--seed", type=int, default=1, help="of that share")
    parser.add_argument("--tests", nargs="+", help="in the place of those of orders/, resilience/")
    parser.add_argument("--most", type=float, default=30.0, help="seconds of tests for each")
    told = parser.parse_args()
    told.out, told.map = told.out.absolute(), told.map.absolute()
    return told


def _known(told):
    if not told.map.exists():

        def measure():
            packages = {file.rsplit("/", 1)[0] for file in told.files} | set(_PACKAGES)
            plugin = Baseline(CHECKOUT, sorted(packages), _LEFT_OUT)
            pytest.main([*(told.tests or _TESTS), *OPTIONS], plugins=[plugin])
            # Half a map would say of half the lines that no test runs them.
            if plugin.found:
                told.map.write_text(json.dumps(plugin.found))

        in_child(measure)
    return json.loads(told.map.read_text())


def _job(file, told):
    mutated = MutatedFile(CHECKOUT / file)
    mutants = list(mutated.mutants)
    random.Random(told.seed).shuffle(mutants)
    chosen = mutants[: round(len(mutants) * told.share)]
    done = _done(told.out)
    left = [each for each in chosen if (file, each.number) not in done]
    return file, mutated, sorted(left, key=lambda each: each.number)


def _done(path):
    """The last word on each mutant that was tried; one that runs at import is not, by then."""
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return {
        (row["file"], row["number"]): row for row in rows if row["result"] in ("killed", "survived")
    }


def _print(rows):
    tally = {}
    for row in rows:
        tally.setdefault(row["file"], Counter())[row["result"]] += 1
        if row["result"] == "survived":
            print(f"{row['file']}:{row['line']}: {row['operator']}: {row['old']} -> {row['new']}")
    for file, each in sorted(tally.items()):
        print(f"{file:44} {each.total():5} tried, {each['survived']:3} survived")
    return 0
