"""Work in a forked child, which may hang, run for ever or eat the memory."""

import os
import resource
import signal
import time
import warnings
from contextlib import contextmanager

_MEMORY = 6 << 30
_POLL = 0.004


def forked(work, limit):
    """The exit code of ``work(said)`` and what it has written; -1 after ``limit`` seconds."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        os.setpgid(0, 0)
        code = 3
        try:
            _be_quiet()
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
            code = work(write)
        except BaseException as exc:
            os.write(write, f"{type(exc).__name__}: {exc}"[:300].encode())
        finally:
            os._exit(code)
    os.close(write)
    code = _wait(child, limit)
    said = os.read(read, 4_000).decode(errors="replace") if code != -1 else "took too long"
    os.close(read)
    return code, said


def _be_quiet():
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)


def _wait(child, limit):
    ends = time.monotonic() + limit
    while time.monotonic() < ends:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(_POLL)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1


def run_items(items, took, said):
    """1 as soon as a test fails, 0 when none does; one that takes far too long ends the child."""
    from _pytest.runner import call_and_report

    for name in ("SIGALRM", "SIGPROF"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    for item, following in zip(items, [*items[1:], None], strict=True):
        usual = took.get(item.nodeid, 3.0)
        signal.setitimer(signal.ITIMER_PROF, 3 + 4 * usual)
        signal.setitimer(signal.ITIMER_REAL, 8 + 5 * usual)
        if not item._request:
            item._initrequest()
        has_passed = True
        for when in ("setup", "call", "teardown"):
            if when == "call" and not has_passed:
                continue
            more = {"nextitem": following} if when == "teardown" else {}
            with as_marked(item):
                report = call_and_report(item, when, log=False, **more)
            if report.failed:
                os.write(said, item.nodeid.encode())
                return 1
            has_passed = report.passed
    return 0


@contextmanager
def as_marked(item):
    """Inside, warnings are what the marks of the item say: pytest does it outside of its report."""
    from _pytest.config import parse_warning_filter

    with warnings.catch_warnings():
        for mark in item.iter_markers("filterwarnings"):
            for arg in mark.args:
                warnings.filterwarnings(*parse_warning_filter(arg, escape=False))
        yield


def in_child(work):
    """Let a forked child do it, and wait: what it imports is gone with it."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
