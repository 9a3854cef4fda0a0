"""Whether a test notices a mutant.

A mutant inside a function is a new code object for functions that live already, in a fork of a
process that has collected the tests.  One that runs at import needs a process that has imported
nothing of ours yet.
"""

import gc
import os
import sys
import types
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from .children import as_marked, forked, run_items

OPTIONS = [
    *("-q", "-p", "no:cacheprovider", "--tb=line"),
    # Some plugins are imported before pytest can rewrite them, so that forks need not.
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
]


def reaching(known, tests, file, mutant, most):
    """The tests that may notice it, the quickest first, up to so many seconds together."""
    first, last = mutant.lines
    found = []
    for name, (took, lines) in known.items():
        there = lines.get(file, ())
        if not name.startswith(tests):
            continue
        if not mutant.is_in_function or any(first <= line <= last for line in there):
            # What is made at import is seen most likely by tests that run the file's lines.
            found.append((took + (0 if there else 0.2), took, name))
    chosen, spent = [], 0.0
    for _, took, name in sorted(found):
        spent += took
        if chosen and spent > most:
            break
        chosen.append(name)
    return chosen


class Functions:
    """A pytest plugin that, in the place of the tests, tries every mutant inside a function."""

    def __init__(self, jobs, judge, report):
        self.jobs, self.judge, self.report = jobs, judge, report
        self.killers = []

    def pytest_runtestloop(self, session):
        items = {item.nodeid: item for item in session.items}
        gc.collect()
        live = [each for each in gc.get_objects() if isinstance(each, types.FunctionType)]
        gc.freeze()
        for file, mutated, mutants in self.jobs:
            path = str(mutated.path)
            there = [each for each in live if each.__code__.co_filename == path]
            before = _codes(compile(mutated.source, path, "exec"))
            for mutant in mutants:
                after = _codes(compile(mutated.source_of(mutant), path, "exec"))
                self.report(file, mutant, *self._try(file, mutant, items, (before, after, there)))
        return True

    def _try(self, file, mutant, items, codes):
        names = self.judge.names(file, mutant)
        changed = _changed(*codes)
        if not names or changed is None:
            return "at import", ""

        def work(said):
            for function, code in changed:
                function.__code__ = code
            return run_items([items[name] for name in names], self.judge.took, said)

        likely = [name for name in self.killers if name in names]
        names = [*likely, *(name for name in names if name not in likely)]
        code, said = forked(work, self.judge.limit(names))
        if code == 1:
            self.killers = [said, *(each for each in self.killers if each != said)][:8]
        return ("survived" if code == 0 else "killed"), said or str(code)


def _codes(code, found=None):
    found = {} if found is None else found
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            found.setdefault(const.co_qualname, []).append(const)
            _codes(const, found)
    return found


def _changed(before, after, live):
    """Pairs of function and code for what the mutant changes; None where that cannot be done."""
    changed = []
    for name, codes in before.items():
        others = after.get(name, [])
        if len(others) != len(codes):
            if name.endswith(">"):
                continue  # a lambda or comprehension that is gone: its function changes
            return None
        for one, other in zip(codes, others, strict=True):
            if one == other:
                continue
            for function in live:
                there = function.__code__
                if (there.co_qualname, there.co_firstlineno) == (name, one.co_firstlineno):
                    if len(other.co_freevars) != len(there.co_freevars):
                        return None
                    changed.append((function, other))
    return changed or None


class _Import:
    """Imports one module from other text."""

    def __init__(self, name, path, source):
        self.name, self.path, self.source = name, path, source

    def find_spec(self, name, path, target=None):
        if name != self.name:
            return None
        spec = ModuleSpec(name, self, origin=self.path)
        spec.has_location = True
        return spec

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(compile(self.source, self.path, "exec"), module.__dict__)


class _Chosen:
    def __init__(self, names, took, said):
        self.names, self.took, self.said = names, took, said

    def pytest_runtestloop(self, session):
        items = {item.nodeid: item for item in session.items}
        chosen = [items[name] for name in self.names if name in items]
        os._exit(run_items(chosen, self.took, self.said) or len(chosen) != len(self.names))


def try_at_import(file, mutated, mutant, judge):
    """What becomes of a mutant that runs at import."""
    mutant.is_in_function = False
    names = judge.names(file, mutant)
    module = file.removesuffix(".py").replace("/", ".")
    source = mutated.source_of(mutant)

    def work(said):
        from _pytest.assertion.rewrite import AssertionRewritingHook

        find = AssertionRewritingHook.find_spec
        AssertionRewritingHook.find_spec = lambda self, name, *more: (
            None if name == module else find(self, name, *more)
        )
        sys.meta_path.insert(0, _Import(module, str(mutated.path), source))
        paths = sorted({name.split("::")[0] for name in names})
        pytest.main([*paths, *OPTIONS], plugins=[_Chosen(names, judge.took, said)])
        return 1

    code, said = forked(work, 60 + judge.limit(names))
    return ("survived" if code == 0 else "killed"), said or str(code)


class Baseline:
    """A pytest plugin that notes which lines each test runs, and how long it takes."""

    def __init__(self, checkout, packages, left_out):
        self.checkout, self.packages, self.left_out = checkout, packages, left_out
        self.found = {}

    def pytest_runtestloop(self, session):
        import coverage
        from _pytest.runner import runtestprotocol

        where = [str(self.checkout / package) for package in self.packages]
        measured = coverage.Coverage(data_file=None, source=where, messages=False)
        quiet = ["no-data-collected", "module-not-measured", "already-imported"]
        measured.set_option("run:disable_warnings", [*quiet, "module-not-imported"])
        items = [i for i in session.items if not any(each in i.nodeid for each in self.left_out)]
        found = {}
        for item, following in zip(items, [*items[1:], None], strict=True):
            measured.erase()
            measured.start()
            with as_marked(item):
                reports = runtestprotocol(item, nextitem=following, log=False)
            measured.stop()
            if any(report.failed for report in reports):
                raise SystemExit(f"fails without a mutant: {item.nodeid}")
            data = measured.get_data()
            lines = {
                str(Path(path).relative_to(self.checkout)): sorted(data.lines(path) or ())
                for path in data.measured_files()
            }
            found[item.nodeid] = [sum(each.duration for each in reports), lines]
        self.found = found
        return True
