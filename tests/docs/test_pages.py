"""What the pages show, works."""

import ast
import codeop
import inspect
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sentio_async.cli import COMMANDS, main
from sentio_async.factory import ConnectorFactory
from tests.docs.pages import CHECKOUT, PAGES, blocks_of, name_of, prose_of
from tests.docs.running import run_page
from tests.docs.venues import environment_of, exchange_in_a_thread, stand_ins_for

WITH_CODE = [page for page in PAGES if any(b.language == "python" for b in blocks_of(page))]
WITH_TESTS = [page for page in PAGES if any("test" in b.flags for b in blocks_of(page))]
FOR_TESTS = {"test", "also-test"}
COMMAND = re.compile(r"sentio-async (?P<command>[a-z][a-z-]*)(?P<rest>[^`\n|&]*)")
INI = """[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
addopts = -q -p no:cacheprovider
"""


@pytest.fixture(autouse=True)
def _registers_nothing_for_others(monkeypatch):
    monkeypatch.setattr(ConnectorFactory, "_registered", dict(ConnectorFactory._registered))


@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_the_code_of_a_page_runs_and_prints_what_the_page_says(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with exchange_in_a_thread() as exchange:
        for name, value in environment_of(exchange).items():
            monkeypatch.setenv(name, value)

        assert run_page(page, stand_ins_for(exchange)) == []


def awaits(block):
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    return bool(compile(block.text, "", "exec", flags=flags).co_flags & inspect.CO_COROUTINE)


@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_what_awaits_can_be_pasted_into_a_prompt(page):
    for block in blocks_of(page):
        if block.language == "python" and awaits(block):
            prompt = codeop.CommandCompiler()
            prompt.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            entered = []
            # An empty line ends what is indented.
            for number, line in enumerate([*block.text.splitlines(), ""], block.line):
                entered.append(line)
                if prompt("\n".join(entered), f"{name_of(page)}:{number}", "single") is not None:
                    entered = []
            assert not any(entered)


@pytest.mark.slow
def test_the_tests_shown_in_pages_pass(tmp_path):
    (tmp_path / "pytest.ini").write_text(INI)
    for page in WITH_TESTS:
        shown = "\n\n".join(block.text for block in blocks_of(page) if block.flags & FOR_TESTS)
        (tmp_path / f"test_{page.stem.replace('-', '_')}.py").write_text(shown)
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    plugins = [] if _is_installed() else ["-p", "sentio_async.testing.plugin"]

    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, "."],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert WITH_TESTS
    assert ended.returncode == 0, ended.stdout + ended.stderr


def _is_installed() -> bool:
    from importlib.metadata import entry_points

    return any(e.value == "sentio_async.testing.plugin" for e in entry_points(group="pytest11"))


def test_the_two_commands_are_one_line_each():
    lines = (CHECKOUT / "README.md").read_text(encoding="utf-8").splitlines()
    into_venv = "python3 -m venv .venv && .venv/bin/python -m pip install -q"

    assert f"- run: `{into_venv} '.[demo]' && .venv/bin/sentio-async demo`" in lines
    assert f"- test: `{into_venv} -e '.[test]' && .venv/bin/python -m pytest`" in lines


def called(name):
    """A command in every form in which pages call it."""
    shells = (b.text for page in PAGES for b in blocks_of(page) if b.language == "sh")
    lines = (line.strip() for text in shells for line in text.splitlines())
    found = (line.partition("sentio-async ")[2] for line in lines)
    return sorted({command for command in found if command.split()[:1] == [name]})


def test_the_exchange_that_pages_start_serves_until_it_is_told_to_stop():
    # Ports that a page names may be taken here.
    commands = [re.sub(r"(--port-\S+) \d+", r"\1 0", command) for command in called("sim")]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "sentio_async.cli", *shlex.split(command)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        )
        for command in commands
    ]
    try:
        for process in running:
            assert process.stdout.readline()
            process.send_signal(signal.SIGINT)
        for process in running:
            process.communicate(timeout=20)
    finally:
        for process in running:
            process.kill()

    assert len(running) >= 3
    assert [process.returncode for process in running] == [0] * len(running)


@pytest.mark.parametrize("command", called("demo"))
def test_the_demo_that_pages_call_ends_well(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    day = "2026-01-{:02}T15:00:00Z,ACME,10,11,9,10.5,1000\n"
    rows = "".join(day.format(number) for number in range(1, 29))
    Path("bars.csv").write_text("date,symbol,open,high,low,close,volume\n" + rows)

    with pytest.raises(SystemExit) as ended:
        main(command.split())

    assert ended.value.code == 0, capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_that_a_page_names_exists(page):
    shells = [b.text for b in blocks_of(page) if b.language in {"sh", "console", "bash"}]
    for found in COMMAND.finditer("\n".join([*shells, *re.findall(r"`[^`\n]+`", prose_of(page))])):
        assert found["command"] in COMMANDS, found[0]
        known = options_of(found["command"])
        for option in re.findall(r"(?<!\S)--[a-z-]+", found["rest"]):
            assert option in known, found[0]


def options_of(command: str) -> set[str]:
    import typer

    from sentio_async.cli import _app

    group = typer.main.get_command(_app())
    top = group.commands[command]
    commands = [top, *getattr(top, "commands", {}).values()]
    return {name for c in commands for each in c.params for name in each.opts} | {"--help"}
