"""Importing the package costs little and touches nothing."""

import re
import subprocess
import sys
from importlib import metadata

import pytest

LOOSE_LIMIT = 0.6
"""Seconds; the aim is 0.15 beyond the interpreter on a machine that does nothing else."""


def python(*arguments):
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=True
    ).stdout


LOOK = """
import socket, sys

def refuse(*args, **more):
    raise AssertionError("the network was touched")

socket.socket.connect = refuse
socket.getaddrinfo = refuse
before = set(sys.modules)
import sentio_async
for name in sentio_async.__all__:
    getattr(sentio_async, name)
print("\\n".join(sorted(set(sys.modules) - before)))
"""


@pytest.fixture(scope="module")
def imported():
    return set(python("-c", LOOK).split())


def test_no_vendor_is_imported(imported):
    assert "sentio_async" in imported
    vendors = [name for name in imported if name.startswith("sentio_async.connectors.")]
    assert not vendors


# Not rich and click: httpx imports them for its own command when they are installed.
OPTIONAL = ["pytest", "aiosmtplib", "starlette", "uvicorn", "aiosmtpd", "typer", "pyarrow"]
OPTIONAL += ["pandas", "numpy", "fastapi"]
OPTIONAL += ["sentio_async.sim", "sentio_async.testing", "sentio_async.cli"]


@pytest.mark.parametrize("name", OPTIONAL)
def test_nothing_is_imported_that_only_some_need(imported, name):
    assert not [each for each in imported if each == name or each.startswith(f"{name}.")]


def test_every_public_name_is_there():
    import sentio_async

    for name in sentio_async.__all__:
        assert getattr(sentio_async, name) is not None
    assert sorted(sentio_async.__all__) == sentio_async.__all__


def seconds(text):
    """Of processor time, which other work on the machine changes little."""
    return float(python("-c", f"{text}\nimport time; print(time.process_time())"))


EVERYTHING = "import sentio_async as s; [getattr(s, name) for name in s.__all__]"


def test_importing_is_quick(capsys):
    bare, package, names = (
        min(seconds(text) for _ in range(3)) for text in ("pass", "import sentio_async", EVERYTHING)
    )

    with capsys.disabled():
        print(
            f"\nimport sentio_async: {(package - bare) * 1000:.0f} ms beyond the interpreter, "
            f"{(names - bare) * 1000:.0f} ms with every public name"
        )
    assert package - bare < LOOSE_LIMIT
    assert names - bare < 2 * LOOSE_LIMIT


def requirements_of(name):
    """What a distribution needs without any extra, on this interpreter."""
    for line in metadata.requires(name) or ():
        text, _, marker = line.partition(";")
        if "extra" in marker or not holds(marker):
            continue
        yield re.match(r"[A-Za-z0-9._-]+", text.strip())[0]


def holds(marker):
    """Whether a simple environment marker is true here; unknown ones are taken as true."""
    versions = re.findall(r"python_(?:full_)?version\s*([<>=!]+)\s*['\"]([\d.]+)['\"]", marker)
    for operator, text in versions:
        wanted = tuple(int(part) for part in text.split("."))
        here = sys.version_info[: len(wanted)]
        if not {"<": here < wanted, ">": here > wanted, "<=": here <= wanted}.get(
            operator, operator in (">=", "==", "!=") and here >= wanted
        ):
            return False
    return "win32" not in marker and "Windows" not in marker


def installed_with(name):
    found, waiting = set(), [name]
    while waiting:
        each = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if each not in found:
            found.add(each)
            waiting += requirements_of(each)
    return found


def test_the_core_is_a_handful_of_distributions(capsys):
    needed = installed_with("sentio-async") - {"sentio-async"}
    size = sum((file.size or 0) for name in needed for file in metadata.files(name) or ())

    with capsys.disabled():
        print(f"\ncore: {len(needed)} distributions, {size / 1e6:.1f} MB without our own")
    assert len(needed) <= 20, sorted(needed)
    assert size < 25e6
    assert {"httpx", "pydantic", "msgspec", "aiosmtplib"} <= needed
    # Vendors tell times of New York, and not every machine has its zone.
    assert "tzdata" in needed
