"""The pages, and what stands between their fences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
PAGES = (
    CHECKOUT / "README.md",
    CHECKOUT / "examples" / "README.md",
    *sorted((CHECKOUT / "docs").rglob("*.md")),
)

_FENCE = re.compile(r"^ *```(?P<info>[^`\n]*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the words after it, its text, the line it starts in."""

    language: str
    flags: frozenset[str]
    text: str
    line: int


def name_of(page: Path) -> str:
    """`docs/errors.md`: how tests call a page."""
    return page.relative_to(CHECKOUT).as_posix()


def blocks_of(page: Path) -> Iterator[Block]:
    """Every fenced block, from top to bottom."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        language, *flags = found["info"].split() or [""]
        line = text.count("\n", 0, found.start("text")) + 1
        yield Block(language, frozenset(flags), found["text"], line)


def prose_of(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))
