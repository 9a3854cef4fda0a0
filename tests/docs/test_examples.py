"""Every script in examples/ runs to its end against the embedded exchange."""

import runpy
import subprocess
import sys

import pytest

from tests.docs.pages import CHECKOUT, prose_of
from tests.docs.venues import environment_of, exchange_in_a_thread, printed_environment_of

FOLDER = CHECKOUT / "examples"
SCRIPTS = sorted(path for path in FOLDER.glob("*.py") if path.name != "venue.py")
# What must be in what it prints: that it did what it is there for.
SEEN = {
    "bracket_order": "in the end: canceled",
    "fastapi_app": "'status': 'healthy'",
    "download_bars": "B@D is not complete",
    "faults": "orders at the venue: 1",
    "health_monitor": "unhealthy: ['polygon']",
    "history_to_columns": "average of 20",
    "notify_everyone": "webhook: accepted as",
    "place_and_watch_order": "filled: 5 at",
    "quotes_batch": "SymbolNotFoundError",
    "resilient_function": "not even tried",
    "stream_quotes": "order: fill 1",
    "trading_engine": "positions after 8 rounds",
}


@pytest.fixture(autouse=True)
def _as_from_the_shell(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setattr(sys, "argv", ["example"])
    yield
    sys.modules.pop("venue", None)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_runs_to_its_end(script, capsys):
    if "extra ``parquet``" in script.read_text():
        pytest.importorskip("pyarrow")
    runpy.run_path(str(script), run_name="__main__")

    assert SEEN[script.stem] in capsys.readouterr().out


@pytest.mark.parametrize("name", ["quotes_batch", "notify_everyone", "place_and_watch_order"])
@pytest.mark.parametrize("environment", [environment_of, printed_environment_of])
def test_with_keys_in_the_environment_it_goes_there(name, environment, capsys, monkeypatch):
    with exchange_in_a_thread() as exchange:
        for variable, value in environment(exchange).items():
            monkeypatch.setenv(variable, value)
        runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")

        assert exchange.requests
        assert "embedded exchange" not in capsys.readouterr().out


def test_the_list_of_examples_is_whole():
    listed = prose_of(FOLDER / "README.md")

    assert [path.name for path in SCRIPTS if f"`{path.name}`" not in listed] == []


MISTYPED = """
from sentio_async import BrokerConnector


async def buy(broker: BrokerConnector) -> None:
    await broker.place_order("AAPL", 1, "buy", order_type="limit", limit_price="1.50")
    await broker.place_order("AAPL", 1, "buy", order_type="limit", limt_price="1.50")
    await broker.replace_order("1", limit_price={})
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_types_of_the_examples_are_right_and_typing_errors_in_orders_are_seen(tmp_path):
    pytest.importorskip("mypy")
    mistyped = tmp_path / "mistyped.py"
    mistyped.write_text(MISTYPED)
    theirs = tmp_path / "mypy.ini"  # a user's, without plug-ins
    theirs.write_text("[mypy]\nstrict = True\n")
    options = ["--config-file", theirs, "--cache-dir", tmp_path / "cache"]
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *FOLDER.glob("*.py"), mistyped],
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        check=False,
    )

    found = [line for line in checked.stdout.splitlines() if ": error: " in line]
    assert [line.split(":")[1] for line in found if "mistyped.py" in line] == ["7", "8"]
    assert [line for line in found if "mistyped.py" not in line] == []
