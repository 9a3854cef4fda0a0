"""Runs the Python of one page: its blocks share a namespace and an event loop."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import sys
import types
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sentio_async import BaseConnector, ConnectorHub
from tests.docs.pages import Block, blocks_of, name_of


def run_page(page: Path, stand_ins: Mapping[str, str]) -> list[str]:
    """Run the page; gives the differences between what it prints and what it says it prints.

    ``stand_ins`` replace texts of the page that lead to the outside world.
    """
    module = types.ModuleType("page")
    differences: list[str] = []
    printed = ""
    sys.modules["page"] = module
    try:
        with asyncio.Runner() as runner:
            try:
                for block in blocks_of(page):
                    if block.language == "python":
                        printed = _run(page, _inside(block, stand_ins), module.__dict__, runner)
                    elif "output" in block.flags and printed != block.text:
                        differences.append(f"{name_of(page)}:{block.line} prints\n{printed}")
            finally:
                runner.run(_put_away(module.__dict__))
    finally:
        del sys.modules["page"]
    return differences


def _inside(block: Block, stand_ins: Mapping[str, str]) -> Block:
    text = block.text
    for there, here in stand_ins.items():
        text = text.replace(there, here)
    return replace(block, text=text)


def _run(page: Path, block: Block, names: dict[str, Any], runner: asyncio.Runner) -> str:
    # Empty lines in front, so that a traceback points into the page.
    text = "\n" * (block.line - 1) + block.text
    code = compile(text, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if block.flags & {"no-run", "test"}:
        return ""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        made = eval(code, names)
        if code.co_flags & inspect.CO_COROUTINE:
            runner.run(made)
    return printed.getvalue()


async def _put_away(names: dict[str, Any]) -> None:
    """Close what a page leaves open, as the end of a session at the prompt would."""
    for value in list(names.values()):
        if isinstance(value, ConnectorHub):
            await value.disconnect()
    for value in list(names.values()):
        if isinstance(value, BaseConnector):
            await value.disconnect()
            await value._close()
            await value._resources.close()
