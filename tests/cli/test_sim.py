"""`sentio-async sim` serves until it is told to stop, and fails in one line."""

import asyncio
import json
import shlex
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from sentio_async import ConnectorFactory, cli, errors

RUN = [sys.executable, "-W", "error", "-m", "sentio_async.cli"]
QUICK = ["--venue", "webhook", "--venue", "smtp"]


def start(*arguments):
    return subprocess.Popen(
        [*RUN, "sim", *QUICK, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def failing(capsys, *arguments):
    """What the command says when it fails, and its exit code."""
    code = cli.main(arguments)
    out, err = capsys.readouterr()
    assert out == ""
    return code, err


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_where_it_is_serves_and_ends_when_told(told):
    process = start("--json", "--fault", '{"kind": "status", "status": 500, "path": "/hook/x"}')
    try:
        shown = json.loads(process.stdout.readline())
        at = shown["addresses"]
        with urllib.request.urlopen(f"{at['control']}/faults", timeout=5) as answer:
            rules = json.load(answer)["rules"]
        began = time.perf_counter()
        process.send_signal(told)
        out, err = process.communicate(timeout=10)
        took = time.perf_counter() - began
    finally:
        process.kill()

    assert (process.returncode, out, err) == (0, "", "")
    assert took < 2
    assert rules == [{"kind": "status", "status": 500, "path": "/hook/x"}]
    assert shown["settings"]["email"]["port"] == at["smtp_port"]
    assert shown["settings"]["webhook"]["webhook_url"] == f"{at['webhook']}/hook"


def test_it_prints_an_environment_that_leads_the_connectors_to_it(monkeypatch):
    process = start("--env")
    try:
        for _ in range(8):
            words = shlex.split(process.stdout.readline())
            name, _, value = words[1].partition("=")
            monkeypatch.setenv(name, value)
        mail = ConnectorFactory.create_notification("email")
        hook = ConnectorFactory.create_notification("webhook")
        asyncio.run(connected(mail, hook))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    finally:
        process.kill()

    assert (out, err) == ("", "")


async def connected(*connectors):
    """Reach each of them, and leave."""
    for connector in connectors:
        async with connector:
            assert (await connector.health_check()).is_healthy


def test_for_people_it_prints_a_table():
    process = start()
    try:
        lines = []
        while "Ctrl-C" not in (line := process.stdout.readline()):
            lines.append(line)
            assert line, process.stderr.read()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    finally:
        process.kill()

    assert process.returncode == 0
    assert any("webhook_url" in line and "http://127.0.0.1:" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--fault", "{"], "--fault '{': Expecting property name"),
        (["--fault", '{"kind": "explode"}'], "kind: 'explode' is none of"),
        (["--fault", "[]"], "a fault rule is an object, not list"),
        (["--venue", "nasdaq"], "venues: no venue 'nasdaq'; there are alpaca_trading"),
        (["--replay", "no-such-file.csv"], "--replay no-such-file.csv: "),
        (["--venue", "webhook", "--host", "192.0.2.1"], "the exchange cannot start: "),
    ],
)
def test_a_setting_that_cannot_be_meant_is_one_line_and_two(capsys, arguments, complaint):
    code, said = failing(capsys, "sim", *arguments)

    assert code == 2
    assert said.startswith("sentio-async: ")
    assert complaint in said
    assert said.count("\n") == 1


def test_parquet_without_its_library_says_how_to_get_it(capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    code, said = failing(capsys, "sim", "--replay", str(tmp_path / "bars.parquet"))

    assert code == 2
    assert "pip install 'sentio-async[parquet]'" in said
    assert said.count("\n") == 1


def test_a_taken_port_is_one_line(capsys):
    process = start("--json")
    try:
        port = json.loads(process.stdout.readline())["addresses"]["smtp_port"]
        code, said = failing(capsys, "sim", *QUICK, "--port-smtp", str(port))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
    finally:
        process.kill()

    assert code == 2
    assert "in use" in said
    assert said.count("\n") == 1


def test_without_typer_it_says_how_to_get_it(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "typer", None)
    code, said = failing(capsys)

    assert code == 2
    assert "pip install 'sentio-async[cli]'" in said
    assert said.count("\n") == 1


def test_without_the_simulator_s_libraries_it_says_how_to_get_them(capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "sentio_async.sim.exchange", raising=False)
    monkeypatch.setitem(sys.modules, "starlette.applications", None)
    code, said = failing(capsys, "sim")

    assert code == 2
    assert "pip install 'sentio-async[sim]'" in said
    assert said.count("\n") == 1


def test_an_error_of_ours_in_any_command_is_one_line(capsys, monkeypatch):
    def broken(app):
        raise errors.ConfigurationError("first line\nsecond line", connector="alpaca")

    monkeypatch.setattr("sentio_async.cli.sim.register", broken)
    code, said = failing(capsys, "sim")

    assert (code, said) == (2, "sentio-async: alpaca: first line second line\n")


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])

    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in cli.COMMANDS)
