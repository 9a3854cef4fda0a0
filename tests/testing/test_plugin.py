"""A user's test gets its own exchange, whichever mode pytest-asyncio is in."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import sentio_async

CHECKOUT = Path(sentio_async.__file__).parent.parent
BARS = """\
symbol,timestamp,open,high,low,close,volume
AAPL,2025-03-03T14:30:00Z,240.1,241.0,239.9,240.5,1000
AAPL,2025-03-03T14:31:00Z,240.5,240.9,240.2,240.8,1200
"""


def run(folder, text, *options):
    """How pytest judges this test file of somebody else's project."""
    (folder / "test_theirs.py").write_text(textwrap.dedent(text))
    result = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", *options, "-p", "sentio_async.testing.plugin"),
            *("-q", "--strict-markers", "-p", "no:cacheprovider"),
        ],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": f"{CHECKOUT}{os.pathsep}{folder}",
            # Only the plugins under test: this computer's others take longer than the tests.
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    return result.stdout + result.stderr


def asyncio_in(mode):
    scope = "asyncio_default_fixture_loop_scope=function"
    return "-p", "pytest_asyncio.plugin", f"--asyncio-mode={mode}", "-o", scope


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_the_fixture_works_in_both_modes_and_marks_add_up(tmp_path, mode):
    (tmp_path / "bars.csv").write_text(BARS)
    shown = run(
        tmp_path,
        """
        import pytest
        from sentio_async.sim.faults import FaultRule

        pytestmark = [pytest.mark.asyncio, pytest.mark.exchange(venues=["webhook"])]

        async def test_it_is_there(exchange):
            assert exchange.addresses.webhook.startswith("http://127.0.0.1:")
            assert exchange.venues == ("webhook",)

        @pytest.mark.exchange(faults=[FaultRule(kind="delay")])
        class TestMarks:
            async def test_a_class_adds_to_its_module(self, exchange):
                assert exchange.venues == ("webhook",)
                assert len(exchange.state.faults.rules) == 1

            @pytest.mark.exchange(faults=[], venues=["smtp"])
            async def test_the_nearest_wins(self, exchange):
                assert exchange.venues == ("smtp",)
                assert exchange.state.faults.rules == ()

        @pytest.mark.exchange(venues=["alpaca_data"], replay="bars.csv")
        async def test_bars_come_from_a_file(exchange):
            assert exchange.state.clock.now().year == 2025

        @pytest.mark.exchange(7)
        async def test_a_mark_without_names_is_refused(exchange): ...
        """,
        *asyncio_in(mode),
    )

    assert "4 passed" in shown, shown
    assert "1 error" in shown
    assert "@pytest.mark.exchange takes its settings by name only" in shown


def test_without_its_libraries_the_plugin_harms_no_other_test(tmp_path):
    shown = run(
        tmp_path,
        """
        import sys
        sys.modules["starlette.applications"] = None

        def test_of_theirs():
            assert "sentio_async.sim" not in sys.modules

        async def test_exchange(exchange): ...
        """,
        *asyncio_in("auto"),
    )

    assert "1 passed" in shown
    assert "1 error" in shown
    assert "pip install 'sentio-async[sim]'" in shown


def test_without_pytest_asyncio_it_says_what_is_missing(tmp_path):
    (tmp_path / "no_asyncio.py").write_text("import sys; sys.modules['pytest_asyncio'] = None")
    shown = run(
        tmp_path,
        """
        def test_of_theirs(): ...

        def test_exchange(exchange): ...
        """,
        "-p",
        "no_asyncio",
    )

    assert "1 passed" in shown
    assert "1 error" in shown
    assert "the fixture `exchange` needs pytest-asyncio: pip install pytest-asyncio" in shown
